"""How a chain of steps ended, told from its futures: what Dask has no answer of is a worker's death or the engine's."""

from __future__ import annotations

from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import pytest
from prefect.states import Completed, Failed

from channelscribe.errors import EngineDied, NoMedia, WorkerDied, stops_run
from tasks.batching import failure_of, settle


class Future:
    """Stands in for prefect-dask's future: Dask's `status`, and the state where there is one."""

    def __init__(
        self, status: str = "finished", state: Any = None, error: Exception | None = None, client: str = "running"
    ) -> None:
        self.state = state or Completed()
        self.wrapped_future = SimpleNamespace(
            status=status,
            done=lambda: status != "pending",
            exception=lambda: error,
            client=SimpleNamespace(status=client),
        )

    def wait(self) -> None:
        assert self.wrapped_future.status == "finished"


def chain(*futures: Future) -> Sequence[Any]:
    return list(futures)


def test_a_chain_that_completed_has_no_failure() -> None:
    assert failure_of(chain(Future(), Future())) is None


def test_the_first_failure_counts() -> None:
    no_media = NoMedia("nothing")
    failed = [Future(state=Failed(data=error)) for error in (no_media, RuntimeError("after it"))]
    assert failure_of(chain(Future(), *failed)) is no_media


def test_a_worker_that_died_is_told_from_an_engine_that_did() -> None:
    worker = failure_of(chain(Future("error", error=RuntimeError("KilledWorker"))))
    assert isinstance(worker, WorkerDied) and not stops_run(worker)
    for status in ("lost", "cancelled"):
        engine = failure_of(chain(Future(status)))
        assert isinstance(engine, EngineDied) and stops_run(engine)


@pytest.mark.parametrize("client", ["closing", "closed"])
def test_a_client_that_closed_itself_is_not_waited_for(client: str) -> None:
    assert isinstance(failure_of(chain(Future("pending", client=client))), EngineDied)


@pytest.mark.parametrize("first", [Future("lost"), Future("error", error=RuntimeError())])
def test_what_died_is_tried_once_more(first: Future) -> None:
    again = chain(Future())
    assert settle(chain(first), lambda: again) == (again, None)
    assert isinstance(settle(chain(first), lambda: chain(first))[1], EngineDied | WorkerDied)


def test_what_failed_by_itself_is_not() -> None:
    failed = chain(Future(state=Failed(data=NoMedia("nothing"))))
    assert isinstance(settle(failed, lambda: pytest.fail("tried again"))[1], NoMedia)
