"""The pages in Debian's Chromium, as people use them: with keys, without JavaScript, on a telephone, in the dark.

Skipped where there is no `chromium`. A report of the Content-Security-Policy or an error on a page fails any test here.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, BrowserContext, Page, expect

from channelscribe.catalogue import voices, watches
from channelscribe.catalogue.connection import Database
from channelscribe.catalogue.watches import Watch
from channelscribe.store import MediaStore
from channelscribe.web.app import Room, create_app
from tests.catalogue.records import SITE
from tests.web.conftest import CHROMIUM, VIDEO, Library, publish, publish_voices, room_on, said, served, two_videos

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(CHROMIUM is None, reason="no chromium on this machine (apt-get install chromium)"),
]
HOSTILE = 'zebra "><img src=x onerror="window.hacked=1"><script>window.hacked=1</script><svg onload=window.hacked=1>'
NewPage = Callable[..., Page]


def with_a_hostile_one(database: Database, store: MediaStore) -> None:
    two_videos(database, store)
    publish(database, "hostile", said(20.0, last=HOSTILE), title=HOSTILE, description=HOSTILE)
    database.run(watches.add, Watch("hostile", HOSTILE.replace('"', "")))
    publish_voices(database, "voices")
    database.run(voices.name, "voices/S0", HOSTILE[:150], "a test")


@pytest.fixture(scope="module")
def served_room(library: Library, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Room, str]]:
    room = room_on(library.fill(with_a_hostile_one), tmp_path_factory.mktemp("served"))
    with served(create_app(room)) as url:
        yield room, url


@pytest.fixture
def room(served_room: tuple[Room, str], library: Library) -> Room:
    """One for all tests here; of what they publish the next one finds nothing."""
    library.fill(with_a_hostile_one)
    return served_room[0]


@pytest.fixture
def address(room: Room, served_room: tuple[Room, str]) -> str:
    return served_room[1]


@contextmanager
def watched(context: BrowserContext, address: str) -> Iterator[Page]:
    """A page of which every complaint, and every request to somebody else, is a failure."""
    page = context.new_page()
    page.set_default_timeout(60_000)
    said_: list[str] = []
    page.on("pageerror", lambda error: said_.append(f"error: {error}"))
    page.on("console", lambda line: said_.append(line.text) if line.type in ("error", "warning") else None)
    page.on(
        "request", lambda asked: None if asked.url.startswith((address, "data:", "blob:")) else said_.append(asked.url)
    )
    yield page
    hacked = page.evaluate("window.hacked")
    page.close()
    assert (said_, hacked) == ([], None)


@pytest.fixture
def new_page(browser: Browser, address: str) -> Iterator[NewPage]:
    """Opens a path with options of a browser's context; checked at the end."""
    opened = []

    def open_(path: str, **options: Any) -> Page:
        context = browser.new_context(
            base_url=address, **{"locale": "en-GB", "timezone_id": "Europe/Berlin", **options}
        )
        watching = watched(context, address)
        page = watching.__enter__()
        opened.append((watching, context))
        page.goto(path)
        return page

    yield open_
    for watching, context in opened:
        watching.__exit__(None, None, None)
        context.close()


def ready(page: Page) -> Page:
    page.locator("[data-words][data-ready=true]").wait_for()
    return page


def point_of(page: Page, segment: int, word: str) -> tuple[float, float]:
    """The middle of a word on the screen; words are no elements."""
    box = page.evaluate(
        """([n, word]) => {
            const element = document.querySelector(`[data-n="${n}"]`)
            element.scrollIntoView({ block: 'center', behavior: 'instant' })
            const range = new Range(), at = element.textContent.indexOf(word)
            range.setStart(element.firstChild, at)
            range.setEnd(element.firstChild, at + word.length)
            const box = range.getBoundingClientRect()
            return [box.x + box.width / 2, box.y + box.height / 2]
        }""",
        [segment, word],
    )
    return box[0], box[1]


def until(page: Page, expression: str) -> None:
    """Waits for it; Playwright's own way is an eval, which the pages forbid."""
    deadline = time.monotonic() + 60
    while not page.evaluate(expression):
        assert time.monotonic() < deadline, expression
        page.wait_for_timeout(50)


HEARD = "[...CSS.highlights.get('heard')].map(String).join()"


