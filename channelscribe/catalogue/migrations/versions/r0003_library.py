"""The library's own: what search, retention and takedowns need."""

from __future__ import annotations

from alembic import op

revision = "0003"
down_revision = "0002"

CHANGES = """
ALTER TABLE transcript ADD COLUMN stages jsonb NOT NULL DEFAULT '{}';
ALTER TABLE video
    ADD COLUMN taken_down_at timestamptz,
    ADD CONSTRAINT video_taken_down_check CHECK (taken_down_at IS NULL OR (state = 'excluded' AND title = ''
        AND description IS NULL AND lease_owner IS NULL AND current_transcript_pk IS NULL));
ALTER TABLE audio ADD COLUMN part_keys text[];
ALTER TABLE transcript ADD COLUMN reading_key text;
CREATE TABLE checkpoint (
    video_pk bigint NOT NULL REFERENCES video ON DELETE CASCADE,
    key text NOT NULL,
    PRIMARY KEY (video_pk, key)
);
CREATE INDEX ix_checkpoint_key ON checkpoint (key);
"""

# How segments are searched (channelscribe/catalogue/search_words.py says the same in Python):
# - words: apostrophes alike, other marks are blanks (the parser takes all beyond ASCII for letters where the database
#   has the built-in locale), and runs of scripts written without spaces become overlapping pairs of their letters;
# - search: stems by the language's own rules with their places, and the words as they are, for prefixes.
_UNSPACED = (
    r"[\u0E01-\u0E2E\u0E30-\u0E3A\u0E40-\u0E4E\u0E81-\u0ECE\u1000-\u1049\u1050-\u109F\u1780-\u17D3\u3005-\u3007"
    r"\u3041-\u3096\u3099\u309A\u309D-\u309F\u30A1-\u30FA\u30FC-\u30FF\u31F0-\u31FF\u3400-\u4DBF\u4E00-\u9FFF"
    r"\uAC00-\uD7A3\uF900-\uFAFF\U00020000-\U0003FFFF]"
)
_MARK = (
    r"[\u0E31\u0E34-\u0E3A\u0E47-\u0E4E\u0EB1\u0EB4-\u0EBC\u0EC8-\u0ECE\u102B-\u103E\u1056-\u1059\u105E-\u1060"
    r"\u1062-\u1064\u1067-\u106D\u1071-\u1074\u1082-\u108D\u108F\u109A-\u109D\u17B4-\u17D3\u3099\u309A]"
)
_LETTER = f"{_UNSPACED}{_MARK}*"
_FIRST = "\u3000"  # a blank of _BLANK: no text has it here
_BLANK = (
    r"[\u0080-\u00A9\u00AB-\u00B1\u00B4\u00B6-\u00B9\u00BB-\u00BF\u00D7\u00F7\u0387\u055A-\u055F\u0589\u058A\u05BE"
    r"\u05C0\u05C3\u05F3\u05F4\u060C\u061B\u061F\u066A-\u066D\u06D4\u0964\u0965\u0E2F\u0E3F\u0E4F\u0E5A\u0E5B"
    r"\u104A-\u104F\u1361-\u1368\u17D4-\u17DB\u2000-\u200B\u200E-\u206F\u2190-\u2BFF\u2E00-\u2E7F\u3000-\u3004"
    r"\u3008-\u3030\u303D\u30A0\u30FB\uFE00-\uFE6F\uFEFF\uFF01-\uFF0F\uFF1A-\uFF20\uFF3B-\uFF40\uFF5B-\uFF65"
    r"\U0001F000-\U0001FAFF\U000E0000-\U000E0FFF]"
)
_CONFIGURATIONS = {
    "ar": "arabic", "ca": "catalan", "da": "danish", "de": "german", "el": "greek", "en": "english", "es": "spanish",
    "eu": "basque", "fi": "finnish", "fr": "french", "ga": "irish", "hi": "hindi", "hu": "hungarian",
    "hy": "armenian", "id": "indonesian", "it": "italian", "lt": "lithuanian", "nb": "norwegian", "ne": "nepali",
    "nl": "dutch", "nn": "norwegian", "no": "norwegian", "pt": "portuguese", "ro": "romanian", "ru": "russian",
    "sr": "serbian", "sv": "swedish", "ta": "tamil", "tr": "turkish", "yi": "yiddish",
}  # fmt: skip
_CASES = " ".join(f"WHEN '{language}' THEN '{name}'::regconfig" for language, name in _CONFIGURATIONS.items())
# In one function: a call of another one of ours costs as much as all the rest, and would not be found when a backup is
# restored, where the search path is empty.
_WORDS = rf"""
    IF octet_length(text) <> char_length(text) THEN
        text := regexp_replace(replace(normalize(text, NFKC), U&'\2019', ''''), '{_BLANK}+', ' ', 'g');
        IF text ~ '{_UNSPACED}' THEN
            text := regexp_replace(text, '({_UNSPACED}+)', ' {_FIRST}\1 ', 'g');
            text := regexp_replace(text, '({_LETTER})', '\1 \1', 'g');
            text := regexp_replace(text, '{_FIRST}{_LETTER} ', '', 'g');
        END IF;
    END IF;
"""

