"""`channelscribe deploy` on a real server: idempotent, prunes what went, leaves alone what is people's."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest
from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas.actions import DeploymentScheduleCreate
from prefect.client.schemas.objects import FlowRun, StateType
from prefect.client.schemas.responses import SetStateStatus
from prefect.client.schemas.schedules import CronSchedule, IntervalSchedule
from prefect.exceptions import ObjectNotFound
from prefect.settings import PREFECT_API_URL, PREFECT_CLIENT_MAX_RETRIES, temporary_settings
from prefect.states import Completed, Pending, Running
from prefect.utilities.schema_tools.validation import validate
from pydantic import SecretStr

from blocks import BLOCKS, SpeechModelsBlock
from channelscribe.errors import StackError, UsageError
from channelscribe.settings import PrefectOptions, Settings, SourceOptions, SpeechOptions, StoreOptions
from channelscribe.web.syncs import start_sync
from deployments import provision as provisioning
from deployments.automations import LOST_AFTER, lost_runs
from deployments.capacity import POOLS, QUEUES
from deployments.declared import Declared, declared
from deployments.plan import MEMORY, Change
from deployments.provision import FORMER, SYNC, provision
from tests.conftest import Cli

pytestmark = pytest.mark.stack

Deploy = Callable[..., list[Change]]

CHANNELS = """
channels:
  - {name: city-radio, source: "https://a.org/radio", cron: "15 6 * * *", timezone: Europe/Berlin, limit: 20}
  - {name: a-podcast, source: "https://b.org/feed.xml", cron: "0 */4 * * *", settings: {speech.language: de}}
