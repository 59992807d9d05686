"""Cookies: checked before use, sent to their site only, never written, never told."""

from __future__ import annotations

import logging
import time
import traceback
from pathlib import Path

import pytest

from channelscribe.errors import AccessUnusable, Then
from channelscribe.sample.server import SampleServer
from channelscribe.settings.options import SourceOptions
from channelscribe.sources.cookies import checked_cookies
from channelscribe.sources.download import download

SECRET = "canary-8c1f"
LATER = int(time.time()) + 86_400


def line(domain: str = ".example.org", expires: int | str = LATER, value: str = SECRET, flag: str = "TRUE") -> str:
    return f"{domain}\t{flag}\t/\tFALSE\t{expires}\tsession\t{value}\n"


def file(folder: Path, text: str, mode: int = 0o600) -> SourceOptions:
    path = folder / "cookies.txt"
    path.write_text(text, newline="")
    path.chmod(mode)
    return SourceOptions(cookies_file=path)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "there are none|are none"),
        ("# Netscape HTTP Cookie File\n\n# a comment\n", "are none"),
        (line(expires=1), "all expired"),
        ('[{"domain": "x", "value": "' + SECRET + '"}]', "JSON"),
        (line() + f"session={SECRET}; other={SECRET}\n", "line 2"),
        (line(expires="tomorrow"), "line 1"),
        (line(domain=""), "line 1"),
        (line(expires="9" * 400), "line 1"),
        (line() * 20_000, "larger"),
    ],
    ids=("nothing", "comments", "expired", "json", "a header", "a date", "no domain", "a long number", "large"),
)
def test_what_is_no_use_is_told_without_a_value(tmp_path: Path, text: str, says: str) -> None:
    with pytest.raises(AccessUnusable, match=says) as caught:
        checked_cookies(file(tmp_path, text))
    assert (caught.value.reason, caught.value.then) == ("cookies", Then.STOP_RUN)
    assert SECRET not in "".join(traceback.format_exception(caught.value))


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o604, 0o660])
def test_a_file_that_others_may_read_is_refused(tmp_path: Path, mode: int) -> None:
    with pytest.raises(AccessUnusable) as caught:
        checked_cookies(file(tmp_path, line(), mode))
    assert caught.value.remedy == f"chmod 600 {tmp_path / 'cookies.txt'}"


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(AccessUnusable, match="not there"):
        checked_cookies(SourceOptions(cookies_file=tmp_path / "none.txt"))


def test_what_is_found_in_a_good_file(tmp_path: Path) -> None:
    http_only = f"#HttpOnly_{line('www.youtube.com', 0, flag='TRUE')}"
    text = f"\ufeff# Netscape HTTP Cookie File\r\n{line()}{line(expires=5)}{http_only}".replace("\n", "\r\n")
    found = checked_cookies(file(tmp_path, text))
    assert found is not None
    assert (found.domains, found.expired, found.expires) == (("example.org", "www.youtube.com"), 1, None)
    assert found.name("https://www.example.org/x") and found.name("https://www.youtube.com/watch?v=1")
    assert not found.name("https://youtube.com/") and not found.name("https://badexample.org/")
    assert SECRET not in repr(found) and SECRET in found.stream().read()


@pytest.mark.parametrize("as_text", [True, False])
def test_they_go_to_their_site_only_and_the_file_stays(
    site: SampleServer,
    options: SourceOptions,
    sound: bytes,
    tmp_path: Path,
    as_text: bool,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.DEBUG)
    seen: list[str | None] = []

    def answer(handler: object) -> None:
        seen.append(handler.headers.get("Cookie"))  # type: ignore[attr-defined]
        handler.send_response(200)  # type: ignore[attr-defined]
        handler.send_header("Content-Type", "audio/mpeg")  # type: ignore[attr-defined]
        handler.send_header("Set-Cookie", "session=another")  # type: ignore[attr-defined]
        handler.send_header("Content-Length", str(len(sound)))  # type: ignore[attr-defined]
        handler.end_headers()  # type: ignore[attr-defined]
        handler.wfile.write(sound)  # type: ignore[attr-defined]

    site.extra["/a.mp3"] = answer
    text = line("127.0.0.1", flag="TRUE") + line(".example.org", value="elsewhere")
    kept = file(tmp_path, text).cookies_file
    given = {"cookies": text} if as_text else {"cookies_file": kept}
    sources = SourceOptions(**{**options.model_dump(), **given})
    download(f"{site.url}/a.mp3", tmp_path / "out", "a", sources)
    assert seen == [f"session={SECRET}"]
    assert kept is not None and kept.read_text() == text
    assert SECRET not in repr(sources) + caplog.text
    assert [each.name for each in (tmp_path / "out").iterdir()] == ["a.mp3"]


def test_a_download_with_bad_cookies_asks_nobody(site: SampleServer, options: SourceOptions, tmp_path: Path) -> None:
    with pytest.raises(AccessUnusable):
        download(
            f"{site.url}/media/one.mp3", tmp_path, "a", options.model_copy(update={"cookies_file": tmp_path / "x"})
        )
    assert site.requests == []
