"""spaCy pipelines as packages and folders: which version is here, and how another one comes.

A pipeline is named as in `text.models`: a package (`en_core_web_sm`), a package of one version
(`en_core_web_sm==3.8.0`), or a folder. Needs nothing to look; fetching runs spaCy's own `download`, which needs pip.
"""

from __future__ import annotations

import json
import subprocess
import sys
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, requires, version
from importlib.util import find_spec
from pathlib import Path

from channelscribe.errors import TextModelUnavailable

__all__ = ["fetch", "install_command", "installed_version", "is_transformer", "split_name"]

_FETCH_SECONDS = 1800.0


def split_name(name: str) -> tuple[str, str | None]:
    """(package or folder, the version asked for)."""
    place, _, wanted = name.partition("==")
    return place.strip(), wanted.strip() or None


def installed_version(place: str) -> str | None:
    """The version of a pipeline that is on this machine, "" where a folder does not tell; None where it is not here."""
    folder = Path(place)
    if folder.is_dir():
        try:
            return str(json.loads((folder / "meta.json").read_text(encoding="utf-8")).get("version", ""))
        except (OSError, ValueError, AttributeError):
            return ""
    try:
        return version(place)
    except (PackageNotFoundError, ValueError):
        return None


def is_transformer(name: str) -> bool:
    """Whether a pipeline that is on this machine says that it needs transformers, and so PyTorch."""
    place, _ = split_name(name)
    with suppress(OSError, PackageNotFoundError, ValueError):
        folder = Path(place)
        needs = [(folder / "config.cfg").read_text(encoding="utf-8")] if folder.is_dir() else requires(place) or []
        return any("transformer" in each for each in needs)
    return False


def install_command(place: str, wanted: str | None) -> str:
    """What a person types to have it."""
    first = "" if find_spec("pip") else "python -m ensurepip && "  # spaCy downloads with pip, which uv leaves out
    return first + " ".join(["python", *_download(place, wanted)])


def fetch(place: str, wanted: str | None) -> None:
    """Install it with spaCy's `download`. Raises TextModelUnavailable with the last thing that it said."""
    command = [sys.executable, *_download(place, wanted)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=_FETCH_SECONDS, check=False)
        said, failed = f"{done.stdout}\n{done.stderr}".strip(), done.returncode != 0
    except subprocess.TimeoutExpired:
        said, failed = f"nothing came for {_FETCH_SECONDS:.0f} seconds", True
    if failed or installed_version(place) is None:
        last = said.splitlines()[-1] if said else "no reason given"
        raise TextModelUnavailable(
            f"The spaCy pipeline {place!r} could not be fetched: {last}.",
            remedy=f"Try `{install_command(place, wanted)}` yourself, or change text.models.",
        )


def _download(place: str, wanted: str | None) -> list[str]:
    download = ["-m", "spacy", "download"]
    return [*download, f"{place}-{wanted}", "--direct"] if wanted else [*download, place]
