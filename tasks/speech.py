"""Recognize, align and diarize: three checkpoints, so that a failure in one never costs the others.

The track may be a trimmed one; a checkpoint always speaks of the original's seconds.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

from prefect import task

from channelscribe.audio.original_time import in_original_time, in_track_time
from channelscribe.audio.timeline import Timeline
from channelscribe.catalogue import references
from channelscribe.errors import stops_run
from channelscribe.files import content_key
from channelscribe.settings.options import SpeechOptions
from channelscribe.sources.podcasting import best_transcript, read_transcript
from channelscribe.speech import align as aligning
from channelscribe.speech import diarize as diarizing
from channelscribe.speech import recognize as recognizing
from channelscribe.speech import voices as hearing
from channelscribe.speech.provenance import measured
from channelscribe.speech.registry import ResolvedModel, resolve_model
from channelscribe.speech.track import open_track
from channelscribe.store.layout import checkpoint_key
from tasks.batch_recognition import Due, make_together, usual_language
from tasks.caching import RETRIES, ContentPolicy, remembered
from tasks.leases import Report, record_stage, step
from tasks.records import Checkpoint, PreparedAudio, PublisherTranscript, VideoWork
from tasks.resources import catalogue, settings_of, store

_log = logging.getLogger(__name__)

Given = dict[str, Any]

# Raise when a stage starts to give other results for the same input: it is part of the checkpoint's key.
VERSIONS = {"recognizer": 5, "aligner": 3, "diarizer": 2}
PUBLISHER_VERSION = 1


def _made_from(stage: str, given: Given) -> tuple[Any, ...]:
    """What decides a stage's result: the track and its place in the original, or what went before (which was made
    from that), and that stage's model and options.
    """
    options = settings_of(given["options"]).speech
    if stage == "recognizer" and (taken := published(given["audio"], options)) is not None:
        return ("publisher", PUBLISHER_VERSION, taken.sha256, taken.language, given["audio"].seconds)
    fingerprint = resolve_model(options, given["audio"].seconds).fingerprint(options)[stage]
    if stage == "aligner":
        return (stage, VERSIONS[stage], given["recognition"].content, fingerprint)
    audio = given["audio"]
    return (stage, VERSIONS[stage], audio.speech_sha256, fingerprint, *([audio.timeline] if audio.timeline else []))


def _policy(name: str, stage: str) -> ContentPolicy:
    return ContentPolicy(step=name, version=VERSIONS[stage], parts=lambda given: _made_from(stage, given))


RECOGNIZE = _policy("recognize", "recognizer")
ALIGN = _policy("align", "aligner")
DIARIZE = _policy("diarize", "diarizer")


def published(audio: PreparedAudio, options: SpeechOptions) -> PublisherTranscript | None:
    """The publisher's transcript that is taken in place of recognizing; None where none is wanted, or there is none."""
    if options.transcripts != "publisher":
        return None
    found = best_transcript([each.model_dump() for each in audio.transcripts], options.language)
    return PublisherTranscript(**found) if found else None


def as_published(taken: PublisherTranscript, audio: PreparedAudio) -> dict[str, Any]:
    """The publisher's words as `recognize` answers; nobody has measured how sure they are, or what else was said.

    Its times are the original's. What begins after the recording's end is not in it.
    """
    timeline = _timeline(audio)
    seconds = timeline.original_seconds if timeline else audio.seconds
    segments: list[Given] = [
        {"start": round(each.start, 3), "end": round(min(each.end, seconds), 3), "text": each.text,
         "avg_logprob": None, "flags": []}
        for each in read_transcript(store().read_bytes(taken.key), taken.kind)
        if each.start < seconds
    ]  # fmt: skip
    model = {"name": "publisher", "kind": taken.kind, "sha256": taken.sha256}
    return {
        "language": taken.language.partition("-")[0].partition("_")[0],
        "segments": segments,
        "no_speech": not segments,
        "audio_seconds": round(seconds, 3),
        "quality": {},
        "model": model,
    }


def _timeline(audio: PreparedAudio) -> Timeline | None:
    return Timeline.from_json(audio.timeline) if audio.timeline else None


