"""sweep: closes lost runs, gives lost work back, applies the retention, deletes what nothing points to.

Caches: nothing. Needs: the database and the store of this worker's settings; leftovers of other machines are theirs.
"""

from __future__ import annotations

from typing import Any

from prefect import flow

from flows.forms import SweepRequest
from tasks import maintenance
from tasks.resources import run_settings
from tasks.zombie_runs import close_lost_runs


@flow(name="sweep", persist_result=False)
def sweep(request: SweepRequest) -> dict[str, Any]:
    """One sweep; returns its report."""
    retention = run_settings(request.settings).retention
    lost_runs = close_lost_runs(request.dry_run)
    return {"lost_runs": lost_runs, **maintenance.sweep(retention.model_dump(), request.dry_run)}