"""


@pytest.fixture(scope="module")
def deploy(server: SyncPrefectClient, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deploy]:
    """Deploys with a list of channels; the last one has none, so that nothing is scheduled for other tests."""
    file = tmp_path_factory.mktemp("channels") / "channels.yaml"

    def call(settings: Settings | None = None, text: str = CHANNELS, **options: Any) -> list[Change]:
        file.write_text(text)
        return provision(settings or Settings(), channels_file=file, **options).changes

    yield call
    call(text="channels: []")


def everything(server: SyncPrefectClient) -> dict[str, list[Any]]:
    """All objects that a deploy is about, as the server has them, times of their last change included."""
    kinds: dict[str, list[Any]] = {
        "pools": server.read_work_pools(),
        "queues": [server.read_work_queue_by_name(name, pool) for pool, name in QUEUES],
        "limits": server.read_global_concurrency_limits(limit=200),
        "block types": [server.read_block_type_by_slug(kind.get_block_type_slug()) for kind in BLOCKS],
        "documents": server.read_block_documents(),
        "deployments": server.read_deployments(),
        "automations": [server.find_automation(change) for change in ("channelscribe: lost runs",)],
        "variables": server.read_variables(),
        "flows": server.read_flows(),
    }
    # How many slots of a rate are free again changes with time.
    passing = {"active_slots", "denied_slots", "status", "avg_slot_occupancy_seconds"}
    return {
        kind: sorted((each.model_dump(mode="json", exclude=passing) for each in found), key=str)
        for kind, found in kinds.items()
    }


def names(changes: list[Change]) -> set[tuple[str, str]]:
    return {(change.action, f"{change.kind} {change.name}") for change in changes}


def schedules(server: SyncPrefectClient) -> dict[str | None, Any]:
    return {each.slug: each for each in server.read_deployment_by_name(SYNC).schedules}


def test_a_rehearsal_tells_what_a_deploy_does_and_the_second_one_does_nothing(
    server: SyncPrefectClient, deploy: Deploy
) -> None:
    before = [pool.name for pool in server.read_work_pools()]
    told = deploy(rehearsal=True)
    assert [pool.name for pool in server.read_work_pools()] == before
    assert names(deploy()) == names(told)
    first = everything(server)
    assert deploy() == []
    assert everything(server) == first


def test_everything_that_is_declared_is_there(server: SyncPrefectClient, deploy: Deploy) -> None:
    deploy()
    there = {pool.name: pool for pool in server.read_work_pools()}
    assert set(POOLS) <= set(there)
    assert all(each.type == "process" for each in there.values())
    for each in declared():
        found = server.read_deployment_by_name(each.name)
        assert found.work_pool_name in there
        assert (found.enforce_parameter_schema, found.tags) == (True, ["channelscribe"])
        assert found.parameter_openapi_schema["properties"]["request"]
        for schedule in found.schedules:
            parameters = {**found.parameters, **schedule.parameters}
            validate(parameters, found.parameter_openapi_schema, raise_on_error=True)
        slugs = [schedule.slug for schedule in found.schedules]
        assert len(slugs) == len(set(slugs))
    assert server.read_global_concurrency_limit_by_name("youtube").active
    with pytest.raises(ObjectNotFound):  # nothing asks for it: the pool limits its runs
        server.read_global_concurrency_limit_by_name("gpu")
    assert schedules(server)["git-city-radio"].schedule.timezone == "Europe/Berlin"
    assert schedules(server)["git-city-radio"].parameters["request"] == {"source": "https://a.org/radio", "limit": 20}


def test_a_run_is_counted_as_lost_late_enough(server: SyncPrefectClient, deploy: Deploy) -> None:
    deploy()
    found = server.read_automations_by_name("channelscribe: lost runs")
    assert len(found) == 1 and found[0].enabled
    trigger: Any = found[0].trigger
    assert trigger.within.total_seconds() >= 540
    assert trigger.match_related.root["prefect.resource.id"] == "prefect.tag.channelscribe"


@pytest.mark.long
def test_a_run_that_lives_no_more_is_marked(server: SyncPrefectClient, deploy: Deploy) -> None:
    """The automation itself, with a shorter time."""
    deploy()
    quick = lost_runs(timedelta(seconds=10)).model_copy(update={"name": "a quick one"})
    automation = server.create_automation(quick)
    try:
        run = server.create_flow_run_from_deployment(
            server.read_deployment_by_name(SYNC).id, parameters={"request": {"source": "https://a.org"}}
        )
        server.set_flow_run_state(run.id, Running(), force=True)
        emit_heartbeat(server, run)
        until = time.monotonic() + 90
        while (state := server.read_flow_run(run.id).state) and state.type != StateType.CRASHED:
            assert time.monotonic() < until, state
            time.sleep(0.5)
        assert "No sign of life" in (state.message or "")
    finally:
        server.delete_automation(automation)


def emit_heartbeat(server: SyncPrefectClient, run: FlowRun) -> None:
    """As Prefect's engine does."""
    tags = [{"prefect.resource.id": f"prefect.tag.{tag}", "prefect.resource.role": "tag"} for tag in run.tags]
    heartbeat = {
        "id": str(uuid4()),
        "event": "prefect.flow-run.heartbeat",
        "occurred": datetime.now(UTC).isoformat(),
        "resource": {"prefect.resource.id": f"prefect.flow-run.{run.id}", "prefect.resource.name": run.name},
        "related": tags,
    }
    server._client.post("/events", json=[heartbeat]).raise_for_status()


def test_schedules_follow_the_list_and_a_paused_one_stays_paused(server: SyncPrefectClient, deploy: Deploy) -> None:
    deploy()
    deployment = server.read_deployment_by_name(SYNC).id
    radio = schedules(server)["git-city-radio"]
    server.update_deployment_schedule(deployment, radio.id, active=False)
    own = DeploymentScheduleCreate(schedule=IntervalSchedule(interval=86400), active=False)
    server.create_deployment_schedules(deployment, [own])

    without = CHANNELS.replace("15 6", "30 7").partition("  - {name: a-podcast")[0]
    changes = deploy(text=without)
    assert names(changes) == {
        ("update", f"schedule {SYNC}: city-radio"),
        ("remove", f"schedule {SYNC}: a-podcast"),
    }
    there = schedules(server)
    assert set(there) == {"git-city-radio", None}
    assert (there["git-city-radio"].id, there["git-city-radio"].active) == (radio.id, False)
    assert there["git-city-radio"].schedule.cron == "30 7 * * *"
    server.delete_deployment_schedule(deployment, there[None].id)
    assert names(deploy()) == {("update", f"schedule {SYNC}: city-radio"), ("create", f"schedule {SYNC}: a-podcast")}
    assert schedules(server)["git-city-radio"].active is False


