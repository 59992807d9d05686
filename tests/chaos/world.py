"""Where the matrix takes place: a laptop stack, short videos on a feed, a process that syncs them again and again.

Processes of the stack and the one that syncs load `tests/chaos/plugin`, which counts the work and stops in its middle.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Any

import psutil
import psycopg

from channelscribe.audio.ffmpeg import ffmpeg_path
from channelscribe.local_stack import LocalStack, running_addresses
from channelscribe.local_stack.places import places_of
from channelscribe.sample.feed import sample_items
from channelscribe.sample.server import SampleServer
from channelscribe.sample.world import media_dir
from channelscribe.settings import Settings
from tests.conftest import clean_environment
from tests.e2e.syncing import Summary, Syncs

PLUGIN = Path(__file__).parent / "plugin"
ROOT = Path(__file__).parent.parent.parent
LEASE_SECONDS = 5
PATIENCE = 240.0
SECONDS_OF_AUDIO = 12
TABLES = ("source", "source_video", "video", "audio", "transcript", "checkpoint", "segment", "speaker", "sentence",
          "entity")  # fmt: skip
NOT_COMPARED = (
    *("id", "video_pk", "transcript_pk", "source_pk", "current_transcript_pk"),
    *("created_at", "updated_at", "first_listed_at", "last_listed_at", "last_full_listing_at", "lease_until"),
)
State = dict[str, Any]


def settled(what: str, is_so: Callable[[], Any], seconds: float = PATIENCE) -> Any:
    """Wait until something is so; returns it. Raises TimeoutError that names it."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        found = is_so()
        if found:
            return found
        time.sleep(0.05)
    raise TimeoutError(f"not within {seconds:.0f} s: {what}")


class Flow(Syncs):
    """The process of the flow."""

    @property
    def pid(self) -> int:
        return self._process.pid

    def kill(self) -> None:
        self._process.kill()
        self._process.wait()

    def answer(self) -> Summary | None:
        """What the sync begun last came to; None when the process ended instead."""
        with suppress(AssertionError):
            return self.end()
        self._process.wait(60)
        return None


