"""The pictures of docs/operating.md, from the real Prefect UI: `python docs/screenshots.py`.

Starts a laptop stack in a temporary folder, deploys to it, serves the pool `default`, syncs the sample channel, and
has headless Chromium (CHROMIUM=path, or `chromium` on PATH) take the form, the run while it is going on, and the run
when it has ended. Leaves docs/images/*.png, each well below 300 kB. Exits 0 and says why where there is no Chromium.
"""

from __future__ import annotations

import base64
import itertools
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from websockets.sync.client import connect

from channelscribe.local_stack import LocalStack
from channelscribe.local_stack.services import LOOPBACK, free_port, prefect_environment
from channelscribe.sample.server import SampleServer
from channelscribe.settings import Settings
from flows.output import say

IMAGES = Path(__file__).parent / "images"
ROOT = Path(__file__).parent.parent
WIDTH, HEIGHT = 1280, 900
LOAD_SECONDS = 120.0
SETTLE_SECONDS = 2.0
"""What the page still draws after the words that it was waited for are there."""


class Page:
    """One tab of a headless Chromium, by its DevTools protocol."""

    def __init__(self, port: int) -> None:
        until = time.monotonic() + LOAD_SECONDS
        while True:
            try:
                with urllib.request.urlopen(f"http://{LOOPBACK}:{port}/json/list") as answer:
                    tab = next(each for each in json.load(answer) if each["type"] == "page")
                break
            except (OSError, StopIteration):
                if time.monotonic() > until:
                    raise
                time.sleep(0.2)
        self._socket = connect(tab["webSocketDebuggerUrl"], max_size=None)
        self._numbers = itertools.count(1)

    def ask(self, method: str, **parameters: Any) -> Any:
        number = next(self._numbers)
        self._socket.send(json.dumps({"id": number, "method": method, "params": parameters}))
        while True:
            answer = json.loads(self._socket.recv(timeout=LOAD_SECONDS))
            if answer.get("id") == number:
                return answer["result"]

    def evaluate(self, expression: str) -> Any:
        return self.ask("Runtime.evaluate", expression=expression)["result"].get("value")

    def open(self, url: str, *words: str) -> None:
        """Go there and wait until the page shows all the words."""
        self.ask("Page.navigate", url=url)
        until = time.monotonic() + LOAD_SECONDS
        while not all(word in (self.evaluate("document.body?.innerText || ''") or "") for word in words):
            if time.monotonic() > until:
                raise TimeoutError(f"{url} does not show {words}: {self.evaluate('document.body.innerText')!r}")
            time.sleep(0.2)

    def _size(self, height: int) -> None:
        self.ask("Emulation.setDeviceMetricsOverride", width=WIDTH, height=height, deviceScaleFactor=1, mobile=False)

    def shoot(self, name: str, height: int = HEIGHT) -> None:
        self._size(height)
        time.sleep(SETTLE_SECONDS)
        taken = self.ask("Page.captureScreenshot", format="png", optimizeForSpeed=False)
        IMAGES.mkdir(exist_ok=True)
        path = IMAGES / f"{name}.png"
        path.write_bytes(base64.b64decode(taken["data"]))
        say(f"{path.relative_to(ROOT)}: {path.stat().st_size // 1000} kB")


