"""The tables, as SQLModel classes; what Alembic's migrations make is compared with them by a test.

Naming: `id` is a row's own number, `source_id` and `video_id` are the site's, `transcript_id` is the content key;
foreign keys end in `_pk`. Times of day are with time zone; times within a video are seconds on its own timeline.

Segments, sentences, speakers and entities have no class with behaviour: they are written by COPY and read by SQL.
Words are arrays on their segment: a word is never asked for alone, and ten million of them as rows would cost ten
times the space (a 24-byte row header and an index entry for 20 bytes of content).
"""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Computed,
    DateTime,
    Double,
    ForeignKey,
    ForeignKeyConstraint,
    Identity,
    Index,
    LargeBinary,
    UniqueConstraint,
    text,
)
from sqlalchemy import Text as SqlText
from sqlalchemy.dialects.postgresql import ARRAY, JSONB, TSQUERY, TSVECTOR
from sqlmodel import Field, SQLModel

from channelscribe.catalogue.states import State

__all__ = [
    "AudioRow",
    "BreakerRow",
    "ChapterRow",
    "CheckpointRow",
    "CorrectionRow",
    "EntityRow",
    "MeaningIndexRow",
    "MeaningTranscriptRow",
    "SegmentRow",
    "SentenceRow",
    "SourceRow",
    "SourceVideoRow",
    "SpeakerRow",
    "SpeakerVoiceRow",
    "StageRunRow",
    "State",
    "TranscriptRow",
    "VideoRow",
    "VoicePinRow",
    "VoiceRow",
    "WatchDeliveryRow",
    "WatchHitRow",
    "WatchQueryRow",
    "WatchRow",
    "WordRow",
]


_STATES = ", ".join(f"'{state}'" for state in State)
_NOW = text("now()")
_EMPTY = text("'{}'")
_TOMBSTONE = (
    "taken_down_at IS NULL OR (state = 'excluded' AND title = '' AND description IS NULL AND lease_owner IS NULL "
    "AND current_transcript_pk IS NULL)"
)
_WORDS_OF_EQUAL_LENGTH = " AND ".join(
    f"cardinality(word_texts) = {length}"
    for length in (
        "cardinality(word_starts)",
        "cardinality(word_ends)",
        "cardinality(word_scores)",
        "cardinality(word_aligned)",
        "coalesce(cardinality(word_speakers), cardinality(word_texts))",
    )
)
TEXT_SEARCH_VECTOR = "channelscribe_search(language, text)"
"""A function of the migrations; not a regconfig column: pg_upgrade refuses databases that have one."""


def _key() -> Any:
    return Field(default=None, primary_key=True, sa_type=BigInteger, sa_column_args=[Identity()])


def _part_of(column: str, *, primary_key: bool = False) -> Any:
    """A foreign key whose row goes when its parent goes."""
    key = ForeignKey(column, ondelete="CASCADE")
    return Field(sa_column=Column(BigInteger, key, primary_key=primary_key, nullable=False))


def _instant(**options: Any) -> Any:
    return Field(sa_type=DateTime(timezone=True), **options)


def _text(**options: Any) -> Any:
    return Field(sa_type=SqlText, **options)


def _seconds(**options: Any) -> Any:
    return Field(sa_type=Double, **options)


def _json() -> Any:
    return Field(default_factory=dict, sa_column=Column(JSONB, nullable=False, server_default=text("'{}'")))


def _as_recognized() -> Any:
    """What corrections changed in a row, as it was; NULL where they changed nothing."""
    return Field(default=None, sa_column=Column(JSONB(none_as_null=True), nullable=True))


def _json_list() -> Any:
    return Field(default_factory=list, sa_column=Column(JSONB, nullable=False, server_default=text("'[]'")))


class SourceRow(SQLModel, table=True):
    """A channel, playlist, feed or single page that is kept in sync.

    `url` may be shown to anybody; `private_url` is the one to ask where that one has passwords or tokens in it.
    `feed` is the key by which a feed's episodes are known, `memory` what the next listing needs of the last one.
    """

    __tablename__ = "source"

    id: int = _key()
    site: str = _text()
    source_id: str = _text()
    url: str = _text(unique=True)
    private_url: str | None = _text(nullable=True)
    title: str = _text(sa_column_kwargs={"server_default": ""})
    kind: str = _text(sa_column_kwargs={"server_default": ""})
    last_listed_at: datetime | None = _instant(nullable=True)
    last_full_listing_at: datetime | None = _instant(nullable=True)
    feed: str | None = _text(nullable=True)
    memory: dict[str, Any] = _json()


