"""Make the archive (mp3) and the speech track (16 kHz mono FLAC) of one download."""

from __future__ import annotations

from typing import Any

from prefect import task

from channelscribe.audio.prepare import prepare as prepare_media
from channelscribe.store.layout import archive_key, speech_key
from tasks.leases import step
from tasks.policies import RETRY_DELAYS, ContentPolicy, worth_retrying
from tasks.records import Original, PreparedAudio, VideoWork
from tasks.workplace import catalogue, scratch, settings_of, store

PREPARE = ContentPolicy(
    step="prepare",
    version=1,
    parts=lambda given: (
        given["video"].site,
        given["video"].video_id,
        given["original"].key,
        given["original"].bytes,
        given["options"]["audio"],
    ),
)


@task(
    name="prepare",
    task_run_name="prepare {video.video_id}",
    cache_policy=PREPARE,
    retries=len(RETRY_DELAYS),
    retry_delay_seconds=RETRY_DELAYS,
    retry_condition_fn=worth_retrying,
    tags=["audio"],
)
def prepare(video: VideoWork, original: Original, options: dict[str, Any]) -> PreparedAudio:
    """Decode once; the files are whole in the store before this returns."""
    tags = {"title": video.title, "artist": original.uploader or video.channel, "comment": video.url}
    if original.published:
        tags["date"] = original.published
    with (
        step(video, "prepare") as report,
        scratch(f"prepare-{video.video_id}") as folder,
        store().local_path(original.key) as source,
    ):
        made = prepare_media(
            source,
            folder,
            settings_of(options).audio,
            tags,
            announced_seconds=original.seconds,
            progress=report,
        )
        archive = store().put_file(made.archive, archive_key(video.site, video.video_id), overwrite=True)
        speech = store().put_file(made.speech, speech_key(video.site, video.video_id, made.speech_sha256))
        audio = PreparedAudio(
            source_sha256=made.source_sha256,
            speech_sha256=made.speech_sha256,
            archive_key=archive.key,
            speech_key=speech.key,
            seconds=made.seconds,
            format_id=original.format_id,
            bytes=archive.bytes,
            loudness=made.loudness,
            options_key=made.options_key,
        )
        record_audio(video, audio)
    return audio


def record_audio(video: VideoWork, audio: PreparedAudio) -> None:
    """The audio's row. Publishing writes it again: a result from the cache has not written it in this database."""
    catalogue().record_audio(video.pk, video.owner, **audio.model_dump())
