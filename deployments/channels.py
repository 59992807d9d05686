"""The channels that are kept in sync: each entry of `channels.yaml` is a schedule of `sync-channel/channel-sync`.

The file is in git; what is wrong in it is told with its line before a server hears of it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import urlsplit
from zoneinfo import available_timezones

import yaml
from pydantic import Field, ValidationError, field_validator

from channelscribe.errors import ChannelscribeError, InvalidSetting, UsageError
from channelscribe.settings.options import FilterOptions
from channelscribe.settings.registry import SettingsRegistry
from channelscribe.settings.travel import refuse_own
from channelscribe.sources.subscriptions import read_opml
from deployments.declared import FROM_GIT, DeclaredSchedule, Strict

FILE = Path(__file__).parent / "channels.yaml"
CHOSEN = {"limit", "since", "newest", "title", "min_minutes", "max_minutes", "season", "full", "settings"}
"""What an entry says of its run, by the names of the form."""


class Channel(Strict):
    """One entry. `name` is for good: it is what the schedule is known by."""

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9-]{0,39}$")
    source: str = Field(pattern=r"^(https?://\S+|file:///\S+|[^:]+\.opml)$", max_length=2000)
    cron: str
    timezone: str = "UTC"
    active: bool = True
    limit: int | None = Field(None, ge=1, le=100_000)
    since: date | None = None
    newest: int | None = Field(None, ge=1)
    title: str | None = Field(None, max_length=500)
    min_minutes: float | None = Field(None, ge=0)
    max_minutes: float | None = Field(None, gt=0)
    season: int | None = Field(None, ge=0)
    full: bool = False
    notify: list[Annotated[str, Field(pattern=r"^[a-z0-9-]+/[a-z0-9-]+$")]] = Field(default_factory=list)
    settings: dict[str, Any] = Field(default_factory=dict)

    @field_validator("source")
    @classmethod
    def _is_public(cls, value: str) -> str:
        if "@" in urlsplit(value).netloc:
            raise ValueError(
                "has a user or a password in it, which all would see; sync it once with `channelscribe sync`, which "
                "keeps them, and write it here without"
            )
        return value

    @field_validator("title")
    @classmethod
    def _is_pattern(cls, value: str | None) -> str | None:
        FilterOptions(title=value)
        return value

    @field_validator("timezone")
    @classmethod
    def _is_known(cls, value: str) -> str:
        if value not in available_timezones():
            raise ValueError("is no time zone such as Europe/Berlin")
        return value

    @field_validator("settings")
    @classmethod
    def _can_be_set(cls, value: dict[str, Any]) -> dict[str, Any]:
        try:
            SettingsRegistry(run=value).resolve()
            refuse_own(value, "channels.yaml")
        except ChannelscribeError as error:
            raise ValueError(error.message.rstrip(".")) from None
        return value

    def schedule(self) -> DeclaredSchedule:
        """Raises ValidationError for a wrong cron line."""
        chosen = self.model_dump(mode="json", include=CHOSEN, exclude_defaults=True)
        made = DeclaredSchedule(
            slug=f"{FROM_GIT}{self.name}",
            cron=self.cron,
            timezone=self.timezone,
            active=self.active,
            notify=self.notify,
            parameters={"request": {"source": self.source, **chosen}},
        )
        made.schedule()
        return made


def channels(file: Path | None = None) -> list[DeclaredSchedule]:
    """The schedules that the file asks for; none is fine.

    Raises InvalidSetting that names file, line, entry and what is wrong.
    """
    file = file or FILE
    found: dict[str, DeclaredSchedule] = {}
    for line, content in entries(file, "channels"):
        name = content.get("name") if isinstance(content, dict) else None
        where = f"{file}, line {line}" + (f" ({name})" if name else "")
        for each in each_show(content, where, file.parent):
            schedule = read_channel(each, where)
            if schedule.slug in found:
                raise InvalidSetting(f"{where}: there is another channel of that name.", remedy="Give each its own.")
            found[schedule.slug] = schedule
    return list(found.values())


def each_show(content: Any, where: str, folder: Path) -> list[Any]:
    """The entry itself; of one whose source is a list of shows (OPML, beside this file) one for each of them.

    Their names have a mark made from the address, so that they stay the same when the list is sorted anew.
    """
    source = content.get("source") if isinstance(content, dict) else None
    if not isinstance(source, str) or "://" in source or not source.endswith(".opml"):
        return [content]
    try:
        shows = read_opml(folder / source)
    except UsageError as error:
        raise InvalidSetting(f"{where}: {error.message}", remedy=error.remedy) from None
    marks = [(hashlib.sha256(url.encode()).hexdigest()[:8], url) for _, url in shows]
    return [{**content, "name": f"{str(content.get('name'))[:31]}-{mark}", "source": url} for mark, url in marks]


def read_channel(content: Any, where: str) -> DeclaredSchedule:
    try:
        return Channel.model_validate(content).schedule()
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        field = ".".join(map(str, first["loc"]))
        told = first["msg"].removeprefix("Value error, ")
        raise InvalidSetting(f"{where}: {field + ': ' if field else ''}{told}.", remedy="Correct it there.") from None


def entries(file: Path, key: str) -> Sequence[tuple[int, Any]]:
    """The entries under `key`, each with the line on which it begins. Raises InvalidSetting."""
    remedy = f"It must hold `{key}:` and a list."
    try:
        text = file.read_text(encoding="utf-8")
        root = yaml.compose(text, Loader=yaml.SafeLoader)
        content = yaml.safe_load(text)
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise InvalidSetting(f"{file}, line {line}: {error.problem}.", remedy="It must be YAML.") from None
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidSetting(f"{file} cannot be read: {error}.", remedy=remedy) from None
    if not isinstance(content, dict) or set(content) != {key}:
        raise InvalidSetting(f"{file} holds no list of {key}, or more.", remedy=remedy)
    listed = content[key] or []
    nodes = next(value for name, value in getattr(root, "value", ()) if name.value == key)
    if not isinstance(listed, list):
        raise InvalidSetting(f"{file}, line {nodes.start_mark.line + 1}: {key} is no list.", remedy=remedy)
    lines = [node.start_mark.line + 1 for node in nodes.value] if listed else []
    return list(zip(lines, listed, strict=True))