class VideoRow(SQLModel, table=True):
    """One video: what the site says of it, where it is in its life, and who works on it now.

    `step` and `step_fraction` (0 to 1) say what is being done; `lease_owner` holds the video until `lease_until`.
    `availability` is what listings say, `release_at` when a premiere or stream begins. `rejected` counts the downloads
    that were thrown away (cut short, broken): the next one is not taken for done because of them. `verdict` is the
    reason that was given since `verdict_at` for never trying again: it counts when it is given on another day, too.
    `setbacks`: how often the machine failed at it. `private_url` is asked instead of `url`, which is without passwords
    and tokens. With `taken_down_at`
    the row is a tombstone: it says that this video is never to come back, and nothing else.

    An episode is the one with this `guid` in this `feed`; `file` says which of the show's files it is, wherever that
    lies. `replaced_at`: since then the feed has another recording under the guid. `about` is what a listing says beside
    (page, season, number, author, people, transcripts), `chapters` are [seconds, title], `publisher_transcripts` what
    the store has of them: {"key", "kind", "language", "sha256", "timed"}.
    """

    __tablename__ = "video"
    __table_args__ = (
        UniqueConstraint("site", "video_id"),
        CheckConstraint(f"state IN ({_STATES})", name="video_state_check"),
        CheckConstraint(_TOMBSTONE, name="video_taken_down_check"),
        CheckConstraint("attempts >= 0 AND rejected >= 0", name="video_counts_check"),
        CheckConstraint("step_fraction BETWEEN 0 AND 1", name="video_step_check"),
        CheckConstraint("(verdict IS NULL) = (verdict_at IS NULL)", name="video_verdict_check"),
        CheckConstraint("setbacks >= 0", name="video_setbacks_check"),
        CheckConstraint("(lease_owner IS NULL) = (lease_until IS NULL)", name="video_lease_check"),
        # use_alter: video and transcript point at each other. Both columns: it is a transcript of this video.
        ForeignKeyConstraint(
            ["id", "current_transcript_pk"],
            ["transcript.video_pk", "transcript.id"],
            name="video_current_transcript_pk_fkey",
            use_alter=True,
        ),
        Index("ix_video_url", "url", postgresql_using="hash"),
        Index("ix_video_feed", "feed", "guid"),
        Index("ix_video_guid", "guid", postgresql_using="hash"),
        Index("ix_video_file", "file", postgresql_using="hash"),
        Index("ix_video_state", "state", "next_check_at"),
        Index("ix_video_reason", "state", "reason", postgresql_where=text("reason IS NOT NULL")),
        Index("ix_video_lease_owner", "lease_owner", postgresql_where=text("lease_owner IS NOT NULL")),
    )

    id: int = _key()
    site: str = _text()
    video_id: str = _text()
    url: str = _text()
    private_url: str | None = _text(nullable=True)
    title: str = _text(sa_column_kwargs={"server_default": ""})
    description: str | None = _text(nullable=True)
    duration: float | None = _seconds(nullable=True)
    published: date | None = Field(default=None)
    live_status: str | None = _text(nullable=True)
    availability: str | None = _text(nullable=True)
    release_at: datetime | None = _instant(nullable=True)
    post_live_since: datetime | None = _instant(nullable=True)
    rejected: int = Field(default=0, sa_column_kwargs={"server_default": "0"})
    state: str = _text(sa_column_kwargs={"server_default": State.DISCOVERED.value})
    step: str | None = _text(nullable=True)
    step_fraction: float | None = _seconds(nullable=True)
    reason: str | None = _text(nullable=True)
    message: str | None = _text(nullable=True)
    remedy: str | None = _text(nullable=True)
    verdict: str | None = _text(nullable=True)
    verdict_at: datetime | None = _instant(nullable=True)
    setbacks: int = Field(default=0, sa_column_kwargs={"server_default": "0"})
    attempts: int = Field(default=0, sa_column_kwargs={"server_default": "0"})
    next_check_at: datetime | None = _instant(nullable=True)
    lease_owner: str | None = _text(nullable=True)
    lease_until: datetime | None = _instant(nullable=True)
    current_transcript_pk: int | None = Field(default=None, sa_type=BigInteger, nullable=True, unique=True)
    taken_down_at: datetime | None = _instant(nullable=True)
    feed: str | None = _text(nullable=True)
    guid: str | None = _text(nullable=True)
    file: str | None = _text(nullable=True)
    announced_bytes: int | None = Field(default=None, sa_type=BigInteger, nullable=True)
    replaced_at: datetime | None = _instant(nullable=True)
    about: dict[str, Any] = _json()
    chapters: list[Any] = _json_list()
    publisher_transcripts: list[Any] = _json_list()
    created_at: datetime = _instant(sa_column_kwargs={"server_default": _NOW})
    updated_at: datetime = _instant(sa_column_kwargs={"server_default": _NOW})


