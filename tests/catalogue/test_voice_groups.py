"""Grouping speakers into voices: whoever comes first, the same; what people said holds."""

from __future__ import annotations

import random
from collections.abc import Sequence

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from channelscribe.catalogue.voice_groups import Speaker, closure, group

THRESHOLD = 0.7


def _unit(vectors: NDArray[np.float64]) -> NDArray[np.float32]:
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


def _people(
    seed: int, people: int, recordings: int, noise: float
) -> tuple[list[Speaker], NDArray[np.float32], list[int]]:
    """Speakers of recordings with two of these people in each, their vectors, and who they are."""
    generator = np.random.default_rng(seed)
    voices = _unit(generator.normal(size=(people, 24)))
    speakers, who = [], []
    for recording in range(recordings):
        for label, person in enumerate(generator.choice(people, size=2, replace=False)):
            speakers.append(Speaker((f"v{recording:03}", str(label)), recording))
            who.append(int(person))
    noisy = voices[who] + generator.normal(scale=noise, size=(len(who), 24)) / np.sqrt(24)
    return speakers, _unit(noisy), who


def _named(speakers: Sequence[Speaker], found: list[list[int]]) -> set[frozenset[tuple[str, ...]]]:
    return {frozenset(speakers[place].key for place in members) for members in found}


def test_people_are_found_again() -> None:
    speakers, vectors, who = _people(1, people=5, recordings=30, noise=0.5)
    found = group(speakers, vectors, THRESHOLD)
    assert sorted(found) == sorted([n for n, person in enumerate(who) if person == each] for each in sorted(set(who)))


def test_two_of_one_recording_stay_two_and_pins_hold() -> None:
    vectors = np.ones((4, 2), np.float32) / np.sqrt(np.float32(2))
    same = [Speaker(("a", "0"), "a"), Speaker(("a", "1"), "a"), Speaker(("b", "0"), "b"), Speaker(("c", "0"), "c")]
    assert group(same, vectors, THRESHOLD) == [[0, 2, 3], [1]]
    apart = [same[0], same[1], Speaker(("b", "0"), "b", pin=1), Speaker(("c", "0"), "c", pin=2)]
    assert all(len({1, 2} & {apart[n].pin for n in each}) < 2 for each in group(apart, vectors, THRESHOLD))
    opposite = np.array([[1, 0], [-1, 0]], np.float32)
    together = [Speaker(("a", "0"), "a", pin=7), Speaker(("a", "1"), "a", pin=7)]
    assert group(together, opposite, THRESHOLD) == [[0, 1]]
    assert group([], np.zeros((0, 2), np.float32), THRESHOLD) == []


def _one_by_one(speakers: Sequence[Speaker], vectors: NDArray[np.float32], threshold: float) -> list[list[int]]:
    """Average linkage as the textbook has it: the nearest two that may be merged, again and again."""
    cosines = vectors.astype(np.float64) @ vectors.T.astype(np.float64)
    groups = [[n] for n in range(len(speakers))]
    while True:
        best, pair = threshold, None
        for i, one in enumerate(groups):
            for j, other in enumerate(groups[:i]):
                if {speakers[n].recording for n in one} & {speakers[n].recording for n in other}:
                    continue
                mean = float(cosines[np.ix_(one, other)].mean())
                if mean >= best:
                    best, pair = mean, (i, j)
        if pair is None:
            return sorted(sorted(each) for each in groups)
        groups[pair[1]] += groups.pop(pair[0])


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10**6), st.integers(2, 6), st.integers(2, 12), st.floats(0.3, 1.5))
def test_it_is_average_linkage(seed: int, people: int, recordings: int, noise: float) -> None:
    speakers, vectors, _ = _people(seed, people, recordings, noise)
    assert sorted(group(speakers, vectors, THRESHOLD)) == _one_by_one(speakers, vectors, THRESHOLD)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10**6), st.integers(2, 8), st.integers(2, 20), st.floats(0.3, 1.5))
def test_any_order_of_arrival_and_any_decisions(seed: int, people: int, recordings: int, noise: float) -> None:
    """One after the other, each moving only what it is near to, they end as all at once; decisions hold throughout."""
    speakers, vectors, _ = _people(seed, people, recordings, noise)
    draw = random.Random(seed)
    pins = {n: draw.randrange(3) for n in draw.sample(range(len(speakers)), k=len(speakers) // 4)}
    speakers = [Speaker(each.key, each.recording, pins.get(n)) for n, each in enumerate(speakers)]
    whole = _named(speakers, group(speakers, vectors, THRESHOLD))
    order = list(range(len(speakers)))
    draw.shuffle(order)
    assert _named([speakers[n] for n in order], group([speakers[n] for n in order], vectors[order], THRESHOLD)) == whole
    known: list[int] = []
    voices: set[frozenset[tuple[str, ...]]] = set()
    for n in order:
        known.append(n)
        here, of_here = [speakers[each] for each in known], vectors[known]
        moved = closure(here, of_here, THRESHOLD, [len(known) - 1])
        keys = {here[each].key for each in moved}
        voices = {each for each in voices if not each & keys}
        voices |= _named(
            [here[each] for each in moved], group([here[each] for each in moved], of_here[moved], THRESHOLD)
        )
    assert voices == whole
    for each in whole:
        of_it = [n for n, speaker in enumerate(speakers) if speaker.key in each]
        assert len({pins[n] for n in of_it if n in pins}) <= 1
    for pin in set(pins.values()):
        assert len({each for each in whole for n, of in pins.items() if of == pin and speakers[n].key in each}) == 1
