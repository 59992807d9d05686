"""Are the figures, labels, stages, states and reasons in rules and dashboards ones that somebody gives.

Those of channelscribe by its own collector, on made up figures; Dask's by its source; those of exporters that are not
here by a list. With all services running, tests/containers/test_processes.py asks Prometheus itself.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import distributed.http
import yaml
from prometheus_client.parser import text_string_to_metric_families

from channelscribe import errors
from channelscribe.catalogue.prometheus import exposition
from channelscribe.catalogue.stats import Figures, StageFigures
from channelscribe.catalogue.tables import State
from deployments.containers.tree import Finding, Tree

OF_PROMETHEUS = {"up", "ALERTS"}
OF_EXPORTERS = {
    *("pg_up", "pg_stat_activity_count", "pg_settings_max_connections", "pg_database_size_bytes"),
    *("DCGM_FI_DEV_GPU_UTIL", "DCGM_FI_DEV_FB_USED", "DCGM_FI_DEV_GPU_TEMP"),
}
OF_PROCESSES = {"process_resident_memory_bytes", "process_cpu_seconds_total", "process_open_fds"}
"""prometheus_client's own, which Prefect's server and Dask give."""

METRIC = re.compile(r"\b(?:channelscribe|dask|pg|DCGM|process|prefect)_\w+|\bup\b|\bALERTS\b")
SELECTED = re.compile(r"(?P<metric>\w+)\{(?P<labels>[^}]*)\}")
LABEL = re.compile(r"(?P<name>\w+)\s*(?P<how>=~|!~|!=|=)\s*\"(?P<value>[^\"]*)\"")


def dashboards(tree: Tree) -> Iterator[Finding]:
    jobs = {job["job_name"] for job in tree.prometheus["scrape_configs"]}
    for where, expression in expressions(tree.docker):
        for name in sorted(set(METRIC.findall(expression))):
            if not is_given(name):
                yield Finding(where, f"nobody gives {name}")
        for selected in SELECTED.finditer(expression):
            for label in LABEL.finditer(selected["labels"]):
                for value in label["value"].split("|"):
                    known = jobs if label["name"] == "job" else values(selected["metric"], label["name"])
                    if known is not None and value not in known:
                        yield Finding(where, f"{selected['metric']} has no {label['name']} {value}")
    for path in sorted((tree.docker / "grafana/dashboards").glob("*.json")):
        yield from sources(tree, path)


def expressions(docker: Path) -> Iterator[tuple[str, str]]:
    """(where it stands, PromQL) of all rules and panels."""
    rules = yaml.safe_load((docker / "prometheus/rules.yml").read_text(encoding="utf-8"))
    for group in rules["groups"]:
        for rule in group["rules"]:
            yield f"rules.yml, {rule.get('alert') or rule.get('record')}", rule["expr"]
    for path in sorted((docker / "grafana/dashboards").glob("*.json")):
        for panel in json.loads(path.read_text(encoding="utf-8"))["panels"]:
            for target in panel.get("targets") or []:
                yield f"{path.name}, {panel['title']}", target["expr"]


def sources(tree: Tree, path: Path) -> Iterator[Finding]:
    """Panels have ids of their own, and ask a source that is provisioned."""
    provisioned = {
        source["uid"]
        for file in (tree.docker / "grafana/provisioning/datasources").glob("*.yaml")
        for source in yaml.safe_load(file.read_text(encoding="utf-8"))["datasources"]
    }
    panels = json.loads(path.read_text(encoding="utf-8"))["panels"]
    ids = [panel["id"] for panel in panels]
    for panel in panels:
        asked = {each["datasource"]["uid"] for each in [panel, *(panel.get("targets") or [])] if "datasource" in each}
        if ids.count(panel["id"]) > 1:
            yield Finding(path.name, f"{panel['title']} has the id of another")
        for uid in sorted(asked - provisioned):
            yield Finding(path.name, f"{panel['title']} asks a source {uid}, which is not provisioned")


def is_given(name: str) -> bool:
    if name.startswith("channelscribe_"):
        return name in own()
    if name.startswith("dask_"):
        return any(name.endswith(each) for each in of_dask()) and name.startswith(("dask_scheduler_", "dask_worker_"))
    return name in OF_PROMETHEUS | OF_EXPORTERS | OF_PROCESSES


@cache
def own() -> dict[str, set[str]]:
    """Sample name: names of its labels."""
    figures = Figures(
        states={}, failures={"private": 1}, running={"download": 1}, due=1, oldest_due_seconds=1, transcribed_seconds=1
    )
    figures.stages.append(StageFigures("download", 1, 1, 1, 1, 1))
    families = text_string_to_metric_families(exposition(lambda: figures).decode())
    return {sample.name: set(sample.labels) for family in families for sample in family.samples}


@cache
def of_dask() -> set[str]:
    """Last parts of the names in Dask's collectors (`self.build_name("workers")`)."""
    home = Path(distributed.http.__file__).parent
    text = "".join(path.read_text(encoding="utf-8") for path in home.glob("*/prometheus/*.py"))
    return {f"_{name}" for name in re.findall(r"build_name\(\s*\"(\w+)\"", text)}


def values(metric: str, label: str) -> set[str] | None:
    """What a label of ours can be; None where that is not known."""
    if not metric.startswith("channelscribe_"):
        return None
    if label == "reason":
        return reasons()
    if label == "state":
        return {state.value for state in State}
    return None if label in own().get(metric, set()) else set()


@cache
def reasons() -> set[str]:
    kinds = [getattr(errors, name) for name in errors.__all__]
    return {kind.reason for kind in kinds if isinstance(kind, type) and issubclass(kind, errors.ChannelscribeError)}
