"""The tiny Whisper: its shape, how it starts out, and a forward pass that shows its attention.

3.3 million parameters in the layout of ``transformers``' Whisper, so that the stock converters read it. Three
things make it learn in minutes on a CPU instead of hours: convolutions that start loud enough beside the
position embeddings, encoder heads that begin by looking a fixed number of frames away, and frame labels.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import gelu
from transformers import WhisperConfig, WhisperForConditionalGeneration

from sample_making.recognizer_tokenizer import (
    ALL_TOKENS,
    END_OF_TEXT,
    START_OF_TRANSCRIPT,
    TEXT_TOKENS,
)

WIDTH, HEADS = 160, 4
HEAD_WIDTH = WIDTH // HEADS

# Where each encoder head of each layer looks at first, in frames of 20 ms.
_FIRST_OFFSETS = [(-2, 2, -5, 5), (-4, 4, -9, 9), (-7, 7, -16, 16), (0, 12, -12, 24)]
_SHARPNESS = 1.8
# Every second of the first 40 sinusoids: the fast ones, which tell near frames apart.
_SINUSOIDS = range(0, HEAD_WIDTH, 2)


class AuxiliaryHeads(nn.Module):
    """Frame classifiers on the encoder, not shipped: phonemes after layer 2, tokens (0: none) at its end."""

    def __init__(self, phonemes: int) -> None:
        super().__init__()
        self.phoneme = nn.Linear(WIDTH, phonemes)
        self.token = nn.Linear(WIDTH, TEXT_TOKENS + 1)


def new_model(blank_token: int) -> WhisperForConditionalGeneration:
    """The right shape with stock weights; ``blank_token`` (a lone space) may not open a transcript."""
    config = WhisperConfig(
        vocab_size=ALL_TOKENS,
        num_mel_bins=80,
        d_model=WIDTH,
        encoder_layers=4,
        encoder_attention_heads=HEADS,
        encoder_ffn_dim=640,
        decoder_layers=3,
        decoder_attention_heads=HEADS,
        decoder_ffn_dim=640,
        max_source_positions=1500,
        max_target_positions=448,
        dropout=0.0,
        attention_dropout=0.0,
        activation_dropout=0.0,
        activation_function="gelu",
        pad_token_id=END_OF_TEXT,
        bos_token_id=END_OF_TEXT,
        eos_token_id=END_OF_TEXT,
        decoder_start_token_id=START_OF_TRANSCRIPT,
        suppress_tokens=[],
        begin_suppress_tokens=[blank_token, END_OF_TEXT],
    )
    model = WhisperForConditionalGeneration(config)
    model.model.encoder.embed_positions.weight.requires_grad_(False)
    return model


@torch.no_grad()
def initialize(model: WhisperForConditionalGeneration) -> None:
    """Weights to start training from, in place of the stock ones."""
    for name, parameter in model.named_parameters():
        if parameter.dim() == 2 and "embed" not in name:
            nn.init.xavier_uniform_(parameter)
    encoder = model.model.encoder
    for convolution in (encoder.conv1, encoder.conv2):
        nn.init.kaiming_normal_(convolution.weight, nonlinearity="relu")
        convolution.bias.zero_()
    # The channels of those sinusoids carry nothing but positions at first: no layer writes to them.
    positional = torch.tensor([*_SINUSOIDS, *(index + WIDTH // 2 for index in _SINUSOIDS)])
    encoder.conv2.weight[positional] = 0
    for layer, offsets in zip(encoder.layers, _FIRST_OFFSETS, strict=True):
        attention = layer.self_attn
        attention.q_proj.bias.zero_()
        for head, offset in enumerate(offsets):
            rows = slice(head * HEAD_WIDTH, (head + 1) * HEAD_WIDTH)
            attention.q_proj.weight[rows] = _sinusoid_rotation(offset)
            attention.k_proj.weight[rows] = _sinusoid_rotation(0)
        attention.out_proj.weight[positional] = 0
        layer.fc2.weight[positional] = 0


def _sinusoid_rotation(offset: int) -> Tensor:
    """A projection (HEAD_WIDTH, WIDTH) that turns the embedding of position p into that of p + offset."""
    half = WIDTH // 2
    projection = torch.zeros(HEAD_WIDTH, WIDTH)
    for row, index in enumerate(_SINUSOIDS):
        angle = offset * math.exp(-math.log(10000) / (half - 1) * index)
        sine, cosine = _SHARPNESS * math.sin(angle), _SHARPNESS * math.cos(angle)
        projection[2 * row, index], projection[2 * row, index + half] = cosine, sine
        projection[2 * row + 1, index], projection[2 * row + 1, index + half] = -sine, cosine
    return projection


def encode(model: WhisperForConditionalGeneration, mel: Tensor) -> tuple[Tensor, list[Tensor]]:
    """Encodes windows (batch, 80, frames) of any length; also returns what each layer leaves."""
    encoder = model.model.encoder
    state = gelu(encoder.conv2(gelu(encoder.conv1(mel)))).transpose(1, 2)
    state = state + encoder.embed_positions.weight[: state.shape[1]]
    states = []
    for layer in encoder.layers:
        state = _self_attend(layer, state, causal=False)
        state = state + layer.fc2(gelu(layer.fc1(layer.final_layer_norm(state))))
        states.append(state)
    return encoder.layer_norm(state), states


def decode(model: WhisperForConditionalGeneration, tokens: Tensor, encoded: Tensor) -> tuple[Tensor, list[Tensor]]:
    """Logits (batch, tokens, vocabulary) and each layer's cross-attention (batch, head, token, frame)."""
    decoder = model.model.decoder
    state = decoder.embed_tokens(tokens) + decoder.embed_positions.weight[: tokens.shape[1]]
    attentions = []
    for layer in decoder.layers:
        state = _self_attend(layer, state, causal=True)
        attention = layer.encoder_attn
        query = _split_heads(attention.q_proj(layer.encoder_attn_layer_norm(state))) / math.sqrt(HEAD_WIDTH)
        scores = query @ _split_heads(attention.k_proj(encoded)).transpose(2, 3)
        weights = torch.softmax(scores.float(), dim=-1)
        attentions.append(weights)
        state = state + attention.out_proj(_join_heads(weights @ _split_heads(attention.v_proj(encoded))))
        state = state + layer.fc2(gelu(layer.fc1(layer.final_layer_norm(state))))
    return decoder.layer_norm(state) @ decoder.embed_tokens.weight.T, attentions


def _self_attend(layer: Any, state: Tensor, *, causal: bool) -> Tensor:
    """Written out because torch's fused attention takes twice as long on a CPU at this width."""
    attention, normal = layer.self_attn, layer.self_attn_layer_norm(state)
    query = _split_heads(attention.q_proj(normal)) / math.sqrt(HEAD_WIDTH)
    scores = query @ _split_heads(attention.k_proj(normal)).transpose(2, 3)
    if causal:
        future = torch.ones(scores.shape[-2:], dtype=torch.bool).triu(1)
        scores = scores.masked_fill(future, -math.inf)
    mixed = torch.softmax(scores, dim=-1) @ _split_heads(attention.v_proj(normal))
    attended: Tensor = state + attention.out_proj(_join_heads(mixed))
    return attended


def _split_heads(state: Tensor) -> Tensor:
    return state.view(state.shape[0], -1, HEADS, HEAD_WIDTH).transpose(1, 2)


def _join_heads(state: Tensor) -> Tensor:
    return state.transpose(1, 2).reshape(state.shape[0], -1, WIDTH)
