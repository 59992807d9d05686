"""Read what is published already once more, with the text models and steps of now.

A reading takes the place of the one before in one transaction; the transcript, its version and its files stay.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from datetime import date
from typing import Any

from prefect import task
from prefect.futures import PrefectFuture

from channelscribe.catalogue import publishing, transcripts
from channelscribe.catalogue import videos as rows
from channelscribe.catalogue.tables import TranscriptRow, VideoRow
from channelscribe.errors import ChannelscribeError, Then, UnknownVideo
from channelscribe.files import content_key
from channelscribe.settings.options import TextOptions
from channelscribe.store.layout import reading_key
from channelscribe.text.reading import read_all
from channelscribe.text.records import Reading
from channelscribe.transcript import Transcript
from tasks.batching import Failed, failure_of
from tasks.caching import RETRIES
from tasks.leases import step
from tasks.read import READ, reading_parts
from tasks.records import Options, VideoWork
from tasks.resources import catalogue, settings_of, store

WORDS = 20_000
"""Of a task: some seconds of work, so that what a task costs does not show, and workers share the rest evenly."""


@task(name="find-transcripts", persist_result=False)
def find_transcripts(channel: str | None, since: date | None, limit: int | None, owner: str) -> list[VideoWork]:
    """The videos whose current transcript is wanted, newest first; nobody holds them yet."""
    return [work(row, owner) for row in catalogue().run(transcripts.with_transcripts, channel, since, limit)]


@task(
    name="read-again",
    persist_result=False,
    **RETRIES,
)
def read_again(videos: list[VideoWork], options: Options) -> dict[int, ChannelscribeError | None]:
    """The current transcripts of several videos, together; by number what went wrong, None where nothing did.

    A reading that is in the store already is not made again. One that fails keeps the reading that it had.
    """
    ended: dict[int, ChannelscribeError | None] = {}
    texts = settings_of(options).text
    for video, transcript_row, reading in read_together(videos, options, texts, ended):
        try:
            with step(video, "read"):
                publish_reading(video, transcript_row, reading, options)
            ended[video.pk] = None
        except ChannelscribeError as error:
            if error.then is Then.RETRY_NOW:
                raise
            ended[video.pk] = error
    return ended


def not_read(videos: list[VideoWork], future: PrefectFuture[Any]) -> list[Failed]:
    """What failed of a group: those that the task tells, or all of them when it failed itself."""
    error = failure_of([future])
    ended = {} if error else future.result()
    told = [(video, error or ended.get(video.pk)) for video in videos]
    return [Failed(video, why) for video, why in told if why is not None]


def read_together(
    videos: list[VideoWork], options: Options, texts: TextOptions, ended: dict[int, ChannelscribeError | None]
) -> Iterator[tuple[VideoWork, TranscriptRow, Reading | None]]:
    """Each video with its transcript's row and, unless the store has it, the reading; `ended` gets what fails."""
    unread: deque[tuple[VideoWork, TranscriptRow]] = deque()

    def read_back() -> Iterator[Transcript]:
        for video in videos:
            try:
                _, row, transcript = catalogue().run(transcripts.transcript_of, video.pk, named=False)
            except UnknownVideo as error:  # taken down meanwhile
                ended[video.pk] = error
                continue
            if store().exists(key_of(video, row, options)):
                there.append((video, row))
                continue
            unread.append((video, row))
            yield transcript

    there: list[tuple[VideoWork, TranscriptRow]] = []
    for reading in read_all(read_back(), texts):
        yield *unread.popleft(), reading
    yield from ((video, row, None) for video, row in there)


def publish_reading(video: VideoWork, row: TranscriptRow, reading: Reading | None, options: Options) -> None:
    """The reading's file, then its rows in place of the old ones."""
    key = key_of(video, row, options)
    if reading is not None:
        store().put_json(reading.to_dict(), key)
    transcript = catalogue().run(transcripts.transcript_of, video.pk, row.version, recognized=True)[2]
    catalogue().run(
        publishing.publish,
        video.pk,
        video.owner,
        row.transcript_id,
        transcript,
        store().read_json(key),
        row.files,
        row.models,
        reading_key=key,
        read_with=row.corrected,
    )


def key_of(video: VideoWork, row: TranscriptRow, options: Options, *, recognized: bool = False) -> str:
    """The reading of what people corrected in it, or of what was `recognized`, as it is read first."""
    corrected = f"-{row.corrected}" if row.corrected and not recognized else ""
    parts = reading_parts(row.transcript_id + corrected, options)
    return reading_key(video.site, video.video_id, content_key(READ.version, *parts))


def by_words(videos: list[VideoWork], most: int = WORDS) -> list[list[VideoWork]]:
    """The videos in order, in groups of at most `most` words; a longer transcript is a group of its own."""
    words = {
        pk: outcome.words for pk, outcome in catalogue().run(rows.outcomes, [video.pk for video in videos]).items()
    }
    groups: list[list[VideoWork]] = []
    held = 0
    for video in videos:
        if not groups or held + words.get(video.pk, 0) > most:
            groups.append([])
            held = 0
        groups[-1].append(video)
        held += words.get(video.pk, 0)
    return groups


def work(row: VideoRow, owner: str) -> VideoWork:
    return VideoWork(
        pk=row.id, site=row.site, video_id=row.video_id, url=row.url, title=row.title, channel="", owner=owner
    )
