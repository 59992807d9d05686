"""The audio of one video, as the site has it: original language, own container, nothing converted.

Needs the network. Leaves `<safe id>.<ext>` in the folder it is given; when broken off, a `.part` file beside
it, from which the next try goes on. Safe in threads.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from channelscribe.errors import (
    ChannelscribeError,
    EmptyMedia,
    MediaTooLarge,
    MediaTooLong,
    NoMedia,
    NotYet,
    SourceError,
)
from channelscribe.settings.options import SourceOptions
from channelscribe.sites.addresses import check_url, display_url
from channelscribe.sites.formats import FORMAT_SORT, original_audio
from channelscribe.sites.identifiers import safe_id
from channelscribe.sites.listing import Info, published_on
from channelscribe.sites.wording import classify
from channelscribe.sites.ytdlp import SafeYoutubeDL, YtdlpLog, open_ytdlp

__all__ = ["Download", "ProgressCallback", "download"]

ProgressCallback = Callable[[float | None, int], None]

_NOT_YET = {"is_upcoming": "upcoming", "is_live": "live", "post_live": "post_live"}
_BYTES_PER_MEGABYTE = 1_000_000


@dataclass(frozen=True, slots=True)
class Download:
    """A fetched file and what the site says of it; `announced_seconds` is the site's own figure, if any."""

    path: Path
    format_id: str
    extension: str
    bytes: int
    announced_seconds: float | None
    title: str
    uploader: str | None
    published: date | None
    description: str | None
    webpage_url: str
    language: str | None
    chapters: list[dict[str, Any]]


def download(
    video_url: str,
    folder: Path,
    video_id: str,
    options: SourceOptions,
    progress: ProgressCallback | None = None,
    cache: Path | None = None,
) -> Download:
    """Fetches the audio of `video_url` to `folder/<safe id>.<ext>`.

    `progress(fraction, bytes)` is called while bytes arrive: fraction 0 to 1, or None where the size is
    unknown; what it raises ends the download. Raises NotYet, MediaTooLong, MediaTooLarge, EmptyMedia,
    NoMedia, and what `sites.wording` makes of yt-dlp's errors.
    """
    check_url(video_url, options.allow_private_addresses)
    folder.mkdir(parents=True, exist_ok=True)
    log = YtdlpLog()
    meter = _Meter(options.max_megabytes * _BYTES_PER_MEGABYTE, progress)
    try:
        with open_ytdlp(
            options,
            log,
            cache,
            format=original_audio,
            format_sort=FORMAT_SORT,
            noplaylist=True,
            progress_hooks=[meter],
        ) as ydl:
            info = _describe(ydl, video_url)
            _refuse_unfit(info, options)
            path = _fetch(ydl, log, info, folder, safe_id(video_id))
    except ChannelscribeError:
        raise
    except Exception as error:
        if meter.interruption is error:
            raise
        raise classify(error, video_url) from error
    return _result(info, path, video_url)


class _Meter:
    """yt-dlp's progress hook: passes progress on, and stops a download that grows beyond `limit` bytes."""

    def __init__(self, limit: int, progress: ProgressCallback | None) -> None:
        self._limit = limit
        self._progress = progress
        self.interruption: Exception | None = None

    def __call__(self, status: dict[str, Any]) -> None:
        done = int(status.get("downloaded_bytes") or 0)
        total = status.get("total_bytes") or status.get("total_bytes_estimate")
        if max(done, status.get("total_bytes") or 0) > self._limit:
            part = status.get("tmpfilename")
            if part:
                Path(part).unlink(missing_ok=True)
            raise _too_large(self._limit)
        if self._progress is None:
            return
        try:
            self._progress(min(done / total, 1.0) if total else None, done)
        except Exception as error:
            self.interruption = error
            raise


def _too_large(limit: int) -> MediaTooLarge:
    return MediaTooLarge(
        f"The file is larger than {limit // _BYTES_PER_MEGABYTE} MB.",
        remedy="Raise sources.max_megabytes to keep it.",
    )


def _describe(ydl: SafeYoutubeDL, url: str) -> Info:
    info: Info | None = ydl.extract_info(url, download=False)
    while info and info.get("_type") in ("playlist", "multi_video"):
        entries = [each for each in info.get("entries") or () if each]
        if len(entries) != 1:
            raise NoMedia(f"{display_url(url)} is a list of {len(entries)}.", remedy="Sync it as a source.")
        info = entries[0]
    if not info or not info.get("url"):
        raise NoMedia(f"{display_url(url)} offers no audio that can be fetched.")
    return info


def _refuse_unfit(info: Info, options: SourceOptions) -> None:
    where = display_url(str(info.get("webpage_url") or ""))
    if reason := _NOT_YET.get(str(info.get("live_status"))):
        raise NotYet(f"{where} is not a finished recording yet ({reason.replace('_', ' ')}).", reason=reason)
    hours = (info.get("duration") or 0) / 3600
    if hours > options.max_duration_hours:
        raise MediaTooLong(
            f"{where} is {hours:.1f} h long, more than {options.max_duration_hours:g} h.",
            remedy="Raise sources.max_duration_hours to keep it.",
        )
    limit = options.max_megabytes * _BYTES_PER_MEGABYTE
    if (info.get("filesize") or 0) > limit:
        raise _too_large(limit)


def _fetch(ydl: SafeYoutubeDL, log: YtdlpLog, info: Info, folder: Path, name: str) -> Path:
    """Downloads under a name that tells the format, so that a part of one is never continued with another."""
    mark = hashlib.sha256(str(info.get("format_id")).encode()).hexdigest()[:8]
    extension = _extension(info)
    working = folder.absolute() / f"{name}.{mark}.{extension}"
    complete, _ = ydl.dl(str(working), info)
    if not complete:
        raise SourceError(log.errors[-1] if log.errors else "The download stopped without a reason.")
    if working.stat().st_size == 0:
        working.unlink()
        raise EmptyMedia(f"{display_url(str(info.get('webpage_url')))} is an empty file.")
    return working.replace(folder / f"{name}.{extension}")


def _extension(info: Info) -> str:
    extension = str(info.get("ext") or "").lower()
    return extension if re.fullmatch(r"[a-z0-9]{1,8}", extension) else "bin"


def _result(info: Info, path: Path, url: str) -> Download:
    return Download(
        path=path,
        format_id=str(info.get("format_id") or ""),
        extension=path.suffix.removeprefix("."),
        bytes=path.stat().st_size,
        announced_seconds=float(info["duration"]) if info.get("duration") else None,
        title=str(info.get("title") or ""),
        uploader=info.get("uploader") or info.get("channel"),
        published=published_on(info),
        description=info.get("description"),
        webpage_url=str(info.get("webpage_url") or url),
        language=info.get("language"),
        chapters=list(info.get("chapters") or ()),
    )
