"""Looks at model files before anything loads them: known checksums, and no pickle that nobody vouched for.

Needs the sample's data for the bundled ones; leaves nothing behind. Unpickling runs what the file says, and torch and
pyannote unpickle checkpoints, so files of a folder of one's own must be free of pickles or have their sha256 in
`speech.models.NAME.sha256`. What comes from the hub cannot all be pinned: there a pickle is read as a list of
instructions, without running it, and may only name what checkpoints of these networks are made of.
"""

from __future__ import annotations

import pickletools
import zipfile
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from channelscribe.errors import ModelTampered, ModelUnavailable
from channelscribe.files import sha256_file
from channelscribe.sample import world

__all__ = ["verify_bundle", "verify_fetched", "verify_own", "verify_pipeline"]

_PICKLE_SUFFIXES = (".bin", ".pt", ".pth", ".ckpt", ".pkl", ".pickle", ".joblib", ".p")
_CTRANSLATE2 = b"\x06\x00\x00\x00"  # its binary format's version, which no pickle begins with
_DIARIZATION = (
    "pyannote.audio.pipelines.SpeakerDiarization",
    "pyannote.audio.pipelines.speaker_diarization.SpeakerDiarization",
)
_EXAMPLE = "pyannote/speaker-diarization-community-1"
_HARMLESS = {
    "__builtin__": {"dict", "int", "list", "long", "set", "tuple"},
    "builtins": {"dict", "int", "list", "set", "tuple"},
    "collections": {"OrderedDict", "defaultdict"},
    "datetime": {"datetime", "timedelta"},
    "numpy": {"dtype", "ndarray"},
    "numpy.core.multiarray": {"_reconstruct", "scalar"},
    "numpy._core.multiarray": {"_reconstruct", "scalar"},
    "omegaconf.base": {"ContainerMetadata", "Metadata"},
    "omegaconf.dictconfig": {"DictConfig"},
    "omegaconf.listconfig": {"ListConfig"},
    "omegaconf.nodes": {"AnyNode"},
    "pyannote.audio.core.model": {"Introspection", "Output"},
    "pyannote.audio.core.task": {"Problem", "Resolution", "Scope", "Specifications"},
    "torch": {"BFloat16Storage", "BoolStorage", "DoubleStorage", "FloatStorage", "HalfStorage", "IntStorage",
              "LongStorage", "Size", "device", "float16", "float32"},
    "torch._utils": {"_rebuild_parameter", "_rebuild_tensor", "_rebuild_tensor_v2"},
    "torch.torch_version": {"TorchVersion"},
    "typing": {"Any"},
}  # fmt: skip


@cache
def verify_bundle() -> None:
    """Compares the bundled models with their known sha256, once per process while they are right.

    Raises ModelUnavailable when the list of checksums is not there, ModelTampered when a file is missing,
    changed or unknown.
    """
    try:
        world.verify()
    except FileNotFoundError as error:
        missing = f"The bundled models are missing: {error.filename}."
        raise ModelUnavailable(missing, remedy="Install channelscribe again.") from error
    except world.SampleDamagedError as error:
        raise ModelTampered(f"{error}.", remedy="Install channelscribe again.") from error


def verify_own(folder: Path, sha256: Mapping[str, str], model: str) -> None:
    """Checks a folder of one's own. `sha256`: known sums by path inside it.

    Raises ModelTampered for a file that is not what its sum says, and for a pickle without one.
    """
    for path in sorted(each for each in folder.rglob("*") if each.is_file()):
        name = path.relative_to(folder).as_posix()
        if name in sha256:
            found = sha256_file(path)
            if found != sha256[name].lower():
                raise ModelTampered(
                    f"{path} has the sha256 {found}, not the one that speech.models.{model}.sha256 tells.",
                    remedy="Download the model again from a source that you trust.",
                )
        elif _is_pickle(path):
            raise ModelTampered(
                f"{path} is a pickle, which may run any program when it is loaded.",
                remedy=f"Convert it to safetensors, or, if you trust it, pin it: {_pin(model, name, path)}.",
            )


