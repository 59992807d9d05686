"""Feeds of many shapes, from the formats' public specifications, over HTTP through whole syncs: what is listed,
published, failed and said. All of them play one short recording, whose speech is recognized once.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import psycopg
import pytest

from channelscribe.catalogue import listings, transcripts, videos
from channelscribe.catalogue.connection import Database, execute
from channelscribe.local_stack import LocalStack
from channelscribe.sample import world
from channelscribe.sample.server import SampleServer
from tests.conftest import ON_SAMPLE, Cli
from tests.e2e.syncing import Summary, Syncs

pytestmark = [pytest.mark.long, pytest.mark.stack, pytest.mark.speech, pytest.mark.timeout(900)]

LONG_AGO = 1_700_000_000
NAMESPACES = """xmlns:itunes="http://www.itunes.com/dtds/podcast-1.0.dtd" xmlns:atom="http://www.w3.org/2005/Atom"
 xmlns:media="http://search.yahoo.com/mrss/" xmlns:podcast="https://podcastindex.org/namespace/1.0" """


def rss(*items: str, head: str = "") -> str:
    return f"<rss version='2.0' {NAMESPACES}><channel><title>Show</title>{head}{''.join(items)}</channel></rss>"


def item(title: str, guid: str = "", file: str = "", more: str = "") -> str:
    enclosure = f'<enclosure url="{file}" type="audio/mpeg" length="1"/>' if file else ""
    return f"<item><title>{title}</title><guid>{guid or title}</guid>{enclosure}{more}</item>"


PODCASTING_20 = rss(
    item("Of the publisher", "one", "/m/20.mp3", """<podcast:transcript url="/t.vtt" type="text/vtt"/>
    <podcast:chapters url="/c.json" type="application/json+chapters"/><podcast:person>Ada Lovelace</podcast:person>"""),
    head="<language>en</language>",
)  # fmt: skip
NOT_QUITE_XML = '\n<?xml version="1.0"?>' + rss(
    item("Caf&eacute; R&D", "a", "/m/x1.mp3?a=1&b=2"),
    item("Fine\x08", "b", "/m/x2.mp3"),
    '<item><title>Cut off</title><enclosure url="/m/x3.mp3"',
).removesuffix("</channel></rss>")
LATIN_1 = f"<?xml version='1.0' encoding='ISO-8859-1'?>{rss(item('Größe', 'g', '/m/l.mp3'))}"
RDF = """<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#" xmlns="http://purl.org/rss/1.0/"
 xmlns:enc="http://purl.oclc.org/net/rss_2.0/enc#" xmlns:dc="http://purl.org/dc/elements/1.1/">
