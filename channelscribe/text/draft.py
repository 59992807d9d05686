"""One transcript while it is read: what is to be given to spaCy, what came back, and the reading made of both."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from channelscribe.settings.options import TextOptions
from channelscribe.text import key_phrases, topics
from channelscribe.text.content_words import WITHOUT_SPACES
from channelscribe.text.models import Pipeline
from channelscribe.text.names import entity_key
from channelscribe.text.pieces import Piece, pieces
from channelscribe.text.punkt import is_trained, punkt_language
from channelscribe.text.records import Entity, KeyPhrase, Reading, Sentence, Topic
from channelscribe.text.sentences import Span, at_pauses, sentences_of, stripped
from channelscribe.text.spans import char_times
from channelscribe.text.tokens import TokenGatherer
from channelscribe.transcript import Transcript

if TYPE_CHECKING:
    from spacy.tokens import Doc

__all__ = ["Draft"]

TYPICAL_WORDS = 5


class Draft:
    """Give `document(piece)` of each of `pieces` to the pipeline, hand what comes back to `take`, in order; then
    `reading()` has all of it.
    """

    def __init__(self, transcript: Transcript, pipeline: Pipeline, options: TextOptions) -> None:
        self.pipeline, self.options = pipeline, options
        self.text, self.language = transcript.text, transcript.language
        self.times = char_times(transcript)
        self.sentences = sentences_of(self.text, self.language)
        if not pipeline.sentences:
            self.sentences = self._at_pauses(self.sentences)
        self.pieces = list(pieces(self.text, self.sentences)) if self._needs_spacy() else []
        self._found: list[Span] = []  # the pipeline's own sentences
        self._tokens = TokenGatherer(pipeline)
        self._entities: list[Entity] = []
        self._taken = 0

    @property
    def complete(self) -> bool:
        return self._taken == len(self.pieces)

    def document(self, piece: Piece) -> Doc:
        """The piece as a document; its sentences are set, unless the pipeline is to find them."""
        document = self.pipeline.nlp.make_doc(self.text[piece.start : piece.end])
        if not self.pipeline.sentences:
            for place in np.searchsorted(document.to_array("IDX"), piece.sentences).tolist():
                if place < len(document):
                    document[place].is_sent_start = True
        return document

    def take(self, document: Doc, piece: Piece) -> None:
        if self.pipeline.sentences:
            self._found += ((piece.start + s.start_char, piece.start + s.end_char) for s in document.sents)
        if "tokens" in self.options.steps:
            self._tokens.take(document, piece.start)
        if "entities" in self.options.steps:
            self._entities += self._entities_of(document, piece.start)
        self._taken += 1

    def reading(self) -> Reading:
        spans = self.sentences
        if self.pipeline.sentences and self.pieces:
            spans = self._at_pauses(stripped(self.text, self._found))
        made = Reading(self.language, tokens=self._tokens.tokens(self.text, self.times), entities=self._entities)
        notes = [self.pipeline.note]
        if "sentences" in self.options.steps:
            made.sentences = [Sentence(self.text[a:b], a, b, *self.times.span(a, b)) for a, b in spans]
        if "topics" in self.options.steps:
            made.topics = self._topics(spans)
        if "key_phrases" in self.options.steps:
            made.key_phrases = list(self._key_phrases())
            notes.append(self._why_no_phrases())
        made.models = self._models("; ".join(note for note in notes if note) or None)
        return made

    def _needs_spacy(self) -> bool:
        return self.pipeline.sentences or bool({"tokens", "entities"} & set(self.options.steps))

    def _at_pauses(self, spans: Any) -> list[Span]:
        return at_pauses(self.text, spans, self.times, self.options.pause_seconds, self.options.longest_sentence)

    def _entities_of(self, document: Doc, offset: int) -> Iterator[Entity]:
        for found in document.ents:
            start, end = offset + found.start_char, offset + found.end_char
            text = self.text[start:end]
            if not any(map(str.isalnum, text)):
                continue  # an emoji is no name, whatever a pipeline thinks
            yield Entity(text, found.label_, entity_key(text), start, end, *self.times.span(start, end))

    def _topics(self, sentences: list[Span]) -> list[Topic]:
        if len(self.text) < self.options.topics_from_words or self._words() < self.options.topics_from_words:
            return []
        stop_words = self.pipeline.nlp.Defaults.stop_words
        starts = [start for start, _ in sentences]
        begins = [starts[0], *topics.boundaries(self.text, starts, stop_words)]
        spans = list(stripped(self.text, pairwise([*begins, len(self.text)])))
        typical = topics.typical_words(self.text, spans, stop_words, TYPICAL_WORDS)
        titles = topics.titles(self.text, spans, typical, stop_words)
        return [
            Topic(words, a, b, *self.times.span(a, b), title)
            for words, title, (a, b) in zip(typical, titles, spans, strict=True)
        ]

    def _words(self) -> int:
        # Where no spaces are written, two characters are about a word.
        return len(self.text.split()) + sum(1 for _ in WITHOUT_SPACES.finditer(self.text)) // 2

    def _key_phrases(self) -> Iterator[KeyPhrase]:
        stop_words = self.pipeline.nlp.Defaults.stop_words
        for found in key_phrases.key_phrases(self.text, stop_words, self.options.key_phrases):
            a, b = found.start_char, found.end_char
            yield KeyPhrase(self.text[a:b], found.key, found.score, found.mentions, a, b, *self.times.span(a, b))

    def _why_no_phrases(self) -> str | None:
        if self.pipeline.nlp.Defaults.stop_words or not self.text:
            return None
        return f"no key phrases: no stop words are known for the language {self.language!r}"

    def _models(self, note: str | None) -> dict[str, Any]:
        rules = {"model": f"punkt:{punkt_language(self.language)}", "trained": is_trained(self.language)}
        own = {"model": self.pipeline.name, "trained": True}
        sentences = own if self.pipeline.sentences else rules
        return {"sentences": sentences, "pipeline": self.pipeline.describe(), "note": note}
