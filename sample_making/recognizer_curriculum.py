"""What the recognizer practises when: window lengths from one sentence to WhisperX's full chunks.

Data and one draw. Found by trying: short windows teach listening, then each length has to be practised before
it works. WhisperX pads its chunks to 30 s, which is dear, so most are practised without the padding.
"""

from __future__ import annotations

from random import Random
from typing import NamedTuple


class Kind(NamedTuple):
    """A kind of window: its share, its length and, where less than the window is filled, its speech (seconds)."""

    share: float
    length: tuple[float, float]
    speech: tuple[float, float] | None = None


_PADDED = (30.0, 30.0)

# Up to which point of the training (0 to 1) which kinds of window are drawn.
CURRICULUM: list[tuple[float, list[Kind]]] = [
    (0.14, [Kind(1.0, (3.5, 5.5))]),
    (0.20, [Kind(1.0, (4, 10))]),
    (0.50, [Kind(0.2, _PADDED, (4, 17)), Kind(0.1, _PADDED, (17, 27)), Kind(0.7, (6, 14))]),
    (0.70, [Kind(0.2, _PADDED, (4, 17)), Kind(0.2, _PADDED, (17, 27)), Kind(0.6, (8, 18))]),
    # WhisperX's default chunk is 30 s full of speech, and nothing shorter teaches that.
    (
        1.00,
        [
            Kind(0.12, _PADDED, (4, 17)),
            Kind(0.18, _PADDED, (17, 29.5)),
            Kind(0.45, (17, 29.8)),
            Kind(0.25, (8, 18)),
        ],
    ),
]


def draw_window(progress: float, rng: Random) -> tuple[float, float]:
    """A window's length and how much of it speech may fill, in seconds."""
    kinds = next(kinds for until, kinds in CURRICULUM if progress <= until)
    (kind,) = rng.choices(kinds, weights=[kind.share for kind in kinds])
    length = rng.uniform(*kind.length)
    if kind.speech:
        return length, rng.uniform(*kind.speech)
    return length, length * (1 - 0.5 * rng.random() ** 2)
