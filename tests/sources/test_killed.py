"""`kill -9` in the middle of a download, then the same again: the same bytes, and not all of them twice."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from channelscribe.sample.server import SampleServer
from channelscribe.settings.options import SourceOptions
from channelscribe.sources.download import download

pytestmark = pytest.mark.slow

CONTENT = bytes(range(256)) * 4096  # 1 MiB
DOWNLOAD = """
import sys
from pathlib import Path
from channelscribe.settings.options import SourceOptions
from channelscribe.sources.download import download
download(sys.argv[1], Path(sys.argv[2]), "one", SourceOptions(allow_private_addresses=True))
"""


def killed_half_way(url: str, folder: Path) -> int:
    """Runs the download in a process of its own until some of it is on disk, then kills it; returns what is there."""
    process = subprocess.Popen([sys.executable, "-c", DOWNLOAD, url, str(folder)])
    try:
        while not any(part.stat().st_size >= 1 << 16 for part in folder.glob("*.part")):
            assert process.poll() is None, "it ended before it could be killed"
            time.sleep(0.01)
    finally:
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
    (part,) = folder.glob("*.part")
    return part.stat().st_size


@pytest.mark.parametrize("changed", [False, True])
def test_killed_and_again(site: SampleServer, options: SourceOptions, tmp_path: Path, changed: bool) -> None:
    site.extra["/media/long.mp3"] = CONTENT
    site.bytes_per_second = 400_000
    url = f"{site.url}/media/long.mp3"
    there = killed_half_way(url, tmp_path)
    assert 0 < there < len(CONTENT) and not (tmp_path / "one.mp3").exists()
    site.bytes_per_second = None
    wanted = bytes(reversed(CONTENT)) if changed else CONTENT
    site.extra["/media/long.mp3"] = wanted
    assert download(url, tmp_path, "one", options).path.read_bytes() == wanted
    assert site.requests[-1].range == f"bytes={there}-"
    assert site.requests[-1].bytes_sent == len(CONTENT) - (0 if changed else there)
    assert [each.name for each in tmp_path.iterdir()] == ["one.mp3"]


AT_THE_ANSWER = """
import os, signal, sys
from channelscribe.sources.resume import Part
note = Part.note

def noted_and_killed(self, origin):
    note(self, origin)
    os.kill(os.getpid(), signal.SIGKILL)

Part.note = noted_and_killed
"""


@pytest.mark.long
def test_killed_again_when_the_new_file_has_just_been_answered(
    site: SampleServer, options: SourceOptions, tmp_path: Path
) -> None:
    """The note is the new file's, the part must not be the old one's."""
    site.extra["/media/long.mp3"] = CONTENT
    site.bytes_per_second = 400_000
    url = f"{site.url}/media/long.mp3"
    killed_half_way(url, tmp_path)
    site.bytes_per_second = None
    wanted = bytes(reversed(CONTENT))
    site.extra["/media/long.mp3"] = wanted
    run = subprocess.run([sys.executable, "-c", AT_THE_ANSWER + DOWNLOAD, url, str(tmp_path)], check=False)
    assert run.returncode == -signal.SIGKILL
    assert download(url, tmp_path, "one", options).path.read_bytes() == wanted
