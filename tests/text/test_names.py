"""Which mentions are of one name."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from channelscribe.text.names import FAR_MORE, entity_key, is_variant, variants


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("Anna's", "anna"),
        ("ANNA", "anna"),
        ("James’", "james"),
        ("the  Orion Institute.", "orion institute"),
        ("The Orion Institute's", "orion institute"),
        ("“Jean-Luc”", "jean luc"),
        ("ÉMILE", "émile"),
        ("Москва,", "москва"),
        ("北京。", "北京"),
        ("the", "the"),
        ("'s", "'s"),
    ],
)
def test_keys(text: str, key: str) -> None:
    assert entity_key(text) == key


@given(st.text(min_size=1))
def test_a_key_is_its_own_key_in_other_cases(text: str) -> None:
    assert entity_key(text) or not text.strip()
    assert entity_key(f" {text.casefold()} ") == entity_key(text.casefold())


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("lisban", "lisbon", True),
        ("orion institue", "orion institute", True),
        ("müller schmidt", "muller schmidt", True),
        ("catherine", "catherrine", True),
        ("norton", "morton", False),  # the beginning
        ("julia", "julian", False),  # five letters, and the end
        ("daniel", "daniela", False),  # the end
        ("robert smith", "roberta smith", False),  # the end of a word
        ("apollo 11", "apollo 12", False),  # a digit
        ("marian", "mirian k", False),
        ("anna", "anne", False),
        ("lisbon", "lisbon", False),
    ],
)
def test_spellings(one: str, other: str, same: bool) -> None:
    assert is_variant(one, other) is is_variant(other, one) is same


def test_only_a_far_more_frequent_spelling_of_the_same_kind_counts() -> None:
    lisbon, lisban = ("lisbon", "GPE"), ("lisban", "GPE")
    assert variants({lisbon: 10, lisban: 1}) == {lisban: lisbon}
    assert variants({lisbon: FAR_MORE * 2 - 1, lisban: 2}) == {}
    assert variants({("lisbon", "ORG"): 100, lisban: 1}) == {}
    assert variants({}) == {}


def test_there_are_no_chains_and_the_most_frequent_one_wins() -> None:
    counts = {("barcelona", "GPE"): 1000, ("barcalona", "GPE"): 50, ("barcallona", "GPE"): 1}
    assert variants(counts) == {("barcalona", "GPE"): ("barcelona", "GPE")}
    both = {("marlon", "P"): 30, ("marion", "P"): 20, ("marxon", "P"): 1}
    assert variants(both) == {("marxon", "P"): ("marlon", "P")}


@given(
    st.dictionaries(st.tuples(st.text("abc ", min_size=5, max_size=8), st.just("X")), st.integers(1, 40), max_size=30)
)
def test_variants_are_all_that_the_rule_says(counts: dict[tuple[str, str], int]) -> None:
    found = variants(counts)
    for name, other in found.items():
        assert is_variant(name[0], other[0]) and counts[other] >= FAR_MORE * counts[name] and other not in found
    fit = {n for n in counts for o in counts if is_variant(n[0], o[0]) and counts[o] >= FAR_MORE * counts[n]}
    assert found.keys() <= fit
