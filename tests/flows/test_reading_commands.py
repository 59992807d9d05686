"""Commands that only read: what they print, that they need no engine, and what they say of a database in the way."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import psycopg
import pytest

from channelscribe.catalogue import listings, schema
from channelscribe.catalogue.connection import Database
from channelscribe.local_stack.postgres import EmbeddedServer
from channelscribe.sources.subscriptions import read_opml
from flows.cli import main
from tests.catalogue.records import Listed, Video, published, spoken
from tests.conftest import clean_environment
from tests.databases import NewDatabase

Answer = Callable[..., tuple[int, str, str]]


@pytest.fixture
def answer(
    tmp_path: Path, one_database: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Answer:
    """Runs a command in this process on a server's database: its exit code, stdout and stderr."""

    def run(*arguments: str, url: str = one_database) -> tuple[int, str, str]:
        monkeypatch.setenv("CHANNELSCRIBE_DATABASE__URL", url)
        monkeypatch.setenv("CHANNELSCRIBE_DATA_DIR", str(tmp_path / "data"))
        code = main(list(arguments))
        said = capsys.readouterr()
        return code, said.out, said.err

    return run


@pytest.fixture
def library(catalogue: Database) -> Database:
    """Two videos that say something."""
    published(catalogue, spoken("The lighthouse keeper", "was running home"), Video("v1", "First\x00 title"))
    published(catalogue, spoken("Lighthouses everywhere"), Video("a/b", "Second", site="generic"))
    return catalogue


READING = [
    ["search", "lighthouse"],
    ["show", "v1"],
    ["show", "v1", "a/b", "--out", "made", "--format", "txt,json"],
    ["status"],
    ["sources"],
    ["entities"],
    ["export", "Channel One"],
    ["export", "Channel One", "--format", "parquet", "--out", "made.parquet"],
    ["report", "v1"],
]


@pytest.mark.slow
def test_no_engine_and_no_model_is_imported(library: Database, one_database: str, tmp_path: Path) -> None:
    script = f"""import contextlib, io, sys
from flows.cli import main
for command in {READING!r}:
    with contextlib.redirect_stdout(io.TextIOWrapper(io.BytesIO(), encoding="utf-8")):
        code = main(command)
    assert code == 0, command
    print(command, [name for name in ("prefect", "dask", "distributed", "torch", "whisperx", "spacy", "yt_dlp")
        if name in sys.modules])
"""
    root = Path(__file__).parent.parent.parent
    environment = clean_environment(tmp_path / "data") | {"CHANNELSCRIBE_DATABASE__URL": one_database}
    environment["PYTHONPATH"] = os.pathsep.join([str(root), environment.get("PYTHONPATH", "")])
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, env=environment, cwd=tmp_path, check=False
    )
    assert done.stdout.splitlines() == [f"{command} []" for command in READING], done.stderr
    assert sorted(path.name for path in (tmp_path / "made").iterdir()) == sorted(
        f"{name}.{ending}" for name in ("youtube-v1", "generic-a-b-c14cddc033f6") for ending in ("txt", "json")
    )


def test_search_pages(library: Database, answer: Answer) -> None:
    code, out, err = answer("search", "lighthouse", "--limit", "1", "--json")
    first = json.loads(out)
    assert (code, len(first["hits"])) == (0, 1)
    second = json.loads(answer("search", "lighthouse", "--limit", "1", "--json", "--after", first["next"])[1])
    assert {hit["video"] for hit in first["hits"] + second["hits"]} == {"v1", "a/b"}
    last = json.loads(answer("search", "lighthouse", "--limit", "1", "--json", "--after", second["next"])[1])
    assert last == {"hits": [], "next": None, "did_you_mean": None}
    meant = json.loads(answer("search", "lighthuose", "--json")[1])
    assert meant == {"hits": [], "next": None, "did_you_mean": "lighthouse"}
    assert answer("search", "lighthuose")[1] == "No hit. Did you mean: lighthouse\n"
    _, out, err = answer("search", "keep*", "--limit", "1")
    assert "The lighthouse **keeper**" in out
    assert "--after" in err
    assert answer("search", "lighthouse", "--after", "nonsense")[0] == 2


def test_show_writes_what_is_there_and_tells_what_is_not(library: Database, answer: Answer, tmp_path: Path) -> None:
    code, out, err = answer("show", "v1", "nothing", "--format", "srt, txt", "--out", str(tmp_path / "made"))
    assert (code, len(out.splitlines())) == (3, 2)
    assert "nothing" in err
    shown = answer("show", "v1")[1]
    assert (tmp_path / "made" / "youtube-v1.txt").read_text(encoding="utf-8") == shown
    assert "First title" in shown
    for wrong in (["v1", "a/b"], ["v1", "--format", "txt,srt"]):
        assert answer("show", *wrong)[0] == 2
    (tmp_path / "file").write_text("")
    code, _, err = answer("show", "v1", "--out", str(tmp_path / "file" / "in it"))
    assert (code, err.count("\n"), "Choose another folder" in err) == (2, 1, True)


