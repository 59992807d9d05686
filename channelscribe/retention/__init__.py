"""What keeps a library small, whole and allowed: sweeps, retention, takedowns, backups."""

from __future__ import annotations

from channelscribe.retention.library import Library

__all__ = ["Library"]
