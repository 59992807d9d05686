"""Loaded by every Python process whose PYTHONPATH names this folder: counts what it does where COUNT_FOLDER is set.

A file a kind; each time a byte is added to it, so that processes that are killed have counted, too.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from importlib.abc import Loader
from importlib.machinery import ModuleSpec, PathFinder
from types import ModuleType
from typing import Any

FOLDER = os.environ.get("COUNT_FOLDER", "")
WRITES = os.O_WRONLY | os.O_CREAT | os.O_APPEND
TRANSACTIONS = (b"BEGIN", b"COMMIT", b"ROLLBACK")


def count(kind: str) -> None:
    descriptor = os.open(f"{FOLDER}/{kind}", WRITES, 0o666)
    os.write(descriptor, b"x")
    os.close(descriptor)


def counted(kind: str, whole: Callable[..., Any]) -> Callable[..., Any]:
    def call(*args: Any, **named: Any) -> Any:
        count(kind)
        return whole(*args, **named)

    return call


def _psycopg(module: Any) -> None:
    """What goes to PostgreSQL: statements, and beside them what begins and ends transactions."""
    for name in ("execute", "executemany", "copy"):
        setattr(module.Cursor, name, counted("statements", getattr(module.Cursor, name)))
    whole = module.Connection._exec_command

    def command(self: Any, text: Any, *args: Any, **named: Any) -> Any:
        said = bytes(text) if isinstance(text, bytes | bytearray) else str(text).encode()
        if said.startswith(TRANSACTIONS):
            count("transaction_commands")
        return whole(self, text, *args, **named)

    module.Connection._exec_command = command


def _httpx(module: Any) -> None:
    for name in ("Client", "AsyncClient"):
        client = getattr(module, name)
        client.send = counted("prefect_requests", client.send)
        client.__init__ = counted("prefect_clients", client.__init__)


def _store(module: Any) -> None:
    module.Folder.write = counted("store_writes", module.Folder.write)


def _files(module: Any) -> None:
    module.sha256_file = counted("file_hashes", module.sha256_file)


AFTER = {
    "psycopg": _psycopg,
    "httpx": _httpx,
    "channelscribe.store.folder": _store,
    "channelscribe.files": _files,
}


class _Finder:
    """Changes a module when it has been loaded."""

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> ModuleSpec | None:
        if name not in AFTER:
            return None
        spec = PathFinder.find_spec(name, path, target)
        if spec is not None and spec.loader is not None:
            spec.loader = _Changing(spec.loader, AFTER[name])
        return spec


class _Changing(Loader):
    def __init__(self, loader: Any, change: Callable[[ModuleType], None]) -> None:
        self._loader, self._change = loader, change

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        made: ModuleType | None = self._loader.create_module(spec)
        return made

    def exec_module(self, module: ModuleType) -> None:
        self._loader.exec_module(module)
        self._change(module)


def _audit(event: str, arguments: tuple[Any, ...]) -> None:
    if event == "subprocess.Popen" and "ffmpeg" in os.path.basename(str(arguments[0])):  # noqa: PTH119
        count("ffmpeg_runs")


if FOLDER and "uvicorn" not in " ".join(sys.orig_argv):
    finder: Any = _Finder()
    sys.meta_path.insert(0, finder)
    os.fsync = counted("fsyncs", os.fsync)
    sys.addaudithook(_audit)
