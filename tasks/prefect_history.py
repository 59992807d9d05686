"""What a Prefect server remembers of a video, deleted: its pages, and the ended runs whose parameters name it."""

from __future__ import annotations

from typing import Any

from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import FlowFilter, FlowFilterName
from prefect.client.schemas.objects import FlowRun

from tasks.artifacts import forget_artifacts

FLOW = "transcribe-audio"
"""The flow whose parameters are videos; the others' are sources."""
PAGE = 200


def forget_video(site: str, video_id: str) -> int:
    """Delete pages and runs; returns how many there were. A run that goes on is left: it has lost the video."""
    return forget_artifacts(site, video_id) + _forget_runs(site, video_id)


def _forget_runs(site: str, video_id: str) -> int:
    named: list[FlowRun] = []
    with get_client(sync_client=True) as client:
        wanted = FlowFilter(name=FlowFilterName(any_=[FLOW]))
        for offset in range(0, 10_000_000, PAGE):
            found = client.read_flow_runs(flow_filter=wanted, limit=PAGE, offset=offset)
            named += [run for run in found if _names(run.parameters, site, video_id) and _has_ended(run)]
            if len(found) < PAGE:
                break
        for run in named:
            client.delete_flow_run(run.id)
    return len(named)


def _names(parameters: dict[str, Any], site: str, video_id: str) -> bool:
    request = parameters.get("request")
    videos = request.get("videos", []) if isinstance(request, dict) else []
    return any(each.get("site") == site and each.get("video_id") == video_id for each in videos)


def _has_ended(run: FlowRun) -> bool:
    return run.state is None or run.state.is_final()
