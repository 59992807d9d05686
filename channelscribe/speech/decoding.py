"""Chunks of speech to text: in batches first, and again alone where the quality gate says no.

Needs the extra `speech`. Leaves nothing behind. The first pass decodes what WhisperX's
`generate_segment_batched` would, with the same options; the temperatures and the choice among them are those
of Whisper (Radford et al., 2022, section 4.5), which WhisperX accepts as options and does not use.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from channelscribe.speech.memory import Room, in_batches
from channelscribe.speech.quality_gate import Decoded, flags
from channelscribe.speech.track import Samples, SpeechTrack, cut
from channelscribe.speech.vad import Chunk

__all__ = ["Clip", "Decoder", "Gated", "clip_of", "decode", "encode", "features_of"]

_TEMPERATURES = (0.2, 0.4, 0.6, 0.8, 1.0)
_CANDIDATES = 5  # sampled at each temperature; the most likely is taken

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Gated:
    """A chunk's text, what the gate says of it, and whether it was decoded again."""

    decoded: Decoded
    flags: list[str]
    again: bool = False


@dataclass(frozen=True)
class Clip:
    """A chunk of the recording with the number `owner`, and what the encoder is given of it."""

    owner: int
    chunk: Chunk
    features: Any


class Decoder:
    """A faster-whisper model with a tokenizer of its own: WhisperX keeps one on the shared pipeline."""

    def __init__(self, whisper: Any, language: str | None, beam_size: int) -> None:
        from faster_whisper.tokenizer import Tokenizer

        self._whisper = whisper
        self._beam_size = beam_size
        self._tokenizer = Tokenizer(
            whisper.hf_tokenizer, whisper.model.is_multilingual, task="transcribe", language=language
        )
        self._prompt = whisper.get_prompt(self._tokenizer, [], without_timestamps=True)

    def decode(self, features: Sequence[Any]) -> list[Decoded]:
        """Beam search over several stretches of at most 30 s at once."""
        encoded = encode(self._whisper, features)
        return self._generate(encoded, len(features), 0.0, beam_size=self._beam_size, patience=1)

    def decode_again(self, features: Any) -> Iterator[Decoded]:
        """The same stretch alone, at rising temperatures; heard once, said anew for each that is taken."""
        encoded = encode(self._whisper, [features])
        for temperature in _TEMPERATURES:
            yield from self._generate(
                encoded,
                1,
                temperature,
                beam_size=1,
                num_hypotheses=_CANDIDATES,
                sampling_topk=0,
                sampling_temperature=temperature,
            )

    def _generate(self, encoded: Any, count: int, temperature: float, **search: Any) -> list[Decoded]:
        results = self._whisper.model.generate(
            encoded,
            [self._prompt] * count,
            length_penalty=1,
            max_length=self._whisper.max_length,
            suppress_blank=True,
            suppress_tokens=[-1],
            return_scores=True,
            return_no_speech_prob=True,
            **search,
        )
        return [self._read(result, temperature) for result in results]

    def _read(self, result: Any, temperature: float) -> Decoded:
        ids, tokenizer = result.sequences_ids[0], self._tokenizer
        text = tokenizer.tokenizer.decode([token for token in ids if token < tokenizer.eot])
        # CTranslate2 gives the mean over the tokens; Whisper's counts the end of text too.
        logprob = result.scores[0] * len(ids) / (len(ids) + 1)
        return Decoded(" ".join(text.split()), float(logprob), float(result.no_speech_prob), temperature)


def features_of(whisper: Any, audio: Samples) -> Any:
    """The mel spectrogram of at most 30 s, padded to 30 s: what Whisper was trained on."""
    from whisperx.audio import N_SAMPLES, log_mel_spectrogram

    mels = whisper.feat_kwargs.get("feature_size") or 80
    return log_mel_spectrogram(audio, n_mels=mels, padding=N_SAMPLES - len(audio))


def encode(whisper: Any, features: Sequence[Any]) -> Any:
    """The encoder's output for several stretches."""
    import torch

    return whisper.encode(torch.stack(list(features)))


def clip_of(whisper: Any, track: SpeechTrack, chunk: Chunk, owner: int = 0) -> Clip:
    """A chunk, read and ready for the encoder. Raises CorruptMedia."""
    audio = np.ascontiguousarray(cut(track, chunk.start, chunk.end))
    return Clip(owner, chunk, features_of(whisper, audio))


def decode(decoder: Decoder, clips: Sequence[Clip], language: str | None, size: int | Room) -> Iterator[Gated]:
    """What is said in each clip, in order, `size` at a time, fewer where memory runs out."""

    def work(batch: Sequence[Clip]) -> list[Gated]:
        said = decoder.decode([clip.features for clip in batch])
        return [_gated(decoder, clip, decoded, language) for clip, decoded in zip(batch, said, strict=True)]

    return in_batches(clips, size, work)


def _gated(decoder: Decoder, clip: Clip, first: Decoded, language: str | None) -> Gated:
    """What passes the gate, or else the least suspect of all tries, the likelier first."""
    chunk = clip.chunk
    wrong = flags(first, chunk.speech_seconds, language)
    if not wrong:
        return Gated(first, [])
    tries = [(first, wrong)]
    for candidate in decoder.decode_again(clip.features):
        if first.text and not candidate.text:
            continue  # doubtful words are worth more than none
        tries.append((candidate, flags(candidate, chunk.speech_seconds, language)))
        if not tries[-1][1]:
            break
    best, left = min(tries, key=lambda each: (len(each[1]), -each[0].avg_logprob))
    _log.info("speech at %.1f s was decoded again (%s): %s", chunk.start, ", ".join(wrong), ", ".join(left) or "passed")
    return Gated(best, left, again=True)
