"""What the store has of voices: clips to listen to, and the vectors that go when somebody is forgotten."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from channelscribe.audio.ffmpeg import AUDIO_INPUT, run_ffmpeg
from channelscribe.catalogue import listings
from channelscribe.catalogue import voices as records
from channelscribe.catalogue.connection import clean_text, execute
from channelscribe.catalogue.search import url_at
from channelscribe.catalogue.transcripts import transcript_of
from channelscribe.errors import ChannelscribeError, ObjectMissing, UsageError, stops_run
from channelscribe.retention.library import Library
from channelscribe.settings import SpeechOptions

if TYPE_CHECKING:
    from channelscribe.speech.registry import ResolvedModel

__all__ = ["CLIP_SECONDS", "Clip", "archive_of", "clip_of", "cut_clip", "forget", "hear_again"]

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


NOT_HEARD = """
SELECT video.id AS video_pk, transcript.version, transcript.id AS transcript_pk, transcript.duration,
    site || ':' || video_id AS video,
    (SELECT speech_key FROM audio WHERE audio.video_pk = video.id ORDER BY audio.id DESC LIMIT 1) AS speech_key
FROM video JOIN transcript ON transcript.id = current_transcript_pk
WHERE {where} AND taken_down_at IS NULL AND EXISTS (SELECT FROM speaker WHERE speaker.transcript_pk = transcript.id)
    AND NOT EXISTS (SELECT FROM speaker_voice WHERE speaker_voice.transcript_pk = transcript.id)
ORDER BY published DESC NULLS LAST, video.id
"""
AS_LONG = 1.0
"""Seconds that a speech track may differ from its transcript; one that was trimmed has other times."""


def hear_again(
    library: Library, options: SpeechOptions, channel: str | None, told: Callable[[str], None]
) -> tuple[int, dict[str, str]]:
    """Hear the voices of transcripts from before there were any, as far as their speech tracks are kept, with the
    diarizer of `options`; returns how many were heard, and why by video where that could not be. Raises UnknownSource.
    """
    from channelscribe.speech.registry import resolve_model

    where, values = "true", dict[str, Any]()
    with library.catalogue.session() as session:
        if channel is not None:
            if not listings.known_channel(session, channel):
                raise listings.unknown_channel(session, channel)
            where, values = listings.IN_CHANNEL, {"channel": clean_text(channel)}
        rows = execute(session, NOT_HEARD.format(where=where), **values).all()
    model, heard, left = resolve_model(options), 0, dict[str, str]()
    for row in rows:
        try:
            _hear_one(library, row, model, options)
            heard += 1
            told(row.video)
        except ChannelscribeError as error:
            if stops_run(error):
                raise
            left[row.video] = str(error)
    return heard, left


def _hear_one(library: Library, row: Any, model: ResolvedModel, options: SpeechOptions) -> None:
    from channelscribe.audio.speech_track import SAMPLE_RATE
    from channelscribe.speech.track import open_track
    from channelscribe.speech.voices import hear

    if not row.speech_key:
        raise ObjectMissing("its speech track is not kept.", remedy="`channelscribe sync --refetch` fetches it again.")
    said = library.catalogue.run(transcript_of, row.video_pk, row.version, recognized=True)[2]
    with library.store.local_path(row.speech_key) as path, open_track(path) as track:
        if abs(track.samples / SAMPLE_RATE - row.duration) > AS_LONG:
            raise ObjectMissing("its speech track was trimmed.", remedy="`channelscribe sync --refetch` hears it anew.")
        heard = hear(track, [asdict(turn) for turn in said.turns], model, options)
    with library.catalogue.session() as session:
        records.keep_vectors(session, row.transcript_pk, heard)
        records.regroup_of(session, row.video_pk)


CHECKPOINTS = (
    """SELECT DISTINCT key FROM checkpoint WHERE video_pk = ANY(:videos) AND key LIKE 'checkpoints/voices/%'"""
)


def forget(library: Library, voices: Sequence[str], who: str) -> list[int]:
    """Delete all that is known of voices, in the store and in the catalogue; returns their numbers. Raises UsageError.

    The store comes first: killed half-way, the same again does the rest.
    """
    videos, vectors = library.catalogue.run(records.vectors_of, voices)
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
    return library.catalogue.run(records.forget, voices, who)


def _bytes(vector: list[float] | None) -> bytes:
    return b"" if vector is None else np.asarray(vector, "<f4").tobytes()
