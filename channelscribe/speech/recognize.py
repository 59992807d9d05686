"""Speech track to raw segments: what was said, roughly when, and how sure the recognizer is.

Needs the extra `speech`. Leaves nothing behind; the answer is JSON (the checkpoint of the stage `recognize`).
Stretches of speech come from WhisperX's voice activity detector, are joined to chunks of at most
`chunk_seconds`, decoded in batches (Bain et al., "WhisperX", Interspeech 2023) and checked by the quality gate.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from channelscribe.audio.speech_track import SAMPLE_RATE
from channelscribe.errors import ChannelscribeError, SpeechFailed
from channelscribe.settings.options import SpeechOptions
from channelscribe.speech.activity import Chunk, chunks, listen, stretches
from channelscribe.speech.decoding import Decoder, Gated, decode, encode
from channelscribe.speech.language import Decision, decide, windows
from channelscribe.speech.loading import load_recognizer
from channelscribe.speech.memory import in_batches, is_out_of_memory
from channelscribe.speech.progress import Progress, share
from channelscribe.speech.registry import ResolvedModel
from channelscribe.speech.track import Samples, SpeechTrack, as_track, cut

__all__ = ["Progress", "recognize"]

_VAD_SHARE = 0.2  # of the stage's time, for the progress bar


def recognize(
    audio: Samples | SpeechTrack, model: ResolvedModel, options: SpeechOptions, progress: Progress | None = None
) -> dict[str, Any]:
    """Recognizes mono float32 audio at 16 kHz, whole or as a track that is read in stretches.

    Returns {"language", "segments": [{"start", "end", "text", "avg_logprob", "no_speech_prob", "temperature",
    "flags"}], "speech": [[start, end]], "speech_seconds", "no_speech", "audio_seconds", "quality", "model"};
    times in seconds, text with single spaces, flags of `gate.FLAGS`, `model` the recognizer's fingerprint;
    `quality` is {"decoded_again", "flagged", "unheard": [[start, end]], "languages", "language_probability",
    "mixed_languages"}. Where the detector finds no speech the recognizer is not asked: no segments, language
    None unless the model has one. Raises ModelUnavailable, ModelTampered, CorruptMedia, and SpeechFailed when
    the engine does.
    """
    report = progress or (lambda _: None)
    track = as_track(audio)
    recognizer = load_recognizer(model, options)
    try:
        with recognizer.lock:
            speech, found = _speech(recognizer.engine, track, model, options, share(report, 0, _VAD_SHARE))
            decision = _language(recognizer.engine.model, track, found, model)
            language = decision.language if decision else model.language
            gated = _decode(recognizer.engine.model, track, found, language, model, options, report)
    except ChannelscribeError:
        raise
    except Exception as error:
        raise _failed(model, error) from error
    report(1.0)
    return {
        "language": language,
        "segments": [_segment(chunk, each) for chunk, each in zip(found, gated, strict=True) if each.decoded.text],
        "speech": speech,
        "speech_seconds": round(sum(end - start for start, end in speech), 3),
        "no_speech": not found,
        "audio_seconds": round(track.samples / SAMPLE_RATE, 3),
        "quality": _quality(found, gated, decision),
        "model": model.fingerprint(options)["recognizer"],
    }


def _speech(
    pipeline: Any, track: SpeechTrack, model: ResolvedModel, options: SpeechOptions, report: Progress
) -> tuple[list[list[float]], list[Chunk]]:
    """Stretches of speech in seconds, and the chunks that they make."""
    if not track.samples:
        return [], []
    activity = listen(pipeline.vad_model.vad_pipeline._segmentation, track, report)
    found = stretches(activity, options.vad_onset, options.vad_offset, model.chunk_seconds)
    joined = chunks(found, model.chunk_seconds, track.samples / SAMPLE_RATE)
    return [[round(start, 3), round(end, 3)] for chunk in joined for start, end in chunk.speech], joined


def _language(whisper: Any, track: SpeechTrack, found: Sequence[Chunk], model: ResolvedModel) -> Decision | None:
    """The language that is spoken; None where it is known or nobody speaks."""
    if model.language or not found:
        return None
    if not whisper.model.is_multilingual:
        return Decision("en", 1.0, {"en": 1.0}, mixed=False)
    heard = windows(found)

    def work(batch: Sequence[Chunk]) -> Sequence[list[tuple[str, float]]]:
        encoded = encode(whisper, [cut(track, chunk.start, chunk.end) for chunk in batch])
        answers: Sequence[list[tuple[str, float]]] = whisper.model.detect_language(encoded)
        return answers

    answers = in_batches(heard, model.batch_size, work)
    return decide(
        [
            (chunk.speech_seconds, {token[2:-2]: probability for token, probability in answer})
            for chunk, answer in zip(heard, answers, strict=True)
        ]
    )


def _decode(
    whisper: Any,
    track: SpeechTrack,
    found: Sequence[Chunk],
    language: str | None,
    model: ResolvedModel,
    options: SpeechOptions,
    report: Progress,
) -> list[Gated]:
    if not found:
        return []
    gated: list[Gated] = []
    for each in decode(Decoder(whisper, language, options.beam_size), track, found, language, model.batch_size):
        gated.append(each)
        report(1 - (1 - _VAD_SHARE) * (1 - len(gated) / len(found)))
    return gated


def _segment(chunk: Chunk, gated: Gated) -> dict[str, Any]:
    return {
        "start": round(chunk.start, 3),
        "end": round(chunk.end, 3),
        "text": gated.decoded.text,
        "avg_logprob": gated.decoded.avg_logprob,
        "no_speech_prob": round(gated.decoded.no_speech_prob, 4),
        "temperature": gated.decoded.temperature,
        "flags": gated.flags,
    }


def _quality(found: Sequence[Chunk], gated: Sequence[Gated], decision: Decision | None) -> dict[str, Any]:
    return {
        "decoded_again": sum(each.again for each in gated),
        "flagged": sum(bool(each.flags) for each in gated),
        # Speech without a word has no segment; it is not forgotten.
        "unheard": [
            [round(chunk.start, 3), round(chunk.end, 3)]
            for chunk, each in zip(found, gated, strict=True)
            if not each.decoded.text
        ],
        "languages": decision.shares if decision else {},
        "language_probability": decision.probability if decision else None,
        "mixed_languages": bool(decision and decision.mixed),
    }


def _failed(model: ResolvedModel, error: Exception) -> SpeechFailed:
    remedy = "Set speech.model to a smaller one, or speech.device to cpu." if is_out_of_memory(error) else ""
    return SpeechFailed(f"The recognizer {model.name!r} failed: {type(error).__name__}: {error}", remedy=remedy)
