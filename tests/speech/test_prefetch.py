"""Work ahead of its turn, and work on several cores: the same answers in the same order, and no thread is left."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import pytest

from channelscribe.speech.memory import Room, in_batches
from channelscribe.speech.prefetch import ahead
from channelscribe.speech.threads import in_threads


def _ahead_threads() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "ahead"]


@pytest.mark.parametrize("most", [0, 1, 3])
def test_items_are_the_same_and_no_more_are_made_than_allowed(most: int) -> None:
    made: list[int] = []

    def items() -> Iterator[int]:
        for number in range(6):
            made.append(number)
            yield number

    taken = []
    for number in ahead(items(), most):
        taken.append(number)
        time.sleep(0.02)
        assert len(made) <= len(taken) + most
    assert taken == list(range(6))
    assert not _ahead_threads()


def test_the_next_item_is_made_while_this_one_is_worked_on() -> None:
    begun = threading.Event()

    def items() -> Iterator[str]:
        yield "one"
        begun.set()
        yield "two"

    made = ahead(items())
    assert next(made) == "one"
    assert begun.wait(5)  # nobody has asked for it yet
    assert list(made) == ["two"]


def test_an_error_comes_after_what_was_made_before_it() -> None:
    def items() -> Iterator[int]:
        yield 1
        raise ValueError("no more")

    made = ahead(items(), 2)
    assert next(made) == 1
    with pytest.raises(ValueError, match="no more"):
        next(made)


def test_whoever_stops_early_leaves_no_thread_and_nothing_open() -> None:
    closed = threading.Event()

    def items() -> Iterator[int]:
        try:
            while True:
                yield 1
        finally:
            closed.set()

    made = ahead(items())
    next(made)
    made.close()  # type: ignore[attr-defined]
    assert closed.is_set()
    assert not _ahead_threads()


@pytest.mark.speech
def test_threads_have_one_core_each_and_leave_everybody_else_theirs() -> None:
    import torch

    before = torch.get_num_threads()

    def answer(part: int) -> tuple[int, int]:
        if part == 9:
            raise ValueError("nine")
        time.sleep(0.01)
        return part * part, torch.get_num_threads()

    found = in_threads(answer, range(8), 3)
    assert [square for square, _ in found] == [part * part for part in range(8)]
    assert {cores for _, cores in found} == {1}
    assert torch.get_num_threads() == before
    seen: list[int] = []
    other = threading.Thread(target=lambda: seen.append(torch.get_num_threads()))
    other.start()
    other.join()
    assert seen == [before]
    with pytest.raises(ValueError, match="nine"):
        in_threads(answer, [1, 9], 3)


def test_room_that_was_too_large_once_is_smaller_for_all() -> None:
    room, sizes = Room(8), []

    def work(batch: range) -> range:
        sizes.append(len(batch))
        if len(batch) > 3:
            raise MemoryError
        return batch

    assert list(in_batches(range(6), room, work)) == list(range(6))  # type: ignore[arg-type]
    assert list(in_batches(range(4), room, work)) == list(range(4))  # type: ignore[arg-type]
    assert sizes == [6, 3, 3, 3, 1]
