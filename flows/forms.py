"""The parameters of the flows: one pydantic model each, which is also the form in the Prefect UI.

Not called `requests`: Prefect puts a flow's folder on the import path, where it would hide the library of that name.
"""

from __future__ import annotations

from datetime import date
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from tasks.records import PreparedAudio, VideoWork


class SyncRequest(BaseModel):
    """What to sync, and how much of it."""

    model_config = ConfigDict(extra="forbid")

    source: str = Field(
        title="Source",
        description="URL of a channel, playlist, video, podcast feed or media file",
        min_length=1,
        max_length=2000,
        json_schema_extra={"position": 0},
    )
    limit: int | None = Field(
        None,
        title="Limit",
        description="work on at most this many videos; empty: all that are due",
        ge=1,
        le=100_000,
        json_schema_extra={"position": 1},
    )
    since: date | None = Field(
        None,
        title="Since",
        description="leave out what was published before this day",
        json_schema_extra={"position": 2},
    )
    dry_run: bool = Field(
        False,
        title="Dry run",
        description="only list the source and say what would be done, and why",
        json_schema_extra={"position": 3},
    )
    full: bool = Field(
        False,
        title="Full listing",
        description="read a channel to its end, however recently that was done",
        json_schema_extra={"position": 4},
    )
    again: list[str] = Field(
        default_factory=list,
        title="Try again",
        description="reason codes whose videos are tried again now, such as members_only; all: every one",
        json_schema_extra={"position": 5},
    )
    settings: dict[str, Any] = Field(
        default_factory=dict,
        title="Settings",
        description='settings for this run only, such as {"speech.model": "small"}',
        json_schema_extra={"position": 6},
    )

    def own_settings(self) -> dict[str, Any]:
        """The settings of this run; `since` is the filter of that name."""
        since = {"filters.published_from": self.since.isoformat()} if self.since else {}
        return {**self.settings, **since}


class TranscribeRequest(BaseModel):
    """A batch of prepared audio; what a sync hands to the speech workers."""

    model_config = ConfigDict(extra="forbid")

    videos: list[VideoWork] = Field(title="Videos", description="leased videos", min_length=1)
    audio: list[PreparedAudio] = Field(title="Audio", description="their audio, in the same order")
    options: dict[str, Any] = Field(title="Options", description="the settings of the run that sent them")


class Failure(BaseModel):
    """One video that did not get through: its reason code, what to do about it, when it is tried again."""

    video: str
    title: str
    reason: str
    message: str
    remedy: str
    retry_at: str | None


class SyncSummary(BaseModel):
    """What a sync did; `channelscribe sync --json` prints it.

    `incomplete` says why a listing ended early. A dry run tells what is `due` (each with action and why) and what is
    left out (counted by state and reason).
    """

    source: str
    listed: int
    new: int
    skipped: int
    published: int
    waiting: int
    failed: int
    failures: list[Failure]
    flow_run: str
    seconds_of_audio: float = 0.0
    incomplete: str | None = None
    due: list[dict[str, Any]] = Field(default_factory=list)
    left_out: list[dict[str, Any]] = Field(default_factory=list)
