"""What Dask is given of a step: bytes and a function. Its scheduler loads this module, so it needs nothing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

__all__ = ["Awaited", "run_packed"]


@dataclass(frozen=True, slots=True)
class Awaited:
    """Stands in the bytes for the result of another step: the one of that number among those that are waited for."""

    number: int


def run_packed(packed: bytes, context: bytes, *awaited: Any) -> Any:
    """In the worker, when what it waits for is there: the step's final state."""
    from channelscribe.project import collect_less

    collect_less()
    from tasks.dask_cluster import run_step

    return run_step(packed, context, awaited)
