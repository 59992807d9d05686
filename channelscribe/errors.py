"""Every failure that channelscribe knows, as one tree.

Each class carries a `reason` (the code stored on a video's row), `whose` failure it is, and `then`, what follows from
it. The same tree serves Prefect's retry conditions, the catalogue and the messages on the terminal, so they cannot
disagree.

Whose is it? The *machine's* (disk, memory, programs, models, store, database, settings) says nothing of a video: after
the retries the run stops before it spends more, and no video is marked. The *site's* is waited for. Only the *video's*
becomes a verdict; a permanent one needs the same answer on two days (`counts_at_once` says where one will do).

    ChannelscribeError
    ├── UsageError                 the command was wrong, or a setting            machine: exit 2, stop the run
    │   ├── NotAURL, UnknownSetting, InvalidSetting, UnknownModel, UnknownVideo, UnknownSource
    ├── MachineError               this machine, whatever the video               machine: stop the run
    │   ├── OutOfMemory            of the processor or the GPU                    stop the run
    │   ├── ProgramFailed          ffmpeg cannot start, was killed, or is broken  retry now, then stop the run
    │   ├── StackError             the services did not start, or are taken       stop the run
    │   └── EngineDied             scheduler or supervisor went away              retry now, then stop the run
    ├── SourceError                what the site said                             site: retry later
    │   ├── SourceUnreachable      no name, no route, time-out, 5xx               site: retry now
    │   ├── SourceNotFound         404 or 410 on what was asked for               video: give up, if said again
    │   ├── NoMedia                a page with nothing to play                    video: give up, if said again
    │   ├── AddressRefused         a private or local address, not allowed        video: give up, if said again
    │   ├── SourceBlocked          bot check, 429, a ban of the address           site: stop the source
    │   ├── SuspectedBlock         what a ban says, and a deletion too            site: retry later
    │   ├── NotYet                 upcoming, live, just ended                     video: wait
    │   ├── VideoUnavailable       private, removed, members only, blocked        video: give up
    │   ├── FilteredOut            a filter of the configuration said no          video: exclude
    │   └── SignInRequired         age gate or account needed                     video: ask the operator
    │       └── AccessUnusable     cookies or proxy that are no good              machine: stop the run
    ├── MediaError                 what the bytes are                             video: give up, if said again
    │   ├── EmptyMedia, CorruptMedia, NoAudioTrack, MediaTooLong, MediaTooLarge
    │   ├── TruncatedMedia         fewer seconds than announced                   retry later
    │   └── MediaTimeout           decoding worked longer than its limit          retry later
    │       └── MachineBusy        decoding hardly got to work in its limit       machine: stop the run
    ├── SpeechError                                                               video: retry later
    │   ├── ModelUnavailable       not in the folder, hub not reachable           machine: stop the run
    │   ├── ModelTampered          its sha256 is not the known one                machine: stop the run
    │   └── SpeechFailed           the engine raised                              video: retry now
    ├── TextError                                                                 video: retry later
    │   └── TextModelUnavailable                                                  machine: stop the run
    ├── StoreError                                                                machine: retry later
    │   ├── StoreUnreachable                                                      retry now, then stop the run
    │   ├── StoreNotWritable       permissions, disk full                         stop the run
    │   ├── StoreConflict          the key holds other content                    retry later
    │   ├── ObjectMissing          the key holds nothing                          retry later
    │   └── KeyRefused             a key with `..` or odd characters              retry later
    ├── CatalogueError                                                            machine: retry later
    │   ├── CatalogueUnreachable                                                  retry now, then stop the run
    │   ├── CatalogueNotWritable   read only, no rights, disk full                stop the run
    │   └── SchemaMismatch         older or newer than this program               stop the run
    ├── LeaseLost                  somebody else has the video now                machine: retry later
    └── WorkerDied                 a video's step killed its worker, tried alone  video: retry later
"""

from __future__ import annotations

import errno
import os
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any, ClassVar

__all__ = [
    "AccessUnusable",
    "AddressRefused",
    "CatalogueError",
    "CatalogueNotWritable",
    "CatalogueUnreachable",
    "ChannelscribeError",
    "CorruptMedia",
    "EmptyMedia",
    "EngineDied",
    "FilteredOut",
    "InvalidSetting",
    "KeyRefused",
    "LeaseLost",
    "MachineBusy",
    "MachineError",
    "MediaError",
    "MediaTimeout",
    "MediaTooLarge",
    "MediaTooLong",
    "ModelTampered",
    "ModelUnavailable",
    "NoAudioTrack",
    "NoMedia",
    "NotAURL",
    "NotYet",
    "ObjectMissing",
    "OutOfMemory",
    "ProgramFailed",
    "SchemaMismatch",
    "SignInRequired",
    "SourceBlocked",
    "SourceError",
    "SourceNotFound",
    "SourceUnreachable",
    "SpeechError",
    "SpeechFailed",
    "StackError",
    "StoreConflict",
    "StoreError",
    "StoreNotWritable",
    "StoreUnreachable",
    "SuspectedBlock",
    "TextError",
    "TextModelUnavailable",
    "Then",
    "TruncatedMedia",
    "UnknownModel",
    "UnknownSetting",
    "UnknownSource",
    "UnknownVideo",
    "UsageError",
    "VideoUnavailable",
    "Whose",
    "WorkerDied",
    "as_ours",
    "did_you_mean",
    "from_now",
    "local_time",
    "machine_fault",
    "stops_run",
]


