"""The terminal session of the README, from real commands on the bundled sample channel: `python docs/transcript.py`.

Serves the sample's feed on loopback, gives the commands below in an empty folder, and prints what a person would see,
standard error included. Nothing is edited but the folder's and the program's name. The README holds a part of it.
"""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
import tempfile
from pathlib import Path

from channelscribe.sample.server import SampleServer
from flows.output import say

ROOT = Path(__file__).parent.parent
SETTINGS = "speech: {model: sample}\ntext: {models: {en: sample}}\nsources: {allow_private_addresses: true}\n"
COMMANDS = (
    "channelscribe sync {feed}",
    "channelscribe search '\"strange tunnel\"'",
    "channelscribe sync {feed}",
    "channelscribe search telescope --speaker SPEAKER_00",
)
PORT = 8000


def main() -> None:
    # The folder's name is in messages: short, and the same every time.
    with tempfile.TemporaryDirectory() as folder, SampleServer(port=PORT) as sample:
        (Path(folder) / "channelscribe.yaml").write_text(SETTINGS, encoding="utf-8")
        for command in COMMANDS:
            line = command.format(feed=sample.feed_url)
            say(f"$ {line}\n{seen(line, Path(folder))}")


def seen(line: str, folder: Path) -> str:
    """What a command prints on a terminal of 100 columns."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("CHANNELSCRIBE_", "PREFECT_"))}
    done = subprocess.run(
        [sys.executable, "-m", "channelscribe", *shlex.split(line)[1:]],
        cwd=folder,
        env={**kept, "PYTHONPATH": str(ROOT), "COLUMNS": "100", "HF_HUB_OFFLINE": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    return done.stdout.replace(str(folder), "~/talks") + (f"exit code {done.returncode}\n" if done.returncode else "")


if __name__ == "__main__":
    main()
