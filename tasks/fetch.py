"""Download the original-language audio track of one video."""

from __future__ import annotations

from typing import Any

from prefect import task

from channelscribe.sites.download import download as download_media
from channelscribe.store.layout import original_key
from tasks.leases import step
from tasks.policies import RETRY_DELAYS, ContentPolicy, worth_retrying
from tasks.records import Original, VideoWork
from tasks.workplace import kept_scratch, settings_of, store

DOWNLOAD = ContentPolicy(
    step="download",
    version=1,
    parts=lambda given: (given["video"].site, given["video"].video_id),
)


@task(
    name="download",
    task_run_name="download {video.video_id}",
    cache_policy=DOWNLOAD,
    retries=len(RETRY_DELAYS),
    retry_delay_seconds=RETRY_DELAYS,
    retry_condition_fn=worth_retrying,
    tags=["download"],
)
def download(video: VideoWork, options: dict[str, Any]) -> Original:
    """Fetch the track into the store; a failed try leaves its part for the next one to resume."""
    with step(video, "download") as report, kept_scratch(f"{video.site}-{video.video_id}") as folder:
        got = download_media(
            video.url,
            folder,
            video.video_id,
            settings_of(options).sources,
            progress=lambda fraction, size: report(fraction),
        )
        key = original_key(video.site, video.video_id, got.format_id, got.extension)
        stored = store().put_file(got.path, key, overwrite=True)
    return Original(
        key=key,
        format_id=got.format_id,
        bytes=stored.bytes,
        seconds=got.announced_seconds,
        uploader=got.uploader,
        published=got.published.isoformat() if got.published else None,
    )
