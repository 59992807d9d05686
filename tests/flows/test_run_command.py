"""`channelscribe run` without a server: what it reads, which exit code it ends with, and what it says of none."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from prefect.settings import PREFECT_API_URL, temporary_settings

from channelscribe.errors import UsageError
from flows.cli import main
from flows.commands.run import code_of, parameters


def test_parameters_are_fields_of_the_form() -> None:
    given = ["source=https://example.org/?a=b", "limit=20", "dry_run=true", "again=[blocked]", "settings={a.b: 1}"]
    assert parameters(given) == {
        "source": "https://example.org/?a=b",
        "limit": 20,
        "dry_run": True,
        "again": ["blocked"],
        "settings": {"a.b": 1},
    }
    assert parameters(['request={"source": "x", "limit": 1}', "limit=2"]) == {"source": "x", "limit": 2}
    for wrong in ("limit", "=3", "request=[1]"):
        with pytest.raises(UsageError):
            parameters([wrong])


@pytest.mark.parametrize(
    ("completed", "summary", "code"),
    [
        (True, {"failures": [], "published": 2}, 0),
        (True, {"failures": [{}]}, 3),
        (True, {"failures": [], "busy": "another run"}, 3),
        (True, None, 0),
        (False, {"failures": [], "stopped": "no disk"}, 1),
        (False, None, 1),
    ],
)
def test_the_exit_code_is_the_command_lines(completed: bool, summary: dict[str, Any] | None, code: int) -> None:
    ended: Any = SimpleNamespace(state=SimpleNamespace(is_completed=lambda: completed))
    assert code_of(ended, summary) == code


def test_without_a_server_the_remedy_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("CHANNELSCRIBE_DATA_DIR", str(tmp_path))
    assert main(["run", "sync-channel"]) == 1
    assert (
        "No Prefect server is set or runs. Set prefect.api_url, or start `channelscribe up`." in capsys.readouterr().err
    )
    monkeypatch.setenv("CHANNELSCRIBE_PREFECT__API_URL", "http://127.0.0.1:9/api")
    with temporary_settings({PREFECT_API_URL: "http://127.0.0.1:9/api"}):
        assert main(["run", "sync-channel"]) == 1
    assert "does not answer (ConnectError)" in capsys.readouterr().err
