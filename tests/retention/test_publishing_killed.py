"""Publishing struck between any two of its steps, by `kill -9` or a lost database, and then the same again: the same
files and rows as of a run that nothing happened to, and never a current transcript whose files are not whole."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from channelscribe.catalogue import transcripts, videos
from channelscribe.catalogue.connection import Database
from channelscribe.local_stack.services import QUIET_LIBRARIES
from channelscribe.retention import Library
from channelscribe.store import MediaStore
from tests.retention.filling import content, rows

pytestmark = pytest.mark.long

TABLES = ("video", "audio", "transcript", "checkpoint", "segment", "speaker", "sentence", "entity")
ROOT = Path(__file__).parent.parent.parent
Run = Callable[[str, int], tuple[int, int]]


class Runs:
    """The process that runs, its database and its folder."""

    def __init__(self, dsn: str, folder: Path) -> None:
        self.dsn, self.folder = dsn, folder
        self.library = Library(Database(dsn), MediaStore(str(folder)), folder / "results", folder / "partial")
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.retention.publishing_run"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT,
            env={**os.environ, **QUIET_LIBRARIES},
        )  # fmt: skip

    def __call__(self, fault: str = "none", number: int = 0) -> tuple[int, int]:
        """Exit status, and how many moments the run had."""
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.write(f"{fault} {number} {self.dsn} {self.folder}\n")
        self._process.stdin.flush()
        status, _, moments = self._process.stdout.readline().partition(" ")
        return int(status), int(moments)

    def forget(self) -> None:
        self.library.catalogue.close()
        with psycopg.connect(self.dsn) as connection:
            connection.execute("TRUNCATE source, video RESTART IDENTITY CASCADE")
        shutil.rmtree(self.folder, ignore_errors=True)

    def state(self) -> dict[str, Any]:
        return {"files": content(self.library), "rows": rows(self.library, *TABLES)}

    def is_whole(self) -> bool:
        """No transcript is current unless its files are there."""
        (video,) = self.library.catalogue.run(videos.find_videos, "a")
        if video.current_transcript_pk is None:
            return True
        _, transcript, _ = self.library.catalogue.run(transcripts.transcript_of, video.id)
        named = [*transcript.files.values(), transcript.reading_key]
        return len(named) == 6 and all(self.library.store.exists(key) for key in named)

    def close(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait(30)
        self.library.catalogue.close()


@pytest.fixture(scope="module")
def runs(one_database: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Runs]:
    made = Runs(one_database, tmp_path_factory.mktemp("published") / "library")
    yield made
    made.close()


IN_STORE = 2 + 1 + 1 + 2 * 5
"""Read two and the video's row, renew the lease, look for and write five files."""
IN_CATALOGUE = 1 + 1 + 5 + 1
"""The audio's row; the transcript's transaction, five tables in it, its end."""


@pytest.mark.parametrize(("fault", "first"), [("kill", 0), ("database", IN_STORE)])
def test_struck_anywhere_and_run_again(runs: Runs, fault: str, first: int) -> None:
    runs.forget()
    status, moments = runs()
    assert (status, moments) == (0, IN_STORE + IN_CATALOGUE)
    clean = runs.state()
    assert len(clean["files"]) == 7
    broken = []
    for number in range(first, moments):
        runs.forget()
        status, _ = runs(fault, number)
        assert status == -9 if fault == "kill" else status in (0, 1), number
        broken += [number] if status else []
        assert runs.is_whole(), number
        assert runs()[0] == 0, number
        assert runs.state() == clean, number
    # A lost database between two transactions is reconnected to, mostly; within one, the step fails and is tried again.
    assert set(broken) >= set(range(moments) if fault == "kill" else range(moments - 6, moments - 1))
