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
from channelscribe.errors import ChannelscribeError, LeaseLost, Then

__all__ = ["Failure", "record_failure", "retry_delay"]

STATE_AFTER = {
    Then.GIVE_UP: State.UNAVAILABLE,
    Then.WAIT: State.WAITING,
    Then.RETRY_NOW: State.RETRYING,
    Then.RETRY_LATER: State.RETRYING,
    Then.STOP_SOURCE: State.RETRYING,
    Then.ASK_OPERATOR: State.RETRYING,
}
FIRST_DELAY = {
    Then.RETRY_NOW: timedelta(minutes=1),
    Then.RETRY_LATER: timedelta(minutes=15),
    Then.STOP_SOURCE: timedelta(hours=1),
    Then.WAIT: timedelta(minutes=30),
}
LONGEST_DELAY = timedelta(days=1)
JITTER = 0.2


@dataclass(frozen=True, slots=True)
class Failure:
    """What was written for a failed video. `retry_at` is None where there is no other try, or no set time."""

    video_pk: int
    state: State
    reason: str
    retry_at: datetime | None


def retry_delay(then: Then, attempts: int) -> timedelta | None:
    """Time to the next try: doubling with each attempt (the first is 1), a day at most, 20 % of jitter.

    None where time changes nothing: never again, or at the next run once the operator has set it right.
    """
    if then not in FIRST_DELAY:
        return None
    delay: timedelta = min(FIRST_DELAY[then] * 2 ** min(attempts - 1, 20), LONGEST_DELAY)
    return delay * random.uniform(1 - JITTER, 1 + JITTER)


def record_failure(session: Session, video_pk: int, owner: str, error: Exception) -> Failure | None:
    """Write a failure and give the lease back. What is not of the error tree is `internal`, to be tried later.

    A video that has a transcript stays `published`: a failed second try must not cost the first result. When
    somebody else has the video by now, nothing is written (None): what becomes of it is theirs to say.
    """
    try:
        row = held(session, video_pk, owner)
    except LeaseLost:
        return None
    if not isinstance(error, ChannelscribeError):
        error = ChannelscribeError(f"{type(error).__name__}: {error}"[:1000], reason="internal")
    state = STATE_AFTER[error.then] if row.current_transcript_pk is None else State.PUBLISHED
    now = datetime.now(UTC)
    row.state = state.value
    row.attempts += 1
    row.reason, row.message, row.remedy = (
        error.reason,
        clean_text(error.message),
        clean_text(error.remedy) or None,
    )
    delay = retry_delay(error.then, row.attempts)
    row.next_check_at = now + delay if delay else None
    row.updated_at = now
    let_go(row)
    session.add(row)
    return Failure(video_pk, state, error.reason, row.next_check_at)
