"""What ten thousand watches cost a video that is published.

    make bench NAME=watches

A publishes a talk of an hour (720 segments of 12 words out of 40,000 that are distributed as Zipf's law says) with
WATCHES watches `A AND (B OR "C D")` of words with the same distribution, without the most frequent hundred; B the same
without any. In turn, each talk another one. The figures are seconds of the whole transaction with all watches, and that
over B's.
"""

from __future__ import annotations

import re
import statistics
import tempfile
import time
from pathlib import Path
from random import Random

from benchmarks.report import print_report
from channelscribe.catalogue import leases, listings, publishing, schema, watches
from channelscribe.catalogue.connection import Database, execute
from channelscribe.catalogue.watches import Watch
from channelscribe.local_stack.postgres import temporary_server
from channelscribe.sources.spool import ListedVideo, Listing
from channelscribe.transcript import Segment, Transcript, Word

WATCHES, ROUNDS, SEGMENTS, WORDS = 10_000, 5, 720, 12
VOCABULARY, COMMON = 40_000, 100
SYLLABLES = re.findall("..", "bakelominurasetivodafegohijukawezocipuxa")


def word(number: int) -> str:
    """Four syllables, so that no word has the stem of another; the n-th is the n-th most frequent."""
    return "".join(SYLLABLES[number // 20**place % 20] for place in range(4))


def talk(random: Random) -> Transcript:
    segments = []
    for number in range(SEGMENTS):
        begin = number * 5.0
        said = [word(int(VOCABULARY ** random.random())) for _ in range(WORDS)]
        timed = [Word(each, begin + n * 0.4, begin + n * 0.4 + 0.3, 0.9, "S0") for n, each in enumerate(said)]
        segments.append(Segment(begin, begin + 5, " ".join(said), "S0", -0.2, timed))
    return Transcript("en", SEGMENTS * 5.0, segments, [], {})


def watched(random: Random) -> str:
    one, two, three, four = (word(COMMON + int((VOCABULARY - COMMON) ** random.random())) for _ in range(4))
    return f'{one} AND ({two} OR "{three} {four}")'


def main() -> None:
    random = Random(1)
    folder = Path(tempfile.mkdtemp(prefix="channelscribe-bench-"))
    with temporary_server(folder / "postgres") as server:
        catalogue = Database(server.url)
        schema.migrate(catalogue)
        videos = [
            ListedVideo(site="x", video_id=f"v{n}", url=f"https://example.org/{n}", title="A talk")
            for n in range(2 * ROUNDS + 1)
        ]
        listing = Listing(site="x", source_id="s", title="S", url="https://example.org", kind="channel", videos=videos)
        source = catalogue.run(listings.record_listing, listing).source_pk
        rows = catalogue.run(leases.due, source)
        catalogue.run(leases.claim, [row.id for row in rows], "bench", 3600)

        def publish(place: int) -> float:
            said = talk(random)
            began = time.perf_counter()
            catalogue.run(publishing.publish, rows[place].id, "bench", f"{place:064x}", said, {}, {})
            return time.perf_counter() - began

        publish(0)
        queries = [watched(random) for _ in range(WATCHES)]
        with catalogue.session() as session:
            for number, query in enumerate(queries):
                watches.add(session, Watch(f"w{number}", query))
        with catalogue.session() as session:
            execute(session, "ANALYZE watch, watch_query")
        seconds: dict[str, list[float]] = {"with": [], "without": []}
        for turn in range(ROUNDS):
            seconds["with"].append(publish(2 * turn + 1))
            with catalogue.session() as session:  # out of sight: nothing is compiled, nothing matches
                execute(session, "ALTER TABLE watch RENAME TO watch_aside")
                execute(session, "CREATE TABLE watch (LIKE watch_aside)")
            seconds["without"].append(publish(2 * turn + 2))
            with catalogue.session() as session:
                execute(session, "DROP TABLE watch")
                execute(session, "ALTER TABLE watch_aside RENAME TO watch")
        with catalogue.session() as session:
            hits = execute(session, "SELECT count(*) FROM watch_hit").scalar_one()
        catalogue.close()
    middle = {name: statistics.median(each) for name, each in seconds.items()}
    ratio = statistics.median(a / b for a, b in zip(seconds["with"], seconds["without"], strict=True))
    print_report(
        "watches",
        ["publish an hour", "seconds"],
        [
            [f"{WATCHES} watches, {hits / ROUNDS:.0f} of them hit", f"{middle['with']:.2f}"],
            ["no watch", f"{middle['without']:.2f}"],
        ],
        {"watches.seconds": middle["with"], "watches.over_none": ratio},
        {"watches.seconds": "<= 1"},
    )


if __name__ == "__main__":
    main()