def verify_fetched(folder: Path, sha256: Mapping[str, str], model: str) -> None:
    """Checks a folder from the hub. Raises ModelTampered for a pickle that names what no checkpoint needs."""
    for path in sorted(each for each in folder.rglob("*") if each.is_file()):
        name = path.relative_to(folder).as_posix()
        if not _is_pickle(path) or sha256.get(name, "").lower() == sha256_file(path):
            continue
        strange = sorted(set(_strange_imports(path)))
        if strange:
            raise ModelTampered(
                f"{path} is a pickle that names {', '.join(strange[:5])}.",
                remedy=f"It may be harmless. If you trust its author, pin it: {_pin(model, name, path)}.",
            )


def verify_pipeline(folder: Path, sha256: Mapping[str, str]) -> None:
    """Checks a pyannote configuration, which may name any class, to be called, and networks from anywhere.

    Raises ModelTampered for another class than pyannote's diarization, and for a network outside the folder
    whose sha256 is not among the known ones.
    """
    file = folder / "config.yaml"
    config: Any = (yaml.safe_load(file.read_text(encoding="utf-8")) if file.is_file() else None) or {}
    pipeline = config.get("pipeline") or {}
    parts = [(pipeline.get("params") or {}).get(part) for part in ("segmentation", "embedding", "plda")]
    if pipeline.get("name") not in _DIARIZATION or "preprocessors" in config:
        wrong = f"runs something else than pyannote's diarization: {pipeline.get('name')!r}"
    elif not all(_is_within(part, set(sha256.values())) for part in parts):
        wrong = "takes networks from outside its folder"
    else:
        return
    raise ModelTampered(
        f"{file} {wrong}.",
        remedy=f"Take one like {_EXAMPLE}, or pin what lies elsewhere by its sha256 in the model's entry.",
    )


def _is_within(part: Any, known: set[str]) -> bool:
    """Whether a part lies in the pipeline's folder, or is a file with a known sha256."""
    place = str(part.get("checkpoint") if isinstance(part, dict) else part)
    if place.startswith("$model/"):
        return ".." not in place and "@" not in place
    return Path(place).is_file() and sha256_file(Path(place)) in known


def _pin(model: str, name: str, path: Path) -> str:
    return f"speech.models.{model}.sha256 = {{{name}: {sha256_file(path)}}}"


def _is_pickle(path: Path) -> bool:
    with path.open("rb") as file:
        head = file.read(4)
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            return any(name.endswith(".pkl") for name in archive.namelist())
    if head[:1] == b"\x80" and head[1:2] in b"\x02\x03\x04\x05" and len(head) > 1:
        return True
    # the oldest pickles are plain text: only their name tells
    return path.suffix.lower() in _PICKLE_SUFFIXES and head != _CTRANSLATE2


def _strange_imports(path: Path) -> Iterator[str]:
    """What the pickles in a file would import beyond `_HARMLESS`."""
    if not zipfile.is_zipfile(path):
        yield "an old format that cannot be looked into"
        return
    with zipfile.ZipFile(path) as archive:
        for member in archive.namelist():
            if member.endswith(".pkl"):
                yield from _strange_globals(archive.read(member))


def _strange_globals(data: bytes) -> Iterator[str]:
    try:
        for code, argument, _ in pickletools.genops(data):
            if code.name in ("GLOBAL", "INST"):
                module, name = str(argument).split(" ", 1)
                if name not in _HARMLESS.get(module, ()):
                    yield f"{module}.{name}"
            elif code.name in ("STACK_GLOBAL", "EXT1", "EXT2", "EXT4"):
                yield "something computed"  # torch writes names plainly; only a riddle does not
    except Exception as error:  # a pickle that cannot be read is not one to trust
        yield f"nonsense ({error})"
