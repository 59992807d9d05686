"""Put the transcript together and read it: sentences, tokens, entities, topics, key phrases.

One task a transcript, so that they are read in parallel and a bad one fails alone. The model stays in the worker, and
transcripts of ten minutes were read as fast one by one as in batches together, so larger tasks would gain nothing.
"""

from __future__ import annotations

from typing import Any

from channelscribe.catalogue import references, videos
from channelscribe.files import content_key
from channelscribe.speech.assemble import assemble
from channelscribe.store.layout import checkpoint_key, reading_key
from channelscribe.text.models import readers
from channelscribe.text.reading import read as read_transcript
from tasks.caching import RETRIES, ContentPolicy, remembered
from tasks.leases import step
from tasks.records import Checkpoint, ReadTranscript, VideoWork
from tasks.resources import catalogue, settings_of, store

# Raise when `assemble` starts to give other transcripts for the same checkpoints: it is part of a transcript's id.
ASSEMBLE_VERSION = 1


def transcript_id(video: VideoWork, recognition: Checkpoint, alignment: Checkpoint, turns: Checkpoint) -> str:
    """A transcript is its video and what it was made from: the same again is the same transcript."""
    return content_key(
        ASSEMBLE_VERSION, video.site, video.video_id, recognition.content, alignment.content, turns.content
    )


def reading_parts(identity: str, options: dict[str, Any]) -> tuple[Any, ...]:
    """A reading is its transcript, the options, and the versions of what reads it on this worker."""
    return identity, options["text"], readers(settings_of(options).text)


READ = ContentPolicy(
    step="read",
    version=4,
    parts=lambda given: reading_parts(
        transcript_id(given["video"], given["recognition"], given["alignment"], given["turns"]), given["options"]
    ),
    of_video=True,
)


@remembered(READ, name="read", task_run_name="read {video.video_id}", **RETRIES)
def read(
    video: VideoWork,
    recognition: Checkpoint,
    alignment: Checkpoint,
    turns: Checkpoint,
    options: dict[str, Any],
) -> ReadTranscript:
    """Checkpoints to a transcript and its reading, both JSON in the store."""
    identity = transcript_id(video, recognition, alignment, turns)
    reading_of = content_key(READ.version, *reading_parts(identity, options))
    made = ReadTranscript(
        transcript_id=identity,
        transcript_key=checkpoint_key("transcript", identity),
        reading_key=reading_key(video.site, video.video_id, reading_of),
        checkpoint_keys=[checkpoint.key for checkpoint in (recognition, alignment, turns)],
    )
    with step(video, "read"):
        catalogue().run(videos.record_state, video.pk, video.owner, "transcribed")
        catalogue().run(references.note_checkpoint, video.pk, made.transcript_key)
        parts = [store().read_json(checkpoint.key) for checkpoint in (recognition, alignment, turns)]
        transcript = assemble(*parts)
        if not store().exists(made.transcript_key):
            store().put_json(transcript.to_dict(), made.transcript_key)
        if not store().exists(made.reading_key):
            reading = read_transcript(transcript, settings_of(options).text)
            store().put_json(reading.to_dict(), made.reading_key)
    return made
