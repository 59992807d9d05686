"""Download the original-language audio track of one video."""

from __future__ import annotations

from functools import partial
from typing import Any

from channelscribe.catalogue import videos
from channelscribe.settings import FilterOptions
from channelscribe.sources.download import download as download_media
from channelscribe.sources.filters import refuse_filtered
from channelscribe.sources.site_key import scope_of_video
from channelscribe.sources.spool import ListedVideo
from channelscribe.store.layout import cover_key, original_key
from tasks.caching import RETRIES, ContentPolicy, remembered
from tasks.leases import step
from tasks.prepare import PREPARE
from tasks.records import Original, VideoWork
from tasks.resources import catalogue, kept_scratch, settings_of, source_options, store
from tasks.site_guard import asking

DOWNLOAD = ContentPolicy(
    step="download",
    version=2,
    parts=lambda given: (given["video"].site, given["video"].video_id, given["video"].rejected),
    of_video=True,
)


@remembered(DOWNLOAD, name="download", task_run_name="download {video.video_id}", tags=["download"], **RETRIES)
def download(video: VideoWork, options: dict[str, Any]) -> Original:
    """Fetch the track into the store; a failed try leaves its part for the next one to resume."""
    if (known := not_needed(video, options)) is not None:
        return known
    sources = source_options(options)
    with (
        step(video, "download") as report,
        kept_scratch(f"{video.site}-{video.video_id}") as folder,
        asking(scope_of_video(video.site, video.url), sources),
    ):
        got = download_media(
            catalogue().run(videos.whole_address, video.pk),
            folder,
            video.video_id,
            sources,
            progress=lambda fraction, size: report(fraction),
            even_unfinished=video.unfinished,
            accept=partial(judge_page, video, settings_of(options).filters),
        )
        key = original_key(video.site, video.video_id, got.format_id, got.extension)
        stored = store().put_file(got.path, key, overwrite=True)
        cover = cover_key(video.site, video.video_id) if got.cover else None
        if got.cover and cover:
            store().put_file(got.cover, cover, overwrite=True)
    return Original(
        key=key,
        format_id=got.format_id,
        bytes=stored.bytes,
        sha256=stored.sha256,
        seconds=got.announced_seconds,
        uploader=got.uploader,
        published=got.published.isoformat() if got.published else None,
        chapters=[(float(each.get("start_time") or 0), str(each.get("title") or "")) for each in got.chapters],
        cover_key=cover,
    )


def not_needed(video: VideoWork, options: dict[str, Any]) -> Original | None:
    """What was downloaded before and went since, if all that would be made of it is there: the site is not asked."""
    earlier = DOWNLOAD.earlier({"video": video})
    if earlier is None:
        return None
    original = Original.model_validate(earlier)
    return original if PREPARE.answered({"video": video, "original": original, "options": options}) else None


def judge_page(video: VideoWork, filters: FilterOptions, page: ListedVideo) -> None:
    """Keep what the page says, so that it is asked once, and refuse what the filters are against."""
    catalogue().run(videos.record_details, video.pk, video.owner, duration=page.duration, published=page.published)
    refuse_filtered(page, filters)
