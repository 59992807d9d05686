"""A library with a real PostgreSQL, its store in a folder or on an S3 server (moto's, over HTTP)."""

from __future__ import annotations

from pathlib import Path

import pytest

from channelscribe.catalogue.connection import Database
from channelscribe.retention import Library
from channelscribe.store import MediaStore


@pytest.fixture
def library(catalogue: Database, tmp_path: Path) -> Library:
    """An empty library with its store in a folder."""
    root = tmp_path / "library"
    return Library(
        catalogue, MediaStore(str(root)), root / "results", tmp_path / "scratch" / "partial", tmp_path / "logs"
    )


@pytest.fixture(params=["folder", "s3"])
def any_library(request: pytest.FixtureRequest, library: Library, tmp_path: Path) -> Library:
    """The same, on both kinds of store."""
    if request.param == "folder":
        return library
    store = MediaStore(f"s3://{request.getfixturevalue('bucket')}/library", request.getfixturevalue("s3"))
    return Library(library.catalogue, store, library.old_results, library.partial, library.logs)
