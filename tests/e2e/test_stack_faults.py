"""What a user sees when the local stack dies in the middle of a sync: one line, soon, and nothing left behind."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import psutil
import pytest

from channelscribe.sample.feed import sample_items
from channelscribe.sample.server import SampleServer
from tests.conftest import ON_SAMPLE, clean_environment, command, run_command

pytestmark = [pytest.mark.long, pytest.mark.stack, pytest.mark.timeout(300)]

TOLD_TO_END = ("the supervisor, with kill -9", "all at once, with SIGTERM")


def until(holds: Callable[[], Any]) -> None:
    """The time limit of tests ends this."""
    while not holds():
        time.sleep(0.1)


def processes(data: Path) -> list[psutil.Process]:
    """What runs for this data folder."""
    found = []
    for process in psutil.process_iter(["cmdline", "cwd", "status"]):
        ours = str(data) in " ".join(process.info["cmdline"] or []) or (process.info["cwd"] or "").startswith(str(data))
        if ours and process.info["status"] != psutil.STATUS_ZOMBIE:
            found.append(process)
    return found


@contextmanager
def running(data: Path, *arguments: str) -> Iterator[subprocess.Popen[bytes]]:
    """A command with a TMPDIR of its own, `data.tmp`, and its stderr in `data.err`."""
    temporary = data.with_suffix(".tmp")
    temporary.mkdir(parents=True)
    environment = clean_environment(data) | {"TMPDIR": str(temporary)}
    with data.with_suffix(".err").open("w") as errors:
        process = subprocess.Popen(command(*arguments), env=environment, stdout=subprocess.DEVNULL, stderr=errors)
        try:
            yield process
        finally:
            process.kill()
            process.wait()
            until(lambda: not processes(data))


@pytest.mark.parametrize("whom", TOLD_TO_END)
def test_a_sync_whose_services_are_killed_ends_and_says_why(
    tmp_path_factory: pytest.TempPathFactory, whom: str
) -> None:
    data = tmp_path_factory.mktemp("faults") / "data"
    item = replace(sample_items()[0], id="slow")
    with SampleServer(items=[item], bytes_per_second=2_000) as server:
        with running(data, "sync", server.feed_url, *ON_SAMPLE) as sync:
            until(lambda: server.media_requests or sync.poll() is not None)  # a download is going on
            assert sync.poll() is None, data.with_suffix(".err").read_text()
            victims = [psutil.Process(sync.pid), *processes(data)] if whom == TOLD_TO_END[1] else processes(data)
            for process in victims:
                with suppress(psutil.Error):
                    if whom == TOLD_TO_END[1]:
                        process.terminate()
                    elif "channelscribe.local_stack.supervisor" in process.cmdline():
                        process.kill()
            code = sync.wait(60)
        told = data.with_suffix(".err").read_text()
        assert "Traceback" not in told
        assert code != 0
        if whom == TOLD_TO_END[0]:
            assert code == 1
            last = told.strip().splitlines()[-1]
            assert "went away with their supervisor" in last and str(data / "logs" / "supervisor.log") in last
        assert list(data.with_suffix(".tmp").iterdir()) == []
        # What it had in hand is free at once for the next one, which is alone.
        server.bytes_per_second = None
        dry = run_command(data, "sync", server.feed_url, "--json", "--dry-run", *ON_SAMPLE)
    assert [each["title"] for each in json.loads(dry.out)["due"]] == [item.title]
