"""The parameters of the flows: one pydantic model each, which is also the form in the Prefect UI.

Not called `requests`: Prefect puts a flow's folder on the import path, where it would hide the library of that name.
"""

from __future__ import annotations

from dataclasses import asdict
from datetime import date
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from channelscribe.catalogue.transcripts import Wanted
from channelscribe.languages import CODES
from channelscribe.settings import Settings
from channelscribe.settings.travel import TRAVELLING, travels
from channelscribe.speech.registry import BUILT_IN
from tasks.records import Options, PreparedAudio, VideoWork

if TYPE_CHECKING:
    from channelscribe.catalogue.leases import Left
    from channelscribe.discovery import Listed, Rehearsed

# Without a user or a password: parameters of runs are seen by whoever sees the Prefect UI.
# Folders are for the machine that reads them to allow: `sources.folders`.
WEB_ADDRESS = r"^([Hh][Tt][Tt][Pp][Ss]?://[^\s/?#@]+([/?#]\S*)?|file:///\S*)$"

# The server knows of a day that it is a string, and looks at nothing but its pattern.
Day = Annotated[date, Field(json_schema_extra={"pattern": r"^\d{4}-\d{2}-\d{2}"})]


def _known_settings() -> dict[str, Any]:
    """JSON Schema of the settings of a run: dotted keys, or sections of keys. The server refuses others before a run is
    made; the run looks at the values.
    """
    dotted, sections = [], {}
    for section in TRAVELLING:
        model = Settings.model_fields[section].annotation
        if not (isinstance(model, type) and issubclass(model, BaseModel)):
            dotted.append(section)
            continue
        names = [name for name in model.model_fields if travels(Settings(), f"{section}.{name}")]
        free = [name for name in names if "dict[" in str(model.model_fields[name].annotation)]
        dotted += [section, *(rf"{section}\.{name}" for name in names), *(rf"{section}\.{name}\..+" for name in free)]
        pattern = "|".join([*names, *(rf"{name}\..+" for name in free)])
        sections[f"^{section}$"] = {"type": "object", "propertyNames": {"pattern": f"^({pattern})$"}}
    return {"propertyNames": {"pattern": f"^({'|'.join(dotted)})$"}, "patternProperties": sections}


RunSettings = Annotated[dict[str, Any], Field(json_schema_extra=_known_settings())]


def choice(*choices: str) -> Any:
    """A field of the UI with these choices; Prefect's server refuses others."""
    return Field(max_length=40, json_schema_extra={"enum": list(choices)})


Model = Annotated[str, choice("auto", *BUILT_IN)]
Language = Annotated[str, choice(*sorted(CODES))]


def in_order(schema: dict[str, Any]) -> None:
    """The UI shows fields by their position: that in which they stand here."""
    for position, field in enumerate(schema["properties"].values()):
        field["position"] = position


class Form(BaseModel):
    """The parameters of a flow. A field that nobody knows is refused."""

    model_config = ConfigDict(extra="forbid", json_schema_extra=in_order, hide_input_in_errors=True)


class SyncRequest(Form):
    """What to sync, and how much of it."""

    source: str = Field(
        title="Source",
        description="URL of a channel, playlist, video, podcast feed or media file; or file:///… of an allowed folder",
        pattern=WEB_ADDRESS,
        min_length=1,
        max_length=2000,
    )
    limit: int | None = Field(
        None, title="Limit", description="work on at most this many videos; empty: all that are due", ge=1, le=100_000
    )
    since: Day | None = Field(None, title="Since", description="leave out what was published before this day")
    newest: int | None = Field(
        None, title="Newest", description="only so many of what the rest lets through, the newest", ge=1, le=1_000_000
    )
    title: str | None = Field(
        None, title="Titles", description="only titles in which this regular expression is found", max_length=500
    )
    min_minutes: float | None = Field(None, title="Minutes at least", description="nothing shorter", ge=0, le=100_000)
    max_minutes: float | None = Field(None, title="Minutes at most", description="nothing longer", gt=0, le=100_000)
    season: int | None = Field(None, title="Season", description="only this season of a podcast", ge=0, le=10_000)
    model: Model | None = Field(
        None, title="Model", description="speech model of this run; one of your own: speech.model under settings"
    )
    language: Language | None = Field(
        None, title="Language", description="language that is spoken; empty: the model's own, else detected"
    )
    dry_run: bool = Field(
        False, title="Dry run", description="only list the source and say what would be done, and why"
    )
    full: bool = Field(
        False, title="Full listing", description="read a channel to its end, however recently that was done"
    )
    again: list[Annotated[str, Field(pattern=r"^[a-z_]+$", max_length=40)]] = Field(
        default_factory=list,
        title="Try again",
        description="reason codes whose videos are tried again now, such as members_only; all: every one",
    )
    refetch: list[Annotated[str, Field(min_length=1, max_length=2000)]] = Field(
        default_factory=list,
        title="Fetch anew",
        description="videos of this source to fetch and transcribe once more; their transcripts stay as versions",
    )
    wait: bool = Field(
        False, title="Wait", description="while another run works on this source, wait for its end; off: do nothing"
    )
    settings: RunSettings = Field(
        default_factory=dict,
        title="Settings",
        description='settings for this run only, such as {"speech.model": "small"}',
    )

    def own_settings(self) -> dict[str, Any]:
        """The settings of this run; what is kept to taste are filters."""
        taste = {
            "published_from": self.since.isoformat() if self.since else None,
            **{name: getattr(self, name) for name in ("newest", "title", "min_minutes", "max_minutes", "season")},
        }
        given = {f"filters.{name}": value for name, value in taste.items()}
        given |= {"speech.model": self.model, "speech.language": self.language}
        return {**self.settings, **{name: value for name, value in given.items() if value is not None}}