class Then(StrEnum):
    """What follows from a failure."""

    RETRY_NOW = "retry_now"
    RETRY_LATER = "retry_later"
    WAIT = "wait"
    STOP_SOURCE = "stop_source"
    STOP_RUN = "stop_run"
    ASK_OPERATOR = "ask_operator"
    EXCLUDE = "exclude"
    GIVE_UP = "give_up"


class Whose(StrEnum):
    """Whose failure it is."""

    MACHINE = "machine"
    SITE = "site"
    VIDEO = "video"


class ChannelscribeError(Exception):
    """A failure that says what is wrong (`message`, one line) and what to do about it (`remedy`, one line).

    `reason` may be narrowed per instance (`VideoUnavailable(..., reason="members_only")`). `not_before` is when
    another try makes sense, where somebody said so: the start of a premiere, a Retry-After. Instances survive
    pickling, because they travel from Dask workers.
    """

    reason: str = "error"
    whose: ClassVar[Whose] = Whose.VIDEO
    then: ClassVar[Then] = Then.RETRY_LATER
    exit_code: ClassVar[int] = 1

    def __init__(
        self, message: str, *, remedy: str = "", reason: str | None = None, not_before: datetime | None = None
    ) -> None:
        super().__init__(message)
        self.message = " ".join(message.split())
        self.remedy = " ".join(remedy.split())
        self.not_before = not_before
        if reason is not None:
            self.reason = reason

    def __str__(self) -> str:
        return f"{self.message} {self.remedy}".strip()

    @property
    def counts_at_once(self) -> bool:
        """Whether one answer is enough for a permanent verdict, because the site said so in words."""
        return False

    def __reduce__(self) -> tuple[Any, ...]:
        return _rebuild, (type(self), self.message, self.remedy, self.reason, self.not_before)


def _rebuild(
    kind: type[ChannelscribeError], message: str, remedy: str, reason: str, not_before: datetime | None
) -> ChannelscribeError:
    return kind(message, remedy=remedy, reason=reason, not_before=not_before)


class UsageError(ChannelscribeError):
    """The command or its options were wrong."""

    reason = "usage"
    whose = Whose.MACHINE
    then = Then.STOP_RUN
    exit_code = 2


class NotAURL(UsageError):
    reason = "not_a_url"
    whose = Whose.VIDEO  # a listed video's own: that of a source ends the command before
    then = Then.GIVE_UP


class UnknownSetting(UsageError):
    reason = "unknown_setting"


class InvalidSetting(UsageError):
    reason = "invalid_setting"


class UnknownModel(UsageError):
    """A model name that neither the registry nor a folder nor the hub's naming scheme knows."""

    reason = "unknown_model"


class UnknownVideo(UsageError):
    reason = "unknown_video"
    exit_code = 1


class UnknownSource(UsageError):
    reason = "unknown_source"
    exit_code = 1


class MachineError(ChannelscribeError):
    """This machine cannot do it, whatever the video."""

    reason = "machine"
    whose = Whose.MACHINE
    then = Then.STOP_RUN


class OutOfMemory(MachineError):
    reason = "out_of_memory"


class ProgramFailed(MachineError):
    """A program that cannot start, that somebody killed, or that fails whatever it is given."""

    reason = "program_failed"
    then = Then.RETRY_NOW


class StackError(MachineError):
    """The services that a run needs did not start, or somebody else holds the data folder."""

    reason = "stack"


class EngineDied(MachineError):
    """What runs the steps went away, and with it what it knew of them: a Dask scheduler, the laptop's supervisor.

    It says nothing of the videos that were in work; they are tried again at once.
    """

    reason = "engine_died"
    then = Then.RETRY_NOW


class SourceError(ChannelscribeError):
    """The site, or the way to it, said no."""

    reason = "source_error"
    whose = Whose.SITE


class SourceUnreachable(SourceError):
    reason = "unreachable"
    then = Then.RETRY_NOW


class SourceNotFound(SourceError):
    reason = "not_found"
    whose = Whose.VIDEO
    then = Then.GIVE_UP


class NoMedia(SourceError):
    reason = "no_media"
    whose = Whose.VIDEO
    then = Then.GIVE_UP


