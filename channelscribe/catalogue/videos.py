"""The rows of videos: how they are found, what becomes known of them, and where they are in their life.

What a failure makes of a video (its state, its reason, when it is tried again) the error tree decides.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

from sqlmodel import Session, col, select

from channelscribe.catalogue.connection import clean_json, clean_text, execute
from channelscribe.catalogue.finding import find
from channelscribe.catalogue.leases import clear_lease, held
from channelscribe.catalogue.states import DUE, FREE, State
from channelscribe.catalogue.tables import AudioRow, SourceRow, SourceVideoRow, VideoRow
from channelscribe.errors import (
    AddressRefused,
    ChannelscribeError,
    CorruptMedia,
    EmptyMedia,
    LeaseLost,
    SignInRequired,
    SourceNotFound,
    Then,
    TruncatedMedia,
    UnknownVideo,
    as_ours,
    stops_run,
)

__all__ = [
    "STATE_AFTER",
    "Outcome",
    "advance",
    "audio_of",
    "find_videos",
    "left_out",
    "list_videos",
    "outcomes",
    "record_audio",
    "record_details",
    "record_failure",
    "record_state",
    "retry_delay",
    "rows_of",
    "sources",
    "waiting",
    "whole_address",
]


def sources(session: Session) -> list[SourceRow]:
    """All sources, oldest first."""
    return list(session.exec(select(SourceRow).order_by(col(SourceRow.id))).all())


def rows_of(session: Session, video_pks: Sequence[int]) -> list[VideoRow]:
    """The videos with these numbers."""
    return list(session.exec(select(VideoRow).where(col(VideoRow.id).in_(list(video_pks)))).all())


def left_out(session: Session, source_pk: int) -> list[tuple[str, str | None, int, str | None]]:
    """(state, reason, videos, message) of the source's videos that are not due, the most frequent first."""
    query = f"""
        SELECT CASE WHEN link.filtered IS NULL THEN state ELSE 'excluded' END AS state,
            coalesce(link.filtered, reason) AS reason, count(*) AS videos,
            CASE WHEN bool_or(link.filtered IS NOT NULL AND state <> 'excluded')
                THEN 'Left out here; another source wants it.' ELSE max(message) END AS message
        FROM video JOIN source_video AS link ON link.video_pk = video.id
        WHERE link.source_pk = :source AND link.gone_at IS NULL
            AND (link.filtered IS NOT NULL OR NOT ({DUE} AND {FREE}))
        GROUP BY 1, 2 ORDER BY videos DESC, state, reason"""  # noqa: S608 - constants of the module leases
    return [tuple(row) for row in execute(session, query, source=source_pk)]


def waiting(session: Session, source_pk: int) -> int:
    """How many of the source's videos wait: upcoming, live, just ended."""
    query = """SELECT count(*) FROM video JOIN source_video AS link ON link.video_pk = video.id
        WHERE link.source_pk = :source AND link.gone_at IS NULL AND state = 'waiting'"""
    count: int = execute(session, query, source=source_pk).scalar_one()
    return count


def list_videos(session: Session, source_pk: int) -> list[VideoRow]:
    """All videos of the source in its order; those gone from it last."""
    query = (
        select(VideoRow)
        .join(SourceVideoRow, col(SourceVideoRow.video_pk) == col(VideoRow.id))
        .where(SourceVideoRow.source_pk == source_pk)
        .order_by(
            col(SourceVideoRow.gone_at).is_not(None),
            col(SourceVideoRow.position).nulls_last(),
            col(VideoRow.id),
        )
    )
    return list(session.exec(query).all())


def find_videos(session: Session, wanted: str) -> list[VideoRow]:
    """The rows of the videos that a person means (`finding.find`)."""
    pks = find(session, wanted)
    rows = {row.id: row for row in session.exec(select(VideoRow).where(col(VideoRow.id).in_(pks)))} if pks else {}
    return [rows[pk] for pk in pks]


def of_source(session: Session, source_pk: int, wanted: str) -> list[int]:
    """The numbers of the videos of one source that a person means. Raises UnknownVideo where it lists none."""
    found = find(session, wanted)
    query = "SELECT video_pk FROM source_video WHERE source_pk = :source AND video_pk = ANY(:videos)"
    listed = [int(pk) for pk in execute(session, query, source=source_pk, videos=found).scalars()]
    if not listed:
        raise UnknownVideo(f"The source lists no video {wanted[:200]!r}.", remedy="Give its id, guid or URL.")
    return listed


def whole_address(session: Session, video_pk: int) -> str:
    """The URL to ask for a video's media: with the passwords and tokens that belong to it."""
    row = session.exec(select(VideoRow).where(VideoRow.id == video_pk)).one()
    return row.private_url or row.url


