"""List a source: its videos become rows; or only say what a sync would do (`channelscribe.discovery`)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from prefect import task

from channelscribe import discovery
from channelscribe.discovery import Listed, Rehearsed
from tasks.caching import RETRIES
from tasks.records import Options
from tasks.resources import catalogue, settings_of, source_options

LISTING: dict[str, Any] = {**RETRIES, "persist_result": False}


@task(name="list-source", **LISTING)
def list_source(source: str, options: Options, full: bool = False) -> Listed:
    """Read the source's flat listing and record it. Never cached: the point is to see what is new."""
    filters = settings_of(options).filters
    return discovery.list_source(catalogue(), source, source_options(options), filters, full=full)


@task(name="dry-run", **LISTING)
def dry_run(
    source: str, options: Options, limit: int | None, full: bool = False, again: Sequence[str] = ()
) -> Rehearsed:
    """List the source, and say what a sync would do and why; nothing is written."""
    filters = settings_of(options).filters
    return discovery.rehearse(catalogue(), source, source_options(options), filters, limit, full=full, again=again)
