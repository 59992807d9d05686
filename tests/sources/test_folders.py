"""A folder of recordings as a source: known by content, with what is told beside them; nothing else is ever read."""

from __future__ import annotations

import json
import os
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest

from channelscribe.audio.ffmpeg import ffmpeg_path
from channelscribe.errors import AddressRefused, ChannelscribeError, SourceNotFound, SourceUnreachable, UsageError
from channelscribe.settings.options import SourceOptions
from channelscribe.sources import folders
from channelscribe.sources.download import download
from channelscribe.sources.listing import list_source
from channelscribe.sources.spool import Listing
from channelscribe.sources.subscriptions import expand
from tests.sources.conftest import mp3

LONG_AGO = 1_700_000_000


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(folders, "_named", set())
    place = tmp_path / "the interviews"
    place.mkdir()
    return place


@pytest.fixture(autouse=True)
def naps(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Nobody sleeps here."""
    taken: list[float] = []
    monkeypatch.setattr(folders.time, "sleep", taken.append)
    return taken


def put(path: Path, content: bytes) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    os.utime(path, (LONG_AGO, LONG_AGO))
    return path


def listed(root: Path, before: Listing | None = None, **settings: Any) -> Listing:
    options = SourceOptions(folders=(root,), **settings)
    memory = {**before.memory, "kind": before.kind} if before else {}
    return list_source(root.as_uri(), options, memory=json.loads(json.dumps(memory)))


def titles(listing: Listing) -> list[str]:
    return [video.title for video in listing.videos]


@pytest.fixture(scope="session")
def sounds() -> list[bytes]:
    return [mp3(seconds) for seconds in (1, 1.5, 2)]


def test_recordings_of_every_kind_are_found_by_their_content(root: Path, sounds: list[bytes]) -> None:
    source = put(root / "a.mp3", sounds[0])
    for name, codec in (("b.mkv", "flac"), ("deep/er/c.mp4", "aac"), ("d.ogg", "libvorbis"), ("e.webm", "libopus")):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        command = [ffmpeg_path(), "-v", "error", "-i", str(source), "-c:a", codec, str(put(root / name, b""))]
        subprocess.run([*command, "-y"], check=True)
        os.utime(root / name, (LONG_AGO, LONG_AGO))
    put(root / "no ending at all", sounds[1])
    put(root / "lies.mp3", b"this is a text " * 100)
    put(root / "notes.txt", b"x")
    put(root / "cover.jpg", b"x")
    put(root / "empty.wav", b"")
    found = listed(root)
    assert sorted(titles(found)) == ["a", "b", "c", "d", "e", "no ending at all"]
    assert {video.site for video in found.videos} == {"local"}
    assert len({video.video_id for video in found.videos}) == 6
    assert found.kind == "folder" and found.complete
    (note,) = found.notes
    assert note == "6 listed, 1 empty, 3 no recordings"


def test_a_renamed_or_moved_file_is_the_same_and_an_edited_one_another(root: Path, sounds: list[bytes]) -> None:
    put(root / "a.mp3", sounds[0])
    put(root / "b.mp3", sounds[1])
    first = listed(root)
    (root / "a.mp3").rename(root / "renamed.mp3")
    put(root / "below" / "b.mp3", (root / "b.mp3").read_bytes())
    (root / "b.mp3").unlink()
    second = listed(root, first)
    assert {video.video_id for video in second.videos} == {video.video_id for video in first.videos}
    assert sorted(titles(second)) == ["b", "renamed"]
    put(root / "below" / "b.mp3", sounds[2])
    third = listed(root, second)
    assert len({video.video_id for video in third.videos} - {video.video_id for video in first.videos}) == 1


def test_the_same_recording_twice_is_one(root: Path, sounds: list[bytes]) -> None:
    put(root / "a.mp3", sounds[0])
    put(root / "copy of a.mp3", sounds[0])
    found = listed(root)
    assert (titles(found), found.notes) == (["a"], ["1 listed, 1 the same as another"])


def test_what_did_not_change_is_not_read_again(
    root: Path, sounds: list[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    put(root / "a.mp3", sounds[0])
    put(root / "no.mp3", b"nothing")
    first = listed(root)
    monkeypatch.setattr("channelscribe.audio.probe.probe", None)
    monkeypatch.setattr(folders, "_digest", None)
    second = listed(root, first)
    assert second.unchanged and titles(second) == titles(first)
    (root / "a.json").write_text('{"title": "From the sidecar"}')
    with pytest.raises(TypeError):  # the probe is gone: what has something new beside it is looked at
        listed(root, first)


def test_a_sidecar_tells_more_than_tags_and_these_more_than_the_name(root: Path, sounds: list[bytes]) -> None:
    put(root / "a.mp3", sounds[0])
    tagged = root / "b.mp3"
    tags = ["-metadata", "title=Tagged", "-metadata", "artist=Ünal", "-metadata", "date=2024-03-02"]
    subprocess.run([ffmpeg_path(), "-v", "error", "-i", str(root / "a.mp3"), *tags, str(tagged)], check=True)
    for name in ("c.mp3", "d.mp3"):
        put(root / name, tagged.read_bytes() + name.encode())
    os.utime(tagged, (LONG_AGO, LONG_AGO))
    told = {"title": "Told\n twice", "date": "20240501", "people": ["Ada", 5], "season": 2, "url": "https://a.example",
            "chapters": [{"start_time": 0, "title": "One"}]}  # fmt: skip
    (root / "c.mp3.json").write_text(json.dumps(told))
    (root / "d.json").write_text('{"title": ')
    by_name = {Path(video.url).name: video for video in listed(root).videos}
    assert (by_name["a.mp3"].title, by_name["a.mp3"].published) == ("a", None)
    assert (by_name["b.mp3"].title, str(by_name["b.mp3"].published)) == ("Tagged", "2024-03-02")
    assert by_name["b.mp3"].about["author"] == "Ünal"
    video = by_name["c.mp3"]
    assert (video.title, str(video.published), video.chapters) == ("Told twice", "2024-05-01", [[0.0, "One"]])
    assert (video.about["people"], video.season, video.about["page"]) == (["Ada"], "2", "https://a.example")
    assert by_name["d.mp3"].title == "Tagged"  # a broken sidecar costs nothing


def test_hidden_files_links_and_loops_are_left_out_and_said(root: Path, sounds: list[bytes], tmp_path: Path) -> None:
    put(root / "a.mp3", sounds[0])
    put(root / ".hidden.mp3", sounds[1])
    put(root / ".git" / "b.mp3", sounds[1])
    outside = put(tmp_path / "outside.mp3", sounds[2])
    (root / "linked.mp3").symlink_to(outside)
    (root / "loop").symlink_to(root, target_is_directory=True)
    os.mkfifo(root / "pipe.mp3")
    found = listed(root)
    assert titles(found) == ["a"]
    assert found.notes == ["1 listed, 2 hidden, 2 links, which are not followed, 1 no files"]


def test_a_file_that_is_still_written_waits_for_the_next_time(
    root: Path, sounds: list[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    put(root / "done.mp3", sounds[0])
    put(root / "loading.mp3.part", sounds[1])
    growing, copied = root / "growing.mp3", root / "copied.mp3"
    growing.write_bytes(sounds[1])
    copied.write_bytes(sounds[2])

    def grow(_: float) -> None:
        with growing.open("ab") as file:
            file.write(b"more")

    monkeypatch.setattr(folders.time, "sleep", grow)
    first = listed(root)
    assert sorted(titles(first)) == ["copied", "done"]
    assert first.notes == ["2 listed, 1 not finished by the name, 1 still being written"]
    os.utime(growing, (LONG_AGO, LONG_AGO))
    assert sorted(titles(listed(root, first))) == ["copied", "done", "growing"]


def test_nothing_is_waited_for_where_all_is_old(root: Path, sounds: list[bytes], naps: list[float]) -> None:
    put(root / "a.mp3", sounds[0])
    first = listed(root)
    os.utime(root / "a.mp3")
    listed(root, first)
    assert naps == [folders.SETTLED_SECONDS]


def test_a_silent_video_is_said_and_a_folder_that_went_is_no_empty_one(root: Path, sounds: list[bytes]) -> None:
    put(root / "a.mp3", sounds[0])
    command = [ffmpeg_path(), "-v", "error", "-f", "lavfi", "-i", "color=size=16x16:duration=0.2", str(root / "v.mp4")]
    subprocess.run(command, check=True)
    os.utime(root / "v.mp4", (LONG_AGO, LONG_AGO))
    first = listed(root)
    assert first.notes == ["1 listed, 1 without sound"]
    for path in root.iterdir():
        path.unlink()
    with pytest.raises(SourceUnreachable, match=r"had 2 before.*mounted"):
        listed(root, first)
    assert titles(listed(root)) == []  # a folder in which nothing is yet
    root.rmdir()
    with pytest.raises(SourceNotFound):
        listed(root)


def test_a_run_reads_only_below_what_the_machine_allows(root: Path, sounds: list[bytes], tmp_path: Path) -> None:
    put(root / "in" / "a.mp3", sounds[0])
    secret = put(tmp_path / "secret" / "b.mp3", sounds[1])
    (root / "in" / "out").symlink_to(secret.parent, target_is_directory=True)
    options = SourceOptions(folders=(root / "in",))
    assert titles(list_source((root / "in").as_uri(), options)) == ["a"]
    assert titles(list_source((root / "in" / "a.mp3").as_uri(), options)) == ["a"]
    for place in (secret, secret.parent, root, Path("/etc"), root / "in" / ".." / ".." / "secret", root / "in" / "out"):
        with pytest.raises(AddressRefused, match=r"sources\.folders"):
            list_source(f"file://{place}", options)
    with pytest.raises(AddressRefused):
        list_source((root / "in").as_uri(), SourceOptions())
    with pytest.raises(ChannelscribeError):
        list_source("file://other-machine/in", options)


def test_what_the_command_line_names_may_be_read(
    root: Path, sounds: list[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    put(root / "a.mp3", sounds[0])
    monkeypatch.chdir(root.parent)
    assert expand(["./the interviews", "https://a.example/f", "the interviews/"]) == [
        root.as_uri(),
        "https://a.example/f",
    ]
    assert titles(list_source(root.as_uri(), SourceOptions())) == ["a"]
    with pytest.raises(AddressRefused):
        list_source(root.parent.as_uri(), SourceOptions())
    with pytest.raises(UsageError, match="no folder or file"):
        expand(["./nowhere"])


def test_one_file_is_a_source(root: Path, sounds: list[bytes]) -> None:
    path = put(root / "a.mp3", sounds[0])
    found = list_source(path.as_uri(), SourceOptions(folders=(root,)))
    assert (found.kind, found.title, len(found.videos)) == ("video", "a", 1)
    put(root / "b.mp3", b"no sound in it")
    with pytest.raises(ChannelscribeError, match="no audio or video"):
        list_source((root / "b.mp3").as_uri(), SourceOptions(folders=(root,)))


def test_a_copy_is_made_of_the_listed_bytes_and_of_no_others(root: Path, sounds: list[bytes], tmp_path: Path) -> None:
    path = put(root / "Ein Gespräch.mp3", sounds[0])
    (video,) = listed(root).videos
    seen: list[float | None] = []
    got = download(video.url, tmp_path / "to", video.video_id, SourceOptions(), lambda share, _: seen.append(share))
    assert got.path.read_bytes() == sounds[0] and got.path.name == f"{video.video_id}.mp3"
    assert (got.format_id, seen[-1]) == ("file", 1.0)
    odd = put(root / "no. ending, but two dots.", sounds[0])
    assert download(odd.as_uri(), tmp_path / "to1", video.video_id, SourceOptions()).extension == "bin"
    path.write_bytes(sounds[1])
    with pytest.raises(SourceUnreachable, match="has changed since it was listed"):
        download(video.url, tmp_path / "to2", video.video_id, SourceOptions())
    assert list((tmp_path / "to2").iterdir()) == []
    path.unlink()
    path.symlink_to(put(tmp_path / "elsewhere.mp3", sounds[0]))
    for _ in range(2):
        with pytest.raises(SourceNotFound, match="next sync"):
            download(video.url, tmp_path / "to3", video.video_id, SourceOptions())
        path.unlink(missing_ok=True)


def test_the_clock_is_the_files(root: Path, sounds: list[bytes], naps: list[float]) -> None:
    """A file from a machine whose clock is ahead is not waited for over and over."""
    path = put(root / "a.mp3", sounds[0])
    os.utime(path, (time.time() + 3600, time.time() + 3600))
    assert titles(listed(root)) == ["a"]
    assert naps == []
