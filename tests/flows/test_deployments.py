"""prefect.yaml: each entry imports, is the flow it says, and takes a form that explains itself."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from prefect.flows import Flow, load_flow_from_entrypoint
from prefect.utilities.callables import parameter_schema

from flows.forms import SyncRequest

ROOT = Path(__file__).parent.parent.parent
DECLARED = yaml.safe_load((ROOT / "prefect.yaml").read_text())
ENTRIES = DECLARED["deployments"]
NAMES = {
    "flows/sync_channel.py:sync_channel": "sync-channel",
    "flows/transcribe_audio.py:transcribe_audio": "transcribe-audio",
}


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: entry["entrypoint"])
def test_each_entrypoint_is_a_flow_with_that_name(entry: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    flow = load_flow_from_entrypoint(entry["entrypoint"])
    assert isinstance(flow, Flow)
    assert flow.name == NAMES[entry["entrypoint"]]
    assert "request" in parameter_schema(flow).properties


def test_nothing_is_pulled_and_no_directory_of_this_machine_is_written() -> None:
    step = DECLARED["pull"][0]["prefect.deployments.steps.set_working_directory"]
    assert step == {"directory": "/opt/channelscribe"}


def test_every_field_of_the_form_has_title_description_and_place() -> None:
    fields = SyncRequest.model_json_schema()["properties"]
    assert sorted(field["position"] for field in fields.values()) == list(range(len(fields)))
    assert all(field["title"] and field["description"] for field in fields.values())


@pytest.mark.parametrize("wrong", [{"source": ""}, {"source": "x", "limit": 0}, {"source": "x", "nonsense": 1}])
def test_wrong_parameters_are_refused_before_anything_starts(wrong: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="validation error"):
        SyncRequest.model_validate(wrong)