class SourceVideoRow(SQLModel, table=True):
    """That a source lists a video, at which place, and since when it no longer does.

    `filtered`: why the filters of the last sync of this source are against the video; other sources may want it.
    """

    __tablename__ = "source_video"

    source_pk: int = _part_of("source.id", primary_key=True)
    video_pk: int = _part_of("video.id", primary_key=True)
    position: int | None = Field(default=None)
    tab: str | None = _text(nullable=True)
    filtered: str | None = _text(nullable=True)
    first_listed_at: datetime = _instant(sa_column_kwargs={"server_default": _NOW})
    gone_at: datetime | None = _instant(nullable=True)

    __table_args__ = (
        Index("ix_source_video_video_pk", "video_pk"),
        Index("ix_source_video_listed", "source_pk", "video_pk", postgresql_where=text("gone_at IS NULL")),
    )


class BreakerRow(SQLModel, table=True):
    """What a site thinks of an outgoing address: while a breaker is open, nothing is asked of the site from there.

    `strikes` counts openings without a success between, `suspicions` answers that may mean a ban, in a row.
    """

    __tablename__ = "breaker"

    scope: str = Field(primary_key=True, sa_type=SqlText)
    egress: str = Field(primary_key=True, sa_type=SqlText)
    strikes: int = Field(default=0, sa_column_kwargs={"server_default": "0"})
    suspicions: int = Field(default=0, sa_column_kwargs={"server_default": "0"})
    open_until: datetime | None = _instant(nullable=True)
    probe_until: datetime | None = _instant(nullable=True)
    reason: str | None = _text(nullable=True)
    message: str | None = _text(nullable=True)
    remedy: str | None = _text(nullable=True)


class AudioRow(SQLModel, table=True):
    """One download of a video as it was prepared: where its archive (mp3), its speech track (FLAC) and the parts of
    both are. `part_keys` is None where a row from before parts were noted does not tell.
    """

    __tablename__ = "audio"
    __table_args__ = (
        UniqueConstraint("video_pk", "source_sha256", "options_key"),
        CheckConstraint("seconds >= 0 AND bytes >= 0", name="audio_size_check"),
    )

    id: int = _key()
    video_pk: int = _part_of("video.id")
    source_sha256: str = _text()
    options_key: str = _text()
    format_id: str | None = _text(nullable=True)
    seconds: float = _seconds()
    bytes: int = Field(sa_type=BigInteger)
    archive_key: str = _text()
    speech_key: str = _text()
    speech_sha256: str = _text()
    loudness: dict[str, Any] = _json()
    part_keys: list[str] | None = Field(default=None, sa_column=Column(ARRAY(SqlText), nullable=True))
    created_at: datetime = _instant(sa_column_kwargs={"server_default": _NOW})


