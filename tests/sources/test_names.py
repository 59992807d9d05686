"""Titles are data: whatever a site calls a video, files and keys are made of ids."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from channelscribe.settings.options import SourceOptions
from channelscribe.sources.download import download
from channelscribe.sources.identifiers import safe_id
from channelscribe.sources.listing import list_source
from channelscribe.store.layout import check_key, original_key
from tests.standin.channels import Video
from tests.standin.site import StandinSite

TITLES = [
    "../../../../etc/cron.d/x",
    "/etc/passwd",
    "-rf --exec=reboot",
    "nul\x00in\x00the middle",
    "\N{GRINNING FACE}" * 400,
    "\u202egnp.exe\u2066\u200f",
    "%(title)s %(id)s {0} $(reboot) `reboot` ; | & > <",
    "line\nbreak\r\ttab",
    "con.mp3",
    "\ud800 alone",
    "",
]


@pytest.fixture(scope="module")
def standin() -> Iterator[StandinSite]:
    with StandinSite(b"\xff\xfb" + bytes(5000), seconds_of_sound=20) as running:
        yield running


@pytest.mark.slow
@pytest.mark.parametrize("title", TITLES, ids=range(len(TITLES)))
def test_a_hostile_title_is_only_a_title(
    standin: StandinSite, options: SourceOptions, tmp_path: Path, title: str
) -> None:
    standin.alone = [Video("-vid_1", title=title, uploader=title, description=title)]
    url = standin.video_url("-vid_1")
    (listed,) = list_source(url, options).videos
    got = download(listed.url, tmp_path / "in", listed.video_id, options)
    assert got.path == tmp_path / "in" / "-vid_1.mp3"
    assert [each.name for each in tmp_path.rglob("*")] == ["in", "-vid_1.mp3"]
    assert listed.title == got.title == (title or "-vid_1")
    key = original_key(listed.site, listed.video_id, got.format_id, got.extension)
    assert check_key(key) == "originals/standin/-vid_1/140.mp3"


@pytest.mark.parametrize("raw", TITLES[:-1])
def test_a_hostile_id_becomes_a_harmless_one(raw: str) -> None:
    name = safe_id(raw)
    assert name.isascii() and len(name) <= 100 and not set(name) & set("./\\\x00 %$`|;&<>{}()")
    assert check_key(original_key("standin", name, raw, "mp3"))
    assert len({safe_id(each) for each in TITLES}) == len(TITLES)
