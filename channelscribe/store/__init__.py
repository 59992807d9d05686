"""The media store, and the layout of its keys (`store.layout`)."""

from __future__ import annotations

from channelscribe.store.store import MediaStore, ObjectInfo, StoredObject

__all__ = ["MediaStore", "ObjectInfo", "StoredObject"]
