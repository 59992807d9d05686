"""Tags that players read, in each container that a site or a feed gives; the sound stays as it was."""

from __future__ import annotations

import io
import subprocess
from pathlib import Path
from typing import Any

import av
import mutagen
import numpy as np
import pytest
import soundfile  # type: ignore[import-untyped]
from mutagen import id3

from channelscribe.audio.cover import cover_jpeg
from channelscribe.audio.ffmpeg import ffmpeg_path
from channelscribe.audio.probe import chapters_in, probe
from channelscribe.audio.tags import tag_file
from tests.audio.conftest import Encode

TAGS = {"title": "Ä title\x00 with\u202e", "artist": "Ünal", "album": "The Show", "date": "2024-03-02", "season": "2",
        "episode": "15", "url": "https://a.example/1"}  # fmt: skip
CODECS = {"mp3": "libmp3lame", "m4a": "aac", "ogg": "libvorbis", "opus": "libopus", "flac": "flac", "webm": "libopus",
          "mka": "flac", "wav": "pcm_s16le"}  # fmt: skip


@pytest.fixture(scope="session")
def jpeg(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    folder = tmp_path_factory.mktemp("cover")
    command = [ffmpeg_path(), "-v", "error", "-f", "lavfi", "-i", "color=red:size=64x64", "-frames:v", "1"]
    subprocess.run([*command, str(folder / "a.png")], check=True)
    made = cover_jpeg(folder / "a.png", folder)
    assert made
    return made


def samples(path: Path) -> int:
    with av.open(str(path)) as container:
        return sum(frame.samples for frame in container.decode(audio=0))


@pytest.mark.parametrize("ending", CODECS)
def test_each_container_has_its_tags(ending: str, encode: Encode, original: Path, jpeg: bytes) -> None:
    path = encode(f"a.{ending}", "-i", original, "-t", "2", "-c:a", CODECS[ending])
    before = samples(path)
    assert tag_file(path, TAGS, jpeg)
    assert tag_file(path, {"artist": "", "title": "Ä title with"}, jpeg)
    assert samples(path) == before
    found = dict(probe(path).tags)
    with av.open(str(path)) as container:  # ogg and opus have them on the stream
        found |= {name.lower(): value for name, value in container.streams.audio[0].metadata.items()}
        pictures = [stream for stream in container.streams if stream.type == "video"]
    assert (found["title"], found["artist"], found["album"]) == ("Ä title with", "Ünal", "The Show")
    assert found["date"].startswith("2024-03-02")
    assert len(pictures) == (0 if ending in ("webm", "mka") else 1)
    assert [each.name for each in path.parent.iterdir() if each.name.startswith(".")] == []


def test_season_and_episode_have_their_places(encode: Encode, original: Path) -> None:
    mp4: Any = encode("a.m4a", "-i", original, "-t", "1", "-c:a", "aac")
    mp3: Any = encode("a.mp3", "-i", original, "-t", "1")
    for path in (mp4, mp3):
        tag_file(path, TAGS)
    read: Any = mutagen.File(mp4)  # type: ignore[attr-defined]
    assert (read["tvsn"], read["tves"]) == ([2], [15])
    read = mutagen.File(mp3)  # type: ignore[attr-defined]
    assert [read[name].text for name in ("TPOS", "TRCK")] == [["2"], ["15"]]
    assert read["WOAS"].url == "https://a.example/1"


def test_a_cover_that_is_there_stays(encode: Encode, original: Path, jpeg: bytes) -> None:
    path = encode("a.mp3", "-i", original, "-t", "1")
    tag_file(path, {}, jpeg)
    tag_file(path, {}, b"another")
    read: Any = mutagen.File(path)  # type: ignore[attr-defined]
    assert [each.data for each in read.tags.getall("APIC")] == [jpeg]


@pytest.mark.parametrize("name", ["a.mp3", "a.m4a", "a.ogg", "a.webm", "a.bin"])
def test_what_can_have_none_stays_as_it_is(name: str, tmp_path: Path) -> None:
    path = tmp_path / name
    path.write_bytes(b"\xff\xfb" + bytes(range(256)) * 10)
    before = path.read_bytes()
    tag_file(path, TAGS)
    if name != "a.mp3":
        assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_a_raw_wave_without_a_tag_gets_one(tmp_path: Path) -> None:
    file = io.BytesIO()
    soundfile.write(file, np.zeros(16000, dtype=np.float32), 16000, format="WAV")
    path = tmp_path / "a.wav"
    path.write_bytes(file.getvalue())
    assert tag_file(path, TAGS)


def test_the_chapters_of_an_mp3_are_read(encode: Encode, original: Path) -> None:
    """ID3's CHAP frames, as podcasts have them: https://id3.org/id3v2-chapters-1.0"""
    path = encode("a.mp3", "-i", original, "-t", "4")
    assert chapters_in(path) == ()
    tags: Any = mutagen.File(path)  # type: ignore[attr-defined]
    for number, (start, title) in enumerate([(0, "Opening"), (1500, "Ä second")]):
        frames: Any = id3
        chapter = frames.CHAP(
            element_id=f"c{number}", start_time=start, end_time=start + 1500, start_offset=0xFFFFFFFF,
            end_offset=0xFFFFFFFF, sub_frames=[frames.TIT2(encoding=3, text=[title])],
        )  # fmt: skip
        tags.tags.add(chapter)
    tags.save()
    assert chapters_in(path) == ((0.0, "Opening"), (1.5, "Ä second"))
    (path.parent / "text.mp3").write_bytes(b"no sound")
    assert chapters_in(path.parent / "text.mp3") == ()