class AddressRefused(SourceError):
    reason = "address_refused"
    whose = Whose.VIDEO
    then = Then.GIVE_UP


class SourceBlocked(SourceError):
    """Bot check, 429 or a ban: says nothing about the video, only about this address.

    Reasons: bot_check, rate_limited, blocked.
    """

    reason = "blocked"
    then = Then.STOP_SOURCE


class SuspectedBlock(SourceError):
    """YouTube says the same of a video that is gone and to an address that it bans. Several in a row are a ban."""

    reason = "not_available"
    then = Then.RETRY_LATER


class FilteredOut(SourceError):
    """Reasons: filter_title, filter_duration, filter_date, filter_season, filter_newest, filter_live,
    filter_shorts, taken_down."""

    reason = "filter"
    whose = Whose.VIDEO
    then = Then.EXCLUDE


class NotYet(SourceError):
    """Reasons: upcoming, live, post_live."""

    reason = "upcoming"
    whose = Whose.VIDEO
    then = Then.WAIT


class VideoUnavailable(SourceError):
    """Reasons: private, removed, members_only, geo_blocked, copyright, drm, unavailable."""

    reason = "unavailable"
    whose = Whose.VIDEO
    then = Then.GIVE_UP

    @property
    def counts_at_once(self) -> bool:
        """A bare "unavailable" is also said by a site that is out of order, and to addresses that it bans."""
        return self.reason != VideoUnavailable.reason


class SignInRequired(SourceError):
    reason = "sign_in_required"
    whose = Whose.VIDEO
    then = Then.ASK_OPERATOR


class AccessUnusable(SignInRequired):
    """What the settings give to reach sites with is no good. Reasons: cookies, proxy."""

    reason = "access"
    whose = Whose.MACHINE
    then = Then.STOP_RUN


class MediaError(ChannelscribeError):
    """The bytes that came are not usable audio."""

    reason = "media_error"
    then = Then.GIVE_UP


class EmptyMedia(MediaError):
    reason = "empty_media"


class CorruptMedia(MediaError):
    reason = "corrupt_media"


class NoAudioTrack(MediaError):
    reason = "no_audio_track"


class MediaTooLong(MediaError):
    reason = "too_long"


class MediaTooLarge(MediaError):
    reason = "too_large"


class TruncatedMedia(MediaError):
    reason = "truncated"
    then = Then.RETRY_LATER


class MediaTimeout(MediaError):
    reason = "media_timeout"
    then = Then.RETRY_LATER


class MachineBusy(MediaTimeout):
    """Too little of the processor, or of the disk, to get on with it: the time limit says nothing of the file."""

    reason = "machine_busy"
    whose = Whose.MACHINE
    then = Then.STOP_RUN


class SpeechError(ChannelscribeError):
    reason = "speech_error"


class ModelUnavailable(SpeechError):
    reason = "model_unavailable"
    whose = Whose.MACHINE
    then = Then.STOP_RUN


class ModelTampered(SpeechError):
    reason = "model_tampered"
    whose = Whose.MACHINE
    then = Then.STOP_RUN


class SpeechFailed(SpeechError):
    reason = "speech_failed"
    then = Then.RETRY_NOW


class TextError(ChannelscribeError):
    reason = "text_error"


class TextModelUnavailable(TextError):
    reason = "text_model_unavailable"
    whose = Whose.MACHINE
    then = Then.STOP_RUN


class StoreError(ChannelscribeError):
    reason = "store_error"
    whose = Whose.MACHINE


class StoreUnreachable(StoreError):
    reason = "store_unreachable"
    then = Then.RETRY_NOW


class StoreNotWritable(StoreError):
    reason = "store_not_writable"
    then = Then.STOP_RUN


class StoreConflict(StoreError):
    reason = "store_conflict"


class ObjectMissing(StoreError):
    reason = "object_missing"


class KeyRefused(StoreError):
    reason = "key_refused"


class CatalogueError(ChannelscribeError):
    reason = "catalogue_error"
    whose = Whose.MACHINE


class CatalogueUnreachable(CatalogueError):
    reason = "catalogue_unreachable"
    then = Then.RETRY_NOW


class CatalogueNotWritable(CatalogueError):
    reason = "catalogue_not_writable"
    then = Then.STOP_RUN


class SchemaMismatch(CatalogueError):
    reason = "schema_mismatch"
    then = Then.STOP_RUN


class LeaseLost(ChannelscribeError):
    reason = "lease_lost"
    whose = Whose.MACHINE


class WorkerDied(ChannelscribeError):
    """The process that worked on a video died, more than once: killed for its memory, or by a fault in an engine.

    The last time it was alone there, so the others go on without it.
    """

    reason = "worker_died"


