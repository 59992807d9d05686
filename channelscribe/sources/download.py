"""The audio of one video, as the site has it: original language, own container, nothing converted.

Needs the network. Leaves `<safe id>.<ext>` in the folder it is given; when broken off, a part of it, from which the
next try goes on if it is still the same file (`parts`). Safe in threads.
"""

from __future__ import annotations

import logging
import random
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from yt_dlp.networking.exceptions import RequestError  # type: ignore[import-untyped]

from channelscribe.audio.probe import probe
from channelscribe.errors import ChannelscribeError, EmptyMedia, NoMedia, NotYet, SourceError, TruncatedMedia
from channelscribe.settings.options import SourceOptions
from channelscribe.sources.addresses import check_url, display_url, with_login
from channelscribe.sources.entries import Info, direct_media, moment, page_facts, published_on
from channelscribe.sources.error_classification import classify
from channelscribe.sources.filters import NOT_YET
from channelscribe.sources.folders import copy_recording, path_of
from channelscribe.sources.identifiers import safe_id
from channelscribe.sources.media import FileChangedError, NotMediaError, StaleAddressError
from channelscribe.sources.spool import ListedVideo
from channelscribe.sources.transfer import Meter, ProgressCallback, ShortFileError, transfer
from channelscribe.sources.ytdlp import SafeYoutubeDL, YtdlpLog, open_ytdlp, signed_in

__all__ = [
    "FORMAT_SORT",
    "LARGEST_PICTURE",
    "Download",
    "ProgressCallback",
    "describe",
    "download",
    "fetch_image",
    "fetch_thumbnail",
    "original_audio",
]

Accept = Callable[[ListedVideo], None]

_TRIES = 3  # so often, at most, a page is asked anew without another byte to show for it
_MOST_TRIES = 8  # and with: some addresses expire before a long file has come
_PAUSE_SECONDS = 0.5


@dataclass(frozen=True, slots=True)
class Download:
    """A fetched file and what the site says of it; `announced_seconds` is the site's own figure, if any.

    `cover` is the video's picture, if it has one that could be had.
    """

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
    cover: Path | None = None


def download(
    video_url: str,
    folder: Path,
    video_id: str,
    options: SourceOptions,
    progress: ProgressCallback | None = None,
    cache: Path | None = None,
    *,
    even_unfinished: bool = False,
    accept: Accept | None = None,
) -> Download:
    """Fetches the audio of `video_url` to `folder/<safe id>.<ext>`.

    `progress(fraction, bytes)` is called while bytes arrive: fraction 0 to 1, or None where the size is
    unknown; what it raises ends the download. `even_unfinished` takes a stream that just ended as it is. `accept` is
    shown what the page says before anything is fetched, and raises for what is not wanted.
    Raises NotYet, MediaTooLong, MediaTooLarge, EmptyMedia, TruncatedMedia (fewer bytes than announced), NoMedia, and
    what `sites.wording` makes of yt-dlp's errors.
    """
    if video_url.startswith("file:"):
        return _copied(video_url, folder, video_id, Meter(options, progress))
    video_url, options = signed_in(video_url, options)
    check_url(video_url, options.allow_private_addresses, proxied=options.proxy is not None or None)
    folder.mkdir(parents=True, exist_ok=True)
    log, meter = YtdlpLog(), Meter(options, progress)
    try:
        with open_ytdlp(options, log, cache, **FORMAT_OPTIONS, progress_hooks=[meter]) as ydl:
            fit = Fit(meter, even_unfinished, accept, options.timezone)
            info, path = _fetch(ydl, log, video_url, (folder.absolute(), safe_id(video_id)), fit)
            cover = fetch_thumbnail(ydl, info, path.with_suffix(".cover")) if options.covers else None
    except ChannelscribeError:
        raise
    except Exception as error:
        if meter.interruption is error:
            raise
        raise classify(error, video_url) from None
    return replace(_result(info, path, video_url, options.timezone), cover=cover)