<channel rdf:about="/rdf"><title>RDF</title></channel>
<item rdf:about="/rdf/1"><title>Of RSS 1.0</title><dc:date>2024-05-01</dc:date>
 <enc:enclosure rdf:resource="/m/rdf.mp3" enc:type="audio/mpeg" enc:length="5"/></item></rdf:RDF>"""
ATOM = """<feed xmlns="http://www.w3.org/2005/Atom"><title>Atom</title><id>urn:atom</id>{next}
<entry><title>{title}</title><id>urn:{title}</id><published>2024-05-0{n}T10:00:00Z</published>
<link rel="enclosure" type="audio/mpeg" href="/m/atom{n}.mp3"/></entry></feed>"""
JSON_FEED = json.dumps({"version": "https://jsonfeed.org/version/1.1", "title": "JSON", "items": [
    {"id": "1", "title": "Of JSON", "date_published": "2024-05-01T10:00:00Z", "attachments": [
        {"url": "/m/json.pdf", "mime_type": "application/pdf"}, {"url": "/m/json.mp3", "mime_type": "audio/mpeg"}]},
    {"id": "2", "content_text": "words alone"}]})  # fmt: skip
MEDIA_RSS = rss(
    item("Of a group", "m", more="""<media:group><media:content url="/m/v.mp4" medium="video"/>
    <media:content url="/m/large.mp3" medium="audio" bitrate="320"/>
    <media:content url="/m/small.mp3" medium="audio" bitrate="64"/></media:group>"""),
    item("Text alone", "t"),
    item("A document", "d", "/m/d.pdf"),
)  # fmt: skip
SAME_GUID = rss(item("A", "x", "/m/g1.mp3"), item("B", "x", "/m/g2.mp3"), item("B again", "x", "/m/g2.mp3"))
PAGE = """<!doctype html><title>A show</title>
<link rel="alternate" type="application/rss+xml" href="/comments.xml" title="Comments">
<link rel="alternate" type="application/rss+xml" href="/announced.xml" title="Podcast">"""
TROUBLE = rss(item("good", "", "/m/ok.mp3"), item("gone", "", "/m/404.mp3"), item("page", "", "/m/page.mp3"))

# What is listed, how it ends, and what is said of it.
SHAPES: dict[str, tuple[dict[str, str | bytes], dict[str, Any], int, int, int, list[str]]] = {
    "not-quite-xml": ({"/f": NOT_QUITE_XML}, {}, 2, 2, 0, ["not well-formed; lost: line 3, column 269: a character"]),
    "latin-1": ({"/f": LATIN_1.encode("latin-1")}, {}, 1, 1, 0, []),
    "rss-1.0": ({"/f": RDF}, {}, 1, 1, 0, []),
    "atom-pages": (
        {"/f": ATOM.format(title="new", n=2, next='<link rel="next" href="/f2"/>'),
         "/f2": ATOM.format(title="old", n=1, next="")}, {}, 2, 2, 0, []),
    "json-feed": ({"/f": JSON_FEED}, {}, 1, 1, 0, ["1 listed, 1 without a file to play"]),
    "media-rss": ({"/f": MEDIA_RSS}, {"sources.quality": "smallest"}, 1, 1, 0, ["1 listed, 2 without a file to play"]),
    "same-guid": ({"/f": SAME_GUID}, {}, 2, 2, 0, ["2 listed, 1 there twice, 2 share a guid"]),
    "page": (
        {"/f": PAGE, "/announced.xml": rss(item("Found", "p", "/m/p.mp3")), "/comments.xml": rss(item("c"))},
        {}, 1, 1, 0, ["The page announces a feed, which is what is listed"]),
    "trouble": ({"/f": TROUBLE}, {}, 3, 1, 2, []),
}  # fmt: skip
TITLES = {
    "not-quite-xml": {"Café R&D", "Fine"},
    "latin-1": {"Größe"},
    "atom-pages": {"new", "old"},
    "media-rss": {"Of a group"},
}


@pytest.fixture(scope="module")
def recording() -> Path:
    return min((each.path for each in world.episodes()), key=lambda path: path.stat().st_size)


@pytest.fixture
def site(recording: Path) -> Iterator[SampleServer]:
    """Any media address below /m/ is the recording, but for what is named otherwise."""
    with SampleServer(items=[]) as server:
        find = server.find
        sound = recording.read_bytes()

        def media(path: str) -> Any:
            plain = path.partition("?")[0]
            if plain in server.extra or not plain.startswith("/m/") or "404" in plain:
                return find(path)
            return server._resource(sound, f"{plain}")

        server.find = media  # type: ignore[method-assign]
        server.extra["/m/page.mp3"] = page
        yield server


def page(request: BaseHTTPRequestHandler) -> None:
    request.send_response(200)
    request.send_header("Content-Type", "text/html")
    request.end_headers()
    request.wfile.write(b"<!doctype html><title>Sorry</title>")


def titles_of(catalogue: Database, url: str) -> set[str]:
    (source,) = (each for each in catalogue.run(videos.sources) if each.url == url)
    return {row.title for row in catalogue.run(videos.list_videos, source.id)}


@pytest.mark.parametrize("name", SHAPES)
def test_a_shape(name: str, sync: Syncs, site: SampleServer, catalogue: Database) -> None:
    documents, settings, listed, published, failed, said = SHAPES[name]
    for path, content in documents.items():
        site.extra[path] = content if isinstance(content, bytes) else content.encode()
    told = sync(f"{site.url}/f", settings)
    assert (told.get("message"), told.get("listed"), told.get("published"), told.get("failed")) == (
        None, listed, published, failed,
    ), told  # fmt: skip
    assert len(told["notes"]) == len(said)
    for note, words in zip(told["notes"], said, strict=True):
        assert words in note
    assert all(failure["remedy"] for failure in told["failures"])
    assert TITLES.get(name, set()) <= titles_of(catalogue, f"{site.url}/f")
    if name == "media-rss":
        assert [each.path for each in site.requests if each.path.startswith("/m/")] == ["/m/small.mp3"]
    if name == "trouble":
        assert {row.state for row in catalogue.run(videos.list_videos, source_of(catalogue, site))} == {
            "published", "retrying"
        }  # fmt: skip


def source_of(catalogue: Database, site: SampleServer) -> int:
    return next(each.id for each in catalogue.run(videos.sources) if each.url == f"{site.url}/f")


def test_two_syncs_of_an_unchanged_feed_cost_one_conditional_request(sync: Syncs, site: SampleServer) -> None:
    site.extra["/f"] = rss(item("Once", "o", "/m/once.mp3")).encode()
    assert sync(f"{site.url}/f")["published"] == 1
    before = len(site.requests)
    assert sync(f"{site.url}/f")["listed"] == 1
    assert [(each.path, each.status) for each in site.requests[before:]] == [("/f", 304)]


def test_a_feed_that_is_a_page_today_is_a_failed_listing(sync: Syncs, site: SampleServer, catalogue: Database) -> None:
    site.extra["/f"] = rss(item("Stays", "s", "/m/stays.mp3")).encode()
    sync(f"{site.url}/f")
    site.extra["/f"] = PAGE.encode()
    told = sync(f"{site.url}/f")
    assert told["reason"] == "not_a_feed" and "No episode counts as gone" in told["message"]
    assert titles_of(catalogue, f"{site.url}/f") == {"Stays"}


def test_a_password_goes_along_and_appears_nowhere(sync: Syncs, site: SampleServer, catalogue: Database) -> None:
    asked: list[str | None] = []

    def protected(content: bytes) -> Callable[[BaseHTTPRequestHandler], None]:
        def answer(request: BaseHTTPRequestHandler) -> None:
            asked.append(request.headers.get("Authorization"))
            request.send_response(200 if asked[-1] else 401)
            request.send_header("Content-Length", str(len(content)))
            request.end_headers()
            request.wfile.write(content)

        return answer

    site.extra["/f"] = protected(rss(item("Closed", "c", "/m/closed.mp3")).encode())
    site.extra["/m/closed.mp3"] = protected(site.find("/m/any.mp3").content)  # type: ignore[union-attr]
    name = catalogue.run(listings.keep_address, f"http://me:p%40ss-word@{site.url.partition('://')[2]}/f")
    told = sync(name)
    assert (told["published"], len(set(asked)), None in asked) == (1, 1, False)
    assert "p%40ss" not in json.dumps(told) and "p@ss" not in json.dumps(told) and "ss-word" not in json.dumps(told)


VTT = """WEBVTT

