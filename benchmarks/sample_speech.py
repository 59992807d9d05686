"""The sample channel's speech as benchmarks use it: 16 kHz samples, and segments as a perfect recognizer gives them."""

from __future__ import annotations

import subprocess
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from channelscribe.audio.ffmpeg import ffmpeg_path
from channelscribe.audio.speech_track import SAMPLE_RATE, read_speech
from channelscribe.sample import world
from channelscribe.sample.script import Script
from channelscribe.speech.track import Samples

LONGEST = 28.0  # seconds of a segment: WhisperX's are up to 30


def speech_of(episode: world.Episode) -> Samples:
    with tempfile.TemporaryDirectory() as folder:
        track = Path(folder) / "speech.flac"
        to_track = ["-ac", "1", "-ar", "16000", "-sample_fmt", "s16", str(track)]
        subprocess.run([str(ffmpeg_path()), "-v", "error", "-i", str(episode.path), *to_track], check=True)
        return read_speech(track)


def whole_channel() -> tuple[Samples, list[tuple[int, int]]]:
    """The speech of all episodes, one after the other, and where each sentence begins and ends in it (samples)."""
    tracks, sentences, place = [], [], 0
    for episode in world.episodes():
        if episode.script.sentences:
            tracks.append(speech_of(episode))
            sentences += [
                (place + int(sentence.start * SAMPLE_RATE), place + int(sentence.end * SAMPLE_RATE))
                for sentence in episode.script.sentences
            ]
            place += len(tracks[-1])
    return np.concatenate(tracks), sentences


def segments_of(script: Script) -> list[dict[str, Any]]:
    """The script's sentences joined to segments as long as a recognizer's."""
    joined: list[dict[str, Any]] = []
    for sentence in script.sentences:
        if joined and sentence.end - joined[-1]["start"] <= LONGEST:
            joined[-1]["end"], joined[-1]["text"] = sentence.end, f"{joined[-1]['text']} {sentence.text}"
        else:
            joined.append(
                {"start": sentence.start, "end": sentence.end, "text": sentence.text, "avg_logprob": 0.0, "flags": []}
            )
    return joined
