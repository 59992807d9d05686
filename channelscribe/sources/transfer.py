"""One try at the bytes of a media file: goes on with its part, and keeps nothing that is less than announced."""

from __future__ import annotations

import hashlib
import re
from email.utils import parsedate_to_datetime
from pathlib import Path

from yt_dlp.networking.exceptions import TransportError  # type: ignore[import-untyped]
from yt_dlp.utils import DownloadError  # type: ignore[import-untyped]

from channelscribe.audio.probe import probe
from channelscribe.errors import (
    ChannelscribeError,
    EmptyMedia,
    MediaTooLarge,
    MediaTooLong,
    SourceError,
    TruncatedMedia,
)
from channelscribe.sources.addresses import display_url
from channelscribe.sources.entries import Info
from channelscribe.sources.limits import Meter
from channelscribe.sources.media import FileChangedError, MediaWatch, NotMediaError
from channelscribe.sources.resume import Part
from channelscribe.sources.truncation import is_cut
from channelscribe.sources.ytdlp import SafeYoutubeDL, YtdlpLog

__all__ = ["ShortFileError", "transfer"]

_ROUNDED = 0.95  # pages of some sites tell a size in rounded megabytes
_IDENTITY = ("format_id", "filesize", "ext", "protocol")
_NOTHING_CAME = "Did not get any data blocks"
_GAVE_UP = "Got error: "  # yt-dlp's words after its last try; they are all that is left of what went wrong


class ShortFileError(Exception):
    """The connection ended as if all had come, but it had not. What came is kept, another try may bring the rest."""


def transfer(
    ydl: SafeYoutubeDL, log: YtdlpLog, meter: Meter, info: Info, place: tuple[Path, str], *, only_media: bool
) -> Path:
    """Fetches the format that `info` has chosen to `<name>.<ext>`; `place` is the folder and the name.

    `only_media` refuses a page or a manifest, for an address of which nothing else is known.

    Under way its name tells the format, so that a part of one is never continued with another. Raises
    StaleAddressError, FileChangedError, NotMediaError and ShortFileError, after which another try can help,
    TruncatedMedia, EmptyMedia, MediaTooLarge, MediaTooLong, and what yt-dlp raises.
    """
    (folder, name), extension = place, _extension(info)
    mark = hashlib.sha256(str(info.get("format_id")).encode("utf-8", "surrogatepass")).hexdigest()[:8]
    fragments = info.get("protocol") not in ("http", "https")
    part = Part(folder / f"{name}.{mark}.{extension}", {each: info.get(each) for each in _IDENTITY})
    watch = MediaWatch(part, str(info["url"]), fragments=fragments, only_media=only_media)
    meter.fragments = watch.fragments if fragments else None
    meter.endless = not info.get("duration")
    try:
        with ydl.watched(watch):
            complete, _ = ydl.dl(str(part.working), info)
        if not complete:
            raise SourceError(log.errors[-1] if log.errors else "The download stopped without a reason.")
        _refuse_partial(part, watch, meter, info)
        _refuse_long(part, meter, info)
    except (MediaTooLarge, MediaTooLong, EmptyMedia, FileChangedError, NotMediaError):
        part.clear()
        raise
    except DownloadError as error:
        came = part.clear_if_empty()
        if _NOTHING_CAME in str(error):
            raise _empty(info) from error
        if _GAVE_UP not in str(error):
            raise
        if watch.failure is not None:
            raise watch.failure from error
        if came and not fragments:
            raise _truncated(info, part.unfinished, watch) from error
        raise TransportError(str(error).rpartition(_GAVE_UP)[2]) from error
    except Exception:
        part.clear_if_empty()
        raise
    _date(info, watch)
    return part.finish(folder / f"{name}.{extension}")


def _refuse_partial(part: Part, watch: MediaWatch, meter: Meter, info: Info) -> None:
    size = part.working.stat().st_size
    if size == 0:
        raise _empty(info)
    meter.refuse_large(size)
    told, announced = (watch.received.total if watch.received else None), info.get("filesize") or 0
    if told is not None or watch.fragmented:  # the server has no more: a fragment's length is its own
        if size < max(told or 0, _ROUNDED * announced):
            error = _truncated(info, part.working, watch)
            part.clear()
            raise error
    elif size < announced or is_cut(part.working):
        error = _truncated(info, part.working, watch)
        part.take_back()
        raise ShortFileError(error.message) from error


def _refuse_long(part: Part, meter: Meter, info: Info) -> None:
    """Raises MediaTooLong for a file that is longer than its page said, by its own header."""
    try:
        found = probe(part.working)
    except ChannelscribeError:
        return  # what else it may be is for `audio.prepare` to say
    meter.refuse_long(found.duration if found.exact else None, display_url(str(info.get("webpage_url") or "")))


def _empty(info: Info) -> EmptyMedia:
    where = display_url(str(info.get("webpage_url") or info["url"]))
    return EmptyMedia(f"{where} is an empty file.", remedy="It is asked for again.")


def _truncated(info: Info, file: Path, watch: MediaWatch) -> TruncatedMedia:
    told = [watch.received.total if watch.received else None, info.get("filesize")]
    expected = f"{max(each for each in told if each)} were announced" if any(told) else "its end is not there"
    where = display_url(str(info.get("webpage_url") or info["url"]))
    return TruncatedMedia(
        f"{where}: {file.stat().st_size} bytes came, but {expected}.",
        remedy="What came is not taken for the whole; it is fetched again later.",
    )


def _date(info: Info, watch: MediaWatch) -> None:
    """A file without a page has the date of its last change, as yt-dlp's generic extractor has it."""
    if info.get("direct") and not info.get("timestamp") and watch.received and watch.received.modified:
        try:
            info["timestamp"] = int(parsedate_to_datetime(watch.received.modified).timestamp())
        except ValueError:
            return


def _extension(info: Info) -> str:
    extension = str(info.get("ext") or "").lower()
    return extension if re.fullmatch(r"[a-z0-9]{1,8}", extension) else "bin"