def _copied(url: str, folder: Path, video_id: str, meter: Meter) -> Download:
    """A recording of this machine, in its own container; its folder's listing has told the rest."""
    folder.mkdir(parents=True, exist_ok=True)
    meter.refuse_large(path_of(url).stat().st_size if path_of(url).is_file() else None)

    def arriving(fraction: float | None, size: int) -> None:
        meter({"downloaded_bytes": size, "total_bytes": round(size / fraction) if fraction else None})

    path = copy_recording(url, video_id, folder.absolute() / safe_id(video_id), arriving)
    found = probe(path)
    meter.refuse_long(found.duration if found.exact else None, display_url(url))
    return Download(
        path=path,
        format_id="file",
        extension=path.suffix.removeprefix("."),
        bytes=path.stat().st_size,
        announced_seconds=found.duration if found.exact else None,
        title="",
        uploader=found.tags.get("artist"),
        published=None,
        description=None,
        webpage_url=url,
        language=None,
        chapters=[],
    )


@dataclass(frozen=True, slots=True)
class Fit:
    """Whether a video is to be fetched, from what its page says."""

    meter: Meter
    even_unfinished: bool
    accept: Accept | None
    timezone: str | None

    def check(self, info: Info) -> None:
        where = display_url(str(info.get("webpage_url") or ""))
        reason = NOT_YET.get(str(info.get("live_status")))
        if reason and not (reason == "post_live" and self.even_unfinished):
            again = moment(info.get("release_timestamp")) if reason == "upcoming" else None
            told = f"{where} is not a finished recording yet ({reason.replace('_', ' ')})."
            raise NotYet(told, reason=reason, not_before=again)
        if self.accept is not None:
            self.accept(page_facts(info, str(info.get("webpage_url") or ""), self.timezone))
        self.meter.refuse_long(info.get("duration"), where)
        self.meter.refuse_large(info.get("filesize"))


def _fetch(ydl: SafeYoutubeDL, log: YtdlpLog, url: str, place: tuple[Path, str], fit: Fit) -> tuple[Info, Path]:
    """Looks at the page and fetches what it offers; once more with a fresh page where that can help."""
    meter = fit.meter
    direct = direct_media(url)
    fruitless = 0
    for number in range(1, _MOST_TRIES + 1):
        info = describe(ydl, url, direct)
        fit.check(info)
        before = meter.most
        try:
            return info, transfer(ydl, log, meter, info, place, only_media=direct is not None)
        except NotMediaError:
            direct = None
            continue
        except EmptyMedia:
            if number > 1:
                raise  # a server that stumbles does so once
            time.sleep(_PAUSE_SECONDS)
            continue
        except (StaleAddressError, FileChangedError, ShortFileError) as error:
            if direct is not None and isinstance(error, StaleAddressError):
                raise  # there is no page that could give another address
            fruitless = 1 if meter.most > before else fruitless + 1
            if fruitless == _TRIES or number == _MOST_TRIES:
                raise _given_up(url, error, number) from error
        time.sleep(_PAUSE_SECONDS * fruitless * random.uniform(0.5, 1))
    raise NoMedia(f"{display_url(url)} offers no audio that can be fetched.")


def describe(ydl: SafeYoutubeDL, url: str, direct: Info | None = None) -> Info:
    """What the page of one video says, with the chosen format in it; of a media file's own address, just that."""
    if direct is not None:
        info: Info | None = ydl.process_ie_result(dict(direct), download=False)
    else:
        info = ydl.extract_info(url, download=False)
    while info and info.get("_type") in ("playlist", "multi_video"):
        entries = [each for each in info.get("entries") or () if each]
        if len(entries) != 1:
            raise NoMedia(f"{display_url(url)} is a list of {len(entries)}.", remedy="Sync it as a source.")
        info = entries[0]
    if not info or not info.get("url"):
        raise NoMedia(f"{display_url(url)} offers no audio that can be fetched.")
    return info


