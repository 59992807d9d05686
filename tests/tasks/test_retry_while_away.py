"""A server that is away is asked again for a while; nothing else is."""

from __future__ import annotations

import httpx
import pytest

from channelscribe.errors import StackError
from tasks import retry_while_away
from tasks.retry_while_away import WAITS, patiently


@pytest.fixture
def waits(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    waited: list[float] = []
    monkeypatch.setattr(retry_while_away.time, "sleep", waited.append)
    return waited


class Server:
    """Away for so many calls."""

    def __init__(self, away: int, error: type[Exception] = httpx.ConnectError) -> None:
        self.away, self.error = away, error

    def __call__(self) -> str:
        self.away -= 1
        if self.away >= 0:
            try:
                raise self.error("All connection attempts failed")
            except Exception as error:
                raise RuntimeError("Unable to acquire slots") from error
        return "answer"


def test_away_for_a_while(waits: list[float]) -> None:
    assert patiently(Server(3)) == "answer"
    assert waits == list(WAITS[:3])


def test_away_for_good_is_one_line_with_a_remedy(waits: list[float]) -> None:
    with pytest.raises(StackError, match="does not answer") as caught:
        patiently(Server(100))
    assert waits == list(WAITS) and "prefect.api_url" in caught.value.remedy


def test_other_errors_are_not_waited_for(waits: list[float]) -> None:
    with pytest.raises(RuntimeError):
        patiently(Server(1, KeyError))
    assert waits == []
