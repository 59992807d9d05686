"""What commands ask of the supervisor and hear from it: sharing, other settings, idle workers, deaths.

The supervisor is the real one, in a thread; its services are `sleep`, which can be started, die and be stopped.
"""

from __future__ import annotations

import os
import queue
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from channelscribe.errors import EngineDied, StackError
from channelscribe.local_stack import LocalStack, running_addresses, supervisor
from channelscribe.local_stack.places import places_of
from channelscribe.local_stack.services import Addresses, Service, StackOptions, prefect_server
from channelscribe.local_stack.supervisor import MOST_DEATHS, MOST_DEATHS_OF_WORKERS, STEADY_SECONDS, Process
from channelscribe.settings import Settings
from channelscribe.settings.options import DaskOptions, StoreOptions

LONG = ["sleep", "600"]


class Stood(supervisor.Supervisor):
    """With services that only live."""

    asked: list[tuple[str, dict[str, str]]]
    listens: threading.Event

    def _listen(self) -> socket.socket:
        listener = super()._listen()
        self.listens.set()
        return listener

    def _start_stack(self, stack: str, options: StackOptions, environment: dict[str, str]) -> None:
        self.idle_seconds = options.idle_minutes * 60
        self.asked.append((stack, environment))
        argv = ["false"] if environment.get("CHANNELSCRIBE_TEST_BROKEN") == stack else LONG
        self._start(Service(stack, argv, where="port 1", is_worker=stack in ("dask", "speech")), stack, environment)

    def pids(self) -> dict[str, int]:
        return {name: process.popen.pid for name, process in list(self.processes.items())}


@pytest.fixture
def stood(tmp_path: Path) -> Iterator[Stood]:
    """A supervisor that serves the data folder of the test."""
    places = places_of(tmp_path).create()
    lock = supervisor.take_lock(places)  # a command that comes before it listens starts no other one
    assert lock is not None
    made = Stood(places)
    made.asked, made.listens = [], threading.Event()
    thread = threading.Thread(target=made.serve)
    thread.start()
    assert made.listens.wait(20)
    yield made
    made.stopping = "the test ended"
    thread.join(20)
    os.close(lock)
    assert not thread.is_alive()


def until(holds: Callable[[], Any]) -> None:
    """The time limit of tests ends this."""
    while not holds():
        time.sleep(0.02)


def settings(folder: Path, **more: Any) -> Settings:
    return Settings(data_dir=folder, **more)


def test_commands_share_what_runs_and_the_last_one_ends_it(stood: Stood, tmp_path: Path) -> None:
    with LocalStack(settings(tmp_path), ["dask"], command="first") as first:
        with LocalStack(settings(tmp_path), ["dask", "speech"], command="second") as second:
            assert [other["command"] for other in second.shared_with] == ["first"]
            assert [stack for stack, _ in stood.asked] == ["dask", "speech"]
        assert set(stood.pids()) == {"dask", "speech"}
        assert first.shared_with == []
        running = [process.popen for process in stood.processes.values()]
    assert all(process.poll() is not None for process in running)
    assert not stood.places.socket.exists()


def test_more_is_started_when_it_is_needed(stood: Stood, tmp_path: Path) -> None:
    with LocalStack(settings(tmp_path), [], command="sync") as stack:
        assert stood.pids() == {}
        stack.start("dask")
        stack.start("dask", "speech")
        assert [name for name, _ in stood.asked] == ["dask", "speech"]
        assert stack.want == ["dask", "speech"]


def test_other_settings_are_refused_by_name_while_somebody_uses_the_workers(stood: Stood, tmp_path: Path) -> None:
    secret = "http://me:hunter2@proxy"
    other = settings(tmp_path, store=StoreOptions(url="s3://other"), sources={"proxy": secret})
    with LocalStack(settings(tmp_path), ["dask"], command="sync A"):
        with pytest.raises(StackError) as refused, LocalStack(other, ["dask"]):
            pass
        assert "sources.proxy, store.url" in refused.value.message
        assert "sync A" in refused.value.message
        assert "hunter2" not in f"{refused.value} {refused.value.remedy}"
        # What needs no workers is not concerned, and the first command goes on.
        with LocalStack(other, ["prefect"]):
            pass
        assert [stack for stack, _ in stood.asked] == ["dask", "prefect"]


def test_workers_that_nobody_uses_make_room_for_other_settings(stood: Stood, tmp_path: Path) -> None:
    with LocalStack(settings(tmp_path), ["prefect"], command="stays"):
        with LocalStack(settings(tmp_path), ["dask"]):
            before = stood.pids()["dask"]
        until(lambda: len(stood.clients) == 1)
        with LocalStack(settings(tmp_path, store=StoreOptions(url="s3://other")), ["dask"]):
            assert stood.pids()["dask"] != before


