"""The network of WhisperX's voice activity detector without the engines that it was made with.

Needs numpy and the checkpoint inside the whisperx wheel, whose sum is known (`loading`); leaves nothing behind. The
network is pyannote's PyanNet (Bredin et al., "pyannote.audio: neural building blocks for speaker diarization", ICASSP
2020): filters of SincNet, two convolutions, four recurrent layers that hear both ways, three dense ones. Numpy takes
about 1.6 times what torch takes for it; but importing torch and pyannote takes 9 CPU seconds and 0.9 GB, and nothing
else in a recognition on a CPU needs them.
"""

from __future__ import annotations

import pickle
import zipfile
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from channelscribe.audio.speech_track import SAMPLE_RATE
from channelscribe.speech.threads import keep_blas_to_one_core

__all__ = ["Detector", "PyannoteDetector", "read_checkpoint"]

Array = NDArray[np.float32]

_STRIDE = 10  # samples between two places of a filter
_LOWEST, _NARROWEST = 50, 50  # hertz
_POOL, _LEAK, _EPSILON = 3, 0.01, 1e-5
_FRAME = _STRIDE * _POOL**3  # samples from one frame to the next


@dataclass(frozen=True)
class _Frames:
    """Where the network's frames lie: one of `duration` every `step` seconds."""

    step: float
    duration: float


class Detector:
    """How likely somebody speaks: what `vad.listen` wants, as pyannote's `Inference` has it.

    `duration`: seconds of a window; `step`: between two windows, where nobody says otherwise.
    """

    def __init__(self, weights: Mapping[str, Array], duration: float = 5.0, step: float = 0.5) -> None:
        keep_blas_to_one_core()
        self.duration, self.step = duration, step
        kernels = 251 + _STRIDE * (2 + _POOL * (4 + 2 + _POOL * (4 + 2)))  # of which a frame hears, in samples
        self.frames = _Frames(_FRAME / SAMPLE_RATE, kernels / SAMPLE_RATE)
        self._norms = [_affine(weights, "sincnet.wav_norm1d")]
        self._norms += [_affine(weights, f"sincnet.norm1d.{layer}") for layer in range(3)]
        filters = _sinc(weights["sincnet.conv1d.0.filterbank.low_hz_"], weights["sincnet.conv1d.0.filterbank.band_hz_"])
        convolutions = [filters, *(weights[f"sincnet.conv1d.{layer}.weight"] for layer in (1, 2))]
        self._kernels = [np.ascontiguousarray(each.transpose(2, 1, 0).reshape(-1, len(each))) for each in convolutions]
        self._biases = [np.zeros(len(filters), np.float32)]
        self._biases += [weights[f"sincnet.conv1d.{layer}.bias"] for layer in (1, 2)]
        count = sum(name.startswith("lstm.weight_ih_l") and "reverse" not in name for name in weights)
        self._layers = [_recurrent(weights, layer) for layer in range(count)]
        self._dense = [(weights[f"{name}.weight"].T, weights[f"{name}.bias"]) for name in ("linear.0", "linear.1")]
        self._dense[0] = self._dense[0][0] * np.float32(0.5), self._dense[0][1]
        self._last = weights["classifier.weight"].T, weights["classifier.bias"]

    @classmethod
    def of(cls, checkpoint: Path) -> Detector:
        return cls(read_checkpoint(checkpoint))

    def infer(self, windows: Array) -> Array:
        """Windows (n, samples) to the probability of any voice (n, frames)."""
        heard = np.stack([self._front(window) for window in windows], axis=1)  # (frames, n, bands)
        for ahead, recurrent in self._layers:
            heard = _both_ways(heard, ahead, recurrent)
        for weight, bias in self._dense:
            heard = _leaky(heard @ weight + bias)
        scores = _sigmoid(heard @ self._last[0] + self._last[1])
        return np.ascontiguousarray(scores.max(axis=2).T)

    def _front(self, window: Array) -> Array:
        """One window's samples to (frames, 60)."""
        sound = _normal(window[:, None], *self._norms[0])
        for layer, (kernel, bias, norm) in enumerate(zip(self._kernels, self._biases, self._norms[1:], strict=True)):
            width, stride = len(kernel) // sound.shape[1], 1 if layer else _STRIDE
            views = np.lib.stride_tricks.sliding_window_view(sound, width, axis=0)[::stride]  # (places, bands, width)
            places = np.ascontiguousarray(views.transpose(0, 2, 1)).reshape(len(views), -1)
            found = places @ kernel
            found += bias
            if not layer:
                np.abs(found, out=found)
            whole = len(found) // _POOL * _POOL
            sound = _leaky(_normal(found[:whole].reshape(-1, _POOL, found.shape[1]).max(axis=1), *norm))
        return sound


