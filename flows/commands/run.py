"""`channelscribe run FLOW`: start a deployment on the Prefect server, follow it, and end with the exit code of its end.

The run goes on wherever its worker is, whatever becomes of this command. Its counts come with the event that it ends
with (`channelscribe.….finished`), since results stay with the workers.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any
from uuid import UUID

import yaml

from channelscribe.errors import StackError, UsageError, did_you_mean
from channelscribe.local_stack import running_addresses
from flows.output import EXIT_DONE, EXIT_FAILED, EXIT_SOME_FAILED, print_json, say, tell
from flows.session import asking_prefect, quiet_terminal, run_settings

if TYPE_CHECKING:
    from prefect.client.orchestration import SyncPrefectClient
    from prefect.client.schemas.objects import FlowRun
    from prefect.client.schemas.responses import DeploymentResponse

LOOK_SECONDS = 2.0
AWAY_SECONDS = 300.0
"""A server that stays away longer is told; the run may go on."""
SUMMARY_SECONDS = 20.0
TAG = "channelscribe"


def run(options: argparse.Namespace) -> int:
    settings, _ = run_settings(options)
    given = parameters(options.param)
    url = running_addresses(settings).prefect_api_url
    if url is None:
        raise StackError(
            "No Prefect server is set or runs.", remedy="Set prefect.api_url, or start `channelscribe up`."
        )
    with asking_prefect(settings, url):
        import httpx
        from prefect.client.orchestration import get_client

        quiet_terminal()
        try:
            with get_client(sync_client=True) as client:
                deployment = chosen(client, options.flow)
                started = start(client, deployment, given)
                page = page_of(url, started)
                tell(f"{deployment.name}: run {started.name}, {page}")
                if not options.wait:
                    report(options, started, page, None)
                    return EXIT_DONE
                ended = follow(client, started.id)
                summary = summary_of(client, started.id)
        except httpx.HTTPError as error:
            raise StackError(
                f"The Prefect server at {url} does not answer ({type(error).__name__}).",
                remedy="Look whether it runs; a run that was started goes on.",
            ) from error
    report(options, ended, page, summary)
    return code_of(ended, summary)


def parameters(texts: list[str]) -> dict[str, Any]:
    """Fields of the flow's form, values as YAML has them; `request=JSON` is the whole form, as Prefect takes it."""
    request: dict[str, Any] = {}
    for text in texts:
        key, separator, value = text.partition("=")
        if not separator or not key.strip():
            raise UsageError(f"{text!r} is not KEY=VALUE.", remedy="For example --param limit=20.")
        try:
            read = yaml.safe_load(value)
        except yaml.YAMLError:
            read = value
        if key.strip() != "request":
            request[key.strip()] = read
        elif isinstance(read, dict):
            request |= read
        else:
            raise UsageError("request= needs a JSON object.", remedy="Or give its fields, such as --param limit=20.")
    return request


def chosen(client: SyncPrefectClient, name: str) -> DeploymentResponse:
    """The deployment of that name, FLOW/DEPLOYMENT, or our only one of that flow. Raises UsageError."""
    from prefect.client.schemas.filters import DeploymentFilter, DeploymentFilterTags

    ours = client.read_deployments(deployment_filter=DeploymentFilter(tags=DeploymentFilterTags(all_=[TAG])), limit=200)
    names = {each.id: f"{client.read_flow(each.flow_id).name}/{each.name}" for each in ours}
    found = [each for each in ours if name in (names[each.id], names[each.id].partition("/")[0])]
    if len(found) == 1:
        return found[0]
    if "/" in name and not found:
        from prefect.exceptions import ObjectNotFound

        try:
            return client.read_deployment_by_name(name)
        except ObjectNotFound:
            pass
    known = sorted(names.values())
    remedy = f"There are {', '.join(known)}." if known else "`channelscribe deploy` makes them."
    what = "is several deployments" if found else "is no deployment of this server"
    raise UsageError(
        f"{name!r} {what}.{did_you_mean(name, [*known, *(n.partition('/')[0] for n in known)])}", remedy=remedy
    )


