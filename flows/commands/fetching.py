"""Commands that ask a site and need no database: download, canary."""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Iterator
from dataclasses import asdict, replace
from datetime import date
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from yt_dlp.utils import sanitize_filename  # type: ignore[import-untyped]

from channelscribe.audio.cover import cover_jpeg
from channelscribe.audio.tags import tag_file
from channelscribe.errors import ChannelscribeError, NoMedia, Then, UsageError, stops_run
from channelscribe.settings import SourceOptions
from channelscribe.sources.addresses import display_url, public_url
from channelscribe.sources.canary import try_canary
from channelscribe.sources.download import Download, ProgressCallback, fetch_image
from channelscribe.sources.download import download as fetch
from channelscribe.sources.environment import ytdlp_version
from channelscribe.sources.identifiers import FEED
from channelscribe.sources.listing import ListedVideo, Listing, list_source
from flows.output import (
    EXIT_DONE,
    EXIT_FAILED,
    EXIT_SOME_FAILED,
    as_json,
    duration,
    print_json,
    say,
    shortened,
    some_failed,
    tell,
)
from flows.session import assigned, read_settings

SHOWN_STEPS = 20
ID = r"[A-Za-z0-9_-]{1,100}"
NAMED = re.compile(rf"(?:.*\[(?P<behind>{ID})\]|(?P<alone>{ID}))\.[a-z0-9]{{1,8}}", re.DOTALL)
LONGEST_NAME = 240
"""Bytes; file systems take 255, and some programs put an ending of theirs behind."""


def download(options: argparse.Namespace) -> int:
    sources = own_sources(options)
    folder = Path(options.out)
    listing = list_source(options.url, sources)
    for note in listing.notes:
        tell(note)
    if listing.error is not None:
        tell(f"channelscribe: the listing stopped early: {listing.error}")
    videos = list(each_once(listing.videos, options.limit))
    if not videos:
        raise listing.error or NoMedia(
            f"{display_url(options.url)} lists nothing that has a file to play.", remedy="; ".join(listing.notes)
        )
    files, failures, stopped = fetch_all(listing, videos, folder, sources)
    if options.json:
        print_json({"source": public_url(options.url), "listed": len(videos), "files": files, "failures": failures})
    else:
        show(files, failures)
    if stopped is not None and stops_run(stopped):
        return EXIT_FAILED
    return some_failed(files, failures) or (EXIT_SOME_FAILED if listing.error else EXIT_DONE)


def each_once(videos: Any, limit: int | None) -> Iterator[ListedVideo]:
    """The first `limit` videos, one that is listed twice once."""
    seen: set[tuple[str, str]] = set()
    for video in videos:
        if limit is not None and len(seen) == limit:
            return
        if (video.site, video.video_id) not in seen:
            seen.add((video.site, video.video_id))
            yield video


def fetch_all(
    listing: Listing, videos: list[ListedVideo], folder: Path, sources: SourceOptions
) -> tuple[list[dict[str, Any]], list[dict[str, Any]], ChannelscribeError | None]:
    """What came, what did not, and what stopped the rest: never a bad video, but a block of this address, or this
    machine."""
    files: list[dict[str, Any]] = []
    failures: list[dict[str, Any]] = []
    blocked: ChannelscribeError | None = None
    there = files_by_id(folder)
    for number, video in enumerate(videos, start=1):
        tell(f"{number} of {len(videos)}  {shortened(video.title)}")
        if (known := there.get(video.video_id)) is not None:
            files.append(already_there(video, known))
        elif blocked is None:
            try:
                got = fetch(video.url, folder, video.video_id, sources, shown())
                files.append(described(video, kept(video, got, listing, sources)))
            except ChannelscribeError as error:
                tell(f"  {error} [{error.reason}]")
                failures.append(failed(video, error))
                if error.then is Then.STOP_SOURCE or stops_run(error):
                    blocked = error
        else:
            failures.append(failed(video, blocked))
    return files, failures, blocked


def kept(video: ListedVideo, got: Download, listing: Listing, sources: SourceOptions) -> Download:
    """The file under the name that people see, with its tags."""
    title, published = got.title or video.title, video.published or got.published
    if video.site == FEED or not got.title:
        title = video.title
    picture = got.cover
    if picture is None and video.about.get("image"):
        target = got.path.with_suffix(".cover")
        picture = fetch_image(str(video.about["image"]), video.url, target, sources)
    with TemporaryDirectory() as scratch:
        cover = cover_jpeg(picture, Path(scratch)) if picture else None
    if picture is not None:
        picture.unlink(missing_ok=True)
    tags = {
        "title": title,
        "artist": video.about.get("author") or got.uploader or "",
        "album": listing.title if listing.kind != "video" else "",
        "date": published.isoformat() if published else "",
        "season": video.about.get("season") or "",
        "episode": video.about.get("number") or "",
        "url": public_url(video.about.get("page") or got.webpage_url),
    }
    tag_file(got.path, tags, cover)
    place = got.path.with_name(file_name(title, published, video.video_id, got.path.suffix))
    got.path.replace(place)
    return replace(got, path=place, title=title, bytes=place.stat().st_size)


