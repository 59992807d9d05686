"""Fills a library as runs do: objects first, then rows; and tells what is in it."""

from __future__ import annotations

import hashlib
import json
import os
import time
from pathlib import Path

from channelscribe.catalogue import leases, listings, publishing, references, videos
from channelscribe.catalogue.connection import execute
from channelscribe.catalogue.tables import VideoRow
from channelscribe.files import content_key
from channelscribe.retention import Library
from channelscribe.store import layout
from tests.catalogue.records import OWNER, SITE, Listed, Video, spoken

HOUR = 3600.0
DAY = 24 * HOUR
STEPS = ("recognize", "align", "diarize")
FORMATS = ("txt", "srt", "vtt", "tsv", "json")
TEXT = "Ada met Bo in Paris"
NOT_COMPARED = (
    *("id", "video_pk", "transcript_pk", "source_pk", "current_transcript_pk"),
    *("created_at", "updated_at", "first_listed_at", "last_listed_at", "lease_until"),
)


def digits(*parts: str) -> str:
    return content_key(*parts)


def listed(library: Library, video_id: str) -> VideoRow:
    """A discovered video."""
    listing = Listed([Video(video_id, title=f"Title of {video_id}", description="About Ada")], complete=False)
    report = library.catalogue.run(listings.record_listing, listing)
    return next(row for row in library.catalogue.run(videos.list_videos, report.source_pk) if row.video_id == video_id)


def prepared(library: Library, video_id: str, *, made: str = "1", speech: str = "") -> VideoRow:
    """A leased video with its audio in the store: `downloaded`."""
    row = listed(library, video_id)
    library.catalogue.run(leases.claim, [row.id], OWNER, 600, only_due=False)
    sound = speech or f"speech {video_id} {made}"
    keys = {
        "original": layout.original_key(SITE, video_id, "140", "m4a"),
        "archive": layout.archive_key(SITE, video_id),
        "speech": layout.speech_key(SITE, video_id, digits(sound)),
        "part": layout.part_key(SITE, video_id, digits(made), "archive-001", "mp3"),
    }
    for name, key in keys.items():
        library.store.put_bytes(f"{name} {video_id} {made}".encode(), key, overwrite=True)
    library.store.put_bytes(b"picture", layout.cover_key(SITE, video_id), overwrite=True)
    library.catalogue.run(videos.record_audio, 
        row.id, OWNER, source_sha256=digits(video_id, made), options_key="o", format_id="140", seconds=2.0, bytes=9,
        archive_key=keys["archive"], speech_key=keys["speech"], speech_sha256=digits(sound), part_keys=[keys["part"]],
    )  # fmt: skip
    answer(library, "download", digits(made), keys["original"], video=video_id)
    answer(library, "prepare", digits(made), keys["archive"], keys["speech"], keys["part"], video=video_id)
    return row


def recognized(library: Library, row: VideoRow, *, made: str = "1", speech: str = "") -> list[str]:
    """The checkpoints of a video, in the store and noted."""
    keys = [layout.checkpoint_key(step, digits(speech or row.video_id, made, step)) for step in STEPS]
    for key in keys:
        library.catalogue.run(references.note_checkpoint, row.id, key)
        library.store.add_bytes(key.encode(), key)
        answer(library, key.split("/")[1], key.split("/")[2].removesuffix(".json"), key)
    return keys


def finished(library: Library, row: VideoRow, checkpoints: list[str], *, made: str = "1") -> str:
    """Publish a transcript of a leased video; returns its id."""
    identity = digits("transcript", row.video_id, made)
    whole = layout.checkpoint_key("transcript", identity)
    library.catalogue.run(references.note_checkpoint, row.id, whole)
    library.store.add_bytes(TEXT.encode(), whole)
    reading = layout.reading_key(SITE, row.video_id, digits("reading", identity))
    library.store.add_bytes(b"{}", reading)
    files = {name: layout.transcript_key(SITE, row.video_id, identity, name) for name in FORMATS}
    for name, key in files.items():
        library.store.add_bytes(f"{name} {TEXT}".encode(), key)
    library.catalogue.run(
        publishing.publish,
        row.id,
        OWNER,
        identity,
        spoken(TEXT),
        {},
        files,
        reading_key=reading,
        checkpoint_keys=[*checkpoints, whole],
    )
    return identity


def published(library: Library, video_id: str, *, made: str = "1", speech: str = "") -> VideoRow:
    """A published video, with everything that a sync leaves of it."""
    row = prepared(library, video_id, made=made, speech=speech)
    finished(library, row, recognized(library, row, made=made, speech=speech), made=made)
    return row


def of_publisher(library: Library, video_id: str) -> str:
    """A transcript that the publisher has made, beside ours; returns its key."""
    key = layout.publisher_key(SITE, video_id, "en", "srt")
    library.store.put_bytes(b"a canary sang", key)
    given = [{"key": key, "kind": "srt", "language": "en", "sha256": "0", "timed": True}]
    with library.catalogue.session() as session:
        statement = "UPDATE video SET publisher_transcripts = :given WHERE video_id = :id"
        execute(session, statement, given=json.dumps(given), id=video_id)
    return key


def answer(library: Library, step: str, key: str, *keys: str, video: str | None = None) -> str:
    """What the store remembers of a step, of one video or of all that share it; returns its key."""
    place = layout.result_key(step, 1, key, (SITE, video) if video else None)
    library.store.put_json({"metadata": {}, "result": json.dumps({"data": {"keys": keys}})}, place)
    return place


def old_result(library: Library, name: str, *keys: str) -> Path:
    """What Prefect remembered of a step, on this machine, before the store did."""
    library.old_results.mkdir(parents=True, exist_ok=True)
    path = library.old_results / name
    path.write_text(json.dumps({"metadata": {}, "result": json.dumps({"keys": keys})}))
    return path


def broken_off(library: Library, video_id: str) -> Path:
    """A folder of a download that was broken off."""
    folder = library.partial / f"{SITE}-{video_id}"
    folder.mkdir(parents=True)
    (folder / "a.m4a.part").write_bytes(b"half")
    return folder


def age(*paths: Path, seconds: float) -> None:
    """Make files older, and all that is below folders."""
    then = time.time() - seconds
    for path in [below for root in paths for below in (root, *root.rglob("*"))]:
        os.utime(path, (then, then))


def content(library: Library) -> dict[str, str]:
    """Every object of the store but results, with its sha256."""
    return {key: digest for key, digest in everything(library).items() if not key.startswith("results/")}


def everything(library: Library) -> dict[str, str]:
    """Every object of the store, with its sha256."""
    return {key: hashlib.sha256(library.store.read_bytes(key)).hexdigest() for key in library.store.list()}


def rows(library: Library, *tables: str) -> dict[str, list[str]]:
    """The rows of tables as text, without ids and times."""
    found = {}
    with library.catalogue.session() as session:
        for table in tables:
            query = f"SELECT to_jsonb({table}) - '{{{','.join(NOT_COMPARED)}}}'::text[] FROM {table}"  # noqa: S608
            found[table] = sorted(json.dumps(each, sort_keys=True) for each in execute(session, query).scalars())
    return found
