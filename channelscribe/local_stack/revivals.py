"""When a service that died is started again: soon, less and less soon, and at last not any more.

Only one that answered before: what cannot start at all is told to the command that waits for it.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass, field

__all__ = ["Revivals"]

FIRST_WAIT_SECONDS = 0.5
MOST_IN_A_ROW = 7  # the last of them a minute after the first: a killed PostgreSQL's backends are gone by then
STEADY_SECONDS = 15.0
"""One that lived so long since it was started is not in a row with its deaths before."""


@dataclass(slots=True)
class _Life:
    answered: bool = False
    deaths: int = 0
    begun: float = 0.0
    next: float | None = None  # when it is started again, while it is dead


@dataclass(slots=True)
class Revivals:
    """What is known of each service's lives; times are of `time.monotonic`."""

    _lives: dict[str, _Life] = field(default_factory=dict)

    def answered(self, names: Iterable[str]) -> None:
        """These have started well."""
        for name in names:
            self._lives.setdefault(name, _Life()).answered = True

    def hopeful(self, name: str) -> bool:
        """Whether a dead service will be started again."""
        life = self._lives.get(name, _Life())
        return life.answered and life.deaths <= MOST_IN_A_ROW

    def due(self, name: str) -> bool:
        """Whether a dead service is to be started now; the caller does."""
        if not self.hopeful(name):
            return False
        life, now = self._lives[name], time.monotonic()
        if life.next is None:
            life.deaths = 1 if now - life.begun > STEADY_SECONDS else life.deaths + 1
            life.next = now + FIRST_WAIT_SECONDS * 2 ** (life.deaths - 1)
            return False
        if now < life.next:
            return False
        life.begun, life.next = now, None
        return True
