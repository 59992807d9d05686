"""`download`, `canary` and what `doctor` says of fetching: without a database, without Prefect, over real HTTP."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import mutagen
import pytest

from channelscribe.audio.ffmpeg import ffmpeg_path
from channelscribe.sample.server import SampleServer
from channelscribe.settings import Settings, SourceOptions
from channelscribe.sources import download as downloading
from flows.cli import main
from flows.commands import doctor, fetching
from flows.output import shortened
from tests.sources.conftest import mp3
from tests.standin.channels import Video
from tests.standin.site import StandinSite

SOUND = b"\xff\xfb" + bytes(range(256)) * 100
ALLOW = ["--set", "sources.allow_private_addresses=true", "--set", "sources.retries=0"]


@pytest.fixture
def standin(monkeypatch: pytest.MonkeyPatch) -> Iterator[StandinSite]:
    monkeypatch.setattr(downloading, "_PAUSE_SECONDS", 0.0)
    with StandinSite(SOUND, seconds_of_sound=20) as running:
        yield running


@pytest.fixture(scope="session")
def sound() -> bytes:
    return mp3(2)


def call(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, dict[str, Any]]:
    code = main([*arguments, "--json", *ALLOW])
    return code, json.loads(capsys.readouterr().out)


def test_download_a_listing_with_bad_videos_in_it(
    standin: StandinSite, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    bad = Video("bad", says="Private video"), Video("later", live_status="is_upcoming")
    good = Video("aaa", title="../../x"), Video("bbb", refused_signatures=1), Video("aaa")
    url = standin.playlist("PL1", good[0], *bad, *good[1:]).url
    code, told = call(capsys, "download", "--url", url, "--out", str(tmp_path))
    assert code == 3
    assert [file["video"] for file in told["files"]] == ["aaa", "bbb"]
    first = told["files"][0]
    assert first == {
        "video": "aaa", "title": "../../x", "path": str(tmp_path / "2023-11-14 _.._x [aaa].mp3"), "seconds": 20.0,
        "bytes": len(SOUND), "format": "140", "extension": "mp3", "language": "en",
    }  # fmt: skip
    assert [(each["video"], each["reason"]) for each in told["failures"]] == [("bad", "private"), ("later", "upcoming")]
    assert sorted(each.name for each in tmp_path.iterdir()) == [
        "2023-11-14 _.._x [aaa].mp3",
        "2023-11-14 bbb [bbb].mp3",
    ]

    standin.forget_requests()
    assert call(capsys, "download", "--url", url, "--out", str(tmp_path))[0] == 3
    assert standin.media_requests() == []  # what is there is not fetched again


def test_download_one_video_and_limits(
    standin: StandinSite, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    channel = standin.channel("news", *(Video(f"v{number}") for number in range(5)))
    code, told = call(capsys, "download", "--url", channel.url, "--out", str(tmp_path), "--limit", "2")
    assert (code, len(told["files"])) == (0, 2)
    assert main(["download", "--url", standin.video_url("v4"), "--out", str(tmp_path), *ALLOW]) == 0
    shown = capsys.readouterr()
    assert f"{tmp_path / '2023-11-14 v4 [v4].mp3'}  0:20  {len(SOUND)} bytes  mp3 140 en" in shown.out
    assert "v4" in shown.err


FEED_WITH_ALL = """<rss xmlns:itunes="http://www.itunes.com/dtds/podcast-1.0.dtd"><channel><title>The Show</title>
<itunes:image href="/cover.png"/><item><title>Ä: "long" {long}</title><guid>one</guid><link>https://a.example/1</link>
<pubDate>Sat, 02 Mar 2024 10:00:00 GMT</pubDate><itunes:season>2</itunes:season><itunes:episode>15</itunes:episode>
<itunes:author>Ünal</itunes:author><enclosure url="/m/one.mp3" type="audio/mpeg"/></item>
<item><title>Text only</title></item></channel></rss>"""


def test_files_of_a_podcast_are_named_and_tagged_for_people(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, sound: bytes
) -> None:
    image = tmp_path / "cover.png"
    command = [ffmpeg_path(), "-v", "error", "-f", "lavfi", "-i", "color=red:size=64x64", "-frames:v", "1", str(image)]
    subprocess.run(command, check=True)
    long = "\N{GRINNING FACE}" * 400
    with SampleServer(items=[], extra={"/m/one.mp3": sound, "/cover.png": image.read_bytes()}) as server:
        server.extra["/f"] = FEED_WITH_ALL.format(long=long).encode()
        code, told = call(capsys, "download", "--url", f"{server.url}/f", "--out", str(tmp_path / "to"))
        assert (code, told["listed"]) == (0, 1)
        (file,) = (tmp_path / "to").iterdir()
        before = len(server.requests)
        assert call(capsys, "download", "--url", f"{server.url}/f", "--out", str(tmp_path / "to"))[0] == 0
        assert [request.path for request in server.requests[before:]] == ["/f"]
    assert (told["files"][0]["path"], told["files"][0]["bytes"]) == (str(file), file.stat().st_size)
    video = told["files"][0]["video"]
    assert file.name.startswith("2024-03-02 Ä") and file.name.endswith(f"\N{GRINNING FACE} [{video}].mp3")
    assert len(file.name.encode()) <= 240 and not set('/\\:"*?<>|') & set(file.name)
    tags: Any = mutagen.File(file)  # type: ignore[attr-defined]
    found = {name: str(tags[name].text[0]) for name in ("TPE1", "TALB", "TDRC", "TPOS", "TRCK")}
    assert found == {"TPE1": "Ünal", "TALB": "The Show", "TDRC": "2024-03-02", "TPOS": "2", "TRCK": "15"}
    assert tags["WOAS"].url == "https://a.example/1" and tags.tags.getall("APIC")


@pytest.mark.parametrize(
    ("title", "name"),
    [
        ("../../etc/passwd", "_.._etc_passwd [x].mp3"),
        ("-rf ~", "_rf ~ [x].mp3"),
        ("", "[x].mp3"),
        (" . ", "[x].mp3"),
        ("a\nb\x00c\u202etxt", "a b c txt [x].mp3"),
    ],
)
def test_no_title_makes_a_path_of_its_own(title: str, name: str) -> None:
    assert fetching.file_name(title, None, "x", ".mp3") == name
    assert Path(name).name == name


def test_a_long_title_is_cut_on_a_terminal_alone(capsys: pytest.CaptureFixture[str]) -> None:
    assert shortened("a\n" * 100) == " ".join("a" * 100)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("sys.stdout.isatty", lambda: True, raising=False)
        patched.setattr("sys.stderr.isatty", lambda: True, raising=False)
        assert len(shortened("a " * 100)) == 60


def test_download_stops_asking_when_it_is_blocked(
    standin: StandinSite, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    url = standin.playlist("PL1", *(Video(f"v{number}") for number in range(4))).url
    fault = standin.fail("page", 429)
    code, told = call(capsys, "download", "--url", url, "--out", str(tmp_path))
    assert (code, fault.hits) == (1, 1)
    assert len(told["failures"]) == 4


def test_download_says_what_is_wrong_in_one_line(standin: StandinSite, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["download", "--url", f"{standin.url}/watch?v=nothing", *ALLOW]) == 1
    assert main(["download", "--url", "not a URL", *ALLOW]) == 2
    assert main(["download", "--url", standin.url]) == 1  # loopback, not allowed
    assert "Traceback" not in capsys.readouterr().err


@pytest.mark.slow
def test_download_needs_no_engine(standin: StandinSite, tmp_path: Path) -> None:
    standin.alone.append(Video("aaa"))
    script = (
        "import sys\nfrom flows.cli import main\ncode = main(sys.argv[1:])\n"
        "print(code, [m for m in ('prefect', 'dask', 'distributed', 'psycopg', 'torch') if m in sys.modules])"
    )
    arguments = ["download", "--url", standin.video_url("aaa"), "--out", str(tmp_path), *ALLOW]
    done = subprocess.run([sys.executable, "-c", script, *arguments], capture_output=True, text=True, check=False)
    assert done.stdout.splitlines()[-1] == "0 []", done.stderr


def test_canary_passes_and_fails(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(downloading, "_PAUSE_SECONDS", 0.0)
    with StandinSite() as standin:
        standin.alone += [Video("aaa", title="A canary"), Video("bad", says="Sign in to confirm you’re not a bot")]
        code, told = call(capsys, "canary", standin.video_url("aaa"))
        assert (code, told["passed"], told["title"]) == (0, True, "A canary")
        code, told = call(capsys, "canary", "--set", f"sources.canary_url={standin.video_url('bad')}")
        assert (code, told["passed"], told["reason"]) == (1, False, "bot_check")
        assert told["remedy"]
        assert main(["canary", standin.video_url("aaa"), *ALLOW]) == 0
        assert capsys.readouterr().out.startswith("pass: A canary")
    assert main(["canary"]) == 2


def settings(**sources: Any) -> Settings:
    return Settings(sources=SourceOptions(allow_private_addresses=True, retries=0, **sources))


def states(check: Any, given: Settings) -> list[tuple[str, bool]]:
    return [(found.state, bool(found.remedy)) for found in doctor.checked(check, given)]


def test_doctor_looks_at_yt_dlp_and_what_it_needs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "ytdlp_age_days", lambda: 3)
    for check in (doctor.ytdlp, doctor.javascript, doctor.ejs):
        assert states(check, Settings()) == [("ok", False)]
    monkeypatch.setattr(doctor, "ytdlp_age_days", lambda: 61)
    assert states(doctor.ytdlp, Settings()) == [("note", True)]
    monkeypatch.setattr(doctor, "ytdlp_version", lambda: "2026.06.09")
    assert states(doctor.ytdlp, Settings()) == [("missing", True)]
    monkeypatch.setattr(doctor, "ejs_versions", lambda: ("0.7.0", "0.8.0"))
    assert states(doctor.ejs, Settings()) == [("note", True)]
    for found in ("2.2.9", None):
        monkeypatch.setattr(doctor, "deno_version", lambda found=found: found)
        assert states(doctor.javascript, Settings()) == [("note", True)]
    monkeypatch.setattr(doctor, "deno_path", lambda: None)
    assert states(doctor.javascript, Settings()) == [("note", True)]


def test_doctor_looks_at_cookies(tmp_path: Path) -> None:
    file = tmp_path / "cookies.txt"
    file.write_text(".example.org\tTRUE\t/\tFALSE\t0\tsession\tcanary-55\n")
    assert states(doctor.cookies, settings()) == []
    assert states(doctor.cookies, settings(cookies_file=file)) == [("missing", True)]
    file.chmod(0o600)
    (found,) = doctor.checked(doctor.cookies, settings(cookies_file=file))
    assert found.state == "ok" and "example.org" in found.detail and "canary-55" not in found.detail
    elsewhere = settings(cookies_file=file, canary_url="https://www.youtube.com/watch?v=x")
    assert states(doctor.cookies, elsewhere) == [("note", True)]


def test_doctor_asks_a_source_only_where_one_is_given() -> None:
    with StandinSite() as standin:
        standin.alone += [Video("aaa"), Video("bad", says="Private video")]
        assert states(doctor.source, settings()) == []
        assert standin.requests == []
        asked = doctor._with_canary(settings(), standin.video_url("aaa"))
        assert states(doctor.source, asked) == [("ok", False)]
        assert states(doctor.source, settings(canary_url=standin.video_url("bad")))[0][0] == "missing"
