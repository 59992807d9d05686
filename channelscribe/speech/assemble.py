"""The stages' JSON to a Transcript: speakers merged onto words, segments split where the speaker changes.

Needs nothing, leaves nothing behind.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Mapping, Sequence
from itertools import accumulate, groupby
from typing import Any

from channelscribe.languages import cut_text
from channelscribe.speech.provenance import stages
from channelscribe.transcript import Segment, Transcript, Turn, Word

__all__ = ["UNKNOWN_LANGUAGE", "assemble"]

UNKNOWN_LANGUAGE = "und"  # ISO 639-2 for undetermined: nobody spoke


def assemble(
    recognition: Mapping[str, Any], alignment: Mapping[str, Any], diarization: Mapping[str, Any]
) -> Transcript:
    """Puts together what `recognize`, `align` and `diarize` returned for the same audio.

    A word gets the speaker whose turns overlap it most, or the nearest turn's where none does; without turns
    every speaker is None. A segment in which the speaker changes becomes several, cut between two words, so a
    subtitle line has one speaker. Times are those of the stages: seconds on the speech track. `quality` joins
    what `recognize` and `align` measured: languages, how many segments were decoded again or flagged, "speech"
    as the detector heard it, how much of it is covered by words, and the "note" of a stage that did less; `stages`
    what each took, where its checkpoint says so.
    """
    turns = [Turn(**turn) for turn in diarization["turns"]]
    language = recognition["language"] or UNKNOWN_LANGUAGE
    index = _TurnIndex(turns)
    segments: list[Segment] = []
    for segment in alignment["segments"]:
        words = [Word(**word, speaker=index.speaker(word["start"], word["end"])) for word in segment["words"]]
        segments += _by_speaker(segment, words, language)
    return Transcript(
        language=language,
        duration=recognition["audio_seconds"],
        segments=segments,
        turns=turns,
        models={
            "recognizer": recognition["model"],
            "aligner": alignment.get("aligner"),
            "diarizer": diarization.get("diarizer"),
        },
        no_speech=recognition["no_speech"],
        quality=_quality(recognition, alignment),
        stages=stages(recognition, alignment, diarization),
    )


def _quality(recognition: Mapping[str, Any], alignment: Mapping[str, Any]) -> dict[str, Any]:
    found = {**recognition.get("quality", {}), **alignment.get("quality", {})}
    found |= {key: recognition[key] for key in ("speech", "speech_seconds") if key in recognition}
    return found | ({"note": alignment["note"]} if alignment.get("note") else {})


def _by_speaker(segment: Mapping[str, Any], words: Sequence[Word], main: str) -> list[Segment]:
    parts = [(speaker, list(run)) for speaker, run in groupby(words, key=lambda word: word.speaker)]
    if len(parts) < 2:
        speaker = parts[0][0] if parts else None
        return [_segment(segment, segment["start"], segment["end"], segment["text"], speaker, list(words), main)]
    language = segment.get("language") or main
    texts = cut_text(segment["text"], (len(run) for _, run in parts), language)
    return [
        _segment(
            segment,
            segment["start"] if number == 0 else run[0].start,
            segment["end"] if number == len(parts) - 1 else max(word.end for word in run),
            text,
            speaker,
            run,
            main,
        )
        for number, ((speaker, run), text) in enumerate(zip(parts, texts, strict=True))
    ]


def _segment(
    source: Mapping[str, Any],
    start: float,
    end: float,
    text: str,
    speaker: str | None,
    words: list[Word],
    main: str,
) -> Segment:
    language = source.get("language")
    other = language if language != main else None
    return Segment(start, end, text, speaker, source["avg_logprob"], words, list(source.get("flags", [])), other)


class _TurnIndex:
    """Answers who speaks in a stretch of time in O(log n) where turns do not nest deeply."""

    def __init__(self, turns: Sequence[Turn]) -> None:
        self._turns = sorted(turns, key=lambda turn: turn.start)
        self._starts = [turn.start for turn in self._turns]
        # The turn that ends last, up to each index: its ends rise, so they can be searched; the turns' own
        # need not.
        self._latest: list[Turn] = list(accumulate(self._turns, _later))
        self._latest_ends = [turn.end for turn in self._latest]

    def speaker(self, start: float, end: float) -> str | None:
        """The speaker with the most overlap with [start, end], else of the nearest turn, else None."""
        # Turns before `first` end before the stretch, turns from `last` on start after it.
        first, last = bisect_right(self._latest_ends, start), bisect_left(self._starts, end)
        overlaps: dict[str, float] = {}
        for turn in self._turns[first:last]:
            shared = min(turn.end, end) - max(turn.start, start)
            if shared > 0:
                overlaps[turn.speaker] = overlaps.get(turn.speaker, 0.0) + shared
        if overlaps:
            return max(overlaps, key=lambda speaker: overlaps[speaker])
        around = self._latest[max(0, first - 1) : first] + self._turns[first : last + 1]
        nearest = min(around, key=lambda turn: max(turn.start - end, start - turn.end), default=None)
        return nearest.speaker if nearest else None


def _later(one: Turn, other: Turn) -> Turn:
    return one if one.end >= other.end else other
