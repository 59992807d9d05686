"""The step embed: its answer is a checkpoint, and what a worker cannot do stops nothing."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from channelscribe.catalogue import leases, meaning, publishing
from channelscribe.catalogue.connection import Database, execute
from channelscribe.errors import ModelUnavailable
from channelscribe.settings import Settings
from channelscribe.settings.options import MeaningOptions
from channelscribe.settings.travel import to_travel
from channelscribe.store import MediaStore
from tasks import embed as steps
from tasks import leases as signs
from tasks.records import Options, ReadTranscript, VideoWork
from tests.catalogue.records import OWNER, Video, published, spoken

SAID = spoken("Emma lost a suitcase at the station.", "My grandmother put onions in the soup.")
READ = ReadTranscript(
    transcript_id="a" * 64, transcript_key="checkpoints/transcript/x.json", reading_key="processed/r.json"
)


def options(**changed: Any) -> Options:
    return to_travel(Settings(meaning=MeaningOptions(**{"model": "sample", **changed})))


@pytest.fixture
def here(catalogue: Database, tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[MediaStore]:
    """An empty catalogue without an index, and a store with one transcript."""
    with catalogue.session() as session:
        for name in execute(session, "SELECT relname FROM pg_class WHERE relname ~ '^passage_[0-9]+$'").scalars():
            execute(session, f"DROP TABLE {name}")
        execute(session, "TRUNCATE meaning_index RESTART IDENTITY CASCADE")
    store = MediaStore(str(tmp_path))
    store.put_json(SAID.to_dict(), READ.transcript_key)
    store.put_json({"sentences": []}, READ.reading_key)
    for module in (steps, signs):
        monkeypatch.setattr(module, "catalogue", lambda: catalogue)
    monkeypatch.setattr(steps, "store", lambda: store)
    monkeypatch.setattr(steps, "settings_of", lambda given: Settings(meaning=MeaningOptions(**given["meaning"])))
    steps._missing.clear()
    yield store


def leased(catalogue: Database) -> VideoWork:
    row = published(catalogue, SAID, Video("v1"))
    catalogue.run(leases.claim, [row.id], OWNER, 60, only_due=False)
    return VideoWork(pk=row.id, site="youtube", video_id="v1", url="u", title="t", channel="c", owner=OWNER)


def test_passages_are_a_checkpoint_which_publishing_puts_in(catalogue: Database, here: MediaStore) -> None:
    video = leased(catalogue)
    made = steps.embed.fn(video, READ, options())
    assert made.embed_key and here.exists(made.embed_key)
    assert steps.embed.fn(video, READ, options()) == made
    embedded = steps.passages_of(made)
    catalogue.run(publishing.publish, video.pk, OWNER, f"{video.pk:064x}", SAID, {}, {}, embedded=embedded)
    index = catalogue.read(meaning.current_index)
    assert index is not None and catalogue.read(meaning.due, index) == []
    assert steps.passages_of(None) is None


def test_a_model_that_is_not_here_costs_one_look(
    catalogue: Database, here: MediaStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []

    def away(*_: Any, **__: Any) -> Any:
        asked.append(1)
        raise ModelUnavailable("away")

    video = leased(catalogue)
    monkeypatch.setattr(steps, "resolve_embedder", away)
    assert [steps.embed.fn(video, READ, options()).embed_key for _ in range(3)] == [None] * 3
    assert len(asked) == 1
    assert catalogue.read(meaning.current_index) is None


def test_new_ones_go_into_the_index_that_is_searched(catalogue: Database, here: MediaStore) -> None:
    steps.model_here(options())
    model = steps.model_here(options(model="all-MiniLM-L6-v2"))  # is to come; `embed` changes over to it
    assert model is not None and model.name == "sample"


def test_what_is_published_is_put_in_and_the_models_change_places(catalogue: Database, here: MediaStore) -> None:
    leased(catalogue)
    index, due = steps.find_due.fn(options(), None)
    assert index is not None and len(due) == 1
    hours = steps.hours_to_embed(due, options(), None)
    assert hours is not None and hours > 0
    assert steps.embed_again.fn(due, "sample", options()) == 1
    assert steps.switch_to.fn(index) == 0
    assert steps.find_due.fn(options(), None) == (index, [])
    assert steps.hours_to_embed([], options(), None) is None


def test_groups_are_of_hours() -> None:
    due = [meaning.Due(n, n, 3600.0 * length, None, None) for n, length in enumerate([1, 2, 9, 1])]
    assert [[each.video_pk for each in group] for group in steps.in_groups(due)] == [[0, 1], [2], [3]]
