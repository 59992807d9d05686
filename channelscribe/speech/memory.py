"""When a device's memory runs out: recognized whoever raises it, answered by half the batch. And the most that this
process had, for the record of what stages take.

Needs nothing (torch only to give its cache back), and Linux for a mark that can be set back (proc(5), `clear_refs` and
`VmHWM`); elsewhere the mark is that of the process's whole life. Leaves nothing behind.
"""

from __future__ import annotations

import logging
import resource
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

__all__ = ["Room", "in_batches", "is_out_of_memory", "peak_rss_bytes", "reset_peak_rss"]

_log = logging.getLogger(__name__)

Item = TypeVar("Item")
Answer = TypeVar("Answer")


def is_out_of_memory(error: BaseException) -> bool:
    """torch.OutOfMemoryError, CTranslate2's RuntimeError("CUDA failed with error out of memory"), MemoryError."""
    if isinstance(error, MemoryError):
        return True
    said = str(error).lower()
    return isinstance(error, RuntimeError) and ("out of memory" in said or "failed to allocate" in said)


@dataclass
class Room:
    """How many items fit at once: what is learned in one place holds for the next."""

    size: int


def in_batches(
    items: Sequence[Item], size: int | Room, work: Callable[[Sequence[Item]], Sequence[Answer]]
) -> Iterator[Answer]:
    """The answers of `work` for all items, in order, `size` at a time; half as many from where memory runs out.

    Raises whatever `work` raises, and the lack of memory itself when one item alone is too much.
    """
    room = size if isinstance(size, Room) else Room(size)
    place = 0
    while place < len(items):
        batch = items[place : place + room.size]
        try:
            answers = work(batch)
        except Exception as error:
            if len(batch) == 1 or not is_out_of_memory(error):
                raise
            room.size = len(batch) // 2
            _log.warning("out of memory: going on with %d at a time", room.size)
            _release()
            continue
        yield from answers
        place += len(batch)


def _release() -> None:
    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_available():
        torch.cuda.empty_cache()


def peak_rss_bytes() -> int:
    """Bytes of resident memory at the peak since `reset_peak_rss`, or since the process began.

    Linux' own figure first: what getrusage tells there begins with the parent's.
    """
    try:
        lines = Path("/proc/self/status").read_text().splitlines()
        return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM:"))
    except (OSError, StopIteration):
        most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return most if sys.platform == "darwin" else most * 1024


def reset_peak_rss() -> None:
    """Let the peak begin anew with what is in memory now, where the system can."""
    with suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")
