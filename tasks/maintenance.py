"""Sweeps and takedowns as steps of a run, on the workers' own library."""

from __future__ import annotations

from typing import Any

from prefect import task

from channelscribe.retention import Library
from channelscribe.retention.sweep import sweep as sweep_library
from channelscribe.retention.takedown import find_one, take_down
from channelscribe.settings import RetentionOptions
from tasks.caching import RETRIES
from tasks.prefect_history import forget_video
from tasks.resources import catalogue, own_settings, store


@task(name="sweep-library", persist_result=False, **RETRIES)
def sweep(retention: dict[str, Any], dry_run: bool) -> dict[str, Any]:
    """Lost leases, retention, orphans; returns what went, or would go."""
    return sweep_library(library(), RetentionOptions(**retention), delete=not dry_run).to_dict()


@task(name="take-down", persist_result=False, **RETRIES)
def takedown(video: str, dry_run: bool) -> dict[str, Any]:
    """Everything of one video, and what this Prefect server remembers of it; returns what went, or would go."""
    row = find_one(library(), video)
    report = take_down(library(), row, delete=not dry_run).to_dict()
    return report if dry_run else {**report, "forgotten": forget_video(row.site, row.video_id)}


def library() -> Library:
    """The store and the catalogue of this worker, and its own leftovers."""
    return Library.of(own_settings(), catalogue(), store())
