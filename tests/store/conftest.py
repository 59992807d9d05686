"""The same tests on a folder and on an S3 server."""

from __future__ import annotations

from pathlib import Path

import pytest

from channelscribe.store import MediaStore


@pytest.fixture(params=["folder", "s3"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> MediaStore:
    if request.param == "folder":
        return MediaStore(str(tmp_path / "library"))
    name = request.getfixturevalue("bucket")
    return MediaStore(f"s3://{name}/library", request.getfixturevalue("s3"))
