"""The terminal sessions of the README, from real commands: `python docs/transcript.py > docs/transcript.txt`.

Serves the sample's feed on loopback, gives the commands below in an empty folder, and prints what a person would see,
standard error included. With REAL_SPEECH=FOLDER and REAL_MODELS=FOLDER, as tests/speech/real.py takes them, a recording
of real people follows. Nothing is edited but the names of folders. A test holds the README to what is in the file.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

from channelscribe.sample.server import SampleServer
from flows.output import say

ROOT = Path(__file__).parent.parent
SAMPLE = "speech: {model: sample}\ntext: {models: {en: sample}}\nsources: {allow_private_addresses: true}\n"
REAL = "speech: {models: {base: {recognizer: %s}}}\n"
PORT = 8000
FEED = f"http://127.0.0.1:{PORT}/feed.xml"
ON_SAMPLE = (f"channelscribe sync {FEED}", "channelscribe search '\"strange tunnel\"'", f"channelscribe sync {FEED}")
ON_REAL = ("channelscribe transcribe telephone.flac --model base --formats srt,json", "head -12 telephone.srt")


def main() -> None:
    with tempfile.TemporaryDirectory() as folder, SampleServer(port=PORT):
        run(ON_SAMPLE, Path(folder), SAMPLE)
    recordings, weights = os.environ.get("REAL_SPEECH"), os.environ.get("REAL_MODELS")
    if recordings and weights:
        with tempfile.TemporaryDirectory() as folder:
            shutil.copy(Path(recordings) / "talk" / "telephone.flac", folder)
            run(ON_REAL, Path(folder), REAL % (Path(weights) / "whisper-base"))


def run(lines: Sequence[str], folder: Path, settings: str) -> None:
    """Give commands in a folder with these settings, and print what a terminal of 100 columns shows."""
    (folder / "channelscribe.yaml").write_text(settings, encoding="utf-8")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("CHANNELSCRIBE_", "PREFECT_"))}
    path = f"{ROOT / '.venv' / 'bin'}:{os.environ['PATH']}"
    for line in lines:
        done = subprocess.run(
            ["/bin/sh", "-c", line],
            cwd=folder,
            env={**kept, "PATH": path, "COLUMNS": "100", "HF_HUB_OFFLINE": "1"},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        ended = f"exit code {done.returncode}\n" if done.returncode else ""
        shown = done.stdout.replace(str(folder), "~/talks").replace(str(Path.home()), "~")
        say(f"$ {line}\n{shown}{ended}")


if __name__ == "__main__":
    main()
