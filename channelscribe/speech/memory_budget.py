"""What a recognizer costs in memory, and how many chunks fit beside it. Estimates, for choosing and for telling.

Needs nothing. Sizes of Whisper's networks are those of its model card (github.com/openai/whisper, model-card.md,
and `ModelDimensions` in whisper/model.py); the batch that is too large after all is halved while it runs
(`channelscribe.speech.memory`).
"""

from __future__ import annotations

import math
import os
from dataclasses import dataclass
from pathlib import Path

__all__ = ["Size", "chunk_bytes", "cores", "fitting_batch", "known_size", "weight_bytes"]

_FRAMES, _TEXT = 1500, 448  # positions of encoder and decoder
_BYTES = {"int8": 1, "int8_float16": 1, "int8_float32": 1, "int8_bfloat16": 1, "float16": 2, "bfloat16": 2}
_LARGEST_BATCH = 64  # more gives the device no more to do at once
_USABLE = 0.85  # of free memory: allocators keep some for themselves


@dataclass(frozen=True)
class Size:
    """Parameters, width and heads of a network, and layers of its decoder."""

    parameters: int
    width: int
    heads: int
    decoder_layers: int


_SIZES = {
    "tiny": Size(39_000_000, 384, 6, 4),
    "base": Size(74_000_000, 512, 8, 6),
    "small": Size(244_000_000, 768, 12, 12),
    "medium": Size(769_000_000, 1024, 16, 24),
    "large-v3-turbo": Size(809_000_000, 1280, 20, 4),
    "large": Size(1_550_000_000, 1280, 20, 32),
}


def known_size(recognizer: str) -> Size | None:
    """The size that a model's name tells ("large-v3", "Systran/faster-whisper-small.en"); None where it does not."""
    name = recognizer.lower().rsplit("/", 1)[-1]
    if "turbo" in name:
        return _SIZES["large-v3-turbo"]
    return next((size for known, size in _SIZES.items() if known in name.replace(".", "-").split("-")), None)


def weight_bytes(recognizer: str, compute_type: str) -> int | None:
    """Bytes of the weights in memory; of a folder that tells no size what its file has; None if neither is known."""
    size = known_size(recognizer)
    if size is not None and not Path(recognizer).is_dir():
        return size.parameters * _BYTES.get(compute_type, 4)
    file = Path(recognizer) / "model.bin"
    return file.stat().st_size if file.is_file() else None


def chunk_bytes(size: Size, beams: int) -> int:
    """Bytes that one chunk of 30 s needs beside the weights, in 16-bit numbers.

    Keys and values of the decoder over the frames once and over the text for each beam, and one encoder
    layer's attention and inner states.
    """
    across = 2 * size.decoder_layers * _FRAMES * size.width
    written = 2 * size.decoder_layers * _TEXT * size.width * beams
    hearing = size.heads * _FRAMES * _FRAMES + 10 * _FRAMES * size.width
    return 2 * (across + written + hearing)


def fitting_batch(recognizer: str, compute_type: str, beams: int, free: int) -> int | None:
    """How many chunks fit into `free` bytes together with the weights, 1 to 64; None for a size unknown."""
    size, weights = known_size(recognizer), weight_bytes(recognizer, compute_type)
    if size is None or weights is None:
        return None
    return max(1, min(_LARGEST_BATCH, int((free * _USABLE - weights) / chunk_bytes(size, beams))))


def cores(quota: Path = Path("/sys/fs/cgroup/cpu.max")) -> int:
    """The cores that this process may use: its affinity, or less where its cgroup (v2) has a quota."""
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    try:
        limit, period = quota.read_text().split()
        return max(1, min(allowed, math.ceil(int(limit) / int(period))))
    except (OSError, ValueError):  # no such file, or "max"
        return allowed
