"""Whisper's log-mel features in two steps, so that windows can be composed between them.

Step one is linear in nothing but the audio; step two is Whisper's clamp to the loudest value of the window
(``log_mel_spectrogram`` in openai/whisper ``audio.py``). The filters are those in the whisperx wheel.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np
import torch

MEL_BANDS = 80
FRAMES_PER_SECOND = 100
SILENCE = -10.0  # log10 power, the floor of step one

_HOP, _WINDOW = 160, 400


@cache
def mel_filters() -> torch.Tensor:
    """The 80 mel filters, (80, 201)."""
    import whisperx

    assets = Path(whisperx.__file__).parent / "assets" / "mel_filters.npz"
    return torch.from_numpy(np.load(assets)["mel_80"])


def raw_log_mel(audio: np.ndarray) -> torch.Tensor:
    """log10 of the mel power of 16 kHz mono audio, (80, frames), 100 frames a second, ``SILENCE`` or more."""
    spectrum = torch.stft(
        torch.from_numpy(audio), _WINDOW, _HOP, window=torch.hann_window(_WINDOW), return_complex=True
    )
    power = spectrum[..., :-1].abs() ** 2
    return torch.clamp(mel_filters() @ power, min=10**SILENCE).log10()


def whisper_scale(raw: torch.Tensor) -> torch.Tensor:
    """A composed window as Whisper's encoder wants it: 8 decades below its maximum, then about [-1, 1]."""
    return (torch.maximum(raw, raw.max() - 8.0) + 4.0) / 4.0
