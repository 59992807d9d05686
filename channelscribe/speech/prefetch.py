"""Work that goes on ahead of whoever needs it: the next file is read while this one is decoded.

Needs nothing; the thread ends with the iterator. torch, CTranslate2, soundfile and ffmpeg let go of Python's lock
while they work, so a thread is enough.
"""

from __future__ import annotations

import threading
from collections.abc import Generator, Iterable, Iterator
from queue import SimpleQueue
from typing import TypeVar

__all__ = ["ahead"]

Item = TypeVar("Item")

_PATIENCE = 10.0  # seconds for the item in work when nobody wants it any more


def ahead(items: Iterable[Item], most: int = 1) -> Generator[Item]:
    """The same items in the same order, made in a thread, at most `most` before they are asked for.

    What `items` raises is raised here, after the items before it. An iterator that is closed early makes no more, and
    waits a little for the item that is in work. With `most` 0 there is no thread: items are made when asked for.
    """
    yield from _Ahead(items, most).items() if most else items


class _Ahead:
    def __init__(self, items: Iterable[Item], most: int) -> None:
        self._items = items
        self._room = threading.Semaphore(most)
        self._made: SimpleQueue[tuple[str, object]] = SimpleQueue()
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._make, name="ahead", daemon=True)

    def _make(self) -> None:
        iterator = iter(self._items)
        try:
            while self._room.acquire() and not self._over.is_set():
                self._made.put(("item", next(iterator)))
        except StopIteration:
            self._made.put(("end", None))
        except BaseException as error:
            self._made.put(("error", error))
        finally:
            close = getattr(iterator, "close", None)
            if close is not None:
                close()

    def items(self) -> Iterator[Item]:
        self._thread.start()
        try:
            while True:
                kind, made = self._made.get()
                if kind == "error":
                    raise made  # type: ignore[misc]
                if kind == "end":
                    return
                self._room.release()
                yield made  # type: ignore[misc]
        finally:
            self._over.set()
            self._room.release()
            self._thread.join(_PATIENCE)
