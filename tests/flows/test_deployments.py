"""prefect.yaml: each entry imports, is the flow it says, and takes a form that explains itself."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from prefect.cli.deploy._models import PrefectYamlModel
from prefect.flows import Flow, load_flow_from_entrypoint
from prefect.utilities.callables import parameter_schema
from pydantic import BaseModel

from channelscribe.errors import InvalidSetting
from deployments.declared import FILE, declared
from flows.forms import CanaryRequest, ProcessRequest, RetranscribeRequest, SweepRequest, SyncRequest

DECLARED = yaml.safe_load(FILE.read_text())
ENTRIES = DECLARED["deployments"]
DOC = (Path(__file__).parents[2] / "docs" / "operating.md").read_text(encoding="utf-8")
FORMS = [CanaryRequest, SyncRequest, ProcessRequest, RetranscribeRequest, SweepRequest]
"""Those that people fill in; the others are filled by flows."""


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: entry["entrypoint"])
def test_each_entrypoint_is_a_flow_that_dask_workers_know(entry: dict[str, str]) -> None:
    flow = load_flow_from_entrypoint(entry["entrypoint"])
    assert isinstance(flow, Flow)
    assert f"{flow.fn.__module__}.{flow.fn.__name__}" == entry["entrypoint"]
    assert "request" in parameter_schema(flow).properties


def test_each_deployment_is_in_the_docs() -> None:
    found = declared()
    assert len(found) == len(ENTRIES) >= 3
    assert all(f"| `{each.name}` |" in DOC for each in found)


def test_prefects_own_command_reads_it() -> None:
    read = PrefectYamlModel.model_validate(DECLARED)
    assert [each.name for each in read.deployments] == [each["name"] for each in ENTRIES]


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"work_pool": {"name": "cpu"}}, "no pool cpu"),
        ({"work_pool": {"name": "gpu", "work_queue_name": "slow"}}, "no pool gpu with a queue slow"),
        ({"concurrency_limit": {"limit": 1, "collision_strategy": "WAIT"}}, "collision_strategy"),
        ({"entrypoint": "flows.sync_channel.nothing"}, "no such flow"),
        ({"entrypoint": "flows.nothing.nothing"}, "no such flow"),
        ({"entrypoint": "flows/sync_channel.py:sync_channel"}, "entrypoint"),
        ({"parameters": {"request": {"source": "x"}}}, "parameters are wrong"),
        ({"schedule": {"cron": "0 1 * * *"}}, "schedule: Extra inputs"),
        ({"schedules": [{"slug": "hourly", "cron": "0 * * * *"}]}, "slug"),
        ({"schedules": [{"slug": "git-hourly", "cron": "hourly"}]}, "cron"),
        ({"schedules": [{"slug": "git-hourly", "cron": "0 * * * *"}] * 2}, "git-hourly twice"),
    ],
)
def test_a_wrong_entry_is_told(tmp_path: Path, change: dict[str, Any], says: str) -> None:
    wrong = {**DECLARED, "deployments": [{**ENTRIES[0], **change}, *ENTRIES[1:]]}
    (tmp_path / "prefect.yaml").write_text(yaml.safe_dump(wrong))
    with pytest.raises(InvalidSetting, match=says):
        declared(tmp_path / "prefect.yaml")


@pytest.mark.parametrize("form", FORMS)
def test_every_field_of_a_form_has_title_description_and_place(form: type[BaseModel]) -> None:
    fields = form.model_json_schema()["properties"]
    assert sorted(field["position"] for field in fields.values()) == list(range(len(fields)))
    assert all(field["title"] and field["description"] for field in fields.values())


@pytest.mark.parametrize(
    "wrong",
    [
        {"source": ""},
        {"source": "ftp://a.org"},
        {"source": "https://a.org", "limit": 0},
        {"source": "https://a.org", "nonsense": 1},
        {"source": "https://a.org", "again": ["Not a reason"]},
    ],
    ids=str,
)
def test_wrong_parameters_are_refused_before_anything_starts(wrong: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="validation error"):
        SyncRequest.model_validate(wrong)


def test_what_changes_much_does_nothing_unless_told() -> None:
    assert all(form().dry_run for form in (ProcessRequest, RetranscribeRequest, SweepRequest))  # type: ignore[attr-defined]
