"""A clip's emissions do not depend on which clips share its batch, whatever norm the network has.

The networks are the real classes with random weights: no aligner of these kinds is on the disk.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from channelscribe.speech.engines import prepare_engines
from channelscribe.speech.forced_alignment import emissions

pytestmark = pytest.mark.speech

_SMALL: dict[str, Any] = {
    "vocab_size": 12,
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "intermediate_size": 48,
    "conv_dim": (16, 16),
    "conv_stride": (80, 4),
    "conv_kernel": (160, 4),
    "num_feat_extract_layers": 2,
    "num_conv_pos_embeddings": 16,
    "num_conv_pos_embedding_groups": 4,
}


def _huggingface(norm: str, stable: bool) -> Any:
    import torch
    from transformers import Wav2Vec2Config, Wav2Vec2ForCTC

    torch.manual_seed(3)
    return Wav2Vec2ForCTC(Wav2Vec2Config(**_SMALL, feat_extract_norm=norm, do_stable_layer_norm=stable)).eval()


def _torchaudio() -> Any:
    import torch
    from torchaudio.models import wav2vec2_model

    torch.manual_seed(3)
    layers = [(16, 160, 80), (16, 4, 4)]
    return wav2vec2_model(
        extractor_mode="group_norm", extractor_conv_layer_config=layers, extractor_conv_bias=False,
        encoder_embed_dim=32, encoder_projection_dropout=0.0, encoder_pos_conv_kernel=16, encoder_pos_conv_groups=4,
        encoder_num_layers=2, encoder_num_heads=4, encoder_attention_dropout=0.0, encoder_ff_interm_features=48,
        encoder_ff_interm_dropout=0.0, encoder_dropout=0.0, encoder_layer_norm_first=False, encoder_layer_drop=0.0,
        aux_num_out=12,
    ).eval()  # fmt: skip


@pytest.mark.parametrize("network", ["group", "layer", "stable", "torchaudio"])
def test_a_batch_gives_what_each_clip_gives_alone(network: str) -> None:
    prepare_engines()
    import torch

    kind = "torchaudio" if network == "torchaudio" else "huggingface"
    made = (
        _torchaudio()
        if kind == "torchaudio"
        else _huggingface("group" if network == "group" else "layer", network == "stable")
    )
    rng = np.random.default_rng(0)
    clips = [rng.normal(0, 0.1, samples).astype(np.float32) for samples in (16000, 300, 48000, 30001)]
    together = emissions(made, kind, clips, "cpu")
    for clip, batched in zip(clips, together, strict=True):
        waveform = torch.from_numpy(np.pad(clip, (0, max(0, 400 - len(clip)))))[None]
        with torch.inference_mode():  # as whisperx.alignment.align asks the network
            logits = made(waveform)[0] if kind == "torchaudio" else made(waveform).logits
        alone = torch.log_softmax(logits, dim=-1)[0].numpy()
        assert batched.shape == alone.shape
        assert np.abs(batched - alone).max() < 1e-4
