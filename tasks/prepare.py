"""Make the archive and the speech track (16 kHz mono FLAC) of one download, and their parts where they are split.

Cached by the sha256 of the source and the audio options, whatever the run.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from channelscribe.audio.plan import uses_chapters
from channelscribe.audio.prepare import Part, Prepared, prepare_key
from channelscribe.audio.prepare import prepare as prepare_media
from channelscribe.catalogue import videos
from channelscribe.files import content_key
from channelscribe.store.layout import archive_key, part_key, speech_key
from tasks.caching import RETRIES, ContentPolicy, remembered
from tasks.leases import step
from tasks.records import AudioPart, Original, PreparedAudio, VideoWork
from tasks.resources import catalogue, scratch, settings_of, store

# What is known of a timeline and of parts is not the catalogue's.
NOT_IN_ROWS = {"timeline", "archive_timeline", "parts", "transcripts"}


def _made_from(video: VideoWork, original: Original, options: dict[str, Any]) -> tuple[Any, ...]:
    """What decides the answer: whose it is, the bytes, the options that have an effect, chapters if asked for, and what
    the publisher has written down.
    """
    audio = settings_of(options).audio
    chapters = original.chapters if uses_chapters(audio) else []
    published = [[each.sha256 for each in original.transcripts]] if original.transcripts else []
    return (video.site, video.video_id, original.sha256, prepare_key(audio), chapters, *published)


PREPARE = ContentPolicy(
    step="prepare",
    version=2,
    parts=lambda given: _made_from(given["video"], given["original"], given["options"]),
    of_video=True,
)


@remembered(PREPARE, name="prepare", task_run_name="prepare {video.video_id}", **RETRIES)
def prepare(video: VideoWork, original: Original, options: dict[str, Any]) -> PreparedAudio:
    """Decode once; the files are whole in the store before this returns."""
    with (
        step(video, "prepare") as report,
        scratch(f"prepare-{video.video_id}") as folder,
        store().local_path(original.key) as source,
        local_cover(original) as cover,
    ):
        made = prepare_media(
            source,
            folder,
            settings_of(options).audio,
            tags_of(video, original),
            announced_seconds=original.seconds,
            progress=report,
            chapters=original.chapters,
            cover=cover,
        )
        audio = stored(video, original, made, content_key(*_made_from(video, original, options)))
        record_audio(video, audio)
    return audio


@contextmanager
def local_cover(original: Original) -> Iterator[Path | None]:
    if original.cover_key is None or not store().exists(original.cover_key):
        yield None
        return
    with store().local_path(original.cover_key) as path:
        yield path


def tags_of(video: VideoWork, original: Original) -> dict[str, str]:
    artist = original.uploader or video.channel
    return {"title": video.title, "artist": artist, "date": original.published or "", "url": video.url}


def stored(video: VideoWork, original: Original, made: Prepared, made_from: str) -> PreparedAudio:
    """Everything that was made, in the store."""
    extension = made.archive.suffix.removeprefix(".")
    archive = store().put_file(made.archive, archive_key(video.site, video.video_id, extension), overwrite=True)
    speech = store().put_file(made.speech, speech_key(video.site, video.video_id, made.speech_sha256))
    return PreparedAudio(
        source_sha256=made.source_sha256,
        speech_sha256=made.speech_sha256,
        archive_key=archive.key,
        speech_key=speech.key,
        seconds=made.seconds,
        format_id=original.format_id,
        bytes=archive.bytes,
        loudness=made.loudness,
        options_key=made.options_key,
        timeline=None if made.speech_timeline.is_whole else made.speech_timeline.to_json(),
        archive_timeline=None if made.archive_timeline.is_whole else made.archive_timeline.to_json(),
        parts=[stored_part(video, made_from, part) for part in made.parts],
        transcripts=original.transcripts,
    )


def stored_part(video: VideoWork, made_from: str, part: Part) -> AudioPart:
    name, extension = f"{part.track}-{part.number:03d}", part.path.suffix.removeprefix(".")
    put = store().put_file(part.path, part_key(video.site, video.video_id, made_from, name, extension), overwrite=True)
    return AudioPart(track=part.track, key=put.key, bytes=put.bytes, title=part.title, timeline=part.timeline.to_json())


def record_audio(video: VideoWork, audio: PreparedAudio) -> None:
    """The audio's row. Publishing writes it again: a result from the cache has not written it in this database."""
    parts = [part.key for part in audio.parts]
    catalogue().run(
        videos.record_audio, video.pk, video.owner, **audio.model_dump(exclude=NOT_IN_ROWS), part_keys=parts
    )
