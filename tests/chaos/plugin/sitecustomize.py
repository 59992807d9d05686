"""Loaded by every Python process whose PYTHONPATH names this folder; does something only where CHAOS_FOLDER is set.

Writes a line into `begun` each time that a stage's work begins: STAGE PID. The first process that comes to the middle
of the stage that `armed` names makes `held-STAGE` and waits there until `go-STAGE` exists.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from importlib.abc import Loader
from importlib.machinery import ModuleSpec, PathFinder
from pathlib import Path
from types import ModuleType
from typing import Any

FOLDER = Path(os.environ.get("CHAOS_FOLDER", ""))
LONGEST_WAIT = 240.0

# Where the work of a stage begins: the name as its caller has it. A batch of short videos is one stage run.
BEGINS = {
    "channelscribe.discovery": {"list_videos": "list"},
    "tasks.download": {"download_media": "download"},
    "tasks.prepare": {"prepare_media": "prepare"},
    "tasks.batch_recognition": {"recognize_all": "recognize"},
    "channelscribe.speech.recognize": {"recognize": "recognize"},
    "channelscribe.speech.align": {"align": "align"},
    "channelscribe.speech.diarize": {"diarize": "diarize"},
    "tasks.read": {"read_transcript": "read"},
    "channelscribe.catalogue.publishing": {"publish": "publish"},
}


def begin(stage: str) -> None:
    with (FOLDER / "begun").open("a") as log:
        log.write(f"{stage} {os.getpid()}\n")


def middle(stage: str) -> None:
    """Wait here, if this is the stage that somebody is to be killed in."""
    armed = FOLDER / "armed"
    try:
        if armed.read_text() != stage:
            return
        armed.rename(FOLDER / "disarmed")  # one process, once
    except OSError:
        return
    (FOLDER / f"held-{stage}").touch()
    deadline = time.monotonic() + LONGEST_WAIT
    while not (FOLDER / f"go-{stage}").exists() and time.monotonic() < deadline:
        time.sleep(0.02)


def counted(stage: str, whole: Callable[..., Any]) -> Callable[..., Any]:
    def call(*args: Any, **named: Any) -> Any:
        begin(stage)
        return whole(*args, **named)

    return call


def half_way(download: Callable[..., Any]) -> Callable[..., Any]:
    """Stops in the middle of the bytes."""

    def call(*args: Any, progress: Callable[..., None], **named: Any) -> Any:
        def told(fraction: float | None, *rest: Any) -> None:
            progress(fraction, *rest)
            if fraction is not None and 0.2 < fraction < 0.9:
                middle("download")

        return download(*args, progress=told, **named)

    return call


def before(name: str, whole: Callable[..., Any], stages: dict[str, str]) -> Callable[..., Any]:
    """Stops before a key is written that has one of these words: all was computed, and this is not yet kept."""

    def call(store: Any, value: Any, key: str, **named: Any) -> Any:
        for word, stage in stages.items():
            if word in key:
                middle(stage)
        return whole(store, value, key, **named)

    return call


def stop_in(stage: str, whole: Callable[..., Any]) -> Callable[..., Any]:
    """Stops when this has been done and not committed."""

    def call(*args: Any, **named: Any) -> Any:
        answer = whole(*args, **named)
        middle(stage)
        return answer

    return call


def change(module: ModuleType) -> None:
    held = vars(module)
    for name, stage in BEGINS.get(module.__name__, {}).items():
        held[name] = counted(stage, held[name])
    if module.__name__ == "tasks.download":
        held["download_media"] = half_way(held["download_media"])
    if module.__name__ == "channelscribe.catalogue.listings":
        held["record_listing"] = stop_in("list", held["record_listing"])
    if module.__name__ == "channelscribe.catalogue.publishing":
        held["_copy"] = stop_in("publish", held["_copy"])
    if module.__name__ == "channelscribe.store.store":
        store = held["MediaStore"]
        store.put_file = before("put_file", store.put_file, {".flac": "prepare"})
        steps = {f"/{each}/": each for each in ("recognize", "align", "diarize")}
        store.add_json = before("add_json", store.add_json, steps)
        store.put_json = before("put_json", store.put_json, {"processed/": "read"})


CHANGED = {
    *BEGINS,
    "channelscribe.catalogue.listings",
    "channelscribe.store.store",
}


class Changing(Loader):
    """Loads a module as ever, and changes it then."""

    def __init__(self, whole: Any) -> None:
        self.whole = whole

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        return self.whole.create_module(spec)  # type: ignore[no-any-return]

    def exec_module(self, module: ModuleType) -> None:
        self.whole.exec_module(module)
        change(module)


class Finder:
    @staticmethod
    def find_spec(name: str, path: Any = None, target: ModuleType | None = None) -> ModuleSpec | None:
        if name not in CHANGED:
            return None
        spec = PathFinder.find_spec(name, path, target)
        if spec is not None and spec.loader is not None:
            spec.loader = Changing(spec.loader)
        return spec


if "CHAOS_FOLDER" in os.environ:
    sys.meta_path.insert(0, Finder)
