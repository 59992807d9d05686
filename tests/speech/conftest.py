"""What the tests of the speech stages share: a dialogue of the sample channel as a speech track."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

from channelscribe.audio.ffmpeg import ffmpeg_path
from channelscribe.audio.speech_track import read_speech
from channelscribe.sample import world
from channelscribe.sample.script import Script
from channelscribe.speech.track import Samples


@dataclass(frozen=True)
class Dialogue:
    """69 seconds of two speakers: the track, the same as samples, and what is said."""

    path: Path
    audio: Samples
    script: Script


@pytest.fixture(scope="session")
def dialogue(tmp_path_factory: pytest.TempPathFactory) -> Dialogue:
    episode = world.episode("two-views-of-a-comet")
    path = tmp_path_factory.mktemp("dialogue") / "speech.flac"
    to_track = ["-ac", "1", "-ar", "16000", "-sample_fmt", "s16", str(path)]
    subprocess.run([str(ffmpeg_path()), "-v", "error", "-i", str(episode.path), *to_track], check=True)
    return Dialogue(path, read_speech(path), episode.script)
