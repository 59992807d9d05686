"""Prefect's global limits, from the settings. Creating them again changes nothing; a changed rate is written."""

from __future__ import annotations

from collections.abc import Iterable

from prefect.client.orchestration import get_client

from channelscribe.sites.budgets import RateLimit


def provision_limits(limits: Iterable[RateLimit]) -> None:
    """One slot that decays is a rate: it is free again when the next video may be asked for."""
    with get_client(sync_client=True) as client:
        for limit in limits:
            client.upsert_global_concurrency_limit_by_name(limit.name, 1, limit.per_second)