class TranscriptRow(SQLModel, table=True):
    """One version of a video's transcript. `transcript_id` is the key over all that made it; rows never change.

    Its reading (sentences, entities) can be made anew by another text model: `reading_id` names the one that is there,
    `reading_key` its file in the store. `corrected` tells one state of its corrections from another; NULL without any.
    """

    __tablename__ = "transcript"
    __table_args__ = (
        UniqueConstraint("video_pk", "transcript_id"),
        UniqueConstraint("video_pk", "version"),
        UniqueConstraint("video_pk", "id"),
        CheckConstraint("version >= 1 AND duration >= 0", name="transcript_version_check"),
    )

    id: int = _key()
    video_pk: int = _part_of("video.id")
    transcript_id: str = _text(index=True)
    version: int
    language: str = _text(index=True)
    duration: float = _seconds()
    no_speech: bool = Field(default=False, sa_column_kwargs={"server_default": text("false")})
    models: dict[str, Any] = _json()
    files: dict[str, Any] = _json()
    quality: dict[str, Any] = _json()
    stages: dict[str, Any] = _json()
    reading_id: str | None = _text(nullable=True)
    reading_key: str | None = _text(nullable=True)
    corrected: str | None = _text(nullable=True)
    created_at: datetime = _instant(sa_column_kwargs={"server_default": _NOW})


class ChapterRow(SQLModel, table=True):
    """A topic of a transcript by its title, for videos whose site gives no chapters."""

    __tablename__ = "chapter"

    transcript_pk: int = _part_of("transcript.id", primary_key=True)
    index: int = Field(primary_key=True)
    start: float = _seconds()
    title: str = _text()


class CheckpointRow(SQLModel, table=True):
    """That a video's transcripts were, or are being, made with a checkpoint in the store. Videos with the same audio
    share theirs.
    """

    __tablename__ = "checkpoint"
    __table_args__ = (Index("ix_checkpoint_key", "key"),)

    video_pk: int = _part_of("video.id", primary_key=True)
    key: str = Field(primary_key=True, sa_type=SqlText)


class SegmentRow(SQLModel, table=True):
    """One segment with its words as arrays of equal length.

    `word_speakers` is NULL where every word has the segment's speaker. `language` is that of the segment, mostly the
    transcript's. What people corrected is corrected here; `recognized` keeps what it was.
    """

    __tablename__ = "segment"
    __table_args__ = (
        Index("ix_segment_search", "search", postgresql_using="gin"),
        Index("ix_segment_language", "language"),
        CheckConstraint('index >= 0 AND start <= "end"', name="segment_times_check"),
        CheckConstraint(_WORDS_OF_EQUAL_LENGTH, name="segment_words_check"),
    )

    transcript_pk: int = _part_of("transcript.id", primary_key=True)
    index: int = Field(primary_key=True)
    language: str = _text()
    start: float = _seconds()
    end: float = _seconds()
    text: str = _text()
    speaker: str | None = _text(nullable=True)
    avg_logprob: float | None = _seconds(nullable=True)
    word_texts: list[str] = Field(sa_column=Column(ARRAY(SqlText), nullable=False))
    word_starts: list[float] = Field(sa_column=Column(ARRAY(Double), nullable=False))
    word_ends: list[float] = Field(sa_column=Column(ARRAY(Double), nullable=False))
    word_scores: list[float | None] = Field(sa_column=Column(ARRAY(Double), nullable=False))
    word_aligned: list[bool] = Field(sa_column=Column(ARRAY(Boolean), nullable=False))
    word_speakers: list[str | None] | None = Field(sa_column=Column(ARRAY(SqlText), nullable=True))
    flags: list[str] = Field(sa_column=Column(ARRAY(SqlText), nullable=False, server_default=_EMPTY))
    search: Any = Field(sa_column=Column(TSVECTOR, Computed(TEXT_SEARCH_VECTOR, persisted=True)))
    recognized: dict[str, Any] | None = _as_recognized()


class SpeakerRow(SQLModel, table=True):
    """One speaker of a transcript with all turns, as two arrays of equal length (seconds)."""

    __tablename__ = "speaker"
    __table_args__ = (
        CheckConstraint(
            "seconds >= 0 AND cardinality(turn_starts) = cardinality(turn_ends)", name="speaker_turns_check"
        ),
    )

    transcript_pk: int = _part_of("transcript.id", primary_key=True)
    label: str = Field(primary_key=True, sa_type=SqlText)
    seconds: float = _seconds()
    turn_starts: list[float] = Field(sa_column=Column(ARRAY(Double), nullable=False))
    turn_ends: list[float] = Field(sa_column=Column(ARRAY(Double), nullable=False))
    recognized: dict[str, Any] | None = _as_recognized()