def _checkpoint(
    video: VideoWork, name: str, content: str, model: ResolvedModel, make: Callable[[Report], dict[str, Any]]
) -> Checkpoint:
    """The stage's JSON from the store, or made now and put there, with what that took."""
    key = checkpoint_key(name, content)
    with step(video, name, recorded=False) as report:
        catalogue().run(references.note_checkpoint, video.pk, key)
        if not store().exists(key):
            with record_stage(video, name):
                # It tells seconds, so it is never the same twice: who made it first, meanwhile, counts.
                store().add_json(measured(model, lambda: make(report)), key)
    return Checkpoint(key=key, content=content)


@task(name="recognize-together", persist_result=False)
def recognize_together(videos: list[VideoWork], audio: list[PreparedAudio], options: dict[str, Any]) -> int:
    """Short videos' recognitions in shared batches, each kept as soon as it is there; returns how many were made.

    It never fails: what is not made here, `recognize` makes, or tells why not.
    """
    speech = settings_of(options).speech
    due = []
    for video, each in zip(videos, audio, strict=True):
        if published(each, speech) is not None:
            continue
        content = content_key(*_made_from("recognizer", {"audio": each, "options": options}))
        due.append(Due(video, each, resolve_model(speech, each.seconds), checkpoint_key("recognize", content)))
    return make_together(due, speech)


@remembered(RECOGNIZE, name="recognize", task_run_name="recognize {video.video_id}", **RETRIES)
def recognize(video: VideoWork, audio: PreparedAudio, options: dict[str, Any], after: int | None = None) -> Checkpoint:
    """Speech track to raw segments, or the publisher's transcript where that is wanted. `after`: a batch that may have
    made it already.
    """
    speech = settings_of(options).speech
    content = content_key(*_made_from("recognizer", {"audio": audio, "options": options}))
    model = resolve_model(speech, audio.seconds)

    def make(report: Report) -> dict[str, Any]:
        if (taken := published(audio, speech)) is not None:
            return as_published(taken, audio)
        with store().local_path(audio.speech_key) as path, open_track(path) as track:
            heard = recognizing.recognize(track, model, speech, report, lambda _: usual_language(video))
        return in_original_time(heard, _timeline(audio))

    return _checkpoint(video, "recognize", content, model, make)


@remembered(ALIGN, name="align", task_run_name="align {video.video_id}", **RETRIES)
def align(video: VideoWork, audio: PreparedAudio, recognition: Checkpoint, options: dict[str, Any]) -> Checkpoint:
    """Raw segments to words with times."""
    speech = settings_of(options).speech
    given = {"audio": audio, "recognition": recognition, "options": options}
    content = content_key(*_made_from("aligner", given))
    model = resolve_model(speech, audio.seconds)

    def make(report: Report) -> dict[str, Any]:
        segments = in_track_time(store().read_json(recognition.key), _timeline(audio))
        with store().local_path(audio.speech_key) as path, open_track(path) as track:
            aligned = aligning.align(track, segments, model, speech, progress=report)
        return in_original_time(aligned, _timeline(audio))

    return _checkpoint(video, "align", content, model, make)


@remembered(DIARIZE, name="diarize", task_run_name="diarize {video.video_id}", **RETRIES)
def diarize(video: VideoWork, audio: PreparedAudio, options: dict[str, Any]) -> Checkpoint:
    """Speech track to speaker turns; and beside them what each voice is like, where that is wanted."""
    settings = settings_of(options)
    speech = settings.speech
    content = content_key(*_made_from("diarizer", {"audio": audio, "options": options}))
    model = resolve_model(speech, audio.seconds)

    def make(report: Report) -> dict[str, Any]:
        with store().local_path(audio.speech_key) as path, open_track(path) as track:
            turns = diarizing.diarize(track, model, speech, progress=report)
            if settings.sources.voices:
                _keep_voices(
                    video, checkpoint_key("voices", content), lambda: hearing.hear(track, turns["turns"], model, speech)
                )
        return in_original_time(turns, _timeline(audio))

    return _checkpoint(video, "diarize", content, model, make)


def _keep_voices(video: VideoWork, key: str, hear: Callable[[], dict[str, Any]]) -> None:
    """What fails here costs the voices, not the turns."""
    catalogue().run(references.note_checkpoint, video.pk, key)
    try:
        if not store().exists(key):
            store().add_json(hear(), key)
    except Exception as error:
        if stops_run(error):
            raise
        _log.warning("The voices of %s were not heard: %s", video.video_id, error)
