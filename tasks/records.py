"""What travels between tasks: small, JSON-able records. Audio and transcripts travel through the store."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict

Options = dict[str, Any]
"""The settings of a run as they travel (`channelscribe.settings.travel`); `tasks.resources.settings_of` reads them."""


class Record(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class VideoWork(Record):
    """A video that this run has leased.

    `video_id` is safe in paths; `owner` is the lease's: the run that works on it. `rejected` downloads were thrown
    away before. `unfinished`: a stream that ended long ago and is still called unfinished is taken as it is. What is
    `fresh` goes before a backlog.
    """

    pk: int
    site: str
    video_id: str
    url: str
    title: str
    channel: str
    owner: str
    rejected: int = 0
    unfinished: bool = False
    fresh: bool = False


class PublisherTranscript(Record):
    """A transcript of the publisher's in the store (`sources.podcasting`). `timed`: it could take the place of ours."""

    key: str
    kind: str
    language: str
    sha256: str
    timed: bool


class Original(Record):
    """A downloaded track in the store.

    `seconds` is what the site says of this file, if it does. A feed's own figure is not that: it is often wrong.
    `sha256` is that of its bytes: what is made of it is known by that. `chapters` are the site's: start and title.
    `cover_key` holds the video's picture, a stranger's bytes.
    """

    key: str
    format_id: str
    bytes: int
    seconds: float | None
    sha256: str
    uploader: str | None = None
    published: str | None = None
    chapters: list[tuple[float, str]] = []
    cover_key: str | None = None
    transcripts: list[PublisherTranscript] = []


class AudioPart(Record):
    """A part of the archive or the speech track in the store; `timeline` as `audio.timeline.Timeline.to_json`."""

    track: str
    key: str
    bytes: int
    title: str | None
    timeline: dict[str, Any]


class PreparedAudio(Record):
    """The archive and the speech track in the store; `seconds` were decoded.

    `timeline` tells which original second each second of the speech track is; None where it is the same one.
    """

    source_sha256: str
    speech_sha256: str
    archive_key: str
    speech_key: str
    seconds: float
    format_id: str
    bytes: int
    loudness: dict[str, dict[str, float]] | None
    options_key: str
    timeline: dict[str, Any] | None = None
    archive_timeline: dict[str, Any] | None = None
    parts: list[AudioPart] = []
    transcripts: list[PublisherTranscript] = []


class Checkpoint(Record):
    """A stage's JSON in the store. `content` names what it was made from, so equal content is never redone."""

    key: str
    content: str


class ReadTranscript(Record):
    """A transcript and its reading in the store, and the checkpoints that it was put together from."""

    transcript_id: str
    transcript_key: str
    reading_key: str
    checkpoint_keys: list[str] = []


class EmbeddedTranscript(Record):
    """The passages of a transcript and their vectors in the store; None where there are none."""

    embed_key: str | None = None
