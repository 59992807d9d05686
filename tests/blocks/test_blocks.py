"""Blocks on a real Prefect server: saved, loaded, secrets hidden, turned into the library's objects."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from channelscribe.local_stack import LocalStack
from channelscribe.local_stack.services import prefect_environment
from tests.conftest import clean_environment

pytestmark = [pytest.mark.long, pytest.mark.stack]

SCRIPT = """
import json, sys
from blocks import CatalogueBlock, MediaStoreBlock
from channelscribe.catalogue import schema
url, folder = sys.argv[1:]
MediaStoreBlock(url=folder, secret_key="canary-91").save("library", overwrite=True)
CatalogueBlock(url=url).save("catalogue", overwrite=True)
store, catalogue = MediaStoreBlock.load("library"), CatalogueBlock.load("catalogue")
store.check_reachable()
schema.migrate(catalogue.catalogue())
catalogue.check_reachable()
store.store().put_bytes(b"hello", "doctor/hello.txt", overwrite=True)
print(json.dumps({
    "shown": repr(store) + repr(catalogue),
    "secret": store.secret_key.get_secret_value(),
    "slugs": [MediaStoreBlock.get_block_type_slug(), CatalogueBlock.get_block_type_slug()],
}))
"""


def test_blocks_survive_the_server_and_hide_their_secrets(stack: LocalStack, data_dir: Path, tmp_path: Path) -> None:
    environment = clean_environment(data_dir) | prefect_environment(stack.places, stack.addresses.prefect_api_url or "")
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, stack.addresses.database_url or "", str(tmp_path)],
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout.splitlines()[-1])
    assert found["slugs"] == ["channelscribe-media-store", "channelscribe-catalogue"]
    assert found["secret"] == "canary-91"
    assert "canary-91" not in found["shown"]
    assert "postgresql://" not in found["shown"]
    assert (tmp_path / "doctor" / "hello.txt").read_bytes() == b"hello"
