"""What a process loads that only reads the catalogue, or only runs its server."""

from __future__ import annotations

import subprocess
import sys

import pytest

HEAVY = ("alembic", "distributed", "fsspec", "nltk", "prefect", "s3fs", "spacy", "torch", "yt_dlp")
ORM = ("sqlalchemy.orm", "sqlmodel")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("loaded", "absent"),
    [
        ("channelscribe.catalogue.search, channelscribe.catalogue.stats, channelscribe.catalogue.entities", ORM),
        ("channelscribe.catalogue.schema, channelscribe.catalogue.transcripts", ()),
        ("channelscribe.local_stack.postgres", (*ORM, "sqlalchemy")),
    ],
)
def test_nothing_that_is_not_used(loaded: str, absent: tuple[str, ...]) -> None:
    script = f"import sys, {loaded}; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert set(done.stdout.split()).isdisjoint([*HEAVY, *absent])
