"""The unfinished file of a download, and whose part it is: only the same file is ever continued.

Leaves, beside `NAME.EXT.part`, a `NAME.EXT.origin` that tells which format it is and what the server said of it
(RFC 9110: ETag, Last-Modified, length). Fragments (HLS, DASH) are kept one by one until the file is whole, since
yt-dlp's own note of how far it came may be one fragment behind what it wrote when the process is killed.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any

from yt_dlp.utils import int_or_none, parse_http_range  # type: ignore[import-untyped]

from channelscribe.files import atomic_write

__all__ = ["Origin", "Part"]


@dataclass(frozen=True, slots=True)
class Origin:
    """What a server said of the file: its validators, and its whole length in bytes."""

    etag: str | None = None
    modified: str | None = None
    total: int | None = None

    @classmethod
    def of(cls, status: int, headers: Mapping[str, str]) -> Origin:
        """The origin of an answer with status 200 or 206."""
        if status == 206:
            total = parse_http_range(headers.get("Content-Range"))[2]
        else:
            total = None if headers.get("Content-Encoding") else int_or_none(headers.get("Content-Length"))
        return cls(headers.get("ETag"), headers.get("Last-Modified"), total)

    @property
    def condition(self) -> str | None:
        """What If-Range may hold (RFC 9110, section 13.1.5): a strong ETag, else the date of the last change."""
        if self.etag and not self.etag.startswith("W/"):
            return self.etag
        return self.modified if self.modified and _is_date(self.modified) else None

    def completed(self, known: Origin | None) -> Origin:
        """With what was known before, where this answer does not tell; a 206 may leave the validators out."""
        if known is None:
            return self
        return Origin(self.etag or known.etag, self.modified or known.modified, self.total or known.total)

    def is_same(self, other: Origin) -> bool:
        """Whether nothing that both tell differs, and they tell enough to say so: a validator or the length."""
        pairs = [(self.etag, other.etag), (self.modified, other.modified), (self.total, other.total)]
        told = [(mine, theirs) for mine, theirs in pairs if mine is not None and theirs is not None]
        return bool(told) and all(mine == theirs for mine, theirs in told)


class Part:
    """The working file `working` of a download and its leftovers. `identity` is what the page says of the file."""

    def __init__(self, working: Path, identity: Mapping[str, Any]) -> None:
        self.working = working
        self.unfinished = working.with_name(f"{working.name}.part")
        self._note = working.with_name(f"{working.name}.origin")
        self._identity = json.loads(json.dumps(identity))
        self._vouched = identity.get("filesize")

    def take_up(self) -> Origin | None:
        """What is known of the part that is there; one that may not be continued is removed first.

        Without a validator only the length that the page announced can vouch for it.
        """
        self.working.unlink(missing_ok=True)  # it was complete, but never said to be whole
        known = self._read()
        if known is None or not (known.condition or (known.total and known.total == self._vouched)):
            self.clear()
            return None
        self._clear_half_fragments()
        return known

    def take_up_fragments(self) -> int | None:
        """How many fragments the file had, if whole ones of it are there. yt-dlp joins them anew."""
        known = self._read()
        if known is None:
            self.clear()
            return None
        self._clear_half_fragments()
        for leftover in (self.working, self.unfinished, self.working.with_name(f"{self.working.name}.ytdl")):
            leftover.unlink(missing_ok=True)
        return known.total

    def note(self, origin: Origin) -> None:
        """Remember what the server says, before the first byte is written."""
        with atomic_write(self._note) as file:
            file.write(json.dumps({"identity": self._identity, "origin": asdict(origin)}).encode())

    def note_fragments(self, count: int) -> None:
        """The same for a file of `count` fragments."""
        self.note(Origin(total=count))

    def start_over(self) -> None:
        """The server sends the whole file: what is there is not the beginning of it."""
        self.unfinished.unlink(missing_ok=True)

    def take_back(self) -> None:
        """What was taken for complete is not: the next try goes on from there."""
        self.working.replace(self.unfinished)

    def finish(self, target: Path) -> Path:
        """Gives the whole file its name; nothing else of it is left over."""
        self.working.replace(target)
        self.clear()
        return target

    def clear_if_empty(self) -> bool:
        """Whether something came that another try can go on with; a note alone is removed."""
        came = any(file.stat().st_size for file in self.working.parent.glob(f"{self.unfinished.name}*"))
        if not came:
            self.clear()
        return came

    def clear(self) -> None:
        """Removes everything that this download left in the folder."""
        for leftover in self.working.parent.glob(f"{self.working.name}*"):
            leftover.unlink(missing_ok=True)

    def _clear_half_fragments(self) -> None:
        for half in self.working.parent.glob(f"{self.unfinished.name}-Frag*.part"):
            half.unlink(missing_ok=True)

    def _read(self) -> Origin | None:
        """The note, if it is of the same format and size as the page tells now."""
        try:
            noted = json.loads(self._note.read_text(encoding="utf-8"))
            origin = replace(Origin(), **noted["origin"])
        except (OSError, ValueError, KeyError, TypeError):
            return None
        return origin if noted.get("identity") == self._identity else None


def _is_date(text: str) -> bool:
    try:
        return bool(parsedate_to_datetime(text))
    except ValueError:
        return False