@pytest.mark.long
def test_what_is_declared_no_more_goes_and_what_people_made_stays(
    server: SyncPrefectClient, deploy: Deploy, monkeypatch: pytest.MonkeyPatch
) -> None:
    deploy()
    server.upsert_global_concurrency_limit_by_name("their-own", 3)
    more = Settings(
        sources=SourceOptions(budgets={"youtube": 300, "othersite": 60}), prefect=PrefectOptions(longest_run_hours=1)
    )

    def with_another(*arguments: Any) -> list[Declared]:
        found = declared(*arguments)
        return [*found, replace(found[0], entry=found[0].entry.model_copy(update={"name": "old"}))]

    monkeypatch.setattr(provisioning, "declared", with_another)
    assert names(deploy(more)) == {
        ("create", "limit othersite"),
        ("create", "deployment sync-channel/old"),
        ("update", "automation channelscribe: endless runs"),
    }
    monkeypatch.undo()
    fewer = Settings(prefect=PrefectOptions(longest_run_hours=0))
    assert names(deploy(fewer)) == {
        ("remove", "limit othersite"),
        ("remove", "deployment sync-channel/old"),
        ("remove", "automation channelscribe: endless runs"),
    }
    assert server.read_automations_by_name("channelscribe: endless runs") == []
    assert server.read_global_concurrency_limit_by_name("their-own").limit == 3
    server.delete_global_concurrency_limit_by_name("their-own")
    assert names(deploy()) == {("create", "automation channelscribe: endless runs")}


@pytest.mark.long
def test_deployments_of_0_1_0_go_and_their_schedules_move_as_they_are(
    server: SyncPrefectClient, deploy: Deploy
) -> None:
    deploy(text="channels: []")
    for name in (SYNC, "sweep/hourly-sweep"):
        server.delete_deployment(server.read_deployment_by_name(name).id)
    kept = {"schedule": CronSchedule(cron="15 6 * * *", timezone="Europe/Berlin"), "slug": "git-city-radio"}
    radio = DeploymentScheduleCreate(**kept, active=False, parameters={"request": {"source": "https://a.org/radio"}})
    own = DeploymentScheduleCreate(schedule=IntervalSchedule(interval=86400), parameters={"request": {"source": "x"}})
    flows = {name: server.create_flow_from_name(name.partition("/")[0]) for name in FORMER.values()}
    tags, old = ["channelscribe"], FORMER[SYNC]
    server.create_deployment(flows[old], "default", tags=tags, schedules=[radio, own], paused=True)
    server.create_deployment(flows["sweep/hourly"], "hourly", tags=tags)
    theirs = server.create_deployment(flows["transcribe-audio/gpu"], "gpu", tags=["not ours"])

    moved = {
        ("create", f"deployment {SYNC}"),
        ("remove", f"deployment {old}"),
        ("create", "deployment sweep/hourly-sweep"),
        ("remove", "deployment sweep/hourly"),
        ("create", "schedule sweep/hourly-sweep: hourly"),
        ("update", f"schedule {SYNC}: city-radio"),
        ("create", f"schedule {SYNC}: a-podcast"),
    }
    assert names(deploy(rehearsal=True)) == moved
    assert names(deploy()) == moved
    assert server.read_deployment_by_name(SYNC).paused
    there = schedules(server)
    assert set(there) == {"git-city-radio", "git-a-podcast", None}
    assert (there["git-city-radio"].active, there["git-a-podcast"].active) == (False, True)
    assert there[None].schedule.interval == timedelta(days=1)
    assert there[None].parameters == {"request": {"source": "x"}}
    for name in (old, "sweep/hourly"):
        with pytest.raises(ObjectNotFound):
            server.read_deployment_by_name(name)
    assert server.read_deployment_by_name("transcribe-audio/gpu").id == theirs
    assert deploy() == []
    server.delete_deployment(theirs)
    server.resume_deployment(server.read_deployment_by_name(SYNC).id)


