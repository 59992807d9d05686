"""How well the bundled models do, through the same code as every other video: `make sample-report`.

Needs the extras `speech` and `text`, and the sample's data. Prints a table for people and, as its last line,
one JSON object {"name", "figures", "goal", "met"}; exits 0 whether met or not, because a report does not
judge. Leaves nothing behind.
"""

from __future__ import annotations

import json
import logging
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from channelscribe.audio.prepare import prepare
from channelscribe.audio.speech_track import read_speech
from channelscribe.evaluation import metrics
from channelscribe.evaluation.figures import (
    Measured,
    dialogues,
    diarization_error_rate,
    word_error_rate,
    word_speaker_accuracy,
    word_start_errors,
)
from channelscribe.sample import world
from channelscribe.sample.script import Script
from channelscribe.settings.audio import AudioOptions
from channelscribe.settings.options import SpeechOptions, TextOptions
from channelscribe.speech.align import align
from channelscribe.speech.assemble import assemble
from channelscribe.speech.diarize import diarize
from channelscribe.speech.recognize import recognize
from channelscribe.speech.registry import SAMPLE, resolve_model
from channelscribe.text import models as text_models
from channelscribe.text.reading import entity_key, read
from channelscribe.transcript import Segment, Transcript, Word

__all__ = ["GOALS", "Goal", "figures", "main", "transcribe"]

_AUDIO = AudioOptions(steps=("convert",))  # loudness is for the archive, which nobody hears here
_TAGS = dict.fromkeys(("title", "artist", "album", "date", "comment"), "")
_SPEECH = SpeechOptions(model=SAMPLE)
_TEXT = TextOptions(models={"en": text_models.SAMPLE}, steps=("entities",))


@dataclass(frozen=True, slots=True)
class Goal:
    """A bound on one figure of the sample report: at most, or at least."""

    name: str
    says: str
    bound: float
    at_most: bool

    def met(self, figure: float) -> bool:
        return figure <= self.bound if self.at_most else figure >= self.bound


GOALS = (
    Goal("wer_held_out", "word error rate, held-out sentences", 0.05, at_most=True),
    Goal("wer_episodes", "word error rate, episodes", 0.05, at_most=True),
    Goal("word_start_median_ms", "word start error, median, ms", 40, at_most=True),
    Goal("word_start_p90_ms", "word start error, 90th percentile, ms", 120, at_most=True),
    Goal("der", "diarization error rate, dialogues, ±250 ms", 0.15, at_most=True),
    Goal("der_no_collar", "diarization error rate, dialogues, strict", 0.15, at_most=True),
    Goal("word_speaker", "words with the right speaker, dialogues", 0.95, at_most=False),
    Goal("ner_f1_clean", "entity F1, script's text", 0.90, at_most=False),
    Goal("ner_f1_recognized", "entity F1, recognized text", 0.85, at_most=False),
)


def transcribe(source: Path) -> Transcript:
    """The whole chain on one media file with the bundled models; nothing is kept."""
    model = resolve_model(_SPEECH)
    with tempfile.TemporaryDirectory() as folder:
        audio = read_speech(prepare(source, Path(folder), _AUDIO, _TAGS).speech)
    recognition = recognize(audio, model, _SPEECH)
    alignment = align(audio, recognition, model, _SPEECH)
    return assemble(recognition, alignment, diarize(audio, model, _SPEECH))


def figures(held_out: Sequence[Measured], episodes: Sequence[Measured]) -> dict[str, float]:
    """The figures that GOALS names; rates are shares of 1, times are milliseconds."""
    everything = [*held_out, *episodes]
    two = dialogues(episodes)
    median, p90 = metrics.median_and_p90(word_start_errors(everything))
    return {
        "wer_held_out": word_error_rate(held_out),
        "wer_episodes": word_error_rate(episodes),
        "word_start_median_ms": 1000 * median,
        "word_start_p90_ms": 1000 * p90,
        "der": diarization_error_rate(two),
        "der_no_collar": diarization_error_rate(two, collar=0.0),
        "word_speaker": word_speaker_accuracy(two),
        "ner_f1_clean": _ner_f1_clean(everything),
        "ner_f1_recognized": _ner_f1_recognized(everything),
    }


def _ner_f1_clean(measured: Sequence[Measured]) -> float:
    """Names in the script's own text; label and exact characters must be right."""
    wanted, found = [], []
    for each in measured:
        offsets, position = [], 0
        for sentence in each.script.sentences:
            offsets.append(position)
            position += len(sentence.text) + 1
        wanted += [
            (each.id, offsets[e.sentence] + e.start_char, offsets[e.sentence] + e.end_char, e.label)
            for e in each.script.entities
        ]
        reading = read(_as_transcript(each.script), _TEXT)
        found += [(each.id, e.start_char, e.end_char, e.label) for e in reading.entities]
    return metrics.entity_f1(wanted, found)


def _ner_f1_recognized(measured: Sequence[Measured]) -> float:
    """Names in what was recognized; label and name must be right, its place is not compared."""
    wanted = [(each.id, entity_key(e.text), e.label) for each in measured for e in each.script.entities]
    found = [(each.id, e.key, e.label) for each in measured for e in read(each.transcript, _TEXT).entities]
    return metrics.entity_f1(wanted, found)


def _as_transcript(script: Script) -> Transcript:
    segments = [
        Segment(each.start, each.end, each.text, words=[Word(each.text, each.start, each.end)])
        for each in script.sentences
    ]
    return Transcript("en", segments[-1].end if segments else 0.0, segments)


def _table(measured: dict[str, float]) -> str:
    lines = [f"{'measure':42} {'figure':>8}   {'goal':>9}   met"]
    for goal in GOALS:
        bound = f"{'≤' if goal.at_most else '≥'} {goal.bound:g}"
        met = "y" if goal.met(measured[goal.name]) else "n"
        lines.append(f"{goal.says:42} {measured[goal.name]:8.3f}   {bound:>9}   {met}")
    return "\n".join(lines)


def _measure(recordings: Sequence[world.Episode | world.HeldOut]) -> list[Measured]:
    measured = []
    for recording in recordings:
        sys.stderr.write(f"{recording.id}\n")
        measured.append(Measured(recording.id, recording.script, transcribe(recording.path)))
    return measured


def main() -> None:
    logging.basicConfig(level=logging.ERROR, stream=sys.stderr)
    found = figures(_measure(world.held_out()), _measure(world.episodes()))
    answer = {
        "name": "sample-report",
        "figures": {name: round(value, 4) for name, value in found.items()},
        "goal": {goal.name: goal.bound for goal in GOALS},
        "met": all(goal.met(found[goal.name]) for goal in GOALS),
    }
    sys.stdout.write(f"{_table(found)}\n{json.dumps(answer)}\n")


if __name__ == "__main__":
    main()
