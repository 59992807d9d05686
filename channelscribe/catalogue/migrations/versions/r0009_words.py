"""The words of all transcripts, for searches that ignore accents and for "did you mean".

`pg_trgm` is PostgreSQL's own and every owner of a database may create it; a server that does not have it suggests
nothing.
"""

from __future__ import annotations

from alembic import op

revision = "0009"
down_revision = "0008"

# NFKD parts a letter from its marks; what Unicode takes for letters of their own is named.
CHANGES = r"""
CREATE FUNCTION channelscribe_plain(word text) RETURNS text LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
    RETURN translate(replace(replace(replace(regexp_replace(normalize(lower(word), NFKD), '[\u0300-\u036f]', '', 'g'),
        'ß', 'ss'), 'æ', 'ae'), 'œ', 'oe'), 'øłđðıħ', 'olddih');
CREATE TABLE word (
    word text PRIMARY KEY,
    plain text NOT NULL GENERATED ALWAYS AS (channelscribe_plain(word)) STORED
);
CREATE INDEX ix_word_plain ON word (plain);
INSERT INTO word (word) SELECT DISTINCT spoken FROM segment
    CROSS JOIN LATERAL unnest(tsvector_to_array(to_tsvector('simple', channelscribe_words(text)))) AS spoken
    WHERE length(spoken) <= 60 ON CONFLICT DO NOTHING;
DO $$ BEGIN
    CREATE EXTENSION IF NOT EXISTS pg_trgm;
EXCEPTION WHEN undefined_file OR feature_not_supported OR insufficient_privilege THEN
    RAISE NOTICE 'no pg_trgm: searches suggest no other words';
END $$;
"""


def upgrade() -> None:
    op.execute(CHANGES)
