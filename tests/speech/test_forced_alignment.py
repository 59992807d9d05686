"""The same path as WhisperX's own trellis and backtrack, on emissions of every kind."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from channelscribe.speech.engines import prepare_engines
from channelscribe.speech.forced_alignment import WILDCARD, narrow, token_spans, with_wildcard

pytestmark = pytest.mark.speech


def _random_emission(rng: np.random.Generator, frames: int, characters: int = 20) -> NDArray[np.float32]:
    """Log-probabilities: flat or sharp, some of minus infinity, some with many ties."""
    scores = rng.normal(size=(frames, characters)) * rng.choice([0.5, 3, 10])
    emission = scores - np.log(np.exp(scores).sum(axis=1, keepdims=True))
    if rng.random() < 0.2:
        emission[rng.random(emission.shape) < 0.2] = -np.inf
    if rng.random() < 0.2:
        emission = np.round(emission)
    return emission.astype(np.float32)


def _whisperx(emission: NDArray[np.float32], tokens: NDArray[np.intp], blank: int) -> list[Any] | None:
    prepare_engines()
    import torch
    from whisperx.alignment import backtrack, get_trellis, merge_repeats

    scores, columns = torch.from_numpy(emission), tokens.tolist()
    path = backtrack(get_trellis(scores, columns, blank), scores, columns, blank)
    return None if path is None else list(merge_repeats(path, "x" * len(columns)))


def test_paths_are_those_of_whisperx() -> None:
    rng = np.random.default_rng(5)
    pathless = 0
    for _ in range(120):
        frames = [int(rng.integers(1, 60)) for _ in range(rng.integers(1, 6))]
        emissions = [_random_emission(rng, count) for count in frames]
        widths = [int(rng.integers(1, max(2, count * rng.choice([0.2, 0.5, 1.1])))) for count in frames]
        tokens = [rng.integers(0, 20, width) for width in widths]
        blank = int(rng.integers(0, 20))
        for emission, columns, spans in zip(emissions, tokens, token_spans(emissions, tokens, blank), strict=True):
            expected = _whisperx(emission, columns, blank)
            assert (spans is None) == (expected is None)
            pathless += spans is None
            if spans is not None and expected is not None:
                assert spans.starts.tolist() == [each.start for each in expected]
                assert spans.ends.tolist() == [each.end for each in expected]
                assert spans.scores == pytest.approx([each.score for each in expected], abs=1e-6, nan_ok=True)
    assert pathless  # more characters than frames were among them


def test_segments_together_are_as_each_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(6)
    emissions = [_random_emission(rng, frames) for frames in (5, 300, 40, 299, 1)]
    tokens = [rng.integers(1, 20, width) for width in (2, 60, 40, 3, 1)]
    alone = [token_spans([e], [t], 0)[0] for e, t in zip(emissions, tokens, strict=True)]
    for cells in (1, 30_000, 8_000_000):
        monkeypatch.setattr("channelscribe.speech.forced_alignment._CELLS", cells)
        for together, one in zip(token_spans(emissions, tokens, 0), alone, strict=True):
            assert (together is None) == (one is None)
            if together is not None and one is not None:
                assert together.starts.tolist() == one.starts.tolist()
                assert together.scores.tolist() == one.scores.tolist()


def test_nothing_to_align_has_no_path() -> None:
    nothing, frame = np.zeros((0, 3), np.float32), np.zeros((1, 3), np.float32)
    assert token_spans([], [], 0) == []
    assert token_spans([nothing, frame], [np.array([1]), np.array([], np.intp)], 0) == [None, None]


def test_the_wildcard_is_the_best_that_is_not_blank() -> None:
    emission = np.log(np.array([[0.7, 0.2, 0.1], [0.1, 0.3, 0.6]], np.float32))
    assert np.exp(with_wildcard(emission, 0)[:, 3]) == pytest.approx([0.2, 0.6])


def test_only_the_columns_that_are_needed_give_the_same_path() -> None:
    rng = np.random.default_rng(7)
    for blank in (0, 5, 19):
        emission = _random_emission(rng, 80)
        known = rng.integers(0, 20, 15)
        tokens = np.where(rng.random(15) < 0.3, WILDCARD, known)
        (wide,) = token_spans([with_wildcard(emission, blank)], [np.where(tokens == WILDCARD, 20, tokens)], blank)
        narrowed, columns = narrow(emission, tokens, blank)
        (small,) = token_spans([narrowed], [columns], 0)
        assert wide
        assert small
        assert narrowed.shape[1] <= 2 + len(set(tokens))
        assert small.starts.tolist() == wide.starts.tolist()
        assert small.scores.tolist() == wide.scores.tolist()
