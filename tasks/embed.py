"""Passages and their vectors, for search by meaning: of what is read, and again of what is published already.

New transcripts go into the index that the library is searched by, whatever `meaning.model` says by now: another model
is first of all filled beside it (`flows.embed_library`). A worker that does not have the model, and a database without
vectors, leave a transcript without passages: it is published, found by its words, and due for the next
`channelscribe embed`.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Sequence
from typing import Any

from prefect import task
from prefect.futures import PrefectFuture

from channelscribe.catalogue import meaning, references, transcripts
from channelscribe.catalogue.connection import execute
from channelscribe.catalogue.meaning import Due, Embedded, Index
from channelscribe.errors import ChannelscribeError, ModelUnavailable, SpeechError, Then, UnknownModel, UnknownVideo
from channelscribe.files import content_key
from channelscribe.store.layout import checkpoint_key
from channelscribe.text.embedding import Embedder, ResolvedEmbedder, embedded, load_embedder, resolve_embedder
from channelscribe.transcript import Transcript
from tasks.batching import failure_of
from tasks.caching import RETRIES, ContentPolicy, remembered
from tasks.leases import step
from tasks.records import EmbeddedTranscript, Options, ReadTranscript, VideoWork
from tasks.resources import catalogue, settings_of, store

AGAIN_SECONDS = 600.0
"""A model that did not come is asked for again after so long, not for each video."""
SECONDS_A_TASK = 4 * 3600.0
"""Of audio that a task embeds again."""

NO_VECTORS = "The database has no vectors; `channelscribe doctor` tells how it gets them."
TRIED = 3
"""Transcripts that an estimate is made of."""

_missing: dict[str, float] = {}
_lock = threading.Lock()


def model_here(options: Options) -> ResolvedEmbedder | None:
    """The model that new transcripts are put in with, if this worker has it or can fetch it, and the database takes it.

    That of the current index; without one that of `meaning.model`, whose index is made.
    """
    asked = settings_of(options).meaning
    try:
        index = catalogue().read(meaning.current_index)
        name = index.name if index else asked.model
        if not name:
            return None
        with _lock:
            if time.monotonic() < _missing.get(name, 0.0):
                return None
            try:
                model = resolve_embedder(asked, name, fetch=True)
            except (ModelUnavailable, UnknownModel):
                _missing[name] = time.monotonic() + AGAIN_SECONDS
                raise
        opened = catalogue().run(meaning.open_index, model.identity)
    except ChannelscribeError as error:
        if error.then is Then.RETRY_NOW:
            raise
        logging.getLogger(__name__).warning("no passages for search by meaning: %s", error)
        return None
    return model if opened is not None and opened.current else None


def embed_parts(read: ReadTranscript, options: Options) -> tuple[Any, ...]:
    """Passages are those of a reading, by a model."""
    model = model_here(options)
    return read.transcript_id, read.reading_key, model.identity if model else None


EMBED = ContentPolicy(
    step="embed", version=1, parts=lambda given: embed_parts(given["read"], given["options"]), of_video=True
)


@remembered(EMBED, name="embed", task_run_name="embed {video.video_id}", **RETRIES)
def embed(video: VideoWork, read: ReadTranscript, options: Options) -> EmbeddedTranscript:
    """A transcript's passages and vectors, as a checkpoint; none where the model is not to be had here."""
    asked = settings_of(options).meaning
    model = model_here(options)
    if model is None:
        return EmbeddedTranscript()
    key = checkpoint_key("embed", content_key(EMBED.version, read.transcript_id, read.reading_key, model.identity))
    with step(video, "embed"):
        catalogue().run(references.note_checkpoint, video.pk, key)
        if not store().exists(key):
            transcript = Transcript.from_dict(store().read_json(read.transcript_key))
            sentences = store().read_json(read.reading_key).get("sentences", [])
            try:
                made = embedded(load_embedder(asked, model.name), transcript, sentences)
            except (SpeechError, RuntimeError, ValueError) as error:  # a file that is none, an engine that refuses it
                logging.getLogger(__name__).warning("no passages of %s: %s", video.video_id, error)
                return EmbeddedTranscript()
            store().put_json(made, key)
    return EmbeddedTranscript(embed_key=key)


