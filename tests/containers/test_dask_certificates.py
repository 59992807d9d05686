"""What `docker/dask-certificates.sh DIR` makes, keeps and makes anew."""

from __future__ import annotations

import os
import shutil
import socket
import ssl
import subprocess
import threading
from contextlib import suppress
from pathlib import Path

import pytest

from tests.containers.compose_file import DOCKER

ROLES = ["scheduler", "worker", "client"]
ALL = " ".join(["authority", *ROLES])

pytestmark = [pytest.mark.long, pytest.mark.skipif(shutil.which("openssl") is None, reason="there is no openssl here")]


def run(*arguments: str | Path, **environment: str) -> subprocess.CompletedProcess[str]:
    argv = ["sh", str(DOCKER / "dask-certificates.sh"), *map(str, arguments)]
    own = {"PATH": os.environ["PATH"], **environment}
    return subprocess.run(argv, env=own, capture_output=True, text=True, check=False)


def made(folder: Path, **environment: str) -> str:
    """What was made anew."""
    done = run(folder, **environment)
    assert done.returncode == 0, done.stderr
    told = done.stdout.removeprefix(f"{folder}: ").strip()
    return "" if told == "all there, and good" else told.removeprefix("made ")


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_made_once_kept_and_closed_to_others(tmp_path: Path) -> None:
    assert made(tmp_path) == ALL
    there = contents(tmp_path)
    assert len(there) == 2 + 3 * len(ROLES)
    (tmp_path / "worker" / "key.pem").chmod(0o644)
    assert made(tmp_path) == ""
    assert contents(tmp_path) == there
    assert {path.stat().st_mode & 0o777 for path in tmp_path.rglob("*key.pem")} == {0o600}
    assert {path.stat().st_mode & 0o777 for path in tmp_path.rglob("c*t.pem")} == {0o644}
    # A service sees its own folder alone, without the authority's key.
    assert {path.name for path in (tmp_path / "worker").iterdir()} == {"ca.pem", "cert.pem", "key.pem"}


def test_what_ends_soon_is_renewed_and_a_new_authority_signs_all(tmp_path: Path) -> None:
    assert made(tmp_path, DAYS="61") == ALL
    assert made(tmp_path) == ""
    for role in ROLES:
        (tmp_path / role / "cert.pem").unlink()
    assert made(tmp_path, DAYS="59") == " ".join(ROLES)
    assert made(tmp_path) == " ".join(ROLES)
    shutil.rmtree(tmp_path / "authority")
    assert made(tmp_path, AUTHORITY_DAYS="59") == ALL
    assert made(tmp_path) == ALL
    assert made(tmp_path) == ""


@pytest.mark.parametrize(
    ("broken", "again"),
    [
        ("authority/ca-key.pem", ALL),
        ("worker/cert.pem", "worker"),
        ("client/ca.pem", "client"),
        ("scheduler/key.pem", "scheduler"),
    ],
)
@pytest.mark.parametrize("how", ["gone", "cut", "another's"])
def test_what_is_missing_or_not_its_own_is_made_again(tmp_path: Path, broken: str, again: str, how: str) -> None:
    made(tmp_path / "others")
    made(tmp_path / "ours")
    path = tmp_path / "ours" / broken
    content = path.read_bytes()
    path.unlink()
    if how != "gone":
        path.write_bytes(content[:40] if how == "cut" else (tmp_path / "others" / broken).read_bytes())
    assert made(tmp_path / "ours") == again
    assert made(tmp_path / "ours") == ""


def handshake(server: Path, client: Path) -> None:
    """TLS between two roles, each asking for the other's certificate. Raises ssl.SSLError."""
    contexts = []
    for home, purpose in ((server, ssl.Purpose.CLIENT_AUTH), (client, ssl.Purpose.SERVER_AUTH)):
        context = ssl.create_default_context(purpose, cafile=str(home / "ca.pem"))
        context.load_cert_chain(home / "cert.pem", home / "key.pem")
        context.check_hostname, context.verify_mode = False, ssl.CERT_REQUIRED
        contexts.append(context)
    ours, theirs = socket.socketpair()

    def serve() -> None:
        with suppress(OSError), contexts[0].wrap_socket(ours, server_side=True) as wrapped:
            wrapped.sendall(b"hello")

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        with contexts[1].wrap_socket(theirs) as wrapped:
            if wrapped.recv(5) != b"hello":
                raise ssl.SSLError("refused")
    finally:
        theirs.close()
        thread.join(10)
        ours.close()


def test_a_client_can_ask_but_not_serve_and_a_stranger_neither(tmp_path: Path) -> None:
    ours, others = tmp_path / "ours", tmp_path / "others"
    made(ours)
    made(others)
    handshake(ours / "scheduler", ours / "client")
    handshake(ours / "worker", ours / "scheduler")
    for server, client in (("client", "worker"), ("scheduler", "others")):
        asking = others / "client" if client == "others" else ours / client
        with pytest.raises((ssl.SSLError, ConnectionError)):
            handshake(ours / server, asking)


def test_a_folder_that_cannot_be_written_is_said_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    done = run(tmp_path / "file" / "in")
    assert done.returncode == 1
    assert "cannot be kept" in done.stderr
    assert done.stderr.count("\n") == 1
    assert run(tmp_path, "more").returncode == run().returncode == 2