class PyannoteDetector:
    """The same network as pyannote's `Inference` has it, which a GPU runs."""

    def __init__(self, inference: Any) -> None:
        self._inference = inference

    @property
    def duration(self) -> float:
        return float(self._inference.duration)

    @property
    def step(self) -> float:
        return float(self._inference.step)

    @property
    def frames(self) -> Any:
        return self._inference.model.receptive_field

    def infer(self, windows: Array) -> Array:
        import torch

        found: Array = self._inference.infer(torch.from_numpy(windows.copy())[:, None]).max(axis=2)
        return found


def _affine(weights: Mapping[str, Array], name: str) -> tuple[Array, Array]:
    return weights[f"{name}.weight"], weights[f"{name}.bias"]


def _normal(sound: Array, weight: Array, bias: Array) -> Array:
    """Each band of (places, bands) with mean 0 and variance 1, then scaled."""
    mean, variance = sound.mean(axis=0), sound.var(axis=0)
    scale = weight / np.sqrt(variance + _EPSILON)
    found: Array = sound * scale + (bias - mean * scale)
    return found


def _leaky(values: Array) -> Array:
    found: Array = np.maximum(values, _LEAK * values)
    return found


def _sigmoid(values: Array) -> Array:
    found: Array = 0.5 * np.tanh(0.5 * values) + 0.5
    return found


def _sinc(low: Array, band: Array) -> Array:
    """Band-pass filters (80, 1, 251), even ones first: Pariente et al., "Filterbank design for end-to-end speech
    separation" (ICASSP 2020), as asteroid-filterbanks makes them.
    """
    half = 125
    times = 2 * np.pi * np.arange(-half, 0.0) / SAMPLE_RATE
    window = np.hamming(2 * half + 1)[:half]
    bottom = _LOWEST + np.abs(low.astype(np.float64))
    top = np.clip(bottom + _NARROWEST + np.abs(band), _LOWEST, SAMPLE_RATE / 2)
    width = top - bottom
    even = (np.sin(top * times) - np.sin(bottom * times)) / (times / 2) * window
    odd = (np.cos(bottom * times) - np.cos(top * times)) / (times / 2) * window
    filters = [
        np.concatenate([even, 2 * width, even[:, ::-1]], axis=1),
        np.concatenate([odd, np.zeros_like(width), -odd[:, ::-1]], axis=1),
    ]
    return np.concatenate([each / (2 * width) for each in filters])[:, None].astype(np.float32)


def _recurrent(weights: Mapping[str, Array], layer: int) -> tuple[list[tuple[Array, Array]], Array]:
    """What a layer takes from below, (weight, bias) each way, and from itself, (2, 128, 512).

    Gates are in the order input, forget, output, cell; all but the cell's are halved, so that one tanh does for all:
    the logistic function of x is (1 + tanh(x / 2)) / 2. What a layer tells is twice its due; what hears it halves it.
    """
    below, itself = [], []
    for way in ("", "_reverse"):
        into, over = weights[f"lstm.weight_ih_l{layer}{way}"], weights[f"lstm.weight_hh_l{layer}{way}"]
        bias = weights[f"lstm.bias_ih_l{layer}{way}"] + weights[f"lstm.bias_hh_l{layer}{way}"]
        units = len(bias) // 4
        order = np.r_[0 : 2 * units, 3 * units : 4 * units, 2 * units : 3 * units]
        half = np.full(len(bias), 0.5, np.float32)
        half[3 * units :] = 1.0
        heard = into[order].T * half * (0.5 if layer else 1.0)
        below.append((np.ascontiguousarray(heard), bias[order] * half))
        itself.append(over[order].T * half * 0.5)
    return below, np.ascontiguousarray(np.stack(itself))


