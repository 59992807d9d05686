"""Passages are whole sentences of half a minute; models of meaning are found, checked, and put like near like."""

from __future__ import annotations

import itertools
import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from channelscribe.errors import ModelTampered, ModelUnavailable, UnknownModel
from channelscribe.files import sha256_file
from channelscribe.sample import world
from channelscribe.settings import Settings
from channelscribe.settings.options import MeaningModel, MeaningOptions
from channelscribe.text.embedding import load_embedder, resolve_embedder
from channelscribe.text.passages import PAUSE, SECONDS, passages
from channelscribe.transcript import Segment, Transcript, Word

SAMPLE = MeaningOptions(model="sample")
FOLDER = world.models_dir() / "meaning"


def talk(lengths: list[float], speakers: list[str], pauses: list[float] | None = None) -> Transcript:
    """A segment for each sentence."""
    segments, clock = [], 0.0
    for n, (length, speaker) in enumerate(zip(lengths, speakers, strict=True)):
        clock += (pauses or [0.0] * len(lengths))[n]
        word = Word(f"S{n}.", clock, clock + length, speaker=speaker)
        segments.append(Segment(clock, clock + length, word.text, speaker, words=[word]))
        clock += length
    return Transcript("en", clock, segments)


@given(st.lists(st.tuples(st.floats(0.5, 40), st.sampled_from("AB"), st.sampled_from([0.0, 1.0, 9.0])), max_size=40))
def test_passages_have_all_sentences_in_order(drawn: list[tuple[float, str, float]]) -> None:
    transcript = talk([one[0] for one in drawn], [one[1] for one in drawn], [one[2] for one in drawn])
    found = passages(transcript, [])
    said = [each.text.split() for each in found]
    assert [word for n, words in enumerate(said) for word in words if n == 0 or word not in said[n - 1]] == [
        segment.text for segment in transcript.segments
    ]
    for each in found:
        assert each.text.split() == [one.text for one in transcript.segments[each.first : each.last + 1]]
        assert each.end - each.start <= SECONDS or each.first == each.last or each.last - each.first == 1
    for before, after in itertools.pairwise(found):
        assert after.first in (before.last, before.last + 1)


def test_a_passage_ends_with_its_speaker_or_at_a_long_silence() -> None:
    spoken = passages(talk([6, 6, 6, 6, 6], list("AAABB")), [])
    assert [(each.first, each.last) for each in spoken] == [(0, 2), (2, 4)]  # the last sentence is said again
    apart = passages(talk([6, 6, 6], list("AAA"), [0, PAUSE, 0]), [])
    assert [(each.first, each.last) for each in apart] == [(0, 0), (1, 2)]


def test_sentences_of_a_reading_over_segments_and_what_nobody_said() -> None:
    segments = [
        Segment(0, 4, "One and", words=[]),
        Segment(4, 8, "two. Three.", words=[]),
        Segment(8, 9, "Thanks for watching!", flags=["boilerplate"]),
    ]
    transcript = Transcript("en", 9.0, segments)
    told = [("One and two.", 0, 12, 0.0, 6.0), ("Three.", 13, 19, 6.0, 8.0), ("Thanks for watching!", 20, 40, 8.0, 9.0)]
    names = ("text", "start_char", "end_char", "start", "end")
    (one,) = passages(transcript, [dict(zip(names, each, strict=True)) for each in told])
    assert (one.start, one.end, one.first, one.last, one.text) == (0.0, 8.0, 0, 1, "One and two. Three.")
    assert passages(Transcript("en", 9.0), []) == []


def test_like_is_near_like() -> None:
    embedder = load_embedder(SAMPLE)
    texts = ["Emma Rossi lost a suitcase at the train in Sydney.", "Never pour the carrots without potatoes."]
    vectors, nothing = embedder.passages(texts), embedder.queries(["zzz qqq", ""])
    assert vectors.shape == (2, 48) and np.allclose(np.linalg.norm(vectors, axis=1), 1)
    assert not nothing.any()
    near, far = vectors @ embedder.queries(["lost luggage"])[0]
    assert near > 0.5 > far
    assert embedder.passages([]).shape == (0, 48)
    assert load_embedder(SAMPLE) is embedder


def test_the_bundled_model_is_small_and_the_same_wherever_it_lies() -> None:
    assert sum(path.stat().st_size for path in FOLDER.iterdir()) < 120_000
    identity = resolve_embedder(SAMPLE).identity
    assert identity["name"] == "sample" and str(FOLDER) not in json.dumps(identity)


def test_a_folder_is_a_model_and_its_sums_are_checked(tmp_path: Path) -> None:
    for name in ("model.safetensors", "tokenizer.json"):
        (tmp_path / name).write_bytes((FOLDER / name).read_bytes())
    assert resolve_embedder(MeaningOptions(model=str(tmp_path))).entry.dimensions == 48
    entry = MeaningModel(model=str(tmp_path), dimensions=48, sha256={"model.safetensors": "0" * 64})
    with pytest.raises(ModelTampered, match=r"meaning\.models\.mine"):
        load_embedder(MeaningOptions(model="mine", models={"mine": entry}))
    pinned = entry.model_copy(update={"sha256": {"model.safetensors": sha256_file(tmp_path / "model.safetensors")}})
    assert load_embedder(MeaningOptions(model="mine", models={"mine": pinned})).queries(["rain"]).any()
    (tmp_path / "model.safetensors").write_bytes(b"\x08\0\0\0\0\0\0\0{}      ")
    with pytest.raises(ModelUnavailable, match="no static model"):
        resolve_embedder(MeaningOptions(model=str(tmp_path)))
    (tmp_path / "model.safetensors").unlink()
    with pytest.raises(ModelUnavailable, match="neither"):
        resolve_embedder(MeaningOptions(model=str(tmp_path)))


def test_a_model_that_is_not_here_says_so_without_asking_the_network(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("channelscribe.speech.hub.model_folder", None)
    with pytest.raises(ModelUnavailable, match="not on this machine"):
        resolve_embedder(MeaningOptions(model="multilingual-e5-small"))
    with pytest.raises(UnknownModel, match="Known: all-MiniLM-L6-v2"):
        resolve_embedder(MeaningOptions(model="nowhere"))
    assert Settings().meaning.model == "all-MiniLM-L6-v2"
