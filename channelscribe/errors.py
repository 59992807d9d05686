"""Every failure that channelscribe knows, as one tree.

Each class carries a `reason` (the code stored on a video's row) and `then`, what follows from it. The same tree
serves Prefect's retry conditions, the catalogue and the messages on the terminal, so they cannot disagree.

    ChannelscribeError
    ├── UsageError                 the command was wrong                          exit 2
    │   ├── NotAURL, UnknownSetting, InvalidSetting, UnknownModel, UnknownVideo, UnknownSource
    ├── SourceError                what the site said
    │   ├── SourceUnreachable      no name, no route, time-out, 5xx               retry now
    │   ├── SourceNotFound         404 or 410 on what was asked for               give up
    │   ├── NoMedia                a page with nothing to play                    give up
    │   ├── AddressRefused         a private or local address, not allowed        give up
    │   ├── SourceBlocked          bot check, 429, a ban of the address           stop the source
    │   ├── SuspectedBlock         what a ban says, and a deletion too            retry later
    │   ├── NotYet                 upcoming, live, just ended                     wait
    │   ├── VideoUnavailable       private, removed, members only, blocked        give up
    │   ├── FilteredOut            a filter of the configuration said no          exclude
    │   └── SignInRequired         age gate or account needed                     ask the operator
    ├── MediaError                 what the bytes are
    │   ├── EmptyMedia, CorruptMedia, NoAudioTrack, MediaTooLong, MediaTooLarge   give up
    │   ├── TruncatedMedia         fewer seconds than announced                   retry later
    │   └── MediaTimeout           decoding took longer than its limit            give up
    ├── SpeechError
    │   ├── ModelUnavailable       not in the folder, hub not reachable           ask the operator
    │   ├── ModelTampered          its sha256 is not the known one                ask the operator
    │   └── SpeechFailed           the engine raised                              retry now
    ├── TextError
    │   └── TextModelUnavailable                                                  ask the operator
    ├── StoreError
    │   ├── StoreUnreachable                                                      retry now
    │   ├── StoreNotWritable       permissions, disk full                         ask the operator
    │   ├── StoreConflict          the key holds other content                    give up
    │   ├── ObjectMissing          the key holds nothing                          retry later
    │   └── KeyRefused             a key with `..` or odd characters              give up
    ├── CatalogueError
    │   ├── CatalogueUnreachable                                                  retry now
    │   └── SchemaMismatch         older or newer than this program               ask the operator
    ├── LeaseLost                  somebody else has the video now                retry later
    ├── WorkerDied                 the process that did a step was killed         retry later
    └── StackError                 the laptop stack did not start, or is taken    ask the operator
"""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any, ClassVar

__all__ = [
    "AddressRefused",
    "CatalogueError",
    "CatalogueUnreachable",
    "ChannelscribeError",
    "CorruptMedia",
    "EmptyMedia",
    "FilteredOut",
    "InvalidSetting",
    "KeyRefused",
    "LeaseLost",
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
    "WorkerDied",
]


class Then(StrEnum):
    """What follows from a failure."""

    RETRY_NOW = "retry_now"
    RETRY_LATER = "retry_later"
    WAIT = "wait"
    STOP_SOURCE = "stop_source"
    ASK_OPERATOR = "ask_operator"
    EXCLUDE = "exclude"
    GIVE_UP = "give_up"


class ChannelscribeError(Exception):
    """A failure that says what is wrong (`message`, one line) and what to do about it (`remedy`, one line).

    `reason` may be narrowed per instance (`VideoUnavailable(..., reason="members_only")`). `not_before` is when
    another try makes sense, where somebody said so: the start of a premiere, a Retry-After. Instances survive
    pickling, because they travel from Dask workers.
    """

    reason: str = "error"
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

    def __reduce__(self) -> tuple[Any, ...]:
        return _rebuild, (type(self), self.message, self.remedy, self.reason, self.not_before)


