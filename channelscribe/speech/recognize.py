"""Speech track to raw segments: what was said, roughly when, and how sure the recognizer is.

Needs the extra `speech`. Leaves nothing behind; the answer is JSON (the checkpoint of the stage `recognize`).
Stretches of speech come from WhisperX's pyannote voice activity detector, are joined to chunks of at most
`chunk_seconds` and decoded in batches (Bain et al., "WhisperX", Interspeech 2023).
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from channelscribe.audio.speech_track import SAMPLE_RATE
from channelscribe.errors import ChannelscribeError, SpeechFailed
from channelscribe.settings.options import SpeechOptions
from channelscribe.speech.loading import load_recognizer
from channelscribe.speech.registry import ResolvedModel

__all__ = ["Progress", "recognize"]

_DETECTION_SECONDS = 30  # what the recognizer hears to tell the language
_VAD_SHARE = 0.2  # of the stage's time, for the progress bar

Progress = Callable[[float], None]
"""Called with the share of the stage that is done, 0 to 1."""

_log = logging.getLogger(__name__)


def recognize(
    audio: NDArray[np.float32], model: ResolvedModel, options: SpeechOptions, progress: Progress | None = None
) -> dict[str, Any]:
    """Recognizes mono float32 audio at 16 kHz.

    Returns {"language", "segments": [{"start", "end", "text", "avg_logprob"}], "speech_seconds", "no_speech",
    "audio_seconds", "model"}; times in seconds, text with single spaces, `model` the recognizer's
    fingerprint. Where the detector finds no speech the recognizer is not asked: no segments, language None
    unless the model has one. Raises ModelUnavailable, ModelTampered, and SpeechFailed when the engine does.
    """
    report = progress or (lambda _: None)
    recognizer = load_recognizer(model, options)
    try:
        with recognizer.lock:
            chunks = _chunks(recognizer.engine, audio, model, options)
            report(_VAD_SHARE)
            language = model.language or (_language(recognizer.engine, audio, chunks) if chunks else None)
            segments = _decode(recognizer.engine, audio, chunks, language, model, options, report) if chunks else []
    except ChannelscribeError:
        raise
    except Exception as error:
        raise SpeechFailed(f"The recognizer {model.name!r} failed: {type(error).__name__}: {error}") from error
    report(1.0)
    return {
        "language": language,
        "segments": segments,
        "speech_seconds": round(sum(end - start for chunk in chunks for start, end in chunk["segments"]), 3),
        "no_speech": not chunks,
        "audio_seconds": round(len(audio) / SAMPLE_RATE, 3),
        "model": model.fingerprint(options)["recognizer"],
    }


def _chunks(
    pipeline: Any, audio: NDArray[np.float32], model: ResolvedModel, options: SpeechOptions
) -> list[dict[str, Any]]:
    """[{"start", "end", "segments": [(start, end) of each stretch of speech]}] in seconds."""
    if not len(audio):
        return []
    vad = pipeline.vad_model
    scores = vad({"waveform": vad.preprocess_audio(audio), "sample_rate": SAMPLE_RATE})
    chunks: list[dict[str, Any]] = vad.merge_chunks(
        scores, model.chunk_seconds, onset=options.vad_onset, offset=options.vad_offset
    )
    # the detector's last window is padded: it may end after the audio does
    seconds = len(audio) / SAMPLE_RATE
    return [chunk | {"end": min(chunk["end"], seconds)} for chunk in chunks if chunk["start"] < seconds]


def _language(pipeline: Any, audio: NDArray[np.float32], chunks: Sequence[dict[str, Any]]) -> str:
    """The language code of the first 30 s of speech. WhisperX takes the first 30 s of audio: often music."""
    if not pipeline.model.model.is_multilingual:
        return "en"
    speech = np.concatenate([_cut(audio, chunk) for chunk in chunks])[: _DETECTION_SECONDS * SAMPLE_RATE]
    return str(pipeline.detect_language(speech))


def _decode(
    pipeline: Any,
    audio: NDArray[np.float32],
    chunks: Sequence[dict[str, Any]],
    language: str | None,
    model: ResolvedModel,
    options: SpeechOptions,
    report: Progress,
) -> list[dict[str, Any]]:
    """Does what `whisperx.asr.FasterWhisperPipeline.transcribe` does after its voice activity detection."""
    from faster_whisper.tokenizer import Tokenizer

    whisper = pipeline.model
    pipeline.tokenizer = Tokenizer(
        whisper.hf_tokenizer, whisper.model.is_multilingual, task="transcribe", language=language
    )
    pipeline.options = replace(pipeline.options, beam_size=options.beam_size)
    inputs: Iterator[dict[str, Any]] = ({"inputs": _cut(audio, chunk)} for chunk in chunks)
    segments = []
    outputs = pipeline(inputs, batch_size=model.batch_size, num_workers=0)
    for number, (chunk, output) in enumerate(zip(chunks, outputs, strict=True), start=1):
        # a batch size of 1 leaves the answers in lists
        text, avg_logprob = (
            value[0] if isinstance(value, list) else value for value in (output["text"], output["avg_logprob"])
        )
        start, end = round(float(chunk["start"]), 3), round(float(chunk["end"]), 3)
        if text.strip():
            segments.append(
                {
                    "start": start,
                    "end": end,
                    "text": " ".join(text.split()),
                    "avg_logprob": float(avg_logprob),
                }
            )
        else:
            _log.warning("speech from %.1f to %.1f s gave no text", start, end)
        report(1 - (1 - _VAD_SHARE) * (1 - number / len(chunks)))
    return segments


def _cut(audio: NDArray[np.float32], chunk: dict[str, Any]) -> NDArray[np.float32]:
    return audio[int(chunk["start"] * SAMPLE_RATE) : int(chunk["end"] * SAMPLE_RATE)]
