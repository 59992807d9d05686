"""`prefect.api_url` first, then what Prefect itself is set to, then the laptop stack."""

from __future__ import annotations

import base64
import subprocess
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from channelscribe.settings.prefect_profile import access_of, prefects_own
from channelscribe.settings.registry import SettingsRegistry
from tests.conftest import clean_environment, command

PROFILES = """
active = "team"
[profiles.team]
PREFECT_API_URL = "https://prefect.example.org/api"
PREFECT_API_AUTH_STRING = "user:word"
PREFECT_LOGGING_LEVEL = "DEBUG"
[profiles.alone]
PREFECT_SERVER_EPHEMERAL_ENABLED = "true"
"""
TEAM = "https://prefect.example.org/api"


@pytest.fixture
def home(tmp_path: Path) -> dict[str, str]:
    """An environment with profiles in it."""
    (tmp_path / ".prefect").mkdir()
    (tmp_path / ".prefect" / "profiles.toml").write_text(PROFILES)
    return {"HOME": str(tmp_path)}


def api_url(folder: Path, environ: dict[str, str]) -> tuple[str | None, str]:
    found = SettingsRegistry(environ=environ, folder=folder)
    (origin,) = [item.origin for item in found.explain() if item.key == "prefect.api_url"]
    return found.resolve().prefect.api_url, origin


def test_ours_comes_first_then_prefects(tmp_path: Path, home: dict[str, str]) -> None:
    mine = "http://mine/api"
    named = {**home, "PREFECT_API_URL": "http://127.0.0.1:4200/api/"}
    assert api_url(tmp_path, {}) == (None, "config.yaml (default)")
    assert api_url(tmp_path, home) == (TEAM, "Prefect's profile team")
    assert api_url(tmp_path, {**home, "PREFECT_PROFILE": "alone"}) == (None, "config.yaml (default)")
    assert api_url(tmp_path, named) == ("http://127.0.0.1:4200/api", "PREFECT_API_URL")
    assert api_url(tmp_path, {**named, "CHANNELSCRIBE_PREFECT__API_URL": mine}) == (mine, "environment")
    assert api_url(tmp_path, {**named, "CHANNELSCRIBE_PREFECT__API_URL": ""}) == (None, "environment")
    (tmp_path / "channelscribe.yaml").write_text(f"prefect: {{api_url: {mine}}}")
    assert api_url(tmp_path, named) == (mine, str(tmp_path / "channelscribe.yaml"))


@pytest.mark.parametrize("text", ["", "active = ", "active = 'x'", "profiles = 3", "active = 'x'\n[profiles]\nx = 1"])
def test_broken_profiles_are_for_prefect_to_complain_about(tmp_path: Path, text: str) -> None:
    (tmp_path / "profiles.toml").write_text(text)
    assert prefects_own({"PREFECT_HOME": str(tmp_path)}) is None
    assert prefects_own({"PREFECT_PROFILES_PATH": str(tmp_path / "profiles.toml")}) is None


def test_the_key_goes_to_its_own_server_only(home: dict[str, str]) -> None:
    wanted = {"PREFECT_API_URL": TEAM, "PREFECT_API_AUTH_STRING": "user:word"}
    assert access_of(TEAM + "/", home) == wanted
    assert access_of("http://elsewhere/api", home) == access_of(None, home) == {}
    assert "word" not in repr(prefects_own(home))


@pytest.fixture
def listening() -> Iterator[tuple[str, list[tuple[str, str | None]]]]:
    """The URL of a server that wants another password, and what it was asked for: (path, Authorization)."""
    asked: list[tuple[str, str | None]] = []

    class Asked(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append((self.path, self.headers["Authorization"]))
            self.send_response(200 if self.path.endswith("/health") else 401)
            self.send_header("Content-Length", "0")
            self.end_headers()

        do_POST = do_GET  # noqa: N815

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Asked)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/api", asked
    server.shutdown()
    server.server_close()


@pytest.mark.stack
def test_deploy_goes_where_the_profile_says_with_its_password(
    tmp_path: Path, listening: tuple[str, list[tuple[str, str | None]]]
) -> None:
    url, asked = listening
    (tmp_path / "profiles.toml").write_text(PROFILES.replace(TEAM, url))
    done = subprocess.run(
        command("deploy", "--dry-run"),
        env={**clean_environment(tmp_path / "data"), "PREFECT_PROFILES_PATH": str(tmp_path / "profiles.toml")},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 1 and "refused" in done.stderr
    assert f"Prefect: {url} (Prefect's profile team)." in done.stderr
    assert "word" not in done.stderr + done.stdout
    said = {authorization for path, authorization in asked if not path.endswith("/health")}
    assert said == {"Basic " + base64.b64encode(b"user:word").decode()}
