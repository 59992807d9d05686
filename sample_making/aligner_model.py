"""The tiny aligner: a wav2vec2 with a character CTC head, half a million parameters.

Its first layer starts as the filters that the training would otherwise have to find: 40 Gabor filters (a tone
under a window) on the mel scale in four phases. One frame is 20 ms.
"""

from __future__ import annotations

import string

import numpy as np
import torch
from torch import nn
from transformers import Wav2Vec2Config, Wav2Vec2ForCTC

from sample_making.espeak import SAMPLE_RATE

CHARACTERS = ["<pad>", "<s>", "</s>", "<unk>", "|", "'", *string.ascii_lowercase]
NUMBERS = {character: number for number, character in enumerate(CHARACTERS)}
BLANK, BETWEEN_WORDS = 0, "|"
SAMPLES_A_FRAME = 320

_FILTER = 320
_LOWEST, _HIGHEST, _CENTRES, _PHASES = 80.0, 7600.0, 40, 4


def new_aligner() -> Wav2Vec2ForCTC:
    """The model with its filters in place."""
    model = Wav2Vec2ForCTC(_config())
    first = model.wav2vec2.feature_extractor.conv_layers[0].conv
    assert isinstance(first, nn.Conv1d) and first.bias is not None
    with torch.no_grad():
        first.weight.copy_(gabor_filters()[:, None])
        first.bias.zero_()
    return model


def _config() -> Wav2Vec2Config:
    return Wav2Vec2Config(
        vocab_size=len(CHARACTERS),
        hidden_size=128,
        num_hidden_layers=2,
        num_attention_heads=4,
        intermediate_size=256,
        conv_dim=(_CENTRES * _PHASES, 128),
        conv_kernel=(_FILTER, 2),
        conv_stride=(SAMPLES_A_FRAME // 2, 2),
        conv_bias=True,
        feat_extract_norm="layer",
        do_stable_layer_norm=False,
        num_conv_pos_embeddings=32,
        num_conv_pos_embedding_groups=4,
        hidden_dropout=0.0,
        attention_dropout=0.0,
        activation_dropout=0.0,
        feat_proj_dropout=0.0,
        final_dropout=0.0,
        layerdrop=0.0,
        mask_time_prob=0.0,
        apply_spec_augment=False,
        pad_token_id=BLANK,
        bos_token_id=1,
        eos_token_id=2,
    )


def gabor_filters() -> torch.Tensor:
    """Filters (160, 320) at 16 kHz, unit energy on average, stronger for high tones, where speech is weak."""
    lowest, highest = _mel(_LOWEST), _mel(_HIGHEST)
    centres = 700 * (10 ** (np.linspace(lowest, highest, _CENTRES) / 2595) - 1)
    time = (np.arange(_FILTER) - (_FILTER - 1) / 2) / SAMPLE_RATE
    phases = np.arange(_PHASES) * 2 * np.pi / _PHASES
    tones = np.cos(2 * np.pi * centres[None, :, None] * time + phases[:, None, None])
    filters = (np.hanning(_FILTER) * tones * (centres / 1000 + 0.3)[None, :, None]).reshape(-1, _FILTER)
    return torch.tensor(filters / np.sqrt((filters**2).sum(1).mean()), dtype=torch.float32)


def _mel(hertz: float) -> float:
    return float(2595 * np.log10(1 + hertz / 700))
