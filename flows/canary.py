"""canary: does a source still list, and do the first seconds of a video still come; says so as an event.

Caches: nothing. Needs: this worker's access to sites; its video is asked for within the site's budget.
"""

from __future__ import annotations

from typing import Any

from prefect import flow
from prefect.states import Completed

from channelscribe.settings.travel import to_travel
from flows.forms import CanaryRequest
from flows.summary import called
from tasks.canary import sing
from tasks.resources import run_settings


@flow(name="canary", flow_run_name=called, persist_result=False)
def canary(request: CanaryRequest) -> Any:
    """One try; the run has failed when the site, or yt-dlp, has."""
    settings = run_settings(request.settings)
    heard = sing(request.url, to_travel(settings))
    return Completed(message=heard or "There is no canary: set sources.canary_url, or give a URL.", data=heard)
