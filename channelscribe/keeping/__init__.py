"""What keeps a library small, whole and allowed: sweeps, retention, takedowns, backups."""

from __future__ import annotations

from channelscribe.keeping.library import Library

__all__ = ["Library"]
