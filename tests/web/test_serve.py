"""The command: it listens, needs no engine and little memory, keeps its logins; and the stream of what goes on."""

from __future__ import annotations

import io
import json
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx
import psutil
import psycopg
import pytest

from channelscribe.catalogue.connection import execute
from channelscribe.web import events, records
from channelscribe.web.app import Room, create_app
from flows.cli import main
from tests.conftest import clean_environment, command
from tests.web.conftest import VIDEO, served

MOST_BYTES = 200_000_000


@pytest.mark.slow
def test_serve_listens_in_little_memory_until_it_is_stopped(room: Room, one_database: str, tmp_path: Path) -> None:
    environment = clean_environment(tmp_path) | {"CHANNELSCRIBE_DATABASE__URL": one_database}
    argv = command("serve", "--listen", "127.0.0.1:0", "--json")
    process = subprocess.Popen(argv, env=environment, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        told = json.loads(process.stdout.readline())
        assert told["api"] == f"{told['url']}api/v1"
        with httpx.Client(base_url=told["url"], timeout=60) as client:
            for path in ("", "api/v1/sources", f"v/youtube/{VIDEO}", "search?q=haarlem", "api/v1/openapi.json"):
                assert client.get(path).status_code == 200, path
        assert psutil.Process(process.pid).memory_info().rss < MOST_BYTES
        taken = [*argv[:-2], told["url"].removeprefix("http://").rstrip("/")]
        again = subprocess.run(taken, env=environment, capture_output=True, text=True, check=False)
        assert (again.returncode, again.stderr.count("\n"), "another port" in again.stderr) == (1, 1, True)
    finally:
        process.send_signal(signal.SIGINT)
    assert process.wait(60) in (0, 130)
    process.stdout.close()


@pytest.mark.slow
def test_the_room_loads_no_engine() -> None:
    script = (
        "import sys, channelscribe.web.app, channelscribe.web.site\n"
        "print([name for name in ('prefect', 'dask', 'distributed', 'torch', 'spacy', 'nltk', 'yt_dlp', 'numpy', 'av', "
        "'s3fs', 'playwright') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


Answer = Callable[..., tuple[int, str, str]]


@pytest.fixture
def answer(
    tmp_path: Path, one_database: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Iterator[Answer]:
    monkeypatch.setenv("CHANNELSCRIBE_DATABASE__URL", one_database)
    monkeypatch.setenv("CHANNELSCRIBE_DATA_DIR", str(tmp_path))

    def run(*arguments: str, given: str = "") -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "stdin", io.StringIO(given))
        code = main(list(arguments))
        said = capsys.readouterr()
        return code, said.out, said.err

    yield run


def test_passwd_makes_logins_and_tokens(answer: Answer, room: Room, quick: None) -> None:
    assert answer("serve", "passwd", "ada", "--role", "editor", given="correct horse\n")[0] == 0
    assert room.logins.check("ada", "correct horse") and not room.logins.check("ada", "correct horses")
    assert not room.logins.check("nobody", "correct horse")
    code, out, _ = answer("serve", "passwd", "robot", "--token")
    user = room.logins.by_token(out.strip())
    assert code == 0 and user is not None and (user.name, user.role) == ("robot", "reader")
    code, _, err = answer("serve", "passwd", "bo", given="short\n")
    assert (code, "10 characters" in err) == (2, True)
    assert answer("serve", "passwd")[0] == 2
    assert "no longer" in answer("serve", "passwd", "robot", "--remove")[2]
    assert room.logins.by_token(out.strip()) is None


def test_others_are_not_served_without_a_login(answer: Answer) -> None:
    code, _, err = answer("serve", "--listen", "0.0.0.0:0")
    assert (code, err.count("\n"), "serve passwd" in err) == (2, 1, True)
    assert answer("serve", "--listen", "nowhere")[0] == 2


def test_site_says_what_it_wrote(answer: Answer, room: Room, tmp_path: Path) -> None:
    code, out, _ = answer("site", str(tmp_path / "pages"), "--json")
    told = json.loads(out)
    assert (code, told["videos"], told["written"], told["failed"]) == (0, 2, 2, [])
    assert "2 episodes" in answer("site", str(tmp_path / "pages"))[1]
    assert answer("site", str(tmp_path / "other"), "--channel", "nobody")[0] == 1


LISTENERS = 20


def test_who_listens_costs_no_queries(room: Room, one_database: str, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Any] = []
    real = records.videos_now

    def counted(session: Any, seen: Any) -> Any:
        asked.append(seen)
        return real(session, seen)

    monkeypatch.setattr(events.records, "videos_now", counted)
    with served(create_app(room)) as url, ExitStack() as stack:
        client = stack.enter_context(httpx.Client(timeout=60, limits=httpx.Limits(max_connections=None)))
        streams = []
        for _ in range(LISTENERS):
            lines = stack.enter_context(client.stream("GET", f"{url}/api/v1/events")).iter_lines()
            assert _next(lines) == {"videos": []}
            streams.append(lines)
        assert len(asked) == LISTENERS  # each was told once what there is
        with psycopg.connect(one_database) as connection:
            query = "SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'LISTEN%' AND datname = current_database()"
            found = connection.execute(query).fetchone()
        assert found == (1,)
        with room.database.session() as session:
            execute(session, "UPDATE video SET title = title")  # nothing that anybody follows
        with room.database.session() as session:
            execute(
                session, "UPDATE video SET lease_owner = 'x', lease_until = now() + interval '1 hour', step = 'align' "
                "WHERE video_id = :id", id=VIDEO,
            )  # fmt: skip
        told = [_next(lines)["videos"] for lines in streams]
        assert {(each[0]["video"], each[0]["step"], each[0]["in_work"]) for each in told} == {(VIDEO, "align", True)}
        assert len(asked) == LISTENERS + 1
        # What ended is told, too, though nothing is in work then.
        with room.database.session() as session:
            execute(session, "UPDATE video SET lease_owner = NULL, lease_until = NULL, step = NULL")
        assert [each["in_work"] for each in _next(streams[0])["videos"]] == [False]


def _next(lines: Iterator[str]) -> Any:
    """The data of the next event."""
    return next(json.loads(line.removeprefix("data: ")) for line in lines if line.startswith("data: "))
