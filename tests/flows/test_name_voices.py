"""The flow `name-voices` on the shared stack: it is paused until somebody answers."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from channelscribe.local_stack import LocalStack
from channelscribe.local_stack.services import prefect_environment
from tasks.voices import form_of
from tests.conftest import clean_environment


def test_the_form_suggests_and_sets_nothing() -> None:
    clip = {"title": "A [talk](x) `now`", "url": "https://example.org/v#t=3"}
    told = {"voice": 7, "seconds": 90, "videos": 2, "days": ["2024-05-01"], "clip": clip, "listen": clip["url"]}
    form = form_of([{**told, "suggested": ["Ada", "Bob"]}])
    assert form.model_fields["voice_7"].default == ""
    assert "Perhaps Ada or Bob." in str(form.model_fields["voice_7"].description)
    assert "1.5 min in 2 videos" in str(form._description) and "[talk]" not in str(form._description)
    assert form_of([{**told, "clip": None, "listen": None, "suggested": []}])._description


FLOW = """
import json, threading
from prefect.client.orchestration import get_client
from prefect.flow_runs import resume_flow_run
from flows import name_voices as module
from flows.forms import NameVoicesRequest
from channelscribe.catalogue import schema, voices
from tasks.maintenance import library
from tests.catalogue.test_voices import ADA, BOB, _publish

module.LOOK_SECONDS = 1
catalogue = library().catalogue
schema.migrate(catalogue)
for video, people in {"nv1": {"S0": ADA, "S1": BOB}, "nv2": {"S0": ADA}}.items():
    _publish(catalogue, video, **people)
asked, done = [], threading.Event()

def answer():
    with get_client(sync_client=True) as client:
        while not done.wait(0.3):
            for run in client.read_flow_runs():
                if run.state is not None and run.state.is_paused():
                    known = {voice.videos: voice.number for voice in catalogue.run(voices.listed)}
                    asked.append(known)
                    resume_flow_run(run.id, run_input={f"voice_{known[2]}": "Ada", f"voice_{known[1]}": "99999"})
                    return

def resumed():
    try:
        answer()
    except Exception as error:  # told below
        asked.append(str(error))

thread = threading.Thread(target=resumed)
thread.start()
found = module.name_voices(NameVoicesRequest(channel="Channel One", min_minutes=0, hours=0.05))
done.set()
thread.join()
names = {voice.name for voice in catalogue.run(voices.listed)}
print(json.dumps([found, asked, sorted(map(str, names))]))
"""


@pytest.mark.stack
def test_a_run_waits_for_names(stack: LocalStack) -> None:
    environment = clean_environment(stack.places.data)
    environment |= prefect_environment(stack.places, stack.addresses.prefect_api_url or "")
    environment["CHANNELSCRIBE_DATABASE__URL"] = stack.addresses.database_url or ""
    done = subprocess.run(
        [sys.executable, "-c", FLOW], env=environment, capture_output=True, text=True, timeout=200, check=False
    )
    assert done.returncode == 0, done.stderr[-3000:]
    found, asked, names = json.loads(done.stdout.splitlines()[-1])
    (known,) = asked
    assert found["named"] == {str(known["2"]): "Ada"} and found["merged"] == {}
    assert "no voice" in found["failed"][str(known["1"])]
    assert names == ["Ada", "None"]
