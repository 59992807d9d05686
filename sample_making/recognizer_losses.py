"""What the recognizer is trained to get right: the text, and on the way there phonemes, tokens and attention."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy
from transformers import WhisperForConditionalGeneration

from sample_making.recognizer_model import AuxiliaryHeads, decode, encode
from sample_making.recognizer_windows import Batch


def losses(model: WhisperForConditionalGeneration, heads: AuxiliaryHeads, batch: Batch) -> dict[str, Tensor]:
    """Text, phoneme, token and attention losses (means, in nats), and the share of tokens that are right."""
    encoded, states = encode(model, batch.mel)
    logits, attentions = decode(model, batch.inputs, encoded)
    counted = batch.targets >= 0
    targets = batch.targets[counted]
    logits = logits[counted].float()
    # The first decoder layer learns to look where the last token was said, the last where the next one is.
    spoken_before = torch.zeros_like(batch.spans)
    spoken_before[:, 2:] = batch.spans[:, 1:-1]
    attention = _attention_loss(attentions[0][:, :2], spoken_before, counted)
    attention = attention + _attention_loss(attentions[-1][:, :3], batch.spans, counted)
    return {
        "text": cross_entropy(logits, targets, label_smoothing=0.02),
        "phoneme": cross_entropy(heads.phoneme(states[1]).float().flatten(0, 1), batch.phonemes.flatten()),
        "token": cross_entropy(heads.token(encoded).float().flatten(0, 1), batch.frame_tokens.flatten()),
        "attention": attention,
        "right": (logits.argmax(-1) == targets).float().mean(),
    }


def _attention_loss(attention: Tensor, spans: Tensor, counted: Tensor) -> Tensor:
    """Minus the log of the attention (batch, head, token, frame) that falls into the frames of ``spans``."""
    mass = (attention * spans[:, None]).sum(-1).clamp(min=1e-6)
    return -mass.log().mean(1)[counted & (spans.sum(-1) > 0)].mean()


def weighted(parts: dict[str, Tensor], progress: float) -> Tensor:
    """The loss to descend: the helpers weigh less once the text is nearly learned."""
    frame, attention = (0.5, 0.4) if progress < 0.4 else (0.2, 0.25)
    return 1.2 * parts["text"] + frame * (parts["phoneme"] + parts["token"]) + attention * parts["attention"]