FULL = (errno.ENOSPC, errno.EDQUOT)
EXHAUSTED = (errno.EMFILE, errno.ENFILE, errno.EROFS)
NO_PLACE = "No usable temporary directory"
FORBIDDEN = (errno.EACCES, errno.EPERM, errno.EIO)
"""Said of a file (`filename` is there) they are the machine's; a socket's may be anybody's."""
OUT_OF_MEMORY_WORDS = (
    *("out of memory", "can't allocate memory", "cannot allocate memory", "not enough memory"),
    *("unable to allocate", "bad allocation", "std::bad_alloc"),
)


def stops_run(error: BaseException) -> bool:
    """Whether a failure, after its retries, is the machine's: no video is marked, and the run stops."""
    ours = as_ours(error)
    return ours.whose is Whose.MACHINE and ours.then in (Then.STOP_RUN, Then.RETRY_NOW)


RETRY_DELAYS: list[float] = [2, 15]
"""Seconds before each further try of what failed with RETRY_NOW, on average."""
JITTER = 0.5
"""What is at most added to them, as a share. What failed together is not tried again together."""


def is_worth_retrying(error: BaseException) -> bool:
    """Only what the tree calls transient is tried again at once. Where a site said when to come again, and the next try
    would be before that, the video waits until then.
    """
    if not isinstance(error, ChannelscribeError) or error.then is not Then.RETRY_NOW:
        return False
    return error.not_before is None or error.not_before <= datetime.now(UTC) + timedelta(seconds=RETRY_DELAYS[0])


def as_ours(error: BaseException) -> ChannelscribeError:
    """Any exception as one of the tree. What nobody expected is `internal`, to be tried later."""
    if isinstance(error, ChannelscribeError):
        return error
    told = ChannelscribeError(f"{type(error).__name__}: {error}"[:1000], reason="internal")
    return machine_fault(error) or told


def machine_fault(error: BaseException) -> ChannelscribeError | None:
    """The machine's failure that an exception stands for, or comes from: a full disk, no memory. None if there is none.

    Whoever turns exceptions of an engine or a library into errors of the tree asks here first; causes are lost on the
    way between processes.
    """
    for each in _causes(error):
        if isinstance(each, ChannelscribeError):
            if each.whose is Whose.MACHINE:
                return each
            continue
        if found := _by_number(each) or _by_memory(each):
            return found
    return None


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """The end of a message about a name that is not there; empty where nothing known is like it."""
    from difflib import get_close_matches

    close = get_close_matches(name, list(known), n=1)
    return f" Did you mean {close[0]}?" if close else ""


def local_time(moment: datetime) -> str:
    """How messages tell a time: "2026-01-31 06:15 CET", that of this machine."""
    return f"{moment.astimezone():%Y-%m-%d %H:%M %Z}"


def from_now(moment: datetime, now: datetime | None = None) -> str:
    """How a terminal tells one that is ahead: "in 4 minutes (2026-01-31 06:15 CET)"."""
    seconds = (moment - (now or datetime.now(UTC))).total_seconds()
    if seconds <= 0:
        return f"now (since {local_time(moment)})"
    for unit, size in (("day", 86400), ("hour", 3600), ("minute", 60)):
        if seconds >= (size if unit == "minute" else 1.5 * size):
            count = round(seconds / size)
            return f"in {count} {unit}{'s' if count > 1 else ''} ({local_time(moment)})"
    return f"in less than a minute ({local_time(moment)})"


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        yield error
        error = error.__cause__


def _by_number(error: BaseException) -> ChannelscribeError | None:
    number, name = getattr(error, "errno", None), getattr(error, "filename", None)
    if not isinstance(number, int):
        return None
    said = f"{name}: {os.strerror(number)}." if name else f"{os.strerror(number)}."
    if number in FULL:
        return StoreNotWritable(said, remedy="Free disk space, or work on a larger disk (data_dir, store.url).")
    if NO_PLACE in str(error):
        return MachineError(f"{error.args[-1]}.", remedy="Free space there, or set TMPDIR to a folder with more.")
    if number in EXHAUSTED or (number in FORBIDDEN and name):
        return MachineError(said, remedy="Correct it on this machine; `channelscribe doctor` checks the rest.")
    return OutOfMemory(said, remedy=MEMORY_REMEDY) if number == errno.ENOMEM else None


MEMORY_REMEDY = "Close other programs, use a machine with more memory, or set a smaller speech.model."


def _by_memory(error: BaseException) -> ChannelscribeError | None:
    words = str(error).lower()
    engines = isinstance(error, RuntimeError) and any(each in words for each in OUT_OF_MEMORY_WORDS)
    if not (isinstance(error, MemoryError) or engines):
        return None
    told = " ".join(str(error).split())[:200]
    return OutOfMemory(f"There is not enough memory: {told or type(error).__name__}.", remedy=MEMORY_REMEDY)