def test_a_word_that_is_clicked_is_heard(new_page: NewPage) -> None:
    page = ready(new_page(f"/v/{SITE}/{VIDEO}"))
    word = said().segments[33].words[5]  # in minute 3
    assert 120 < word.start < 180
    page.mouse.click(*point_of(page, 33, word.text))
    place = page.evaluate("document.querySelector('audio').currentTime")
    assert abs(place - word.start) < 0.05
    assert page.evaluate(HEARD) == word.text
    assert page.url.endswith(f"#t={round(word.start, 2):g}")


def test_the_heard_word_is_highlighted_while_it_is_heard(new_page: NewPage) -> None:
    page = ready(new_page(f"/v/{SITE}/{VIDEO}#t=60"))
    page.keyboard.press("Space")
    until(page, "document.querySelector('audio').currentTime > 61")
    # In one turn of the browser's loop nothing moves: the word that is lit began at most 100 ms after its time.
    late = page.evaluate(
        """async () => {
            const audio = document.querySelector('audio'), reader = document.querySelector('[data-words]')
            const late = []
            let last = reader.dataset.heard
            const ends = audio.currentTime + 3
            while (audio.currentTime < ends) {
                await new Promise(requestAnimationFrame)
                if (reader.dataset.heard !== last) {
                    last = reader.dataset.heard
                    late.push([Number(last), audio.currentTime])
                }
            }
            return late
        }"""
    )
    page.keyboard.press("Space")
    assert page.evaluate("document.querySelector('audio').paused")
    starts = sorted(word.start for segment in said().segments for word in segment.words)
    delays = sorted(place - starts[number] for number, place in late)
    assert len(late) > 3 and delays[len(delays) // 2] < 0.1  # the machine may be busy for one of them


def test_links_lead_to_a_word(new_page: NewPage) -> None:
    page = ready(new_page(f"/v/{SITE}/{VIDEO}#t=93.4"))
    assert abs(page.evaluate("document.querySelector('audio').currentTime") - 93.4) < 0.05
    expect(page.locator('[data-n="18"]')).to_be_in_viewport()
    assert page.evaluate(HEARD) in {word.text for word in said().segments[18].words}


def test_by_keys_alone(new_page: NewPage) -> None:
    page = ready(new_page(f"/v/{SITE}/{VIDEO}#t=60"))
    place = "document.querySelector('audio').currentTime"
    page.keyboard.press("ArrowRight")
    assert page.evaluate(place) == 65
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("ArrowLeft")
    assert page.evaluate(place) == 55
    page.keyboard.press("Shift+ArrowRight")
    assert page.evaluate(place) == 60
    page.keyboard.press("Shift+?")
    expect(page.get_by_role("dialog")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_be_hidden()
    page.keyboard.press("/")
    page.keyboard.type("haarlem")
    page.keyboard.press("Enter")
    expect(page.locator(".hit").first).to_contain_text("Haarlem")
    page.goto(f"/v/{SITE}/{VIDEO}")
    page.keyboard.press("Tab")
    expect(page.locator(".skip")).to_be_focused()


def test_a_quote_has_its_source(new_page: NewPage) -> None:
    page = ready(new_page(f"/v/{SITE}/{VIDEO}#t=15.5", permissions=["clipboard-read", "clipboard-write"]))
    page.locator("[data-quote]").click()
    expect(page.locator("[data-quote][data-copied]")).to_be_visible()
    quote = page.evaluate("navigator.clipboard.readText()")
    assert quote.startswith("“In Haarlem they keep a frame up to the window on Thursdays.”\n— S1, Me at the zoo\n")
    assert quote.endswith(f"/v/{SITE}/{VIDEO}#t=15")


def test_search_as_one_types(new_page: NewPage) -> None:
    page = new_page("/search")
    page.locator("#q").fill("eleph*")
    expect(page.locator(".hit")).to_have_count(18)
    assert page.url.endswith("/search?q=eleph*")
    page.locator("a[data-facet]", has_text="S1").click()
    expect(page.locator("input[name=speaker]")).to_have_value("S1")
    expect(page.locator(".hit b").first).to_have_text("S1")
    assert "speaker=S1" in page.url
    page.reload()
    expect(page.locator("input[name=speaker]")).to_have_value("S1")
    expect(page.locator(".hit a[aria-label='Hear it at its site']").first).to_be_visible()  # of one without audio
    first = page.locator("[data-audio]").first
    first.click()
    start = float(first.get_attribute("data-start") or "")
    until(page, "Number(document.querySelector('[data-audio]').dataset.at) > 0")
    assert start <= float(first.get_attribute("data-at") or "") < start + 5


@pytest.mark.parametrize("path", ["/", "/videos", f"/v/{SITE}/{VIDEO}", "/search?q=haarlem", "/names", "/activity"])
def test_without_javascript(new_page: NewPage, path: str) -> None:
    page = new_page(path, java_script_enabled=False)
    expect(page.locator("h1")).to_be_visible()
    if path.startswith("/v/"):
        expect(page.locator("audio")).to_be_visible()
        expect(page.locator("[data-play]")).to_be_hidden()
        page.locator(".turn .time").nth(5).click()
        expect(page.locator(".turn").nth(5)).to_be_in_viewport()
    if path.startswith("/search"):
        page.locator(".hit .time").first.click()
        assert re.search(r"/v/\w+/\w+#t=\d+", page.url)


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/videos",
        f"/v/{SITE}/{VIDEO}",
        f"/v/{SITE}/hostile",
        "/search?q=haarlem",
        "/names",
        "/voices",
        "/watches",
        "/activity",
        "/login",
    ],
)
def test_everybody_can_use_it(new_page: NewPage, path: str) -> None:
    page = new_page(path, viewport={"width": 360, "height": 760}, color_scheme="dark")
    axe = Axe()
    page.evaluate(axe.axe_script)
    for width, scheme in ((360, "dark"), (1280, "light")):
        page.set_viewport_size({"width": width, "height": 760})
        page.emulate_media(color_scheme=scheme)
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        dark = page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(21, 23, 26)"
        assert dark == (scheme == "dark")
        found = page.evaluate("axe.run({ resultTypes: ['violations'] })")
        serious = [each for each in found["violations"] if each["impact"] in ("serious", "critical")]
        assert [(each["id"], [node["html"][:200] for node in each["nodes"][:3]]) for each in serious] == []


