"""The pictures of docs/reading-room.md, from the pages themselves: `python docs/room_pictures.py [FOLDER]`.

Publishes the sample channel's exact scripts with its audio into a temporary library, serves the room, and has headless
Chromium (CHROMIUM=path, or `chromium` on PATH) take each page, wide and light, and a few of them dark or at 360 px.
Leaves docs/images/room-*.png. Exits 0 and says why where there is no Chromium.
"""

from __future__ import annotations

import json
import os
import shutil
import socket
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from typing import Any

import uvicorn
from playwright.sync_api import Page, sync_playwright

from channelscribe.catalogue import leases, listings, publishing, schema, videos
from channelscribe.catalogue.connection import Database
from channelscribe.files import content_key, sha256_file
from channelscribe.local_stack.postgres import temporary_server
from channelscribe.sample.script import Script
from channelscribe.settings import Settings
from channelscribe.sources.spool import ListedVideo, Listing
from channelscribe.store import MediaStore, layout
from channelscribe.text.names import entity_key
from channelscribe.transcript import Segment, Transcript, Turn, Word
from channelscribe.web.access import Logins
from channelscribe.web.app import Room, create_app
from flows.output import say

SAMPLE = Path(__file__).parent.parent / "channelscribe" / "sample" / "data"
IMAGES = Path(__file__).parent / "images"
SITE, OWNER = "feed", "pictures"
VIDEO = "two-views-of-a-comet"
PICTURES = (
    ("home", "/", 1280, "light"),
    ("video", f"/v/{SITE}/{VIDEO}#t=13", 1280, "light"),
    ("video-dark", f"/v/{SITE}/{VIDEO}#t=13", 1280, "dark"),
    ("video-small", f"/v/{SITE}/{VIDEO}#t=13", 360, "light"),
    ("search", "/search?q=the+train", 1280, "light"),
    ("names", "/names", 1280, "light"),
    ("activity", "/activity", 1280, "light"),
)


def transcript_of(script: Script, seconds: float) -> Transcript:
    segments = []
    for sentence in script.sentences:
        words = [
            Word(word.text, word.start, word.end, 1.0, word.speaker)
            for word in script.words
            if sentence.start - 0.01 <= word.start < sentence.end
        ]
        segments.append(Segment(sentence.start, sentence.end, sentence.text, sentence.speaker, -0.1, words))
    turns = [Turn(turn.start, turn.end, turn.speaker) for turn in script.turns]
    return Transcript("en", seconds, segments, turns, {"recognizer": {"name": "script"}}, no_speech=not segments)


def reading_of(script: Script) -> dict[str, Any]:
    starts, place = [], 0
    for sentence in script.sentences:
        starts.append(place)
        place += len(sentence.text) + 1
    found = [
        {
            "text": each.text, "key": entity_key(each.text), "label": each.label, "start": each.start, "end": each.end,
            "start_char": starts[each.sentence] + each.start_char, "end_char": starts[each.sentence] + each.end_char,
        }
        for each in script.entities
    ]  # fmt: skip
    return {"sentences": [], "entities": found}


def fill(database: Database, store: MediaStore) -> None:
    channel = json.loads((SAMPLE / "channel.json").read_text(encoding="utf-8"))
    listed = [
        ListedVideo(
            video_id=each["id"], site=SITE, url=f"https://radio.example/{each['id']}", title=each["title"],
            description=each["description"], duration=each["duration"],
            published=date.fromisoformat(each["published"][:10]), position=place,
        )
        for place, each in enumerate(channel["episodes"])
    ]  # fmt: skip
    source = Listing(site=SITE, source_id="rails", url="https://radio.example/feed", title=channel["title"],
                     kind="feed", videos=listed)  # fmt: skip
    report = database.run(listings.record_listing, source)
    rows = {row.video_id: row for row in database.run(videos.list_videos, report.source_pk)}
    for each in channel["episodes"][:-1]:
        row, media = rows[each["id"]], SAMPLE / "media" / each["media"]
        database.run(leases.claim, [row.id], OWNER, 600)
        key = layout.archive_key(SITE, row.video_id, media.suffix[1:])
        store.put_file(media, key)
        digest = sha256_file(media)
        database.run(
            videos.record_audio, row.id, OWNER, source_sha256=digest, options_key="o", format_id="0", part_keys=[],
            seconds=each["duration"], bytes=media.stat().st_size, archive_key=key,
            speech_key=layout.speech_key(SITE, row.video_id, digest), speech_sha256=digest,
        )  # fmt: skip
        script = Script.read(SAMPLE / "scripts" / f"{each['id']}.json")
        made = transcript_of(script, each["duration"])
        database.run(publishing.publish, row.id, OWNER, content_key(row.video_id), made, reading_of(script), {})


@contextmanager
def served(room: Room) -> Iterator[str]:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        server = uvicorn.Server(uvicorn.Config(create_app(room), log_config=None, timeout_graceful_shutdown=1))
        thread = threading.Thread(target=server.run, args=([listener],), daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        server.should_exit = True
        thread.join()


def take(page: Page, path: Path, address: str) -> None:
    page.goto(address)
    if "/v/" in address:
        page.locator("[data-ready=true]").wait_for()
    page.wait_for_timeout(500)
    page.screenshot(path=path)


def main() -> None:
    chromium = os.environ.get("CHROMIUM") or shutil.which("chromium")
    if chromium is None:
        say("No pictures: there is no chromium (apt-get install chromium, or CHROMIUM=path).")
        return
    images = Path(sys.argv[1]) if len(sys.argv) > 1 else IMAGES
    with tempfile.TemporaryDirectory(prefix="channelscribe-room-") as made:
        folder = Path(made)
        folder.chmod(0o755)  # PostgreSQL runs as another user where this one is root
        with temporary_server(folder / "postgres") as server:
            database = Database(server.url)
            schema.migrate(database)
            store = MediaStore(str(folder / "library"))
            fill(database, store)
            room = Room(database, store, Settings(data_dir=folder), Logins(folder / "logins.json"), "127.0.0.1")
            with served(room) as address, sync_playwright() as playwright:
                browser = playwright.chromium.launch(executable_path=chromium, chromium_sandbox=os.geteuid() != 0)
                for name, path, width, scheme in PICTURES:
                    height = 800 if width > 500 else 740
                    context = browser.new_context(
                        viewport={"width": width, "height": height},
                        color_scheme="dark" if scheme == "dark" else "light",
                    )
                    take(context.new_page(), images / f"room-{name}.png", address + path)
                    context.close()
                browser.close()
            database.close()


if __name__ == "__main__":
    main()
