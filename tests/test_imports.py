"""What each command and process may load. Imports are most of what a quick command costs; a test keeps them out.

What is light, or used by all, is not listed. A new heavy library belongs into HEAVY.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from channelscribe.catalogue import schema
from channelscribe.catalogue.connection import Database
from channelscribe.local_stack import LocalStack
from channelscribe.sample.server import SampleServer
from tests.conftest import ON_SAMPLE, clean_environment

ROOT = Path(__file__).parent.parent
HEAVY = (
    *("prefect", "prefect_dask", "dask", "distributed", "torch", "whisperx", "faster_whisper", "ctranslate2"),
    *("spacy", "nltk", "yt_dlp", "av", "numpy", "soundfile", "pydub", "pyarrow", "prometheus_client"),
    *("alembic", "sqlmodel", "sqlalchemy", "psycopg", "s3fs", "fsspec", "botocore", "rich", "pydantic", "uvicorn"),
)
SETTINGS = ("pydantic",)
READING = (*SETTINGS, "psycopg")
DATABASE = (*SETTINGS, "psycopg", "sqlalchemy", "sqlmodel")
FILES = (*SETTINGS, "av", "numpy", "soundfile", "rich")

MAY = {
    "channelscribe.__main__": (),
    "channelscribe.project": (),
    "flows.cli": (),
    "flows.session": SETTINGS,
    "flows.commands.library": READING,
    "flows.commands.versions": READING,
    "flows.commands.retention": DATABASE,
    "flows.commands.serve": SETTINGS,
    "channelscribe.web.app": (*DATABASE, "uvicorn"),
    "flows.commands.report": (*DATABASE, "numpy", "soundfile"),
    "flows.commands.sync": (*DATABASE, "yt_dlp", "rich"),
    "flows.commands.demo": (*DATABASE, "yt_dlp", "rich", "numpy"),
    "channelscribe.discovery": (*DATABASE, "yt_dlp"),
    "flows.commands.operating": (*SETTINGS, "psycopg"),
    "flows.commands.audio": FILES,
    "flows.commands.transcribe": FILES,
    "flows.commands.process": (*SETTINGS, "numpy"),
    "flows.commands.fetching": (*SETTINGS, "yt_dlp", "av"),
    "tasks.dask_step": (),
    "channelscribe.local_stack.supervisor": (),
}
"""What a module may load of HEAVY by being imported. Commands import the rest when they come to it."""


READERS = (["search", "harbour"], ["status"], ["entities"], ["show", "no-such"], ["versions", "no-such"])
"""Commands that read the library; of the last two it is enough that they have looked."""


def loaded(script: str, environment: dict[str, str] | None = None) -> list[str]:
    ends = f"\nimport json\nprint(json.dumps([name for name in {HEAVY!r} if name in sys.modules]))"
    done = subprocess.run(
        [sys.executable, "-P", "-c", f"import sys\nsys.path.insert(0, {str(ROOT)!r})\n{script}{ends}"],
        capture_output=True,
        text=True,
        check=True,
        env=environment,
    )
    found: list[str] = json.loads(done.stdout.splitlines()[-1])
    return found


@pytest.mark.slow
@pytest.mark.parametrize("module", MAY)
def test_a_module_loads_no_more_than_it_may(module: str) -> None:
    assert set(loaded(f"import {module}")) <= set(MAY[module])


@pytest.mark.slow
def test_a_flow_is_imported_without_dask_and_the_engines_of_speech() -> None:
    found = loaded("import flows.sync_channel, flows.transcribe_audio, flows.retranscribe, flows.process_text")
    assert not {"dask", "distributed", "prefect_dask", "torch", "whisperx", "spacy", "alembic", "s3fs"} & set(found)


@pytest.mark.slow
def test_help_loads_nothing_heavy() -> None:
    assert loaded("from flows.cli import main\ntry: main(['sync', '--help'])\nexcept SystemExit: pass") == []


@pytest.mark.stack
def test_commands_that_read_load_the_driver_and_no_engine(stack: LocalStack, data_dir: Path) -> None:
    schema.migrate(Database(stack.addresses.database_url or ""))
    script = f"from flows.cli import main\nassert [main(each) for each in {READERS!r}] == [0, 0, 0, 1, 1]"
    assert set(loaded(script, clean_environment(data_dir))) <= {*READING, "rich"}


@pytest.mark.stack
def test_a_sync_that_finds_nothing_loads_what_lists_and_no_engine(stack: LocalStack, data_dir: Path) -> None:
    with SampleServer() as server:
        sync = ["sync", server.feed_url, "--since", "2100-01-01", *ON_SAMPLE]
        script = f"from flows.cli import main\nassert main({sync!r}) == 0"
        assert set(loaded(script, clean_environment(data_dir))) <= {*DATABASE, "yt_dlp", "rich"}
