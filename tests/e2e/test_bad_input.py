"""Bad input: one line that says what is wrong and what to do, the right exit code, the others unharmed."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from channelscribe.audio.ffmpeg import ffmpeg_path
from channelscribe.catalogue import videos
from channelscribe.catalogue.connection import Database
from channelscribe.local_stack import LocalStack
from channelscribe.sample import world
from channelscribe.sample.feed import sample_items
from channelscribe.sample.server import SampleServer
from tests.conftest import ON_SAMPLE, Cli, Ended, run_command

pytestmark = [pytest.mark.long, pytest.mark.stack, pytest.mark.timeout(600)]


def one_line(done: Ended, code: int, *says: str) -> None:
    """The last line of stderr is the message; there is no traceback and nothing on stdout."""
    assert done.code == code, str(done)
    assert done.out == ""
    assert "Traceback" not in done.err
    last = done.err.strip().splitlines()[-1]
    assert last.startswith("channelscribe: ")
    for word in says:
        assert word in last, last


@pytest.mark.parametrize("source", ["not a url", "ftp://example.org/feed", "", " "])
def test_not_a_url(tmp_path: Path, source: str) -> None:
    one_line(run_command(tmp_path, "sync", source), 2, "http")
    assert not list(tmp_path.iterdir())  # nothing was started


def test_a_file_of_the_machine_is_not_read_by_its_address(tmp_path: Path) -> None:
    one_line(run_command(tmp_path, "sync", "file:///etc/passwd"), 1, "/etc/passwd", "sources.folders")


def test_an_unknown_model(tmp_path: Path) -> None:
    done = run_command(tmp_path, "sync", "https://example.org/feed.xml", "--model", "larger-v9")
    one_line(done, 2, "larger-v9", "small")


@pytest.mark.parametrize("arguments", [("synch",), ("sync",), ("sync", "http://x", "--limit", "0"), ("search",)])
def test_wrong_usage(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    one_line(run_command(tmp_path, *arguments), 2, "--help")


def test_no_command_shows_what_there_is(tmp_path: Path) -> None:
    done = run_command(tmp_path)
    assert (done.code, done.out) == (2, "")
    assert "usage: channelscribe" in done.err and "transcribe" in done.err


def test_an_unknown_setting(tmp_path: Path) -> None:
    one_line(run_command(tmp_path, "status", "--set", "speech.modle=small"), 2, "speech.modle", "config show")


def test_a_data_folder_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    one_line(run_command(tmp_path / "file", "status"), 1, "cannot be written", "CHANNELSCRIBE_DATA_DIR")


def test_a_private_address_is_refused(cli: Cli) -> None:
    one_line(cli("sync", "http://127.0.0.1:9/feed.xml"), 1, "allow_private_addresses")


def test_an_unreachable_host(cli: Cli) -> None:
    one_line(cli("sync", "http://127.0.0.1:9/feed.xml", *ON_SAMPLE), 1, "127.0.0.1:9")


def test_a_page_without_media(cli: Cli) -> None:
    with SampleServer() as server:
        one_line(cli("sync", f"{server.url}/about.html", *ON_SAMPLE), 1, "about.html")
        one_line(cli("sync", f"{server.url}/nothing-here", *ON_SAMPLE), 1, "nothing-here")


@pytest.fixture(scope="module")
def silent_video(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """A video without a sound track."""
    import subprocess

    made = tmp_path_factory.mktemp("video") / "silent.mp4"
    source = ["-f", "lavfi", "-i", "testsrc=duration=2:size=64x64:rate=5"]
    subprocess.run([str(ffmpeg_path()), "-loglevel", "error", *source, str(made)], check=True)
    return made.read_bytes()


@pytest.mark.speech
def test_bad_videos_carry_their_reason_and_the_good_one_is_published(
    cli: Cli, stack: LocalStack, silent_video: bytes
) -> None:
    good, *others = sorted(sample_items(), key=lambda item: item.duration)[:6]
    bad = ["empty", "corrupt", "no-audio", "missing", "truncated"]
    names = {"no-audio": "no-audio.mp4"}
    items = [replace(good, id="a-good-one")]
    for item, name in zip(others, bad, strict=True):
        items.append(replace(item, id=name, title=f"The {name} one", media=names.get(name, f"{name}.mp3")))
    an_mp3 = next(episode.path for episode in world.episodes() if episode.media.endswith(".mp3"))
    extra = {
        "/media/empty.mp3": b"",
        "/media/corrupt.mp3": bytes(range(256)) * 400,
        "/media/no-audio.mp4": silent_video,
        "/media/truncated.mp3": an_mp3.read_bytes()[:90_000],
    }
    with SampleServer(items=items, extra=extra) as server:
        done = cli("sync", server.feed_url, "--json", *ON_SAMPLE)
    assert done.code == 3, str(done)
    assert (done.json["published"], done.json["failed"]) == (1, len(bad))
    # An episode's id is its guid and a mark of its feed.
    reasons = {failure["video"].rpartition("-")[0]: failure["reason"] for failure in done.json["failures"]}
    assert reasons == {
        "empty": "empty_media",
        "corrupt": "corrupt_media",
        "no-audio": "no_audio_track",
        "missing": "not_found",
        "truncated": "truncated",
    }
    catalogue = Database(stack.addresses.database_url or "")
    try:
        rows = {name: catalogue.run(videos.find_videos, name)[0] for name in ["a-good-one", *bad]}
    finally:
        catalogue.close()
    assert rows["a-good-one"].state == "published"
    assert {name: rows[name].reason for name in bad} == reasons
    # A verdict for good needs the same answer on another day.
    assert {rows[name].state for name in bad} == {"retrying"}
    # What costs one request to ask is asked again with the next run.
    assert {name for name in bad if rows[name].next_check_at is None} == {"empty", "missing"}
    assert "Traceback" not in done.err
