"""takedown: deletes everything of one video, everywhere, and sees to it that no sync brings it back.

Caches: nothing. Needs: the database and the store of this worker's settings; leftovers of other machines are theirs.
"""

from __future__ import annotations

from typing import Any

from prefect import flow

from flows.forms import TakedownRequest
from flows.summary import called
from tasks import maintenance


@flow(name="takedown", flow_run_name=called, persist_result=False)
def takedown(request: TakedownRequest) -> dict[str, Any]:
    """One takedown; returns its report."""
    return maintenance.takedown(request.video, request.dry_run)
