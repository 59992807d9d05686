"""Chapters and the publisher's transcripts: read in each of their formats, fetched behind the guard and the login."""

from __future__ import annotations

import json
from base64 import b64encode
from http.server import BaseHTTPRequestHandler
from typing import Any

import pytest

from channelscribe.sample.server import SampleServer
from channelscribe.settings.options import SourceOptions
from channelscribe.sources import podcasting
from channelscribe.sources.feeds import read_feed
from channelscribe.sources.podcasting import best_transcript, fetch_beside, read_chapters, read_transcript

SRT = b"1\n00:00:01,000 --> 00:00:02,500\nThe keeper walked\n\n2\n00:00:02,600 --> 00:00:04,000\nhome. Then\n\n"
VTT = """WEBVTT

00:01.000 --> 00:02.500
<v Ünal>The keeper walked home.

00:03.000 --> 00:04.000
<v Bo>So?
""".encode()
WORDS = {
    "version": "1.0.0",
    "segments": [
        {"speaker": "Ann", "startTime": 0.5, "endTime": 0.8, "body": "The"},
        {"speaker": "Ann", "startTime": 0.8, "endTime": 1.4, "body": "keeper."},
        {"speaker": "Bo", "startTime": 1.5, "endTime": 2, "body": "Yes"},
    ],
}
HTML = b"<cite>Ann:</cite><time>0:00</time><p>The keeper walked.</p><cite>Bo:</cite><time>1:05</time><p>Did he?</p>"


def said(content: bytes, kind: str) -> list[tuple[float, float, str, str | None]]:
    return [(each.start, each.end, each.text, each.speaker) for each in read_transcript(content, kind)]


def test_each_format_is_read_with_its_times_and_speakers() -> None:
    assert said(SRT, "srt") == [(1.0, 4.0, "The keeper walked home. Then", None)]
    assert said(VTT, "vtt") == [(1.0, 2.5, "The keeper walked home.", "Ünal"), (3.0, 4.0, "So?", "Bo")]
    assert said(json.dumps(WORDS).encode(), "json") == [(0.5, 1.4, "The keeper.", "Ann"), (1.5, 2.0, "Yes", "Bo")]
    html = said(HTML, "html")
    assert html[0] == (0.0, 65.0, "The keeper walked.", "Ann")
    assert html[1][0] == 65.0 < html[1][1]


@pytest.mark.parametrize(("content", "kind"), [(b"Just words.", "txt"), (b"<p>Just words.</p>", "html")])
def test_a_text_without_times_is_kept_and_takes_no_place(content: bytes, kind: str) -> None:
    assert read_transcript(content, kind) == []


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (b"<!doctype html><title>Not found</title>", "srt"),
        (b"<html>", "txt"),
        (b"no times at all", "vtt"),
        (b'{"segments": 5}', "json"),
        (b'{"segments": [{"startTime": 1, "body": "x"}, 7]}', "json"),
        (b"[" * 100_000, "json"),
        (b"", "txt"),
    ],
)
def test_what_is_not_of_its_kind_is_refused(content: bytes, kind: str) -> None:
    with pytest.raises(ValueError, match="it "):
        read_transcript(content, kind)


def test_cues_are_joined_to_sentences_but_not_across_speakers_or_pauses_or_for_ever() -> None:
    cues = "".join(f"00:00:{2 * n:02d},000 --> 00:00:{2 * n + 1:02d},900\nword{n}\n\n" for n in range(30))
    joined = said(cues.encode(), "srt")
    assert " ".join(text for *_, text, _ in joined) == " ".join(f"word{n}" for n in range(30))
    assert all(end - start <= 20 for start, end, *_ in joined)
    assert len(joined) == 3


def test_chapters_are_in_order_without_the_hidden_ones() -> None:
    given = [
        {"startTime": 60.5, "title": " The\nsecond "},
        {"startTime": 0, "title": "The first"},
        {"startTime": 30, "title": "an advertisement", "toc": False},
        {"startTime": "nan", "title": "x"},
        "nonsense",
    ]
    assert read_chapters(json.dumps({"version": "1.2.0", "chapters": given}).encode()) == [
        [0.0, "The first"],
        [60.5, "The second"],
    ]
    for broken in (b"", b"{}", b"[1]", b'{"chapters": {}}', b"<html>"):
        assert read_chapters(broken) == []