class SentenceRow(SQLModel, table=True):
    """One sentence: characters of the transcript's text, and seconds."""

    __tablename__ = "sentence"
    __table_args__ = (CheckConstraint("index >= 0 AND start_char BETWEEN 0 AND end_char", name="sentence_span_check"),)

    transcript_pk: int = _part_of("transcript.id", primary_key=True)
    index: int = Field(primary_key=True)
    text: str = _text()
    start_char: int
    end_char: int
    start: float | None = _seconds(nullable=True)
    end: float | None = _seconds(nullable=True)
    speaker: str | None = _text(nullable=True)
    recognized: dict[str, Any] | None = _as_recognized()


class EntityRow(SQLModel, table=True):
    """One mention of a person, place, organization…; `segment` is the index of the segment where it starts."""

    __tablename__ = "entity"
    __table_args__ = (
        Index("ix_entity_key", "key"),
        CheckConstraint("index >= 0 AND segment >= 0 AND start_char BETWEEN 0 AND end_char", name="entity_span_check"),
    )

    transcript_pk: int = _part_of("transcript.id", primary_key=True)
    index: int = Field(primary_key=True)
    text: str = _text()
    key: str = _text()
    label: str = _text()
    segment: int | None = Field(default=None)
    start_char: int
    end_char: int
    start: float | None = _seconds(nullable=True)
    end: float | None = _seconds(nullable=True)
    speaker: str | None = _text(nullable=True)
    recognized: dict[str, Any] | None = _as_recognized()


class StageRunRow(SQLModel, table=True):
    """One try of a stage of a video: `outcome` is "done" or a reason code, `peak_rss_bytes` what its worker had."""

    __tablename__ = "stage_run"
    __table_args__ = (Index("ix_stage_run_video_pk", "video_pk"),)

    id: int = _key()
    video_pk: int = _part_of("video.id")
    stage: str = _text()
    outcome: str = _text()
    seconds: float = _seconds()
    peak_rss_bytes: int | None = Field(default=None, sa_type=BigInteger)
    worker: str = _text()
    ended_at: datetime = _instant(sa_column_kwargs={"server_default": _NOW})


class WordRow(SQLModel, table=True):
    """A word of any transcript, and what it is without accents; for searches, by `channelscribe.catalogue.words`."""

    __tablename__ = "word"
    __table_args__ = (Index("ix_word_plain", "plain"),)

    word: str = _text(primary_key=True)
    plain: str = Field(sa_column=Column(SqlText, Computed("channelscribe_plain(word)", persisted=True), nullable=False))


class CorrectionRow(SQLModel, table=True):
    """What somebody corrected in a video: recognized words, or who says what is said from `start` to `end` (seconds).

    It is a record and no change of a version: `channelscribe.catalogue.corrections` puts all that are not undone into
    the rows of each version. `old` are the recognized words and `before` and `after` those around, compared as
    `channelscribe.text.correcting.plain`; `seen` is how `old` was written. `version` is the one that was corrected,
    `standing` what became of it in the current one. Those of one command share a `batch`.
    """

    __tablename__ = "correction"
    __table_args__ = (
        Index("ix_correction_video_pk", "video_pk", postgresql_where=text("undone_at IS NULL")),
        CheckConstraint('start <= "end"', name="correction_times_check"),
        CheckConstraint(
            "(new IS NULL) <> (speaker IS NULL) AND (new IS NULL OR cardinality(old) > 0)",
            name="correction_kind_check",
        ),
    )

    id: int = _key()
    video_pk: int = _part_of("video.id")
    version: int
    batch: str = _text()
    start: float = _seconds()
    end: float = _seconds()
    seen: str = _text(sa_column_kwargs={"server_default": ""})
    old: list[str] = Field(sa_column=Column(ARRAY(SqlText), nullable=False, server_default=_EMPTY))
    new: str | None = _text(nullable=True)
    speaker: str | None = _text(nullable=True)
    before: list[str] = Field(sa_column=Column(ARRAY(SqlText), nullable=False, server_default=_EMPTY))
    after: list[str] = Field(sa_column=Column(ARRAY(SqlText), nullable=False, server_default=_EMPTY))
    standing: str = _text(sa_column_kwargs={"server_default": "open"})
    made_by: str = _text()
    made_at: datetime = _instant(sa_column_kwargs={"server_default": _NOW})
    undone_by: str | None = _text(nullable=True)
    undone_at: datetime | None = _instant(nullable=True)


