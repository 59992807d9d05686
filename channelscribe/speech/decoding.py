"""Chunks of speech to text: in batches first, and again alone where the quality gate says no.

Needs the extra `speech`. Leaves nothing behind. The first pass decodes what WhisperX's
`generate_segment_batched` would, with the same options; the temperatures and the choice among them are those
of Whisper (Radford et al., 2022, section 4.5), which WhisperX accepts as options and does not use.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from channelscribe.audio.speech_track import SAMPLE_RATE
from channelscribe.settings.options import SpeechOptions
from channelscribe.speech.language import runs
from channelscribe.speech.memory import Room, in_batches
from channelscribe.speech.quality_gate import Decoded, flags, has_gaps, is_fuller
from channelscribe.speech.track import Samples, SpeechTrack, cut
from channelscribe.speech.vad import Chunk, Stretch
from channelscribe.speech.vocabulary import prompt, rewritten, suppressed
from channelscribe.speech.word_times import Piece, Sound, attended_times, heard_speech, kept_in_speech, unsaid

__all__ = ["Clip", "Decoder", "Gated", "clip_of", "decode", "encode", "features_of", "taken"]

_TEMPERATURES = (0.2, 0.4, 0.6, 0.8, 1.0)
_FEATURES_A_SECOND, _FRAMES_A_SECOND = 100, 50  # of the spectrogram, and of the encoder
_CLIP_SAMPLES = 30 * SAMPLE_RATE  # that Whisper hears at once
_DECADE = 0.25  # what ten times the power adds to a feature
_FIRST_TIME = 50  # of 20 ms: within a second something is said, as Whisper has it
_LIKELY = 0.5  # probability from which a part is in the language that it was taken for
_CANDIDATES = 5  # sampled at each temperature; the most likely is taken

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Gated:
    """A chunk's text, what the gate says of it, and whether it was decoded again.

    `words` have the times that the recognizer attended to, None where it cannot tell; `speech` is the detector's, and
    what words were found in beside it; `unsaid` seconds of sound in it have no word. `chunk` and `language` are those
    of the clip, or of its part in one language.
    """

    decoded: Decoded
    flags: list[str]
    again: bool = False
    words: list[dict[str, Any]] | None = None
    speech: Sequence[Stretch] = ()
    unsaid: float = 0.0
    chunk: Chunk | None = None
    language: str | None = None


@dataclass(frozen=True)
class Clip:
    """A chunk of the recording with the number `owner`, and what the encoder is given of it, (bands, frames)."""

    owner: int
    chunk: Chunk
    features: NDArray[np.float32]


class Decoder:
    """A faster-whisper model with a tokenizer of its own: WhisperX keeps one on the shared pipeline."""

    def __init__(self, whisper: Any, language: str | None, options: SpeechOptions) -> None:
        from faster_whisper.tokenizer import Tokenizer

        self.whisper = whisper
        self.rewrite = options.rewrite
        self._options = options
        self._beam_size = options.beam_size
        self._tokenizer = Tokenizer(
            whisper.hf_tokenizer, whisper.model.is_multilingual, task=options.task, language=language
        )
        self._plain = [*self._tokenizer.sot_sequence, self._tokenizer.no_timestamps]
        told = prompt(options, self._tokenizer.encode)
        self._prompt = [self._tokenizer.sot_prev, *told, *self._plain] if told else self._plain
        self._never = suppressed(options, self._tokenizer.tokenizer.decode, self._tokenizer.eot)

    def speaking(self, language: str) -> Decoder:
        """The same for another language."""
        return Decoder(self.whisper, language, self._options)

    def hear(self, clips: Sequence[Clip]) -> Any:
        """The encoder's output, which all that follows is said from."""
        return encode(self.whisper, [clip.features for clip in clips])

    def decode(self, encoded: Any, count: int) -> list[Decoded]:
        """Beam search over several stretches of at most 30 s at once, as the encoder heard them."""
        return self._generate(encoded, count, 0.0, self._prompt, beam_size=self._beam_size, patience=1)

    def decode_again(self, encoded: Any) -> Iterator[Decoded]:
        """One stretch alone: without what it was told, if it was told anything; with times between its words, which
        keeps it from skipping some; then at rising temperatures. Said anew for each that is taken.
        """
        if self._prompt != self._plain:
            yield from self._generate(encoded, 1, 0.0, self._plain, beam_size=self._beam_size, patience=1)
        yield from self.decode_with_times(encoded, 1)
        for temperature in _TEMPERATURES:
            yield from self._generate(
                encoded,
                1,
                temperature,
                self._plain,
                beam_size=1,
                num_hypotheses=_CANDIDATES,
                sampling_topk=0,
                sampling_temperature=temperature,
            )

    def decode_with_times(self, encoded: Any, count: int) -> list[Decoded]:
        """As `decode`, with times between the words, and without what it was told."""
        times = {"beam_size": self._beam_size, "patience": 1, "max_initial_timestamp_index": _FIRST_TIME}
        return self._generate(encoded, count, 0.0, list(self._tokenizer.sot_sequence), **times)

    def _generate(
        self, encoded: Any, count: int, temperature: float, said_before: list[int], **search: Any
    ) -> list[Decoded]:
        results = self.whisper.model.generate(
            encoded,
            [said_before] * count,
            length_penalty=1,
            max_length=self.whisper.max_length,
            suppress_blank=True,
            suppress_tokens=self._never,
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
        return Decoded(" ".join(text.split()), float(logprob), float(result.no_speech_prob), temperature, tuple(ids))

    def attended(self, encoded: Any, said: Sequence[Decoded], clips: Sequence[Clip]) -> list[list[Piece]]:
        """When the recognizer looked where for each piece of the text that it found, in seconds of the recording.

        It is the path through the attention of the heads that a model's makers chose, as openai/whisper times words,
        with the encoder's output of the decoding: only the decoder runs again.
        """
        ids = [[token for token in each.tokens if token < self._tokenizer.eot] for each in said]
        frames = [round((clip.chunk.end - clip.chunk.start) * _FEATURES_A_SECOND) for clip in clips]
        found = self.whisper.model.align(encoded, self._tokenizer.sot_sequence, ids, frames)
        return [
            self._pieces(tokens, each, clip.chunk.start) for tokens, each, clip in zip(ids, found, clips, strict=True)
        ]

    def _pieces(self, ids: list[int], found: Any, start: float) -> list[Piece]:
        steps = np.array(found.alignments, np.intp).reshape(-1, 2)  # (token, frame) on the path, in order
        entered = steps[np.diff(steps[:, 0], prepend=-1) > 0, 1] / _FRAMES_A_SECOND + start
        pieces, place = [], 0
        for text, tokens in zip(*self._tokenizer.split_tokens_on_unicode(ids), strict=True):
            after = place + len(tokens)
            likely = float(np.mean(found.text_token_probs[place:after]))
            pieces.append(Piece(text, float(entered[place]), float(entered[after]), likely))
            place = after
        return pieces


def features_of(whisper: Any, audio: Samples) -> NDArray[np.float32]:
    """The mel spectrogram of at most 30 s, padded to 30 s: what Whisper was trained on."""
    found: NDArray[np.float32] = whisper.feature_extractor(audio, padding=_CLIP_SAMPLES - len(audio))
    return found


def encode(whisper: Any, features: Sequence[NDArray[np.float32]]) -> Any:
    """The encoder's output for several stretches."""
    return whisper.encode(np.stack(list(features)))


def clip_of(whisper: Any, track: SpeechTrack, chunk: Chunk, owner: int = 0) -> Clip:
    """A chunk, read and ready for the encoder. Raises CorruptMedia."""
    audio = np.ascontiguousarray(cut(track, chunk.start, chunk.end))
    return Clip(owner, chunk, features_of(whisper, audio))


def taken(encoded: Any, places: Sequence[int], frames: slice = slice(None)) -> Any:
    """The encoder's output for some of the stretches that it was given together, or for some of their frames."""
    if encoded is None or (frames == slice(None) and list(places) == list(range(encoded.shape[0]))):
        return encoded
    import ctranslate2

    if encoded.device == "cpu":  # torch cannot look into what is not its own there
        return ctranslate2.StorageView.from_array(np.ascontiguousarray(np.asarray(encoded)[list(places), frames]))
    import torch

    whole = torch.as_tensor(encoded, device=encoded.device)
    return ctranslate2.StorageView.from_array(whole[list(places), frames].contiguous())


def decode(
    decoder: Decoder, clips: Sequence[Clip], language: str | None, size: int | Room, *, stretches: bool = False
) -> Iterator[list[Gated]]:
    """What is said in each clip, in order, `size` at a time, fewer where memory runs out.

    With `stretches` each is looked at for other languages than `language`; then a clip has an answer for each stretch
    in one language.
    """
    others: dict[str, Decoder] = {}

    def work(batch: Sequence[Clip]) -> list[list[Gated]]:
        encoded = decoder.hear(batch)
        found: dict[int, list[Gated]] = {}
        for place, clip in enumerate(batch if stretches and language else ()):
            parts = _parts(decoder, encoded, place, clip, language or "")
            if [each for _, each in parts] == [language]:
                continue
            sounds = [taken(encoded, [place]) if part is clip else decoder.hear([part]) for part, _ in parts]
            if not all(_speaks(decoder, sound, each) for sound, (_, each) in zip(sounds, parts, strict=True)):
                continue
            found[place] = []
            for sound, (part, spoken) in zip(sounds, parts, strict=True):
                speaker = others.setdefault(spoken, decoder if spoken == language else decoder.speaking(spoken))
                found[place] += _said(speaker, sound, [part], spoken)
        main = [place for place in range(len(batch)) if place not in found]
        if main:
            heard = taken(encoded, main)
            found |= {
                place: [each]
                for place, each in zip(
                    main, _said(decoder, heard, [batch[place] for place in main], language), strict=True
                )
            }
        return [found[place] for place in range(len(batch))]

    return in_batches(clips, size, work)


def _said(decoder: Decoder, encoded: Any, clips: Sequence[Clip], language: str | None) -> list[Gated]:
    gated = [
        _gated(decoder, partial(taken, encoded, [place]), clip.chunk, decoded, language)
        for place, (clip, decoded) in enumerate(zip(clips, decoder.decode(encoded, len(clips)), strict=True))
    ]
    timed = _fuller(decoder, encoded, clips, _timed(decoder, encoded, clips, gated, language), language)
    written = _as_written(timed, decoder.rewrite, language)
    return [replace(each, chunk=clip.chunk, language=language) for each, clip in zip(written, clips, strict=True)]


def _speaks(decoder: Decoder, encoded: Any, language: str) -> bool:
    """Whether a part is in that language as the encoder hears it alone, too: in the middle of a chunk it may take
    English about the Chinese for Chinese.
    """
    (answer,) = decoder.whisper.model.detect_language(encoded)
    return bool(dict(answer).get(f"<|{language}|>", 0.0) >= _LIKELY)


def _parts(decoder: Decoder, encoded: Any, place: int, clip: Clip, main: str) -> list[tuple[Clip, str]]:
    """The clip, or its parts where the language changes in it, each with its language.

    The encoder's output is looked at in pieces: that takes the decoder a step each, a hundredth of what a chunk takes.
    """
    seconds = clip.chunk.end - clip.chunk.start

    def heard(stretches: Sequence[Stretch]) -> list[dict[str, float]]:
        found = []
        for start, end in stretches:
            frames = slice(round(start * _FRAMES_A_SECOND), max(1, round(end * _FRAMES_A_SECOND)))
            (answer,) = decoder.whisper.model.detect_language(taken(encoded, [place], frames))
            found.append({token[2:-2]: probability for token, probability in answer})
        return found

    levels = clip.features.mean(axis=0)

    def quietest(start: float, end: float) -> float:
        first, last = round(start * _FEATURES_A_SECOND), max(1, round(end * _FEATURES_A_SECOND))
        smooth = np.convolve(levels[first:last], np.ones(20) / 20, mode="same")
        return start + float(np.argmin(smooth)) / _FEATURES_A_SECOND

    found = runs(seconds, main, heard, quietest)
    if len(found) == 1:
        return [(clip, found[0][2])]
    return [(_part(clip, start, end), language) for start, end, language in found]


def _part(clip: Clip, start: float, end: float) -> Clip:
    """From `start` to `end` seconds of the clip, as long as the encoder wants it."""
    first, last = clip.chunk.start + start, clip.chunk.start + end
    speech = tuple((max(a, first), min(b, last)) for a, b in clip.chunk.speech if min(b, last) > max(a, first))
    mine = clip.features[:, round(start * _FEATURES_A_SECOND) : round(end * _FEATURES_A_SECOND)]
    silence = np.full((len(mine), clip.features.shape[1] - mine.shape[1]), mine.min(), mine.dtype)
    return Clip(clip.owner, Chunk(first, last, speech or ((first, last),)), np.concatenate([mine, silence], axis=1))


def _gated(decoder: Decoder, encoded: Callable[[], Any], chunk: Chunk, first: Decoded, language: str | None) -> Gated:
    """What passes the gate, or else the least suspect of all tries, the likelier first."""
    wrong = flags(first, chunk.speech_seconds, language)
    if not wrong:
        return Gated(first, [])
    tries = [(first, wrong)]
    for candidate in decoder.decode_again(encoded()):
        if first.text and not candidate.text:
            continue  # doubtful words are worth more than none
        tries.append((candidate, flags(candidate, chunk.speech_seconds, language)))
        if not tries[-1][1]:
            break
    best, left = min(tries, key=lambda each: (len(each[1]), -each[0].avg_logprob))
    _log.info("speech at %.1f s was decoded again (%s): %s", chunk.start, ", ".join(wrong), ", ".join(left) or "passed")
    return Gated(best, left, again=True)


def _timed(
    decoder: Decoder, encoded: Any, clips: Sequence[Clip], gated: Sequence[Gated], language: str | None
) -> list[Gated]:
    """The same answers with the times of their words."""
    timed = list(gated)
    worded = [place for place, each in enumerate(gated) if each.decoded.text]
    if not worded:
        return timed
    said = [gated[place].decoded for place in worded]
    pieces = decoder.attended(taken(encoded, worded), said, [clips[place] for place in worded])
    for place, each in zip(worded, pieces, strict=True):
        chunk, features = clips[place].chunk, clips[place].features
        words = attended_times(gated[place].decoded.text, language, each)
        if words is not None:
            frames = round((chunk.end - chunk.start) * _FEATURES_A_SECOND)
            sound = Sound.of(features[:, :frames].mean(axis=0), chunk.start, 1 / _FEATURES_A_SECOND, _DECADE)
            speech = heard_speech(words, chunk.speech, sound)
            kept = kept_in_speech(words, speech, sound)
            timed[place] = replace(gated[place], words=kept, speech=speech, unsaid=unsaid(kept, speech, sound))
    return timed


def _fuller(
    decoder: Decoder, encoded: Any, clips: Sequence[Clip], timed: Sequence[Gated], language: str | None
) -> list[Gated]:
    """The same answers, and those with gaps said anew with times between the words, which keeps from skipping some:
    what has more words is taken. What still has gaps is flagged.
    """
    found = list(timed)
    doubtful = [place for place, each in enumerate(found) if not each.flags and has_gaps(each.decoded, each.unsaid)]
    if not doubtful:
        return found
    heard, theirs = taken(encoded, doubtful), [clips[place] for place in doubtful]
    second = decoder.decode_with_times(heard, len(doubtful))
    better = [
        is_fuller(new, found[place].decoded, clips[place].chunk.speech_seconds, language)
        for place, new in zip(doubtful, second, strict=True)
    ]
    tried = [Gated(new, [], again=True) for new in second]
    again = _timed(decoder, heard, theirs, tried, language) if any(better) else tried
    for place, fuller, new in zip(doubtful, better, again, strict=True):
        kept = new if fuller else replace(found[place], again=True)
        found[place] = replace(kept, flags=["gaps"] if has_gaps(kept.decoded, kept.unsaid) else [])
        _log.info(
            "speech at %.1f s was decoded again (gaps): %s", clips[place].chunk.start, "taken" if fuller else "no"
        )
    return found


def _as_written(gated: Sequence[Gated], pairs: Mapping[str, str], language: str | None) -> list[Gated]:
    if not pairs:
        return list(gated)
    found = []
    for each in gated:
        text, words = rewritten(each.decoded.text, each.words, pairs, language)
        found.append(replace(each, decoded=replace(each.decoded, text=text), words=words))
    return found