def record_details(
    session: Session,
    video_pk: int,
    owner: str,
    *,
    title: str | None = None,
    description: str | None = None,
    duration: float | None = None,
    published: date | None = None,
    live_status: str | None = None,
    chapters: Sequence[Sequence[Any]] | None = None,
    publisher_transcripts: Sequence[Mapping[str, Any]] | None = None,
) -> None:
    """Fill in what the video's page and file told; None says nothing. `duration` is in seconds. Raises LeaseLost."""
    row = held(session, video_pk, owner)
    details = {
        "title": title,
        "description": description,
        "duration": duration,
        "published": published,
        "live_status": live_status,
        "chapters": chapters,
        "publisher_transcripts": publisher_transcripts,
    }
    for name, value in details.items():
        if value is not None:
            setattr(row, name, clean_json(value))
    session.add(row)


def record_audio(
    session: Session,
    video_pk: int,
    owner: str,
    *,
    source_sha256: str,
    options_key: str,
    format_id: str | None,
    seconds: float,
    bytes: int,
    archive_key: str,
    speech_key: str,
    speech_sha256: str,
    loudness: dict[str, Any] | None = None,
    part_keys: Sequence[str] = (),
) -> AudioRow:
    """Write the prepared audio (seconds and bytes of the archive) and the state `downloaded`.

    The same source and options again replace the row. Raises LeaseLost.
    """
    row = held(session, video_pk, owner)
    audio: dict[str, Any] = {
        "source_sha256": source_sha256,
        "options_key": options_key,
        "format_id": format_id,
        "seconds": seconds,
        "bytes": bytes,
        "archive_key": archive_key,
        "speech_key": speech_key,
        "speech_sha256": speech_sha256,
        "loudness": loudness or {},
        "part_keys": list(part_keys),
    }
    known = session.exec(
        select(AudioRow).where(
            AudioRow.video_pk == video_pk,
            AudioRow.source_sha256 == source_sha256,
            AudioRow.options_key == options_key,
        )
    ).one_or_none()
    written = known or AudioRow(video_pk=video_pk, **audio)
    for name, value in clean_json(audio).items():
        setattr(written, name, value)
    session.add(written)
    advance(row, State.DOWNLOADED)
    session.add(row)
    session.flush()
    return written


def audio_of(session: Session, video_pk: int) -> AudioRow | None:
    """The audio that was prepared last."""
    query = select(AudioRow).where(AudioRow.video_pk == video_pk).order_by(col(AudioRow.id).desc())
    return session.exec(query.limit(1)).first()


def record_state(
    session: Session,
    video_pk: int,
    owner: str,
    state: State | str,
    *,
    reason: str | None = None,
    message: str | None = None,
) -> None:
    """Move a video on. `downloaded` and `transcribed` keep the lease, every other state gives it back.

    Raises LeaseLost.
    """
    state = State(state)
    row = held(session, video_pk, owner)
    advance(row, state)
    row.reason, row.message = reason, message and clean_text(message)
    if state not in (State.DOWNLOADED, State.TRANSCRIBED):
        clear_lease(row)
    session.add(row)


def advance(row: VideoRow, state: State) -> None:
    """A step succeeded: what went wrong before no longer matters."""
    row.state = state.value
    row.reason = row.message = row.remedy = row.next_check_at = None
    row.verdict = row.verdict_at = None
    row.attempts = row.setbacks = 0
    row.updated_at = datetime.now(UTC)


STATE_AFTER = {
    Then.GIVE_UP: State.UNAVAILABLE,
    Then.WAIT: State.WAITING,
    Then.RETRY_NOW: State.RETRYING,
    Then.RETRY_LATER: State.RETRYING,
    Then.STOP_SOURCE: State.RETRYING,
    Then.ASK_OPERATOR: State.RETRYING,
    Then.EXCLUDE: State.EXCLUDED,
}
"""What is the machine's failure (`stops_run`) changes no state."""
FIRST_DELAY = {
    Then.RETRY_NOW: timedelta(minutes=1),
    Then.RETRY_LATER: timedelta(minutes=15),
    Then.STOP_SOURCE: timedelta(hours=1),
    Then.WAIT: timedelta(minutes=30),
}
REJECTS = (TruncatedMedia, CorruptMedia, EmptyMedia)
"""What a download has that must be fetched anew to be tried again."""
SIGN_IN_DELAY = timedelta(days=1)
LONGEST_DELAY = timedelta(days=7)
LONGEST_WAIT = timedelta(days=1)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
LEAST_BETWEEN_DAYS = timedelta(hours=6)
"""Apart from the date: midnight makes no second day of one bad hour."""
CHEAP = (SourceNotFound, EmptyMedia, AddressRefused)
"""What one request can find to have changed."""
MENDED = (SourceNotFound, EmptyMedia)
"""What a feed's owner mends without telling."""
JITTER = 0.2


