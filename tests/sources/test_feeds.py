"""Feeds of the kinds that the public specifications describe, each with its right outcome, over HTTP."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import date
from pathlib import Path

import pytest

from channelscribe.errors import NoMedia, SignInRequired, SourceUnreachable
from channelscribe.sample.server import SampleServer
from channelscribe.settings.options import SourceOptions
from channelscribe.sources.feeds import read_feed, seconds_of
from channelscribe.sources.identifiers import episode_id, feed_key, file_of, same_place
from channelscribe.sources.listing import list_source
from channelscribe.sources.spool import Listing

Listed = Callable[..., Listing]
SHARED = Path(__file__).parents[3] / "shared" / "feeds"

# https://www.rssboard.org/rss-specification with https://podcasters.apple.com/support/823-podcast-requirements
RSS_20 = """<?xml version="1.0" encoding="UTF-8"?>
<rss version="2.0" xmlns:itunes="http://www.itunes.com/dtds/podcast-1.0.dtd" xmlns:atom="http://www.w3.org/2005/Atom"
  xmlns:podcast="https://podcastindex.org/namespace/1.0" xmlns:psc="http://podlove.org/simple-chapters">
<channel><title>Night Trains</title><link>https://trains.example/</link><language>en-gb</language>
<podcast:guid>917393e3-1b1e-5cef-ace4-edaa54e1f810</podcast:guid>
<item><title>Two: Vienna</title><guid isPermaLink="false">two</guid><pubDate>Tue, 03 Mar 2026 23:30:00 -0500</pubDate>
  <enclosure url="{base}/m/2.mp3" length="2000" type="audio/mpeg"/><itunes:duration>1:02:03</itunes:duration>
  <itunes:season>2</itunes:season><itunes:episode>7</itunes:episode><itunes:author>A. Writer</itunes:author>
  <podcast:person role="guest">Zdeňka Nováková</podcast:person><podcast:person>B. Host</podcast:person>
  <podcast:transcript url="/t/2.vtt" type="text/vtt" language="en"/>
  <podcast:chapters url="/c/2.json" type="application/json+chapters"/>
  <psc:chapters version="1.2"><psc:chapter start="00:00:00.000" title="Hello"/>
  <psc:chapter start="00:01:30" title="Vienna"/></psc:chapters>
  <link>https://trains.example/two</link><description><![CDATA[<p>About <b>Vienna</b>.</p><p>And back.</p>]]>
  </description></item>
<item><title>One</title><guid>one</guid><pubDate>Mon, 02 Mar 2026 10:00:00 GMT</pubDate>
  <enclosure url="{base}/m/1.mp3" length="1000" type="audio/mpeg"/></item>
</channel></rss>"""

# https://web.resource.org/rss/1.0/spec, and mod_enclosure
RSS_10 = """<?xml version="1.0"?>
<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#" xmlns="http://purl.org/rss/1.0/"
  xmlns:dc="http://purl.org/dc/elements/1.1/" xmlns:enc="http://purl.oclc.org/net/rss_2.0/enc#">
<channel rdf:about="{base}/feed"><title>RDF radio</title><link>{base}/</link></channel>
<item rdf:about="{base}/posts/1"><title>First</title><link>{base}/posts/1</link><dc:date>2026-03-02T10:00:00Z</dc:date>
  <enc:enclosure rdf:resource="{base}/m/1.ogg" enc:type="audio/ogg" enc:length="1000"/></item>