class CanaryRequest(Form):
    """What is tried."""

    url: str | None = Field(
        None, title="URL", description="URL of a video or list; empty: sources.canary_url of the worker",
        pattern=WEB_ADDRESS, max_length=2000,
    )  # fmt: skip
    settings: RunSettings = Field(
        default_factory=dict,
        title="Settings",
        description='settings for this run only, such as {"sources.timeout_seconds": 60}',
    )


class TranscribeRequest(Form):
    """A batch of prepared audio; what a sync hands to the speech workers."""

    videos: list[VideoWork] = Field(title="Videos", description="leased videos", min_length=1)
    audio: list[PreparedAudio] = Field(title="Audio", description="their audio, in the same order")
    options: Options = Field(title="Options", description="the settings of the run that sent them")


class ProcessRequest(Form):
    """Which transcripts to read again."""

    channel: str | None = Field(
        None,
        title="Channel",
        description="only of this source: its title, id or URL; empty: all",
        min_length=1,
        max_length=2000,
    )
    since: Day | None = Field(None, title="Since", description="only what was published since this day")
    limit: int | None = Field(
        None,
        title="Limit",
        description="at most this many transcripts, the newest first; empty: all",
        ge=1,
        le=1_000_000,
    )
    dry_run: bool = Field(True, title="Dry run", description="only say how many there are; switch it off to read them")
    settings: RunSettings = Field(
        default_factory=dict,
        title="Settings",
        description='settings for this run only, such as {"text.key_phrases": 30}',
    )


class EmbedRequest(Form):
    """What is to be put into an index for search by meaning."""

    model: str | None = Field(
        None,
        title="Model",
        description="put all into the index of this one, and search by it then; empty: meaning.model",
        min_length=1,
        max_length=2000,
    )
    dry_run: bool = Field(True, title="Dry run", description="only say how much there is; switch it off to do it")
    settings: RunSettings = Field(
        default_factory=dict,
        title="Settings",
        description='settings for this run only, such as {"meaning.model": "sample"}',
    )


class SweepRequest(Form):
    """What a sweep may do. By the settings under `retention`."""

    dry_run: bool = Field(True, title="Dry run", description="only say what would be deleted; switch it off to delete")
    repair: bool = Field(
        False, title="Repair", description="make files of published videos again that the store has lost"
    )
    settings: RunSettings = Field(
        default_factory=dict,
        title="Settings",
        description='settings for this run only, such as {"retention.originals_days": 30}',
    )


class TakedownRequest(Form):
    """Which video is taken down."""

    video: str = Field(title="Video", description="its id, site:id or URL", min_length=1, max_length=2000)
    dry_run: bool = Field(
        True, title="Dry run", description="only say what there is of it; switch it off to delete it for good"
    )


class NameVoicesRequest(Form):
    """Which unknown voices a person is asked about; the run waits until somebody resumes it with names."""

    channel: str | None = Field(
        None,
        title="Channel",
        description="only who is heard in this source: its title, id or URL; empty: all",
        min_length=1,
        max_length=2000,
    )
    limit: int = Field(10, title="Limit", description="at most this many voices, those who speak most", ge=1, le=50)
    min_minutes: float = Field(
        1,
        title="Shortest",
        description="only who speaks this many minutes or more in all",
        ge=0,
        le=6000,
    )
    hours: float = Field(24, title="Hours", description="how long the run waits for an answer", gt=0, le=24 * 30)


class Failure(BaseModel):
    """One video that did not get through: its reason code, what to do about it, when it is tried again."""

    video: str
    title: str
    reason: str
    message: str
    remedy: str
    retry_at: str | None


class RetranscribeRequest(Form):
    """Which transcripts are made anew. All that is given must hold."""

    channel: str | None = Field(
        None,
        title="Channel",
        description="only of this source: its title, id or URL; empty: all",
        min_length=1,
        max_length=2000,
    )
    model: str | None = Field(
        None,
        title="Made with",
        description="only what this speech model made, such as small; empty: any",
        min_length=1,
        max_length=200,
    )
    older_than: Day | None = Field(None, title="Older than", description="only what was transcribed before this day")
    quality_below: float | None = Field(
        None,
        title="Quality below",
        description="only where less than this share of the speech is covered by words, such as 0.8",
        gt=0,
        le=1,
    )
    limit: int | None = Field(
        None, title="Limit", description="at most this many, the newest first; empty: all", ge=1, le=1_000_000
    )
    dry_run: bool = Field(
        True,
        title="Dry run",
        description="only say how many there are and how long they take; switch it off to transcribe them",
    )
    settings: RunSettings = Field(
        default_factory=dict,
        title="Settings",
        description='settings for this run only, such as {"speech.model": "large-v3-turbo"}',
    )

    def wanted(self) -> Wanted:
        """What the catalogue is asked for."""
        return Wanted(self.channel, self.model, self.older_than, self.quality_below)


