"""docs/keeping.md: its commands are run, and what they say of settings and prefixes is so."""

from __future__ import annotations

import json
import re
import shlex
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from channelscribe.catalogue import schema
from channelscribe.catalogue.connection import Database, execute
from channelscribe.local_stack import LocalStack
from channelscribe.local_stack.places import places_of
from channelscribe.retention import Library
from channelscribe.settings import RetentionOptions, Settings
from channelscribe.store.layout import CHECKPOINTS, KINDS
from flows.cli import main
from tests.retention.filling import content, published, rows
from tests.retention.test_backup import TABLES

Run = Callable[[Path, str], str]
DOC = (Path(__file__).parent.parent.parent / "docs" / "keeping.md").read_text(encoding="utf-8")


@pytest.fixture
def data() -> Iterator[Path]:
    # Not pytest's folder: as root it is closed to the user that PostgreSQL runs as.
    folder = Path(tempfile.mkdtemp(prefix="channelscribe-test-"))
    yield folder
    shutil.rmtree(folder)


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Runs a line of the page in this process, with the data folder and what the line sets; returns stdout."""

    def call(data: Path, line: str) -> str:
        words = shlex.split(line, comments=True)
        given = dict(word.split("=", 1) for word in words if re.match(r"[A-Z_]+=", word))
        command = [word for word in words if "=" not in word]
        assert command.pop(0) == "channelscribe"
        with monkeypatch.context() as patched:
            for name, value in {"CHANNELSCRIBE_DATA_DIR": str(data), **given}.items():
                patched.setenv(name, value)
            code = main(command)
        said = capsys.readouterr()
        assert code == 0, (line, said.err)
        return said.out

    return call


def opened(stack: LocalStack, data: Path) -> Library:
    catalogue = Database(stack.addresses.database_url or "")
    schema.migrate(catalogue)
    return Library.of(Settings(data_dir=data), catalogue)


@pytest.mark.long
def test_the_commands_of_the_page(data: Path, run: Run) -> None:
    first, restored = data / "first", data / "restored"
    places = {"/backup/channelscribe": str(data / "copy"), "/srv/restored": str(restored), "VIDEO": "gone"}
    page = [line.strip() for line in re.findall(r"^ {4}(channelscribe .*)$", DOC, re.MULTILINE)]
    blocks = [line for block in re.findall(r"```sh\n(.*?)```", DOC, re.DOTALL) for line in block.splitlines()]
    lines = [re.sub("|".join(places), lambda match: places[match[0]], line) for line in [*page, *blocks]]
    assert len(page) == 5 and len(blocks) == 4
    with LocalStack(Settings(data_dir=first), ["database"]) as stack:  # the commands share it
        stack.wait_ready()
        library = opened(stack, first)
        published(library, "stays")
        published(library, "gone")
        before = content(library)
        # `--repair` is what tests/e2e/test_repair.py is about. Sweeps of what is young; a takedown that is only told.
        for line in (line for line in lines[:4] if "--repair" not in line):
            run(first, line)
        assert content(library) == before
        report: dict[str, Any] = json.loads(run(first, lines[3].partition("#")[0] + " --json"))
        assert (report["video"], report["deleted"], report["rows"]["transcripts"]) == ("youtube:gone", False, 1)
        assert "is taken down" in run(first, lines[4])
        assert all("/gone" not in key for key in content(library))
        for line in lines[5:7]:
            run(first, line)
        expected = content(library), rows(library, *TABLES)
        library.catalogue.close()
    with LocalStack(Settings(data_dir=restored), ["database"]) as stack:
        stack.wait_ready()
        assert "brought back" in run(first, lines[7])
        assert "published" in run(first, lines[8])
        again = opened(stack, restored)
        assert (content(again), rows(again, *TABLES)) == expected
        again.catalogue.close()


def test_what_the_page_names_is_there() -> None:
    for name in RetentionOptions.model_fields:
        assert name in DOC, name
    for prefix in (*KINDS, CHECKPOINTS):
        assert f"`{prefix}/`" in DOC, prefix


@pytest.mark.long
def test_the_schema_changes_for_what_writes_and_can_be_put_back(data: Path, run: Run) -> None:
    with LocalStack(Settings(data_dir=data), ["database"]) as stack:
        stack.wait_ready()
        catalogue = Database(stack.addresses.database_url or "")
        schema.migrate(catalogue, "0004")
        with catalogue.connection() as connection:
            execute(connection, "INSERT INTO video (site, video_id, url) VALUES ('youtube', 'old', 'https://x/old')")
        for reading in ("status", "search nothing", "sweep"):
            run(data, f"channelscribe {reading}")
            assert schema.revision_of(catalogue) == "0004", reading
        assert not places_of(data).copies.exists()
        run(data, "channelscribe sweep --delete")
        catalogue.read(schema.check_schema)
        catalogue.close()
    (copy,) = places_of(data).copies.iterdir()
    assert copy.name.startswith("schema-0004-")
    places_of(data).postgres.rename(data / "postgres-newer")
    assert "brought back" in run(data, f"channelscribe restore {copy}")
    assert '"videos": 1' in run(data, "channelscribe status --json")
    run(data, "channelscribe takedown old --yes")
    assert not list(places_of(data).copies.iterdir())