def _given_up(url: str, error: Exception, tries: int) -> ChannelscribeError:
    """Later rather than now: the page was asked anew each time, and that did not help."""
    if isinstance(error, StaleAddressError):
        return SourceError(
            f"{display_url(url)}: HTTP status {error.cause.status} for its media, with {tries} fresh addresses.",
            remedy="Upgrade yt-dlp; see whether other sources.player_clients or a PO token help: channelscribe canary.",
            reason="forbidden",
        )
    return TruncatedMedia(
        f"{display_url(url)} could not be fetched whole in {tries} tries: {error}",
        remedy="It is fetched again later.",
    )


def _result(info: Info, path: Path, url: str, timezone: str | None) -> Download:
    return Download(
        path=path,
        format_id=str(info.get("format_id") or ""),
        extension=path.suffix.removeprefix("."),
        bytes=path.stat().st_size,
        announced_seconds=float(info["duration"]) if info.get("duration") else None,
        title=str(info.get("title") or ""),
        uploader=info.get("uploader") or info.get("channel"),
        published=published_on(info, timezone),
        description=info.get("description"),
        webpage_url=str(info.get("webpage_url") or url),
        language=info.get("language"),
        chapters=list(info.get("chapters") or ()),
    )


# yt-dlp's own order, but: the language first, and where only video is offered, a small one.
FORMAT_SORT = ["lang", "res:480"]

# What yt-dlp fetches itself; the others are ffmpeg's, or live streams.
_PROTOCOLS = {"http", "https", "m3u8_native", "http_dash_segments", "http_dash_segments_generator"}


def original_audio(context: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """yt-dlp's format selector: the best audio in the original language, without pictures where that exists.

    `context["formats"]` is sorted by yt-dlp, the best last. The language comes first, because dubbed tracks
    may be the only ones without pictures; yt-dlp marks originals with a high `language_preference`.
    """
    heard = [
        each
        for each in context["formats"]
        if each.get("acodec") != "none" and each.get("protocol") in _PROTOCOLS and not each.get("has_drm")
    ]
    preference = [_language_preference(each) for each in heard]
    original = [each for each, rank in zip(heard, preference, strict=True) if rank == max(preference)]
    audio_only = [each for each in original if each.get("vcodec") == "none"]
    yield from (audio_only or original)[-1:]


def _language_preference(format_: dict[str, Any]) -> float:
    value = format_.get("language_preference")
    return -1.0 if value is None else float(value)


LARGEST_PICTURE = 5_000_000

_log = logging.getLogger(__name__)


def fetch_image(url: str, media_url: str, target: Path, options: SourceOptions) -> Path | None:
    """The same of the picture that a feed names for an episode, with the password of its host."""
    plain, own = signed_in(with_login(url, media_url), options)
    with open_ytdlp(own, YtdlpLog()) as ydl:
        return fetch_thumbnail(ydl, {"thumbnail": plain}, target)


def fetch_thumbnail(ydl: SafeYoutubeDL, info: Info, target: Path) -> Path | None:
    """Fetches the picture that the page names to `target`, as it is; None where there is none that can be had.

    Its address is checked as every other; what the bytes are is for `audio.cover` to find out.
    """
    url = str(info.get("thumbnail") or "")
    if urlsplit(url).scheme not in ("http", "https"):
        return None
    try:
        with ydl.urlopen(url) as response:
            content = response.read(LARGEST_PICTURE + 1)
    except (RequestError, ChannelscribeError, OSError, ValueError) as error:
        _log.info("no cover: %s: %s", display_url(url), error)
        return None
    if not content or len(content) > LARGEST_PICTURE:
        _log.info("no cover: %s has %d bytes or more", display_url(url), len(content))
        return None
    target.write_bytes(content)
    return target


FORMAT_OPTIONS: dict[str, Any] = {
    "format": original_audio,
    "format_sort": FORMAT_SORT,
    "noplaylist": True,
    "keep_fragments": True,  # until the file is whole: see `parts`
    # What was read but not yet written is lost when a connection breaks: not more than this, in bytes.
    "buffersize": 1 << 16,
    "noresizebuffer": True,
}
