"""The Prefect variable `channelscribe_settings`: a layer between this machine's settings and a run's parameters."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from prefect.client.orchestration import get_client
from prefect.client.schemas.actions import VariableCreate
from prefect.exceptions import ObjectNotFound
from prefect.settings import PREFECT_API_URL, temporary_settings

from channelscribe.errors import InvalidSetting, UnknownSetting
from channelscribe.local_stack import LocalStack
from channelscribe.settings.travel import VARIABLE
from tasks.resources import run_settings
from tests.conftest import Cli

pytestmark = pytest.mark.stack

SetVariable = Callable[[Any], None]


@pytest.fixture
def variable(stack: LocalStack) -> Iterator[SetVariable]:
    with temporary_settings({PREFECT_API_URL: stack.addresses.prefect_api_url}), get_client(sync_client=True) as client:

        def remove() -> None:
            try:
                client.delete_variable_by_name(VARIABLE)
            except ObjectNotFound:
                return

        def write(value: Any) -> None:
            remove()
            client.create_variable(VariableCreate(name=VARIABLE, value=value))

        yield write
        remove()


def test_it_holds_for_the_next_run_and_parameters_win(variable: SetVariable, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CHANNELSCRIBE_SPEECH__BEAM_SIZE", "2")
    assert run_settings({}).speech.beam_size == 2
    variable({"speech.beam_size": 3, "filters": {"min_minutes": 4}})
    settings = run_settings({"filters.min_minutes": 5})
    assert (settings.speech.beam_size, settings.filters.min_minutes) == (3, 5)
    variable({"speech.beam_size": 4})
    assert (run_settings({}).speech.beam_size, run_settings({}).filters.min_minutes) == (4, None)


@pytest.mark.parametrize(
    ("value", "error", "says"),
    [
        ({"speech.beam_size": 0}, InvalidSetting, "speech.beam_size (from Prefect variable channelscribe_settings)"),
        ({"speech": {"modle": "x"}}, UnknownSetting, "speech.modle"),
        ({"nonsense": 1}, UnknownSetting, "nonsense"),
        ({"database": {"url": "canary-8"}}, InvalidSetting, "database.url cannot come from the Prefect variable"),
        ({"speech.hub_token": "canary-8"}, InvalidSetting, "speech.hub_token cannot come"),
        ({"sources": {"proxy": "canary-8"}}, InvalidSetting, "sources.proxy cannot come"),
        ("speech.model=small", InvalidSetting, "holds no settings"),
        ([1], InvalidSetting, "holds no settings"),
    ],
)
def test_a_wrong_one_fails_the_run_with_key_and_remedy(
    variable: SetVariable, value: Any, error: type[InvalidSetting], says: str
) -> None:
    variable(value)
    with pytest.raises(error) as caught:
        run_settings({})
    assert says in str(caught.value)
    assert caught.value.remedy
    assert "canary-8" not in str(caught.value)


@pytest.mark.parametrize("given", [{"store.url": "/x"}, {"speech": {"hub_token": "x"}}, {"data_dir": "/x"}])
def test_what_is_each_machines_own_is_no_parameter_of_a_run(stack: LocalStack, given: dict[str, Any]) -> None:
    with (
        temporary_settings({PREFECT_API_URL: stack.addresses.prefect_api_url}),
        pytest.raises(InvalidSetting, match="parameters of a run"),
    ):
        run_settings(given)


def test_config_show_tells_that_it_comes_from_there(variable: SetVariable, cli: Cli) -> None:
    variable({"speech.beam_size": 3, "filters.shorts": False})
    done = cli("config", "show", "--json", "--set", "filters.shorts=true")
    assert done.code == 0, str(done)
    shown = json.loads(done.out)
    assert shown["speech.beam_size"] == {"value": "3", "origin": "Prefect variable channelscribe_settings"}
    assert shown["filters.shorts"] == {"value": "true", "origin": "run parameter"}
    assert shown["speech.model"]["origin"] == "config.yaml (default)"