def _both_ways(heard: Array, below: Sequence[tuple[Array, Array]], itself: Array) -> Array:
    """A layer over (frames, n, bands): forwards and backwards at once; twice its due, (frames, n, 256)."""
    frames, count, units = len(heard), heard.shape[1], itself.shape[1]
    into = np.empty((frames, 2, count, 4 * units), np.float32)
    for way, (weight, bias) in enumerate(below):
        np.add((heard @ weight)[:: -1 if way else 1], bias, out=into[:, way])
    told = np.zeros((2, count, units), np.float32)
    cell, shown = np.zeros_like(told), np.empty_like(told)
    gates = np.empty((2, count, 4 * units), np.float32)
    opened = gates[..., : 3 * units]
    entered, kept, out, new = (gates[..., place * units : (place + 1) * units] for place in range(4))
    found = np.empty((frames, 2, count, units), np.float32)
    for frame in range(frames):
        np.matmul(told, itself, out=gates)
        gates += into[frame]
        np.tanh(gates, out=gates)
        opened += 1.0
        cell *= kept
        entered *= new
        cell += entered
        cell *= 0.5
        np.tanh(cell, out=shown)
        told = np.multiply(out, shown, out=found[frame])
    return np.concatenate([found[:, 0], found[::-1, 1]], axis=2)


def read_checkpoint(path: Path) -> dict[str, Array]:
    """The weights in a file of torch's, by name, without torch. It is unpickled: only a file whose sum is known."""
    with zipfile.ZipFile(path) as archive:
        (pickled,) = (name for name in archive.namelist() if name.endswith("/data.pkl"))
        with archive.open(pickled) as file:
            found = _Weights(file, archive, pickled.removesuffix("data.pkl")).load()
    return {name: value for name, value in found["state_dict"].items() if isinstance(value, np.ndarray)}


class _Other:
    """What the training program left in the checkpoint beside weights."""

    def __init__(self, *_: Any, **__: Any) -> None: ...

    def __setitem__(self, *_: Any) -> None: ...

    def __setstate__(self, _: Any) -> None: ...

    def append(self, _: Any) -> None: ...


class _Weights(pickle.Unpickler):
    """Tensors as arrays, and nothing else that a pickle could name."""

    def __init__(self, file: Any, archive: zipfile.ZipFile, folder: str) -> None:
        super().__init__(file)
        self._archive, self._folder = archive, folder

    def find_class(self, module: str, name: str) -> Any:
        known = {"OrderedDict": OrderedDict, "_rebuild_tensor_v2": _tensor, "_rebuild_parameter": _parameter}
        return known.get(name) or (partial(_Other) if name[0] == "_" else _Other)

    def persistent_load(self, told: Any) -> Array:
        _, kind, key, *_ = told
        del kind  # floats alone are asked for
        data = self._archive.read(f"{self._folder}data/{key}")
        return np.frombuffer(data, np.float32) if len(data) % 4 == 0 else np.zeros(0, np.float32)


def _tensor(storage: Array, offset: int, size: Sequence[int], stride: Sequence[int], *_: Any) -> Array:
    where = storage[offset:]
    return np.lib.stride_tricks.as_strided(where, tuple(size), [each * 4 for each in stride]).copy()


def _parameter(data: Array, *_: Any) -> Array:
    return data
