"""Whose failure it is, through the whole: what the machine lacks, or kills, costs no video its place.

One stack of its own, because its ffmpeg and its store are made to fail: no model, a store that refuses, a disk that is
full, an ffmpeg that is killed, cannot be started, or is told to stop; and a feed of which one episode is not found once
and one is empty once. Each run stops before it spends more, no video is marked, and the last run publishes all.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest

from channelscribe.audio.ffmpeg import ffmpeg_path
from channelscribe.catalogue import videos
from channelscribe.catalogue.connection import Database
from channelscribe.local_stack import running_addresses
from channelscribe.preflight import LEAST_BYTES
from channelscribe.sample import world
from channelscribe.sample.feed import sample_items
from channelscribe.sample.server import SampleServer
from channelscribe.settings import Settings
from tests.conftest import clean_environment
from tests.e2e.syncing import Summary, Syncs

pytestmark = [pytest.mark.stack, pytest.mark.speech, pytest.mark.slow, pytest.mark.timeout(900), pytest.mark.long]

EPISODES = 4


@dataclass
class World:
    site: SampleServer
    syncs: Syncs
    data: Path
    store: Path
    fate: Path
    seen: int = 0

    def sync(self, **settings: object) -> Summary:
        self.seen = len(self.site.requests)
        return self.syncs(self.site.feed_url, settings)

    def tried(self) -> set[str]:
        """The episodes whose media were asked for in the last run."""
        return {each.path for each in self.site.requests[self.seen :] if each.path.startswith("/media/")}

    def states(self) -> dict[str, str]:
        url = running_addresses(Settings(data_dir=self.data)).database_url
        catalogue = Database(url or "")
        try:
            rows = [catalogue.run(videos.find_videos, item.id)[0] for item in self.site.items]
        finally:
            catalogue.close()
        assert [row.lease_owner for row in rows] == [None] * EPISODES
        return {row.video_id: row.state for row in rows}


@pytest.fixture
def unlucky(tmp_path: Path) -> Iterator[World]:
    """`fate` says what becomes of ffmpeg; empty: nothing."""
    fate, programs = tmp_path / "fate", tmp_path / "bin"
    fate.write_text("")
    programs.mkdir()
    script = f'#!/bin/sh\ncase "$(cat {fate})" in 127) exit 127;; ?*) kill -"$(cat {fate})" $$;; esac\n'
    (programs / "ffmpeg").write_text(f'{script}exec {ffmpeg_path()} "$@"\n')
    (programs / "ffmpeg").chmod(0o755)
    store = tmp_path / "store"
    environment = clean_environment(tmp_path / "data") | {
        "PATH": f"{programs}:{os.environ['PATH']}",
        "CHANNELSCRIBE_STORE__URL": str(store),
    }
    items = sorted(sample_items(), key=lambda item: item.duration)[:EPISODES]
    with SampleServer(items) as site, Syncs(tmp_path / "data", environment) as syncs:
        yield World(site, syncs, tmp_path / "data", store, fate)


def once(status: int, media: str) -> object:
    """The first request for it gets this status and nothing else, the others what is there."""
    content = next(each.path for each in world.episodes() if each.media == media).read_bytes()
    asked: list[str] = []

    def answer(handler: BaseHTTPRequestHandler) -> None:
        asked.append(handler.command)
        body = b"" if len(asked) == 1 else content
        handler.send_response(status if len(asked) == 1 else 200)
        handler.send_header("Content-Type", "audio/mpeg")
        handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        handler.wfile.write(body)

    return answer


def test_nothing_is_lost_and_nobody_is_condemned(unlucky: World) -> None:
    told = unlucky.sync(**{"speech.model": "small"})
    assert told["reason"] == "model_unavailable" and "small" in told["message"]
    assert unlucky.tried() == set() and set(unlucky.states().values()) == {"discovered"}

    unlucky.store.write_text("a file where the folder should be")
    told = unlucky.sync()
    assert told["reason"] == "store_not_writable" and str(unlucky.store) in told["message"]
    assert unlucky.tried() == set() and set(unlucky.states().values()) == {"discovered"}
    unlucky.store.unlink()

    with_a_full_disk(unlucky)

    for fate, says in (("9", "SIGKILL"), ("127", "could not be started"), ("15", "SIGTERM")):
        unlucky.fate.write_text(fate)
        told = unlucky.sync()
        assert says in (told["stopped"] or ""), told
        assert (told["published"], told["failed"], told["failures"]) == (0, 0, [])
        assert len(unlucky.tried()) <= 2
        assert not set(unlucky.states().values()) - {"discovered", "downloaded"}
    unlucky.fate.write_text("")

    # Those that were fetched meanwhile are at hand: the two that were never tried stumble.
    for item, status in zip(unlucky.site.items[-2:], (404, 200), strict=True):
        unlucky.site.extra[f"/media/{item.media}"] = once(status, item.media)  # type: ignore[assignment]
    first = unlucky.sync()
    assert "unavailable" not in unlucky.states().values()
    second = unlucky.sync()
    assert set(unlucky.states().values()) == {"published"}, (first, second)
    assert first["published"] + second["published"] == EPISODES
    assert first["published"] >= EPISODES - 1  # what was empty once was asked for once more


def with_a_full_disk(unlucky: World) -> None:
    """A tmpfs that has less room than a video takes; only root may mount one."""
    unlucky.store.mkdir()
    size = LEAST_BYTES // 2
    if os.geteuid() == 0 and shutil.which("mount"):
        mount = ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(unlucky.store)]
        if subprocess.run(mount, check=False).returncode == 0:
            try:
                told = unlucky.sync()
                assert told["reason"] == "store_not_writable" and "are free" in told["message"]
                assert unlucky.tried() == set() and set(unlucky.states().values()) == {"discovered"}
            finally:
                subprocess.run(["umount", "-l", str(unlucky.store)], check=True)
