"""The flows `sweep` and `takedown` on the shared stack: without their switch they only tell."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import pytest

from channelscribe.local_stack import LocalStack
from channelscribe.local_stack.services import prefect_environment
from flows.forms import SweepRequest, TakedownRequest
from tests.conftest import clean_environment

pytestmark = pytest.mark.stack

FLOWS = """
import json
from flows.forms import SweepRequest, TakedownRequest
from flows.sweep import sweep
from flows.takedown import takedown
from tasks.maintenance import library
from channelscribe.store import layout
from tests.retention.filling import published

from prefect.artifacts import create_markdown_artifact
from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import ArtifactFilter, ArtifactFilterKey
from prefect import flow
from channelscribe.catalogue import schema
from tasks.artifacts import transcript_artifact_key

@flow(name="transcribe-audio", persist_result=False)
def names_it(request: dict):
    create_markdown_artifact(key=page, markdown="Canary")

page = transcript_artifact_key("youtube", "flow-gone")
names_it({"videos": [{"site": "youtube", "video_id": "flow-gone", "title": "Canary"}]})
names_it({"videos": [{"site": "youtube", "video_id": "flow-stays", "title": "Other"}]})

def remembered():
    with get_client(sync_client=True) as client:
        runs = [str(run.parameters) for run in client.read_flow_runs()]
        pages = client.read_artifacts(artifact_filter=ArtifactFilter(key=ArtifactFilterKey(any_=[page])))
    return [sum("Canary" in run for run in runs), sum("flow-stays" in run for run in runs), len(pages)]

schema.migrate(library().catalogue)
published(library(), "flow-gone")
here = lambda: len([key for key in library().store.list() if "/flow-gone" in key])
told = takedown(TakedownRequest(video="flow-gone"))
before = here()
known = remembered()
done = takedown(TakedownRequest(video="flow-gone", dry_run=False))
late = layout.archive_key("youtube", "flow-gone")
library().store.put_bytes(b"late", late)
found = sweep(SweepRequest(settings={"retention.orphan_hours": 1000}))
still = here()
swept = sweep(SweepRequest(dry_run=False, settings={"retention.orphan_hours": 1000}))
print(json.dumps([told, before, done, late in found["examples"], still, swept["deleted"], here(), known, remembered()]))
"""


@pytest.mark.long
def test_as_flows(stack: LocalStack) -> None:
    environment = clean_environment(stack.places.data)
    environment |= prefect_environment(stack.places, stack.addresses.prefect_api_url or "")
    environment["CHANNELSCRIBE_DATABASE__URL"] = stack.addresses.database_url or ""
    done = subprocess.run(
        [sys.executable, "-c", FLOWS], env=environment, capture_output=True, text=True, timeout=200, check=False
    )
    assert done.returncode == 0, done.stderr[-3000:]
    told, before, taken, found, still, deleted, left, known, remembered = json.loads(done.stdout.splitlines()[-1])
    assert (told["deleted"], taken["deleted"], deleted) == (False, True, True)
    assert told["tallies"] == taken["tallies"]
    # Two pages, the run that made them, and that of the dry run, which has the id in its parameters.
    assert (known, remembered, taken["forgotten"]) == ([1, 1, 2], [0, 1, 0], 4)
    assert (before > 10, found, still, left) == (True, True, 1, 0)


@pytest.mark.parametrize("form", [SweepRequest, TakedownRequest])
def test_the_forms_explain_themselves_and_delete_nothing_unasked(form: Any) -> None:
    fields = form.model_json_schema()["properties"]
    assert sorted(field["position"] for field in fields.values()) == list(range(len(fields)))
    assert all(field["title"] and field["description"] for field in fields.values())
    assert fields["dry_run"]["default"] is True
