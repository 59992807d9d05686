"""pyannote's diarization with the same answers for less work.

Needs the extra `speech`. `hasten` changes a loaded pipeline for good. pyannote hears each window of sound once for
every speaker that there may be in it (three), each time with another mask; here it is heard once, and the masks are
put on what was heard. On a CPU the windows are divided among threads of one core each.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from channelscribe.speech.threads import in_threads

__all__ = ["hasten", "plain_embedding", "space_windows"]

_PART = 4  # windows that a core takes at once
_CLOSE = 1e-4  # of the length of an embedding: rounding
_SAMPLE_RATE = 16_000


def hasten(pipeline: Any, threads: int) -> None:
    """Makes a pyannote SpeakerDiarization faster. `threads`: cores; 0: the device does a batch at once.

    An embedding that does not take several masks, or gives something else for them, is left as it is.
    """
    segmentation = pipeline._segmentation
    infer = segmentation.infer
    speakers = len(segmentation.model.specifications.classes)
    if threads:
        segmentation.batch_size = max(segmentation.batch_size, 2 * threads * _PART)
        segmentation.infer = lambda chunks: _divided(infer, chunks, threads)
    if _takes_several_masks(pipeline._embedding, speakers):
        windows = max(pipeline.embedding_batch_size // speakers, 1, 2 * threads * _PART)
        pipeline.embedding_batch_size = windows * speakers
        pipeline._embedding = _HeardOnce(pipeline._embedding, speakers, threads)


def space_windows(pipeline: Any, share: float) -> None:
    """Has a pyannote SpeakerDiarization hear windows that are `share` of a window apart: its `segmentation_step`.

    Its own is 0.1, so that it hears every moment ten times. At 0.2 it takes half the time, and on the sample's
    dialogues makes as many errors.
    """
    segmentation = pipeline._segmentation
    segmentation.step = share * segmentation.duration


def plain_embedding(pipeline: Any) -> Any:
    """What turns waveforms (batch, 1, samples) of a pyannote SpeakerDiarization into vectors, as it was loaded."""
    embedding = pipeline._embedding
    return embedding._embedding if isinstance(embedding, _HeardOnce) else embedding


def _divided(infer: Callable[[Any], Any], chunks: Any, threads: int) -> Any:
    answers = in_threads(infer, chunks.split(_PART), threads)
    if isinstance(answers[0], tuple):  # a network of several heads
        return tuple(np.concatenate(each) for each in zip(*answers, strict=True))
    return np.concatenate(answers)


class _HeardOnce:
    """pyannote's embedding for batches in which each window comes once for every speaker, one after the other."""

    def __init__(self, embedding: Any, speakers: int, threads: int) -> None:
        self._embedding, self._speakers, self._threads = embedding, speakers, threads

    def __getattr__(self, name: str) -> Any:
        return getattr(self._embedding, name)

    def __call__(self, waveforms: Any, masks: Any = None) -> NDArray[np.float32]:
        count = self._speakers
        if masks is None or len(waveforms) % count:
            alone: NDArray[np.float32] = self._embedding(waveforms, masks=masks)
            return alone
        once = waveforms[::count].split(_PART if self._threads else len(waveforms))
        masked = masks.reshape(-1, count, masks.shape[-1]).split(_PART if self._threads else len(waveforms))
        parts = list(zip(once, masked, strict=True))
        found = in_threads(lambda part: self._embedding(part[0], masks=part[1]), parts, self._threads)
        return np.concatenate([each.reshape(-1, each.shape[-1]) for each in found])


def _takes_several_masks(embedding: Any, speakers: int) -> bool:
    import torch

    if not hasattr(embedding, "model_") or speakers < 2:
        return False
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        sound, masks = torch.randn(1, 1, 2 * _SAMPLE_RATE), (torch.rand(speakers, 100) > 0.5).float()
    try:
        apart = embedding(sound.repeat(speakers, 1, 1), masks=masks)
        together = embedding(sound, masks=masks[None])[0]
    except Exception:  # networks raise whatever they like for a shape that they do not know
        return False
    if apart.shape != together.shape:
        return False
    return bool(np.abs(apart - together).max() <= _CLOSE * np.linalg.norm(apart, axis=-1).min())
