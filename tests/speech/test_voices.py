"""Voice vectors: of the sample's speakers, and of real readers where `../shared/real-speech` is there."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from channelscribe.audio.speech_track import SAMPLE_RATE
from channelscribe.catalogue.voice_groups import Speaker, group, threshold_of
from channelscribe.settings import SpeechOptions
from channelscribe.speech.registry import OPEN_DIARIZER, resolve_model
from channelscribe.speech.voices import LEAST_SECONDS, alone, hear
from tests.speech.real import RECORDINGS, needs_recordings, samples

OPTIONS = SpeechOptions(model="sample", device="cpu")


def _turn(start: float, end: float, speaker: str) -> dict[str, Any]:
    return {"start": start, "end": end, "speaker": speaker}


def test_what_is_said_alone() -> None:
    turns = [_turn(0, 5, "A"), _turn(4, 6, "B"), _turn(6, 7, "A"), _turn(6.5, 6.8, "B"), _turn(9, 9.5, "C")]
    found = {label: [(round(a, 3), round(b, 3)) for a, b in spans] for label, spans in alone(turns).items()}
    assert found == {"A": [(0, 4), (6, 6.5), (6.8, 7)], "B": [(5, 6)], "C": [(9, 9.5)]}
    assert alone([]) == {}


def _grouped(heard: list[tuple[str, dict[str, Any]]]) -> set[frozenset[str]]:
    """The names of who is in each voice, of (name, what was heard of one recording with one speaker or several)."""
    speakers, vectors, names = [], [], []
    embedder = heard[0][1]["embedder"]
    for recording, (name, found) in enumerate(heard):
        for label, voice in found["voices"].items():
            if voice["vector"] is not None:
                speakers.append(Speaker((f"{recording:03}", label), recording))
                vectors.append(voice["vector"])
                names.append(name or label)
    groups = group(speakers, np.array(vectors, np.float32), threshold_of(embedder))
    assert len(groups) == len(set(names))
    return {frozenset(names[place] for place in each) for each in groups}


@pytest.mark.speech
def test_the_samples_speakers_are_known_again(dialogue: Any) -> None:
    """The two voices of the sample, each third of a dialogue as a recording of its own."""
    third = len(dialogue.audio) // 3 / SAMPLE_RATE
    heard = []
    for n in range(3):
        turns = [
            _turn(max(start, n * third) - n * third, min(end, (n + 1) * third) - n * third, who)
            for start, end, who in dialogue.script.speech
            if end > n * third and start < (n + 1) * third
        ]
        part = dialogue.audio[int(n * third * SAMPLE_RATE) : int((n + 1) * third * SAMPLE_RATE)]
        heard.append(("", hear(part, turns, resolve_model(OPTIONS), OPTIONS)))
    assert all(len(found["voices"]) == 2 and found["embedder"] == "diarize/bundled" for _, found in heard)
    assert all(len(names) == 1 for names in _grouped(heard))


@pytest.mark.speech
def test_too_little_speech_has_no_vector(dialogue: Any) -> None:
    start, _, who = dialogue.script.speech[0]
    found = hear(dialogue.audio, [_turn(start, start + LEAST_SECONDS - 1, who)], resolve_model(OPTIONS), OPTIONS)
    assert found["voices"][who] == {"vector": None, "seconds": LEAST_SECONDS - 1, "spread": None}
    assert hear(dialogue.audio, [], resolve_model(OPTIONS), OPTIONS) == {"embedder": None, "voices": {}}


@pytest.mark.speech
@pytest.mark.slow
@needs_recordings
def test_readers_are_known_again() -> None:
    """No reader in two voices, no voice with two readers: recordings cut in pieces of six to twelve seconds."""
    model = replace(resolve_model(OPTIONS), diarizer=OPEN_DIARIZER)
    heard = []
    for path in sorted((RECORDINGS / "read").glob("*.flac")):
        audio = samples(f"read/{path.stem}")
        count = max(1, len(audio) // (6 * SAMPLE_RATE))
        for part in np.array_split(audio, count):
            found = hear(part, [_turn(0, len(part) / SAMPLE_RATE, "S")], model, OPTIONS)
            heard.append((path.stem[:3], found))
    assert all(len(names) == 1 for names in _grouped(heard))
