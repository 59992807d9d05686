"""A canary: does a source still list, and do the first seconds of a video still come?

Sites break yt-dlp overnight; this notices with one page and a few hundred kilobytes. Needs no database, leaves nothing.
"""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import av

from channelscribe.audio.containers import DEMUXERS, PROTOCOLS, refuse_playlists
from channelscribe.errors import ChannelscribeError, CorruptMedia, NoMedia
from channelscribe.settings.options import SourceOptions
from channelscribe.sources.addresses import check_url, display_url, display_urls
from channelscribe.sources.download import FORMAT_OPTIONS, describe
from channelscribe.sources.entries import Info, direct_media
from channelscribe.sources.error_classification import classify
from channelscribe.sources.media import MediaWatch
from channelscribe.sources.resume import Part
from channelscribe.sources.ytdlp import SafeYoutubeDL, YtdlpLog, open_ytdlp, signed_in

__all__ = ["Sung", "try_canary"]

ENOUGH_BYTES = 300_000  # some twenty seconds of what YouTube serves
_DEEPEST = 3  # a channel, its tab, a video
_INDEX_LAST = {"m4a", "m4b", "m4v", "mov", "mp4"}  # may have what a decoder needs at their end


@dataclass(frozen=True, slots=True)
class Sung:
    """What came. `seconds` of sound could be decoded from the first `bytes`; None where only the end tells how."""

    url: str
    title: str
    format_id: str
    extension: str
    language: str | None
    announced_seconds: float | None
    bytes: int
    seconds: float | None
    warnings: tuple[str, ...]


class _EnoughError(Exception):
    pass


def try_canary(url: str, options: SourceOptions, cache: Path | None = None) -> Sung:
    """Lists the page and fetches the start of its video, or of the first video of a list.

    Raises what `sites.wording` makes of yt-dlp's errors, NoMedia for an empty list, CorruptMedia for noise.
    """
    url, options = signed_in(url, options)
    check_url(url, options.allow_private_addresses, proxied=options.proxy is not None or None)
    log = YtdlpLog()
    bounded = {
        **FORMAT_OPTIONS,
        "extract_flat": "in_playlist",
        "playlist_items": "1",
        "http_chunk_size": ENOUGH_BYTES,
        "progress_hooks": [_stop],
    }
    with tempfile.TemporaryDirectory(prefix="canary-") as folder:
        try:
            with open_ytdlp(options, log, cache, **bounded) as ydl:
                info = _first_video(ydl, url)
                _start(ydl, info, Path(folder))
        except ChannelscribeError:
            raise
        except Exception as error:
            raise classify(error, url) from None
        return _sung(info, Path(folder), tuple(map(display_urls, log.warnings)))


def _stop(status: dict[str, Any]) -> None:
    if (status.get("downloaded_bytes") or 0) >= ENOUGH_BYTES * 0.9:  # yt-dlp varies the size of chunks
        raise _EnoughError


def _first_video(ydl: SafeYoutubeDL, url: str) -> Info:
    if (direct := direct_media(url)) is not None:
        return describe(ydl, url, direct)
    page = url
    for _ in range(_DEEPEST):
        info: Info = ydl.extract_info(page, download=False) or {}
        if info.get("url") and info.get("_type") not in ("playlist", "multi_video"):
            return info
        first: Info = next((each for each in info.get("entries") or () if each), {})
        page = str(first.get("webpage_url") or first.get("url") or "")
        if not page:
            break
    raise NoMedia(f"{display_url(url)} lists no video.", remedy="Give a video that will stay.")


def _start(ydl: SafeYoutubeDL, info: Info, folder: Path) -> None:
    part = Part(folder / "canary", {})
    fragments = info.get("protocol") not in ("http", "https")
    watch = MediaWatch(part, str(info["url"]), fragments=fragments, only_media=False)
    try:
        with ydl.watched(watch):
            ydl.dl(str(part.working), info)
    except _EnoughError:
        return


def _sung(info: Info, folder: Path, warnings: tuple[str, ...]) -> Sung:
    files = [file for file in folder.iterdir() if not file.name.endswith((".origin", ".ytdl"))]
    largest = max(files, key=lambda file: file.stat().st_size, default=None)
    size = largest.stat().st_size if largest else 0
    seconds = _decoded(largest) if largest and size else None
    extension = str(info.get("ext") or "")
    where = display_url(str(info.get("webpage_url") or info["url"]))
    if not seconds and (not size or extension not in _INDEX_LAST):
        raise CorruptMedia(f"{where}: {size} bytes came, and no sound could be decoded from them.")
    return Sung(
        url=where,
        title=str(info.get("title") or ""),
        format_id=str(info.get("format_id") or ""),
        extension=extension,
        language=info.get("language"),
        announced_seconds=float(info["duration"]) if info.get("duration") else None,
        bytes=size,
        seconds=seconds,
        warnings=warnings,
    )


def _decoded(file: Path) -> float | None:
    """Seconds of sound at the start of a file that is cut off."""
    seconds = 0.0
    try:
        refuse_playlists(file)
        with av.open(
            f"file:{file.absolute()}", options={"format_whitelist": DEMUXERS, "protocol_whitelist": PROTOCOLS}
        ) as container:
            for frame in container.decode(audio=0):
                seconds += frame.samples / frame.sample_rate
    except (av.FFmpegError, ChannelscribeError, ValueError, IndexError):
        pass  # the end of what came
    return seconds or None
