"""A speaker embedding small enough to ship: an x-vector of 97,000 parameters, as pyannote loads it.

The bundled checkpoint, `data/models/diarize/embedding/pytorch_model.bin`, names this module and class:
renaming either means training again (`sample_making.speakers`). Needs pyannote.audio.
Shape after Snyder et al., "X-vectors: Robust DNN embeddings for speaker recognition" (ICASSP 2018), smaller.
"""

from __future__ import annotations

import torch
from pyannote.audio.core.model import Model
from pyannote.audio.core.task import Task
from torch import nn
from torch.nn import functional
from torchaudio.transforms import MelSpectrogram

_FFT, _WINDOW, _HOP = 512, 400, 160  # samples, at 16 kHz
_MEL_BANDS = 60
_CONTEXT = 14  # frames that the three convolutions take away
_FLOOR = 1e-6  # mel power below which nothing is told apart


class TinyXVector(Model):
    """Waveform (batch, 1, samples at 16 kHz) to embeddings (batch, dimension), compared by cosine."""

    def __init__(
        self,
        sample_rate: int = 16000,
        num_channels: int = 1,
        dimension: int = 64,
        width: int = 96,
        task: Task | None = None,
    ) -> None:
        super().__init__(sample_rate=sample_rate, num_channels=num_channels, task=task)
        self.save_hyperparameters("dimension", "width")
        self.mel = MelSpectrogram(
            sample_rate=sample_rate, n_fft=_FFT, win_length=_WINDOW, hop_length=_HOP, n_mels=_MEL_BANDS
        )
        self.frames = nn.Sequential(
            *_layer(_MEL_BANDS, width, kernel=5, dilation=1),
            *_layer(width, width, kernel=3, dilation=2),
            *_layer(width, width, kernel=3, dilation=3),
        )
        self._dimension = dimension
        self.embedding = nn.Linear(2 * width, dimension)

    @property
    def dimension(self) -> int:
        return self._dimension

    def num_frames(self, num_samples: int) -> int:
        return 1 + num_samples // _HOP - _CONTEXT

    def receptive_field_size(self, num_frames: int = 1) -> int:
        return _FFT + _HOP * (num_frames - 1 + _CONTEXT)

    def receptive_field_center(self, frame: int = 0) -> int:
        return _HOP * (frame + _CONTEXT // 2)

    def forward(self, waveforms: torch.Tensor, weights: torch.Tensor | None = None, **_: object) -> torch.Tensor:
        """``weights`` (batch, frames of any rate) mark the speaker's share; ValueError below 0.2 s."""
        return self.embed(self.mel(waveforms.squeeze(1)), weights)

    def embed(self, mel_power: torch.Tensor, weights: torch.Tensor | None = None) -> torch.Tensor:
        """From mel power (batch, bands, frames); ``weights`` may be (batch, speakers, frames)."""
        if mel_power.shape[-1] < _CONTEXT + 2:
            raise ValueError("too short for a speaker embedding")
        pooled = pool_statistics(self.frames(torch.log(mel_power + _FLOOR)), weights)
        return torch.as_tensor(self.embedding(pooled))


def pool_statistics(sequences: torch.Tensor, weights: torch.Tensor | None) -> torch.Tensor:
    """Weighted mean and standard deviation over time, (batch, [speakers,] 2 x features).

    What pyannote's StatsPool does, but for the small constant below the root: without it a unit that is
    silent all along has an infinite gradient and training ends in NaN.
    """
    if weights is None:
        weights = sequences.new_ones(sequences.shape[0], sequences.shape[-1])
    by_speaker = weights if weights.dim() == 3 else weights.unsqueeze(1)
    shares = functional.interpolate(by_speaker, size=sequences.shape[-1], mode="nearest")
    shares = shares / (shares.sum(dim=-1, keepdim=True) + 1e-8)
    mean = torch.einsum("bft,bst->bsf", sequences, shares)
    square = torch.einsum("bft,bst->bsf", sequences.square(), shares)
    deviation = (square - mean.square()).clamp(min=0).add(1e-5).sqrt()
    pooled = torch.cat([mean, deviation], dim=-1)
    return pooled if weights.dim() == 3 else pooled.squeeze(1)


def _layer(inputs: int, outputs: int, kernel: int, dilation: int) -> tuple[nn.Module, ...]:
    return nn.Conv1d(inputs, outputs, kernel, dilation=dilation), nn.ReLU(), nn.BatchNorm1d(outputs)