def test_the_credentials_of_the_environment_are_settings_too(
    stood: Stood, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_PROFILE", "mine")
    monkeypatch.setenv("HOME", str(tmp_path))
    with LocalStack(settings(tmp_path), ["dask"]):
        monkeypatch.setenv("AWS_PROFILE", "yours")
        with pytest.raises(StackError, match="other settings: AWS_PROFILE"), LocalStack(settings(tmp_path), ["dask"]):
            pass
        monkeypatch.setenv("AWS_PROFILE", "mine")
        monkeypatch.setenv("HOME", "/")
        with LocalStack(settings(tmp_path), ["dask"]):
            pass


def test_an_address_of_the_stack_is_no_other_setting(stood: Stood, tmp_path: Path) -> None:
    """A run of a work pool has the addresses of what runs in its environment."""
    stood.addresses = supervisor.Addresses(database_url="postgresql://ours", prefect_api_url=None)
    with LocalStack(settings(tmp_path), ["dask"]):
        within = settings(tmp_path, database={"url": SecretStr("postgresql://ours")})
        with LocalStack(within, ["dask"]) as stack:
            assert stack.addresses.database_url == "postgresql://ours"


def test_idle_workers_end_and_come_back(stood: Stood, tmp_path: Path) -> None:
    quick = settings(tmp_path, dask=DaskOptions(idle_minutes=0))
    with LocalStack(quick, ["prefect"], command="up"):
        with LocalStack(quick, ["dask", "speech"]):
            assert set(stood.pids()) == {"prefect", "dask", "speech"}
        until(lambda: set(stood.pids()) == {"prefect"})
        with LocalStack(quick, ["dask"]):
            assert set(stood.pids()) == {"prefect", "dask"}


def test_a_service_that_cannot_start_is_told_with_address_and_log(
    stood: Stood, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CHANNELSCRIBE_TEST_BROKEN", "prefect")
    stood.addresses = supervisor.Addresses(prefect_api_url="http://127.0.0.1:1/api")
    stack = LocalStack(settings(tmp_path), ["prefect"])
    with pytest.raises(EngineDied, match=r"prefect \(port 1\) stopped while starting") as caught, stack:
        stack.wait_ready()
    assert str(tmp_path / "logs" / "prefect.log") in caught.value.remedy
    assert (tmp_path / "logs" / "prefect.log").is_file()


def test_a_worker_that_dies_comes_back_at_once(stood: Stood, tmp_path: Path) -> None:
    with LocalStack(settings(tmp_path), ["speech"]):
        before = stood.pids()["speech"]
        stood.processes["speech"].popen.kill()
        until(lambda: stood.pids()["speech"] != before)


def test_the_end_of_the_supervisor_is_heard(stood: Stood, tmp_path: Path) -> None:
    heard: queue.Queue[EngineDied] = queue.Queue()
    stack = LocalStack(settings(tmp_path), ["dask"], lost=heard.put)
    stack.__enter__()
    stood.stopping = "it was told to (SIGTERM)"
    assert "their supervisor: it was told to" in heard.get(timeout=20).message
    with pytest.raises(EngineDied, match="supervisor"):
        stack.start("speech")
    stack.close()


def test_a_service_that_does_not_come_back_is_heard_of(
    stood: Stood, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(supervisor, "MOST_DEATHS_OF_WORKERS", 0)
    heard: queue.Queue[EngineDied] = queue.Queue()
    with LocalStack(settings(tmp_path), ["speech"], lost=heard.put):
        stood.processes["speech"].popen.kill()
        assert "speech (port 1) does not come back" in heard.get(timeout=20).message


def test_looking_starts_nothing(stood: Stood, tmp_path: Path) -> None:
    stood.addresses = supervisor.Addresses(prefect_api_url="http://127.0.0.1:1/api")
    assert running_addresses(settings(tmp_path)).prefect_api_url == "http://127.0.0.1:1/api"
    assert stood.asked == []


# Servers that the settings name


class Answers(BaseHTTPRequestHandler):
    """A server whose answer is the code of its path."""

    def do_GET(self) -> None:
        self.send_response(int(self.path.split("/")[1]))
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Nothing."""


@pytest.fixture
def server() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Answers) as made:
        threading.Thread(target=made.serve_forever, daemon=True).start()
        yield f"127.0.0.1:{made.server_port}"
        made.shutdown()


def test_what_is_not_there_is_told_before_anything_is_started(tmp_path: Path, server: str) -> None:
    data = tmp_path / "data"
    for api_url, why in (("http://me:hunter2@127.0.0.1:9/api", "refused"), (f"http://{server}/404", "no Prefect API")):
        with pytest.raises(StackError, match=why) as caught, LocalStack(settings(data, prefect={"api_url": api_url})):
            pass
        assert "prefect.api_url" in caught.value.remedy
        assert "hunter2" not in str(caught.value)
    away = LocalStack(settings(data, dask={"scheduler": "tcp://127.0.0.1:9"}))
    with pytest.raises(StackError, match=r"dask\.scheduler"), away:
        pass
    assert not data.exists()


@pytest.mark.parametrize("code", [200, 401, 503])
def test_what_answers_is_for_prefects_own_client(tmp_path: Path, server: str, code: int) -> None:
    with LocalStack(
        settings(tmp_path, prefect={"api_url": f"http://me:hunter2@{server}/{code}"}), ["prefect"]
    ) as stack:
        assert stack.want == []


def test_a_port_that_is_taken_is_named(tmp_path: Path, server: str) -> None:
    port = int(server.rpartition(":")[2])
    with pytest.raises(StackError, match=f"port {port}") as caught:
        prefect_server(places_of(tmp_path), port, None)
    assert "prefect.port" in caught.value.remedy


# When a service that died is started again


class Ended:
    """A process that has ended, or has been started again."""

    def __init__(self) -> None:
        self.code: int | None = -signal.SIGKILL

    def poll(self) -> int | None:
        return self.code


def dead(*, answered: bool, is_worker: bool = False) -> Process:
    process = Process(Service("one", LONG, is_worker=is_worker), "one", {})
    process.popen, process.answered = Ended(), answered  # type: ignore[assignment]
    return process


def waited(process: Process, now: float) -> float:
    """Seconds until a service that has just died is started again; it dies at once after that."""
    for tenths in range(10_000):
        assert not process.is_hopeless()
        if process.is_due(now + tenths / 10):
            process.began, process.again_at = now + tenths / 10, None
            return tenths / 10
    raise AssertionError


def test_what_never_answered_is_not_started_again() -> None:
    process = dead(answered=False)
    assert process.is_hopeless()
    assert not process.is_due(time.monotonic() + 1000)


def test_less_and_less_soon_and_then_not_any_more() -> None:
    process, now = dead(answered=True), 1000.0
    waits = []
    for _ in range(MOST_DEATHS):
        waits.append(waited(process, now))
        now = process.began
    assert waits == sorted(waits) and waits[0] < 1 and 30 < waits[-1] < 40
    assert not process.is_due(now)
    assert process.is_hopeless()


def test_a_long_life_makes_up_for_it() -> None:
    process = dead(answered=True)
    first = waited(process, 1000.0)
    assert waited(process, process.began) > first
    assert waited(process, process.began + STEADY_SECONDS + 1) == pytest.approx(first, abs=0.11)


def test_a_video_that_kills_its_worker_costs_no_waiting_and_not_the_worker() -> None:
    process, now = dead(answered=False, is_worker=True), 1000.0
    for _ in range(MOST_DEATHS_OF_WORKERS):
        assert waited(process, now) < 1
        now = process.began
    process.is_due(now)
    assert process.is_hopeless()


def test_a_long_log_is_put_aside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(supervisor, "LONGEST_LOG", 5)
    places = places_of(tmp_path).create()
    places.log("one").write_text("an older one")
    process = Process(Service("one", ["sh", "-c", "echo; echo its last words; echo"]), "one", {"PATH": "/usr/bin:/bin"})
    process.start(places)
    process.popen.wait()
    assert places.log("one").with_name("one.log.1").read_text() == "an older one"
    assert process.last_words(places) == "its last words"


def test_what_processes_left_is_swept_but_not_parts_of_downloads(tmp_path: Path) -> None:
    places = places_of(tmp_path).create()
    (places.temporary / "tmp123").mkdir()
    (places.temporary / "tmp123" / "_remote_module_non_scriptable.py").write_text("")
    (places.scratch / "dask").mkdir()
    places.partial.mkdir()
    (places.partial / "video").write_text("half")
    left = subprocess.Popen(LONG, start_new_session=True)
    process = Process(Service("one", LONG), "one", {})
    process.popen = left
    supervisor.note(places, [process])
    supervisor.sweep(places)
    until(lambda: left.poll() is not None)
    assert list(places.temporary.iterdir()) == []
    assert list(places.scratch.iterdir()) == [places.partial]
    assert (places.partial / "video").exists()


def test_only_the_local_prefect_server_is_not_asked_for_tokens(tmp_path: Path) -> None:
    """Somebody else's may want one with each request that changes something (CSRF)."""
    asks_not = {"PREFECT_CLIENT_CSRF_SUPPORT_ENABLED": "false"}
    one = supervisor.Supervisor(places_of(tmp_path))
    one.addresses = Addresses(prefect_api_url="http://127.0.0.1:4200/api")
    elsewhere = StackOptions(prefect_api_url="https://prefect.example/api")
    assert asks_not.items() <= one._worker_environment(StackOptions()).items()
    assert not asks_not.keys() & one._worker_environment(elsewhere).keys()
