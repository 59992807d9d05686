"""The watches that are kept in git: `watches.yaml`, brought into the catalogue by `channelscribe deploy`.

What is wrong in the file is told with its line before anything is changed.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pydantic import Field, ValidationError

from channelscribe.catalogue import watches
from channelscribe.catalogue.connection import Database
from channelscribe.catalogue.search_query import parse
from channelscribe.catalogue.watches import NAME, Watch
from channelscribe.errors import ChannelscribeError, InvalidSetting
from channelscribe.notify import targets
from channelscribe.settings import Settings
from deployments.channels import entries
from deployments.declared import Strict
from deployments.plan import Change

FILE = Path(__file__).parent / "watches.yaml"


class Entry(Strict):
    """One entry."""

    name: str = Field(pattern=rf"^{NAME.pattern}$")
    query: str = Field(min_length=1, max_length=1000)
    source: str | None = Field(None, min_length=1, max_length=2000)
    speaker: str | None = Field(None, min_length=1, max_length=200)
    notify: list[str] = Field(default_factory=list)


def declared_watches(settings: Settings) -> list[Watch]:
    """All that the file asks for. Raises InvalidSetting that names file, line, entry and what is wrong."""
    file = settings.notify.watches or FILE
    found: dict[str, Watch] = {}
    for line, content in entries(file, "watches"):
        where = f"{file}, line {line}"
        watch = _read(content, where, settings)
        if watch.name in found:
            raise InvalidSetting(f"{where}: there is another watch of that name.", remedy="Give each its own.")
        found[watch.name] = watch
    return list(found.values())


def _read(content: Any, where: str, settings: Settings) -> Watch:
    try:
        entry = Entry.model_validate(content)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        field = ".".join(map(str, first["loc"]))
        raise InvalidSetting(f"{where}: {field}: {first['msg']}.", remedy="Correct it there.") from None
    try:
        for target in entry.notify:
            targets.check(target, settings.notify)
    except ChannelscribeError as error:
        raise InvalidSetting(f"{where} ({entry.name}): {error.message}", remedy=error.remedy) from None
    if not parse(entry.query):
        raise InvalidSetting(f"{where} ({entry.name}): the query names no word.", remedy="Correct it there.")
    return Watch(entry.name, entry.query, entry.source, entry.speaker, tuple(entry.notify), from_git=True)


def deploy_watches(catalogue: Database, wanted: list[Watch], *, rehearsal: bool) -> list[Change]:
    """Bring the catalogue to what is declared, all or nothing; a person's own of the same name becomes git's."""
    with catalogue.session() as session:
        there = {each.name: each for each in watches.watches(session)}
        changes = []
        for watch in wanted:
            known = there.get(watch.name)
            names = ("query", "source", "speaker", "notify", "from_git")
            changed = [name for name in names if known and getattr(known, name) != getattr(watch, name)]
            if known is None or changed:
                action: Any = "update" if known else "create"
                changes.append(Change(action, "watch", watch.name, ", ".join(changed)))
                if not rehearsal:
                    watches.add(session, watch)
        for name in sorted({each.name for each in there.values() if each.from_git} - {each.name for each in wanted}):
            changes.append(Change("remove", "watch", name))
            if not rehearsal:
                watches.remove(session, name)
    return changes