</rdf:RDF>"""

# https://www.rfc-editor.org/rfc/rfc4287
ATOM = """<?xml version="1.0"?><feed xmlns="http://www.w3.org/2005/Atom" xml:base="{base}/atom/">
<title type="text">Atom hour</title><id>urn:uuid:60a76c80-d399-11d9-b93C-0003939e0af6</id>
<updated>2026-03-02T10:00:00Z</updated><link rel="alternate" href="https://atom.example/"/>
<author><name>C. Person</name></author>
<entry><title type="html">Bread &amp;amp; butter</title><id>tag:atom.example,2026:1</id>
  <published>2026-03-02T10:00:00Z</published>
  <updated>2026-03-05T10:00:00Z</updated><link href="https://atom.example/1"/>
  <link rel="enclosure" type="image/png" href="cover.png"/>
  <link rel="enclosure" type="audio/mpeg" length="1337" href="../m/1.mp3"/>
  <summary type="xhtml"><div xmlns="http://www.w3.org/1999/xhtml"><p>A <em>summary</em></p></div></summary></entry>
</feed>"""

# https://www.jsonfeed.org/version/1.1/
JSON_FEED = {
    "version": "https://jsonfeed.org/version/1.1",
    "title": "JSON show",
    "home_page_url": "https://json.example/",
    "items": [
        {
            "id": 1, "title": "One", "url": "https://json.example/1", "date_published": "2026-03-02T10:00:00Z",
            "content_text": "Words.",
            "attachments": [
                {"url": "/m/1.pdf", "mime_type": "application/pdf"},
                {"url": "/m/1.m4a", "mime_type": "audio/x-m4a", "size_in_bytes": 1000, "duration_in_seconds": 61},
            ],
        },
        {"id": "2", "content_html": "<p>Text alone</p>"},
    ],
}  # fmt: skip

# https://www.rssboard.org/media-rss, and podcast:alternateEnclosure
QUALITIES = """<rss version="2.0" xmlns:media="http://search.yahoo.com/mrss/"
  xmlns:podcast="https://podcastindex.org/namespace/1.0">
<channel><title>Qualities</title>
<item><title>Media RSS</title><guid>m</guid><media:group>
  <media:content url="{base}/m/film.mp4" type="video/mp4" fileSize="9000000"/>
  <media:content url="{base}/m/128.mp3" type="audio/mpeg" bitrate="128"/>
  <media:content url="{base}/m/64.mp3" type="audio/mpeg" bitrate="64" isDefault="true"/>
  <media:content url="{base}/m/320.mp3" type="audio/mpeg" bitrate="320"/></media:group></item>
<item><title>Alternatives</title><guid>a</guid><enclosure url="{base}/m/a.mp3" type="audio/mpeg" length="100"/>
  <podcast:alternateEnclosure type="audio/opus" length="50" bitrate="32000"><podcast:source uri="{base}/m/a.opus"/>
  </podcast:alternateEnclosure></item></channel></rss>"""

# RSS 0.92 had enclosures too, and no guid; with what people make of it.
LOOSE = """\n\n<?xml version="1.0" encoding="ISO-8859-1"?>
<rss version="0.92"><channel><title>Gr\u00f6\u00dfe &amp; Gl&uuml;ck</title>
<item><title>No guid
  at all</title><enclosure url="
  //{host}/m/a b.mp3?token=1  "length=1000 type="audio/mpeg"/></item>
<item><title>Octets</title><enclosure url="{base}/stream?id=7" type="application/octet-stream"/></item>
<item><title>A film & more</title><enclosure url="{base}/m/f.mp4" type="video/mp4"/>
  <enclosure url="{base}/m/f.mp3" type="application/octet-stream"/></item>
