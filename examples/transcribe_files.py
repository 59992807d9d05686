"""Transcribe audio or video files with the library alone: `python examples/transcribe_files.py talk.mp3`.

Needs `channelscribe[speech,laptop]`. Settings are read as the command line reads them (channelscribe.yaml, .env, …).
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from channelscribe.settings.registry import SettingsRegistry
from channelscribe.speech.files import transcribe_files


def main(names: list[str]) -> int:
    speech = SettingsRegistry().resolve().speech
    failed = 0
    with tempfile.TemporaryDirectory() as scratch:
        for done in transcribe_files([Path(name) for name in names], Path(scratch), speech):
            if done.transcript is None:
                print(f"{done.source}: {done.error}", file=sys.stderr)
                failed += 1
                continue
            for segment in done.transcript.segments:
                print(f"{segment.start:8.2f}  {segment.speaker or '':<12}{segment.text.strip()}")
            first = done.transcript.words[:3]
            print("the first words:", ", ".join(f"{word.text} at {word.start:.2f} s" for word in first))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
