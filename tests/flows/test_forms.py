"""Each flow takes one form, and each of its fields says what it is, stands in its place and refuses what is absurd."""

from __future__ import annotations

from collections.abc import Iterator
from importlib import import_module
from pkgutil import iter_modules
from typing import Any

import pytest
from prefect.flows import Flow
from prefect.utilities.callables import parameter_schema
from prefect.utilities.schema_tools.validation import validate

import flows
from flows.forms import Form, SyncRequest, TranscribeRequest

Schema = dict[str, Any]

MADE_BY_PROGRAMS = (TranscribeRequest,)
"""What a sync fills in, and no person: its lists are as long as they are."""
DOES_NO_HARM = ("sync-channel", "transcribe-audio", "canary", "name-voices")
"""They add to the library, or ask first, and change nothing that is there; the others have to be told to."""


def all_flows() -> dict[str, Flow[Any, Any]]:
    modules = [import_module(f"flows.{each.name}") for each in iter_modules(flows.__path__)]
    found = [each for module in modules for each in vars(module).values() if isinstance(each, Flow)]
    return {flow.name: flow for flow in found}


FLOWS = all_flows()
FORMS = Form.__subclasses__()
FIELDS = [(form, name) for form in FORMS for name in form.model_fields]


def kinds(schema: Schema) -> Iterator[Schema]:
    """What a field may hold, but for nothing at all."""
    for kind in schema.get("anyOf", [schema]):
        if kind.get("type") == "array":
            yield from kinds(kind["items"])
        elif kind.get("type") != "null":
            yield kind


def test_each_flow_takes_one_form() -> None:
    assert set(FLOWS) >= {"sync-channel", "transcribe-audio", "process-text", "retranscribe", "sweep", "takedown"}
    for name, flow in FLOWS.items():
        schema = parameter_schema(flow)
        assert list(schema.properties) == ["request"], name
        # As the server has it: the form is a definition, its fields numbered as they stand.
        definitions: Schema = schema.definitions
        form = next(form for form in FORMS if form.__name__ in definitions)
        fields = definitions[form.__name__]["properties"]
        assert [field["position"] for field in fields.values()] == list(range(len(form.model_fields)))
        assert definitions[form.__name__]["additionalProperties"] is False


@pytest.mark.parametrize(("form", "name"), FIELDS, ids=lambda each: getattr(each, "__name__", each))
def test_a_field(form: type[Form], name: str) -> None:
    field = form.model_json_schema()["properties"][name]
    assert field["title"] and field["description"]
    assert field["description"][0].islower() or field["description"].startswith("URL")
    if form in MADE_BY_PROGRAMS:
        return
    for kind in kinds(field):
        match kind["type"]:
            case "integer" | "number":
                assert {"minimum", "exclusiveMinimum"} & set(kind) and {"maximum", "exclusiveMaximum"} & set(kind)
            case "string":
                assert {"pattern", "maxLength", "enum"} & set(kind)
            case "object":
                assert kind["propertyNames"]["pattern"]
            case other:
                assert other == "boolean"


@pytest.mark.parametrize("name", sorted(FLOWS))
def test_what_is_not_filled_in_does_no_harm(name: str) -> None:
    definitions: Schema = parameter_schema(FLOWS[name]).definitions
    fields = next(definitions[form.__name__] for form in FORMS if form.__name__ in definitions)["properties"]
    if name not in DOES_NO_HARM:
        assert fields["dry_run"]["default"] is True


SCHEMA = parameter_schema(FLOWS["sync-channel"]).model_dump(mode="json", exclude_unset=True)


@pytest.mark.parametrize(
    ("given", "refused"),
    [
        ({"speech.model": "small", "text.models": {"en": "sample"}, "filters.min_minutes": 3}, None),
        ({"speech": {"model": "small"}, "text.models.en": "sample", "sources.budgets.youtube": 9}, None),
        ({"lease_seconds": 60}, None),
        ({"speech.modle": "x"}, "speech.modle"),
        ({"speech": {"modle": "x"}}, "modle"),
        ({"database.url": "postgresql://"}, "database.url"),
        ({"speech.hub_token": "x"}, "speech.hub_token"),
        ({"sources.cookies": "x"}, "sources.cookies"),
    ],
)
def test_an_unknown_setting_is_refused_before_there_is_a_run(given: Schema, refused: str | None) -> None:
    """As the server does it."""
    request = {"source": "https://example.org/feed", "settings": given}
    errors = validate({"request": request}, SCHEMA, raise_on_error=False)
    assert bool(errors) == (refused is not None), errors
    assert refused is None or refused in str(errors)


@pytest.mark.parametrize(("field", "value", "good"), [
    ("model", "small", True), ("model", "smal", False), ("language", "de", True), ("language", "german", False),
])  # fmt: skip
def test_choices(field: str, value: str, good: bool) -> None:
    request = {"source": "https://example.org/feed", field: value}
    assert (not validate({"request": request}, SCHEMA, raise_on_error=False)) is good
    assert SyncRequest(**request).own_settings() == {f"speech.{field}": value}
