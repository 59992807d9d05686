"""Parts of one object, several at a time, in order, with bounded memory."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

__all__ = ["PARALLEL", "PART_BYTES", "in_order"]

PART_BYTES = 8 << 20
"""Larger objects travel in parts of this size; S3 takes no smaller ones than 5 MiB."""
PARALLEL = 4

T = TypeVar("T")
R = TypeVar("R")


def in_order(work: Callable[[T], R], items: Iterable[T]) -> Iterator[R]:
    """`work` over `items`, `PARALLEL` at a time; results come in order, and no more than that are ever held.

    When one fails, those under way are waited for, and no more are begun.
    """
    with ThreadPoolExecutor(PARALLEL, "store") as pool:
        pending: deque[Future[R]] = deque()
        for item in items:
            pending.append(pool.submit(work, item))
            if len(pending) == PARALLEL:
                yield pending.popleft().result()
        while pending:
            yield pending.popleft().result()
