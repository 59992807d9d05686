"""Where the local stack keeps its files inside the data folder."""

from __future__ import annotations

import hashlib
import os
import tempfile
from dataclasses import dataclass
from pathlib import Path

from channelscribe.errors import StackError

# A Unix socket's path holds at most 107 bytes on Linux and 103 on macOS.
LONGEST_SOCKET_PATH = 100


@dataclass(frozen=True, slots=True)
class Places:
    """The folders under one data folder (absolute)."""

    data: Path

    @property
    def run(self) -> Path:
        return self.data / "run"

    @property
    def standing(self) -> Path:
        """The working directory of our processes. Nothing is in it: Prefect reads settings wherever it stands."""
        return self.run / "standing"

    @property
    def logs(self) -> Path:
        return self.data / "logs"

    @property
    def postgres(self) -> Path:
        return self.data / "postgres"

    @property
    def prefect(self) -> Path:
        return self.data / "prefect"

    @property
    def library(self) -> Path:
        return self.data / "library"

    @property
    def copies(self) -> Path:
        """The catalogue's rows from before each change of its schema."""
        return self.data / "copies"

    @property
    def scratch(self) -> Path:
        """Temporary files of downloads and decoding; swept when nothing runs."""
        return self.data / "scratch"

    @property
    def partial(self) -> Path:
        """Downloads that were broken off."""
        return self.scratch / "partial"

    @property
    def temporary(self) -> Path:
        """The TMPDIR of services; swept when nothing runs, as libraries leave things behind."""
        return self.run / "tmp"

    @property
    def lock(self) -> Path:
        return self.run / "supervisor.lock"

    @property
    def noted_processes(self) -> Path:
        """The pids of the services that run."""
        return self.run / "services.json"

    @property
    def log_file(self) -> Path:
        return self.log("channelscribe")

    def log(self, name: str) -> Path:
        """The log of a service, of the supervisor or of commands."""
        return self.logs / f"{name}.log"

    @property
    def socket(self) -> Path:
        """The supervisor's; beside the data, or in a private temporary folder where that path is too long."""
        beside = self.run / "supervisor.sock"
        if len(os.fsencode(beside)) <= LONGEST_SOCKET_PATH:
            return beside
        name = hashlib.sha256(os.fsencode(self.data)).hexdigest()[:16]
        return Path(tempfile.gettempdir()) / f"channelscribe-{os.getuid()}" / f"{name}.sock"

    def create(self) -> Places:
        """Make the folders. Raises StackError when the data folder cannot be written."""
        try:
            for folder in (self.standing, self.temporary, self.logs, self.prefect, self.library, self.scratch):
                folder.mkdir(parents=True, exist_ok=True)
            self.socket.parent.mkdir(mode=0o700, exist_ok=True)
            probe = self.run / f".writable-{os.getpid()}"
            probe.write_bytes(b"")
            probe.unlink()
        except OSError as error:
            raise StackError(
                f"The data folder {self.data} cannot be written ({error.strerror}).",
                remedy="Set CHANNELSCRIBE_DATA_DIR to a folder of yours.",
                reason="data_dir_not_writable",
            ) from None
        return self


def places_of(data_dir: Path) -> Places:
    return Places(data_dir.expanduser().absolute())