@contextmanager
def chromium(program: str) -> Iterator[Page]:
    with tempfile.TemporaryDirectory() as profile:
        port = free_port()
        # Without a sandbox only as root, who has none; the page is our own server's.
        options = ["--headless", "--disable-gpu", "--hide-scrollbars", f"--user-data-dir={profile}"]
        options += ["--no-sandbox"] if os.geteuid() == 0 else []
        options += [f"--remote-debugging-port={port}", f"--window-size={WIDTH},{HEIGHT}", "about:blank"]
        running = subprocess.Popen([program, *options], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            page = Page(port)
            yield page
        finally:
            end(running)


def end(running: subprocess.Popen[bytes]) -> None:
    """Prefect's worker turns SIGTERM into SIGINT, which a job in the background of a shell has been told to ignore."""
    running.terminate()
    try:
        running.wait(15)
    except subprocess.TimeoutExpired:
        running.kill()
        running.wait()


@contextmanager
def worker(environment: dict[str, str], log: Path) -> Iterator[None]:
    """Serves the pool `default`; says what it logged when something went wrong."""
    command = [sys.executable, "-m", "prefect", "worker", "start", "--pool", "default", "--type", "process"]
    with log.open("wb") as out:
        running = subprocess.Popen(command, env=environment, stdout=out, stderr=out)
    try:
        yield
    except BaseException:
        say(log.read_text(errors="replace")[-4000:])
        raise
    finally:
        end(running)


def pictures(page: Page, ui: str, source: str) -> None:
    """Through the server that PREFECT_API_URL names."""
    from prefect.client.orchestration import get_client

    request = {
        "source": source,
        "limit": 2,
        "settings": {
            "speech.model": "sample",
            "text.models": {"en": "sample"},
            "sources.allow_private_addresses": True,
        },
    }
    with get_client(sync_client=True) as client:
        deployment = client.read_deployment_by_name("sync-channel/channel-sync")
        page.open(f"{ui}/deployments/deployment/{deployment.id}/run", "Source", "Dry run")
        page.shoot("form", 1560)
        page.open(f"{ui}/deployments", "sync-channel", "transcribe-audio")
        page.shoot("deployments")
        run = client.create_flow_run_from_deployment(deployment.id, parameters={"request": request})
        address = f"{ui}/runs/flow-run/{run.id}"
        wait_for(client, run.id, lambda state, tasks: any(name.startswith("prepare") for name in tasks))
        page.open(address, "Running", "download ")
        page.shoot("run-in-progress")
        wait_for(client, run.id, lambda state, tasks: state.is_final())
        page.open(address, "Completed", "2 published")
        page.shoot("run-finished")


def wait_for(client: Any, run: Any, condition: Any) -> None:
    from prefect.client.schemas.filters import FlowRunFilter, FlowRunFilterId

    until = time.monotonic() + 10 * LOAD_SECONDS
    while True:
        state = client.read_flow_run(run).state
        tasks = client.read_task_runs(flow_run_filter=FlowRunFilter(id=FlowRunFilterId(any_=[run])))
        if condition(state, [task.name for task in tasks]):
            return
        if time.monotonic() > until or state.is_failed() or state.is_crashed():
            raise RuntimeError(f"the run came to {state!r}")
        time.sleep(0.3)


def main() -> int:
    program = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")
    if program is None:
        say("Skipped: there is no Chromium on PATH, and CHROMIUM names none.")
        return 0
    with (
        tempfile.TemporaryDirectory(prefix="channelscribe-") as data,
        SampleServer() as sample,
        LocalStack(Settings(data_dir=Path(data)), command="screenshots") as stack,
    ):
        stack.wait_ready()
        addresses = stack.addresses
        environment = os.environ | prefect_environment(stack.places, addresses.prefect_api_url or "")
        environment |= {
            "CHANNELSCRIBE_DATA_DIR": data,
            "CHANNELSCRIBE_DATABASE__URL": addresses.database_url or "",
            "CHANNELSCRIBE_DASK__SCHEDULER": addresses.scheduler or "",
            "CHANNELSCRIBE_PREFECT__API_URL": addresses.prefect_api_url or "",
            "PREFECT_WORKER_QUERY_SECONDS": "1",
        }
        os.environ.update(environment)
        subprocess.run([sys.executable, "-m", "flows.cli", "deploy"], env=environment, check=True)
        with worker(environment, stack.places.logs / "worker.log"), chromium(program) as page:
            ui = (addresses.prefect_api_url or "").removesuffix("/api")
            pictures(page, ui, sample.feed_url)
    return 0


if __name__ == "__main__":
    sys.exit(main())
