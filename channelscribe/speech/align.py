"""Raw segments to sentences whose every word has a time, and tells who timed it.

Needs the extra `speech` where there is an aligner, and NLTK's Punkt through `channelscribe.text.punkt`. Leaves nothing
behind; the answer is JSON (the checkpoint of the stage `align`). Words are timed by the aligner of their language;
where there is none, or it fails on a segment, by the recognizer's own attention, which came with the segment; where
that cannot tell either they are spread over the speech. No text is ever lost. An aligner's words, and where characters
are known their times, are those of `whisperx.align`.
"""

from __future__ import annotations

import logging
import re
from bisect import bisect_right
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from channelscribe.audio.speech_track import SAMPLE_RATE
from channelscribe.errors import ModelUnavailable, SpeechFailed
from channelscribe.languages import cut_text, words_of
from channelscribe.settings.options import SpeechOptions
from channelscribe.speech.forced_alignment import Spelling, emissions, narrow, spell, timed_words, token_spans
from channelscribe.speech.hub import default_aligner
from channelscribe.speech.loading import Loaded, load_aligner
from channelscribe.speech.memory import in_batches, is_out_of_memory
from channelscribe.speech.progress import Progress
from channelscribe.speech.quality_gate import coverage
from channelscribe.speech.registry import ResolvedModel
from channelscribe.speech.threads import in_threads
from channelscribe.speech.track import Samples, SpeechTrack, as_track, cut
from channelscribe.speech.word_times import complete_times, kept_in_speech, spread_over, timed_by

__all__ = ["align"]

_log = logging.getLogger(__name__)

# Segments through the network at once. A CPU is busy with one, and padding and masks only cost it (a third more).
_BATCH = {"cpu": 1, "cuda": 32}
_RUN = 32  # segments whose audio and emissions are in memory at once
_PAUSE = 1.0  # seconds of silence between two words that end a segment; within a sentence people take less
# Punkt knows the full stop, the question and the exclamation mark of Latin, Greek and Cyrillic.
_SENTENCE_END = re.compile("[。！？؟۔।॥။។៕།]+[\"'”’」』）)]*")

Words = list[dict[str, Any]]
Heard = tuple[NDArray[np.float32], NDArray[np.intp]]
"""An emission and the tokens in its columns."""
Stretch = tuple[float, float]


@dataclass
class _Timing:
    """How a recording's words are timed. `aligners`: of each language so far, or the reason why there is none."""

    track: SpeechTrack
    speech: Sequence[Stretch]
    model: ResolvedModel
    options: SpeechOptions
    aligners: dict[str, tuple[Loaded | None, str | None]] = field(default_factory=dict)
    notes: dict[str, None] = field(default_factory=dict)
    failures: int = 0
    unmeasured: int = 0

    def heard_in(self, start: float, end: float) -> list[Stretch]:
        """The speech in [start, end]; all of it where none was detected there."""
        first = max(0, bisect_right(self.speech, (start, start)) - 1)
        found = []
        for a, b in self.speech[first:]:
            if a >= end:
                break
            if min(b, end) > max(a, start):
                found.append((max(a, start), min(b, end)))
        return found or [(start, end)]


