"""What the training corpus is made of, and how it is read back: ``corpus-<part>.pkl`` in the build folder."""

from __future__ import annotations

import pickle
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from channelscribe.sample.world import models_dir
from sample_making.espeak import SpokenWord

BUILD = Path("build/sample")
MODELS = models_dir()
PARTS = 2


@dataclass(frozen=True)
class Recording:
    """One spoken sentence: int16 audio at 16 kHz, ``mel`` raw log10 power in half precision (80, frames)."""

    text: str
    voice: str
    audio: np.ndarray
    mel: np.ndarray
    words: list[SpokenWord]
    phonemes: list[tuple[float, str]]
    duration: float


def corpus_path(build: Path, part: int) -> Path:
    return build / f"corpus-{part}.pkl"


def load_corpus(build: Path, parts: int = PARTS) -> list[Recording]:
    """The recordings of the first ``parts`` parts."""
    recordings: list[Recording] = []
    for part in range(parts):
        with corpus_path(build, part).open("rb") as file:
            recordings += pickle.load(file)  # noqa: S301 (our own file)
    return recordings
