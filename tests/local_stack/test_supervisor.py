"""Nothing that a command starts outlives it, however it ends; a second command shares what runs."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import psycopg
import pytest

from channelscribe.errors import StackError
from channelscribe.local_stack import LocalStack
from channelscribe.local_stack.places import LONGEST_SOCKET_PATH, Places
from channelscribe.settings import Settings

pytestmark = pytest.mark.stack

HOLD = """
import signal, sys, time
signal.signal(signal.SIGINT, signal.default_int_handler)  # where the tests run in the background, it is ignored
from channelscribe.local_stack import LocalStack
from channelscribe.settings import Settings
with LocalStack(Settings(data_dir=sys.argv[1]), ["database"], command="holder") as stack:
    stack.wait_ready()
    print("ready", flush=True)
    time.sleep(600)
"""


def hold(data: Path) -> subprocess.Popen[str]:
    """A command that uses the database until it is stopped."""
    process = subprocess.Popen([sys.executable, "-c", HOLD, str(data)], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    return process


def services(data: Path) -> list[psutil.Process]:
    """Living processes that were started for this data folder, the supervisor and its services."""
    found = []
    for process in psutil.process_iter(["cmdline", "cwd", "status"]):
        arguments = process.info["cmdline"] or []
        ours = process.info["cwd"] == str(data / "postgres")
        ours |= str(data) in " ".join(arguments) and HOLD not in arguments
        if ours and process.info["status"] != psutil.STATUS_ZOMBIE:
            found.append(process)
    return found


def gone_within(data: Path, seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if not services(data):
            return True
        time.sleep(0.1)
    return False


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT, signal.SIGTERM])
def test_services_stop_when_the_command_is_killed(tmp_path: Path, number: signal.Signals) -> None:
    process = hold(tmp_path)
    assert services(tmp_path)
    process.send_signal(number)
    process.wait(20)
    assert gone_within(tmp_path, 20)


def test_nothing_is_left_when_the_block_ends(tmp_path: Path) -> None:
    with LocalStack(Settings(data_dir=tmp_path), ["database"]) as stack:
        stack.wait_ready()
        assert services(tmp_path)
    assert gone_within(tmp_path, 5)


def test_a_second_command_shares_what_runs_and_leaves_it(tmp_path: Path) -> None:
    holder = hold(tmp_path)
    running = {process.pid for process in services(tmp_path)}
    with LocalStack(Settings(data_dir=tmp_path), ["database"], command="second") as stack:
        stack.wait_ready()
        assert stack.shared_with == [{"pid": holder.pid, "command": "holder"}]
        assert running <= {process.pid for process in services(tmp_path)}
        url = stack.addresses.database_url
    assert url is not None
    psycopg.connect(url).close()
    holder.kill()
    holder.wait()
    assert gone_within(tmp_path, 20)


def test_the_database_outlives_the_command_that_started_it_while_another_uses_it(tmp_path: Path) -> None:
    holder = hold(tmp_path)
    with LocalStack(Settings(data_dir=tmp_path), ["database"]) as stack:
        stack.wait_ready()
        holder.kill()
        holder.wait()
        time.sleep(1)
        psycopg.connect(stack.addresses.database_url or "").close()
    assert gone_within(tmp_path, 5)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="only Linux tells children that their parent died")
def test_a_killed_supervisor_takes_its_services_along_and_the_next_start_works(tmp_path: Path) -> None:
    holder = hold(tmp_path)
    supervisors = [p for p in psutil.process_iter(["cmdline"]) if supervises(p, tmp_path)]
    assert len(supervisors) == 1
    supervisors[0].kill()
    assert gone_within(tmp_path, 20)
    holder.kill()
    holder.wait()
    with LocalStack(Settings(data_dir=tmp_path), ["database"]) as stack:
        stack.wait_ready()
        psycopg.connect(stack.addresses.database_url or "").close()


def supervises(process: psutil.Process, data: Path) -> bool:
    """Whether this is the supervisor that holds the lock of the data folder."""
    if "channelscribe.local_stack.supervisor" not in (process.info["cmdline"] or []):
        return False
    try:
        return any(Path(file.path) == data / "run" / "supervisor.lock" for file in process.open_files())
    except psutil.Error:
        return False


def test_a_folder_that_cannot_be_written_is_one_line_with_a_remedy(tmp_path: Path) -> None:
    in_the_way = tmp_path / "file"
    in_the_way.write_text("")
    with pytest.raises(StackError, match="cannot be written") as caught, LocalStack(Settings(data_dir=in_the_way)):
        pass
    assert "CHANNELSCRIBE_DATA_DIR" in caught.value.remedy


def test_a_service_that_does_not_start_names_its_log(tmp_path: Path) -> None:
    (tmp_path / "postgres").mkdir()
    (tmp_path / "postgres" / "PG_VERSION").write_text("7")
    stack = LocalStack(Settings(data_dir=tmp_path), ["database"])
    with pytest.raises(StackError, match=r"postgres|database"), stack:
        stack.wait_ready()
    assert gone_within(tmp_path, 5)


def test_the_socket_fits_however_long_the_path_is(tmp_path: Path) -> None:
    deep = tmp_path / ("x" * 60) / ("y" * 60)
    assert len(os.fsencode(Places(deep).socket)) <= LONGEST_SOCKET_PATH
    with LocalStack(Settings(data_dir=deep), ["database"]) as stack:
        stack.wait_ready()


def test_services_listen_on_loopback_only(stack: LocalStack, data_dir: Path) -> None:
    supervisor = next(p for p in psutil.process_iter(["cmdline"]) if supervises(p, data_dir))
    listening = []
    for process in supervisor.children(recursive=True):
        with contextlib.suppress(psutil.NoSuchProcess):
            found = process.net_connections(kind="tcp")
            listening += [connection.laddr.ip for connection in found if connection.status == psutil.CONN_LISTEN]
    assert len(listening) >= 4  # the Prefect server, the scheduler, the workers
    assert set(listening) <= {"127.0.0.1", "::1"}


def test_a_service_that_answered_and_was_killed_is_started_again(tmp_path: Path) -> None:
    with LocalStack(Settings(data_dir=tmp_path), ["database"]) as stack:
        stack.wait_ready()
        noted = json.loads(stack.places.noted_processes.read_text())
        psutil.Process(noted[0]["pid"]).kill()
        answered = False
        while not answered:  # the time limit of tests ends this
            with contextlib.suppress(psycopg.OperationalError):
                psycopg.connect(stack.addresses.database_url or "").close()
                answered = json.loads(stack.places.noted_processes.read_text()) != noted
        with LocalStack(Settings(data_dir=tmp_path), ["database"]) as second:
            second.wait_ready()
    assert gone_within(tmp_path, 5)
