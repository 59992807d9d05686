"""Many videos: does the catalogue stay as quick at a million, and a sync of thousands as quick as it began?

    make bench NAME=channel
    python -m benchmarks.channel 100000         # another size
    python -m benchmarks.channel sync 10000     # a sync of so many videos: hours

**The catalogue.** A real PostgreSQL with SOURCES channels; most videos are published, some wait, some failed, a few are
new in each. Asked in turn, each several times: the counts of `status`, the next eight due videos of a channel (claimed,
then given back), how many are left, and a listing of a channel with 500 known videos. First with a hundredth of the
videos, then with all; medians in milliseconds. The rows are made by SQL, as a sync of a million videos takes weeks.

**A sync.** The command, its feed over HTTP, PostgreSQL, Prefect, Dask, store and ffmpeg are real. All episodes have one
recording of eight seconds, so the models (the sample's) hear it once and what is measured is all the rest. Compared are
the second tenth of the videos and the last: videos a minute, statements to PostgreSQL a video, and the memory of all
processes together. Ratios near 1 say that ten times as many would go on like that.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path

import psutil
import psycopg

from benchmarks.overhead import ON_SAMPLE, environment, short_videos
from benchmarks.report import print_report
from channelscribe.catalogue import leases, listings, schema, stats
from channelscribe.catalogue.connection import Database, execute
from channelscribe.local_stack import running_addresses
from channelscribe.local_stack.postgres import temporary_server
from channelscribe.sample.server import SampleServer
from channelscribe.settings import Settings
from channelscribe.sources.spool import ListedVideo, Listing, VideoSpool

VIDEOS = int(sys.argv[-1]) if sys.argv[-1].isdigit() else 1_000_000
SOURCES, LISTED, ROUNDS, SMALLER = 100, 500, 7, 100
OWNER, LOOK_SECONDS = "benchmark", 2.0
PUBLISHED = "SELECT count(*) FROM video WHERE state = 'published'"
MAKE_SOURCES = """
INSERT INTO source (site, source_id, url, title, kind, last_listed_at, last_full_listing_at)
SELECT 'youtube', 'UC' || n, 'https://www.youtube.com/channel/UC' || n, 'Channel ' || n, 'channel', now(), now()
FROM generate_series(1, CAST(:sources AS int)) AS n
"""
# Of a hundred videos 92 are published, 5 waiting for another try, 2 given up, 1 new.
MAKE_VIDEOS = """
INSERT INTO video (site, video_id, url, title, duration, published, state, reason, message, next_check_at)
SELECT 'youtube', 'v' || n, 'https://www.youtube.com/watch?v=v' || n, 'Video ' || n, 600,
    date '2026-01-01' - (n / :sources) % 3000, CASE WHEN kind < 92 THEN 'published' WHEN kind < 97 THEN 'retrying'
        WHEN kind < 99 THEN 'unavailable' ELSE 'discovered' END,
    CASE WHEN kind BETWEEN 92 AND 96 THEN 'unreachable' WHEN kind BETWEEN 97 AND 98 THEN 'private' END,
    CASE WHEN kind BETWEEN 92 AND 98 THEN 'as the site said' END,
    CASE WHEN kind BETWEEN 92 AND 96 THEN now() + interval '1 day' END