class RetranscribeSummary(BaseModel):
    """What was chosen and done. `hours_of_work` is an estimate from the last day's runs; None where there was none."""

    chosen: int
    hours_of_audio: float
    hours_of_work: float | None
    published: int = 0
    failures: list[Failure] = Field(default_factory=list)
    held: int = 0
    flow_run: str

    @property
    def headline(self) -> str:
        work = f", about {self.hours_of_work:.1f} h of work" if self.hours_of_work is not None else ""
        done = f"{self.published} published, {len(self.failures)} failed"
        return f"{self.chosen} chosen ({self.hours_of_audio:.1f} h of audio{work}): {done}"


class ProcessSummary(BaseModel):
    """How many transcripts were read again, or in a dry run would be."""

    found: int
    read: int
    failures: list[Failure]
    held: int = 0
    flow_run: str

    @property
    def headline(self) -> str:
        return f"{self.found} found: {self.read} read, {len(self.failures)} failed"


class EmbedSummary(BaseModel):
    """How many transcripts were put into the index of a model, or in a dry run would be; no `model`: it has none."""

    found: int
    embedded: int = 0
    hours_of_audio: float
    hours_of_work: float | None
    model: str | None
    flow_run: str

    @property
    def headline(self) -> str:
        return f"{self.embedded} transcripts put into the index of {self.model}"


class SyncSummary(BaseModel):
    """What a sync did; `channelscribe sync --json` prints it.

    `held` counts due videos that other runs work on; those of a killed run are free from `held_until` on. `busy` names
    the run that works on the whole source, so that nothing was done here. `stopped` is the machine's failure that ended
    the run early. `incomplete` says why a listing ended early, `notes` what it left out and where a feed has gone. A
    dry run tells what is `due` (each with action and why) and what is left out (counted by state and reason). Where
    nothing was due no flow had to run: `flow_run` is None.
    """

    source: str
    listed: int = 0
    new: int = 0
    changed: int = 0
    skipped: int = 0
    published: int = 0
    waiting: int = 0
    failed: int = 0
    failures: list[Failure] = Field(default_factory=list)
    held: int = 0
    held_until: str | None = None
    busy: str | None = None
    flow_run: str | None = None
    seconds_of_audio: float = 0.0
    incomplete: str | None = None
    notes: list[str] = Field(default_factory=list)
    stopped: str | None = None
    due: list[dict[str, Any]] = Field(default_factory=list)
    left_out: list[dict[str, Any]] = Field(default_factory=list)

    @property
    def headline(self) -> str:
        """One line, such as "8 listed, 2 new: 1 published, 1 failed"."""
        if self.busy:
            return f"nothing done: {self.busy} is working on this source"
        if self.due or self.left_out:
            left_out = sum(item["videos"] for item in self.left_out)
            done = f"would work on {len(self.due)}, {left_out} left out"
        else:
            done = f"{self.published} published, {self.failed} failed"
            done += f", {self.held} with other runs" if self.held else ""
        return f"{self.listed} listed, {self.new} new: {done}" + (" (incomplete listing)" if self.incomplete else "")


def nothing_due(request: SyncRequest, listed: Listed, waiting: int, left: Left) -> SyncSummary:
    """A sync that found nothing to do: what is due is with other runs, if anything is."""
    return SyncSummary(
        source=request.source,
        listed=listed.listed,
        new=listed.new,
        changed=listed.changed,
        skipped=max(0, listed.listed - left.held),
        waiting=waiting,
        held=left.held,
        held_until=left.until.isoformat() if left.until else None,
        incomplete=listed.incomplete,
        notes=listed.notes,
    )


def rehearsed(request: SyncRequest, rehearsal: Rehearsed, flow_run: str | None = None) -> SyncSummary:
    """What a sync would do."""
    dry = rehearsal.found
    return SyncSummary(
        source=request.source,
        listed=dry.report.listed,
        new=dry.report.new,
        changed=dry.report.changed,
        skipped=max(0, dry.report.listed - len(dry.planned)),
        waiting=dry.waiting,
        flow_run=flow_run,
        incomplete=rehearsal.incomplete,
        notes=rehearsal.notes,
        due=[asdict(each) for each in dry.planned],
        left_out=[asdict(each) for each in dry.left_out],
    )


def busy(request: SyncRequest, other: str, flow_run: str | None = None) -> SyncSummary:
    """Another run is at this source: nothing was done."""
    return SyncSummary(source=request.source, busy=other, flow_run=flow_run)
