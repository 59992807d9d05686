"""Write a transcript's files, then its rows and the *current* pointer in one transaction; record what failed."""

from __future__ import annotations

from typing import Any

from prefect import task

from channelscribe.catalogue import publishing, videos
from channelscribe.errors import stops_run
from channelscribe.export import FORMATS, VideoMeta, render
from channelscribe.store.layout import transcript_key, voices_key
from channelscribe.transcript import Transcript
from tasks import telling
from tasks.artifacts import show_transcript
from tasks.caching import RETRIES
from tasks.embed import passages_of
from tasks.leases import step, stop_run
from tasks.prepare import record_audio
from tasks.records import EmbeddedTranscript, Options, PreparedAudio, ReadTranscript, VideoWork
from tasks.resources import catalogue, own_settings, settings_of, store


@task(
    name="publish",
    task_run_name="publish {video.video_id}",
    persist_result=False,
    **RETRIES,
)
def publish(
    video: VideoWork,
    audio: PreparedAudio,
    read: ReadTranscript,
    options: Options,
    made: EmbeddedTranscript | None = None,
) -> int:
    """Files first: a transcript is current only when all of it can be read. Idempotent, hence not cached.

    Returns the version that is current now.
    """
    transcript = Transcript.from_dict(store().read_json(read.transcript_key))
    reading = store().read_json(read.reading_key)
    (row,) = catalogue().run(videos.rows_of, [video.pk])
    topics = [[each["start"], each.get("title", "")] for each in reading.get("topics", ())]
    chapters = VideoMeta.titled(row.chapters or topics)
    meta = VideoMeta(title=video.title, url=video.url, id=video.video_id, channel=video.channel, chapters=chapters)
    subtitles = own_settings().subtitles
    with step(video, "publish"):
        files = {}
        for name in FORMATS:
            key = transcript_key(video.site, video.video_id, read.transcript_id, name)
            # Immutable: a title that changed since does not change the files of a version that is out.
            if not store().exists(key):
                store().add_bytes(render(transcript, name, meta, subtitles=subtitles).encode(), key)
            files[name] = key
        record_audio(video, audio)
        voices, heard = heard_voices(read) if settings_of(options).sources.voices else ([], None)
        version = catalogue().run(
            publishing.publish,
            video.pk,
            video.owner,
            read.transcript_id,
            transcript,
            reading,
            files,
            transcript.models,
            reading_key=read.reading_key,
            checkpoint_keys=[*read.checkpoint_keys, read.transcript_key, *voices],
            heard=heard,
            embedded=passages_of(made),
        )
    show_transcript(video, transcript, meta, version)
    telling.published(video, version, transcript)
    telling.tell_soon()
    return version


def heard_voices(read: ReadTranscript) -> tuple[list[str], dict[str, Any] | None]:
    """The voices that were heard with the transcript's diarization, and their key; of an older one there are none."""
    for key in map(voices_key, read.checkpoint_keys):
        if key is not None and store().exists(key):
            return [key], store().read_json(key)
    return [], None


def record_failure(video: VideoWork, error: Exception) -> None:
    """Put the reason on the video's row, which decides when it is looked at again.

    Somebody else may have the video by now: then what they make of it counts, and nothing is written. What is the
    machine's failure is no video's: the run gives back all that it holds, so that its other steps stop, too.
    """
    if stops_run(error):
        stop_run(video, error)
        return
    catalogue().run(videos.record_failure, video.pk, video.owner, error)
    telling.failed(video, error)
