"""What an object of the store is, and whose, told by its key; `store.layout` says how keys are made."""

from __future__ import annotations

from channelscribe.catalogue.references import VideoName
from channelscribe.settings.options import RetentionOptions

__all__ = ["CHECKPOINTS", "KINDS", "days_of", "video_of"]

KINDS = {
    "audio_files": "archives",
    "audio_parts": "audio_parts",
    "originals": "originals",
    "speech_tracks": "speech_tracks",
    "transcriptions": "transcripts",
    "processed": "readings",
}
"""Folders whose keys name a video. `checkpoints` has its owners in the catalogue; all else is not ours to delete."""
CHECKPOINTS = "checkpoints"


def video_of(key: str) -> VideoName | None:
    """Site and id of the video that an object is of; None when the key is none of ours."""
    parts = key.split("/")
    if parts[0] not in KINDS or len(parts) != (3 if parts[0] == "audio_files" else 4):
        return None
    return parts[1], parts[2].partition(".")[0]


def days_of(kind: str, options: RetentionOptions) -> float | None:
    """How long a kind of thing is kept; None: for ever. Current transcripts and readings always are."""
    days: float | None = getattr(options, f"{kind}_days", None)
    return days
