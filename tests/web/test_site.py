"""The room as a folder: what is in it, that only what is new is written, and in a browser that it works."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import urljoin, urlsplit

import pytest
from lxml import etree
from playwright.sync_api import Browser, expect
from starlette.staticfiles import StaticFiles
from starlette.testclient import TestClient

from channelscribe.catalogue import corrections
from channelscribe.catalogue.connection import execute
from channelscribe.errors import UnknownSource, UsageError
from channelscribe.transcript import FILE_FORMATS
from channelscribe.web.app import Room
from channelscribe.web.site import build, words_of_text
from tests.catalogue.records import SITE
from tests.web.conftest import CHROMIUM, VIDEO, publish, said, served, wave
from tests.web.test_browser import HEARD, HOSTILE, point_of, ready, watched


def files(folder: Path) -> dict[str, tuple[int, bytes]]:
    return {
        str(path.relative_to(folder)): (path.stat().st_mtime_ns, path.read_bytes())
        for path in folder.rglob("*")
        if path.is_file()
    }


def test_the_folder_has_all_of_it(room: Room, tmp_path: Path) -> None:
    folder = tmp_path / "site"
    made = build(room, folder, base="https://example.org/t")
    assert (made.videos, made.written, made.failed) == (2, 2, [])
    there = files(folder)
    place = f"v/{SITE}/{VIDEO}"
    assert {f"{place}/transcript.{name}" for name in FILE_FORMATS} <= set(there)
    assert there[f"{place}/audio.wav"][1] == wave(240.0)
    page = there[f"{place}/index.html"][1].decode()
    assert '<span class="said" id="t=5"' in page and 'href="transcript.vtt"' in page
    assert f'<meta property="og:url" content="https://example.org/t/{place}/">' in page
    feed = etree.fromstring(there["feed.xml"][1])
    urls = [each.get("url") for each in feed.iter("{https://podcastindex.org/namespace/1.0}transcript")]
    assert f"https://example.org/t/{place}/transcript.vtt" in urls
    places = [each.text for each in etree.fromstring(there["sitemap.xml"][1]).iter("{*}loc")]
    assert f"https://example.org/t/{place}/index.html" in places


class _Links(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found += [value for name, value in attrs if name in ("href", "src", "action", "data-words") and value]


def test_every_link_leads_to_a_file(room: Room, tmp_path: Path) -> None:
    folder = tmp_path / "site"
    build(room, folder)
    followed = 0
    for path in folder.rglob("*.html"):
        links = _Links()
        links.feed(path.read_text(encoding="utf-8"))
        for link in links.found:
            if urlsplit(link).scheme:
                continue
            target = urlsplit(urljoin(f"/{path.relative_to(folder)}", link)).path
            assert (folder / target.lstrip("/")).is_file(), (path, link)
            followed += 1
    assert followed > 40
    assert etree.fromstring((folder / "feed.xml").read_bytes()).tag.endswith("feed")


def test_again_only_what_is_new_is_written(room: Room, tmp_path: Path) -> None:
    folder = tmp_path / "site"
    build(room, folder)
    before = files(folder)
    again = build(room, folder)
    assert (again.written, files(folder)) == (0, before)
    publish(room.database, "third", said(20.0, last="Something about zebras."), title="Third")
    made = build(room, folder)
    after = files(folder)
    assert made.written == 1
    changed = {name for name in before if after[name] != before[name]}
    assert not any(name.startswith(("v/", "static/")) for name in changed)
    numbers = json.loads(after["find/7a-65.json"][1])["zebras"]
    assert [each[1] for each in json.loads(after["find/videos.json"][1]) if each[0] in numbers] == [f"v/{SITE}/third"]


def test_what_is_corrected_is_written_again(room: Room, tmp_path: Path) -> None:
    folder = tmp_path / "site"
    build(room, folder)
    changes = room.database.run(corrections.correct, VIDEO, 3.0, "elephants", "Loxodon")
    room.database.run(corrections.record, changes, "Ada")
    assert build(room, folder).written == 1
    made = files(folder)
    for name in ("index.html", "words.json", "text.json", "transcript.srt", "transcript.txt"):
        assert name == "words.json" or b"Loxodon" in made[f"v/{SITE}/{VIDEO}/{name}"][1]


def test_what_is_taken_down_goes(room: Room, tmp_path: Path) -> None:
    folder = tmp_path / "site"
    publish(room.database, "third", said(20.0, last="Something about zebras."), title="Third")
    build(room, folder)
    gone = """UPDATE video SET taken_down_at = now(), state = 'excluded', title = '', description = NULL,
        lease_owner = NULL, lease_until = NULL, current_transcript_pk = NULL WHERE video_id = 'third'"""
    with room.database.session() as session:
        execute(session, gone)
    assert build(room, folder).removed == 1
    there = files(folder)
    assert not any("third" in name for name in there)
    assert not [name for name, (_, content) in there.items() if b"zebras" in content]


def test_of_one_source_and_of_nobody(room: Room, tmp_path: Path) -> None:
    assert build(room, tmp_path / "one", channel="Channel One", audio=False).videos == 2
    assert not list((tmp_path / "one").rglob("audio.*"))
    with pytest.raises(UnknownSource):
        build(room, tmp_path / "two", channel="nobody")
    (tmp_path / "taken").mkdir()
    (tmp_path / "taken" / "mine.txt").write_text("mine")
    with pytest.raises(UsageError, match="Take an empty folder"):
        build(room, tmp_path / "taken")
    with pytest.raises(UsageError, match="no address"):
        build(room, tmp_path / "three", base="javascript:alert(1)")


def test_words_of_the_index() -> None:
    assert words_of_text("Don't GO to Zürich-West, 東京!") == {"don", "t", "go", "to", "zurich", "west", "東", "京"}


@pytest.fixture
def folder_address(room: Room, tmp_path: Path) -> Iterator[str]:
    publish(room.database, "hostile", said(20.0, last=HOSTILE), title=HOSTILE, description=HOSTILE)
    build(room, tmp_path / "site")

    with served(StaticFiles(directory=tmp_path / "site", html=True)) as url:
        yield url


@pytest.mark.slow
@pytest.mark.skipif(CHROMIUM is None, reason="no chromium on this machine (apt-get install chromium)")
def test_in_a_browser(browser: Browser, folder_address: str) -> None:
    with watched(browser.new_context(base_url=folder_address), folder_address) as page:
        page.goto("/index.html")
        page.locator("input[type=search]").fill("haarlem thurs")
        page.keyboard.press("Enter")
        expect(page.locator(".hit")).to_have_count(13)
        expect(page.locator(".hit mark").first).to_have_text("Haarlem")
        assert re.search(r"search\.html\?q=haarlem\+thurs", page.url)
        page.locator("#q").fill("zebra")
        expect(page.locator(".hit")).to_have_count(1)
        expect(page.locator(".hit p")).to_contain_text("<script>")
        page.locator("#q").fill("trunks")
        page.locator(".hit .time").last.click()
        ready(page)
        assert "#t=" in page.url
        word = said().segments[2].words[1]
        page.goto(f"/v/{SITE}/{VIDEO}/index.html")
        ready(page)
        page.mouse.click(*point_of(page, 2, word.text))
        assert page.evaluate(HEARD) == word.text
        page.goto(f"/v/{SITE}/hostile/index.html")
        ready(page)


def test_a_site_is_what_is_served(room: Room, client: TestClient, tmp_path: Path) -> None:
    build(room, tmp_path / "site")
    served = client.get(f"/v/{SITE}/{VIDEO}").text
    static = (tmp_path / "site" / "v" / SITE / VIDEO / "index.html").read_text(encoding="utf-8")
    texts = [re.findall(r'<span class="said.*?</span>', page) for page in (served, static)]
    assert texts[0] == texts[1] != []
