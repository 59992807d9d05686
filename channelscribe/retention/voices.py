"""What the store has of voices: clips to listen to, and the vectors that go when somebody is forgotten."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from channelscribe.audio.ffmpeg import AUDIO_INPUT, run_ffmpeg
from channelscribe.catalogue import voices as records
from channelscribe.catalogue.connection import execute
from channelscribe.catalogue.search import url_at
from channelscribe.errors import ChannelscribeError, ObjectMissing, UsageError
from channelscribe.retention.library import Library

__all__ = ["CLIP_SECONDS", "Clip", "archive_of", "clip_of", "cut_clip", "forget"]

CLIP_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class Clip:
    """Where a voice is heard well, in seconds of the video; `url` opens the site there."""

    video_pk: int
    video: str
    title: str
    start: float
    end: float
    url: str

    def to_dict(self) -> dict[str, Any]:
        """As `--json` tells of it."""
        return {name: value for name, value in asdict(self).items() if name != "video_pk"}


def clip_of(voice: records.Voice) -> Clip | None:
    """CLIP_SECONDS at most from the middle of a long turn; None where no turn is known."""
    member = voice.clearest
    if member is None or member.longest[1] <= member.longest[0]:
        return None
    first, last = member.longest
    start = round(first + max(0.0, last - first - CLIP_SECONDS) / 2, 1)
    end = round(min(last, start + CLIP_SECONDS), 1)
    url = url_at(member.site, member.url, start)
    return Clip(member.video_pk, member.video, member.title, start, end, url)


def archive_of(library: Library, clip: Clip) -> str | None:
    """The key of the archived audio that the clip is in; None where there is none any more."""
    query = "SELECT archive_key FROM audio WHERE video_pk = :video AND archive_key <> '' ORDER BY id DESC LIMIT 1"
    with library.catalogue.connection() as connection:
        key = execute(connection, query, video=clip.video_pk).scalar_one_or_none()
    return str(key) if key and library.store.exists(str(key)) else None


def cut_clip(library: Library, clip: Clip, folder: Path, name: str) -> Path | None:
    """Cut a clip out of the archived audio into a file; None where that is gone, or is no audio any more.

    Raises UsageError for a folder that cannot be written.
    """
    key = archive_of(library, clip)
    if key is None:
        return None
    path = folder / f"{name}{Path(key).suffix}"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with library.store.local_path(key) as archive:
            span = ["-ss", f"{clip.start:.2f}", "-t", f"{clip.end - clip.start:.2f}"]
            run_ffmpeg(archive, ["-vn", "-c:a", "copy", f"file:{path.absolute()}"], 60, opening=[*AUDIO_INPUT, *span])
    except OSError as error:
        raise UsageError(f"{folder}: {error.strerror}.", remedy="Choose another folder.") from error
    except ObjectMissing:
        return None
    except ChannelscribeError:
        path.unlink(missing_ok=True)
        return None
    return path


CHECKPOINTS = (
    """SELECT DISTINCT key FROM checkpoint WHERE video_pk = ANY(:videos) AND key LIKE 'checkpoints/voices/%'"""
)


def forget(library: Library, voice: str, who: str) -> int:
    """Delete all that is known of a voice, in the store and in the catalogue; returns its number. Raises UsageError.

    The store comes first: killed half-way, the same again does the rest.
    """
    videos, vectors = library.catalogue.run(records.vectors_of, voice)
    with library.catalogue.connection() as connection:
        keys = [str(key) for key in execute(connection, CHECKPOINTS, videos=videos).scalars()]
    for key in keys:
        try:
            heard = library.store.read_json(key)
        except ObjectMissing:
            continue
        kept = {label: each for label, each in heard["voices"].items() if _bytes(each["vector"]) not in vectors}
        if len(kept) < len(heard["voices"]):
            library.store.put_json({**heard, "voices": kept}, key, overwrite=True)
    return library.catalogue.run(records.forget, voice, who)


def _bytes(vector: list[float] | None) -> bytes:
    return b"" if vector is None else np.asarray(vector, "<f4").tobytes()
