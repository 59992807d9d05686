"""Nothing to do costs nothing: a command looks with the library alone, and starts engines only for work."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from prefect.client.orchestration import get_client
from prefect.client.schemas.actions import VariableCreate
from prefect.settings import PREFECT_API_URL, temporary_settings

from channelscribe.catalogue import listings, videos
from channelscribe.catalogue.connection import Database, execute
from channelscribe.discovery import only_sync_of
from channelscribe.local_stack import LocalStack
from channelscribe.sample.feed import sample_items
from channelscribe.sample.server import SampleServer
from channelscribe.settings.travel import VARIABLE
from flows.session import variable_on
from tests.conftest import ON_SAMPLE, Cli, run_command

pytestmark = [pytest.mark.stack, pytest.mark.timeout(300)]

NOTHING = ("--since", "2100-01-01")  # all are older


def started(data: Path) -> set[str]:
    """The services that have run on a data folder: each has a log."""
    return {log.stem for log in (data / "logs").glob("*.log")} - {"channelscribe", "supervisor"}


def test_a_sync_with_nothing_due_starts_the_database_alone(tmp_path_factory: pytest.TempPathFactory) -> None:
    data = tmp_path_factory.mktemp("idle")
    with SampleServer() as server:
        count = len(server.items)
        first = run_command(data, "sync", server.feed_url, "--json", *NOTHING, *ON_SAMPLE)
        assert first.code == 0, str(first)
        assert (first.json["listed"], first.json["new"], first.json["skipped"]) == (count, count, count)
        assert (first.json["published"], first.json["failures"], first.json["flow_run"]) == (0, [], None)
        again = run_command(data, "sync", server.feed_url, *NOTHING, *ON_SAMPLE)
        assert (again.code, again.out.splitlines()) == (
            0,
            [
                f"{server.feed_url}: {count} listed, 0 new",
                "Nothing to do: nothing was downloaded and nothing was transcribed.",
            ],
        )
        dry = run_command(data, "sync", server.feed_url, "--json", "--dry-run", *ON_SAMPLE)
        assert (dry.code, len(dry.json["due"]), dry.json["flow_run"]) == (0, count, None)
        assert server.media_requests == []
    assert started(data) == {"postgres"}
    assert run_command(data, "status", "--json").json["states"]["excluded"] == count


def test_the_listing_leaves_its_trace_and_holds_its_source(cli: Cli, catalogue: Database) -> None:
    items = [replace(item, id=f"trace-{item.id}") for item in sample_items()[:2]]
    with SampleServer(items=items) as server:
        assert cli("sync", server.feed_url, "--json", *NOTHING, *ON_SAMPLE).code == 0
        assert [row.state for item in items for row in catalogue.run(videos.find_videos, item.id)] == ["excluded"] * 2
        with catalogue.session() as session:
            listed = "SELECT last_listed_at > now() - interval '5 minutes' FROM source WHERE url = :url"
            assert execute(session, listed, url=server.feed_url).scalar_one() is True
        with only_sync_of(catalogue, server.feed_url, "somebody else", wait=False):
            busy = cli("sync", server.feed_url, "--json", *NOTHING, *ON_SAMPLE)
        assert (busy.code, busy.json["busy"], busy.json["listed"]) == (3, "somebody else", 0)


def test_the_prefect_variable_is_seen_without_its_server(cli: Cli, stack: LocalStack, catalogue: Database) -> None:
    """What Prefect's own client wrote is what is read; and it counts in a sync that starts no flow."""
    value = {"filters": {"published_from": "2100-01-01"}}
    with (
        temporary_settings({PREFECT_API_URL: stack.addresses.prefect_api_url}),
        get_client(sync_client=True) as client,
        SampleServer(items=[replace(sample_items()[0], id="of-the-variable")]) as server,
    ):
        assert variable_on(stack) == {}
        client.create_variable(VariableCreate(name=VARIABLE, value=value))
        try:
            assert variable_on(stack) == value
            done = cli("sync", server.feed_url, "--json", *ON_SAMPLE)
        finally:
            client.delete_variable_by_name(VARIABLE)
    assert (done.code, done.json["published"], done.json["flow_run"]) == (0, 0, None)
    assert [row.state for row in catalogue.run(videos.find_videos, "of-the-variable")] == ["excluded"]


def test_a_private_address_never_becomes_the_name_of_a_source(cli: Cli, catalogue: Database) -> None:
    with SampleServer() as server:
        secret = server.feed_url.replace("http://", "http://me:hunter2@")
        done = cli("sync", secret, "--json", "--dry-run", *ON_SAMPLE)
    assert done.code == 0, str(done)
    assert "hunter2" not in done.out + done.err
    assert catalogue.run(listings.whole_address, done.json["source"]) == secret