class VoiceRow(SQLModel, table=True):
    """Speakers that are taken for one person. `kept`: a person named, merged or split it, so no run takes it away."""

    __tablename__ = "voice"
    __table_args__ = (
        CheckConstraint("name IS NULL OR kept", name="voice_name_check"),
        Index("ix_voice_name", text("lower(name)"), postgresql_where=text("name IS NOT NULL")),
    )

    id: int = _key()
    name: str | None = _text(nullable=True)
    kept: bool = Field(default=False, sa_column_kwargs={"server_default": text("false")})
    changed_by: str | None = _text(nullable=True)
    changed_at: datetime = _instant(sa_column_kwargs={"server_default": _NOW})


class SpeakerVoiceRow(SQLModel, table=True):
    """What is known of a speaker's voice: the mean `vector` (float32, little-endian, of length 1) by `embedder`, the
    `seconds` that were said alone, and the mean cosine distance of their stretches (`spread`). No vector: too little
    was said, or it was forgotten. `settled`: it counts in the voices of the source `source_pk`, in which it is
    `voice_pk`; a row of a version that is not current does not.
    """

    __tablename__ = "speaker_voice"
    __table_args__ = (
        CheckConstraint("(vector IS NULL) = (embedder IS NULL) AND seconds >= 0", name="speaker_voice_vector_check"),
        Index("ix_speaker_voice_source_pk", "source_pk"),
        Index("ix_speaker_voice_voice_pk", "voice_pk"),
    )

    transcript_pk: int = _part_of("transcript.id", primary_key=True)
    label: str = Field(primary_key=True, sa_type=SqlText)
    embedder: str | None = _text(nullable=True)
    vector: bytes | None = Field(default=None, sa_type=LargeBinary, nullable=True)
    seconds: float = _seconds()
    spread: float | None = _seconds(nullable=True)
    settled: bool = Field(default=False, sa_column_kwargs={"server_default": text("false")})
    source_pk: int | None = Field(
        default=None, sa_column=Column(BigInteger, ForeignKey("source.id", ondelete="SET NULL"), nullable=True)
    )
    voice_pk: int | None = Field(
        default=None, sa_column=Column(BigInteger, ForeignKey("voice.id", ondelete="SET NULL"), nullable=True)
    )


class VoicePinRow(SQLModel, table=True):
    """That somebody said which voice a speaker is; NULL: none, it is to be forgotten. No run changes it.

    In another version of the transcript the speaker is who speaks for most of the same time (`turn_starts`,
    `turn_ends`, seconds).
    """

    __tablename__ = "voice_pin"
    __table_args__ = (
        CheckConstraint("cardinality(turn_starts) = cardinality(turn_ends)", name="voice_pin_turns_check"),
        Index("ix_voice_pin_voice_pk", "voice_pk"),
    )

    video_pk: int = _part_of("video.id", primary_key=True)
    version: int = Field(primary_key=True)
    label: str = Field(primary_key=True, sa_type=SqlText)
    turn_starts: list[float] = Field(sa_column=Column(ARRAY(Double), nullable=False))
    turn_ends: list[float] = Field(sa_column=Column(ARRAY(Double), nullable=False))
    voice_pk: int | None = Field(
        default=None, sa_column=Column(BigInteger, ForeignKey("voice.id", ondelete="CASCADE"), nullable=True)
    )
    made_by: str = _text()
    made_at: datetime = _instant(sa_column_kwargs={"server_default": _NOW})


