"""Reads a transcript: sentences across segments, tokens, and names, all with characters, times and speakers.

Needs the extra `text`. Leaves nothing behind. Sentences are Punkt's, and each sentence is one spaCy document,
so a video of any length fits and no name runs over the end of a sentence.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from channelscribe.settings.options import TextOptions
from channelscribe.text.models import Pipeline, load_pipeline
from channelscribe.text.punkt import is_trained, punkt_language, sentence_spans
from channelscribe.text.records import Entity, Reading, Sentence, Token
from channelscribe.text.spans import CharTimes, char_times
from channelscribe.transcript import Transcript

if TYPE_CHECKING:
    from spacy.tokens import Doc

__all__ = ["entity_key", "read"]

_BATCH = 64  # sentences that spaCy takes at once
_POSSESSIVE = re.compile(r"['’](s)?$", re.IGNORECASE)


def read(transcript: Transcript, options: TextOptions) -> Reading:
    """Reads the transcript with what is there for its language; `Reading.models` says what that was.

    Raises TextModelUnavailable when spaCy or NLTK is not installed, or a pipeline does not load, and
    ModelTampered.
    """
    text, language = transcript.text, transcript.language
    times = char_times(transcript)
    spans = sentence_spans(text, language)
    pipeline = load_pipeline(language, options)
    reading = Reading(
        language=language,
        sentences=[Sentence(text[a:b], a, b, *times.span(a, b)) for a, b in spans],
        models=_models(pipeline, language),
    )
    for (offset, _), doc in zip(spans, _documents(pipeline, text, spans, options), strict=True):
        if options.tokens:
            reading.tokens += _tokens(doc, offset, times, pipeline)
        if options.entities:
            reading.entities += _entities(doc, offset, times)
    return reading


def entity_key(text: str) -> str:
    """What mentions of one name share: case folded, single spaces, no outer punctuation, no possessive."""
    key = " ".join(text.casefold().split()).strip(' .,;:!?"“”()[]')
    return _POSSESSIVE.sub("", key)


def _documents(pipeline: Pipeline, text: str, spans: Sequence[tuple[int, int]], options: TextOptions) -> Iterable[Doc]:
    """One document a sentence; steps that only serve what is not asked for are left out."""
    unasked = [] if options.tokens else ["tagger", "morphologizer", "lemmatizer", "attribute_ruler", "parser"]
    unasked += ["parser"] if not pipeline.lemmas else []
    unasked += [] if options.entities else ["ner", "entity_ruler"]
    disabled = sorted(set(unasked) & set(pipeline.nlp.pipe_names))
    return pipeline.nlp.pipe((text[a:b] for a, b in spans), batch_size=_BATCH, disable=disabled)


def _tokens(doc: Doc, offset: int, times: CharTimes, pipeline: Pipeline) -> list[Token]:
    tokens = []
    for token in doc:
        if token.is_space:
            continue
        start, end = offset + token.idx, offset + token.idx + len(token.text)
        lemma = token.lemma_ if pipeline.lemmas else None
        pos = token.pos_ if pipeline.pos else None
        tokens.append(Token(token.text, lemma, pos, bool(token.is_stop), start, end, *times.span(start, end)))
    return tokens


def _entities(doc: Doc, offset: int, times: CharTimes) -> list[Entity]:
    entities = []
    for found in doc.ents:
        start, end = offset + found.start_char, offset + found.end_char
        entities.append(Entity(found.text, found.label_, entity_key(found.text), start, end, *times.span(start, end)))
    return entities


def _models(pipeline: Pipeline, language: str) -> dict[str, Any]:
    punkt = {"model": f"punkt:{punkt_language(language)}", "trained": is_trained(language)}
    return {"sentences": punkt, "pipeline": pipeline.describe(), "note": pipeline.note}
