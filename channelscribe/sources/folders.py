"""Folders and files of this machine as a source: recordings, known by their content, with what is told beside them.

`file:///srv/interviews` lists all audio and video below that folder, `file:///srv/talk.mp3` the one. A recording's id
is from the sha256 of its bytes: renamed, moved, or there twice, it is the same. What is told of it is in a sidecar
beside it (`talk.json`, `talk.mp3.json`, or yt-dlp's `talk.info.json`), else in its tags, else its name. Between two
listings the catalogue keeps what was found (`Listing.memory`): a file with the same size and time is not read again.

Whoever starts a run on somebody else's machine must not read its files: outside of what a person named on the command
line of this process (`name_here`) a place must be below one of `sources.folders`. Links are not followed, so nothing
leads out of it.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import stat
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import date, datetime
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

from channelscribe.errors import (
    AddressRefused,
    ChannelscribeError,
    CorruptMedia,
    EmptyMedia,
    NoAudioTrack,
    SourceError,
    SourceNotFound,
    SourceUnreachable,
    UsageError,
    machine_fault,
    stops_run,
)
from channelscribe.settings.options import SourceOptions
from channelscribe.sources.dates import parse_date
from channelscribe.sources.feeds import chapters_of, is_no_media
from channelscribe.sources.identifiers import LOCAL, safe_id
from channelscribe.sources.spool import ListedVideo, Listing

if TYPE_CHECKING:
    from channelscribe.audio.probe import Probe

__all__ = ["as_source", "copy_recording", "list_folder", "name_here", "path_of"]

READER = 1
"""Counted up when a newer one reads more from the same files."""
ID_DIGITS = 32
SETTLED_SECONDS = 3.0
"""What was written to so shortly ago may still be written to."""
MOST_SHOWN = 3
LARGEST_SIDECAR = 1 << 20
_BEING_WRITTEN = {".part", ".crdownload", ".download", ".tmp", ".partial", ".filepart", ".ytdl"}
_PIECE = 1 << 20

_named: set[Path] = set()


def as_source(word: str) -> str | None:
    """The address of the folder or file that a word of the command line names; None where there is none.

    Raises UsageError for what can be nothing else, and is not there.
    """
    if "://" in word:
        return None
    path = Path(word).expanduser()
    if path.exists():
        return path.resolve().as_uri()
    if word.startswith((".", "/", "~")) or word.endswith("/"):
        raise UsageError(f"There is no folder or file {word}.", remedy="Check the path.")
    return None


def name_here(url: str) -> None:
    """A person names this place on the command line of this process, and may read it or not by their own rights."""
    _named.add(path_of(url).resolve())


def path_of(url: str) -> Path:
    """The path of a file: address. Raises SourceError for one on another machine."""
    parts = urlsplit(url)
    if parts.scheme != "file" or parts.netloc not in ("", "localhost"):
        raise SourceError(f"{url} is no place on this machine.", remedy="Give file:///folder.")
    return Path(unquote(parts.path))


@dataclass(slots=True)
class _Found:
    """What a walk found: files by their name in the folder, and how many of what else there is."""

    files: dict[str, os.stat_result] = field(default_factory=dict)
    left_out: Counter[str] = field(default_factory=Counter)
    unreadable: list[str] = field(default_factory=list)


def list_folder(url: str, options: SourceOptions, memory: Mapping[str, Any]) -> Listing:
    """All recordings below a folder, or one file; `memory` is that of the last listing.

    Raises AddressRefused outside of the places that are allowed, SourceNotFound where nothing is,
    SourceUnreachable for a folder that was full and is empty.
    """
    place = _allowed(path_of(url), options)
    try:
        is_folder = stat.S_ISDIR(place.stat().st_mode)
    except OSError as error:
        raise SourceNotFound(
            f"{place} cannot be read on this machine: {error.strerror}.", remedy="Check the path, and who may read it."
        ) from None
    found = _walk(place) if is_folder else _Found({place.name: place.stat()})
    base = place if is_folder else place.parent
    known = dict(memory.get("files") or {}) if memory.get("reader") == READER else {}
    read = _Reader(base, known, found)
    records = read.records()
    if is_folder and not records and known:
        raise SourceUnreachable(
            f"{place} holds no recording now, and had {len(known)} before.",
            remedy="Is it there, and is what it is on mounted? Nothing of it counts as gone.",
        )
    videos = _videos(records, base, found.left_out)
    name = place.name or "files"
    listing = Listing(LOCAL, safe_id(url), name, url, "folder" if is_folder else "video", videos)
    listing.memory = {"reader": READER, "files": read.memory}
    listing.unchanged = memory.get("kind") == listing.kind and bool(known) and known == read.memory
    # What could not be looked at may still be there.
    listing.complete = not found.unreadable
    listing.notes = _notes(len(videos), found)
    if not is_folder:
        if not videos:
            raise read.failure or CorruptMedia(f"{place.name} is no audio or video.", remedy="Give a recording.")
        listing.source_id, listing.title = videos[0].video_id, videos[0].title
    return listing


def _allowed(place: Path, options: SourceOptions) -> Path:
    real = place.resolve()
    roots = [*_named, *(Path(root).expanduser().resolve() for root in options.folders)]
    if not any(real == root or real.is_relative_to(root) for root in roots):
        raise AddressRefused(
            f"{place} is not below a folder that this machine lets runs read.",
            remedy="Set sources.folders on the machine that runs it, or sync it from the command line there.",
        )
    return real


def _walk(place: Path) -> _Found:
    """Regular files, in order. Links are not followed: they would lead in circles, and out of the folder."""
    found = _Found()

    def unreadable(error: OSError) -> None:
        found.unreadable.append(os.path.relpath(error.filename or place, place))

    for folder, folders, names in os.walk(place, onerror=unreadable):
        hidden = [name for name in folders if name.startswith(".")]
        linked = [name for name in folders if Path(folder, name).is_symlink()]
        found.left_out["hidden"] += len(hidden)
        found.left_out["links, which are not followed"] += len(linked)
        folders[:] = sorted(set(folders) - set(hidden) - set(linked))
        for name in sorted(names):
            path = Path(folder, name)
            try:
                status = path.lstat()
            except OSError:  # gone since
                continue
            if (why := _no_recording(path, status)) is not None:
                found.left_out[why] += 1
            else:
                found.files[path.relative_to(place).as_posix()] = status
    return found


def _no_recording(path: Path, status: os.stat_result) -> str | None:
    """Why a file is left out, by its name and kind alone."""
    if path.name.startswith("."):
        return "hidden"
    if stat.S_ISLNK(status.st_mode):
        return "links, which are not followed"
    if not stat.S_ISREG(status.st_mode):
        return "no files"
    if path.suffix.lower() in _BEING_WRITTEN or path.name.endswith("~"):
        return "not finished by the name"
    if is_no_media(path.name):
        return "no recordings"
    return "empty" if status.st_size == 0 else None


class _Reader:
    """Reads what is not known yet. `memory` is what the next listing needs, `failure` what the last bad file met."""

    def __init__(self, base: Path, known: Mapping[str, Any], found: _Found) -> None:
        self.memory: dict[str, Any] = {}
        self.failure: ChannelscribeError | None = None
        self._base, self._known, self._found = base, known, found

    def records(self) -> dict[str, dict[str, Any]]:
        """What is known of each recording, by its name in the folder."""
        fresh = [name for name, status in self._found.files.items() if self._is_fresh(name, status)]
        waiting = {}
        if fresh:
            # Once for all: a file that is copied in is taken, one that still grows is not.
            time.sleep(SETTLED_SECONDS)
            for name in fresh:
                with suppress(OSError):
                    waiting[name] = (self._base / name).lstat()
        records = {}
        for name, status in self._found.files.items():
            if name in fresh and _mark(status) != _mark(waiting.get(name)):
                self._found.left_out["still being written"] += 1
            elif (record := self._record(name, status)) is not None:
                records[name] = record
        # What tells of a recording is not left out.
        sidecars = {_sidecar(self._base / name) for name in records} - {None}
        self._found.left_out["no recordings"] -= len(sidecars)
        return records

    def _is_fresh(self, name: str, status: os.stat_result) -> bool:
        return self._is_new(name, status) and abs(time.time() - status.st_mtime) < SETTLED_SECONDS

    def _is_new(self, name: str, status: os.stat_result) -> bool:
        return list(self._known.get(name) or ())[:2] != _mark(status)

    def _record(self, name: str, status: os.stat_result) -> dict[str, Any] | None:
        """None for what is no recording; what cannot be read now stays as it was."""
        path = self._base / name
        sidecar = _sidecar(path)
        told = _mark(sidecar.stat()) if sidecar else None
        kept = self._known.get(name)
        if kept is not None and kept[:2] == _mark(status) and kept[2] == told:
            self.memory[name] = kept
            if kept[3] is None:
                self._found.left_out["no recordings"] += 1
            return kept[3]  # type: ignore[no-any-return]
        try:
            known_id = kept[3]["id"] if kept and kept[3] and kept[:2] == _mark(status) else None
            record = _read(path, status, sidecar, known_id)
        except _StillWrittenError:
            self._found.left_out["still being written"] += 1
            return None
        except FileNotFoundError:
            return None
        except OSError:
            self._found.unreadable.append(name)
            return None
        except ChannelscribeError as error:
            if stops_run(error):
                raise
            self.failure, record = error, None
            self._found.left_out["without sound" if isinstance(error, NoAudioTrack) else "no recordings"] += 1
        self.memory[name] = [*_mark(status), told, record]
        return record


class _StillWrittenError(Exception):
    """Its size or time changed while it was read."""


def _mark(status: os.stat_result | None) -> list[int]:
    return [status.st_size, status.st_mtime_ns] if status else []


def _read(path: Path, status: os.stat_result, sidecar: Path | None, known_id: str | None) -> dict[str, Any]:
    """Id, title and the rest. Raises CorruptMedia and the like for what is no recording."""
    from channelscribe.audio.probe import probe  # loads FFmpeg's libraries, which who lists a feed need not have

    with path.open("rb"):
        pass  # who may not read it is told so, and not that it is broken
    try:
        found = probe(path)
    except EmptyMedia as error:
        raise _StillWrittenError from error
    if not found.has_audio:
        raise NoAudioTrack(f"{path.name} has no sound.", remedy="A silent video has no transcript.")
    video_id = known_id or _digest(path)[:ID_DIGITS]
    if _mark(path.lstat()) != _mark(status):
        raise _StillWrittenError
    told = _told(sidecar) if sidecar else {}
    return {"id": video_id, **_facts(path, found, told)}


def _digest(path: Path) -> str:
    digest = hashlib.sha256()
    try:
        with path.open("rb") as file:
            while piece := file.read(_PIECE):
                digest.update(piece)
    except OSError as error:
        if isinstance(error, PermissionError):
            raise
        raise machine_fault(error) or SourceError(f"{path.name} cannot be read: {error.strerror}.") from None
    return digest.hexdigest()


def _sidecar(path: Path) -> Path | None:
    for name in (f"{path.stem}.json", f"{path.name}.json", f"{path.stem}.info.json"):
        beside = path.with_name(name)
        with suppress(OSError):
            if stat.S_ISREG(beside.lstat().st_mode) and beside.stat().st_size <= LARGEST_SIDECAR:
                return beside
    return None


def _told(sidecar: Path) -> dict[str, Any]:
    try:
        read = json.loads(sidecar.read_text(encoding="utf-8-sig"))
    except (OSError, ValueError, RecursionError):
        return {}
    return read if isinstance(read, dict) else {}


def _facts(path: Path, found: Probe, told: Mapping[str, Any]) -> dict[str, Any]:
    tags = found.tags
    published = _first_day(told, ("published", "date", "upload_date")) or _first_day(tags, ("date", "creation_time"))
    about = {
        "page": _words(told, "page", "webpage_url", "url"),
        "author": _words(told, "author", "uploader", "artist") or _words(tags, "artist", "album_artist"),
        "season": _words(told, "season", "season_number") or _words(tags, "season_number"),
        "number": _words(told, "episode", "number", "episode_number") or _words(tags, "episode_id"),
        "people": [str(each)[:200] for each in told.get("people") or () if isinstance(each, str)][:50],
    }
    chapters = chapters_of(told.get("chapters")) or [[start, title] for start, title in found.chapters]
    return {
        "title": _words(told, "title") or _words(tags, "title") or path.stem,
        "published": published.isoformat() if published else None,
        "duration": found.duration if found.exact else None,
        "description": _words(told, "description") or _words(tags, "description", "comment"),
        "about": {name: value for name, value in about.items() if value},
        "chapters": chapters,
    }


def _words(record: Mapping[str, Any], *names: str) -> str | None:
    for name in names:
        value = record.get(name)
        if isinstance(value, str | int | float) and not isinstance(value, bool) and str(value).strip():
            return " ".join(str(value).split())[:2000]
    return None


def _first_day(record: Mapping[str, Any], names: Sequence[str]) -> date | None:
    for name in names:
        words = _words(record, name) or ""
        if len(words) == 8 and words.isdigit():
            words = f"{words[:4]}-{words[4:6]}-{words[6:]}"
        if (day := parse_date(words)) is not None:
            return day.date() if isinstance(day, datetime) else day
    return None


def _videos(records: Mapping[str, dict[str, Any]], base: Path, left_out: Counter[str]) -> list[ListedVideo]:
    """Each recording once, the newest first where all have a date, else by their names."""
    once: dict[str, tuple[str, dict[str, Any]]] = {}
    for name, record in records.items():
        if record["id"] in once:
            left_out["the same as another"] += 1
        once.setdefault(record["id"], (name, record))
    entries = list(once.values())
    if all(record["published"] for _, record in entries):
        entries.sort(key=lambda each: each[1]["published"], reverse=True)
    return [
        ListedVideo(
            video_id=record["id"],
            site=LOCAL,
            url=(base / PurePath(name)).as_uri(),
            title=record["title"],
            duration=record["duration"],
            published=date.fromisoformat(record["published"]) if record["published"] else None,
            description=record["description"],
            position=position,
            about=record["about"],
            chapters=record["chapters"],
        )
        for position, (name, record) in enumerate(entries)
    ]


def _notes(listed: int, found: _Found) -> list[str]:
    told = [f"{count} {why}" for why, count in sorted(found.left_out.items()) if count]
    notes = [f"{listed} listed, {', '.join(told)}"] if told else []
    if found.unreadable:
        shown = ", ".join(found.unreadable[:MOST_SHOWN]) + (", …" if len(found.unreadable) > MOST_SHOWN else "")
        notes.append(
            f"{len(found.unreadable)} may not be read by this user, and count neither as new nor as gone: {shown}"
        )
    return notes


def copy_recording(
    url: str, video_id: str, target: Path, progress: Callable[[float | None, int], None] | None = None
) -> Path:
    """The file at `url` as `target` with its own ending, if it is still the recording with this id.

    Raises SourceNotFound where it is not (any more), SourceUnreachable where another one is there.
    """
    source = path_of(url)
    ending = source.suffix.lower()
    target = target.with_name(target.name + (ending if re.fullmatch(r"\.[a-z0-9]{1,8}", ending) else ".bin"))
    remedy = "The next sync of its folder, on the machine that has it, finds it wherever it is."
    try:
        # Not through a link: what was one recording must not become any file.
        descriptor = os.open(source, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError as error:
        raise SourceNotFound(f"{source} cannot be read on this machine: {error.strerror}.", remedy=remedy) from None
    with os.fdopen(descriptor, "rb") as file, target.open("wb") as copy:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise SourceNotFound(f"{source} is no file.", remedy=remedy)
        digest, done = hashlib.sha256(), 0
        for piece in _pieces(file):
            digest.update(piece)
            copy.write(piece)
            done += len(piece)
            if progress is not None:
                progress(min(1.0, done / status.st_size) if status.st_size else None, done)
    if digest.hexdigest()[:ID_DIGITS] != video_id:
        target.unlink()
        raise SourceUnreachable(f"{source} has changed since it was listed.", remedy=remedy)
    with suppress(OSError):
        shutil.copystat(source, target)
    return target


def _pieces(file: Any) -> Iterator[bytes]:
    while piece := file.read(_PIECE):
        yield piece
