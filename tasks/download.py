"""Download the original-language audio track of one video."""

from __future__ import annotations

from functools import partial
from typing import Any

from channelscribe.audio.probe import chapters_in
from channelscribe.catalogue import videos
from channelscribe.settings import FilterOptions, SourceOptions
from channelscribe.sources.download import Download
from channelscribe.sources.download import download as download_media
from channelscribe.sources.filters import refuse_filtered
from channelscribe.sources.identifiers import safe_id
from channelscribe.sources.podcasting import fetch_beside
from channelscribe.sources.site_key import scope_of_video
from channelscribe.sources.spool import ListedVideo
from channelscribe.store.layout import cover_key, original_key, publisher_key
from tasks.caching import RETRIES, ContentPolicy, remembered
from tasks.leases import step
from tasks.prepare import PREPARE
from tasks.records import Original, PublisherTranscript, VideoWork
from tasks.resources import catalogue, kept_scratch, settings_of, source_options, store
from tasks.site_guard import asking

DOWNLOAD = ContentPolicy(
    step="download",
    version=2,
    parts=lambda given: (given["video"].site, given["video"].video_id, given["video"].rejected),
    of_video=True,
)


@remembered(DOWNLOAD, name="download", task_run_name="download {video.video_id}", **RETRIES)
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
        address = catalogue().run(videos.whole_address, video.pk)
        got = download_media(
            address,
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
        chapters, transcripts = beside(video, got, address, sources)
    return Original(
        key=key,
        format_id=got.format_id,
        bytes=stored.bytes,
        sha256=stored.sha256,
        seconds=got.announced_seconds,
        uploader=got.uploader,
        published=got.published.isoformat() if got.published else None,
        chapters=chapters,
        cover_key=cover,
        transcripts=transcripts,
    )


def beside(
    video: VideoWork, got: Download, address: str, sources: SourceOptions
) -> tuple[list[tuple[float, str]], list[PublisherTranscript]]:
    """The chapters (the publisher's file of them, else the site's, the media file's own, the feed's) and the
    publisher's transcripts, which are put into the store. Both are written on the video's row.
    """
    (row,) = catalogue().run(videos.rows_of, [video.pk])
    found = fetch_beside(address, row.about, sources)
    told = [(float(each.get("start_time") or 0), str(each.get("title") or "")) for each in got.chapters]
    chapters = [(float(start), str(title)) for start, title in found.chapters or told or chapters_in(got.path)]
    chapters = chapters or [(float(start), str(title)) for start, title in row.chapters]
    transcripts = []
    for each in found.transcripts:
        key = publisher_key(video.site, video.video_id, each.language, each.kind)
        put = store().put_bytes(each.content, key, overwrite=True)
        transcripts.append(
            PublisherTranscript(key=key, kind=each.kind, language=each.language, sha256=put.sha256, timed=each.timed)
        )
    if (chapters, transcripts) != ([(each[0], each[1]) for each in row.chapters], []):
        rows = [each.model_dump() for each in transcripts]
        catalogue().run(videos.record_details, video.pk, video.owner, chapters=chapters, publisher_transcripts=rows)
    return chapters, transcripts


def not_needed(video: VideoWork, options: dict[str, Any]) -> Original | None:
    """What was downloaded before and went since, if all that would be made of it is there: the site is not asked."""
    earlier = DOWNLOAD.earlier({"video": video})
    if earlier is None:
        return None
    original = Original.model_validate(earlier)
    return original if PREPARE.answered({"video": video, "original": original, "options": options}) else None


def kept_original(video: VideoWork) -> Original | None:
    """The track of which the video's audio was made last, if the store has it; what the site said of it is gone."""
    row = catalogue().run(videos.audio_of, video.pk)
    if row is None or row.format_id is None:
        return None
    name = f"originals/{video.site}/{video.video_id}/{safe_id(row.format_id)}"
    for found in store().objects(name.rpartition("/")[0]):
        if found.key.rpartition(".")[0] == name and store().sha256(found.key) == row.source_sha256:
            (known,) = catalogue().run(videos.rows_of, [video.pk])
            cover = cover_key(video.site, video.video_id)
            return Original(
                key=found.key,
                format_id=row.format_id,
                bytes=found.bytes,
                seconds=None,
                sha256=row.source_sha256,
                published=known.published.isoformat() if known.published else None,
                cover_key=cover if store().exists(cover) else None,
                chapters=[(float(start), str(title)) for start, title in known.chapters],
                transcripts=[PublisherTranscript(**each) for each in known.publisher_transcripts],
            )
    return None


def judge_page(video: VideoWork, filters: FilterOptions, page: ListedVideo) -> None:
    """Keep what the page says, so that it is asked once, and refuse what the filters are against."""
    catalogue().run(videos.record_details, video.pk, video.owner, duration=page.duration, published=page.published)
    refuse_filtered(page, filters)
