"""A library with what the reading room shows, on the embedded PostgreSQL of the catalogue's tests."""

from __future__ import annotations

import hashlib
import os
import shutil
import socket
import struct
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import uvicorn
from starlette.testclient import TestClient

from channelscribe.catalogue import leases, listings, publishing, videos
from channelscribe.catalogue.connection import Database, driver_connection, execute
from channelscribe.settings import Settings
from channelscribe.settings.options import WebOptions
from channelscribe.store import MediaStore, layout
from channelscribe.transcript import Segment, Transcript, Turn, Word
from channelscribe.web import access
from channelscribe.web.access import Logins
from channelscribe.web.app import Room, create_app
from tests.catalogue.records import OWNER, SITE, Listed, Video, published
from tests.databases import empty

if TYPE_CHECKING:
    from playwright.sync_api import Browser

VIDEO = "jNQXAC9IVRw"
HOST = "127.0.0.1"
CHROMIUM = shutil.which("chromium")
SENTENCES = (
    "All right, so here we are, in front of the elephants at the zoo.",
    "The cool thing about these guys is that they have really long trunks.",
    "And that's pretty much all there is to say.",
    "In Haarlem they keep a frame up to the window on Thursdays.",
)


def said(seconds: float = 240.0, last: str = "", language: str = "en") -> Transcript:
    """Two speakers in turn; a sentence each five seconds, words at even distances."""
    segments = []
    count = int(seconds / 5)
    for place in range(count):
        text = last if last and place == count - 1 else SENTENCES[place % len(SENTENCES)]
        start, words = place * 5.0, text.split()
        step = 4.5 / max(len(words), 1)
        speaker = f"S{place // 3 % 2}"
        timed = [
            Word(word, start + n * step, start + n * step + step * 0.9, 0.9, speaker) for n, word in enumerate(words)
        ]
        flags = ["unsure"] if place == 2 else []
        segments.append(Segment(start, start + 4.5, text, speaker, -0.2, timed, flags))
    turns = [Turn(place * 15.0, min(place * 15.0 + 14.5, seconds), f"S{place % 2}") for place in range(count // 3)]
    return Transcript(language, seconds, segments, turns, {"recognizer": {"name": "tiny"}}, quality={"coverage": 0.98})


def reading(transcript: Transcript) -> dict[str, object]:
    """A reading that has found the places."""
    found = []
    text, at = transcript.text, 0
    while (at := text.find("Haarlem", at)) >= 0:
        found.append({
            "text": "Haarlem", "key": "haarlem", "label": "GPE", "start_char": at, "end_char": at + 7,
            "start": 15.4, "end": 15.8, "speaker": "S1",
        })  # fmt: skip
        at += 7
    return {"sentences": [], "entities": found}


def wave(seconds: float) -> bytes:
    """Silence that a browser plays: 8 kHz, 8 bits, mono."""
    samples = bytes([128]) * int(seconds * 8000)
    head = struct.pack("<4sI4s4sIHHIIHH4sI", b"RIFF", 36 + len(samples), b"WAVE", b"fmt ", 16, 1, 1, 8000, 8000, 1, 8,
                       b"data", len(samples))  # fmt: skip
    return head + samples


def publish(
    catalogue: Database, video: str, transcript: Transcript, store: MediaStore | None = None, **facts: object
) -> int:
    """A video as a run leaves it; with its audio where there is a store. Returns our number of it."""
    listing = Listed([Video(video, **facts)], complete=False)  # type: ignore[arg-type]
    report = catalogue.run(listings.record_listing, listing)
    row = next(row for row in catalogue.run(videos.list_videos, report.source_pk) if row.video_id == video)
    catalogue.run(leases.claim, [row.id], OWNER, 60, only_due=False)
    if store is not None:
        key = layout.archive_key(SITE, video, "wav")
        store.put_bytes(wave(transcript.duration), key, overwrite=True)
        catalogue.run(videos.record_audio, 
            row.id, OWNER, source_sha256=hashlib.sha256(video.encode()).hexdigest(), options_key="o",
            format_id="140", seconds=transcript.duration, bytes=9, archive_key=key,
            speech_key=layout.speech_key(SITE, video, "a" * 64), speech_sha256="a" * 64, part_keys=[],
        )  # fmt: skip
    identity = hashlib.sha256(f"{video} {transcript.text} {transcript.duration}".encode()).hexdigest()
    catalogue.run(publishing.publish, row.id, OWNER, identity, transcript, reading(transcript), {})
    return row.id


def publish_voices(catalogue: Database, video: str, people: tuple[int, int] = (0, 1)) -> int:
    """A video whose two speakers are these people, by number; returns our number of it."""
    heard = {
        f"S{n}": {"vector": [float(person == each) for each in range(8)], "seconds": 20.0, "spread": 0.1}
        for n, person in enumerate(people)
    }
    return published(catalogue, said(60.0), Video(video), heard={"embedder": "ge2e/1", "voices": heard}).id


Fill = Callable[[Database, MediaStore], object]


class Library:
    """A catalogue and a folder store. Filled anew only where something was written since: that costs more than what
    most tests do with it.
    """

    def __init__(self, database: Database, folder: Path) -> None:
        self.database, self.folder = database, folder
        self._made: tuple[Fill, int] | None = None

    def fill(self, make: Fill) -> Library:
        """Bring it to what `make` publishes."""
        if self._made != (make, self._last_write()):
            with self.database.session() as session:
                empty(driver_connection(session))
            shutil.rmtree(self.folder, ignore_errors=True)
            make(self.database, MediaStore(str(self.folder)))
            self._made = (make, self._last_write())
        return self

    def _last_write(self) -> int:
        """The number of the last transaction on this server that wrote anything."""
        with self.database.session() as session:
            number: int = execute(session, "SELECT pg_snapshot_xmax(pg_current_snapshot())::text::bigint").scalar_one()
        return number


def two_videos(database: Database, store: MediaStore) -> None:
    """One of them with audio and two versions."""
    zoo = {"title": "Me at the zoo", "published": date(2024, 4, 23)}
    publish(database, VIDEO, said(last="An older ending."), store, **zoo)
    publish(database, VIDEO, said(), store, **zoo)
    publish(database, "second_video", said(30.0), title="A second <b>one</b>", published=date(2024, 5, 1))


@pytest.fixture(scope="session")
def library(opened: Database, tmp_path_factory: pytest.TempPathFactory) -> Library:
    return Library(opened, tmp_path_factory.mktemp("room") / "library")


@pytest.fixture
def room(library: Library, tmp_path: Path) -> Room:
    """Of two videos, with a store of its own."""
    return room_on(library.fill(two_videos), tmp_path)


def room_on(library: Library, folder: Path) -> Room:
    shutil.copytree(library.folder, folder / "library")
    settings = Settings(data_dir=folder, web=WebOptions(requests_per_second=0))
    store = MediaStore(str(folder / "library"))
    return Room(library.database, store, settings, Logins(folder / "logins.json"), HOST)


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Passwords that are hashed in no time."""
    monkeypatch.setitem(access.SCRYPT, "n", 2)


@pytest.fixture
def client(room: Room) -> Iterator[TestClient]:
    with client_of(room) as made:
        yield made


def client_of(room: Room, host: str = HOST) -> TestClient:
    """A client that asks from this machine; failures are answers, as over the network."""
    return TestClient(
        create_app(room), base_url=f"http://{host}:4300", raise_server_exceptions=False, follow_redirects=False,
        client=("127.0.0.1", 50000),
    )  # fmt: skip


@contextmanager
def served(app: Any) -> Iterator[str]:
    """An application on a port of this machine, in a thread."""
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    listener.listen(128)  # who comes before the server waits
    server = uvicorn.Server(uvicorn.Config(app, log_config=None, timeout_graceful_shutdown=1))
    thread = threading.Thread(target=server.run, args=([listener],), daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    server.should_exit = True
    thread.join(20)
    listener.close()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Debian's Chromium. Of a module: while it runs this thread has an event loop, which other tests could not bear."""
    from playwright._impl._driver import compute_driver_executable
    from playwright.sync_api import sync_playwright

    tried = subprocess.run([compute_driver_executable()[0], "--version"], capture_output=True, text=True, check=False)
    if tried.returncode:
        pytest.skip(f"Playwright's own node does not start (apt-get install libatomic1): {tried.stderr.strip()}")
    with sync_playwright() as playwright:
        # Without a user of its own there is no sandbox: containers run as root.
        arguments = ["--autoplay-policy=no-user-gesture-required", "--mute-audio", "--disable-dev-shm-usage"]
        started = playwright.chromium.launch(
            executable_path=CHROMIUM, args=arguments, chromium_sandbox=os.geteuid() != 0, timeout=120_000
        )
        yield started
        started.close()