00:00.200 --> 00:02.000
The publisher wrote these words

00:02.100 --> 00:03.500
and nobody heard them.
"""


def test_the_publishers_words_are_taken_and_a_takedown_leaves_nothing(
    sync: Syncs, site: SampleServer, catalogue: Database, cli: Cli, data_dir: Path, stack: LocalStack
) -> None:
    site.extra |= {
        "/f": PODCASTING_20.encode(),
        "/t.vtt": VTT.encode(),
        "/c.json": json.dumps({"version": "1.2.0", "chapters": [{"startTime": 0, "title": "A chapter"}]}).encode(),
    }
    told = sync(f"{site.url}/f", {"speech.transcripts": "publisher"})
    assert (told["published"], told["failed"]) == (1, 0), told
    (row,) = catalogue.run(videos.list_videos, source_of(catalogue, site))
    made = catalogue.run(transcripts.transcript_of, row.id)[2]
    assert made.text == "The publisher wrote these words and nobody heard them."
    assert (made.language, made.models["recognizer"]["name"]) == ("en", "publisher")
    assert all(word.start <= word.end for word in made.words) and len(made.words) == 9
    shown = cli("show", row.video_id, "--json").json
    assert (shown["chapters"], shown["people"]) == ([{"start": 0.0, "title": "A chapter"}], ["Ada Lovelace"])
    (kept,) = shown["publisher_transcripts"]
    assert kept["key"] == f"transcriptions/feed/{row.video_id}/publisher-en.vtt"
    assert (data_dir / "library" / kept["key"]).read_text() == VTT

    gone = cli("takedown", row.video_id, "--yes", "--json")
    assert gone.code == 0, str(gone)
    assert bytes_with(data_dir, row.video_id) == []
    # The tombstone, and what the server lets nobody delete: it is told.
    events = ["prefect.event_resources", "prefect.events"]
    assert rows_with(stack, row.video_id) == ["channelscribe.video", *events]
    assert any("events name it and may quote it" in each for each in gone.json["left"])
    assert rows_with(stack, "Lovelace") == []
    assert set(rows_with(stack, "publisher wrote")) <= set(events)
    again = sync(f"{site.url}/f", {"speech.transcripts": "publisher"}, full=True)
    assert again["published"] == 0
    assert rows_with(stack, "Lovelace") == []


def bytes_with(data_dir: Path, word: str) -> list[str]:
    """Names and contents of all files but the database's own, of which `rows_with` reads the tables."""
    found = []
    for folder, folders, names in os.walk(data_dir):
        if Path(folder) == data_dir:
            folders[:] = [name for name in folders if name != "postgres"]
        for name in names:
            path = Path(folder, name)
            if word in str(path) or (path.is_file() and word.encode() in path.read_bytes()):
                found.append(str(path.relative_to(data_dir)))
    return found


