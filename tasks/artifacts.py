"""What a run shows of its videos in the Prefect UI: a page for each, with figures and a picture, and a table of all.

Prefect's UI (3.8, both of its looks) shows images of a markdown artifact whose address is `data:image/…`.
"""

from __future__ import annotations

import hashlib
import logging
import re
from collections.abc import Sequence
from datetime import datetime

from prefect.artifacts import create_markdown_artifact, create_table_artifact
from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import ArtifactFilter, ArtifactFilterKey

from channelscribe.catalogue import stats, videos
from channelscribe.catalogue.videos import Outcome
from channelscribe.evaluation.summary import page
from channelscribe.export import VideoMeta
from channelscribe.sources.addresses import display_url
from channelscribe.transcript import Transcript
from tasks.progress import STAGES
from tasks.records import Published, VideoWork
from tasks.resources import catalogue

LONGEST_KEY = 80  # characters of a site and an id

_log = logging.getLogger(__name__)


def transcript_artifact_key(site: str, video_id: str) -> str:
    """The page of a video has one key, so that its history is in one place."""
    return artifact_key("transcript", f"{site}-{video_id}")


def progress_key(stage: str, site: str, video_id: str) -> str:
    """The bars of a stage of a video, whichever try."""
    return artifact_key(f"progress-{stage}", f"{site}-{video_id}")


def source_key(kind: str, source: str) -> str:
    """What a run leaves of a source. The URL of a private feed has a token in it, which is not for the key."""
    return artifact_key(kind, source, display_url(source))


def artifact_key(kind: str, name: str, shown: str | None = None) -> str:
    """Prefect's keys have a-z, 0-9 and dashes only. A name that loses something by that gets a bit of its hash."""
    plain = re.sub(r"[^a-z0-9]+", "-", (shown or name).lower()).strip("-")[:LONGEST_KEY].strip("-")
    digits = "" if plain == name else f"-{hashlib.sha256(name.encode()).hexdigest()[:8]}"
    return f"{kind}-{plain}{digits}"


def show_transcript(video: VideoWork, transcript: Transcript, meta: VideoMeta, version: int) -> None:
    """Leave the video's page as an artifact of this task run. Never fails: it is no part of what is published."""
    try:
        create_markdown_artifact(
            key=transcript_artifact_key(video.site, video.video_id),
            markdown=page(transcript, meta, version),
            description=" ".join(video.title.split())[:200],
        )
    except Exception as error:
        _log.warning("%s has no page in the UI: %s: %s", video.video_id, type(error).__name__, error)


def show_sync(
    source: str, title: str, published: Sequence[Published], failed: Sequence[VideoWork], since: datetime
) -> None:
    """Leave a table of what a run did with each video: state, reason, seconds, real-time factor. Never fails.

    The factor is seconds of audio for each second of work since `since`, all stages together.
    """
    try:
        rows = catalogue().run(videos.outcomes, [*(each.pk for each in published), *(video.pk for video in failed)])
        work = catalogue().run(stats.work_seconds, list(rows), since)
        create_table_artifact(
            key=source_key("sync", source),
            table=[_line(row, work.get(pk, 0.0)) for pk, row in rows.items()],
            description=" ".join(title.split())[:200],
        )
    except Exception as error:
        _log.warning("the run has no table in the UI: %s: %s", type(error).__name__, error)


def _line(row: Outcome, work: float) -> dict[str, str | float | None]:
    heard = row.seconds if row.reason is None else None
    return {
        "video": row.video_id,
        "state": row.state,
        "reason": row.reason or "",
        "seconds of audio": heard,
        "seconds of work": round(work, 1),
        "real-time factor": round(heard / work, 2) if heard and work else None,
    }


def forget_artifacts(site: str, video_id: str) -> int:
    """Delete all pages of a video, which hold its title and first words, and its bars; returns how many there were."""
    bars = [progress_key(stage, site, video_id) for stage in STAGES]
    wanted = ArtifactFilter(key=ArtifactFilterKey(any_=[transcript_artifact_key(site, video_id), *bars]))
    gone = 0
    with get_client(sync_client=True) as client:
        while found := client.read_artifacts(artifact_filter=wanted):
            for artifact in found:
                client.delete_artifact(artifact.id)
            gone += len(found)
    return gone
