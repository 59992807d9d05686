"""A network on several cores of a CPU: parts of the work in threads that have one core each.

Needs nothing. Leaves its threads behind, waiting; there is one pool a process, whoever asks. Torch would divide each
step of a network among the cores instead: a recurrent network has hundreds of small ones, after each of which all
cores wait for the slowest, which may be busy with a download or with ffmpeg.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import TypeVar

__all__ = ["in_threads", "keep_blas_to_one_core"]

Part = TypeVar("Part")
Answer = TypeVar("Answer")

_lock = threading.Lock()
_pools: dict[tuple[int, bool], ThreadPoolExecutor] = {}


def in_threads(work: Callable[[Part], Answer], parts: Sequence[Part], threads: int) -> list[Answer]:
    """The answers of `work` for all parts, in order, `threads` at a time. Raises what `work` raises first."""
    if len(parts) < 2 or threads < 2:
        return [work(part) for part in parts]
    return list(_pool(threads).map(work, parts))


@cache
def keep_blas_to_one_core() -> None:
    """Has numpy's products take one core each from now on: small ones are not worth waiting for others, which spin
    meanwhile and take ten times the processor time. Set back and set again, OpenBLAS does not always obey.
    """
    from threadpoolctl import threadpool_limits

    threadpool_limits(limits=1, user_api="blas")


def _pool(threads: int) -> ThreadPoolExecutor:
    with _lock:
        torch = sys.modules.get("torch")
        key = (threads, torch is not None)  # threads that began before torch came know nothing of its settings
        if key not in _pools:
            before = torch.get_num_threads() if torch else 0
            pool = ThreadPoolExecutor(threads, "one-core", initializer=_take_one_core)
            all_there = threading.Barrier(threads)
            list(pool.map(lambda _: all_there.wait(), range(threads)))
            if torch:
                # What a thread sets for itself becomes the default of threads that torch has not seen yet.
                torch.set_num_threads(before)
            _pools[key] = pool
        return _pools[key]


def _take_one_core() -> None:
    if torch := sys.modules.get("torch"):
        torch.set_num_threads(1)
        torch.get_num_threads()  # a thread takes the default when it first asks, even over what it has set
