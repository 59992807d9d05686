"""Unlucky worlds of the catalogue: a database that starts again, syncs of the same second, titles of nothing."""

from __future__ import annotations

import shutil
import signal
import subprocess
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from channelscribe.catalogue import leases, listings, schema, videos
from channelscribe.catalogue.connection import Database
from channelscribe.catalogue.tables import State
from channelscribe.errors import CatalogueUnreachable, stops_run
from channelscribe.export import FORMATS, VideoMeta, render
from channelscribe.local_stack.postgres import EmbeddedServer, prepare
from flows.display import printable
from tests.catalogue.records import Listed, Video, spoken

MARKS = ["\u202e\u200f\u2067", "\u200b", "\u0000\u0007", "\ud800"]
TITLES = [*MARKS, "../../../etc/passwd\n\n# heading", "😀" * 400, "-rf *"]


@pytest.mark.parametrize("title", TITLES, ids=range(len(TITLES)))
def test_a_title_of_nothing_but_marks(title: str, catalogue: Database) -> None:
    catalogue.run(listings.record_listing, Listed([Video("v0", title)]))
    (row,) = catalogue.run(videos.find_videos, "v0")
    meta = VideoMeta(title=row.title, url=row.url, id="v0", channel="x")
    for name in FORMATS:
        assert "hello" in render(spoken("hello"), name, meta)
    shown = printable(row.title)
    assert not {"\u202e", "\u2067", "\x07"} & set(shown)


class Restarted:
    """A server of one's own, to be stopped and started."""

    def __init__(self, server: EmbeddedServer) -> None:
        self.server = server
        self.start()

    def start(self) -> None:
        self._process = subprocess.Popen(self.server.argv, **self.server.popen_options, stderr=subprocess.DEVNULL)
        self.server.wait_ready(alive=lambda: self._process.poll() is None)

    def stop(self) -> None:
        self._process.send_signal(signal.SIGINT)
        self._process.wait(20)


@pytest.fixture
def restarted() -> Iterator[Restarted]:
    folder = Path(tempfile.mkdtemp(prefix="channelscribe-test-"))
    running = Restarted(prepare(folder / "postgres", durable=False))
    yield running
    running.stop()
    shutil.rmtree(folder)


@pytest.mark.slow
def test_a_database_that_starts_again_in_the_middle(restarted: Restarted) -> None:
    """What was under way failed as the machine's; afterwards all goes on, by the same pool, and is as it was."""
    database = Database(restarted.server.url)
    schema.migrate(database)
    pk = database.run(listings.record_listing, Listed([Video("v0")])).source_pk
    (video,) = database.run(leases.claim_next, pk, "me", 60, 1, [])
    with pytest.raises(CatalogueUnreachable) as caught, database.session() as session:
        leases.held(session, video.id, "me")
        restarted.stop()
        restarted.start()
        leases.renew(session, video.id, "me", 60, "download", 0.5)
    assert stops_run(caught.value) and caught.value.remedy
    database.run(leases.renew, video.id, "me", 60, "download", 0.5)
    database.run(videos.record_failure, video.id, "me", caught.value)
    (row,) = database.run(videos.rows_of, [video.id])
    assert (row.state, row.attempts, row.lease_owner) == (State.DISCOVERED, 0, None)
    database.close()


def test_two_syncs_that_start_in_the_same_second(catalogue: Database) -> None:
    """Both list the source for the first time and take what they get: each video is one's, and none is nobody's."""
    listing = [Video(f"v{number}", position=number) for number in range(40)]
    ready = threading.Barrier(4)
    got: dict[str, list[int]] = {}
    wrong: list[BaseException] = []

    def sync(owner: str) -> None:
        try:
            ready.wait()
            pk = catalogue.run(listings.record_listing, Listed(list(listing))).source_pk
            mine: list[int] = []
            while len(catalogue.run(leases.due, pk)) > 0:
                mine += [row.id for row in catalogue.run(leases.claim_next, pk, owner, 60, 3, mine)]
            got[owner] = mine
        except BaseException as error:
            wrong.append(error)

    threads = [threading.Thread(target=sync, args=(f"run-{number}",)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []
    taken = [pk for mine in got.values() for pk in mine]
    assert len(taken) == len(set(taken)) == len(listing)
