"""The sample channel as data: its episodes, the held-out recordings, and where the tiny models lie.

Everything is read from `channelscribe/sample/data/`, which is part of the wheel and comes from
`sample_making`. Only `diarizer_folder` writes, into the folder that it is given.
"""

from __future__ import annotations

import hashlib
import importlib.util
import json
import os
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from pathlib import Path

from channelscribe.sample.script import Script

_DATA = Path(__file__).parent / "data"
_WHISPERX_ASSETS = "WHISPERX_ASSETS"
_MODELS = "SAMPLE_MODELS"
CHECKSUMS = "SHA256SUMS"


class SampleDamagedError(RuntimeError):
    """The bundled data is not what the project shipped: a file is missing, changed or unknown."""


@dataclass(frozen=True)
class Episode:
    """One episode of the channel. ``media`` is a file name, ``duration`` is in seconds."""

    id: str
    title: str
    description: str
    published: datetime
    media: str
    duration: float

    @property
    def path(self) -> Path:
        return media_dir() / self.media

    @property
    def script(self) -> Script:
        return Script.read(_DATA / "scripts" / f"{self.id}.json")


@dataclass(frozen=True)
class Channel:
    """Title and description of the channel, and its episodes, the oldest first."""

    title: str
    description: str
    author: str
    episodes: list[Episode]


@dataclass(frozen=True)
class HeldOut:
    """A recording of about ten single sentences, each by another voice, that no model was trained on."""

    id: str
    media: str
    duration: float

    @property
    def path(self) -> Path:
        return _DATA / "held_out" / self.media

    @property
    def script(self) -> Script:
        return Script.read(_DATA / "held_out" / f"{self.id}.json")


def data_dir() -> Path:
    return _DATA


def media_dir() -> Path:
    return _DATA / "media"


def models_dir() -> Path:
    """The folder of `whisper.en`, `align`, `diarize`, `ner` and `nltk_data`."""
    return _DATA / "models"


@cache
def channel() -> Channel:
    """The channel as `data/channel.json` describes it."""
    data = json.loads((_DATA / "channel.json").read_text(encoding="utf-8"))
    episodes = [
        Episode(**(item | {"published": datetime.fromisoformat(item["published"])})) for item in data["episodes"]
    ]
    return Channel(data["title"], data["description"], data["author"], episodes)


def episodes() -> list[Episode]:
    """The episodes, the oldest first."""
    return list(channel().episodes)


def episode(episode_id: str) -> Episode:
    """Raises KeyError for an id that the channel does not have."""
    return {each.id: each for each in channel().episodes}[episode_id]


@cache
def _held_out() -> tuple[HeldOut, ...]:
    return tuple(HeldOut(**item) for item in json.loads((_DATA / "held_out" / "index.json").read_text()))


def held_out() -> list[HeldOut]:
    """The recordings that quality is measured on."""
    return list(_held_out())


def diarizer_folder(workdir: Path) -> Path:
    """Writes the diarizer's configuration with real paths into ``workdir``; returns the folder for pyannote.

    `whisperx.diarize.DiarizationPipeline(model_name=str(folder))` loads it without a network. pyannote wants
    the absolute path of the segmentation checkpoint, which lies inside the installed whisperx.
    Raises ModuleNotFoundError when whisperx is not installed.
    """
    whisperx = importlib.util.find_spec("whisperx")
    if whisperx is None or not whisperx.submodule_search_locations:
        raise ModuleNotFoundError("the sample diarizer needs channelscribe[speech]", name="whisperx")
    assets = Path(whisperx.submodule_search_locations[0]) / "assets"
    template = (models_dir() / "diarize" / "config.yaml").read_text(encoding="utf-8")
    config = template.replace(_WHISPERX_ASSETS, str(assets)).replace(_MODELS, str(models_dir()))
    workdir.mkdir(parents=True, exist_ok=True)
    # Several processes may do this at once: each replaces the file whole.
    partial = workdir / f"config.yaml.{os.getpid()}"
    partial.write_text(config, encoding="utf-8")
    partial.replace(workdir / "config.yaml")
    return workdir.resolve()


def model_files() -> list[Path]:
    """Every model file, sorted; the list of checksums itself is not one."""
    files = (path for path in models_dir().rglob("*") if path.is_file())
    return sorted(path for path in files if path != models_dir() / CHECKSUMS)


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def verify() -> None:
    """Compares every model file with `SHA256SUMS`; raises SampleDamagedError naming those that differ.

    To be called before anything unpickles a model: pyannote loads checkpoints with ``weights_only=False``.
    """
    lines = (models_dir() / CHECKSUMS).read_text(encoding="utf-8").splitlines()
    expected = {name: digest for digest, name in (line.split("  ", 1) for line in lines)}
    found = {path.relative_to(models_dir()).as_posix(): sha256(path) for path in model_files()}
    wrong = sorted(name for name in expected.keys() | found.keys() if expected.get(name) != found.get(name))
    if wrong:
        raise SampleDamagedError(f"sample models missing, changed or unknown: {', '.join(wrong)}")
