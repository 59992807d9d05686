"""What goes wrong at the stand-in site on purpose."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from tests.standin.request_log import Asked

On = Literal["listing", "page", "media", "any"]


@dataclass
class Fault:
    """Requests of a kind that fail: `times` of them, for ever if None.

    `status` None cuts the connection without an answer, 200 answers with an empty object, which is how YouTube
    sends incomplete data. `containing` is a part of the path with its query (a video's id, a channel's name);
    `page` is the number of a listing's page, from 1.
    """

    on: On
    status: int | None
    times: int | None = None
    retry_after: int | str | None = None
    containing: str = ""
    page: int | None = None
    hits: int = 0

    def strikes(self, asked: Asked, page: int) -> bool:
        """Whether this request fails; counts it if so."""
        fits = self.on in ("any", asked.on) and self.containing in asked.path and self.page in (None, page)
        if not fits or (self.times is not None and self.hits >= self.times):
            return False
        self.hits += 1
        return True
