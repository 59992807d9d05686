"""pyannote's diarization, hastened, says what it said before."""

from __future__ import annotations

from collections import Counter
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from channelscribe.settings import SpeechOptions
from channelscribe.speech import loading
from channelscribe.speech.registry import resolve_model
from channelscribe.speech.speaker_linking import _takes_several_masks, hasten

OPTIONS = SpeechOptions(model="sample", device="cpu")


@pytest.mark.long
@pytest.mark.speech
def test_the_same_turns_and_voices_with_a_third_of_the_embeddings(
    dialogue: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = resolve_model(OPTIONS)
    heard: dict[str, int] = {"before": 0, "after": 0}

    def diarized(when: str, hastened: bool) -> tuple[Any, Any]:
        """A pipeline of its own: what is loaded for all stays as it is."""
        monkeypatch.setattr(loading, "_cache", {})
        monkeypatch.setattr(loading, "_counts", Counter())
        monkeypatch.setattr(loading, "hasten", hasten if hastened else lambda *_: None)
        loaded = loading.load_diarizer(model, OPTIONS)
        assert loaded is not None
        embedding = loaded.engine.model._embedding.model_

        def count(_: Any, given: Any) -> None:
            whole = given[0].shape[-1] == 5 * 16000  # not the shorter ones with which pyannote tries what it takes
            heard[when] += len(given[0]) if whole else 0

        embedding.register_forward_pre_hook(count)
        found: tuple[Any, Any] = loaded.engine(dialogue.audio[: 30 * 16000], return_embeddings=True)
        return found

    turns, voices = diarized("before", hastened=False)
    fast_turns, fast_voices = diarized("after", hastened=True)
    assert len(set(turns["speaker"])) == 2
    assert fast_turns.equals(turns)
    assert voices.keys() == fast_voices.keys()
    for name in voices:
        assert np.allclose(voices[name], fast_voices[name], atol=1e-4)
    assert heard["before"] == 3 * heard["after"] > 0


@pytest.mark.speech
@pytest.mark.parametrize("kind", ["one mask only", "another answer", "no network"])
def test_an_embedding_that_cannot_share_is_left_as_it_is(kind: str) -> None:
    import torch

    def embed(waveforms: Any, masks: Any) -> Any:
        if masks.dim() == 3 and kind == "one mask only":
            raise RuntimeError("Expected 2D")
        found = waveforms.mean(dim=2) * masks.float().mean(dim=-1, keepdim=masks.dim() == 2)
        return (found if masks.dim() == 2 else torch.rand(1, masks.shape[1], 1)).numpy()

    class Embedding:
        model_ = SimpleNamespace()

        def __call__(self, waveforms: Any, masks: Any = None) -> Any:
            return embed(waveforms, masks)

    assert not _takes_several_masks(object() if kind == "no network" else Embedding(), 3)
