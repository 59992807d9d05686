"""What a failure makes of a video: its state, its reason, and when to try again. The error tree decides."""

from __future__ import annotations

import random
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from sqlmodel import Session

from channelscribe.catalogue.cleaning import clean_text
from channelscribe.catalogue.leases import held
from channelscribe.catalogue.tables import State
from channelscribe.catalogue.videos import let_go
from channelscribe.errors import (
    ChannelscribeError,
    CorruptMedia,
    EmptyMedia,
    LeaseLost,
    ObjectMissing,
    SignInRequired,
    Then,
    TruncatedMedia,
    as_ours,
    stops_run,
)

__all__ = ["Failure", "record_failure", "retry_delay"]

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
REJECTS = (TruncatedMedia, CorruptMedia, EmptyMedia, ObjectMissing)
"""What a download has that must be fetched anew to be tried again."""
SIGN_IN_DELAY = timedelta(days=1)
LONGEST_DELAY = timedelta(days=7)
LONGEST_WAIT = timedelta(days=1)
JITTER = 0.2


@dataclass(frozen=True, slots=True)
class Failure:
    """What was written for a failed video. `retry_at` is None where there is no other try, or no set time."""

    video_pk: int
    state: State
    reason: str
    retry_at: datetime | None


def retry_delay(error: ChannelscribeError, attempts: int) -> timedelta | None:
    """Time to the next try: doubling with each attempt (the first is 1) up to a limit, 20 % of jitter.

    None where time changes nothing: never again, or at the next run once the operator has set it right. An account
    that is missing is missing for each such video: these are not asked for at every run.
    """
    first = SIGN_IN_DELAY if isinstance(error, SignInRequired) else FIRST_DELAY.get(error.then)
    if first is None:
        return None
    longest = LONGEST_WAIT if error.then is Then.WAIT else LONGEST_DELAY
    delay: timedelta = min(first * 2 ** min(attempts - 1, 20), longest)
    return delay * random.uniform(1 - JITTER, 1 + JITTER)


def record_failure(session: Session, video_pk: int, owner: str, error: Exception) -> Failure | None:
    """Write a failure and give the lease back. What is not of the error tree is `internal`, to be tried later.

    What is the machine's failure says nothing of the video: its row stays as it was. A video that has a transcript
    stays `published`: a failed second try must not cost the first result. When somebody else has the video by now,
    nothing is written (None): what becomes of it is theirs to say.
    """
    try:
        row = held(session, video_pk, owner)
    except LeaseLost:
        return None
    error = as_ours(error)
    if stops_run(error):
        let_go(row)
        session.add(row)
        return Failure(video_pk, State(row.state), error.reason, row.next_check_at)
    state = STATE_AFTER[error.then] if row.current_transcript_pk is None else State.PUBLISHED
    now = datetime.now(UTC)
    row.state = state.value
    if error.then is not Then.STOP_SOURCE:  # a block says nothing about the video
        row.attempts += 1
    if isinstance(error, REJECTS):
        row.rejected += 1
    if error.reason == "post_live":
        row.post_live_since = row.post_live_since or now
    row.reason, row.message, row.remedy = (
        error.reason,
        clean_text(error.message),
        clean_text(error.remedy) or None,
    )
    delay = retry_delay(error, max(row.attempts, 1))
    told = error.not_before if error.not_before is not None and error.not_before > now else None
    row.next_check_at = told or (now + delay if delay else None)
    row.updated_at = now
    let_go(row)
    session.add(row)
    return Failure(video_pk, state, error.reason, row.next_check_at)