USER_TABLES = """SELECT schemaname, tablename FROM pg_tables
    WHERE schemaname NOT IN ('pg_catalog', 'information_schema')"""


def rows_with(stack: LocalStack, word: str) -> list[str]:
    """DATABASE.TABLE of all rows, the Prefect server's too, in which the word is."""
    found = []
    url = stack.addresses.database_url or ""
    with psycopg.connect(url) as connection:
        names = [name for (name,) in connection.execute("SELECT datname FROM pg_database WHERE datallowconn")]
        (own,) = connection.execute("SELECT current_database()").fetchone() or ("",)
    for database in names:
        with psycopg.connect(url, dbname=database) as connection:
            tables = connection.execute(USER_TABLES).fetchall()
            for schema, table in tables:
                query = f'SELECT count(*) FROM "{schema}"."{table}" AS t WHERE strpos(to_jsonb(t)::text, %s) > 0'  # noqa: S608
                (count,) = connection.execute(query, [word]).fetchone() or (0,)  # type: ignore[arg-type]
                if count:
                    found.append(f"{'channelscribe' if database == own else database}.{table}")
    return sorted(found)


def test_a_folder_by_the_command_line(
    cli: Cli, recording: Path, catalogue: Database, tmp_path: Path, stack: LocalStack
) -> None:
    place = tmp_path / "my interviews"
    (place / "2024").mkdir(parents=True)
    first = Path(shutil.copy(recording, place / "2024" / "opening.mp3"))
    os.utime(first, (LONG_AGO, LONG_AGO))
    (place / "2024" / "opening.json").write_text('{"title": "The opening", "date": "2024-05-01"}')
    (place / "notes.txt").write_text("no recording")
    done = cli("sync", str(place), "--json", *ON_SAMPLE)
    assert done.code == 0, str(done)
    assert (done.json["listed"], done.json["published"], done.json["notes"]) == (1, 1, ["1 listed, 1 no recordings"])
    (row,) = catalogue.run(videos.find_videos, str(first))
    assert (row.site, row.title, str(row.published), row.state) == ("local", "The opening", "2024-05-01", "published")
    first.rename(place / "renamed.mp3")
    again = cli("sync", str(place), "--json", *ON_SAMPLE)
    assert (again.json["listed"], again.json["new"], again.json["published"]) == (1, 0, 0), str(again)
    assert cli("show", str(place / "renamed.mp3")).out.startswith("renamed\n")


def test_two_shows_with_the_same_guids_are_two(sync: Syncs, site: SampleServer, catalogue: Database) -> None:
    told: list[Summary] = []
    for show in ("one", "two"):
        site.extra[f"/{show}"] = rss(item(f"Of {show}", "episode-1", f"/m/{show}.mp3")).encode()
        told.append(sync(f"{site.url}/{show}"))
    assert [(each["new"], each["published"]) for each in told] == [(1, 1), (1, 1)]
    assert titles_of(catalogue, f"{site.url}/one") == {"Of one"}


def test_where_voices_are_off_none_are_kept(sync: Syncs, site: SampleServer, catalogue: Database) -> None:
    kept = {}
    for voices in (True, False):
        path = f"/voices-{voices}"
        site.extra[path] = rss(item(f"Voices {voices}", path, f"/m{path}.mp3")).encode()
        assert sync(f"{site.url}{path}", {"sources.voices": voices})["published"] == 1
        (row,) = catalogue.run(videos.find_videos, f"{site.url}/m{path}.mp3")
        query = """SELECT count(*), count(*) FILTER (WHERE key LIKE 'checkpoints/voices/%') FROM video
            LEFT JOIN speaker_voice ON transcript_pk = current_transcript_pk
            LEFT JOIN checkpoint ON checkpoint.video_pk = video.id
            WHERE video.id = :video AND (label IS NOT NULL OR key LIKE 'checkpoints/voices/%')"""
        with catalogue.session() as session:
            kept[voices] = tuple(execute(session, query, video=row.id).one())
    assert min(kept[True]) > 0 and kept[False] == (0, 0), kept
