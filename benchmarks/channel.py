"""The catalogue of many channels: does what a sync and `status` ask stay as quick at a million videos?

    make bench NAME=channel
    python -m benchmarks.channel 100000     # another size

A real PostgreSQL with SOURCES channels; most videos are published, some wait, some failed, a few are new in each. Asked
in turn, each several times: the counts of `status`, the next eight due videos of a channel (claimed, then given back),
how many are left, and a listing of a channel with 500 known videos. First with a hundredth of the videos, then with
all; medians in milliseconds. The rows are made by SQL, as a sync of a million videos takes weeks.
"""

from __future__ import annotations

import statistics
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path

from benchmarks.report import print_report
from channelscribe.catalogue import leases, listings, schema, stats
from channelscribe.catalogue.connection import Database, execute
from channelscribe.local_stack.postgres import temporary_server
from channelscribe.sources.spool import ListedVideo, Listing, VideoSpool

VIDEOS = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000
SOURCES, LISTED, ROUNDS, SMALLER = 100, 500, 7, 100
OWNER = "benchmark"
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
    main()
