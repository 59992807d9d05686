"""The catalogue in PostgreSQL (`local_stack.postgres` is the server for machines that have none)."""

from __future__ import annotations

from channelscribe.catalogue.catalogue import Catalogue
from channelscribe.catalogue.entities import EntityCount
from channelscribe.catalogue.failures import Failure
from channelscribe.catalogue.leases import Progress
from channelscribe.catalogue.listings import ListingReport
from channelscribe.catalogue.search import Hit
from channelscribe.catalogue.status import ReasonCount, Status
from channelscribe.catalogue.tables import AudioRow, SourceRow, State, TranscriptRow, VideoRow

__all__ = [
    "AudioRow",
    "Catalogue",
    "EntityCount",
    "Failure",
    "Hit",
    "ListingReport",
    "Progress",
    "ReasonCount",
    "SourceRow",
    "State",
    "Status",
    "TranscriptRow",
    "VideoRow",
]