@pytest.mark.parametrize(
    "path", ["/", "/videos", f"/v/{SITE}/hostile", "/search?q=zebra", "/voices", "/watches", "/activity"]
)
def test_what_sites_say_runs_nothing(new_page: NewPage, path: str) -> None:
    page = new_page(path)
    if path.startswith("/v/"):
        ready(page)
    page.wait_for_load_state("networkidle") if path.startswith("/v/") else page.wait_for_timeout(300)
    assert page.locator("main img, main script").count() == 0
    if path.startswith(("/v/", "/search")):
        expect(page.locator("main")).to_contain_text("onerror")


def test_right_to_left(new_page: NewPage, room: Room) -> None:
    spoken = said(10.0, last="هذا نص عربي للتجربة", language="ar")
    publish(room.database, "arabic", spoken, title="عنوان")
    page = ready(new_page(f"/v/{SITE}/arabic"))
    directions = page.evaluate("[...document.querySelectorAll('h1, .said')].map(e => getComputedStyle(e).direction)")
    assert directions[0] == "rtl"
    page.mouse.click(*point_of(page, 1, "للتجربة"))
    assert page.evaluate(HEARD) == "للتجربة"


def test_four_hours_scroll(new_page: NewPage, room: Room) -> None:
    publish(room.database, "long", said(4 * 3600.0), title="Four hours")
    page = ready(new_page(f"/v/{SITE}/long"))
    assert page.locator(".turn").count() > 500
    frames = page.evaluate(
        """async () => {
            let frames = 0
            for (; frames < 30; frames++) {
                scrollBy({ top: 2000, behavior: 'instant' })
                await new Promise(requestAnimationFrame)
            }
            return frames
        }"""
    )
    assert frames == 30
    assert page.evaluate("document.querySelectorAll('*').length") < 15_000
    page.evaluate("location.hash = '#t=14000'")
    expect(page.locator('[data-n="2800"]')).to_be_in_viewport()


def test_what_runs_is_told_as_it_happens(new_page: NewPage, room: Room) -> None:
    from channelscribe.catalogue.connection import execute

    page = new_page("/activity")
    deadline = time.monotonic() + 60
    while not room.events.listening.is_set():
        assert time.monotonic() < deadline
        page.wait_for_timeout(50)
    with room.database.session() as session:
        execute(
            session, "UPDATE video SET lease_owner = 'x', lease_until = now() + interval '1 hour', step = 'recognize', "
            "step_fraction = 0.5 WHERE video_id = :id", id=VIDEO,
        )  # fmt: skip
    expect(page.locator("[data-live] td").first).to_have_text("Me at the zoo")
    expect(page.locator("[data-live] progress")).to_have_attribute("value", "0.5")
