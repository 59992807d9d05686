"""A channel as one file: what others read in it, and that it is whole or absent."""

from __future__ import annotations

import io
import json
import sys
import tracemalloc
from datetime import date
from pathlib import Path

import pandas
import pytest

from channelscribe.catalogue import leases, publishing, transcripts
from channelscribe.catalogue.connection import Database
from channelscribe.errors import UnknownSource, UsageError
from channelscribe.export import corpus
from channelscribe.export.corpus import export_channel
from channelscribe.files import atomic_write
from channelscribe.transcript import Segment, Transcript, Turn, Word
from tests.catalogue.records import OWNER, Listed, Video, published, spoken

COLUMNS = [
    "site", "video", "title", "url", "published", "channel", "language", "segment", "start", "end", "speaker", "text",
    "words", "avg_logprob", "flags", "transcript", "version", "model",
    "chapter",
]  # fmt: skip

CHAPTERS = [[1.5, ""], [2.0, "Later"]]


@pytest.fixture
def library(catalogue: Database) -> Database:
    """Three videos of a channel, one of another; an older version that is not exported."""
    dialogue = Transcript(
        "en",
        4.0,
        [
            Segment(0.0, 2.0, "Ada «met» Bo\t\n", "S0", -0.5, [Word("Ada", 0.0, 0.5, 0.9, "S0"), Word("Bo", 0.5, 2.0)]),
            Segment(2.0, 4.0, "", None, None, [], ["unsure"]),
        ],
        [Turn(0.0, 2.0, "S0")],
        {"recognizer": {"name": "tiny"}},
    )
    video = Video("b", 'Title, "quoted"', published=date(2024, 1, 2), chapters=CHAPTERS)
    row = published(catalogue, spoken("An older version"), video)
    catalogue.run(leases.claim, [row.id], OWNER, 60, only_due=False)
    catalogue.run(publishing.publish, row.id, OWNER, "newer", dialogue, {}, {})
    published(catalogue, spoken("First of all"), Video("a", published=date(2024, 1, 1)))
    published(catalogue, spoken("Zuletzt", language="de"), Video("c", published=None))
    other = Listed(url="https://example.org/feed", title="Other", source_id="o", site="generic")
    published(catalogue, spoken("elsewhere"), Video("x", site="generic", url="https://example.org/x"), other)
    return catalogue


def exported(library: Database, name: str, folder: Path, **filters: object) -> Path:
    path = folder / f"corpus.{name}"
    with atomic_write(path) as file:
        export_channel(library, "channel ONE", name, file, **filters)  # type: ignore[arg-type]
    return path


@pytest.mark.slow
def test_pandas_reads_the_same_in_both(library: Database, tmp_path: Path) -> None:
    lines = pandas.read_json(exported(library, "jsonl", tmp_path), lines=True, dtype={"published": str})
    arrow = pandas.read_parquet(exported(library, "parquet", tmp_path))
    assert list(lines.columns) == list(arrow.columns) == COLUMNS
    for frame in (lines, arrow):
        assert frame["video"].tolist() == ["a", "b", "b", "c"]
        assert frame["segment"].tolist() == [0, 0, 1, 0]
        assert frame["text"].tolist() == ["First of all", "Ada «met» Bo\t\n", "", "Zuletzt"]
        assert set(frame["channel"]) == {"Channel One"}
        assert frame["version"].tolist() == [1, 2, 2, 1]
        assert list(frame["flags"][2]) == ["unsure"]
        assert frame["words"][1][0] == {
            "word": "Ada", "start": 0.0, "end": 0.5, "score": 0.9, "speaker": "S0", "aligned": True,
        }  # fmt: skip
        assert frame["words"][1][1]["speaker"] is None
        assert [str(day) for day in frame["published"][:2]] == ["2024-01-01", "2024-01-02"]
    assert arrow["published"][3] is None
    assert arrow["avg_logprob"].dtype == float


def test_each_line_is_an_object(library: Database, tmp_path: Path) -> None:
    text = exported(library, "jsonl", tmp_path).read_text(encoding="utf-8")
    rows = [json.loads(line) for line in text.split("\n")[:-1]]
    assert [list(row) for row in rows] == [COLUMNS] * 4
    assert (rows[1]["model"], rows[1]["transcript"], rows[1]["url"]) == (
        "tiny", "newer", "https://www.youtube.com/watch?v=b",
    )  # fmt: skip
    assert rows[3]["published"] is None


def test_a_segment_tells_its_chapter(library: Database, tmp_path: Path) -> None:
    lines = map(json.loads, exported(library, "jsonl", tmp_path).read_text().splitlines())
    assert [line["chapter"] for line in lines if line["video"] == "b"] == [None, "Later"]


def test_filters(library: Database, tmp_path: Path) -> None:
    def videos(**filters: object) -> list[str]:
        return [json.loads(line)["video"] for line in exported(library, "jsonl", tmp_path, **filters).open()]

    assert videos(language="DE") == ["c"]
    assert videos(since=date(2024, 1, 2)) == ["b", "b"]
    assert videos(until=date(2024, 1, 1)) == ["a"]


def test_an_unknown_channel_leaves_no_file(library: Database, tmp_path: Path) -> None:
    with pytest.raises(UnknownSource, match=r"Channel One.*Other"), atomic_write(tmp_path / "x") as file:
        export_channel(library, "nobody", "jsonl", file)
    assert list(tmp_path.iterdir()) == []


def test_without_pyarrow_the_remedy_is_told(library: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(UsageError, match=r"channelscribe\[parquet\].*jsonl"):
        export_channel(library, "Channel One", "parquet", io.BytesIO())


def test_an_export_shows_one_moment(library: Database) -> None:
    rows = transcripts.corpus(library, "Channel One")
    first = next(rows)[0].video
    published(library, spoken("while it goes on"), Video("d", published=date(2024, 3, 1)))
    assert [first, *(video.video for video, _ in rows)] == ["a", "b", "b", "c"]


@pytest.mark.slow
@pytest.mark.parametrize("name", ["jsonl", "parquet"])
def test_memory_does_not_grow_with_the_channel(
    catalogue: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setattr(corpus, "ROWS_A_GROUP", 100)
    texts = ["so many words that are said in one segment"] * 100

    def peak() -> int:
        tracemalloc.start()
        exported(catalogue, name, tmp_path)
        _, most = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        return most

    published(catalogue, spoken(*texts), Video("v0"))
    exported(catalogue, name, tmp_path)  # what is imported and compiled once
    one = peak()
    for number in range(1, 6):
        published(catalogue, spoken(*texts), Video(f"v{number}"))
    assert peak() < 1.5 * one