def retry_delay(error: ChannelscribeError, attempts: int) -> timedelta | None:
    """Time to the next try: doubling with each attempt (the first is 1) up to a limit, 20 % of jitter.

    None where time changes nothing: never again, or at the next run once the operator has set it right. An account
    that is missing is missing for each such video: these are not asked for at every run.
    """
    first = SIGN_IN_DELAY if isinstance(error, SignInRequired) else FIRST_DELAY.get(error.then)
    if first is None:
        return None
    longest = LONGEST_WAIT if error.then is Then.WAIT else LONGEST_DELAY
    return _jittered(min(first * 2 ** min(attempts - 1, 20), longest))


def record_failure(session: Session, video_pk: int, owner: str, error: Exception) -> VideoRow | None:
    """Write a failure and give the lease back; returns the row. What is not of the error tree is `internal`.

    What is the machine's failure says nothing of the video: its row stays as it was, but for its place in the queue.
    A video that has a transcript stays `published`: a failed second try must not cost the first result. When somebody
    else has the video by now, nothing is written (None): what becomes of it is theirs to say.
    """
    try:
        row = held(session, video_pk, owner)
    except LeaseLost:
        return None
    error = as_ours(error)
    if stops_run(error):
        row.setbacks += 1
        clear_lease(row)
        session.add(row)
        return row
    now: datetime = execute(session, "SELECT now()").scalar_one()  # a claim compares with it; clocks differ
    if error.then is not Then.STOP_SOURCE:  # a block says nothing about the video
        row.attempts += 1
    if isinstance(error, REJECTS):
        row.rejected += 1
    state, delay = _after(session, row, error, now)
    if row.current_transcript_pk is not None:
        state = State.PUBLISHED
    row.state = state.value
    if error.reason == "post_live":
        row.post_live_since = row.post_live_since or now
    row.reason, row.message, row.remedy = (
        error.reason,
        clean_text(error.message),
        clean_text(error.remedy) or None,
    )
    told = error.not_before if error.not_before is not None and error.not_before > now else None
    row.next_check_at = told or (now + delay if delay else None)
    row.updated_at = now
    clear_lease(row)
    session.add(row)
    return row


def _after(session: Session, row: VideoRow, error: ChannelscribeError, now: datetime) -> tuple[State, timedelta | None]:
    """The state that follows, and the time to the next try.

    A verdict for good needs the same answer on two different days: until then the video is tried again, with the next
    run where another answer costs one request, and after as long again as it has been so. As long as a feed lists an
    episode, its address and its file may still come right.
    """
    if error.then is not Then.GIVE_UP or error.counts_at_once:
        return STATE_AFTER[error.then], retry_delay(error, max(row.attempts, 1))
    first = row.verdict_at
    if row.verdict != error.reason or first is None or first > now:
        row.verdict, row.verdict_at = error.reason, now
        return State.RETRYING, None if isinstance(error, CHEAP) else _jittered(DAY)
    another_day = first.date() != now.date() and now - first >= LEAST_BETWEEN_DAYS
    if another_day and not (isinstance(error, MENDED) and _in_a_feed(session, row.id)):
        return State.UNAVAILABLE, None
    return State.RETRYING, _jittered(min(max(now - first, HOUR), LONGEST_DELAY))


def _jittered(delay: timedelta) -> timedelta:
    return delay * random.uniform(1 - JITTER, 1 + JITTER)


def _in_a_feed(session: Session, video_pk: int) -> bool:
    query = """SELECT EXISTS (SELECT FROM source_video AS link JOIN source ON source.id = link.source_pk
        WHERE link.video_pk = :video AND link.gone_at IS NULL AND source.kind = 'feed')"""
    return bool(execute(session, query, video=video_pk).scalar_one())


OUTCOMES = """
SELECT video.id AS pk, video_id, state, reason, message, remedy, lease_owner AS owner, transcript_id, version,
    (SELECT coalesce(sum(cardinality(word_texts)), 0) FROM segment WHERE transcript_pk = transcript.id) AS words,
    transcript.duration AS seconds
FROM video LEFT JOIN transcript ON transcript.id = current_transcript_pk WHERE video.id = ANY(:videos)
"""


@dataclass(frozen=True, slots=True)
class Outcome:
    """A video now. `owner` still holds it where the work on it did not end; the rest from `transcript_id` on is the
    current transcript's, None without one. Seconds are those of its audio.
    """

    pk: int
    video_id: str
    state: str
    reason: str | None
    message: str | None
    remedy: str | None
    owner: str | None
    transcript_id: str | None
    version: int | None
    words: int
    seconds: float | None


def outcomes(session: Session, video_pks: Sequence[int]) -> dict[int, Outcome]:
    """By our numbers; a video that is gone is left out."""
    rows = execute(session, OUTCOMES, videos=list(video_pks)).mappings()
    return {row["pk"]: Outcome(**row) for row in rows}
