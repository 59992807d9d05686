"""Runs that Prefect takes for running and whose process is gone: known by their silence, and closed.

A process that was killed never says so, and its run would keep its place in a work pool for ever. A run is lost when

| its state | says | and |
|---|---|---|
| Running, Cancelling | no heartbeat for `LOST_AFTER` | holds no lease that goes on |
| Pending | nothing, that is how it is | is so for `NOT_STARTED_AFTER`: its worker died before it began |

The automation for lost runs does the first by itself, for runs of deployments and while the server is up.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

from prefect import task
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.filters import (
    FlowFilter,
    FlowFilterName,
    FlowRunFilter,
    FlowRunFilterState,
    FlowRunFilterStateType,
)
from prefect.client.schemas.objects import FlowRun, State, StateType
from prefect.client.schemas.responses import SetStateStatus
from prefect.events.filters import EventFilter, EventNameFilter, EventOccurredFilter, EventResourceFilter
from prefect.states import Cancelled, Crashed

from channelscribe.catalogue import stats
from tasks.resources import catalogue

__all__ = ["HEARTBEAT", "LOST_AFTER", "NOT_STARTED_AFTER", "close_lost", "close_lost_runs"]

HEARTBEAT = "prefect.flow-run.heartbeat"
HEARTBEAT_SECONDS = 180
"""How often Prefect has a run give a sign of life (`flows.heartbeat_frequency`, 3.8)."""

LOST_AFTER = timedelta(seconds=3 * HEARTBEAT_SECONDS)
"""With less, one heartbeat that comes late ends a healthy run."""

NOT_STARTED_AFTER = timedelta(hours=1)
"""Starting may take minutes where an image is fetched first."""

FLOWS = ["sync-channel", "transcribe-audio", "process-text", "retranscribe", "sweep", "takedown"]
GOING_ON = [StateType.RUNNING, StateType.CANCELLING, StateType.PENDING]
PAGE = 200


@task(name="close-lost-runs", persist_result=False)
def close_lost_runs(dry_run: bool) -> list[str]:
    """Those of this Prefect server, by the leases of this worker's catalogue."""
    working = {each.owner for each in catalogue().run(stats.progress)}
    return close_lost(working, datetime.now(UTC), delete=not dry_run)


def close_lost(working: Iterable[str], now: datetime, *, delete: bool, flows: list[str] = FLOWS) -> list[str]:
    """Close what is lost; returns "flow run-name (id), state" of each. Without `delete` nothing is changed.

    `working` are the owners of leases that have not run out: a run that renews one lives, whatever its heartbeats.
    """
    alive, told = set(working), []
    with get_client(sync_client=True) as client:
        ours = client.read_flows(flow_filter=FlowFilter(name=FlowFilterName(any_=flows)))
        names = {flow.id: flow.name for flow in ours}
        for run in going_on(client, flows):
            if str(run.id) in alive or not is_lost(client, run, now):
                continue
            if delete and not closed(client, run):
                continue  # it ended by itself meanwhile
            told.append(f"{names.get(run.flow_id, '')} {run.name} ({run.id}), {run.state_name}")
    return told


def going_on(client: SyncPrefectClient, flows: list[str]) -> list[FlowRun]:
    """Runs of our flows that have begun and not ended, the oldest first."""
    state = FlowRunFilterState(type=FlowRunFilterStateType(any_=GOING_ON))
    found: list[FlowRun] = []
    while True:
        page = client.read_flow_runs(
            flow_filter=FlowFilter(name=FlowFilterName(any_=flows)),
            flow_run_filter=FlowRunFilter(state=state),
            limit=PAGE,
            offset=len(found),
        )
        found += page
        if len(page) < PAGE:
            return sorted(found, key=lambda run: run.created or datetime.min.replace(tzinfo=UTC))


def is_lost(client: SyncPrefectClient, run: FlowRun, now: datetime) -> bool:
    if run.state is None:
        return False
    since = run.state.timestamp
    if run.state.type == StateType.PENDING:
        return since < now - NOT_STARTED_AFTER
    return since < now - LOST_AFTER and not has_heartbeat(client, run, now - LOST_AFTER, now)


def has_heartbeat(client: SyncPrefectClient, run: FlowRun, since: datetime, until: datetime) -> bool:
    wanted = EventFilter(
        occurred=EventOccurredFilter(since=since, until=max(until, datetime.now(UTC))),
        event=EventNameFilter(name=[HEARTBEAT]),
        resource=EventResourceFilter(id=[f"prefect.flow-run.{run.id}"]),
    )
    return client.read_events(wanted, limit=1).total > 0


def closed(client: SyncPrefectClient, run: FlowRun) -> bool:
    """End a lost run; False when the server knows better."""
    told = "No sign of life: its process was killed, or its host. Found by the sweep."
    cancelling = run.state is not None and run.state.type == StateType.CANCELLING
    state: State[None] = Cancelled(message=told) if cancelling else Crashed(message=told)
    return client.set_flow_run_state(run.id, state).status == SetStateStatus.ACCEPT
