"""Tokens, kept as columns: a talk of ten hours has a hundred thousand, and a record for each of them would cost as
much time as spaCy itself does, and four times the space.

`Tokens` reads like a list of `Token`; as JSON it is {"text": [...], "lemma": [...], ...}, a list for each field. Needs
numpy.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any, overload

import numpy as np
from numpy.typing import NDArray

from channelscribe.text.spans import CharTimes

if TYPE_CHECKING:
    from spacy.tokens import Doc

    from channelscribe.text.models import Pipeline

__all__ = ["Token", "TokenGatherer", "Tokens"]


@dataclass(slots=True)
class Token:
    """One token. `lemma` and `pos` (Universal POS tag) are None where the pipeline has no tagger."""

    text: str
    lemma: str | None
    pos: str | None
    is_stop: bool
    start_char: int
    end_char: int
    start: float
    end: float
    speaker: str | None = None


NAMES = tuple(each.name for each in fields(Token))


class Tokens(Sequence[Token]):
    """A sequence of tokens over columns of equal length, in the order of `NAMES`."""

    def __init__(self, *columns: list[Any]) -> None:
        self._columns = columns or tuple([] for _ in NAMES)

    @classmethod
    def from_plain(cls, plain: Mapping[str, list[Any]] | Iterable[Mapping[str, Any]]) -> Tokens:
        """What `plain` made, or the list of records that older readings hold."""
        if isinstance(plain, Mapping):
            return cls(*(list(plain[name]) for name in NAMES))
        return cls(*map(list, zip(*([record.get(name) for name in NAMES] for record in plain), strict=True)))

    def plain(self) -> dict[str, list[Any]]:
        """JSON-able: the columns by name."""
        return dict(zip(NAMES, self._columns, strict=True))

    def __len__(self) -> int:
        return len(self._columns[0])

    @overload
    def __getitem__(self, index: int) -> Token: ...
    @overload
    def __getitem__(self, index: slice) -> Tokens: ...
    def __getitem__(self, index: int | slice) -> Token | Tokens:
        if isinstance(index, slice):
            return Tokens(*(column[index] for column in self._columns))
        return Token(*(column[index] for column in self._columns))

    def __iter__(self) -> Iterator[Token]:
        return map(Token, *self._columns)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Tokens) and self._columns == other._columns

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"<{len(self)} tokens>"


class TokenGatherer:
    """`take` the documents of one text in order, then `tokens`."""

    def __init__(self, pipeline: Pipeline) -> None:
        self._pipeline = pipeline
        # first character, length, stop word, lemma and part of speech (ids of spaCy's strings)
        self._found: list[NDArray[Any]] = []

    def take(self, document: Doc, offset: int) -> None:
        """The tokens of a document that begins at `offset`; white space is none."""
        found: NDArray[Any] = document.to_array(["IDX", "LENGTH", "IS_STOP", "LEMMA", "POS", "IS_SPACE"])
        found[:, 0] += np.uint64(offset)
        self._found.append(found[found[:, 5] == 0, :5])

    def tokens(self, text: str, times: CharTimes) -> Tokens:
        if not self._found:
            return Tokens()
        found = np.concatenate(self._found)
        starts, ends = found[:, 0].tolist(), (found[:, 0] + found[:, 1]).tolist()
        return Tokens(
            [text[start:end] for start, end in zip(starts, ends, strict=True)],
            self._strings(found[:, 3], self._pipeline.lemmas),
            self._strings(found[:, 4], self._pipeline.pos),
            found[:, 2].astype(bool).tolist(),
            starts,
            ends,
            *times.spans(starts, ends),
        )

    def _strings(self, ids: NDArray[Any], known: bool) -> list[str | None]:
        if not known:
            return [None] * len(ids)
        strings = self._pipeline.nlp.vocab.strings
        return [strings[each] or None for each in ids.tolist()]
