"""Fetches one format into its file, or says what came instead: bytes are counted while they arrive (`Meter`), and what
came is compared with what was announced and with where its container says that it ends (`is_cut`).

yt-dlp's downloaders do the work; see `media` and `resume` for what is watched and kept meanwhile.
"""

from __future__ import annotations

import hashlib
import os
import re
import time
from collections.abc import Callable
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any, BinaryIO

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
from channelscribe.settings.options import SourceOptions
from channelscribe.sources.addresses import display_url
from channelscribe.sources.entries import Info
from channelscribe.sources.media import FileChangedError, MediaWatch, NotMediaError
from channelscribe.sources.resume import Part
from channelscribe.sources.ytdlp import SafeYoutubeDL, YtdlpLog

__all__ = [
    "Meter",
    "ProgressCallback",
    "ShortFileError",
    "is_cut",
    "transfer",
]

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


ProgressCallback = Callable[[float | None, int], None]

_BYTES_PER_MEGABYTE = 1_000_000
_SECONDS_PER_HOUR = 3600


class Meter:
    """yt-dlp's progress hook: passes progress on, and holds the caps of `options`.

    `endless` is for media whose length nobody told: what has been arriving for longer than the longest video may
    last is a stream. `fragments` is told the number of fragments of a file that has some. `most` is the largest
    number of bytes that were there.
    """

    def __init__(self, options: SourceOptions, progress: ProgressCallback | None) -> None:
        self.limit = options.max_megabytes * _BYTES_PER_MEGABYTE
        self.interruption: Exception | None = None
        self.fragments: Callable[[int], None] | None = None
        self.endless = False
        self.most = 0
        self._progress = progress
        self._hours = options.max_duration_hours
        self._started = time.monotonic()

    def __call__(self, status: dict[str, Any]) -> None:
        if self.fragments is not None and status.get("fragment_count"):
            self.fragments(int(status["fragment_count"]))
        done = int(status.get("downloaded_bytes") or 0)
        exact = status.get("total_bytes")
        total = exact or status.get("total_bytes_estimate")
        self.most = max(self.most, done)
        self.refuse_large(max(done, exact or 0, _joined(status)))
        if self.endless and not exact and time.monotonic() - self._started > self._hours * _SECONDS_PER_HOUR:
            raise self.too_long(f"It is still arriving after {self._hours:g} h, and nobody tells how long it is.")
        if self._progress is None:
            return
        try:
            self._progress(min(done / total, 1.0) if total else None, done)
        except Exception as error:
            self.interruption = error
            raise

    def refuse_large(self, size: int | None) -> None:
        """Raises MediaTooLarge for more bytes than allowed."""
        if (size or 0) > self.limit:
            raise MediaTooLarge(
                f"The file is larger than {self.limit // _BYTES_PER_MEGABYTE} MB.",
                remedy="Raise sources.max_megabytes to keep it.",
            )

    def refuse_long(self, seconds: float | None, where: str) -> None:
        """Raises MediaTooLong for more seconds than allowed."""
        hours = (seconds or 0) / _SECONDS_PER_HOUR
        if hours > self._hours:
            raise self.too_long(f"{where} is {hours:.1f} h long, more than {self._hours:g} h.")

    def too_long(self, message: str) -> MediaTooLong:
        return MediaTooLong(message, remedy="Raise sources.max_duration_hours to keep it.")


def _joined(status: dict[str, Any]) -> int:
    """Bytes of the fragments that are joined already: those of an earlier try are in no count of yt-dlp's."""
    part = status.get("tmpfilename")
    if not part or not status.get("fragment_count"):
        return 0
    try:
        return Path(part).stat().st_size
    except OSError:
        return 0


_OGG_PAGE = 65307  # bytes, the largest: https://www.rfc-editor.org/rfc/rfc3533, section 6
_END_OF_STREAM = 4
_UNKNOWN_SIZE = 0xFFFFFFFF  # encoders that write to a pipe leave it so
_BOXES = 10_000


def is_cut(path: Path) -> bool:
    """Whether WAV, Ogg or MP4 end before their own end. False for what cannot be told."""
    with path.open("rb") as file:
        head = file.read(12)
        size = os.fstat(file.fileno()).st_size
        if head[:4] == b"RIFF":
            return _wav(head, size)
        if head[:4] == b"OggS":
            return _ogg(file, size)
        return _mp4(file, size) if head[4:8] == b"ftyp" else False


def _wav(head: bytes, size: int) -> bool:
    """RIFF tells the bytes after its first eight."""
    told = int.from_bytes(head[4:8], "little")
    return told not in (0, _UNKNOWN_SIZE, _UNKNOWN_SIZE - 8) and told + 8 > size + 1  # an odd one may lack its pad


def _ogg(file: BinaryIO, size: int) -> bool:
    """The last page must be there to its end and be marked as the last."""
    file.seek(max(0, size - _OGG_PAGE - 27))
    tail = file.read()
    start = tail.rfind(b"OggS")
    page = tail[start:]
    if start < 0 or len(page) < 27 or len(page) < 27 + page[26]:
        return True
    whole = 27 + page[26] + sum(page[27 : 27 + page[26]])
    return len(page) < whole or not page[5] & _END_OF_STREAM


def _mp4(file: BinaryIO, size: int) -> bool:
    """Boxes follow one another to the end: https://www.iso.org/standard/83102.html, section 4.2."""
    at = 0
    for _ in range(_BOXES):
        if at >= size:
            return at > size
        file.seek(at)
        head = file.read(16)
        told = int.from_bytes(head[:4], "big")
        if told == 1:
            told = int.from_bytes(head[8:16], "big")
        if told == 0:  # to the end of the file, wherever that is
            return False
        if len(head) < 8 or told < 8:
            return True
        at += told
    return False
