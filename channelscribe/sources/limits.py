"""Counts the bytes of a download while they arrive, and ends one that grows beyond its limits."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from channelscribe.errors import MediaTooLarge, MediaTooLong
from channelscribe.settings.options import SourceOptions

__all__ = ["Meter", "ProgressCallback"]

ProgressCallback = Callable[[float | None, int], None]

_BYTES_PER_MEGABYTE = 1_000_000
_SECONDS_PER_HOUR = 3600


class Meter:
    """yt-dlp's progress hook: passes progress on, and holds the caps of `options`.

    `endless` is for media whose length nobody told: what has been arriving for longer than the longest video may
    last is a stream. `fragments` is told the number of fragments of a file that has some. `most` is the largest
    number of bytes that were there.
    """

    def __init__(self, options: SourceOptions, progress: ProgressCallback | None) -> None:
        self.limit = options.max_megabytes * _BYTES_PER_MEGABYTE
        self.interruption: Exception | None = None
        self.fragments: Callable[[int], None] | None = None
        self.endless = False
        self.most = 0
        self._progress = progress
        self._hours = options.max_duration_hours
        self._started = time.monotonic()

    def __call__(self, status: dict[str, Any]) -> None:
        if self.fragments is not None and status.get("fragment_count"):
            self.fragments(int(status["fragment_count"]))
        done = int(status.get("downloaded_bytes") or 0)
        exact = status.get("total_bytes")
        total = exact or status.get("total_bytes_estimate")
        self.most = max(self.most, done)
        self.refuse_large(max(done, exact or 0, _joined(status)))
        if self.endless and not exact and time.monotonic() - self._started > self._hours * _SECONDS_PER_HOUR:
            raise self.too_long(f"It is still arriving after {self._hours:g} h, and nobody tells how long it is.")
        if self._progress is None:
            return
        try:
            self._progress(min(done / total, 1.0) if total else None, done)
        except Exception as error:
            self.interruption = error
            raise

    def refuse_large(self, size: int | None) -> None:
        """Raises MediaTooLarge for more bytes than allowed."""
        if (size or 0) > self.limit:
            raise MediaTooLarge(
                f"The file is larger than {self.limit // _BYTES_PER_MEGABYTE} MB.",
                remedy="Raise sources.max_megabytes to keep it.",
            )

    def refuse_long(self, seconds: float | None, where: str) -> None:
        """Raises MediaTooLong for more seconds than allowed."""
        hours = (seconds or 0) / _SECONDS_PER_HOUR
        if hours > self._hours:
            raise self.too_long(f"{where} is {hours:.1f} h long, more than {self._hours:g} h.")

    def too_long(self, message: str) -> MediaTooLong:
        return MediaTooLong(message, remedy="Raise sources.max_duration_hours to keep it.")


def _joined(status: dict[str, Any]) -> int:
    """Bytes of the fragments that are joined already: those of an earlier try are in no count of yt-dlp's."""
    part = status.get("tmpfilename")
    if not part or not status.get("fragment_count"):
        return 0
    try:
        return Path(part).stat().st_size
    except OSError:
        return 0
