"""The proxy's configuration in a real nginx, as a user who may write nowhere but to the folders that it is given."""

from __future__ import annotations

import os
import pwd
import shutil
import ssl
import subprocess
import tempfile
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import httpx
import pytest

from channelscribe.local_stack.services import free_port
from tests.containers.compose_file import DOCKER, services
from tests.containers.processes import NotHere, answers, needed, nginx_configuration

pytestmark = [pytest.mark.slow, pytest.mark.timeout(120)]
LARGE = 3 << 20
"""Bytes of a body that is too large for nginx's buffer."""


class Upstream(BaseHTTPRequestHandler):
    """In Prefect's place: says how much it was sent."""

    def do_POST(self) -> None:
        said = str(len(self.rfile.read(int(self.headers["Content-Length"])))).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(said)))
        self.end_headers()
        self.wfile.write(said)

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def upstream() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Upstream)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"127.0.0.1:{server.server_port}"
    server.shutdown()


@pytest.fixture
def reachable() -> Iterator[Path]:
    """A folder that any user gets to: pytest's own are closed to all but who runs it."""
    with tempfile.TemporaryDirectory(prefix="channelscribe-test-") as name:
        yield Path(name)


def test_it_runs_where_only_its_own_folder_can_be_written(reachable: Path, upstream: str) -> None:
    try:
        nginx = needed("nginx")
        needed("openssl")
    except NotHere as reason:
        pytest.skip(str(reason))
    user = {"user": "nobody", "group": pwd.getpwnam("nobody").pw_gid, "extra_groups": []} if os.geteuid() == 0 else {}
    folder = Path(shutil.copytree(DOCKER / "nginx", reachable / "nginx"))
    ports = {"LISTEN": f"127.0.0.1:{free_port()}", "LISTEN_PLAIN": f"127.0.0.1:{free_port()}"}
    paths = {"CERTIFICATE": folder / "certificate.pem", "CERTIFICATE_KEY": folder / "key.pem", "TEMPORARY": folder}
    own = {name: str(path) for name, path in paths.items()} | ports | {"PREFECT_UPSTREAM": upstream}
    environment = services()["nginx"].environment | own | {"PATH": os.environ["PATH"]}
    subprocess.run(["sh", str(DOCKER / "nginx/certificate.sh")], env=environment, check=True)
    configuration = nginx_configuration(folder, environment)
    configuration.write_text(configuration.read_text().replace("user root;\n", "").replace("/dev/stdout", "stderr"))
    for path in [reachable, folder, *folder.rglob("*")] if user else []:
        os.chown(path, pwd.getpwnam("nobody").pw_uid, -1)
    log = (folder / "log").open("wb+")
    argv = [nginx, "-p", str(folder), "-c", str(configuration), "-g", "daemon off;"]
    process = subprocess.Popen(argv, stdout=log, stderr=log, cwd="/", **user)  # type: ignore[call-overload]
    url = f"https://{ports['LISTEN']}"
    try:
        while not answers(f"{url}/healthz"):
            assert process.poll() is None, (folder / "log").read_text()
        context = ssl.create_default_context(cafile=str(folder / "certificate.pem"))
        answer = httpx.post(f"{url}/api/flow_runs", content=b"x" * LARGE, verify=context, trust_env=False, timeout=30)
        assert answer.text == str(LARGE)
        assert {path.name for path in folder.iterdir()} >= {"client_body", "proxy", "fastcgi", "uwsgi", "scgi"}
    finally:
        process.terminate()
        process.wait(20)
        log.close()
