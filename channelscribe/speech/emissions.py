"""What the aligner hears: log-probabilities of characters, many stretches of audio at a time.

Needs the extra `speech`. Leaves nothing behind. The first layer of wav2vec2-base normalizes each channel over
the whole clip (a group norm), so a clip padded to its neighbour's length would come out different: the
convolutions run clip by clip, where nothing is padded, and only the transformer, which can mask, runs on
batches. Both kinds of network (group norm and layer norm) then give what they give for a clip alone, but for
the rounding of sums (test_emissions.py holds it to 1e-4).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from channelscribe.speech.track import Samples

__all__ = ["emissions"]

_SHORTEST_SAMPLES = 400  # WhisperX pads to this; wav2vec2's first frame needs it


def emissions(network: Any, kind: str, clips: Sequence[Samples], device: str) -> list[NDArray[np.float32]]:
    """For each clip log-probabilities of shape (frames, characters). `kind`: "huggingface" or "torchaudio".

    Raises what torch raises, for instance when a clip is too short for the network.
    """
    if not clips:
        return []
    import torch

    with torch.inference_mode():
        waveforms = [torch.from_numpy(_long_enough(clip))[None].to(device) for clip in clips]
        if kind == "huggingface":
            logits = _huggingface(network, waveforms)
        elif hasattr(network, "feature_extractor"):
            logits = _torchaudio(network, waveforms)
        else:  # torchaudio wraps networks that want normalized waveforms, and hides their parts
            logits = [network(waveform)[0][0] for waveform in waveforms]
        return [torch.log_softmax(each, dim=-1).cpu().numpy() for each in logits]


def _long_enough(clip: Samples) -> Samples:
    clip = np.ascontiguousarray(clip)
    return np.pad(clip, (0, _SHORTEST_SAMPLES - len(clip))) if len(clip) < _SHORTEST_SAMPLES else clip


def _huggingface(network: Any, waveforms: list[Any]) -> list[Any]:
    import torch

    if len(waveforms) == 1:
        return [network(waveforms[0]).logits[0]]
    base = network.base_model
    features = [base.feature_extractor(waveform).transpose(1, 2)[0] for waveform in waveforms]
    frames = [len(each) for each in features]
    padded, _ = base.feature_projection(torch.nn.utils.rnn.pad_sequence(features, batch_first=True))
    heard = torch.arange(max(frames), device=padded.device)[None] < torch.tensor(frames, device=padded.device)[:, None]
    logits = network.lm_head(base.encoder(padded, attention_mask=heard).last_hidden_state)
    return [logits[i, :count] for i, count in enumerate(frames)]


def _torchaudio(network: Any, waveforms: list[Any]) -> list[Any]:
    import torch

    features = [network.feature_extractor(waveform, None)[0][0] for waveform in waveforms]
    frames = torch.tensor([len(each) for each in features], device=waveforms[0].device)
    encoded = network.encoder(torch.nn.utils.rnn.pad_sequence(features, batch_first=True), frames)
    logits = encoded if network.aux is None else network.aux(encoded)
    return [logits[i, : int(count)] for i, count in enumerate(frames)]
