"""Recognize, align and diarize: three checkpoints, so that a failure in one never costs the others."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from prefect import task

from channelscribe.audio.speech_track import read_speech
from channelscribe.hashing import content_key
from channelscribe.speech import align as aligning
from channelscribe.speech import diarize as diarizing
from channelscribe.speech import recognize as recognizing
from channelscribe.speech.registry import resolve_model
from channelscribe.store.layout import checkpoint_key
from tasks.leases import Report, step
from tasks.policies import RETRY_DELAYS, ContentPolicy, worth_retrying
from tasks.records import Checkpoint, PreparedAudio, VideoWork
from tasks.workplace import settings_of, store

Given = dict[str, Any]


def _made_from(stage: str, given: Given) -> tuple[Any, ...]:
    """What decides a stage's result: the track, or what went before, and that stage's model and options."""
    options = settings_of(given["options"]).speech
    fingerprint = resolve_model(options).fingerprint(options)[stage]
    before = given["recognition"].content if stage == "aligner" else given["audio"].speech_sha256
    return (stage, before, fingerprint)


def _policy(name: str, stage: str) -> ContentPolicy:
    return ContentPolicy(step=name, version=1, parts=lambda given: _made_from(stage, given))


RECOGNIZE = _policy("recognize", "recognizer")
ALIGN = _policy("align", "aligner")
DIARIZE = _policy("diarize", "diarizer")

ON_SPEECH_WORKER: dict[str, Any] = {
    "retries": len(RETRY_DELAYS),
    "retry_delay_seconds": RETRY_DELAYS,
    "retry_condition_fn": worth_retrying,
    "tags": ["speech"],
}


def _checkpoint(video: VideoWork, name: str, content: str, make: Callable[[Report], dict[str, Any]]) -> Checkpoint:
    """The stage's JSON from the store, or made now and put there."""
    key = checkpoint_key(name, content)
    with step(video, name) as report:
        if not store().exists(key):
            store().put_json(make(report), key)
    return Checkpoint(key=key, content=content)


@task(name="recognize", task_run_name="recognize {video.video_id}", cache_policy=RECOGNIZE, **ON_SPEECH_WORKER)
def recognize(video: VideoWork, audio: PreparedAudio, options: dict[str, Any]) -> Checkpoint:
    """Speech track to raw segments."""
    speech = settings_of(options).speech
    content = content_key(*_made_from("recognizer", {"audio": audio, "options": options}))

    def make(report: Report) -> dict[str, Any]:
        with store().local_path(audio.speech_key) as path:
            return recognizing.recognize(read_speech(path), resolve_model(speech), speech, progress=report)

    return _checkpoint(video, "recognize", content, make)


@task(name="align", task_run_name="align {video.video_id}", cache_policy=ALIGN, **ON_SPEECH_WORKER)
def align(video: VideoWork, audio: PreparedAudio, recognition: Checkpoint, options: dict[str, Any]) -> Checkpoint:
    """Raw segments to words with times."""
    speech = settings_of(options).speech
    content = content_key(*_made_from("aligner", {"recognition": recognition, "options": options}))

    def make(report: Report) -> dict[str, Any]:
        segments = store().read_json(recognition.key)
        with store().local_path(audio.speech_key) as path:
            return aligning.align(read_speech(path), segments, resolve_model(speech), speech, progress=report)

    return _checkpoint(video, "align", content, make)


@task(name="diarize", task_run_name="diarize {video.video_id}", cache_policy=DIARIZE, **ON_SPEECH_WORKER)
def diarize(video: VideoWork, audio: PreparedAudio, options: dict[str, Any]) -> Checkpoint:
    """Speech track to speaker turns."""
    speech = settings_of(options).speech
    content = content_key(*_made_from("diarizer", {"audio": audio, "options": options}))

    def make(report: Report) -> dict[str, Any]:
        with store().local_path(audio.speech_key) as path:
            return diarizing.diarize(read_speech(path), resolve_model(speech), speech, progress=report)

    return _checkpoint(video, "diarize", content, make)
