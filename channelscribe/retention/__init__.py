"""What keeps a library small, whole and allowed: sweeps, retention, repairs, takedowns, backups."""

from __future__ import annotations

from channelscribe.retention.library import Library, Report, Tally

__all__ = ["Library", "Report", "Tally"]
