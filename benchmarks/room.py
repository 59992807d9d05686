"""The reading room under load, on a library of 200 videos with 500 segments each, and one of four hours.

    make bench NAME=room

A tenth of the issue's library, so that it ends within five minutes on two cores: 100,000 segments and not a million.
`channelscribe serve` runs as it is used, in a process of its own; the requests come from this one over HTTP, so both
share the cores. In turn: pages of videos, searches and lists; then all of it mixed from eight threads at once; the
memory of the process after that; a second of processor time with 300 idle listeners; the folder of all videos, and the
same again with one video more.
"""

# ruff: noqa: S608 - statements of constants of this file

from __future__ import annotations

import json
import os
import random
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import httpx
import psutil
from sqlalchemy import Connection

from benchmarks import search as library
from benchmarks.report import print_report
from channelscribe.catalogue import schema
from channelscribe.catalogue.connection import Database, execute
from channelscribe.local_stack.postgres import temporary_server
from channelscribe.settings import Settings
from channelscribe.store import MediaStore
from channelscribe.transcript import FILE_FORMATS
from channelscribe.web.access import Logins
from channelscribe.web.app import Room
from channelscribe.web.site import build
from flows.output import tell

CHANNELS, VIDEOS, SEGMENTS, FRAGMENTS, WORDS = 2, 100, 500, 5000, 18
LONG_SEGMENTS = 2400
SAMPLES, MIXED, LISTENERS, IDLE_SECONDS = 60, 3000, 300, 10

MAKE = (
    f"""CREATE TEMP TABLE fragment AS SELECT i, string_agg({library.WORD}, ' ') AS text
        FROM generate_series(0, {FRAGMENTS - 1}) AS i, LATERAL (
            SELECT floor(power({library.VOCABULARY}, random()))::int + 0 * i AS n
            FROM generate_series(1, {WORDS})) AS word
        GROUP BY i""",
    f"""INSERT INTO source (site, source_id, url, title)
        SELECT 'youtube', 'UC' || c, 'https://www.youtube.com/@c' || c, 'Channel ' || c
        FROM generate_series(1, {CHANNELS}) AS c""",
)
VIDEO = (
    """INSERT INTO video (site, video_id, url, title, published, state) VALUES ('youtube', :video,
        'https://www.youtube.com/watch?v=' || :video, 'Episode ' || :video, DATE '2020-01-01' + :number,
        'published')""",
    f"""INSERT INTO source_video (source_pk, video_pk)
        SELECT 1 + :number % {CHANNELS}, id FROM video WHERE video_id = :video""",
    """INSERT INTO transcript (video_pk, transcript_id, version, language, duration)
        SELECT id, 't-' || :video, 1, 'en', :segments * 6 FROM video WHERE video_id = :video""",
    """UPDATE video SET current_transcript_pk = transcript.id FROM transcript
        WHERE video_pk = video.id AND video_id = :video""",
    f"""INSERT INTO segment (transcript_pk, index, language, start, "end", text, speaker, word_texts, word_starts,
            word_ends, word_scores, word_aligned)
        SELECT current_transcript_pk, n, 'en', 6 * n, 6 * n + 6, text, 'SPEAKER_0' || n / 10 % 4,
            string_to_array(text, ' '), times, times, times, CAST(:aligned AS boolean[])
        FROM generate_series(0, :segments - 1) AS n JOIN fragment ON i = (n * 31 + :number * 7919) % {FRAGMENTS}
        CROSS JOIN video, LATERAL (SELECT array_agg(6 * n + w / 3.0) AS times FROM generate_series(0, {WORDS - 1}) AS w)
            AS timed WHERE video_id = :video""",
)


def make_library(connection: Connection) -> None:
    for statement in MAKE:
        values = {"syllables": library.SYLLABLES} if ":syllables" in statement else {}
        execute(connection, statement, **values)
    for number in range(CHANNELS * VIDEOS):
        add_video(connection, f"v{number}", number, SEGMENTS)
    add_video(connection, "fourhours", 0, LONG_SEGMENTS)


def add_video(connection: Connection, video: str, number: int, segments: int) -> None:
    given = {"video": video, "number": number, "segments": segments, "aligned": [True] * WORDS}
    for statement in VIDEO:
        execute(connection, statement, **{name: value for name, value in given.items() if f":{name}" in statement})


