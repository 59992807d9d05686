"""What runs are called in the UI: which channel, which day. A video's steps say its id."""

from __future__ import annotations

from datetime import UTC, datetime
from urllib.parse import urlsplit

from prefect.runtime import flow_run

LONGEST = 90


def sync_name() -> str:
    """Such as `youtube.com/@city-radio 2026-01-31`. Prefect calls it without arguments."""
    request = flow_run.parameters["request"]
    source = request["source"] if isinstance(request, dict) else request.source
    return named(source, datetime.now(UTC))


def named(source: str, now: datetime) -> str:
    parts = urlsplit(source)
    place = (parts.hostname or "").removeprefix("www.") + parts.path.removesuffix("/").removesuffix("/videos")
    return f"{place[:LONGEST]} {now:%Y-%m-%d}"
