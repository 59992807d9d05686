"""Reads transcripts: sentences across segments, tokens, names, topics and key phrases, each with characters, time and
speaker.

Needs the extra `text`. Leaves nothing behind. Sentences are those of the language's pipeline where it was trained to
find them, else those of `channelscribe.text.sentences`. spaCy gets a few sentences at a time
(`channelscribe.text.pieces`), of one transcript after the other, so a video of any length fits, short ones share
batches, and no name runs over the end of a sentence.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from itertools import groupby
from typing import TYPE_CHECKING

from channelscribe.settings.options import TextOptions
from channelscribe.text.draft import Draft
from channelscribe.text.models import Pipeline, load_pipeline
from channelscribe.text.names import entity_key
from channelscribe.text.pieces import Piece
from channelscribe.text.records import Reading
from channelscribe.transcript import Transcript

if TYPE_CHECKING:
    from spacy.tokens import Doc

__all__ = ["entity_key", "read", "read_all"]

BATCH = 64
"""Pieces that spaCy takes at once."""


def read(transcript: Transcript, options: TextOptions) -> Reading:
    """Reads the transcript with what is there for its language; `Reading.models` says what that was.

    Raises TextModelUnavailable when spaCy or NLTK is not installed, or a pipeline does not load, and
    ModelTampered.
    """
    return next(read_all([transcript], options))


def read_all(transcripts: Iterable[Transcript], options: TextOptions, batch: int = BATCH) -> Iterator[Reading]:
    """The reading of each transcript, in order; those of one language in a row go through spaCy together.

    Neither `batch` nor the neighbours change a reading. Only a batch is looked ahead. Raises as `read`.
    """
    for language, group in groupby(transcripts, key=lambda transcript: transcript.language):
        yield from _read_group(group, load_pipeline(language, options), options, batch)


def _read_group(
    transcripts: Iterable[Transcript], pipeline: Pipeline, options: TextOptions, batch: int
) -> Iterator[Reading]:
    drafts: deque[Draft] = deque()

    def documents() -> Iterator[tuple[Doc, tuple[Draft, Piece]]]:
        for transcript in transcripts:
            draft = Draft(transcript, pipeline, options)
            drafts.append(draft)
            for piece in draft.pieces:
                yield draft.document(piece), (draft, piece)

    disabled = _disabled(pipeline, options)
    for document, (draft, piece) in pipeline.nlp.pipe(documents(), as_tuples=True, batch_size=batch, disable=disabled):
        draft.take(document, piece)
        while drafts and drafts[0].complete:
            yield drafts.popleft().reading()
    while drafts:  # the last ones may have had no piece at all
        yield drafts.popleft().reading()


def _disabled(pipeline: Pipeline, options: TextOptions) -> list[str]:
    """The steps of the pipeline that only serve what is not asked for."""
    unasked = {"sentencizer"}  # sentences are preset, or found by better means
    if "tokens" not in options.steps:
        unasked |= {"tagger", "morphologizer", "lemmatizer", "trainable_lemmatizer", "attribute_ruler"}
    if "entities" not in options.steps:
        unasked |= {"ner", "entity_ruler"}
    return sorted(unasked & set(pipeline.nlp.pipe_names))
