"""What was made of a file, as JSON beside it: so that the same is not made again, and times lead back."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from channelscribe.audio.prepare import Prepared
from channelscribe.audio.timeline import Timeline
from channelscribe.files import sha256_file

__all__ = ["is_made", "manifest_of", "write_manifest"]


def manifest_of(made: Prepared, made_from: str) -> dict[str, Any]:
    """`made_from` names source and options; each file has its path, sha256, and timeline."""
    return {
        "made_from": made_from,
        "source_sha256": made.source_sha256,
        "options_key": made.options_key,
        "seconds": made.seconds,
        "loudness": made.loudness,
        "archive": _file("archive", made.archive, made.archive_timeline),
        "speech": _file("speech", made.speech, made.speech_timeline),
        "parts": [_file(part.track, part.path, part.timeline, part.title) for part in made.parts],
    }


def is_made(path: Path, made_from: str) -> dict[str, Any] | None:
    """The manifest at `path` if it is of the same source and options and its files are whole; else None."""
    try:
        known: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        if known["made_from"] != made_from:
            return None
        whole = all(sha256_file(Path(file["path"])) == file["sha256"] for file in _files(known))
        return known if whole else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


def write_manifest(path: Path, manifest: dict[str, Any]) -> None:
    """Writes it, and removes the files of the manifest that was there, unless they are made again or were changed."""
    stays = {file["path"] for file in _files(manifest)}
    try:
        before = _files(json.loads(path.read_text(encoding="utf-8")))
        for file in before:
            old = Path(file["path"])
            if (
                file["path"] not in stays
                and old.parent == path.absolute().parent
                and sha256_file(old) == file["sha256"]
            ):
                old.unlink()
    except (OSError, ValueError, KeyError, TypeError):
        pass  # no manifest, or one that somebody wrote: nothing of it is touched
    path.write_text(json.dumps(manifest, indent=1) + "\n", encoding="utf-8")


def _files(manifest: dict[str, Any]) -> list[dict[str, Any]]:
    return [manifest["archive"], manifest["speech"], *manifest["parts"]]


def _file(track: str, path: Path, timeline: Timeline, title: str | None = None) -> dict[str, Any]:
    return {
        "track": track,
        "path": str(path.absolute()),
        "sha256": sha256_file(path),
        "bytes": path.stat().st_size,
        "title": title,
        "timeline": timeline.to_json(),
    }