def passages_of(made: EmbeddedTranscript | None) -> Embedded | None:
    """What the step made, for publishing."""
    return Embedded.from_dict(store().read_json(made.embed_key)) if made is not None and made.embed_key else None


# What is published already.


@task(name="find-due-passages", persist_result=False)
def find_due(options: Options, model: str | None) -> tuple[Index | None, list[Due]]:
    """The index of a model, made if need be, and the current transcripts that are to be put into it, newest first.

    Without a `model` it is that of `meaning.model`, else of the current index. Raises UnknownModel, ModelUnavailable.
    The index is None where the database has no vectors.
    """
    asked = settings_of(options).meaning
    index = catalogue().read(meaning.current_index)
    name = model or asked.model or (index.name if index else None)
    if not name:
        raise UnknownModel("No model of meaning is set.", remedy="Name one with --model, or set meaning.model.")
    resolved = resolve_embedder(asked, name, fetch=True)
    index = catalogue().run(meaning.open_index, resolved.identity)
    return index, catalogue().read(meaning.due, index)


def in_groups(found: Sequence[Due], most: float = SECONDS_A_TASK) -> list[list[Due]]:
    """In order, in groups of about so many seconds of audio."""
    groups: list[list[Due]] = []
    held = 0.0
    for each in found:
        if not groups or held + each.seconds > most:
            groups.append([])
            held = 0.0
        groups[-1].append(each)
        held += each.seconds
    return groups


def hours_to_embed(found: Sequence[Due], options: Options, model: str | None) -> float | None:
    """What the rest takes one worker, from passages of some of them that are made and thrown away; None without any."""
    asked = settings_of(options).meaning
    tried = [each for each in found if each.seconds][:TRIED]
    if not tried or not (name := model or asked.model):
        return None
    embedder = load_embedder(asked, name)
    begun = time.monotonic()
    seconds = sum(each.seconds for each in tried if passages_now(each, embedder) is not None)
    return (time.monotonic() - begun) / seconds * sum(each.seconds for each in found) / 3600 if seconds else None


@task(name="embed-again", persist_result=False, **RETRIES)
def embed_again(found: list[Due], name: str, options: Options) -> int:
    """Put current transcripts into a model's index, each in a transaction of its own; returns how many went in.

    One that changed meanwhile, or is gone, is left: it is due again, or not any more.
    """
    return sum(put_in(each, load_embedder(settings_of(options).meaning, name)) for each in found)


def put_in(each: Due, embedder: Embedder) -> bool:
    """One transcript, as it is shown now."""
    made = passages_now(each, embedder)
    return made is not None and catalogue().run(meaning.put_again, each, made)


def passages_now(each: Due, embedder: Embedder) -> Embedded | None:
    """Of the rows; None where the transcript is gone."""
    try:
        transcript = catalogue().run(transcripts.transcript_of, each.video_pk)[2]
    except UnknownVideo:  # taken down meanwhile
        return None
    query = """SELECT text, start, "end", speaker, start_char, end_char FROM sentence
        WHERE transcript_pk = :pk ORDER BY index"""
    with catalogue().connection() as connection:
        rows = execute(connection, query, pk=each.transcript_pk).mappings().all()
    return Embedded.from_dict(embedded(embedder, transcript, [dict(row) for row in rows]))


def went_in(group: Sequence[Due], future: PrefectFuture[int]) -> tuple[int, Exception | None]:
    """How many of a group went in, and what stopped the rest."""
    error = failure_of([future])
    return (0, error) if error else (future.result(), None)


@task(name="search-by-new-index", persist_result=False, **RETRIES)
def switch_to(index: Index) -> int:
    """Search this index from now on, if all is in it, and take the others away; how many transcripts are missing."""
    left = catalogue().run(meaning.make_current, index)
    if not left:
        for old in catalogue().read(meaning.others):
            catalogue().run(meaning.drop_index, old)
    return len(left)