FROM (SELECT n, (n / :sources) % 100 AS kind FROM generate_series(CAST(:first AS int), CAST(:last AS int)) AS n) AS made
"""
LINK_VIDEOS = """
INSERT INTO source_video (source_pk, video_pk, position)
SELECT 1 + (id % :sources), id, id / :sources FROM video WHERE id BETWEEN :first AND :last
"""


def fill(catalogue: Database, first: int, last: int) -> None:
    """Videos of these numbers, one after the other in the channels."""
    values = {"sources": SOURCES, "first": first, "last": last}
    with catalogue.session() as session:
        execute(session, MAKE_VIDEOS, **values)
        execute(session, LINK_VIDEOS, **values)
    with catalogue.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        execute(connection, "VACUUM ANALYZE")


def known_listing(catalogue: Database, source_pk: int) -> Listing:
    """The newest LISTED videos of a channel as a listing has them, nothing new."""
    listing = Listing("youtube", f"UC{source_pk}", f"Channel {source_pk}", "", "channel", complete=False)
    listing.videos = VideoSpool()
    with catalogue.session() as session:
        listing.url = execute(session, "SELECT url FROM source WHERE id = :pk", pk=source_pk).scalar_one()
        newest = """SELECT video_id, url, title, duration, published FROM video JOIN source_video ON video_pk = video.id
            WHERE source_pk = :pk ORDER BY position LIMIT :listed"""
        for place, row in enumerate(execute(session, newest, pk=source_pk, listed=LISTED)):
            video_id, url, title, duration, published = row
            known = ListedVideo(video_id, "youtube", url, title, duration, published, position=place)
            listing.videos.append(known)
    return listing


def asked(catalogue: Database) -> dict[str, float]:
    """Median milliseconds of each question."""
    took: dict[str, list[float]] = defaultdict(list)

    def timed(what: str, question: Callable[..., object], *values: object) -> None:
        began = time.perf_counter()
        question(*values)
        took[what].append(1000 * (time.perf_counter() - began))

    for source_pk in range(1, ROUNDS + 1):
        listing = known_listing(catalogue, source_pk)
        timed("status", catalogue.read, stats.status)
        timed("claim", catalogue.run, leases.claim_next, source_pk, OWNER, 60.0, 8)
        timed("left", catalogue.run, leases.left_in_source, source_pk, OWNER)
        timed("listing", catalogue.run, listings.record_listing, listing)
        catalogue.run(leases.release_all, OWNER)
    return {what: statistics.median(each) for what, each in took.items()}


@dataclass(frozen=True)
class Look:
    """How far a sync is: seconds since it began, videos published, statements so far, bytes of memory now."""

    seconds: float
    published: int
    statements: int
    memory: int


def watched(process: subprocess.Popen[str], data: Path, counting: Path) -> list[Look]:
    """A look every LOOK_SECONDS until the sync ends."""
    began, looks = time.monotonic(), []
    while process.poll() is None:
        time.sleep(LOOK_SECONDS)
        with suppress(psycopg.Error, psutil.Error, OSError):
            url = running_addresses(Settings(data_dir=data)).database_url
            with psycopg.connect(url or "") as connection:
                (published,) = connection.execute(PUBLISHED).fetchone() or (0,)
            me = psutil.Process(process.pid)
            memory = sum(each.memory_info().rss for each in (me, *me.children(recursive=True)))
            statements = (counting / "statements").stat().st_size
            looks.append(Look(time.monotonic() - began, published, statements, memory))
    return looks


def within(looks: Sequence[Look], first: float, last: float) -> dict[str, float]:
    """Videos a minute, statements a video and bytes of memory while so many videos were published."""
    part = [look for look in looks if first <= look.published <= last]
    if len(part) < 2 or part[0].published == part[-1].published:
        raise SystemExit("Too few videos to tell anything.")
    videos = part[-1].published - part[0].published
    return {
        "videos a minute": 60 * videos / (part[-1].seconds - part[0].seconds),
        "statements a video": (part[-1].statements - part[0].statements) / videos,
        "memory": statistics.mean(look.memory for look in part),
    }


def sync(videos: int) -> None:
    (item,), files = short_videos(1)
    (content,) = files.values()
    names = [f"simulated-{number}" for number in range(videos)]
    items = [
        replace(item, id=name, title=f"{name} of many", media=f"{name}.mp3", published=item.published - timedelta(n))
        for n, name in enumerate(names)
    ]
    with (
        tempfile.TemporaryDirectory(prefix="bench-", ignore_cleanup_errors=True) as folder,
        SampleServer(items=items, extra={f"/media/{name}.mp3": content for name in names}) as server,
    ):
        data, counting = Path(folder) / "data", Path(folder) / "counts"
        counting.mkdir()
        argv = [sys.executable, "-m", "flows.cli", "sync", server.feed_url, "--json", *ON_SAMPLE]
        process = subprocess.Popen(argv, env=environment(data, counting), stdout=subprocess.PIPE, text=True)
        looks = watched(process, data, counting)
        if process.returncode:
            raise SystemExit(f"the sync failed: {(process.stdout.read() if process.stdout else '')[-1000:]}")
    early, late = within(looks, 0.1 * videos, 0.2 * videos), within(looks, 0.9 * videos, videos)
    rows = [
        [
            what,
            *(
                f"{each[what] / (1 << 20):.0f} MB" if what == "memory" else f"{each[what]:.1f}"
                for each in (early, late)
            ),
        ]
        for what in early
    ]
    ratios = {what: late[what] / early[what] for what in early}
    figures = {
        "channel.synced_videos": float(videos),
        "channel.videos_a_minute": late["videos a minute"],
        "channel.statements_a_video": late["statements a video"],
        "channel.pace_last_over_first": ratios["videos a minute"],
        "channel.statements_last_over_first": ratios["statements a video"],
        "channel.memory_last_over_first": ratios["memory"],
    }
    goal = {
        "channel.pace_last_over_first": ">= 0.9",
        "channel.statements_last_over_first": "<= 1.1",
        "channel.memory_last_over_first": "<= 1.2",
    }
    print_report("channel", [f"a sync of {videos:,}", "second tenth", "last tenth"], rows, figures, goal)


def main() -> None:
    with (
        tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder,
        temporary_server(Path(folder) / "postgres") as server,
    ):
        catalogue = Database(server.url)
        schema.migrate(catalogue)
        with catalogue.session() as session:
            execute(session, MAKE_SOURCES, sources=SOURCES)
        fill(catalogue, 1, VIDEOS // SMALLER)
        few = asked(catalogue)
        fill(catalogue, VIDEOS // SMALLER + 1, VIDEOS)
        many = asked(catalogue)
        catalogue.close()
    heads = ["asked of the catalogue", f"{VIDEOS // SMALLER:,} videos", f"{VIDEOS:,} videos"]
    rows = [[what, f"{few[what]:.1f} ms", f"{many[what]:.1f} ms"] for what in many]
    figures = {
        "channel.videos": float(VIDEOS),
        "channel.status_milliseconds": many["status"],
        "channel.claim_milliseconds": many["claim"],
        "channel.left_milliseconds": many["left"],
        "channel.listing_milliseconds": many["listing"],
    }
    print_report("channel", heads, rows, figures, {"channel.claim_milliseconds": "<= 50"})


if __name__ == "__main__":
    if "sync" in sys.argv:
        sync(VIDEOS)
    else:
        main()
