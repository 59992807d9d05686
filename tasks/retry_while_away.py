"""A Prefect server that is away for a moment, because it is started again: ask it once more, for about a minute.

Prefect's own client does so after it has reached the server once (3.8: five times in about a minute). One that is made
while the server is away gives up at once, and takes the run along.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import TypeVar

import httpx

from channelscribe.errors import StackError

__all__ = ["patiently"]

WAITS = (1.0, 2.0, 4.0, 8.0, 15.0, 30.0)
R = TypeVar("R")

_log = logging.getLogger(__name__)


def patiently(call: Callable[[], R]) -> R:
    """What `call` returns; called again while the Prefect server cannot be reached, so it must bear that.

    Raises StackError when it stays away.
    """
    for wait in WAITS:
        try:
            return call()
        except Exception as error:
            away = _is_away(error)
            if away is None:
                raise
            _log.warning("the Prefect server does not answer (%s): once more in %.0f s", type(away).__name__, wait)
        time.sleep(wait)
    try:
        return call()
    except Exception as error:
        away = _is_away(error)
        if away is None:
            raise
        raise StackError(
            f"The Prefect server does not answer ({type(away).__name__}).",
            remedy="Check that it runs, and prefect.api_url; the same command continues where this run was.",
        ) from error


def _is_away(error: BaseException | None) -> httpx.TransportError | None:
    """The failed connection that an error is or comes from."""
    while error is not None:
        if isinstance(error, httpx.TransportError):
            return error
        error = error.__cause__
    return None
