"""What lies beside a recording: kept with it by the download, and taken in place of recognizing where that is asked."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from channelscribe.catalogue import leases, listings, videos
from channelscribe.catalogue.connection import Database
from channelscribe.catalogue.tables import VideoRow
from channelscribe.sample.server import SampleServer
from channelscribe.settings import Settings, SourceOptions
from channelscribe.settings.options import SpeechOptions
from channelscribe.settings.travel import to_travel
from channelscribe.sources.download import Download
from channelscribe.sources.spool import Listing
from channelscribe.speech.align import align
from channelscribe.speech.assemble import assemble
from channelscribe.store import MediaStore
from tasks import download, speech
from tasks.records import PreparedAudio, PublisherTranscript, VideoWork
from tests.catalogue.records import OWNER, Video

VTT = b"WEBVTT\n\n00:00.200 --> 00:02.000\nThe publisher wrote this.\n\n09:00.000 --> 09:02.000\nAfter the end.\n"
KEY = "transcriptions/feed/e/publisher-en-us.vtt"


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, catalogue: Database) -> MediaStore:
    made = MediaStore(str(tmp_path / "store"))
    for module in (download, speech):
        monkeypatch.setattr(module, "store", lambda: made)
        monkeypatch.setattr(module, "catalogue", lambda: catalogue)
    return made


@pytest.fixture
def site() -> Iterator[SampleServer]:
    chapters = {"chapters": [{"startTime": 0, "title": "Of the file"}]}
    with SampleServer(items=[], extra={"/t.vtt": VTT, "/c.json": json.dumps(chapters).encode()}) as server:
        yield server


def episode(catalogue: Database, **facts: object) -> VideoRow:
    video = Video("e", site="feed", url="https://a.example/e.mp3", **facts)
    listing = Listing("feed", "f", "Show", "https://a.example/f", "feed", [video])
    pk = catalogue.run(listings.record_listing, listing).source_pk
    return catalogue.run(leases.claim_next, pk, OWNER, 60, 1)[0]


def work(row: VideoRow) -> VideoWork:
    return VideoWork(pk=row.id, site=row.site, video_id="e", url=row.url, title="T", channel="C", owner=OWNER)


def fetched(folder: Path, *chapters: dict[str, object]) -> Download:
    path = folder / "e.mp3"
    path.write_bytes(b"no sound")
    return Download(path, "direct", "mp3", 8, None, "", None, None, None, "", None, list(chapters))


def test_a_download_keeps_what_the_feed_tells_of(
    catalogue: Database, store: MediaStore, site: SampleServer, tmp_path: Path
) -> None:
    about = {
        "chapters_url": f"{site.url}/c.json",
        "transcripts": [{"url": f"{site.url}/t.vtt", "type": "text/vtt", "language": "en-us"},
                        {"url": f"{site.url}/gone.srt", "type": "", "language": "de"}],
    }  # fmt: skip
    row = episode(catalogue, about=about, chapters=[[0.0, "Of the feed"]])
    options = SourceOptions(allow_private_addresses=True, retries=0)
    chapters, kept = download.beside(work(row), fetched(tmp_path), row.url, options)
    assert chapters == [(0.0, "Of the file")]
    assert [(each.key, each.kind, each.language, each.timed) for each in kept] == [(KEY, "vtt", "en-us", True)]
    assert store.read_bytes(KEY) == VTT
    (row,) = catalogue.run(videos.rows_of, [row.id])
    assert (row.chapters, row.publisher_transcripts) == ([[0.0, "Of the file"]], [kept[0].model_dump()])


def test_a_sites_chapters_and_else_the_feeds_are_kept(catalogue: Database, store: MediaStore, tmp_path: Path) -> None:
    row = episode(catalogue, chapters=[[0.0, "Of the feed"]])
    told = fetched(tmp_path, {"start_time": 5, "end_time": 9, "title": "Of the site"})
    assert download.beside(work(row), told, row.url, SourceOptions()) == ([(5.0, "Of the site")], [])
    assert catalogue.run(videos.rows_of, [row.id])[0].chapters == [[5.0, "Of the site"]]
    assert download.beside(work(row), fetched(tmp_path), row.url, SourceOptions())[0] == [(5.0, "Of the site")]


def prepared(*given: PublisherTranscript) -> PreparedAudio:
    return PreparedAudio(
        source_sha256="0" * 64, speech_sha256="1" * 64, archive_key="a/b", speech_key="s/t", seconds=60, format_id="0",
        bytes=1, loudness=None, options_key="o", transcripts=list(given),
    )  # fmt: skip


OF_PUBLISHER = PublisherTranscript(key=KEY, kind="vtt", language="en-us", sha256="2" * 64, timed=True)


def test_the_publishers_words_are_taken_where_that_is_wanted(store: MediaStore) -> None:
    store.put_bytes(VTT, KEY)
    audio, wanted = prepared(OF_PUBLISHER), SpeechOptions(transcripts="publisher")
    assert speech.published(audio, wanted) == OF_PUBLISHER
    assert speech.published(audio, SpeechOptions()) is None
    assert speech.published(audio, SpeechOptions(transcripts="publisher", language="de")) is None
    assert speech.published(prepared(), wanted) is None
    answer = speech.as_published(OF_PUBLISHER, audio)
    assert [(each["start"], each["end"], each["text"]) for each in answer["segments"]] == [
        (0.2, 2.0, "The publisher wrote this.")
    ]
    assert (answer["language"], answer["model"]["name"], answer["audio_seconds"]) == ("en", "publisher", 60)
    assert "speech" not in answer and answer["quality"] == {}  # nobody measured it


def test_what_was_taken_is_known_by_its_content(store: MediaStore) -> None:
    def content(transcripts: str, audio: PreparedAudio) -> tuple[object, ...]:
        options = to_travel(Settings(speech=SpeechOptions(transcripts=transcripts, model="sample")))  # type: ignore[arg-type]
        return speech._made_from("recognizer", {"audio": audio, "options": options})

    another = OF_PUBLISHER.model_copy(update={"sha256": "3" * 64})
    told = [content("publisher", prepared(each)) for each in (OF_PUBLISHER, another)]
    assert told[0] != told[1] and content("own", prepared(OF_PUBLISHER)) == content("publisher", prepared())
    assert content("own", prepared(OF_PUBLISHER)) not in told


@pytest.mark.speech
def test_its_words_are_timed_and_nothing_is_made_up(store: MediaStore) -> None:
    import numpy as np

    from channelscribe.speech.registry import resolve_model

    store.put_bytes(VTT, KEY)
    options = SpeechOptions(model="sample", device="cpu")
    heard = speech.as_published(OF_PUBLISHER, prepared(OF_PUBLISHER))
    silence = np.zeros(60 * 16000, dtype=np.float32)
    aligned = align(silence, heard, resolve_model(options, 60), options)
    made = assemble(heard, aligned, {"turns": []})
    assert made.text == "The publisher wrote this."
    assert [word.text for word in made.words] == ["The", "publisher", "wrote", "this."]
    assert all(0.2 <= word.start <= word.end <= 2.0 for word in made.words)
    assert "coverage" not in made.quality and made.models["recognizer"]["name"] == "publisher"
