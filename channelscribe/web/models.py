"""The shapes of the API's answers, for OpenAPI and for the tests that hold the answers to them. Seconds are on the
video's own time line.
"""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

from pydantic import BaseModel, ConfigDict, Field


class Shape(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Source(Shape):
    id: int
    title: str
    url: str
    kind: str
    site: str
    videos: int = Field(description="listed now")
    transcripts: int
    hours: float = Field(description="transcribed")
    newest: date | None
    waiting: int
    retrying: int
    listed_at: datetime | None


class Sources(Shape):
    sources: list[Source]


class Video(Shape):
    site: str
    video: str = Field(description="the site's id")
    title: str
    url: str = Field(description="on its site")
    channel: str | None
    published: date | None
    duration: float | None
    state: str
    reason: str | None
    message: str | None
    remedy: str | None
    retry_at: datetime | None
    language: str | None
    version: int | None = Field(description="of the current transcript")


class Videos(Shape):
    videos: list[Video]
    next: str | None = Field(description="give it as `after` with the same filters")


class Chapter(Shape):
    start: float
    title: str


class Entity(Shape):
    name: str
    label: str
    count: int
    starts: list[float] = Field(description="the first mentions")


class VideoDetails(Video):
    description: str | None
    chapters: list[Chapter]
    entities: list[Entity]
    audio: bool = Field(description="whether the archive is known; the store may have lost it since")


class Word(Shape):
    word: str
    start: float
    end: float
    score: float | None
    speaker: str | None
    aligned: bool


class Segment(Shape):
    start: float
    end: float
    speaker: str | None
    text: str
    avg_logprob: float | None
    flags: list[str]
    words: list[Word] = []


class Speaker(Shape):
    label: str
    seconds: float
    turns: list[tuple[float, float]]


class TranscriptAnswer(Shape):
    video: str
    site: str
    transcript: str
    version: int
    language: str
    duration: float
    no_speech: bool
    model: str | None
    made: datetime
    quality: dict[str, Any]
    speakers: list[Speaker]
    segments: list[Segment]


class Words(Shape):
    transcript: str
    words: list[list[int]] = Field(
        description="for each segment gap, length (UTF-16 units of its text), wait, duration (ms) of each word"
    )


class Version(Shape):
    version: int
    current: bool
    transcript: str
    made: datetime
    model: str | None
    language: str
    coverage: float | None
    no_speech: bool


class Versions(Shape):
    video: str
    title: str
    versions: list[Version]


class Change(Shape):
    start: float
    end: float
    old: str
    new: str


class Diff(Shape):
    old: int
    new: int
    alike: float
    changes: list[Change]
    old_words: int
    new_words: int
    same: int


class Hit(Shape):
    video: str
    site: str
    title: str
    start: float
    end: float
    speaker: str | None
    text: str
    url: str
    by: str = Field("words", description="what found it: words, meaning or both")
    answer: str | None = Field(None, description="of a passage found by meaning, the sentence that answers")
    channel: str | None
    audio: bool
    published: date | None
    language: str
    highlighted: str = Field(description="the text with **matched** words marked")


class Hits(Shape):
    hits: list[Hit]
    next: str | None
    facets: dict[str, dict[str, int]] | None


class NameCount(Shape):
    name: str
    label: str
    count: int
    videos: int


class Names(Shape):
    entities: list[NameCount]


class Activity(Shape):
    sources: list[dict[str, Any]]
    videos: int
    states: dict[str, int]
    reasons: list[dict[str, Any]]
    due: int
    running: list[dict[str, Any]]
    blocks: list[dict[str, Any]]


class SyncAsked(BaseModel):
    """The fields of the form `SyncRequest`; the Prefect server checks all but the first."""

    model_config = ConfigDict(extra="allow")

    source: str = Field(min_length=1, max_length=2000, pattern=r"^[Hh][Tt][Tt][Pp][Ss]?://[^\s/?#@]+([/?#]\S*)?$")


class SyncStarted(Shape):
    flow_run: str
    name: str
    url: str


class Problem(Shape):
    """RFC 9457. `reason` is a code of docs/reasons.md, or what HTTP calls it."""

    type: str
    title: str
    status: int
    detail: str
    reason: str
    remedy: str
