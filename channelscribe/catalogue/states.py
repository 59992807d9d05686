"""The states of a video, and what they mean in SQL."""

from __future__ import annotations

from enum import StrEnum

__all__ = ["DUE", "FREE", "SETTLED", "State"]


class State(StrEnum):
    """Where a video is; DESIGN, "States of a video"."""

    DISCOVERED = "discovered"
    DOWNLOADED = "downloaded"
    TRANSCRIBED = "transcribed"
    PUBLISHED = "published"
    WAITING = "waiting"
    RETRYING = "retrying"
    UNAVAILABLE = "unavailable"
    EXCLUDED = "excluded"


DUE = """
(state IN ('discovered', 'downloaded', 'transcribed')
    OR (state IN ('retrying', 'waiting') AND (next_check_at IS NULL OR next_check_at <= now())))
"""
"""SQL: a video that wants work now."""

FREE = "((lease_owner IS NULL OR lease_until < now()) AND taken_down_at IS NULL)"
"""SQL: a video that nobody holds, and that may be worked on."""

SETTLED = "(video.state IN ('published', 'unavailable', 'excluded'))"
"""SQL: a video at the end of its way: no sync goes on with it."""