def _rebuild(
    kind: type[ChannelscribeError], message: str, remedy: str, reason: str, not_before: datetime | None
) -> ChannelscribeError:
    return kind(message, remedy=remedy, reason=reason, not_before=not_before)


class UsageError(ChannelscribeError):
    """The command or its options were wrong."""

    reason = "usage"
    then = Then.GIVE_UP
    exit_code = 2


class NotAURL(UsageError):
    reason = "not_a_url"


class UnknownSetting(UsageError):
    reason = "unknown_setting"


class InvalidSetting(UsageError):
    reason = "invalid_setting"


class UnknownModel(UsageError):
    """A model name that neither the registry nor a folder nor the hub's naming scheme knows."""

    reason = "unknown_model"
    then = Then.ASK_OPERATOR


class UnknownVideo(UsageError):
    reason = "unknown_video"
    exit_code = 1


class UnknownSource(UsageError):
    reason = "unknown_source"
    exit_code = 1


class SourceError(ChannelscribeError):
    """The site, or the way to it, said no."""

    reason = "source_error"


class SourceUnreachable(SourceError):
    reason = "unreachable"
    then = Then.RETRY_NOW


class SourceNotFound(SourceError):
    reason = "not_found"
    then = Then.GIVE_UP


class NoMedia(SourceError):
    reason = "no_media"
    then = Then.GIVE_UP


class AddressRefused(SourceError):
    reason = "address_refused"
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
    """Reasons: filter_title, filter_duration, filter_date, filter_live, filter_shorts, taken_down."""

    reason = "filter"
    then = Then.EXCLUDE


class NotYet(SourceError):
    """Reasons: upcoming, live, post_live."""

    reason = "upcoming"
    then = Then.WAIT


class VideoUnavailable(SourceError):
    """Reasons: private, removed, members_only, geo_blocked, copyright, drm, unavailable."""

    reason = "unavailable"
    then = Then.GIVE_UP


class SignInRequired(SourceError):
    reason = "sign_in_required"
    then = Then.ASK_OPERATOR


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


class SpeechError(ChannelscribeError):
    reason = "speech_error"


class ModelUnavailable(SpeechError):
    reason = "model_unavailable"
    then = Then.ASK_OPERATOR


class ModelTampered(SpeechError):
    reason = "model_tampered"
    then = Then.ASK_OPERATOR


class SpeechFailed(SpeechError):
    reason = "speech_failed"
    then = Then.RETRY_NOW


class TextError(ChannelscribeError):
    reason = "text_error"


class TextModelUnavailable(TextError):
    reason = "text_model_unavailable"
    then = Then.ASK_OPERATOR


class StoreError(ChannelscribeError):
    reason = "store_error"


class StoreUnreachable(StoreError):
    reason = "store_unreachable"
    then = Then.RETRY_NOW


class StoreNotWritable(StoreError):
    reason = "store_not_writable"
    then = Then.ASK_OPERATOR


class StoreConflict(StoreError):
    reason = "store_conflict"
    then = Then.GIVE_UP


class ObjectMissing(StoreError):
    reason = "object_missing"
    then = Then.RETRY_LATER


class KeyRefused(StoreError):
    reason = "key_refused"
    then = Then.GIVE_UP


class CatalogueError(ChannelscribeError):
    reason = "catalogue_error"


class CatalogueUnreachable(CatalogueError):
    reason = "catalogue_unreachable"
    then = Then.RETRY_NOW


class SchemaMismatch(CatalogueError):
    reason = "schema_mismatch"
    then = Then.ASK_OPERATOR


class LeaseLost(ChannelscribeError):
    reason = "lease_lost"
    then = Then.RETRY_LATER


class WorkerDied(ChannelscribeError):
    """The process that worked on a video died, more than once: killed for its memory, or by a fault in an engine."""

    reason = "worker_died"
    then = Then.RETRY_LATER


class StackError(ChannelscribeError):
    """The services that a run needs did not start, or somebody else holds the data folder."""

    reason = "stack"
    then = Then.ASK_OPERATOR