def test_what_a_feed_tells_of_is_fetched(site: SampleServer, options: SourceOptions) -> None:
    site.extra |= {"/c.json": json.dumps({"chapters": [{"startTime": 3, "title": "One"}]}).encode(), "/t.vtt": VTT,
                   "/t.srt": SRT, "/t.html": HTML, "/page.srt": b"<!DOCTYPE html><p>Sorry</p>"}  # fmt: skip
    about = {
        "chapters_url": f"{site.url}/c.json",
        "transcripts": [
            {"url": f"{site.url}/t.vtt", "type": "text/vtt", "language": "en"},
            {"url": f"{site.url}/t.srt", "type": "", "language": "en"},
            {"url": f"{site.url}/t.srt?again", "type": "application/srt", "language": "en"},
            {"url": f"{site.url}/page.srt", "type": "application/srt", "language": "de"},
            {"url": f"{site.url}/gone.vtt", "type": "text/vtt", "language": "de"},
            {"url": f"{site.url}/t.pdf", "type": "application/pdf", "language": "en"},
        ],
    }
    found = fetch_beside(f"{site.url}/a.mp3", about, options)
    assert found.chapters == [[3.0, "One"]]
    assert [(each.kind, each.language, each.timed, each.content) for each in found.transcripts] == [
        ("vtt", "en", True, VTT),
        ("srt", "en", True, SRT),
    ]
    assert len(found.notes) == 2
    assert "page.srt is not a transcript: it is a web page" in found.notes[0]
    assert "gone.vtt could not be fetched" in found.notes[1]


def test_it_goes_behind_the_guard_and_is_bounded(
    site: SampleServer, options: SourceOptions, monkeypatch: pytest.MonkeyPatch
) -> None:
    site.extra["/t.vtt"] = VTT + b" " * 1000
    about = {"transcripts": [{"url": f"{site.url}/t.vtt", "type": "text/vtt", "language": "en"}]}
    guarded = fetch_beside("https://example.org/a.mp3", about, options.model_copy(update={
        "allow_private_addresses": False}))  # fmt: skip
    assert guarded.transcripts == []
    assert "not allowed" in guarded.notes[0]
    assert site.requests == []
    monkeypatch.setattr(podcasting, "LARGEST_BYTES", len(VTT))
    assert fetch_beside("https://example.org/a.mp3", about, options).transcripts == []


def test_the_password_of_the_audio_goes_to_its_host_only(site: SampleServer, options: SourceOptions) -> None:
    asked: list[tuple[str, str | None]] = []

    def protected(request: BaseHTTPRequestHandler) -> None:
        asked.append((request.headers["Host"], request.headers.get("Authorization")))
        request.send_response(200)
        request.send_header("Content-Length", str(len(SRT)))
        request.end_headers()
        request.wfile.write(SRT)

    site.extra["/t.srt"] = protected
    port = site.url.rpartition(":")[2]
    other = {"url": f"http://localhost:{port}/t.srt", "type": "", "language": "de"}
    about = {"transcripts": [{"url": f"{site.url}/t.srt", "type": "", "language": "en"}, other]}
    found = fetch_beside(f"http://me:se%40cret@127.0.0.1:{port}/a.mp3", about, options)
    assert len(found.transcripts) == 2
    expected = f"Basic {b64encode(b'me:se@cret').decode()}"
    assert asked == [(f"127.0.0.1:{port}", expected), (f"localhost:{port}", None)]


def test_a_transcript_without_a_language_has_the_feeds() -> None:
    feed: Any = read_feed(
        b"""<rss xmlns:podcast="https://podcastindex.org/namespace/1.0"><channel><language>de-AT</language><item>
        <podcast:transcript url="https://a.example/1.srt" type="application/srt"/>
        <podcast:transcript url="https://a.example/2.srt" type="application/srt" language="EN"/>
        </item></channel></rss>""",
        "https://a.example/f",
    )
    assert [each["language"] for each in feed.episodes[0].transcripts] == ["de-at", "en"]


def test_which_transcript_takes_the_place_of_recognition() -> None:
    files = [
        {"key": "a", "timed": False, "language": "en"},
        {"key": "b", "timed": True, "language": ""},
        {"key": "c", "timed": True, "language": "de-at"},
        {"key": "d", "timed": True, "language": "en"},
    ]
    best = {language: (best_transcript(files, language) or {}).get("key") for language in (None, "en", "de", "fr")}
    assert best == {None: "c", "en": "d", "de": "c", "fr": None}