class World:
    """In a ``with`` block; `hold` or `join` a stack in it. `pool`: speech is done by the work pool `gpu`."""

    def __init__(self, folder: Path, *, videos: int = 1, pool: bool = False, site: SampleServer | None = None) -> None:
        self.data = folder / "data"
        self.chaos = folder / "chaos"
        self.chaos.mkdir(parents=True)
        self.videos = videos
        self.pool = pool
        self.environment = environment(self.data, self.chaos)
        self.log = (folder / "flow.log").open("ab")
        self._open = ExitStack()
        self._site = site
        self._flow: Flow | None = None

    def __enter__(self) -> World:
        # Whose episodes it has is part of their ids: worlds that are compared share one.
        self.site = self._site or self._open.enter_context(short_videos(self.videos))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._flow is not None:
            self._flow.kill()
        self._open.close()
        self.log.close()

    def at_the_end(self, what: Callable[[], object]) -> None:
        self._open.callback(what)

    def hold(self) -> None:
        """Start the stack, which goes on however often the flow's process is killed; it takes this whole process."""
        # What the keeper starts has its environment from here.
        os.environ.clear()
        os.environ.update(self.environment)
        self.stack = self._open.enter_context(LocalStack(Settings(data_dir=self.data), command="the kill matrix"))
        self.stack.wait_ready()
        if self.pool:
            self.environment["CHANNELSCRIBE_PREFECT__GPU_DEPLOYMENT"] = "transcribe-audio/gpu-transcription"
            self._serve_pools()

    def join(self) -> None:
        """Share the stack that another process starts: it stays when that one is killed. What it starts has its
        environment, and the plugin with it.
        """
        settled("a stack", lambda: running_addresses(Settings(data_dir=self.data)).prefect_api_url)
        self.stack = self._open.enter_context(
            LocalStack(Settings(data_dir=self.data), ["database"], command="the kill matrix")
        )
        self.stack.wait_ready()

    def part(self) -> None:
        """Let go of the stack: it ends with the command that uses it."""
        self.stack.close()

    def flow(self) -> Flow:
        """A process that syncs: the one that is there, or a new one."""
        if self._flow is None or not psutil.pid_exists(self._flow.pid) or self._flow._process.poll() is not None:
            self._flow = Flow(self.data, self.environment, self.log)
        return self._flow

    def sync(self) -> Summary | None:
        flow = self.flow()
        flow.begin(self.site.feed_url)
        return flow.answer()

    # The middle of steps

    def arm(self, step: str) -> None:
        """The next process that comes to the middle of this step waits there."""
        for name in ("held", "go"):
            (self.chaos / f"{name}-{step}").unlink(missing_ok=True)
        (self.chaos / "armed").write_text(step)

    def wait_held(self, step: str) -> None:
        settled(f"the middle of {step}", (self.chaos / f"held-{step}").exists)

    def let_go(self, step: str) -> None:
        (self.chaos / f"go-{step}").touch()

    # What is there

    def connection(self) -> psycopg.Connection[Any]:
        return psycopg.connect(self.stack.addresses.database_url or "", autocommit=True)

    def ask(self, query: str) -> list[Any]:
        """A query, also of a database that comes back just now."""

        def answer() -> list[list[Any]]:
            with suppress(psycopg.OperationalError), self.connection() as connection:
                return [connection.execute(query).fetchall()]
            return []

        found: list[Any] = settled("an answer of the database", answer)[0]
        return found

    def forget(self) -> None:
        """As on the first day, on the same stack."""
        self.ask("SELECT 1")
        with self.connection() as connection:
            connection.execute("TRUNCATE source, video, breaker RESTART IDENTITY CASCADE")
        for folder in (self.data / "library", self.data / "scratch" / "partial"):
            shutil.rmtree(folder, ignore_errors=True)
        self.stack.places.create()
        for note in self.chaos.iterdir():
            note.unlink()

    def state(self) -> State:
        return {"files": files(self.data / "library"), "rows": {table: self._rows(table) for table in TABLES}}

    def _rows(self, table: str) -> list[str]:
        query = f"SELECT to_jsonb({table}) - '{{{','.join(NOT_COMPARED)}}}'::text[] FROM {table}"  # noqa: S608
        return sorted(json.dumps(without_times(row), sort_keys=True) for (row,) in self.ask(query))

    def leases(self) -> int:
        return int(self.ask("SELECT count(*) FROM video WHERE lease_owner IS NOT NULL AND lease_until > now()")[0][0])

    def begun(self) -> Counter[str]:
        """How often the work of each stage was begun."""
        log = self.chaos / "begun"
        return Counter(line.split()[0] for line in log.read_text().splitlines()) if log.exists() else Counter()

    def half_published(self) -> list[str]:
        """Current transcripts whose files are not whole in the store."""
        rows = self.ask(
            "SELECT transcript.files FROM video JOIN transcript ON transcript.id = video.current_transcript_pk"
        )
        keys = [key for (named,) in rows for key in named.values()]
        return [key for key in keys if not (self.data / "library" / key).is_file()]

    def partial_files(self) -> list[str]:
        return [str(each) for each in (self.data / "scratch" / "partial").rglob("*") if each.is_file()]

    # Processes

    def service(self, name: str) -> psutil.Process:
        """A service of the stack, alive."""

        def alive() -> psutil.Process | None:
            for each in json.loads(places_of(self.data).noted_processes.read_text()):
                if each["name"] == name:
                    with suppress(psutil.Error):
                        found = psutil.Process(each["pid"])
                        return found if found.status() != psutil.STATUS_ZOMBIE else None
            return None

        found: psutil.Process = settled(f"the service {name}", alive)
        return found

    def processes(self) -> Counter[str]:
        """What runs for this data folder, by what it is: a process more than before is an orphan."""
        found: Counter[str] = Counter()
        for process in psutil.process_iter(["cmdline", "environ", "status"]):
            mine = (process.info["environ"] or {}).get("CHANNELSCRIBE_DATA_DIR") == str(self.data)
            if mine and process.info["status"] != psutil.STATUS_ZOMBIE:
                found[kind(process.info["cmdline"] or [])] += 1
        return found

    def _serve_pools(self) -> None:
        url = self.stack.addresses.prefect_api_url or ""
        deploy = "from channelscribe.settings import Settings; from deployments.provision import provision; "
        subprocess.run(
            [sys.executable, "-c", deploy + "provision(Settings())"], check=True, cwd=ROOT, stdout=self.log,
            stderr=self.log, env={**self.environment, "PREFECT_API_URL": url},
        )  # fmt: skip
        self._open.enter_context(LocalStack(Settings(data_dir=self.data), ["pools"], command="pools")).wait_ready()


