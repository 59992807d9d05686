"""Which GPU a speech worker uses where a host has several: one worker each.

Needs nothing. Workers of one `dask worker --nworkers N --name speech` are called speech-0, speech-1, ...: the number
chooses. CUDA then shows the process one device only, so that torch and CTranslate2 agree without being told.
"""

from __future__ import annotations

import re
from pathlib import Path

__all__ = ["own_device", "present_devices"]


def present_devices(folder: Path = Path("/dev")) -> list[str]:
    """The NVIDIA devices of this host, as CUDA_VISIBLE_DEVICES names them, without asking a driver."""
    numbers = [found[1] for each in folder.glob("nvidia*") if (found := re.fullmatch(r"nvidia(\d+)", each.name))]
    return sorted(numbers, key=int)


def own_device(worker: str, visible: str | None, present: list[str]) -> str | None:
    """What CUDA_VISIBLE_DEVICES should be for the worker of this name; None: as it is.

    `visible` is what it is now: a choice that somebody made stays, where it is of one device; among several the worker
    takes its share.
    """
    devices = present if visible is None else [each.strip() for each in visible.split(",") if each.strip()]
    number = re.search(r"(\d+)$", worker)
    if len(devices) < 2 or number is None:
        return None
    return devices[int(number[1]) % len(devices)]