def align(
    audio: Samples | SpeechTrack,
    recognition: dict[str, Any],
    model: ResolvedModel,
    options: SpeechOptions,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Aligns what `recognize` returned with the same mono float32 audio at 16 kHz.

    Returns {"segments": [{"start", "end", "text", "language", "avg_logprob", "flags", "words"}], "aligner", "note": why
    words were not aligned, or None, "quality": {"covered_seconds", "coverage" of the speech by words, 0 to 1, "gaps":
    speech of a second or more without a word, "timed": words by who timed them}}; words are those of
    `channelscribe.speech.word_times`. Segments are sentences, cut where nobody speaks for a second, in order; words
    start in order, inside their segment, and `start <= end`. `aligner` is the fingerprint of the aligner, or of the
    recognizer as "attention" where that timed all words that anything did, or None. `coverage` is None where words
    were spread: then nobody knows. Raises ModelTampered; an engine that fails on a segment only costs that segment its
    times.
    """
    segments = recognition["segments"]
    speech = sorted((float(start), float(end)) for start, end in recognition.get("speech", ()))
    timing = _Timing(as_track(audio), speech, model, options)
    report = progress or (lambda _: None)
    aligned: list[dict[str, Any]] = []
    for first in range(0, len(segments), _RUN):
        run = [
            each | {"language": each.get("language") or recognition["language"]}
            for each in segments[first : first + _RUN]
        ]
        for segment, words in zip(run, _time_words(timing, run), strict=True):
            aligned += _parts(segment, words)
        report((first + len(run)) / len(segments))
    if timing.failures:
        timing.notes[f"{timing.failures} of {len(segments)} segments could not be aligned"] = None
    timed = Counter(timed_by(word) for part in aligned for word in part["words"])
    return {
        "segments": aligned,
        "aligner": _fingerprint(timing, recognition["language"], timed),
        "note": "; ".join(timing.notes) or None,
        "quality": _quality(recognition, aligned, timing) | ({"timed": dict(timed)} if timed else {}),
    }


def _fingerprint(timing: _Timing, main: str, timed: Counter[str]) -> dict[str, Any] | None:
    """As the registry tells it; WhisperX's own choice for a language by its name, the main one's if it was used."""
    parts = timing.model.fingerprint(timing.options)
    used = [language for language, (aligner, _) in timing.aligners.items() if aligner]
    if timed["aligner"] and used:
        name = default_aligner(main if main in used else used[0])
        chosen = parts["aligner"] or {}
        return chosen if timing.model.aligner else chosen | {"model": name, "revision": "main"}
    if timed["attention"]:
        return {key: value for key, value in (parts["recognizer"] or {}).items() if key in _IDENTITY} | _ATTENTION
    return None


_IDENTITY = ("name", "revision", "sha256")
_ATTENTION = {"model": "attention"}


def _quality(recognition: dict[str, Any], aligned: Sequence[dict[str, Any]], timing: _Timing) -> dict[str, Any]:
    """How much of the speech that was heard is covered by words; nothing for recognitions that did not say."""
    if "speech" not in recognition:
        return {}
    if timing.unmeasured:
        return {"covered_seconds": None, "coverage": None, "gaps": []}
    words = [(word["start"], word["end"]) for part in aligned for word in part["words"]]
    covered, gaps = coverage(recognition["speech"], words)
    seconds = sum(end - start for start, end in recognition["speech"])
    return {
        "covered_seconds": round(covered, 3),
        "coverage": round(covered / seconds, 4) if seconds else None,
        "gaps": [list(gap) for gap in gaps],
    }


def _aligner(timing: _Timing, language: str) -> Loaded | None:
    """The aligner of a language; where there is none the first time that it is asked for a note tells why."""
    if language not in timing.aligners:
        found, why = _look_for(timing, language)
        timing.aligners[language] = found, why
        if why:
            timing.notes[why] = None
    return timing.aligners[language][0]


def _look_for(timing: _Timing, language: str) -> tuple[Loaded | None, str | None]:
    if timing.options.align is False:
        return None, "alignment is switched off"
    if timing.options.align == "attention" or timing.options.task == "translate":
        return None, None  # a translation has no sound of its own
    try:
        found = load_aligner(timing.model, language, timing.options)
    except ModelUnavailable as error:
        if timing.model.aligner:  # somebody chose it: to be told, not to be worked around
            raise
        _log.warning("the recognizer times the words: %s", error)
        return None, f"the aligner for the language {language!r} is not to be had: {error.message}"
    return found, None if found else f"no aligner for the language {language!r}"


def _time_words(timing: _Timing, run: Sequence[dict[str, Any]]) -> list[Words]:
    """Each segment's words with their times."""
    found: dict[int, Words | None] = {}
    for language in dict.fromkeys(segment["language"] for segment in run):
        aligner = _aligner(timing, language)
        if aligner:
            mine = [place for place, segment in enumerate(run) if segment["language"] == language]
            timed = _aligned(timing, [run[place] for place in mine], language, aligner)
            found |= dict(zip(mine, timed, strict=True))
            timing.failures += timed.count(None)
    return [found.get(place) or _without_aligner(timing, segment) for place, segment in enumerate(run)]


def _without_aligner(timing: _Timing, segment: dict[str, Any]) -> Words:
    if timing.options.align is not False and segment.get("words"):
        return list(segment["words"])
    timing.unmeasured += 1
    texts = words_of(segment["text"], segment["language"])
    if not texts:
        raise SpeechFailed(f"The recognizer gave a segment without words at {segment['start']} s.")
    return spread_over(texts, timing.heard_in(segment["start"], segment["end"]))


def _aligned(timing: _Timing, run: Sequence[dict[str, Any]], language: str, aligner: Loaded) -> list[Words | None]:
    """Words with the times of their characters; None for a segment that could not be aligned."""
    network, metadata = aligner.engine
    dictionary = metadata["dictionary"]
    blank = next((code for name, code in dictionary.items() if name in ("[pad]", "<pad>")), 0)
    spellings = [spell(segment["text"], dictionary, language) for segment in run]
    clips = [cut(timing.track, segment["start"], segment["end"]) for segment in run]
    heard = _hear(network, metadata["type"], clips, aligner, timing.model, spellings, blank)
    there = [each for each in heard if each is not None]
    spans = iter(token_spans([emission for emission, _ in there], [tokens for _, tokens in there], blank=0))
    found: list[Words | None] = []
    for segment, spelling, each in zip(run, spellings, heard, strict=True):
        one = next(spans) if each else None
        if each is None or one is None:
            found.append(None)
            continue
        start, end = segment["start"], segment["end"]
        words = timed_words(spelling, one, start, (end - start) / len(each[0]))
        complete = complete_times(words, start, end, segment.get("words") or ())
        found.append(kept_in_speech(complete, timing.heard_in(start, end)) if timing.speech else complete)
    return found


def _hear(
    network: Any,
    kind: str,
    clips: Sequence[Samples],
    aligner: Loaded,
    model: ResolvedModel,
    spellings: Sequence[Spelling],
    blank: int,
) -> list[Heard | None]:
    """Each clip's emission in the columns that its text needs; None where the network failed.

    On a GPU clips of like length share a batch, on a CPU each core takes one.
    """
    found: list[Heard | None] = [None] * len(clips)
    usable = [i for i in range(len(clips)) if len(clips[i]) and len(spellings[i].tokens)]

    def work(batch: Sequence[int]) -> Sequence[Heard | None]:
        emitted = _each(network, kind, [clips[i] for i in batch], model.device)
        return [
            None if emission is None else narrow(emission, spellings[i].tokens, blank)
            for i, emission in zip(batch, emitted, strict=True)
        ]

    order, size = sorted(usable, key=lambda i: len(clips[i])), _BATCH.get(model.device, 1)
    with aligner.lock:
        if size == 1:
            emitted = [each for (each,) in in_threads(lambda i: work([i]), order, model.threads)]
        else:
            emitted = list(in_batches(order, size, work))
    for i, each in zip(order, emitted, strict=True):
        found[i] = each
    return found


def _each(network: Any, kind: str, clips: Sequence[Samples], device: str) -> Iterator[NDArray[np.float32] | None]:
    """A batch together; where that fails each alone, so that one bad clip costs only itself."""
    try:
        yield from emissions(network, kind, clips, device)
    except Exception as error:  # torch raises whatever it likes; the text is worth more
        if is_out_of_memory(error) and len(clips) > 1:
            raise
        if len(clips) > 1:
            for clip in clips:
                yield from _each(network, kind, [clip], device)
            return
        _log.warning("a segment of %.2f s could not be aligned: %s", len(clips[0]) / SAMPLE_RATE, error)
        yield None


def _parts(segment: dict[str, Any], words: Words) -> list[dict[str, Any]]:
    """The segment's sentences, cut at pauses, each with its words."""
    ends = _sentence_ends(segment["text"], segment["language"])
    counts, begun = [], 0
    for place, (word, following) in enumerate(zip(words, [*words[1:], None], strict=True), start=1):
        if following is None or place in ends or following["start"] - word["end"] >= _PAUSE:
            counts.append(place - begun)
            begun = place
    parts, place = [], 0
    for count, text in zip(counts, cut_text(segment["text"], counts, segment["language"]), strict=True):
        mine = words[place : place + count]
        place += count
        parts.append(
            {
                "start": mine[0]["start"],
                "end": max(word["end"] for word in mine),
                "text": text,
                "language": segment["language"],
                "avg_logprob": segment["avg_logprob"],
                "flags": list(segment.get("flags", [])),
                "words": mine,
            }
        )
    return parts


def _sentence_ends(text: str, language: str) -> set[int]:
    """After how many words a sentence ends, by Punkt (as WhisperX asks it) and by the marks that it does not know."""
    from whisperx.utils import PUNKT_LANGUAGES

    from channelscribe.text.punkt import sentence_tokenizer

    punkt = sentence_tokenizer(PUNKT_LANGUAGES.get(language, "english"))
    ends = {end for _, end in punkt.span_tokenize(text)} | {found.end() for found in _SENTENCE_END.finditer(text)}
    found, place = set(), 0
    for count, word in enumerate(words_of(text, language), start=1):
        start = text.index(word, place)
        place = start + len(word)
        if any(end in ends for end in range(start + 1, place + 1)):
            found.add(count)
    return found
