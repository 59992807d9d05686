"""A network on several cores of a CPU: parts of the work in threads that have one core each.

Needs torch. Leaves its threads behind, waiting; there is one pool a process, whoever asks. Torch would divide each
step of a network among the cores instead: a recurrent network has hundreds of small ones, after each of which all
cores wait for the slowest, which may be busy with a download or with ffmpeg.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

__all__ = ["in_threads"]

Part = TypeVar("Part")
Answer = TypeVar("Answer")

_lock = threading.Lock()
_pools: dict[int, ThreadPoolExecutor] = {}


def in_threads(work: Callable[[Part], Answer], parts: Sequence[Part], threads: int) -> list[Answer]:
    """The answers of `work` for all parts, in order, `threads` at a time. Raises what `work` raises first."""
    if len(parts) < 2 or threads < 2:
        return [work(part) for part in parts]
    return list(_pool(threads).map(work, parts))


def _pool(threads: int) -> ThreadPoolExecutor:
    import torch

    with _lock:
        if threads not in _pools:
            before = torch.get_num_threads()
            pool = ThreadPoolExecutor(threads, "one-core", initializer=_take_one_core)
            all_there = threading.Barrier(threads)
            list(pool.map(lambda _: all_there.wait(), range(threads)))
            # What a thread sets for itself becomes the default of threads that torch has not seen yet.
            torch.set_num_threads(before)
            _pools[threads] = pool
        return _pools[threads]


def _take_one_core() -> None:
    import torch

    torch.set_num_threads(1)
    torch.get_num_threads()  # a thread takes the default when it first asks, even over what it has set