<item><title>Paper</title><enclosure url="{base}/m/p.pdf" type="audio/mpeg"/></item>
<item><title>A list</title><enclosure url="{base}/m/p.m3u" type="audio/x-mpegurl"/></item>
<item><title></title><link>{base}/m/from-link.mp3</link></item>
<item><title>Not the web's</title><enclosure url="ftp://example.org/a.mp3" type="audio/mpeg"/></item>
</channel></rss>"""

OPML = """<?xml version="1.0"?><opml version="2.0"><head><title>Mine</title></head><body><outline text="News">
<outline type="rss" text="One" xmlUrl="https://one.example/feed"/><outline type="rss" title="Two" text="x"
  xmlUrl="feed://two.example/f"/></outline></body></opml>"""


@pytest.fixture
def listed(site: SampleServer, options: SourceOptions) -> Listed:
    """Serves a feed and lists it."""

    def serve(content: str | bytes, path: str = "/f", url: str | None = None, **more: object) -> Listing:
        if isinstance(content, str):
            content = content.replace("{base}", site.url).replace("{host}", site.url.partition("//")[2]).encode()
        site.extra[path] = content
        return list_source(url or f"{site.url}{path}", options.model_copy(update=more))

    return serve


def rows(listing: Listing) -> list[tuple[str, str, str | None]]:
    return [(video.title, video.url.partition("/m/")[2], video.guid) for video in listing.videos]


def test_rss_20_with_all_that_podcasts_add(listed: Listed, site: SampleServer) -> None:
    listing = listed(RSS_20, timezone="UTC")
    assert rows(listing) == [("Two: Vienna", "2.mp3", "two"), ("One", "1.mp3", "one")]
    first = next(iter(listing.videos))
    assert (first.published, first.duration, first.announced_bytes) == (date(2026, 3, 4), 3723.0, 2000)
    assert first.description == "About Vienna.\nAnd back."
    assert first.about == {
        "page": "https://trains.example/two", "author": "A. Writer", "season": "2", "number": "7",
        "people": ["Zdeňka Nováková", "B. Host"], "chapters_url": f"{site.url}/c/2.json",
        "transcripts": [{"url": f"{site.url}/t/2.vtt", "type": "text/vtt", "language": "en"}],
    }  # fmt: skip
    assert first.chapters == [[0.0, "Hello"], [90.0, "Vienna"]]
    assert (listing.feed, listing.kind, listing.title) == (
        "917393e3-1b1e-5cef-ace4-edaa54e1f810", "feed", "Night Trains"
    )  # fmt: skip
    assert len(site.requests) == 1


def test_rss_10(listed: Listed, site: SampleServer) -> None:
    listing = listed(RSS_10)
    assert rows(listing) == [("First", "1.ogg", f"{site.url}/posts/1")]
    assert next(iter(listing.videos)).published == date(2026, 3, 2)


def test_atom(listed: Listed) -> None:
    listing = listed(ATOM)
    assert rows(listing) == [("Bread & butter", "1.mp3", "tag:atom.example,2026:1")]
    video = next(iter(listing.videos))
    assert (video.published, video.description, video.announced_bytes) == (date(2026, 3, 2), "A summary", 1337)
    assert video.about["page"] == "https://atom.example/1"


def test_json_feed(listed: Listed) -> None:
    listing = listed(json.dumps(JSON_FEED))
    assert rows(listing) == [("One", "1.m4a", "1")]
    video = next(iter(listing.videos))
    assert (video.duration, video.announced_bytes, video.published) == (61.0, 1000, date(2026, 3, 2))
    assert listing.notes == ["1 listed, 1 without a file to play"]


@pytest.mark.parametrize(
    ("quality", "files"),
    [("first", ["64.mp3", "a.mp3"]), ("smallest", ["64.mp3", "a.opus"]), ("best", ["320.mp3", "a.mp3"])],
)
def test_of_several_qualities_the_one_that_a_setting_prefers(listed: Listed, quality: str, files: list[str]) -> None:
    assert [file for _, file, _ in rows(listed(QUALITIES, quality=quality))] == files


def test_what_is_not_quite_a_feed_is_read(listed: Listed) -> None:
    listing = listed(LOOSE.encode("latin-1"))
    assert listing.title == "Größe & Glück"
    listing = listed(LOOSE)
    assert [(title, file) for title, file, _ in rows(listing)] == [
        ("No guid at all", "a%20b.mp3?token=1"), ("Octets", ""), ("A film & more", "f.mp3"),
        ("from-link", "from-link.mp3"),
    ]  # fmt: skip
    assert listing.notes == ["4 listed, 3 without a file to play"]
    assert len({video.video_id for video in listing.videos}) == 4


def test_a_list_of_shows_says_what_to_do(listed: Listed) -> None:
    with pytest.raises(NoMedia, match="list of 2 shows"):
        listed(OPML)
    found = read_feed(OPML.encode(), "https://example.org/")
    assert found is not None and getattr(found, "feeds", None) == [
        ("One", "https://one.example/feed"), ("Two", "https://two.example/f")
    ]  # fmt: skip


PAGE = """<!DOCTYPE html><html><head><title>A show</title><meta charset=utf-8>
<link rel=alternate type="application/rss+xml" title="Comments" href="/comments/feed">
<link rel="alternate" type="application/rss+xml" title="The show" href="/show.xml"></head><body><p>Hello</html>"""


def test_a_page_that_announces_its_feed(listed: Listed, site: SampleServer) -> None:
    listing = listed(RSS_20, "/show.xml", None)
    again = listed(PAGE, "/about")
    assert rows(again) == rows(listing)
    assert [video.video_id for video in again.videos] == [video.video_id for video in listing.videos]
    assert again.notes == [f"The page announces a feed, which is what is listed: {site.url}/show.xml"]


def test_the_page_of_one_episode_is_that_episode(listed: Listed, site: SampleServer) -> None:
    listing = listed(RSS_20.replace("https://trains.example/two", "{base}/episodes/two/"), "/show.xml")
    one = listed(PAGE, "/episodes/two")
    assert (one.kind, rows(one)) == ("video", rows(listing)[:1])
    assert [video.video_id for video in one.videos] == [next(iter(listing.videos)).video_id]


@pytest.mark.slow
def test_a_page_with_a_feed_of_texts_is_asked_for_its_players(listed: Listed) -> None:
    listed("<rss><channel><title>Blog</title><item><title>x</title></item></channel></rss>", "/show.xml")
    with pytest.raises(NoMedia, match="nothing to play"):
        listed(PAGE, "/about")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("content", "what"),
    [("", "an empty page"), ("<html><body>502</body></html>", "a web page"), ('{"error": 1}', "JSON that is no feed"),
     (PAGE, "a web page"), ("soon", "something that is no feed"),
     ("<rss><channel><title>Night Trains</title></channel></rss>", "lists nothing now, but had 2 before")],
)  # fmt: skip
def test_a_feed_that_is_none_today_is_a_failed_listing(
    listed: Listed, site: SampleServer, options: SourceOptions, content: str, what: str
) -> None:
    first = listed(RSS_20)
    site.extra["/f"] = content.encode()
    site.extra["/show.xml"] = ATOM.replace("{base}", site.url).encode()  # another feed of the same site
    with pytest.raises(SourceUnreachable, match=what) as caught:
        list_source(f"{site.url}/f", options, memory={**first.memory, "kind": "feed", "feed": first.feed})
    assert caught.value.reason == "not_a_feed"


@pytest.mark.skipif(not SHARED.is_dir(), reason="needs ../shared/feeds beside the repository")
@pytest.mark.parametrize(
    ("name", "titles"),
    [
        ("badentity", ["Café talk", "fine"]),
        ("bareamp", ["Q & A", "fine"]),
        ("latin1", ["Grüße aus Köln - naja"]),
        ("sameguid", ["A", "B", "C"]),
        ("paged", ["new 4", "new 3", "old 2", "old 1"]),
        ("noencl", ["image first", "media:content only", "link is media", "relative enclosure", "proto-relative"]),
        ("cdata", ["Ampersand & tags in title", "Whitespace title", "AT&T double escaped", "Only itunes title"]),
        ("trouble", ["cut once with range", "cut once no range", "cut always", "html", "empty", "404", "410",
                     "503 twice", "no such host", "refused", "norange ok"]),
    ],
)  # fmt: skip
def test_feeds_as_people_have_them(site: SampleServer, options: SourceOptions, name: str, titles: list[str]) -> None:
    for file in SHARED.glob("*.xml"):
        content = file.read_bytes().replace(b"{BASE}", site.url.encode())
        site.extra[f"/f/{file.name}"] = content.replace(b"{PORT}", site.url.rpartition(":")[2].encode())
    site.extra["/f/paged-2.xml?page=2"] = site.extra["/f/paged-2.xml"]
    listing = list_source(f"{site.url}/f/{name}.xml", options)
    assert [video.title for video in listing.videos] == titles
    assert len({video.video_id for video in listing.videos}) == len(titles)
    assert listing.complete


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("62", 62), ("1:02", 62), ("01:02:03", 3723), ("62.5", 62.5), ("1h 2m", 3720),
     ("PT1H2M3S", 3723), ("45 min", 2700),
     ("", None), ("0", None), ("00:00", None), ("about an hour", None), ("9" * 9, None), ("-5", None)],
)  # fmt: skip
def test_lengths(text: str, seconds: float | None) -> None:
    assert seconds_of(text) == seconds


@pytest.mark.parametrize(
    ("url", "file", "place"),
    [
        ("https://cdn.example/a/1.mp3", "/a/1.mp3", "cdn.example/a/1.mp3"),
        ("http://www.cdn.example/a/1.mp3?token=x&utm_source=y", "/a/1.mp3", "cdn.example/a/1.mp3"),
        ("https://dts.podtrac.com/redirect.mp3/cdn.example/a/1.mp3", "/a/1.mp3", "cdn.example/a/1.mp3"),
        ("https://op3.dev/e,pg=9/https://cdn.example/a/1.mp3?x=1", "/a/1.mp3?x=1", "cdn.example/a/1.mp3?x=1"),
        ("https://anchor.fm/s/1/play/9/https%3A%2F%2Fcdn.example%2Fa%2F1.mp3", "/a/1.mp3", "cdn.example/a/1.mp3"),
        ("https://a.example/e/b.example/t/C/cdn.example/a/1.mp3?expires=9&sig=z", "/a/1.mp3", "cdn.example/a/1.mp3"),
        ("https://me:secret@cdn.example/play?id=7&auth=abc", "/play?id=7", "cdn.example/play?id=7"),
    ],
)  # fmt: skip
def test_hosts_tokens_and_counters_are_no_part_of_a_file(url: str, file: str, place: str) -> None:
    assert (file_of(url), same_place(url)) == (file, place)


def test_names_of_feeds_and_episodes() -> None:
    """https://podcasting2.org/docs/podcast-namespace/tags/guid has these two."""
    assert feed_key("https://mp3s.nashownotes.com/pc20rss.xml") == "917393e3-1b1e-5cef-ace4-edaa54e1f810"
    assert feed_key("podnews.net/rss") == "9b024349-ccf0-5f69-a609-6b82873eab3c"
    assert feed_key("http://me:secret@Example.org/f/") == feed_key("https://example.org/f")
    ids = {episode_id(feed, guid) for feed in ("a", "b") for guid in ("episode-1", "../../x", "ü", "x" * 300)}
    assert len(ids) == 8 and all(len(each) <= 60 for each in ids)


def test_a_feed_that_wants_a_password_says_so(listed: Listed, site: SampleServer) -> None:
    def refuse(request: object) -> None:
        request.send_response(401)  # type: ignore[attr-defined]
        request.send_header("WWW-Authenticate", 'Basic realm="x"')  # type: ignore[attr-defined]
        request.end_headers()  # type: ignore[attr-defined]

    site.extra["/closed"] = refuse
    with pytest.raises(SignInRequired) as caught:
        listed("", "/open", f"{site.url}/closed")
    assert "password" in str(caught.value) and "sources.logins" in str(caught.value)
