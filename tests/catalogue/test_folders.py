"""A folder's recordings in the catalogue: renamed they are the same rows, unchanged they are not read again."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from channelscribe import discovery
from channelscribe.catalogue import videos
from channelscribe.catalogue.connection import Database
from channelscribe.settings import FilterOptions, SourceOptions
from channelscribe.sources import folders
from tests.sources.conftest import mp3


def test_a_folder_twice_and_renamed(catalogue: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for number, seconds in enumerate((1.0, 1.5)):
        path = tmp_path / f"{number} Ä.mp3"
        path.write_bytes(mp3(seconds))
        os.utime(path, (1_700_000_000, 1_700_000_000))
    options = SourceOptions(folders=(tmp_path,))

    def listed() -> discovery.Listed:
        return discovery.list_source(catalogue, tmp_path.as_uri(), options, FilterOptions())

    first = listed()
    assert (first.listed, first.new, first.gone) == (2, 2, 0)
    with monkeypatch.context() as patched:
        patched.setattr(folders, "_read", None)
        again = listed()
        assert (again.listed, again.new, again.source_pk) == (2, 0, first.source_pk)
    (tmp_path / "0 Ä.mp3").rename(tmp_path / "renamed.mp3")
    renamed = listed()
    assert (renamed.listed, renamed.new, renamed.gone) == (2, 0, 0)
    (row,) = catalogue.run(videos.find_videos, str(tmp_path / "renamed.mp3"))
    assert (row.site, row.title, row.state) == ("local", "renamed", "discovered")
    (tmp_path / "1 Ä.mp3").unlink()
    assert listed().gone == 1