def environment(data: Path, chaos: Path) -> dict[str, str]:
    return {
        **clean_environment(data),
        "CHAOS_FOLDER": str(chaos),
        "CHANNELSCRIBE_PASS_ENV": "CHAOS_FOLDER",
        "PYTHONPATH": str(PLUGIN),
        "CHANNELSCRIBE_LEASE_SECONDS": str(LEASE_SECONDS),
        "PREFECT_WORKER_QUERY_SECONDS": "1",
    }


@contextmanager
def short_videos(count: int) -> Iterator[SampleServer]:
    """A feed with the first seconds of episodes of the sample."""
    items, extra = [], {}
    for item in [each for each in sample_items() if each.id != "interlude"][:count]:
        cut = subprocess.run(
            [ffmpeg_path(), "-v", "error", "-i", str(media_dir() / item.media), "-t", str(SECONDS_OF_AUDIO),
             "-b:a", "64k", "-f", "mp3", "-"],
            capture_output=True, check=True,
        ).stdout  # fmt: skip
        items.append(replace(item, media=f"{item.id}.short.mp3", duration=SECONDS_OF_AUDIO, length=len(cut)))
        extra[f"/media/{items[-1].media}"] = cut
    with SampleServer(items=items, extra=extra) as site:
        yield site


def files(library: Path) -> dict[str, str]:
    """Every file but what the engine remembers of its tasks: its digest; of JSON the text without what was measured."""
    found = {}
    for path in sorted(each for each in library.rglob("*") if each.is_file()):
        name = str(path.relative_to(library))
        if name.startswith(("results/", ".partial")):
            continue
        if path.suffix == ".json":
            value = without_times(json.loads(path.read_bytes()))
            if name.startswith("checkpoints/recognize/"):
                # Times by attention, before alignment: they differ by a frame by what else is in the batch.
                for segment in value["segments"]:
                    segment.pop("words", None)
            found[name] = json.dumps(value, sort_keys=True)
        else:
            found[name] = hashlib.sha256(path.read_bytes()).hexdigest()
    return found


MEASURED = ("stages", "made", "work_seconds", "avg_logprob", "no_speech_prob", "score")
"""The last three are confidences, which differ a little by what else is in the batch of a clip."""


def without_times(value: Any) -> Any:
    """A JSON value without what was measured while it was made."""
    if isinstance(value, dict):
        return {name: without_times(each) for name, each in value.items() if name not in MEASURED}
    return [without_times(each) for each in value] if isinstance(value, list) else value


def kind(command: list[str]) -> str:
    programs = ("prefect", "distributed", "channelscribe", "tests", "uvicorn")
    named = [part for part in command if part.startswith(programs)]
    return named[0] if named else Path(command[0]).name if command else "?"


def kill(process: psutil.Process) -> None:
    with suppress(psutil.NoSuchProcess):
        process.send_signal(signal.SIGKILL)
