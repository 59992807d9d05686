"""Runs that publish one video and are struck in the middle, for `test_publishing_killed.py`.

Each line of stdin, FAULT N DSN FOLDER, is one run in a process of its own, on a real PostgreSQL and a folder, through
the step's own code (`tasks.publish`). At its N-th moment, before a call of the store or the catalogue or after the
last one, FAULT happens: `kill` (SIGKILL), `database` (all connections are terminated, as by a restart) or `none`.
Answers each line with the exit status of the run, and how many moments it had.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psycopg

from channelscribe.catalogue import leases
from channelscribe.catalogue import publishing as rows_of_publishing
from channelscribe.catalogue.connection import Database
from channelscribe.errors import CatalogueUnreachable
from channelscribe.retention import Library
from channelscribe.store import MediaStore, layout
from tasks import publish
from tasks.records import PreparedAudio, ReadTranscript, VideoWork
from tests.catalogue.records import OWNER, SITE, spoken
from tests.retention.filling import digits, listed

VIDEO = "a"
LONGEST_SECONDS = 20
WATCHED: list[tuple[Any, str]] = [
    *((MediaStore, name) for name in ("exists", "add_bytes", "put_bytes", "read_json")),
    (Database, "run"),
    (rows_of_publishing, "_copy"),
]


def main() -> None:
    for line in sys.stdin:
        fault, number, dsn, folder = line.split()
        reading, writing = os.pipe()
        child = os.fork()
        if child == 0:
            os._exit(run(fault, int(number), dsn, Path(folder), writing))
        os.close(writing)
        _, status = os.waitpid(child, 0)
        with os.fdopen(reading) as told:
            sys.stdout.write(f"{os.waitstatus_to_exitcode(status)} {told.read() or 0}\n")
        sys.stdout.flush()


def run(fault: str, number: int, dsn: str, folder: Path, told: int) -> int:
    library = Library(Database(dsn), MediaStore(str(folder)), folder / "results", folder / "partial")
    work, audio, read = ready(library)
    for module in ("tasks.publish", "tasks.leases", "tasks.prepare"):
        vars(sys.modules[module])["catalogue"] = lambda: library.catalogue
    vars(publish).update(store=lambda: library.store, show_transcript=lambda *_: None)  # no Prefect server here
    signal.alarm(LONGEST_SECONDS)
    moments = watch(fault, number, dsn)
    try:
        publish.publish.fn(work, audio, read, {})
    except CatalogueUnreachable:
        return 1
    os.write(told, str(moments[0]).encode())
    return 0


def ready(library: Library) -> tuple[VideoWork, PreparedAudio, ReadTranscript]:
    """A leased video with all that goes before publishing in the store; as it was, when it is there already."""
    row = listed(library, VIDEO)
    library.catalogue.run(leases.claim, [row.id], OWNER, 600, only_due=False)
    identity = digits("transcript")
    read = ReadTranscript(
        transcript_id=identity,
        transcript_key=layout.checkpoint_key("transcript", identity),
        reading_key=layout.reading_key(SITE, VIDEO, digits("reading")),
        checkpoint_keys=[layout.checkpoint_key("align", digits("align"))],
    )
    reading = {"sentences": [{"text": "Ada met Bo", "start_char": 0, "end_char": 10}], "entities": []}
    library.store.put_json(spoken("Ada met Bo", "in Paris").to_dict(), read.transcript_key)
    library.store.put_json(reading, read.reading_key)
    audio = PreparedAudio(
        source_sha256=digits("source"), speech_sha256=digits("speech"), archive_key=layout.archive_key(SITE, VIDEO),
        speech_key=layout.speech_key(SITE, VIDEO, digits("speech")), seconds=4.0, format_id="140", bytes=3,
        loudness=None, options_key="o",
    )  # fmt: skip
    work = VideoWork(pk=row.id, site=SITE, video_id=VIDEO, url=row.url, title=row.title, channel="C", owner=OWNER)
    return work, audio, read


def watch(fault: str, number: int, dsn: str) -> list[int]:
    """Have `fault` happen at this moment; returns a count of those that there were."""
    moments = [0]

    def pass_one() -> None:
        moments[0] += 1
        if moments[0] - 1 == number and fault == "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        if moments[0] - 1 == number and fault == "database":
            terminate(dsn)

    def watched(name: str, whole: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **named: Any) -> Any:
            pass_one()
            answer = whole(*args, **named)
            if name == "publish":
                pass_one()
            return answer

        return call

    for owner, name in WATCHED:
        setattr(owner, name, watched(name, getattr(owner, name)))
    return moments


def terminate(dsn: str) -> None:
    """End all other connections to the database, as a restart of the server does."""
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )


if __name__ == "__main__":
    main()
