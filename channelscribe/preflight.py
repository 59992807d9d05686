"""What a run needs, looked at before it spends anything: programs, models, room on the disks, the store, the database.

Nothing is fetched and no engine is imported: with all in order it takes some milliseconds, and for a bucket three
requests. What is missing is raised as the failure that it would become on the way: the machine's, with its remedy.
"""

from __future__ import annotations

from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit
from uuid import uuid4

from channelscribe.audio.ffmpeg import ffmpeg_path
from channelscribe.audio.space import likely_bytes, refuse_without_room
from channelscribe.errors import (
    ChannelscribeError,
    StoreError,
    StoreNotWritable,
    StoreUnreachable,
    TextModelUnavailable,
)
from channelscribe.local_stack.places import places_of
from channelscribe.settings import Settings
from channelscribe.settings.options import Role
from channelscribe.sources.cookies import checked_cookies
from channelscribe.speech.hub_check import check_model
from channelscribe.store import MediaStore

__all__ = ["LEAST_BYTES", "PROBE", "Step", "nearest", "one_object_only", "preflight", "steps_here", "try_store"]

Step = Literal["download", "audio", "speech", "text"]
STEPS_OF: dict[Role, frozenset[Step]] = {
    "all": frozenset(("download", "audio", "speech", "text")),
    "orchestrator": frozenset(),
    "dask": frozenset(("download", "audio", "text")),
    "speech": frozenset(("speech", "text")),
}
PROBE = "doctor/probe.txt"
LEAST_BYTES = 32_000_000
"""What any video needs while it is worked on."""


def steps_here(settings: Settings) -> frozenset[Step]:
    """Which steps run on this machine: those of its role, without what the settings send elsewhere."""
    steps = STEPS_OF[settings.role]
    scheduler = settings.dask.scheduler
    if settings.role == "all" and scheduler and not _is_loopback(scheduler):
        steps = STEPS_OF["orchestrator"]
    return steps - {"speech"} if settings.prefect.gpu_deployment and settings.role != "speech" else steps


def preflight(settings: Settings, store: MediaStore, *, seconds: float = 0) -> None:
    """Returns when a run can begin. `seconds` is the length of the longest video that is due, where one is known:
    there is to be room for it.

    Raises StackError, AccessUnusable, ModelUnavailable, UnknownModel, TextModelUnavailable, StoreNotWritable,
    StoreUnreachable.
    """
    steps = steps_here(settings)
    checked_cookies(settings.sources)
    if "audio" in steps:
        ffmpeg_path()
    if "speech" in steps:
        check_model(settings.speech)
    if "text" in steps and settings.text.steps and find_spec("spacy") is None:
        raise TextModelUnavailable("spaCy is not installed.", remedy="pip install 'channelscribe[text]'")
    room = LEAST_BYTES + likely_bytes(seconds, settings.audio)
    working = [places_of(settings.data_dir).scratch] if steps & {"download", "audio"} else []
    for folder in {nearest(each) for each in (*working, store.folder) if each}:
        refuse_without_room(folder, room, "Each video")
    write_to(store)


def write_to(store: MediaStore) -> None:
    """Writes a small object and takes it away again. Raises what is in the way of writing."""
    store.put_bytes(uuid4().bytes, PROBE, overwrite=True)
    with suppress(StoreError):  # a run adds; what may not be deleted is the doctor's to tell
        store.delete(PROBE)


def try_store(store: MediaStore) -> None:
    """Writes, reads and deletes an object of its own. Raises StoreError for whatever of it does not work."""
    key, content = f"doctor/{uuid4().hex}.txt", b"channelscribe doctor"
    store.put_bytes(content, key)
    try:
        if store.read_bytes(key) != content:
            raise StoreError(f"The store {store} gives back other bytes than it was given.", reason="corrupt_object")
    finally:
        store.delete(key)
    if store.exists(key):
        raise StoreNotWritable(f"The store {store} refuses to delete.", remedy="Allow these credentials to delete.")


def one_object_only(error: ChannelscribeError, store: MediaStore) -> ChannelscribeError:
    """The error again; where the store answers for others, a failure of that one object, which stops no run."""
    if not isinstance(error, StoreUnreachable):
        return error
    try:
        write_to(store)
    except ChannelscribeError:
        return error
    return StoreError(error.message, remedy="The store still answers other requests; it is tried again later.")


def nearest(folder: Path) -> Path:
    """The folder, or the nearest one above it that is there: whose disk it will be on."""
    return next(each for each in (folder, *folder.parents) if each.exists())


def _is_loopback(address: str) -> bool:
    host = urlsplit(address).hostname or ""
    return host == "localhost" or host.startswith("127.") or host == "::1"
