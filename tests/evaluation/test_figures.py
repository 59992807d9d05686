"""Figures of transcripts: of themselves, against a script, and on a page for the Prefect UI."""

from __future__ import annotations

import json
import re
from base64 import b64decode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from channelscribe.evaluation.figures import (
    Measured,
    against_scripts,
    coverage,
    of_transcript,
    real_time_factors,
    script_of,
)
from channelscribe.evaluation.summary import escaped, page
from channelscribe.export import VideoMeta
from channelscribe.sample import world
from channelscribe.transcript import Segment, Transcript, Turn, Word
from tests.evaluation.test_picture import parsed, talk

_IMAGE = re.compile(r"!\[[^\]]*\]\(data:image/svg\+xml;base64,([A-Za-z0-9+/=]+)\)")


def told(seconds: float, covered: float, work: float) -> Transcript:
    quality = {"speech_seconds": seconds, "covered_seconds": covered}
    stages = {"recognize": {"seconds": work}, "align": {"seconds": 1.0}}
    models = {"recognizer": {"name": "x"}, "aligner": None}
    return Transcript("en", 60.0, models=models, quality=quality, stages=stages)


def test_figures_of_a_transcript() -> None:
    found = of_transcript(talk())
    assert (found["segments"], found["words"], found["interpolated"]) == (2, 4, 0.25)
    assert found["median_score"] == 0.4
    assert found["flags"] == {"unsure": 1}
    assert found["flagged"] == [[20.0, 40.0, ["unsure"]]]
    assert found["gaps"] == [[60.0, 70.0]]
    assert found["speakers"] == {"A": {"seconds": 25.0, "words": 0}, "B": {"seconds": 20.0, "words": 0}}
    assert json.loads(json.dumps(found)) == found


def test_a_transcript_of_an_earlier_version_has_fewer() -> None:
    found = of_transcript(Transcript("en", 5.0))
    assert (found["coverage"], found["gaps"], found["stages"], found["interpolated"]) == (None, [], {}, None)


def test_shares_over_several_are_weighed_by_seconds() -> None:
    together = [told(50.0, 50.0, 30.0), told(10.0, 4.0, 10.0), Transcript("en", 9.0)]
    assert coverage(together) == 0.9
    assert real_time_factors(together) == {"recognize": 3.0, "align": None, "diarize": None}


def test_against_scripts() -> None:
    episode = world.episode("night-train")
    words = [Word(word.text, word.start + 0.02, word.end, 1.0) for word in episode.script.words]
    words[0] = Word("wrong", words[0].start, words[0].end)
    transcript = Transcript("en", episode.duration, [Segment(0.0, 1.0, " ".join(w.text for w in words), words=words)])
    silent = world.episode("interlude")
    found = against_scripts([Measured(episode.id, episode.script, transcript)])
    assert found["wer"] == pytest.approx(1 / len(words), abs=1e-4)
    assert (found["word_start_median_ms"], found["word_start_p90_ms"]) == (20.0, 20.0)
    assert found["der"] is None
    nothing = against_scripts([Measured(silent.id, silent.script, Transcript("und", silent.duration))])
    assert nothing == dict.fromkeys(found) | {"wer": 0.0}


def test_only_the_samples_episodes_have_a_script() -> None:
    episode = world.episode("night-train")
    assert script_of("feed", "night-train", episode.duration + 0.05) is not None
    assert script_of("generic", "night-train", episode.duration + 0.05) is not None
    assert script_of("youtube", "night-train", episode.duration) is None
    assert script_of("generic", "night-train", episode.duration + 60) is None
    assert script_of("generic", "another", episode.duration) is None


def test_a_page_has_figures_picture_and_first_lines() -> None:
    transcript = talk()
    transcript.stages = {"align": {"seconds": 2.0, "device": "cpu", "real_time_factor": 50.0}}
    text = page(transcript, VideoMeta("A talk", "https://example.org/1", "v-1"), 3)
    assert text.startswith("# A talk\n\n`v-1`, version 3\n\n| figure | |\n|---|---|\n")
    assert "| align | 2\\.0 s on cpu, 50 times real time |" in text
    assert "0:20 **B** 1984 doubtful" in text
    image = _IMAGE.search(text)
    assert image is not None
    assert parsed(b64decode(image[1])).get("role") == "img"


def test_strangers_words_are_only_text() -> None:
    title = "![x](http://evil/x.png) <img src=http://evil> [a](javascript:1) | `b`\n# c"
    transcript = Transcript("en", 9.0, [Segment(0, 1, title, title)], [Turn(0, 1, title)])
    text = page(transcript, VideoMeta(title, "u", "v"), 1)
    without = _IMAGE.sub("", text)
    assert "](" not in without
    assert not re.search(r"(?<!\\)[<`]", without.replace("`v`, version 1", ""))
    assert "http:" not in without
    assert not re.search(r"^# c", without, re.MULTILINE)


@given(st.text(max_size=80))
def test_what_is_escaped_stays_on_its_line_and_means_nothing(text: str) -> None:
    made = escaped(text)
    assert "\n" not in made
    assert re.sub(r"\\(.)", r"\1", made) == " ".join(text.split())
    assert not re.search(r"(?<!\\)(?:\\\\)*[<>\[\]`|*_]", made)


def test_a_page_is_never_large() -> None:
    segments = [
        Segment(n, n + 0.9, "word " * 50, f"S{n % 2}", words=[Word("w", n, n + 0.4, (n % 9) / 9)]) for n in range(9000)
    ]
    turns = [Turn(s.start, s.end, s.speaker or "") for s in segments]
    made = page(Transcript("en", 9000, segments, turns), VideoMeta("x" * 5000, "u", "v"), 1)
    assert len(made.encode()) < 110_000
