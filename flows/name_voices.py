"""name-voices: asks a person who the unknown voices of a source are; the run is paused until somebody has answered.

Caches: nothing. Needs: the database and the store of this worker's settings, and who resumes the run in the UI.
"""

from __future__ import annotations

from typing import Any

from prefect import flow
from prefect.exceptions import FlowPauseTimeout
from prefect.flow_runs import pause_flow_run
from prefect.states import Completed

from flows.forms import NameVoicesRequest
from flows.summary import called
from tasks.voices import find_unknown, form_of, name_them

LOOK_SECONDS = 3
"""Between two looks whether somebody has answered."""


@flow(name="name-voices", flow_run_name=called, persist_result=False)
def name_voices(request: NameVoicesRequest) -> Any:
    """One form with a field for each unknown voice; what is left empty stays unknown."""
    unknown = find_unknown(request.channel, request.limit, request.min_minutes)
    if not unknown:
        return Completed(message="There is no unknown voice.", data={"named": {}, "merged": {}, "failed": {}})
    seconds = int(request.hours * 3600)
    try:
        answers = pause_flow_run(wait_for_input=form_of(unknown), timeout=seconds, poll_interval=LOOK_SECONDS)
    except FlowPauseTimeout:
        return Completed(message=f"Nobody answered within {request.hours:g} hours; nothing is named.")
    fields = {f"voice_{each['voice']}" for each in unknown}
    done = name_them(answers.model_dump(include=fields) if answers else {})
    failed = f", {len(done['failed'])} failed" if done["failed"] else ""
    return Completed(message=f"{len(done['named'])} named, {len(done['merged'])} merged{failed}", data=done)
