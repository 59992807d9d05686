"""Sweeps, repairs and takedowns as steps of a run, on the workers' own library."""

from __future__ import annotations

from typing import Any

from prefect import task

from channelscribe.catalogue import references, transcripts, videos
from channelscribe.catalogue.states import State
from channelscribe.catalogue.tables import AudioRow
from channelscribe.errors import SourceError
from channelscribe.retention import Library
from channelscribe.retention.repair import Repaired, repair_from_rows, speech_of_archive
from channelscribe.retention.sweep import Missing, missing
from channelscribe.retention.sweep import sweep as sweep_library
from channelscribe.retention.takedown import find_one, named, take_down
from channelscribe.settings import RetentionOptions
from channelscribe.store.layout import RESULTS, speech_key
from channelscribe.text.reading import read as read_transcript
from tasks.caching import RETRIES
from tasks.download import DOWNLOAD, download, kept_original
from tasks.leases import step
from tasks.prefect_history import forget_video
from tasks.prepare import PREPARE, prepare, record_audio
from tasks.reannotate import key_of, publish_reading
from tasks.records import Options, Original, PreparedAudio, VideoWork
from tasks.resources import catalogue, own_settings, scratch, settings_of, store

FROM_SITE = {"originals", "archives", "audio_parts"}
"""What is made of the download alone."""


@task(name="sweep-library", persist_result=False, **RETRIES)
def sweep(retention: dict[str, Any], dry_run: bool) -> dict[str, Any]:
    """Lost leases, retention, orphans; returns what went, or would go, and what is missing."""
    return sweep_library(library(), RetentionOptions(**retention), delete=not dry_run).to_dict()


@task(name="find-missing", persist_result=False, **RETRIES)
def find_missing(retention: dict[str, Any], owner: str) -> list[tuple[VideoWork, Missing]]:
    """The published videos of which the store has lost something; nobody holds them yet."""
    found = {each.pk: each for each in missing(library(), RetentionOptions(**retention))}
    return [
        (
            VideoWork(
                pk=row.id,
                site=row.site,
                video_id=row.video_id,
                url=row.url,
                title=row.title,
                channel=catalogue().run(references.channel_of, row.id),
                owner=owner,
                rejected=row.rejected,
            ),
            found[row.id],
        )
        for row in catalogue().run(videos.rows_of, list(found))
    ]


@task(name="repair", task_run_name="repair {video.video_id}", persist_result=False, **RETRIES)
def repair(video: VideoWork, lost: Missing, options: Options) -> Repaired:
    """Make again what the store has lost of a leased video; it stays published, whatever comes of it."""
    done = repair_from_rows(library(), lost)
    repair_readings(video, lost, options, done)
    if lost.keys.keys() & (FROM_SITE | {"speech_tracks", RESULTS}):
        repair_audio(video, lost, options, done)
    catalogue().run(videos.record_state, video.pk, video.owner, State.PUBLISHED)
    return done


def repair_readings(video: VideoWork, lost: Missing, options: Options, done: Repaired) -> None:
    """Read versions again whose reading is missing. With other models than then a current one has a new key."""
    for row in catalogue().run(transcripts.versions, video.pk):
        if row.reading_key not in lost.keys.get("readings", ()):
            continue
        as_first = row.reading_key == key_of(video, row, options, recognized=True)
        found, _, transcript = catalogue().run(
            transcripts.transcript_of, video.pk, row.version, recognized=as_first, named=False
        )
        reading = read_transcript(transcript, settings_of(options).text)
        with step(video, "read"):
            if row.reading_key in (key_of(video, row, options), key_of(video, row, options, recognized=True)):
                store().put_json(reading.to_dict(), row.reading_key)
            elif found.current_transcript_pk == row.id:
                publish_reading(video, row, reading, options)
            else:
                done.left[f"{video.site}:{video.video_id}"] = f"version {row.version} was read by other text models"
                continue
            done.count("readings")


def repair_audio(video: VideoWork, lost: Missing, options: Options, done: Repaired) -> None:
    """Archive, speech track and parts of the original, which is fetched again where it is missing; a speech track
    alone, or of what the site no longer has, of the archive.
    """
    row = catalogue().run(videos.audio_of, video.pk)
    original = known_original(video)
    if row is None:
        return
    if lost.keys.keys() == {RESULTS}:  # all files are there; that the site need not be asked is to be known again
        if original is not None:
            DOWNLOAD.remember({"video": video}, original)
        return
    if original is None and not lost.keys.keys() & FROM_SITE:
        repair_speech(video, row, options, done)
        return
    try:
        if original is None:
            DOWNLOAD.forget({"video": video})
            original = download(video, options)
            done.count("originals", len(lost.keys.get("originals", ())))
        else:
            DOWNLOAD.remember({"video": video}, original)
        prepare(video, original, options)
    except SourceError:
        if "speech_tracks" in lost.keys and store().exists(row.archive_key):
            repair_speech(video, row, options, done)
        raise
    for kind in ("archives", "audio_parts", "speech_tracks"):
        again = [key for key in lost.keys.get(kind, ()) if store().exists(key)]
        done.count(kind, len(again))
        if len(again) < len(lost.keys.get(kind, ())):
            done.left[f"{video.site}:{video.video_id}"] = "its audio was made with other options, or of other bytes"


def known_original(video: VideoWork) -> Original | None:
    """The original in the store: as its download answered, or as far as the rows tell."""
    earlier = DOWNLOAD.earlier({"video": video})
    if earlier is not None and store().exists(earlier["key"]):
        return Original.model_validate(earlier)
    return kept_original(video)


def repair_speech(video: VideoWork, row: AudioRow, options: Options, done: Repaired) -> None:
    """A speech track of the archive. Its place in the original's time is known from what preparing answered."""
    audio = settings_of(options).audio
    gone = Original(key="gone/0", format_id=row.format_id or "", bytes=0, seconds=None, sha256=row.source_sha256)
    given = {"video": video, "original": gone, "options": options}
    answer = PREPARE.earlier(given)
    if answer is None or not store().exists(row.archive_key):
        done.left[f"{video.site}:{video.video_id}"] = "nothing is left that a speech track could be made of"
        return
    with (
        step(video, "prepare"),
        scratch(f"repair-{video.video_id}") as folder,
        store().local_path(row.archive_key) as archive,
    ):
        made = speech_of_archive(archive, folder, audio)
        put = store().put_file(made.speech, speech_key(video.site, video.video_id, made.speech_sha256))
        changed = {"speech_key": put.key, "speech_sha256": made.speech_sha256, "timeline": answer["archive_timeline"]}
        prepared = PreparedAudio.model_validate({**answer, **changed})
        record_audio(video, prepared)
        PREPARE.remember(given, prepared)
    done.count("speech_tracks")


@task(name="take-down", persist_result=False, **RETRIES)
def takedown(video: str, dry_run: bool) -> dict[str, Any]:
    """Everything of one video, and what this Prefect server remembers of it; returns what went, or would go."""
    row = find_one(library(), video)
    report = take_down(library(), row, delete=not dry_run).to_dict()
    if dry_run:
        return report
    forgotten = forget_video(row.site, row.video_id, named(row.site, row.video_id, row.url, row.title))
    return {**report, "forgotten": forgotten.count, "left": [*report["left"], *forgotten.left]}


def library() -> Library:
    """The store and the catalogue of this worker, and its own leftovers."""
    return Library.of(own_settings(), catalogue(), store())
