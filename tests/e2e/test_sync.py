"""The options of `sync`, on audio that the demo has transcribed: what was recognized once is not recognized again."""

from __future__ import annotations

import json
import subprocess
import urllib.request
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from channelscribe.catalogue import transcripts, videos
from channelscribe.catalogue.connection import Database
from channelscribe.evaluation.metrics import word_error_rate
from channelscribe.local_stack import LocalStack
from channelscribe.sample import world
from channelscribe.sample.feed import FeedItem, sample_items
from channelscribe.sample.server import SampleServer
from tests.conftest import ON_SAMPLE, Cli, clean_environment, command

ROOT = Path(__file__).parent.parent.parent

pytestmark = [pytest.mark.stack, pytest.mark.speech, pytest.mark.timeout(900)]


def known_audio(prefix: str) -> list[FeedItem]:
    """Two episodes under ids that nobody has seen."""
    items = sorted((item for item in sample_items() if item.id != "interlude"), key=lambda item: item.duration)
    return [replace(item, id=f"{prefix}-{item.id}") for item in items[:2]]


def states_of(flow_run: str, stack: LocalStack) -> dict[str, set[str]]:
    """{task: names of its final states} of everything that ran under a flow run, from the Prefect API."""
    api = stack.addresses.prefect_api_url or ""
    children = ask(api, "flow_runs", {"flow_runs": {"parent_flow_run_id": {"any_": [flow_run]}}})
    runs = [flow_run, *(child["id"] for child in children)]
    found: dict[str, set[str]] = {}
    for run in ask(api, "task_runs", {"task_runs": {"flow_run_id": {"any_": runs}}}):
        found.setdefault(run["task_key"].rsplit("-", 1)[0], set()).add(run["state_name"])
    return found


def ask(api: str, what: str, query: dict[str, Any]) -> list[dict[str, Any]]:
    request = urllib.request.Request(
        f"{api}/{what}/filter", json.dumps(query).encode(), {"Content-Type": "application/json"}
    )
    with urllib.request.urlopen(request, timeout=30) as answer:
        found: list[dict[str, Any]] = json.load(answer)
        return found


@pytest.mark.long
def test_dry_run_limit_and_what_is_left(library: Database, cli: Cli, stack: LocalStack) -> None:
    with SampleServer(items=known_audio("again")) as server:
        dry = cli("sync", server.feed_url, "--json", "--dry-run", *ON_SAMPLE)
        assert dry.code == 0, str(dry)
        assert (dry.json["listed"], dry.json["new"], dry.json["published"], len(dry.json["due"])) == (2, 2, 0, 2)
        assert server.media_requests == []

        one = cli("sync", server.feed_url, "--json", "--limit", "1", *ON_SAMPLE)
        assert one.code == 0, str(one)
        assert (one.json["published"], one.json["skipped"]) == (1, 1)

        rest = cli("sync", server.feed_url, "--json", *ON_SAMPLE, "--set", "speech.diarize_step=0.4")
        assert rest.code == 0, str(rest)
        assert (rest.json["published"], rest.json["skipped"]) == (1, 1)
    assert set(rest.json) >= {"source", "listed", "new", "skipped", "published", "waiting", "failed", "failures"}
    # The same audio under another id: fetched and prepared, but its speech was known.
    states = states_of(one.json["flow_run"], stack)
    assert states["download"] == states["prepare"] == {"Completed"}
    assert states["recognize"] == states["align"] == states["diarize"] == {"Cached"}
    # Another way to tell speakers apart costs that stage alone.
    states = states_of(rest.json["flow_run"], stack)
    assert states["recognize"] == states["align"] == {"Cached"}
    assert states["diarize"] == {"Completed"}


@pytest.mark.long
def test_readers_answer_while_a_sync_runs(library: Database, cli: Cli, data_dir: Path) -> None:
    (item, *_) = known_audio("meanwhile")
    with SampleServer(items=[item], bytes_per_second=10_000) as server:  # half a minute for a download
        arguments = command("sync", server.feed_url, "--json", *ON_SAMPLE)
        sync = subprocess.Popen(arguments, env=clean_environment(data_dir), cwd=ROOT, stdout=subprocess.PIPE, text=True)
        try:
            while "download" not in steps_of(cli, item.id):
                assert sync.poll() is None
            assert cli("search", "train", "--json").json["hits"]
            assert "train" in cli("show", "night-train").out
            assert cli("entities", "--json").json["entities"]
            assert "night-train" in cli("export", library.run(videos.sources)[0].url).out
            assert "download" in steps_of(cli, item.id)  # it was going on all the time
        finally:
            server.bytes_per_second = None
            answer, _ = sync.communicate(timeout=300)
    assert (sync.returncode, json.loads(answer)["published"]) == (0, 1)


def steps_of(cli: Cli, video: str) -> list[str]:
    """What is being done with a video now."""
    return [
        each["step"] for each in cli("status", "--json").json["running"] if each["video_id"].rpartition("-")[0] == video
    ]


def test_a_media_url_is_a_source_too(library: Database, cli: Cli) -> None:
    episode = world.episode("night-train")
    # Of no feed: an episode's file, wherever it lies, is the episode.
    with SampleServer(extra={"/media/of-no-feed.mp3": episode.path.read_bytes()}) as server:
        done = cli("sync", f"{server.url}/media/of-no-feed.mp3", "--json", *ON_SAMPLE)
    assert done.code == 0, str(done)
    assert (done.json["listed"], done.json["published"]) == (1, 1)
    row = library.run(videos.find_videos, f"{server.url}/media/of-no-feed.mp3")[0]
    made = library.run(transcripts.transcript_of, row.id)[2]
    assert word_error_rate(episode.script.text, made.text).rate <= 0.05


def test_since_leaves_out_what_is_older(library: Database, cli: Cli) -> None:
    items = known_audio("dated")
    newest = max(item.published for item in items)
    with SampleServer(items=items) as server:
        day = newest.date().isoformat()
        dry = cli("sync", server.feed_url, "--json", "--dry-run", "--since", day, *ON_SAMPLE)
    due = [item["video"].rpartition("-")[0] for item in dry.json["due"]]
    assert due == [max(items, key=lambda item: item.published).id]


@pytest.mark.long
def test_one_source_that_cannot_be_listed_does_not_stop_the_other(library: Database, cli: Cli) -> None:
    with SampleServer() as server:
        both = cli("sync", "http://127.0.0.1:9/feed.xml", server.feed_url, "--json", *ON_SAMPLE)
    assert both.code == 3, str(both)
    good, bad = both.json["sources"]
    assert good["listed"] == len(world.episodes())
    assert (bad["source"], bad["reason"]) == ("http://127.0.0.1:9/feed.xml", "unreachable")
    assert "Traceback" not in both.err