class MeaningIndexRow(SQLModel, table=True):
    """The index of a model of meaning; its passages are in the table `passage_<id>`, which is made when it is needed.

    `sha256` is that of all that decides its vectors. The `current` one is searched.
    """

    __tablename__ = "meaning_index"
    __table_args__ = (
        UniqueConstraint("name", "revision", "sha256", "dimensions"),
        Index("ix_meaning_index_current", "current", unique=True, postgresql_where=text("current")),
    )

    id: int = _key()
    name: str = _text()
    revision: str = _text()
    sha256: str = _text()
    dimensions: int
    current: bool = Field(default=False, sa_column_kwargs={"server_default": text("false")})
    created_at: datetime = _instant(sa_column_kwargs={"server_default": _NOW})


class MeaningTranscriptRow(SQLModel, table=True):
    """That an index has a transcript, as it was with this reading and these corrections."""

    __tablename__ = "meaning_transcript"
    __table_args__ = (Index("ix_meaning_transcript_transcript_pk", "transcript_pk"),)

    index_pk: int = _part_of("meaning_index.id", primary_key=True)
    transcript_pk: int = _part_of("transcript.id", primary_key=True)
    reading_id: str | None = _text(nullable=True)
    corrected: str | None = _text(nullable=True)
    passages: int


class WatchRow(SQLModel, table=True):
    """A query whose hits somebody wants to be told of. `notify` are URLs of webhooks and names of Prefect blocks,
    `secret` signs what goes to the former. `from_git`: it is in `watches.yaml`, and goes with its entry.
    """

    __tablename__ = "watch"

    id: int = _key()
    name: str = _text(unique=True)
    query: str = _text()
    source: str | None = _text(nullable=True)
    speaker: str | None = _text(nullable=True)
    notify: list[str] = Field(sa_column=Column(ARRAY(SqlText), nullable=False, server_default=_EMPTY))
    secret: str = _text()
    from_git: bool = Field(default=False, sa_column_kwargs={"server_default": text("false")})
    created_at: datetime = _instant(sa_column_kwargs={"server_default": _NOW})


class WatchQueryRow(SQLModel, table=True):
    """One alternative of a watch's query by the rules of one text search configuration. What matches it has all
    `lexemes` in it, so that only the few watches are tried whose words a transcript has.
    """

    __tablename__ = "watch_query"
    __table_args__ = (Index("ix_watch_query_watch_pk", "watch_pk"),)

    configuration: str = Field(primary_key=True, sa_type=SqlText)
    watch_pk: int = _part_of("watch.id", primary_key=True)
    number: int = Field(primary_key=True)
    query: Any = Field(sa_column=Column(TSQUERY, nullable=False))
    lexemes: list[str] = Field(sa_column=Column(ARRAY(SqlText), nullable=False))


class WatchHitRow(SQLModel, table=True):
    """What a watch found in one version of a video's transcript and in none before: `passages` are
    {"start", "speaker", "text"}, the second being that of the word. `key` is the same however often it is told.
    """

    __tablename__ = "watch_hit"
    __table_args__ = (
        Index("ix_watch_hit_watch_pk", "watch_pk", "video_pk"),
        Index("ix_watch_hit_video_pk", "video_pk"),
    )

    id: int = _key()
    watch_pk: int = _part_of("watch.id")
    video_pk: int = _part_of("video.id")
    version: int
    key: str = _text(unique=True)
    passages: list[Any] = Field(
        default_factory=list, sa_column=Column(JSONB, nullable=False, server_default=text("'[]'"))
    )
    created_at: datetime = _instant(sa_column_kwargs={"server_default": _NOW})


class WatchDeliveryRow(SQLModel, table=True):
    """That a hit is to be told to `target` ("feed", "event", a URL or a block). The outbox: written with the hit."""

    __tablename__ = "watch_delivery"
    __table_args__ = (
        Index(
            "ix_watch_delivery_open", "hit_pk", postgresql_where=text("delivered_at IS NULL AND given_up_at IS NULL")
        ),
    )

    hit_pk: int = _part_of("watch_hit.id", primary_key=True)
    target: str = Field(primary_key=True, sa_type=SqlText)
    attempts: int = Field(default=0, sa_column_kwargs={"server_default": "0"})
    next_try_at: datetime = _instant(sa_column_kwargs={"server_default": _NOW})
    delivered_at: datetime | None = _instant(nullable=True)
    given_up_at: datetime | None = _instant(nullable=True)
    error: str | None = _text(nullable=True)
