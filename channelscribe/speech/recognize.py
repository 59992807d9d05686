"""Speech track to raw segments: what was said, roughly when, and how sure the recognizer is.

Needs the extra `speech`. Leaves nothing behind; the answer is JSON (the checkpoint of the stage `recognize`).
Stretches of speech come from WhisperX's voice activity detector, are joined to chunks of at most
`chunk_seconds`, decoded in batches (Bain et al., "WhisperX", Interspeech 2023) and checked by the quality gate.

Several recordings share batches, and what a CPU does goes on while the device decodes:

    open, detector, language ──▶ read, features ──▶ encode, decode, gate ──▶ one answer a recording
    one recording ahead          one batch ahead    here
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import nullcontext
from functools import partial
from typing import Any

from channelscribe.audio.speech_track import SAMPLE_RATE
from channelscribe.errors import ChannelscribeError
from channelscribe.settings.options import SpeechOptions
from channelscribe.speech.batches import Opener, Recognition, Recording, Usual
from channelscribe.speech.decoding import Gated
from channelscribe.speech.language import Decision
from channelscribe.speech.loading import load_recognizer
from channelscribe.speech.prefetch import ahead
from channelscribe.speech.progress import Progress
from channelscribe.speech.provenance import measured
from channelscribe.speech.registry import ResolvedModel
from channelscribe.speech.track import Samples, SpeechTrack, as_track
from channelscribe.speech.vad import Chunk

__all__ = ["Opener", "Progress", "ahead_of_device", "each_measured", "recognize", "recognize_all"]


def recognize(
    audio: Samples | SpeechTrack,
    model: ResolvedModel,
    options: SpeechOptions,
    progress: Progress | None = None,
    usual: Usual = lambda _: None,
) -> dict[str, Any]:
    """Recognizes mono float32 audio at 16 kHz, whole or as a track that is read in stretches.

    Returns {"language", "segments": [{"start", "end", "text", "avg_logprob", "no_speech_prob", "temperature",
    "flags", "words" as in `word_times`, where the recognizer's attention tells, "language" where it is not that of the
    whole}], "speech": [[start, end]],
    "speech_seconds", "no_speech", "audio_seconds", "quality", "model"}; times in seconds, text with single spaces,
    flags of `quality_gate.FLAGS`, `model` the recognizer's fingerprint,
    `work_seconds` what it took without loading;
    `quality` is {"decoded_again", "flagged", "unheard": [[start, end]], "languages", "language_probability",
    "mixed_languages"}. Where the detector finds no speech the recognizer is not asked: no segments, language
    None unless the model has one. Raises ModelUnavailable, ModelTampered, CorruptMedia, and SpeechFailed when
    the engine does.
    """
    report = progress or (lambda _: None)
    track = as_track(audio)
    (answer,) = recognize_all([lambda: nullcontext(track)], model, options, lambda _, done: report(done), usual=usual)
    if isinstance(answer, ChannelscribeError):
        raise answer
    return answer


def recognize_all(
    openers: Iterable[Opener],
    model: ResolvedModel,
    options: SpeechOptions,
    told: Callable[[int, float], None] | None = None,
    ahead_by: int | None = None,
    usual: Usual = lambda _: None,
) -> Iterator[dict[str, Any] | ChannelscribeError]:
    """What `recognize` returns for each recording, in order, or the error in place of it.

    Chunks of several short recordings share a batch; language and quality are each recording's own. At most
    `ahead_by` recordings are heard before they are needed, in threads; 0: nothing is done ahead, as is best on a CPU,
    where all of it wants the same cores, and the default there (on a GPU 1). `told` gets a recording's number and the
    share of it that is done, from several threads; what it raises is that recording's error. `usual` is asked for the
    language that decides where little is said and `options` name none. Raises ModelUnavailable
    and ModelTampered, which hold for all.
    """
    recognizer = load_recognizer(model, options)
    by = ahead_of_device(model) if ahead_by is None else ahead_by
    work = Recognition(recognizer.engine, recognizer.lock, model, options, told or (lambda _, __: None), usual)
    try:
        recordings = ahead(work.heard(openers), by)
        for batch in ahead(work.batches(recordings), min(1, by)):
            for recording in work.done(batch):
                yield recording.error or _answer(recording, model, options)
    finally:
        work.close()


def ahead_of_device(model: ResolvedModel) -> int:
    """How many recordings a CPU should be ahead of the device: none where they are the same."""
    return 0 if model.device == "cpu" else 1


def each_measured(
    model: ResolvedModel, answers: Iterator[dict[str, Any] | ChannelscribeError]
) -> Iterator[dict[str, Any] | ChannelscribeError]:
    """The answers of `recognize_all`, each with what it took (`provenance.measured`): its own share of the work, since
    recordings share batches.
    """
    while True:
        other: list[ChannelscribeError | None] = []
        made = measured(model, partial(_next, answers, other))
        if not other:
            made["made"]["seconds"] = made.pop("work_seconds", made["made"]["seconds"])
            yield made
        elif other[0] is not None:
            yield other[0]
        else:
            return


def _next(answers: Iterator[Any], other: list[ChannelscribeError | None]) -> dict[str, Any]:
    """The next answer, or nothing: then `other` gets the error that came instead, or None at the end."""
    answer = next(answers, None)
    if isinstance(answer, dict):
        return answer
    other.append(answer)
    return {}


def _answer(recording: Recording, model: ResolvedModel, options: SpeechOptions) -> dict[str, Any]:
    gated, track = [each for parts in recording.gated for each in parts], recording.track
    found = [each.chunk for each in gated if each.chunk is not None]
    speech = [
        list(stretch) for chunk, each in zip(found, gated, strict=True) for stretch in each.speech or chunk.speech
    ]
    translated = options.task == "translate" and recording.language not in (None, "en")
    return {
        "language": "en" if translated else recording.language,
        "segments": [
            _segment(chunk, each, "en" if translated else recording.language)
            for chunk, each in zip(found, gated, strict=True)
            if each.decoded.text
        ],
        "speech": [[round(start, 3), round(end, 3)] for start, end in speech],
        "speech_seconds": round(sum(end - start for start, end in speech), 3),
        "no_speech": not recording.chunks,
        "audio_seconds": round((track.samples if track else 0) / SAMPLE_RATE, 3),
        "quality": _quality(found, gated, recording.decision)
        | ({"translated_from": recording.language} if translated else {}),
        "model": model.fingerprint(options)["recognizer"],
        "work_seconds": round(recording.seconds, 3),
    }


def _segment(chunk: Chunk, gated: Gated, main: str | None) -> dict[str, Any]:
    return {
        "start": round(chunk.start, 3),
        "end": round(chunk.end, 3),
        "text": gated.decoded.text,
        # the last digits depend on what shared the batch, which nobody should see in a result
        "avg_logprob": round(gated.decoded.avg_logprob, 4),
        "no_speech_prob": round(gated.decoded.no_speech_prob, 4),
        "temperature": gated.decoded.temperature,
        "flags": gated.flags,
        **({"words": gated.words} if gated.words else {}),
        **({"language": gated.language} if gated.language not in (None, main) else {}),
    }


def _quality(found: Sequence[Chunk], gated: Sequence[Gated], decision: Decision | None) -> dict[str, Any]:
    spoken: dict[str, float] = {}
    for chunk, each in zip(found, gated, strict=True):
        spoken[each.language or ""] = spoken.get(each.language or "", 0.0) + chunk.speech_seconds
    total = sum(spoken.values())
    most_first = sorted(spoken.items(), key=lambda each: -each[1])
    several = {language: round(seconds / total, 3) for language, seconds in most_first} if total else {}
    return {
        "decoded_again": sum(each.again for each in gated),
        "flagged": sum(bool(each.flags) for each in gated),
        # Speech without a word has no segment; it is not forgotten.
        "unheard": [
            [round(chunk.start, 3), round(chunk.end, 3)]
            for chunk, each in zip(found, gated, strict=True)
            if not each.decoded.text
        ],
        "languages": several if decision and len(several) > 1 else decision.shares if decision else {},
        "language_probability": decision.probability if decision else None,
        "mixed_languages": bool(decision and (decision.mixed or len(several) > 1)),
    }
