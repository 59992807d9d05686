"""The media store, and the layout of its keys (`store.layout`)."""

from __future__ import annotations

from channelscribe.store.store import MediaStore, StoredObject

__all__ = ["MediaStore", "StoredObject"]