SEARCH = rf"""
CREATE FUNCTION channelscribe_words(text text) RETURNS text LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $$
BEGIN {_WORDS}
    RETURN text;
END $$;
CREATE FUNCTION channelscribe_search(language text, text text) RETURNS tsvector
LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $$
BEGIN {_WORDS}
    RETURN to_tsvector(CASE language {_CASES} ELSE 'simple'::regconfig END, text)
        || strip(to_tsvector('simple'::regconfig, text));
END $$;
ALTER TABLE segment DROP COLUMN search;
ALTER TABLE segment ADD COLUMN search tsvector
    GENERATED ALWAYS AS (channelscribe_search(language, text)) STORED;
CREATE INDEX ix_segment_search ON segment USING gin (search);
CREATE INDEX ix_transcript_language ON transcript (language);
"""

# NOT VALID: what an older program wrote is not looked at again, everything new is.
CHECKS = """
ALTER TABLE video
    ADD CONSTRAINT video_counts_check CHECK (attempts >= 0 AND rejected >= 0) NOT VALID,
    ADD CONSTRAINT video_step_check CHECK (step_fraction BETWEEN 0 AND 1) NOT VALID,
    ADD CONSTRAINT video_lease_check CHECK ((lease_owner IS NULL) = (lease_until IS NULL)) NOT VALID;
ALTER TABLE audio ADD CONSTRAINT audio_size_check CHECK (seconds >= 0 AND bytes >= 0) NOT VALID;
ALTER TABLE transcript
    ADD CONSTRAINT transcript_version_check CHECK (version >= 1 AND duration >= 0) NOT VALID,
    ADD CONSTRAINT transcript_video_pk_id_key UNIQUE (video_pk, id);
ALTER TABLE video DROP CONSTRAINT video_current_transcript_pk_fkey;
ALTER TABLE video ADD CONSTRAINT video_current_transcript_pk_fkey
    FOREIGN KEY (id, current_transcript_pk) REFERENCES transcript (video_pk, id);
ALTER TABLE segment
    ADD CONSTRAINT segment_times_check CHECK (index >= 0 AND start <= "end") NOT VALID,
    ADD CONSTRAINT segment_words_check CHECK (cardinality(word_texts) = cardinality(word_starts)
        AND cardinality(word_texts) = cardinality(word_ends) AND cardinality(word_texts) = cardinality(word_scores)
        AND cardinality(word_texts) = cardinality(word_aligned)
        AND cardinality(word_texts) = coalesce(cardinality(word_speakers), cardinality(word_texts))) NOT VALID;
ALTER TABLE speaker ADD CONSTRAINT speaker_turns_check
    CHECK (seconds >= 0 AND cardinality(turn_starts) = cardinality(turn_ends)) NOT VALID;
ALTER TABLE sentence ADD CONSTRAINT sentence_span_check
    CHECK (index >= 0 AND start_char BETWEEN 0 AND end_char) NOT VALID;
ALTER TABLE entity ADD CONSTRAINT entity_span_check
    CHECK (index >= 0 AND segment >= 0 AND start_char BETWEEN 0 AND end_char) NOT VALID;
"""


def upgrade() -> None:
    op.execute(CHANGES)
    op.execute(SEARCH)
    op.execute(CHECKS)
