"""A library that loses one folder after the other, and is repaired, for `test_repair.py`: a process on a data folder.

Prints one JSON object: what each repair made and left, and what differs from before.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
from pathlib import Path
from typing import Any

FOLDERS = ("audio_files", "speech_tracks", "originals", "results", "transcriptions", "processed", "checkpoints")


def main(source: str, library: Path) -> dict[str, Any]:
    from flows.session import call, engine, run_settings

    settings, _ = run_settings(argparse.Namespace(assignments=[]))
    told: dict[str, Any] = {}
    with engine(settings, "repairs of the tests"):
        from channelscribe.settings.registry import SettingsRegistry
        from flows.forms import RetranscribeRequest, SweepRequest, SyncRequest
        from flows.retranscribe import retranscribe
        from flows.sweep import sweep
        from flows.sync_channel import sync_channel
        from tasks.site_guard import provide_budgets
        from tests.e2e.syncing import ON_STANDIN

        provide_budgets(SettingsRegistry(run=ON_STANDIN).resolve().sources)

        def repaired() -> dict[str, Any]:
            return call(sweep, SweepRequest(repair=True, settings=ON_STANDIN))

        told["first"] = call(sync_channel, SyncRequest(source=source, settings=ON_STANDIN)).model_dump(mode="json")
        told["whole"] = repaired()
        for folder in FOLDERS:
            before = contents(library)
            lose(library, folder)
            report = repaired()
            after = contents(library)
            told[folder] = {
                "missing": report["missing"],
                **report["repaired"],
                "other": sorted(key for key in after if after[key] != before.get(key)),
                "gone": sorted(before.keys() - after.keys()),
                "again": call(sync_channel, SyncRequest(source=source, settings=ON_STANDIN)).model_dump(mode="json"),
            }
        # What a retention takes is no loss: a new transcription fetches once more.
        for folder in ("originals", "audio_files", "speech_tracks", "checkpoints"):
            lose(library, folder)
        other = {**ON_STANDIN, "speech.diarize_step": 0.4}
        told["retranscribed"] = call(retranscribe, RetranscribeRequest(settings=other, dry_run=False)).model_dump(
            mode="json"
        )
    return told


def contents(library: Path) -> dict[str, str]:
    return {
        path.relative_to(library).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in library.rglob("*")
        if path.is_file() and ".partial" not in path.parts
    }


def lose(library: Path, folder: str) -> None:
    import shutil

    shutil.rmtree(library / folder)


if __name__ == "__main__":
    answers, sys.stdout = sys.stdout, sys.stderr
    answers.write(json.dumps(main(sys.argv[1], Path(sys.argv[2]))) + "\n")
