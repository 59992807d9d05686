"""What a deploy changes on a server, done or only told.

A deploy remembers in the Prefect variable `channelscribe_deployed` what it made. What is in there and no longer
declared is removed by the next deploy; what people made by hand is not in there, and stays.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal, TypeVar

from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas.actions import VariableCreate, VariableUpdate
from prefect.exceptions import ObjectNotFound

MEMORY = "channelscribe_deployed"
REMEMBERED = ("pool", "queue", "limit", "deployment", "automation")
"""Kinds that are pruned by what is remembered. Schedules tell by their slug; blocks are never removed."""

Made = dict[str, list[str]]
Found = TypeVar("Found")


@dataclass(frozen=True, slots=True)
class Change:
    """One object of the server. `detail` names the fields of an update."""

    action: Literal["create", "update", "remove"]
    kind: str
    name: str
    detail: str = ""


def found(read: Callable[..., Found], *names: str) -> Found | None:
    """What the server has under a name, or None."""
    try:
        return read(*names)
    except ObjectNotFound:
        return None


class Plan:
    """Collects changes and, unless it is a `rehearsal`, makes them."""

    def __init__(self, client: SyncPrefectClient, *, rehearsal: bool = False) -> None:
        self.client = client
        self.rehearsal = rehearsal
        self.changes: list[Change] = []
        self._made: Made = {}
        self._remembered: Made | None = None

    @contextmanager
    def remembering(self) -> Iterator[None]:
        """Around all changes. What a deploy that failed half-way made is remembered with what was there before."""
        variable = self.client.read_variable_by_name(MEMORY)
        before = variable.value if variable is not None else None
        self._remembered = before if isinstance(before, dict) else None
        try:
            yield
        except BaseException:
            for kind, names in (self._remembered or {}).items():
                self._made[kind] = sorted({*names, *self._made.get(kind, [])})
            raise
        finally:
            self._remember()

    def bring(
        self,
        kind: str,
        name: str,
        wanted: Mapping[str, Any],
        there: Found | None,
        *,
        create: Callable[[], Any],
        update: Callable[[Found], Any],
        fields: Callable[[Found], Mapping[str, Any]] = vars,
    ) -> None:
        """Make what is not `there`, or write it where one of its `fields` is not as `wanted`."""
        if there is None:
            self.create(kind, name, create)
            return
        known = fields(there)
        if changed := [field for field, value in wanted.items() if known[field] != value]:
            self._do(Change("update", kind, name, ", ".join(changed)), lambda: update(there))

    def create(self, kind: str, name: str, create: Callable[[], Any]) -> None:
        self._do(Change("create", kind, name), create)

    def remove(self, kind: str, name: str, remove: Callable[[], Any]) -> None:
        """Somebody may have removed it already: then nothing changes."""
        try:
            self._do(Change("remove", kind, name), remove)
        except ObjectNotFound:
            return

    def prune(self, kind: str, wanted: Sequence[str], remove: Callable[[str], Any]) -> None:
        """Remember what is wanted; remove what an earlier deploy made and is not."""
        self._made[kind] = sorted(wanted)
        gone = {change.name for change in self.changes if (change.action, change.kind) == ("remove", kind)}
        for name in (self._remembered or {}).get(kind, []):
            if name not in wanted and name not in gone:
                self.remove(kind, name, partial(remove, name))

    def _do(self, change: Change, make: Callable[[], Any]) -> None:
        if not self.rehearsal:
            if change.action == "create" and change.kind in REMEMBERED:
                self._made.setdefault(change.kind, []).append(change.name)
            make()
        self.changes.append(change)

    def _remember(self) -> None:
        made = {kind: sorted(set(names)) for kind, names in self._made.items()}
        if self.rehearsal or made == self._remembered:
            return
        if self._remembered is None:
            self.client.create_variable(VariableCreate(name=MEMORY, value=made))
        else:
            self.client.update_variable(VariableUpdate(name=MEMORY, value=made))
