"""What `python -m deployments.certificates DIR` makes, keeps and makes anew."""

from __future__ import annotations

import socket
import ssl
import subprocess
import sys
import threading
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from deployments.certificates import AUTHORITY_LIFE, ENDS_SOON, LIFE, ROLES, make_certificates

ALL = ["authority", *ROLES]


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*.pem")}


def test_made_once_kept_and_closed_to_others(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "deployments.certificates", str(tmp_path)]
    first = subprocess.run(command, capture_output=True, text=True, check=True)
    assert first.stdout.endswith("made authority, scheduler, worker, client\n")
    there = contents(tmp_path)
    assert len(there) == 2 + 3 * len(ROLES)
    (tmp_path / "worker" / "key.pem").chmod(0o644)
    assert make_certificates(tmp_path) == []
    assert contents(tmp_path) == there
    assert {path.stat().st_mode & 0o777 for path in tmp_path.rglob("*key.pem")} == {0o600}
    assert {path.stat().st_mode & 0o777 for path in tmp_path.rglob("c*t.pem")} == {0o644}
    # A service sees its own folder alone, without the authority's key.
    assert {path.name for path in (tmp_path / "worker").iterdir()} == {"ca.pem", "cert.pem", "key.pem"}


def test_what_ends_soon_is_renewed_and_a_new_authority_signs_all(tmp_path: Path) -> None:
    begun = datetime.now(UTC)
    make_certificates(tmp_path, now=begun)
    assert make_certificates(tmp_path, now=begun + LIFE - ENDS_SOON - timedelta(days=1)) == []
    assert make_certificates(tmp_path, now=begun + LIFE - ENDS_SOON + timedelta(days=1)) == list(ROLES)
    late = begun + AUTHORITY_LIFE - ENDS_SOON + timedelta(days=1)
    assert make_certificates(tmp_path, now=late) == ALL
    assert make_certificates(tmp_path, now=late) == []


@pytest.mark.parametrize(
    ("broken", "made"),
    [
        ("authority/ca-key.pem", ALL),
        ("worker/cert.pem", ["worker"]),
        ("client/ca.pem", ["client"]),
        ("scheduler/key.pem", ["scheduler"]),
    ],
)
@pytest.mark.parametrize("how", ["gone", "cut"])
def test_what_is_missing_or_cut_is_made_again(tmp_path: Path, broken: str, made: list[str], how: str) -> None:
    make_certificates(tmp_path)
    path = tmp_path / broken
    content = path.read_bytes()
    path.unlink()
    if how == "cut":
        path.write_bytes(content[:40])
    assert make_certificates(tmp_path) == made
    assert make_certificates(tmp_path) == []


def test_a_key_of_another_is_no_key(tmp_path: Path) -> None:
    make_certificates(tmp_path)
    (tmp_path / "worker" / "key.pem").write_bytes((tmp_path / "client" / "key.pem").read_bytes())
    assert make_certificates(tmp_path) == ["worker"]


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
    make_certificates(tmp_path / "ours")
    make_certificates(tmp_path / "others")
    ours, others = tmp_path / "ours", tmp_path / "others"
    handshake(ours / "scheduler", ours / "client")
    handshake(ours / "worker", ours / "scheduler")
    for server, client in (("client", "worker"), ("scheduler", "others")):
        asking = others / "client" if client == "others" else ours / client
        with pytest.raises((ssl.SSLError, ConnectionError)):
            handshake(ours / server, asking)


def test_a_folder_that_cannot_be_written_is_said_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    command = [sys.executable, "-m", "deployments.certificates", str(tmp_path / "file" / "in")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "cannot be kept" in done.stderr
    assert done.stderr.count("\n") == 1
    assert subprocess.run([*command, "more"], capture_output=True, check=False).returncode == 2
