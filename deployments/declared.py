"""The deployments as `prefect.yaml` declares them, checked before a server hears of them.

`channelscribe deploy` registers them with Prefect's client rather than through `prefect deploy --all`, which writes
every deployment anew, drops and makes again its schedules (so that a paused one runs again) and its scheduled runs, and
never tells what it would do. The file stays one that `prefect deploy` reads.
"""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from prefect.client.schemas.objects import ConcurrencyLimitConfig
from prefect.client.schemas.schedules import CronSchedule
from prefect.events.schemas.deployment_triggers import DeploymentEventTrigger
from prefect.flows import Flow
from prefect.utilities.callables import parameter_schema
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from channelscribe.errors import InvalidSetting
from channelscribe.project import project_folder
from deployments.capacity import POOLS, QUEUES

FILE = project_folder() / "prefect.yaml"

FROM_GIT = "git-"
"""What the slug of a schedule that is declared begins with; others are people's own."""

REMEDY = "Correct it there."


class Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class WorkPool(Strict):
    """Where runs wait for a worker; each pool has the queue `default`."""

    name: str
    work_queue_name: str = "default"


class DeclaredSchedule(Strict):
    """One schedule; `parameters` are those of its runs. `active` is said to a new one only. `notify` names blocks that
    are told of its troubles.
    """

    slug: str = Field(pattern=rf"^{FROM_GIT}[a-z0-9-]{{1,60}}$")
    cron: str
    timezone: str = "UTC"
    active: bool = True
    parameters: dict[str, Any] = {}
    notify: list[str] = []

    def schedule(self) -> CronSchedule:
        """Raises ValueError for what is no cron line, or no time zone."""
        return CronSchedule(cron=self.cron, timezone=self.timezone)


class Entry(Strict):
    """What an entry under `deployments` may say; anything else would be read by nobody, and is refused."""

    name: str
    description: str
    entrypoint: str = Field(pattern=r"^flows\.[a-z_]+\.[a-z_]+$")
    work_pool: WorkPool
    tags: list[str] = []
    parameters: dict[str, Any] = {}
    concurrency_limit: ConcurrencyLimitConfig | None = None
    schedules: list[DeclaredSchedule] = []
    triggers: list[DeploymentEventTrigger] = []


@dataclass(frozen=True, slots=True)
class Declared:
    """A deployment with its flow. `schema` is that of the flow's parameters: the form in the UI."""

    entry: Entry
    flow: Flow[Any, Any]
    schema: dict[str, Any]
    pull_steps: list[dict[str, Any]]

    @property
    def name(self) -> str:
        """FLOW/DEPLOYMENT, as `prefect deployment run` wants it."""
        return f"{self.flow.name}/{self.entry.name}"


def declared(file: Path = FILE) -> list[Declared]:
    """All deployments. Raises InvalidSetting that names the entry: an unknown pool, no such flow, wrong parameters."""
    if not file.is_file():
        raise InvalidSetting(f"There is no {file}.", remedy="Deploy from a checkout of channelscribe.")
    content = yaml.safe_load(file.read_text(encoding="utf-8"))
    found = [read_entry(entry, content["pull"], file) for entry in content["deployments"]]
    names = [each.name for each in found]
    slugs = [f"{each.name}:{schedule.slug}" for each in found for schedule in each.entry.schedules]
    for twice in (each for each in [*names, *slugs] if [*names, *slugs].count(each) > 1):
        raise InvalidSetting(f"{file} declares {twice} twice.", remedy=REMEDY)
    return found


def read_entry(content: dict[str, Any], pull: list[dict[str, Any]], file: Path) -> Declared:
    where = f"{file}, {content.get('entrypoint')}"
    try:
        entry = Entry.model_validate(content)
        for schedule in entry.schedules:
            schedule.schedule()
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        raise InvalidSetting(f"{where}: {'.'.join(map(str, first['loc']))}: {first['msg']}.", remedy=REMEDY) from None
    pool, queue = entry.work_pool.name, entry.work_pool.work_queue_name
    if pool not in POOLS or (queue != "default" and (pool, queue) not in QUEUES):
        raise InvalidSetting(f"{where}: there is no pool {pool} with a queue {queue}.", remedy=REMEDY)
    flow = flow_of(entry.entrypoint, where)
    schema = parameter_schema(flow).model_dump(mode="json", exclude_unset=True)
    for parameters in (entry.parameters, *(schedule.parameters for schedule in entry.schedules)):
        if parameters:
            check_parameters(flow, parameters, where)
    return Declared(entry, flow, schema, pull)


def flow_of(entrypoint: str, where: str) -> Flow[Any, Any]:
    module, _, name = entrypoint.rpartition(".")
    try:
        found = getattr(importlib.import_module(module), name, None)
    except ModuleNotFoundError:
        found = None
    if not isinstance(found, Flow):
        raise InvalidSetting(f"{where}: there is no such flow.", remedy=REMEDY)
    return found


def check_parameters(flow: Flow[Any, Any], parameters: dict[str, Any], where: str) -> None:
    """Raises InvalidSetting for parameters that the flow would refuse."""
    try:
        flow.validate_parameters(parameters)
    except Exception as error:
        told = str(error).splitlines()
        raise InvalidSetting(f"{where}: the parameters are wrong: {' '.join(told[1:3])}.", remedy=REMEDY) from None