def work(server: SyncPrefectClient, pool: str, queues: list[str]) -> list[FlowRun]:
    """What a worker would start now, in its order, and starts: as Prefect's own worker asks."""
    found = server.get_scheduled_flow_runs_for_work_pool(pool, queues, datetime.now(UTC) + timedelta(seconds=5))
    runs = [response.flow_run for response in found]
    for run in runs:
        for state in (Pending(), Running()):
            assert server.set_flow_run_state(run.id, state).status == SetStateStatus.ACCEPT
    return runs


@pytest.mark.long
def test_however_many_channels_are_due_at_one_minute_each_is_synced(server: SyncPrefectClient, deploy: Deploy) -> None:
    deploy(text="channels: []")
    deployment, most = server.read_deployment_by_name(SYNC).id, QUEUES["default", "syncs"].runs
    assert most is not None
    sources = [f"https://a.org/{number}" for number in range(2 * most + 5)]
    made = {
        server.create_flow_run_from_deployment(deployment, parameters={"request": {"source": source}}).id
        for source in sources
    }
    done: list[UUID] = []
    while at_work := work(server, "default", ["syncs"]):
        assert len(at_work) <= most
        assert work(server, "default", ["syncs"]) == [], "more than the limit"
        for run in at_work:
            server.set_flow_run_state(run.id, Completed())
            done.append(run.id)
    assert len(done) == len(made) and set(done) == made


def test_what_is_fresh_is_transcribed_before_the_backlog(server: SyncPrefectClient, deploy: Deploy) -> None:
    deploy(Settings(prefect=PrefectOptions(gpu_runs=1)), text="channels: []")
    deployment = server.read_deployment_by_name("transcribe-audio/gpu-transcription")
    assert deployment.work_queue_name == "backlog"

    def queued(queue: str | None) -> UUID:
        run = {"work_queue_name": queue, "enforce_parameter_schema": False}
        made = server._client.post(f"/deployments/{deployment.id}/create_flow_run", json=run).raise_for_status()
        return UUID(made.json()["id"])

    order = ["backlog", None, "fresh", "backlog", "fresh"]
    made = {queued(queue): queue for queue in order}
    taken = []
    while at_work := work(server, "gpu", []):
        taken += [made[run.id] for run in at_work]
        for run in at_work:
            server.set_flow_run_state(run.id, Completed())
    assert taken == ["fresh", "fresh", "backlog", None, "backlog"]


def test_what_people_change_in_the_ui_stays(server: SyncPrefectClient, deploy: Deploy) -> None:
    deploy()
    deployment, pool = server.read_deployment_by_name(SYNC), server.read_work_pool("gpu")
    automation = server.read_automations_by_name("channelscribe: lost runs")[0]
    server.pause_deployment(deployment.id)
    server._client.patch(f"/work_pools/{pool.name}", json={"is_paused": True}).raise_for_status()
    as_it_was = lost_runs(LOST_AFTER).model_copy(update={"enabled": True})
    server.update_automation(automation.id, as_it_was.model_copy(update={"enabled": False}))
    server._client.patch(f"/deployments/{deployment.id}", json={"description": "nothing"}).raise_for_status()
    try:
        assert [(change.name, change.detail) for change in deploy()] == [(SYNC, "description")]
        assert server.read_deployment_by_name(SYNC).paused
        assert server.read_work_pool("gpu").is_paused
        assert not server.read_automations_by_name("channelscribe: lost runs")[0].enabled
    finally:
        server.resume_deployment(deployment.id)
        server._client.patch(f"/work_pools/{pool.name}", json={"is_paused": False})
        server.update_automation(automation.id, as_it_was)


def test_documents_are_made_from_the_settings_once(server: SyncPrefectClient, deploy: Deploy, tmp_path: Path) -> None:
    settings = Settings(
        store=StoreOptions(url=str(tmp_path), secret_key=SecretStr("canary-31")),
        speech=SpeechOptions(hub_token=SecretStr("canary-31")),
    )
    assert names(deploy(settings)) == {
        ("create", "block channelscribe-media-store/default"),
        ("create", "block channelscribe-speech-models/default"),
    }
    changed = SpeechModelsBlock.load("default")
    changed.hub_token = SecretStr("a person's")
    changed.save("default", overwrite=True)
    assert deploy(settings) == []
    assert SpeechModelsBlock.load("default").hub_token.get_secret_value() == "a person's"
    for slug in ("channelscribe-media-store", "channelscribe-speech-models"):
        server.delete_block_document(server.read_block_document_by_name("default", slug).id)