def start(client: SyncPrefectClient, deployment: DeploymentResponse, request: Mapping[str, Any]) -> FlowRun:
    """Raises UsageError for what the form refuses."""
    import httpx

    before = (deployment.parameters or {}).get("request") or {}
    try:
        return client.create_flow_run_from_deployment(deployment.id, parameters={"request": {**before, **request}})
    except httpx.HTTPStatusError as error:
        if error.response.status_code not in (409, 422):
            raise
        detail = error.response.json().get("detail")
        told = detail if isinstance(detail, str) else json.dumps(detail)
        raise UsageError(f"The form refuses it: {told[:500]}.", remedy="Its fields are in the Prefect UI.") from error


def follow(client: SyncPrefectClient, run_id: UUID) -> FlowRun:
    """Until the run has ended; each state and the bar of its progress on stderr. A server may be away for a while."""
    import httpx

    shown, away_since = "", None
    while True:
        try:
            current = client.read_flow_run(run_id)
            line = line_of(current, share_of(client, run_id))
            away_since = None
        except httpx.TransportError as error:
            away_since = away_since or time.monotonic()
            if time.monotonic() - away_since > AWAY_SECONDS:
                raise
            line = f"the server does not answer ({type(error).__name__})"
            current = None
        if line != shown:
            tell(f"  {line}")
            shown = line
        if current is not None and current.state is not None and current.state.is_final():
            return current
        time.sleep(LOOK_SECONDS)


def line_of(current: FlowRun, share: float | None) -> str:
    state = current.state_name or "?"
    return f"{state} {share:.0f} %" if share is not None and state == "Running" else state


def share_of(client: SyncPrefectClient, run_id: UUID) -> float | None:
    """Per cent, of the bar that a long run has."""
    from prefect.client.schemas.filters import ArtifactFilter, ArtifactFilterFlowRunId, ArtifactFilterType

    wanted = ArtifactFilter(
        flow_run_id=ArtifactFilterFlowRunId(any_=[run_id]), type=ArtifactFilterType(any_=["progress"])
    )
    bars = [each for each in client.read_artifacts(artifact_filter=wanted) if each.task_run_id is None]
    shares = [float(each.data) for each in bars if isinstance(each.data, int | float)]
    return shares[-1] if shares else None


def summary_of(client: SyncPrefectClient, run_id: UUID) -> dict[str, Any] | None:
    """What the run told at its end; None where it did not come that far."""
    wanted = {
        "filter": {"event": {"prefix": ["channelscribe."]}, "related": {"id": [f"prefect.flow-run.{run_id}"]}},
        "limit": 50,
    }
    deadline = time.monotonic() + SUMMARY_SECONDS
    while True:
        answer = client._client.post("/events/filter", json=wanted)
        answer.raise_for_status()
        for event in answer.json()["events"]:
            if event["event"].endswith(".finished"):
                payload: dict[str, Any] = event["payload"]
                return payload
        if time.monotonic() > deadline:
            return None
        time.sleep(LOOK_SECONDS / 4)


def page_of(api_url: str, started: FlowRun) -> str:
    from prefect.settings import get_current_settings

    ui = get_current_settings().ui_url or api_url.removesuffix("/api")
    return f"{ui.rstrip('/')}/runs/flow-run/{started.id}"


def code_of(ended: FlowRun, summary: Mapping[str, Any] | None) -> int:
    """That of the command line: 3 where some videos failed, or are left for another run."""
    if ended.state is None or not ended.state.is_completed():
        return EXIT_FAILED
    told = summary or {}
    return EXIT_SOME_FAILED if any(told.get(what) for what in ("failures", "incomplete", "held", "busy")) else EXIT_DONE


def report(options: argparse.Namespace, current: FlowRun, page: str, summary: Mapping[str, Any] | None) -> None:
    message = (current.state.message if current.state else None) or ""
    if options.json:
        facts = {"flow_run": current.id, "name": current.name, "state": current.state_name, "message": message}
        print_json({**facts, "url": page, "summary": summary})
        return
    say(f"{current.state_name}: {message}" if message else f"{current.state_name}")
    for failure in (summary or {}).get("failures", ()):
        say(f"  {failure['title'] or failure['video']}: {failure['message']} {failure['remedy']} [{failure['reason']}]")
