"""The picture of a video comes along, and costs nothing but itself when it does not."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from channelscribe.sample.server import SampleServer
from channelscribe.settings.options import SourceOptions
from channelscribe.sources import download as downloading
from channelscribe.sources.download import Download, download
from tests.standin.site import StandinSite, Video

SOUND = b"\xff\xfb" + bytes(range(256)) * 200


@pytest.fixture
def pictures() -> Iterator[SampleServer]:
    with SampleServer(items=[], extra={"/good.png": b"\x89PNG\r\n and so on", "/empty.png": b""}) as server:
        yield server


def fetched(folder: Path, address: str | None, **options: object) -> tuple[Download, StandinSite]:
    with StandinSite(SOUND, 20) as site:
        site.alone.append(Video("a", page={"thumbnail": address} if address else {}))
        given = SourceOptions.model_validate({"allow_private_addresses": True, "retries": 0, **options})
        return download(site.video_url("a"), folder, "a", given), site


def test_it_lies_beside_the_audio(tmp_path: Path, pictures: SampleServer) -> None:
    got, _ = fetched(tmp_path, f"{pictures.url}/good.png")
    assert got.cover == tmp_path / "a.cover"
    assert got.cover.read_bytes() == b"\x89PNG\r\n and so on"
    assert got.path.read_bytes() == SOUND


@pytest.mark.slow
@pytest.mark.parametrize("path", ["/none.png", "/empty.png", "file:///etc/passwd", "http://127.0.0.1:9/x.png", "//"])
def test_one_that_does_not_come_costs_only_itself(tmp_path: Path, pictures: SampleServer, path: str) -> None:
    got, _ = fetched(tmp_path, path if "://" in path else f"{pictures.url}{path}")
    assert got.cover is None
    assert got.path.read_bytes() == SOUND
    assert [each.name for each in tmp_path.iterdir()] == [got.path.name]


def test_a_large_one_is_left(tmp_path: Path, pictures: SampleServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(downloading, "LARGEST_PICTURE", 5)
    got, _ = fetched(tmp_path, f"{pictures.url}/good.png")
    assert got.cover is None


def test_it_can_be_switched_off(tmp_path: Path, pictures: SampleServer) -> None:
    got, _ = fetched(tmp_path, f"{pictures.url}/good.png", covers=False)
    assert got.cover is None
    assert pictures.requests == []
