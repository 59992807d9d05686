"""Who speaks, without a token: pyannote's segmentation, GE2E's voice vectors, and clustering.

Needs the extra `speech`; leaves nothing behind. Everything comes with what pip brings: the segmentation checkpoint is
the one inside the whisperx wheel; the voice encoder's weights, `data/ge2e.npz`, are those of the package Resemblyzer
0.1.4 (Apache-2.0) as half floats (`data/README.md` says how they were made from it). The encoder is that of Wan et al.,
"Generalized End-to-End Loss for Speaker Verification" (ICASSP 2018).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from pyannote.audio.core.model import Model
from pyannote.audio.core.task import Task
from pyannote.audio.pipelines import SpeakerDiarization
from pyannote.audio.pipelines.clustering import AgglomerativeClustering
from torch import nn
from torch.nn import functional
from torchaudio.transforms import MelSpectrogram
from whisperx.diarize import DiarizationPipeline

from channelscribe.audio.speech_track import SAMPLE_RATE
from channelscribe.sample import world
from channelscribe.speech.registry import GE2E

__all__ = ["OpenDiarization", "VoiceEncoder"]

# Cosine distance of voices, averaged over pairs, below which they are one. On the recordings of real people that there
# are, speakers of one room or line merge at 0.21 and more, and what one reader says at 0.18 and less.
_THRESHOLD = 0.19
# Of a window (5 s) that somebody must speak alone to be taken for a voice: of less than two seconds vectors are so far
# apart that people of one call cannot be told from one person. Who never speaks so long is found with less.
_ALONE = (0.4, 0.2, 0.0)
_FEWEST = 2  # vectors without which less is taken

_FFT, _HOP, _MEL_BANDS, _UNITS = 400, 160, 40, 256
_FRAMES = 160  # that the network hears at once: 1.6 s
_EVERY = 80
_SHORTEST = 20  # frames; of less voice than this nothing is known
_LOUDNESS = 10 ** (-30 / 10)  # mean square to which a voice is brought: the network hears power, not its logarithm


class VoiceEncoder(Model):
    """Waveform (batch, 1, samples at 16 kHz) to unit vectors (batch, 256), compared by cosine.

    `weights` (batch, [speakers,] frames of any rate) mark what a speaker says: only that is heard, put together, in
    overlapping stretches of 1.6 s whose vectors are averaged. Of less than 0.2 s the vector is NaN.
    """

    def __init__(self, sample_rate: int = SAMPLE_RATE, num_channels: int = 1, task: Task | None = None) -> None:
        super().__init__(sample_rate=sample_rate, num_channels=num_channels, task=task)
        scale = {"n_mels": _MEL_BANDS, "norm": "slaney", "mel_scale": "slaney"}
        self.mel = MelSpectrogram(SAMPLE_RATE, _FFT, hop_length=_HOP, pad_mode="constant", **scale)
        self.lstm = nn.LSTM(_MEL_BANDS, _UNITS, 3, batch_first=True)
        self.linear = nn.Linear(_UNITS, _UNITS)

    @classmethod
    def shipped(cls) -> VoiceEncoder:
        """With the weights that the package carries."""
        encoder = cls()
        with np.load(GE2E) as weights:
            found = {name: torch.from_numpy(weights[name].astype(np.float32)) for name in weights.files}
        encoder.load_state_dict(found, strict=False)
        return encoder.eval()

    @property
    def dimension(self) -> int:
        return _UNITS

    def num_frames(self, num_samples: int) -> int:
        return 1 + num_samples // _HOP

    def receptive_field_size(self, num_frames: int = 1) -> int:
        return _FFT + _HOP * (num_frames - 1)

    def receptive_field_center(self, frame: int = 0) -> int:
        return _HOP * frame

    def forward(self, waveforms: torch.Tensor, weights: torch.Tensor | None = None, **_: object) -> torch.Tensor:
        """ValueError below 0.2 s."""
        sound = waveforms.squeeze(1)
        power = self.mel(sound).transpose(1, 2)  # (batch, frames, bands)
        if power.shape[1] < _SHORTEST:
            raise ValueError("too short for a voice vector")
        loudness = functional.avg_pool1d(sound.square()[:, None], _HOP, ceil_mode=True)[:, 0]
        loudness = functional.pad(loudness, (0, power.shape[1] - loudness.shape[1]))
        if weights is None:
            weights = power.new_ones(power.shape[:2])
        masks = weights if weights.dim() == 3 else weights[:, None]
        spoken = functional.interpolate(masks, size=power.shape[1], mode="nearest") > 0.5
        stretches: list[torch.Tensor] = []
        owners: list[int] = []
        for number, mask in enumerate(spoken.flatten(0, 1)):
            place = number // spoken.shape[1]
            voice = power[place][mask]
            if len(voice) < _SHORTEST:
                continue
            voice = voice * (_LOUDNESS / loudness[place][mask].mean().clamp(min=1e-10))
            found = _stretches(voice)
            stretches += found
            owners += [number] * len(found)
        vectors = power.new_full((spoken.shape[0] * spoken.shape[1], _UNITS), float("nan"))
        if stretches:
            _, (hidden, _) = self.lstm(torch.stack(stretches))
            heard = functional.normalize(functional.relu(self.linear(hidden[-1])), dim=-1)
            of = torch.tensor(owners, device=heard.device)
            for number in set(owners):
                vectors[number] = functional.normalize(heard[of == number].mean(dim=0), dim=-1)
        return torch.as_tensor(vectors.reshape(*weights.shape[:-1], _UNITS))


def _stretches(voice: torch.Tensor) -> list[torch.Tensor]:
    """A voice's frames, 160 at a time; fewer are repeated until they are enough."""
    if len(voice) < _FRAMES:
        voice = voice.repeat(-(-_FRAMES // len(voice)), 1)
    last = len(voice) - _FRAMES
    count = 1 + -(-last // _EVERY) if last > _EVERY // 2 else 1
    starts = [round(last * i / (count - 1)) for i in range(count)] if count > 1 else [0]
    return [voice[start : start + _FRAMES] for start in starts]


class _Voices(AgglomerativeClustering):
    """pyannote's clustering, of those vectors that have enough speech behind them."""

    def filter_embeddings(
        self, embeddings: NDArray[np.float32], segmentations: Any = None, min_active_ratio: float | None = None
    ) -> Any:
        found: Any = ()
        for ratio in _ALONE if min_active_ratio is None else (min_active_ratio,):
            found = super().filter_embeddings(embeddings, segmentations, ratio)
            if len(found[0]) >= _FEWEST:
                break
        return found


class OpenDiarization(DiarizationPipeline):  # type: ignore[misc]
    """As whisperX's, of what needs no token. `segmentation`: the checkpoint inside the whisperx wheel."""

    def __init__(self, segmentation: Path, device: str) -> None:
        pipeline = SpeakerDiarization(
            segmentation=str(segmentation),
            embedding=VoiceEncoder.shipped(),
            embedding_exclude_overlap=True,
            clustering="AgglomerativeClustering",
            plda=str(world.models_dir() / "diarize" / "plda"),  # pyannote wants one; this clustering asks it nothing
            segmentation_batch_size=8,
            embedding_batch_size=24,
        )
        pipeline.clustering = _Voices(metric="cosine")
        clustering = {"method": "average", "min_cluster_size": 4, "threshold": _THRESHOLD}
        pipeline.instantiate({"segmentation": {"threshold": 0.5, "min_duration_off": 0.0}, "clustering": clustering})
        self.model = pipeline.to(torch.device(device))
