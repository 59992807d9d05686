"""Where a page of hits ends and the next one begins: a place in a total order, as a short text.

Pages go on after a place and not after a number of hits: what is published in between stands before or after that
place and moves nothing, so no hit comes twice and none is left out. Only what is transcribed anew in between may.
"""

from __future__ import annotations

import base64
import binascii
import json
from dataclasses import dataclass
from typing import Any

from channelscribe.errors import UsageError
from channelscribe.files import content_key

__all__ = ["Place", "fingerprint"]

LARGEST = 2**63 - 1
LARGEST_INDEX = 2**31 - 1


@dataclass(frozen=True, slots=True)
class Place:
    """A hit's place. `rank` is None where hits are in the order of their videos; `age` is of the video, in days."""

    rank: float | None
    age: int
    video: int
    index: int

    def to_text(self, question: str) -> str:
        """To be given back with the same question."""
        made = json.dumps([question, self.rank, self.age, self.video, self.index], separators=(",", ":"))
        return base64.urlsafe_b64encode(made.encode()).decode().rstrip("=")

    @classmethod
    def from_text(cls, text: str, question: str) -> Place:
        """Raises UsageError where it is none, or one of another question."""
        try:
            asked, rank, age, video, index = json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
            place = cls(None if rank is None else float(rank), int(age), int(video), int(index))
        except (ValueError, TypeError, OverflowError, binascii.Error):
            raise UsageError(f"{text[:80]!r} is not a place in a search.", remedy="Take it from a search.") from None
        in_range = abs(place.age) <= LARGEST_INDEX and 0 <= place.video <= LARGEST and 0 <= place.index <= LARGEST_INDEX
        if asked != question or not in_range:
            raise UsageError("This place is of another search.", remedy="Give the same query and filters with it.")
        return place


def fingerprint(*asked: Any) -> str:
    """Eight characters that tell one question from another."""
    return content_key(*(str(each) for each in asked))[:8]
