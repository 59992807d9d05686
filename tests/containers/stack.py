"""docker/compose.yaml, brought up under a name of its own, with passwords, a port and a backup folder of its own."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
from pathlib import Path

DOCKER = Path(__file__).parent.parent.parent / "docker"
HERE = Path(__file__).parent
SAMPLE = "http://sample:8000/feed.xml"
S3_IMAGE = "chrislusf/seaweedfs:4.47"


def no_engine() -> str | None:
    """Why nothing can be tried; None where a Docker engine with Compose answers."""
    if shutil.which("docker") is None:
        return "there is no docker here"
    for question in (["docker", "info"], ["docker", "compose", "version"], ["docker", "buildx", "version"]):
        if subprocess.run(question, capture_output=True, check=False).returncode:
            return f"`{' '.join(question)}` fails"
    return None


def can_be_had(image: str) -> bool:
    return any(
        subprocess.run(["docker", *verb, image], capture_output=True, check=False).returncode == 0
        for verb in (["image", "inspect"], ["pull", "--quiet"])
    )


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


class Stack:
    """Compose with our files. `folder` gets the environment file, the certificate and the backup."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.backup = folder / "backup"
        self.backup.mkdir()
        self.port = free_port()
        for name in ("passwords", ".env.example"):
            shutil.copy2(DOCKER / name, folder / name)
        subprocess.run([folder / "passwords"], check=True, capture_output=True)
        # GitHub may be out of reach; the sample's pipeline is in the package.
        own = {"BIND_ADDRESS": "127.0.0.1", "SPACY_PIPELINES": "", "CHANNELSCRIBE_TAG": "try"}
        own |= {"HTTPS_PORT": str(self.port), "BACKUP_DIR": str(self.backup)}
        for name, value in own.items():
            self.set(name, value)
        lines = (folder / ".env").read_text().splitlines()
        self.secrets = dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))
        self.files = ["compose.yaml", str(HERE / "compose.try.yaml")]
        self.stands_in = not can_be_had(S3_IMAGE)
        if self.stands_in:
            self.files.append(str(HERE / "compose.s3-standin.yaml"))

    def set(self, name: str, value: str) -> None:
        """In the environment file."""
        file = self.folder / ".env"
        kept = [line for line in file.read_text().splitlines() if not line.startswith(f"{name}=")]
        file.write_text("\n".join([*kept, f"{name}={value}", ""]))

    def compose(self, *arguments: str, seconds: float = 900, check: bool = True) -> str:
        """stdout of `docker compose ARGUMENTS`; what it tells goes to the test's output when it fails."""
        return self._compose(*arguments, seconds=seconds, check=check).decode(errors="replace")

    def _compose(self, *arguments: str, seconds: float = 900, feed: bytes | None = None, check: bool = True) -> bytes:
        files = [word for file in self.files for word in ("-f", file)]
        command = ["docker", "compose", "-p", "channelscribe-try", "--env-file", str(self.folder / ".env"), *files]
        done = subprocess.run(
            [*command, *arguments], cwd=DOCKER, capture_output=True, timeout=seconds, input=feed, check=False
        )
        if check and done.returncode:
            sys.stderr.write((done.stdout + done.stderr).decode(errors="replace")[-8000:])
            raise AssertionError(f"docker compose {' '.join(arguments)}: {done.returncode}")
        return done.stdout

    def up(self) -> None:
        """Every service that has no other profile than `cpu`, answering."""
        try:
            self.compose("up", "-d", "--wait", "--quiet-pull")
        except AssertionError:
            sys.stderr.write(self.compose("logs", "--no-color", "--tail", "20", check=False)[-20_000:])
            raise

    def down(self) -> None:
        self.compose("down", "--volumes", "--remove-orphans", "--timeout", "20", check=False)

    def library(self, *arguments: str) -> str:
        """The command line, in a container that has the stack's settings."""
        return self.compose("exec", "-T", "orchestrator", "channelscribe", *arguments)

    def sql(self, query: str, database: str = "channelscribe") -> str:
        return self.compose("exec", "-T", "postgres", "psql", "-U", "postgres", "-d", database, "-Atc", query).strip()

    def dump(self, database: str, file: Path) -> None:
        file.write_bytes(self._compose("exec", "-T", "postgres", "pg_dump", "-U", "postgres", "-Fc", database))

    def restore_dump(self, database: str, file: Path) -> None:
        command = ["pg_restore", "-U", "postgres", "-d", database, "--clean", "--if-exists"]
        self._compose("exec", "-T", "postgres", *command, feed=file.read_bytes())

    def certificate(self) -> Path:
        """What the door shows, for its clients to believe."""
        file = self.folder / "certificate.pem"
        file.write_text(self.compose("exec", "-T", "nginx", "cat", "/certificates/certificate.pem"))
        return file

    def prefect(self, *arguments: str, seconds: float = 900) -> subprocess.CompletedProcess[str]:
        """Prefect's command line on this machine, through the door."""
        kept = {k: v for k, v in os.environ.items() if not k.startswith(("PREFECT_", "CHANNELSCRIBE_"))}
        own = {
            "PREFECT_API_URL": f"https://localhost:{self.port}/api",
            "PREFECT_API_AUTH_STRING": f"{self.secrets['PREFECT_USER']}:{self.secrets['PREFECT_PASSWORD']}",
            "PREFECT_API_SSL_CERT_FILE": str(self.certificate()),
            "PREFECT_HOME": str(self.folder / "prefect"),
        }
        command = [sys.executable, "-m", "prefect", *arguments]
        return subprocess.run(
            command, env={**kept, **own}, capture_output=True, text=True, timeout=seconds, check=False
        )

    def sync(self, limit: int) -> str:
        """Sync the sample channel as CI would; what Prefect's command line told."""
        request = f'request={{"source": "{SAMPLE}", "limit": {limit}}}'
        done = self.prefect("deployment", "run", "sync-channel/channel-sync", "--param", request, "--watch")
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout
