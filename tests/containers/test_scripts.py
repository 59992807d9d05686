"""The shell scripts of the proxy and of Prometheus, run by a shell."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.containers.compose_file import DOCKER

NEW_KEY = ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-subj", "/CN=given"]

pytestmark = pytest.mark.skipif(shutil.which("openssl") is None, reason="there is no openssl here")


def script(path: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["sh", str(path), *arguments],
        env={"PATH": os.environ["PATH"], **environment},
        capture_output=True,
        text=True,
        check=False,
    )


def certificate(folder: Path, name: str) -> subprocess.CompletedProcess[str]:
    files = {"CERTIFICATE": str(folder / "certificate.pem"), "CERTIFICATE_KEY": str(folder / "key.pem")}
    return script(DOCKER / "nginx/certificate.sh", SERVER_NAME=name, **files)


def openssl(*arguments: str | Path) -> str:
    return subprocess.run(["openssl", *map(str, arguments)], capture_output=True, text=True, check=True).stdout


def given(folder: Path, days: str) -> None:
    files = ["-keyout", folder / "key.pem", "-out", folder / "certificate.pem"]
    openssl(*NEW_KEY, "-days", days, *files)


def test_a_certificate_is_made_once_and_anew_for_another_name(tmp_path: Path) -> None:
    assert certificate(tmp_path, "library.example").returncode == 0
    made = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    assert set(made) == {"certificate.pem", "key.pem"}
    assert (tmp_path / "key.pem").stat().st_mode & 0o777 == 0o600
    assert certificate(tmp_path, "library.example").stderr == ""
    assert made == {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    assert "made" in certificate(tmp_path, "192.0.2.7").stderr
    names = openssl("x509", "-in", tmp_path / "certificate.pem", "-noout", "-ext", "subjectAltName")
    assert "IP Address:192.0.2.7" in names
    assert "library.example" not in names
    (tmp_path / "key.pem").unlink()
    assert "made" in certificate(tmp_path, "192.0.2.7").stderr
    assert certificate(tmp_path, "192.0.2.7").stderr == ""


def test_a_given_certificate_is_left_alone(tmp_path: Path) -> None:
    given(tmp_path, "90")
    before = (tmp_path / "certificate.pem").read_bytes()
    assert certificate(tmp_path, "another.example").stderr == ""
    given(tmp_path, "3")
    assert "ends within a week" in certificate(tmp_path, "another.example").stderr
    (tmp_path / "certificate.pem").write_bytes(before)
    wrong = certificate(tmp_path, "another.example")
    assert wrong.returncode == 1
    assert "do not belong together" in wrong.stderr
    (tmp_path / "certificate.pem").unlink()
    assert certificate(tmp_path, "another.example").returncode == 1


@pytest.mark.parametrize("name", ["two words", "a;b", "$(id)", "a/b"])
def test_a_name_that_is_none_is_refused(tmp_path: Path, name: str) -> None:
    refused = certificate(tmp_path, name)
    assert refused.returncode == 1
    assert "no host name" in refused.stderr


def test_prometheus_gets_user_and_password(tmp_path: Path) -> None:
    def start(auth: str) -> subprocess.CompletedProcess[str]:
        own = {"CONFIGURATION": str(DOCKER / "prometheus"), "RENDERED": str(tmp_path / "run"), "PROMETHEUS": "echo"}
        return script(DOCKER / "prometheus/start.sh", "--one", PREFECT_API_AUTH_STRING=auth, **own)

    assert start("me@example.org:a:b c").stdout.split() == [f"--config.file={tmp_path}/run/prometheus.yml", "--one"]
    assert (tmp_path / "run/prefect-password").read_text() == "a:b c"
    assert (tmp_path / "run/prefect-password").stat().st_mode & 0o777 == 0o600
    assert "username: me@example.org" in (tmp_path / "run/prometheus.yml").read_text()
    for wrong in ("", ":password", "a b:password"):
        assert start(wrong).returncode != 0
