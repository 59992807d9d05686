"""When a device's memory runs out: recognized whoever raises it, answered by half the batch.

Needs nothing (torch only to give its cache back). Leaves nothing behind.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeVar

__all__ = ["Room", "in_batches", "is_out_of_memory"]

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