@pytest.mark.parametrize(
    "wrong",
    [
        {},
        {"source": "not a url"},
        {"source": "https://a.org", "limit": 0},
        {"source": "https://a.org", "since": "yesterday"},
        {"source": "https://a.org", "nonsense": 1},
        {"source": "https://a.org", "settings": {"database.url": "postgresql://x"}},
        {"source": "https://a.org", "again": ["What?"]},
    ],
    ids=str,
)
def test_wrong_parameters_are_refused_before_there_is_a_run(
    server: SyncPrefectClient, deploy: Deploy, wrong: dict[str, Any]
) -> None:
    deploy()
    deployment = server.read_deployment_by_name(SYNC).id
    of_this = {"deployments": {"id": {"any_": [str(deployment)]}}}  # the schedules of others make runs meanwhile
    runs = server._client.post("/flow_runs/count", json=of_this).json()
    with pytest.raises(httpx.HTTPStatusError) as caught:
        server.create_flow_run_from_deployment(deployment, parameters={"request": wrong})
    assert caught.value.response.status_code == 409
    assert server._client.post("/flow_runs/count", json=of_this).json() == runs


def test_a_deploy_that_breaks_off_is_remembered(
    server: SyncPrefectClient, deploy: Deploy, monkeypatch: pytest.MonkeyPatch
) -> None:
    deploy()

    def broken(*_: Any) -> None:
        raise RuntimeError("half-way")

    monkeypatch.setattr(provisioning, "deploy_automations", broken)
    with pytest.raises(RuntimeError, match="half-way"):
        deploy(Settings(sources=SourceOptions(budgets={"youtube": 300, "half-way": 60})))
    monkeypatch.undo()
    remembered = server.read_variable_by_name(MEMORY)
    assert remembered is not None and "channelscribe: lost runs" in remembered.value["automation"]
    assert names(deploy()) == {("remove", "limit half-way")}


def test_the_command(deploy: Deploy, cli: Cli, tmp_path: Path) -> None:
    deploy(text="channels: []")
    done = cli("deploy", "--json")
    assert (done.code, done.json["changes"]) == (0, []), str(done)
    (tmp_path / "mine.yaml").write_text("channels:\n  - {name: radio, source: 'https://a.org'}\n")
    wrong = cli("deploy", "--dry-run", "--channels", str(tmp_path / "mine.yaml"))
    assert (wrong.code, wrong.out) == (2, ""), str(wrong)
    assert "mine.yaml, line 2 (radio): cron" in wrong.err.splitlines()[-1]


def test_a_server_that_does_not_answer_is_told() -> None:
    nowhere = {PREFECT_API_URL: "http://127.0.0.1:9/api", PREFECT_CLIENT_MAX_RETRIES: 0}
    with temporary_settings(nowhere), pytest.raises(StackError, match="does not answer"):
        provision(Settings())


def test_the_reading_room_starts_a_sync(deploy: Deploy, server: SyncPrefectClient) -> None:
    deploy()
    asked = {"source": "https://feeds.example/f", "limit": 1}
    made = start_sync(str(server.api_url), asked, "https://room.example/prefect")
    run = server.read_flow_run(UUID(made["flow_run"]))
    assert (run.name, run.parameters, run.state_type) == (made["name"], {"request": asked}, StateType.SCHEDULED)
    assert made["url"] == f"https://room.example/prefect/runs/flow-run/{run.id}"
    server.delete_flow_run(run.id)
    for wrong in ({"limit": 0}, {"settings": {"store.url": "s3://mine"}}, {"unknown": 1}):
        with pytest.raises(UsageError, match="The form refuses this"):
            start_sync(str(server.api_url), asked | wrong)
    with pytest.raises(StackError, match="did not make the run"):
        start_sync("http://127.0.0.1:1/api", asked)
