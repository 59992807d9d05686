"""The embedded server: started, killed, restarted; its folder whole or absent; its socket private."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from channelscribe.catalogue import embedded_user
from channelscribe.catalogue.embedded import prepare, temporary_server
from channelscribe.errors import StackError


@pytest.fixture
def place() -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="channelscribe-test-"))
    yield folder
    shutil.rmtree(folder)


def test_started_killed_and_started_again(place: Path) -> None:
    began = time.monotonic()
    server = prepare(place / "postgres")
    process = subprocess.Popen(server.argv, **server.popen_options, stderr=subprocess.DEVNULL)
    server.wait_ready(alive=lambda: process.poll() is None)
    assert time.monotonic() - began < 10  # 0.7 s on two idle cores
    assert server.running_pid() == process.pid
    with psycopg.connect(server.url) as connection:
        connection.execute("CREATE TABLE kept AS SELECT 1 AS one")
        assert connection.execute("SHOW listen_addresses").fetchone() == ("",)
    process.send_signal(signal.SIGKILL)
    process.wait()
    with temporary_server(place / "postgres") as again, psycopg.connect(again.url) as connection:
        assert connection.execute("SELECT one FROM kept").fetchone() == (1,)
    assert again.running_pid() is None


def test_a_server_that_was_left_behind_can_be_stopped(place: Path) -> None:
    server = prepare(place / "postgres", durable=False)
    process = subprocess.Popen(server.argv, **server.popen_options, stderr=subprocess.DEVNULL)
    server.wait_ready()
    other = prepare(place / "postgres")
    pid = other.running_pid()
    assert pid is not None
    os.kill(pid, signal.SIGINT)
    assert process.wait(20) == 0
    other.stop()  # nothing runs: nothing happens


def test_a_lock_file_with_the_id_of_another_program(place: Path) -> None:
    server = prepare(place / "postgres", durable=False)
    sleeper = subprocess.Popen(["sleep", "60"], **server.popen_options)
    try:
        # The same user's program has the id, so PostgreSQL alone would take it for another server.
        lock = f"{sleeper.pid}\n{server.folder}\n1\n5432\n{server.socket_folder}\n\n 1 1\nready\n"
        (server.folder / "postmaster.pid").write_text(lock)
        assert server.running_pid() is None
        with temporary_server(place / "postgres") as running, psycopg.connect(running.url):
            pass
    finally:
        sleeper.kill()
        sleeper.wait()


def test_a_long_path_has_its_socket_elsewhere(place: Path) -> None:
    deep = place / ("x" * 120) / "postgres"
    with temporary_server(deep) as server, psycopg.connect(server.url):
        assert server.socket_folder != server.folder
        assert server.socket_folder.stat().st_mode & 0o777 == 0o700
    server.socket_folder.rmdir()
    server.socket_folder.symlink_to(place)
    with pytest.raises(StackError, match="somebody else"):
        prepare(deep)
    server.socket_folder.unlink()


def test_a_killed_initdb_leaves_nothing(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_: object, **__: object) -> subprocess.CompletedProcess[str]:
        return subprocess.CompletedProcess([], 1, "", "no space left")

    monkeypatch.setattr("subprocess.run", fails)
    with pytest.raises(StackError, match="no space left"):
        prepare(place / "postgres")
    assert list(place.iterdir()) == []


def test_other_peoples_folders_are_left_alone(place: Path) -> None:
    (place / "letter.txt").write_text("dear")
    with pytest.raises(StackError, match="is not empty"):
        prepare(place)
    old = place / "old"
    old.mkdir()
    (old / "PG_VERSION").write_text("13\n")
    with pytest.raises(StackError, match="of PostgreSQL 13"):
        prepare(old)


def test_a_server_that_dies_is_told_with_its_last_words(place: Path) -> None:
    server = prepare(place / "postgres")
    with pytest.raises(StackError, match="stopped"):
        server.wait_ready(alive=lambda: False)


def test_without_the_wheel(monkeypatch: pytest.MonkeyPatch, place: Path) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(StackError, match="not installed"):
        prepare(place / "postgres")


def test_without_useradd_nobody_serves(monkeypatch: pytest.MonkeyPatch, place: Path) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 0)
    monkeypatch.setattr(embedded_user, "CANDIDATES", ("no-such-user",))
    monkeypatch.setattr("shutil.which", lambda name: None)
    assert embedded_user.server_user(place) == "nobody"


def test_an_ordinary_user_runs_it_himself(monkeypatch: pytest.MonkeyPatch, place: Path) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    assert embedded_user.server_user(place) is None


@pytest.mark.skipif(os.geteuid() != 0, reason="only root needs another user")
def test_parents_get_the_search_bit_and_nothing_else(place: Path) -> None:
    closed = place / "closed"
    closed.mkdir(mode=0o700)
    opened = place / "opened"
    opened.mkdir(mode=0o755)
    for parent in (closed, opened):
        embedded_user.let_through(parent / "postgres", "nobody")
    assert closed.stat().st_mode & 0o777 == 0o701
    assert opened.stat().st_mode & 0o777 == 0o755
