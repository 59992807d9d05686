"""Two syncs of one source at once, twenty times: the steps themselves, over a real PostgreSQL and real HTTP."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from channelscribe.local_stack import LocalStack
from channelscribe.local_stack.services import prefect_environment
from tests.conftest import clean_environment
from tests.standin.site import StandinSite, Video

pytestmark = [pytest.mark.long, pytest.mark.stack]

ROUNDS, VIDEOS = 20, 4

SCRIPT = """
import json, sys
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from channelscribe.catalogue import schema
from channelscribe.errors import CorruptMedia
from channelscribe.settings.registry import SettingsRegistry
from channelscribe.settings.travel import to_travel
from tasks.download import download
from tasks.listing import list_source
from tasks.queue import due_videos
from tasks.publish import record_failure
from tasks.resources import catalogue

settings = SettingsRegistry(run={"sources.allow_private_addresses": True, "sources.retries": 0}).resolve()
options = to_travel(settings)
together = Barrier(2)

def sync(source, owner):
    together.wait()
    listed = list_source.fn(source, options)
    done, queue = [], due_videos(listed, owner, settings, None)
    for videos in queue.batches(2):
        for video in videos:
            download.fn(video, options)
            record_failure(video, CorruptMedia("enough for this test"))
            done.append(video.video_id)
    return listed.new, done

schema.migrate(catalogue())
rounds = []
with ThreadPoolExecutor(2) as pool:
    for number, source in enumerate(sys.argv[1:]):
        both = [pool.submit(sync, source, f"{number}-{who}") for who in "ab"]
        rounds.append([each.result() for each in both])
print(json.dumps(rounds))
"""


def test_nothing_is_done_twice(stack: LocalStack, data_dir: Path) -> None:
    environment = clean_environment(data_dir) | prefect_environment(stack.places, stack.addresses.prefect_api_url or "")
    environment |= {"CHANNELSCRIBE_DATABASE__URL": stack.addresses.database_url or ""}
    with StandinSite(b"no sound " * 500, 1.0) as site:
        sources = [
            site.channel(f"once{n}", *(Video(f"once-{n}-{m}") for m in range(VIDEOS))).url for n in range(ROUNDS)
        ]
        done = subprocess.run(
            [sys.executable, "-c", SCRIPT, *sources],
            env=environment,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        assert done.returncode == 0, done.stderr  # no deadlock, no integrity error
        rounds = json.loads(done.stdout.splitlines()[-1])
        for number, ((new, first), (also_new, second)) in enumerate(rounds):
            assert new + also_new == VIDEOS
            assert Counter(first + second) == Counter(f"once-{number}-{m}" for m in range(VIDEOS))
        assert {len(site.media_requests(video.id)) for video in site.videos()} == {1}
        assert {len(site.page_requests(video.id)) for video in site.videos()} == {1}
    assert any(first and second for (_, first), (_, second) in rounds)  # they did share the work