def file_name(title: str, published: date | None, video_id: str, ending: str) -> str:
    """Such as `2026-01-31 A title [id].mp3`: whatever the title is, one name on any system, and never too long."""
    day = f"{published.isoformat()} " if published else ""
    room = LONGEST_NAME - len(f"{day} [{video_id}]{ending}".encode())
    plain = sanitize_filename("".join(c if c.isprintable() else " " for c in title), is_id=False)
    words = " ".join(plain.split()).strip(". ").encode()[: max(room, 0)].decode(errors="ignore").strip(". ")
    return f"{day}{words} [{video_id}]{ending}" if words else f"{day}[{video_id}]{ending}"


def files_by_id(folder: Path) -> dict[str, Path]:
    """The files of earlier runs: only whole ones have these names (the id alone, up to 0.1.0)."""
    found: dict[str, Path] = {}
    for path in sorted(folder.iterdir()) if folder.is_dir() else []:
        if (named := NAMED.fullmatch(path.name)) and path.is_file():
            found[named["behind"] or named["alone"]] = path
    return found


def already_there(video: ListedVideo, file: Path) -> dict[str, Any]:
    return {
        "video": video.video_id,
        "title": video.title,
        "path": str(file.absolute()),
        "seconds": video.duration,
        "bytes": file.stat().st_size,
        "format": None,
        "extension": file.suffix.removeprefix("."),
        "language": None,
    }


def described(video: ListedVideo, got: Download) -> dict[str, Any]:
    return {
        "video": video.video_id,
        "title": got.title or video.title,
        "path": str(got.path),
        "seconds": got.announced_seconds,
        "bytes": got.bytes,
        "format": got.format_id,
        "extension": got.extension,
        "language": got.language,
    }


def failed(video: ListedVideo, error: ChannelscribeError) -> dict[str, Any]:
    return {"video": video.video_id, "title": video.title, **as_json(error)}


def own_sources(options: argparse.Namespace) -> SourceOptions:
    """This machine's own: a block is for runs."""
    sources = read_settings(assigned(options)).sources
    if sources.access:
        tell(f"The Prefect block {sources.access} is for the workers of runs; this uses the settings alone.")
    return sources


def shown() -> ProgressCallback | None:
    """A line on the terminal that moves; nothing where stderr is a file."""
    if not sys.stderr.isatty():
        return None
    last = -1

    def show_progress(fraction: float | None, size: int) -> None:
        nonlocal last
        step = int(fraction * SHOWN_STEPS) if fraction is not None else size >> 20
        if step != last:
            last = step
            share = f"{fraction:4.0%}  " if fraction is not None else ""
            sys.stderr.write(f"\r  {share}{size / 1e6:.1f} MB")
            sys.stderr.write("\n" if fraction == 1 else "")
            sys.stderr.flush()

    return show_progress


def show(files: list[dict[str, Any]], failures: list[dict[str, Any]]) -> None:
    for file in files:
        length = duration(file["seconds"]) if file["seconds"] else "length unknown"
        kind = " ".join(filter(None, (file["extension"], file["format"], file["language"])))
        say(f"{file['path']}  {length}  {file['bytes']} bytes  {kind}")
    for failure in failures:
        say(f"{failure['video']}: {failure['message']} {failure['remedy']} [{failure['reason']}]")


def canary(options: argparse.Namespace) -> int:
    sources = own_sources(options)
    url = options.url or sources.canary_url
    if not url:
        raise UsageError("There is no canary.", remedy="Give a URL, or set sources.canary_url.")
    version = ytdlp_version()
    try:
        sung = try_canary(url, sources)
    except ChannelscribeError as error:
        if options.json:
            print_json({"passed": False, "yt_dlp": version, **as_json(error)})
        else:
            say(f"fail: {error} [{error.reason}] yt-dlp {version}")
        return EXIT_FAILED
    if options.json:
        print_json({"passed": True, "yt_dlp": version, **asdict(sung)})
        return 0
    heard = f"{sung.seconds:.1f} s of sound" if sung.seconds else "sound (its index is at its end)"
    say(
        f"pass: {sung.title}: {heard} in {sung.bytes} bytes, format {sung.format_id} {sung.extension}, yt-dlp {version}"
    )
    for warning in sung.warnings:
        say(f"  {warning}")
    return 0
