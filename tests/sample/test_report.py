"""The report's figures are perfect for a perfect transcript, and every goal has its figure."""

from __future__ import annotations

import pytest

from channelscribe.evaluation.figures import Measured
from channelscribe.sample import world
from channelscribe.sample.script import Script
from channelscribe.transcript import Segment, Transcript, Turn, Word
from sample_making.report import GOALS, figures


def _perfect(script: Script) -> Transcript:
    words = [Word(word.text, word.start, word.end, 1.0, word.speaker) for word in script.words]
    segments = [Segment(words[0].start, words[-1].end, script.text, words=words)] if words else []
    return Transcript("en", 90.0, segments, [Turn(*stretch) for stretch in script.speech])


@pytest.mark.speech
def test_a_perfect_transcript_has_perfect_figures() -> None:
    measured = [Measured(each.id, each.script, _perfect(each.script)) for each in world.episodes()]
    found = figures([], measured)

    assert set(found) == {goal.name for goal in GOALS}
    for name, figure in found.items():
        expected = 1.0 if name == "word_speaker" or name.startswith("ner_") else 0.0
        assert figure == pytest.approx(expected, abs=0.25 if name.startswith("ner_") else 1e-9)
