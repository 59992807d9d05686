"""`channelscribe doctor` tries what it vouches for, and misses nothing that runs elsewhere."""

from __future__ import annotations

import json
import socket
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from channelscribe.errors import StoreNotWritable
from channelscribe.settings import Settings
from channelscribe.settings.registry import nest
from channelscribe.store import MediaStore
from flows.cli import main
from flows.commands import doctor
from flows.commands.doctor import Finding


def settings(folder: Path, **more: Any) -> Settings:
    given = {key.replace("__", "."): value for key, value in more.items()}
    return Settings.model_validate(nest({"data_dir": folder, "speech.model": "sample", **given}))


def one(check: Callable[..., Any], given: Settings) -> Finding:
    (found,) = doctor.checked(check, given)
    assert found.state != "missing" or found.remedy
    return found


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("postgresql://user:pa55@127.0.0.1:1/nothing", "refused"),
        ("mysql://user:pa55@127.0.0.1/x", "only PostgreSQL"),
        ("postgresql://user:pa55@no-such-host.invalid/x", "no-such-host"),
        ("nonsense", "not a URL"),
    ],
)
def test_a_database_that_is_none(tmp_path: Path, url: str, says: str) -> None:
    found = one(doctor.database, settings(tmp_path, database__url=url))
    assert found.state == "missing" and says in found.detail
    assert "pa55" not in found.detail + found.remedy
    assert not (tmp_path / "postgres").exists()


def test_the_command_ends_with_1_and_json(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("CHANNELSCRIBE_DATA_DIR", str(tmp_path))
    monkeypatch.setenv("CHANNELSCRIBE_DATABASE__URL", "mysql://user:pa55@127.0.0.1/x")
    monkeypatch.setenv("CHANNELSCRIBE_ROLE", "orchestrator")
    assert main(["doctor", "--json"]) == 1
    told = json.loads(capsys.readouterr().out)["findings"]
    assert [each["what"] for each in told if each["state"] == "missing"] == ["database"]


def test_an_image_of_one_role_misses_nothing_of_the_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("CHANNELSCRIBE_DATA_DIR", str(tmp_path))
    monkeypatch.setenv("CHANNELSCRIBE_DATABASE__URL", "postgresql://127.0.0.1:1/x")
    monkeypatch.setenv("PATH", "")
    for package in ("imageio_ffmpeg", "whisperx", "spacy", "deno"):
        monkeypatch.setitem(sys.modules, package, None)

    def looked_at(role: str) -> set[str]:
        monkeypatch.setenv("CHANNELSCRIBE_ROLE", role)
        main(["doctor", "--json"])
        return {each["what"] for each in json.loads(capsys.readouterr().out)["findings"]} - {"database"}

    everywhere = {"role", "data folder", "yt-dlp", "store"}
    assert looked_at("orchestrator") == everywhere
    assert looked_at("dask") == everywhere | {"ffmpeg", "JavaScript runtime", "yt-dlp-ejs", "sample models", "text"}
    assert looked_at("speech") >= everywhere | {"speech", "text"}


def test_ffmpeg_has_to_work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert one(doctor.ffmpeg, settings(tmp_path)).state == "ok"
    broken = tmp_path / "ffmpeg"
    broken.write_text("#!/bin/sh\nexit 127\n")
    broken.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    assert one(doctor.ffmpeg, settings(tmp_path)).state == "missing"


def test_ports_and_services(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        found = one(doctor.services, settings(tmp_path, prefect__port=port))
        assert found.state == "missing" and "prefect.port" in found.remedy
        scheduler = settings(tmp_path, dask__scheduler=f"tcp://127.0.0.1:{port}")
        assert one(doctor.services, scheduler).state == "ok"
    assert one(doctor.services, scheduler).state == "missing"
    assert one(doctor.services, settings(tmp_path, prefect__port=port)).state == "ok"
    away = settings(tmp_path, prefect__api_url=f"http://127.0.0.1:{port}/api")
    assert "refused" in one(doctor.services, away).detail
    assert doctor.checked(doctor.services, settings(tmp_path)) == []


def test_the_data_folders_rights(tmp_path: Path) -> None:
    assert [found.state for found in doctor.checked(doctor.data_folder, settings(tmp_path))][1:] == []
    tmp_path.chmod(0o777)
    found = doctor.checked(doctor.data_folder, settings(tmp_path))[-1]
    assert found.state == "missing" and found.remedy.startswith("chmod")
    (tmp_path / "file").write_text("")
    assert one(doctor.data_folder, settings(tmp_path / "file")).state == "missing"


def test_a_store_that_does_not_let_itself_be_deleted_from(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert one(doctor.store, settings(tmp_path)).state == "ok"

    def refuse(self: MediaStore, key: str) -> None:
        raise StoreNotWritable("AccessDenied", remedy="Check what the keys may do.")

    monkeypatch.setattr(MediaStore, "delete", refuse)
    assert one(doctor.store, settings(tmp_path)).state == "missing"


def test_room_for_what_is_due(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (found,) = doctor._room(settings(tmp_path), 2000, 2000 * 3600.0, 7200.0)
    assert "2000 videos are due" in found.detail
    monkeypatch.setattr(doctor, "likely_bytes", lambda seconds, options: 10**18)
    (found,) = doctor._room(settings(tmp_path), 2000, 2000 * 3600.0, 7200.0)
    assert found.state == "note" and "--limit" in found.remedy
    assert list(doctor._room(settings(tmp_path), 0, 0.0, 0.0)) == []