@contextmanager
def serving(url: str, folder: Path) -> Iterator[tuple[str, psutil.Process, float]]:
    """The address, the process, and the seconds until it listened."""
    environment = {
        **os.environ, "CHANNELSCRIBE_DATABASE__URL": url, "CHANNELSCRIBE_DATA_DIR": str(folder),
        "CHANNELSCRIBE_WEB__REQUESTS_PER_SECOND": "0",
    }  # fmt: skip
    started = time.monotonic()
    argv = [sys.executable, "-m", "flows.cli", "serve", "--listen", "127.0.0.1:0", "--json"]
    with subprocess.Popen(argv, env=environment, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        address = json.loads(process.stdout.readline())["url"]
        try:
            yield address, psutil.Process(process.pid), time.monotonic() - started
        finally:
            process.terminate()


def p95(times: list[float]) -> float:
    return statistics.quantiles(times, n=20)[-1] * 1000


def timed(client: httpx.Client, path: str) -> float:
    started = time.perf_counter()
    client.get(path).raise_for_status()
    return time.perf_counter() - started


def listeners(address: str, count: int) -> Callable[[], None]:
    """Opens event streams, each read up to its first event; gives what closes them."""
    client = httpx.Client(timeout=60, limits=httpx.Limits(max_connections=count + 1))
    opened = []
    for _ in range(count):
        stream = client.stream("GET", f"{address}api/v1/events")
        next(stream.__enter__().iter_raw())
        opened.append(stream)

    def close() -> None:
        for stream in opened:
            stream.__exit__(None, None, None)
        client.close()

    return close


def main() -> None:
    figures: dict[str, float] = {}
    with tempfile.TemporaryDirectory(prefix="channelscribe-room-") as made:
        folder = Path(made)
        folder.chmod(0o755)
        with temporary_server(folder / "postgres") as server:
            database = Database(server.url)
            schema.migrate(database)
            with database.engine.connect() as connection:  # one for all: the temporary table is its
                with connection.begin():
                    make_library(connection)
                with connection.begin():
                    execute(connection, "ANALYZE")
                tell("the library is made")
                with serving(server.url, folder / "data") as (address, process, seconds):
                    figures["room.seconds_to_ready"] = seconds
                    figures["room.megabytes_at_start"] = process.memory_info().rss / 1e6
                    measure(address, process, figures)
                tell("served")
                measure_site(database, connection, folder, figures)
            database.close()
    goal = {
        "room.video_p95_ms": "<= 100", "room.video_megabytes": "<= 1", "room.search_p95_ms": "<= 150",
        "room.requests_per_second": ">= 150", "room.megabytes_after": "<= 300", "room.idle_core_percent": "<= 1",
        "room.seconds_to_ready": "<= 2", "room.megabytes_at_start": "<= 200",
    }  # fmt: skip
    rows = [[name, f"{value:.2f}", goal.get(name, "")] for name, value in figures.items()]
    print_report("room", ["figure", "is", "goal"], rows, figures, goal)


def measure(address: str, process: psutil.Process, figures: dict[str, float]) -> None:
    rng = random.Random(1)
    headers = {"Accept-Encoding": "gzip"}
    with httpx.Client(base_url=address, headers=headers, timeout=60) as client:
        timed(client, "v/youtube/fourhours")  # the templates are compiled with the first page
        figures["room.video_p95_ms"] = p95([timed(client, "v/youtube/fourhours") for _ in range(SAMPLES)])
        sent = [client.get(path) for path in ("v/youtube/fourhours", "api/v1/videos/youtube/fourhours/words")]
        figures["room.video_megabytes"] = sum(int(answer.headers["content-length"]) for answer in sent) / 1e6
        words = [library.word(rng.randrange(50, 5000)) for _ in range(SAMPLES)]
        figures["room.search_p95_ms"] = p95([timed(client, f"search?q={word}") for word in words])

        def path() -> str:
            video = rng.randrange(CHANNELS * VIDEOS)
            return rng.choice((
                f"v/youtube/v{video}", f"api/v1/videos/youtube/v{video}/words", f"api/v1/videos/youtube/v{video}",
                f"search?q={library.word(rng.randrange(50, 5000))}", "", "api/v1/videos?limit=50", "api/v1/sources",
            ))  # fmt: skip

        paths = [path() for _ in range(MIXED)]
        started = time.monotonic()
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(lambda each: timed(client, each), paths))
        figures["room.requests_per_second"] = MIXED / (time.monotonic() - started)
        figures["room.megabytes_after"] = process.memory_info().rss / 1e6
    close = listeners(address, LISTENERS)
    before = process.cpu_times()
    threading.Event().wait(IDLE_SECONDS)
    after = process.cpu_times()
    used = after.user + after.system - before.user - before.system
    figures["room.idle_core_percent"] = 100 * used / IDLE_SECONDS
    figures["room.idle_listeners"] = LISTENERS
    close()


def measure_site(database: Database, connection: Connection, folder: Path, figures: dict[str, float]) -> None:
    room = Room(database, MediaStore(str(folder / "library")), Settings(), Logins(folder / "logins.json"), "localhost")
    # As a run publishes them: files are in the store, and copied from there.
    keys = {name: f"transcriptions/youtube/all/{'0' * 12}.{name}" for name in FILE_FORMATS}
    for key in keys.values():
        room.store.put_bytes(b"what was said\n" * 5000, key)
    with connection.begin():
        execute(connection, "UPDATE transcript SET files = CAST(:files AS jsonb)", files=json.dumps(keys))
    started = time.monotonic()
    made = build(room, folder / "site")
    figures["room.site_videos_per_second"] = made.written / (time.monotonic() - started)
    with connection.begin():
        add_video(connection, "onemore", 1, SEGMENTS)
        execute(connection, "UPDATE transcript SET files = CAST(:files AS jsonb)", files=json.dumps(keys))
    started = time.monotonic()
    assert build(room, folder / "site").written == 1
    figures["room.site_seconds_for_one_more"] = time.monotonic() - started


if __name__ == "__main__":
    main()