def test_show_tells_chapters_people_and_the_publishers_transcripts(library: Database, answer: Answer) -> None:
    about, chapters = {"people": ["Ada Lovelace"]}, [[0.0, "The keeper"], [2.0, ""]]
    row = published(library, spoken("The lighthouse"), Video("v3", about=about, chapters=chapters))
    _, text, _ = answer("show", "v3")
    assert "\n\n# The keeper\n\n[00:00:00]" in text
    assert "\n\nNOTE Chapters\n00:00:00.000 The keeper\n\n" in answer("show", "v3", "--format", "vtt")[1]
    told = json.loads(answer("show", "v3", "--json")[1])
    assert told["chapters"] == [{"start": 0.0, "title": "The keeper"}]
    assert (told["people"], told["publisher_transcripts"]) == (["Ada Lovelace"], [])
    assert json.loads(answer("show", f"{row.site}:v1", "--json")[1])["chapters"] == []


def test_export_says_what_it_wrote(library: Database, answer: Answer, tmp_path: Path) -> None:
    path = tmp_path / "one.jsonl"
    code, out, _ = answer("export", "channel one", "--out", str(path), "--json")
    assert (code, json.loads(out)["segments"]) == (0, 3)
    assert answer("export", "Channel One")[1] == path.read_text(encoding="utf-8")
    code, out, err = answer("export", "nobody", "--out", str(tmp_path / "two.jsonl"))
    assert (code, out, "Channel One" in err) == (1, "", True)
    assert not (tmp_path / "two.jsonl").exists()
    assert answer("export", "Channel One", "--format", "parquet")[0] == 2


def one_line(answered: tuple[int, str, str], *says: str) -> None:
    code, out, err = answered
    assert (code, out, err.count("\n")) == (1, "", 1), err
    assert [word for word in says if word not in err] == [], err


@pytest.mark.parametrize("command", READING, ids=" ".join)
def test_a_database_in_the_way_is_told(
    empty_database: NewDatabase, server: EmbeddedServer, answer: Answer, command: list[str], tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    one_line(answer(*command, url="postgresql://me:secret-77@127.0.0.1:1/x"), "127.0.0.1", "database.url")
    one_line(
        answer(*command, url=server.url.replace("/postgres?", "/nothing?")), "does not exist", "Create the database"
    )
    one_line(answer(*command, url=server.url.replace("channelscribe@", "nobody@")), "nobody", "Correct the user")
    url = empty_database()
    one_line(answer(*command, url=url), "schema none", "sync` migrates it")
    with psycopg.connect(url) as connection:
        assert connection.execute("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'").fetchone() == (0,)
    schema.migrate(Database(url))
    with psycopg.connect(url) as connection:
        connection.execute("UPDATE channelscribe_schema SET version_num = '9999'")
    one_line(answer(*command, url=url), "newer channelscribe", "Update")
    assert not (tmp_path / "made.parquet").exists()


def test_feeds_as_a_list_of_shows(library: Database, answer: Answer, tmp_path: Path) -> None:
    feed = Listed(url="https://me:secret@feeds.example/f", kind="feed", title="A feed & more")
    library.run(listings.record_listing, feed)
    file = tmp_path / "shows.opml"
    code, _, _ = answer("sources", "--opml", str(file))
    assert code == 0 and read_opml(file) == [("A feed & more", "https://feeds.example/f")]
    code, out, _ = answer("sources", "--json")
    assert {each["kind"]: each["videos"] for each in json.loads(out)["sources"]} == {"channel": 2, "feed": 0}
    assert "secret" not in out and "secret" not in file.read_text()


def test_an_older_schema_is_read_as_far_as_it_goes_and_stays(empty_database: NewDatabase, answer: Answer) -> None:
    url = empty_database()
    schema.migrate(Database(url), "0004")
    with psycopg.connect(url) as connection:
        connection.execute("INSERT INTO video (site, video_id, url) VALUES ('youtube', 'old', 'https://x/old')")
    code, out, err = answer("status", "--json", url=url)
    assert (code, json.loads(out)["videos"], err.count("older schema 0004"), err.count("\n")) == (0, 1, 1, 1)
    code, _, err = answer("search", "nothing", url=url)
    assert code == 0 and "channelscribe sync" in err
    code, out, err = answer("show", "old", url=url)
    assert (code, out) == (1, "") and "sync" in err
    assert schema.revision_of(Database(url)) == "0004"
