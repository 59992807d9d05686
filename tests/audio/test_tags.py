"""What players see: read back by PyAV (libavformat's own parser) and frame by frame."""

from __future__ import annotations

import subprocess
from pathlib import Path

import av
import pytest

from channelscribe.audio.ffmpeg import ffmpeg_path
from channelscribe.audio.prepare import prepare
from channelscribe.audio.tags import id3_frames, printable_tags
from channelscribe.settings.audio import AudioOptions
from tests.audio.conftest import Encode

ENCODING_ONLY = AudioOptions(steps=("convert",))
URL = "https://example.org/watch?v=a&t=1#ä b"
TAGS = {"title": "Ebbe & Flut ✓ 🌊", "artist": "Der Kanal", "date": "2023-01-02", "url": URL}


def frames_of(path: Path) -> dict[str, bytes]:
    """The frames of the ID3v2.3 tag, by https://id3.org/id3v2.3.0."""
    data = path.read_bytes()
    assert data[:5] == b"ID3\x03\x00"
    size = sum(byte << shift for byte, shift in zip(data[6:10], (21, 14, 7, 0), strict=True))
    found, at = {}, 10
    while at < 10 + size and data[at]:
        length = int.from_bytes(data[at + 4 : at + 8], "big")
        found[data[at : at + 4].decode()] = data[at + 10 : at + 10 + length]
        at += 10 + length
    assert data[10 + size : 10 + size + 2][0] == 0xFF, "sound follows the tag"
    return found


@pytest.fixture
def thumbnail(encode: Encode) -> Path:
    return encode("cover.png", "-f", "lavfi", "-i", "testsrc=size=1920x1080", "-frames:v", "1")


@pytest.mark.usefixtures("each_ffmpeg")
def test_an_mp3_shows_title_channel_date_address_and_cover(original: Path, tmp_path: Path, thumbnail: Path) -> None:
    made = prepare(original, tmp_path / "out", ENCODING_ONLY, TAGS, cover=thumbnail)
    with av.open(str(made.archive)) as archive:
        read = {name.lower(): value for name, value in archive.metadata.items()}
        picture = archive.streams.video[0]
        assert (picture.width, picture.codec_context.name) == (1000, "mjpeg")
        assert [frame.width for frame in archive.decode(video=0)] == [1000]
    assert read.items() >= {"title": TAGS["title"], "artist": "Der Kanal", "date": "2023-01-02", "comment": URL}.items()
    frames = frames_of(made.archive)
    assert set(frames) == {"TIT2", "TPE1", "TYER", "TDAT", "COMM", "WOAS", "APIC"}
    assert frames["TIT2"] == b"\x01" + "\ufeffEbbe & Flut ✓ 🌊".encode("utf-16-le")
    assert frames["WOAS"] == b"https://example.org/watch?v=a&t=1#%C3%A4%20b"
    assert frames["APIC"].startswith(b"\x00image/jpeg\x00\x03\x00\xff\xd8\xff")
    assert made.seconds == 10.0 and list((tmp_path / "out").glob(".*")) == []


@pytest.mark.slow
@pytest.mark.parametrize("format", ["opus", "flac", "wav"])
def test_the_other_formats_carry_the_words(original: Path, tmp_path: Path, format: str) -> None:
    options = AudioOptions.model_validate({"steps": ["convert"], "convert": {"format": format}})
    made = prepare(original, tmp_path, options, TAGS)
    with av.open(str(made.archive)) as archive:
        read = {name.lower(): value for name, value in archive.metadata.items()}
        read |= {name.lower(): value for name, value in archive.streams.audio[0].metadata.items()}
    assert (read["title"], read["artist"], read["comment"]) == (TAGS["title"], TAGS["artist"], URL)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["jpg", "webp", "png"])
def test_covers_of_each_kind(original: Path, tmp_path: Path, encode: Encode, kind: str) -> None:
    image = encode(f"cover.{kind}", "-f", "lavfi", "-i", "testsrc=size=640x360", "-frames:v", "1")
    made = prepare(original, tmp_path / "out", ENCODING_ONLY, {}, cover=image)
    assert b"\xff\xd8\xff" in frames_of(made.archive)["APIC"]


@pytest.mark.slow
def test_a_bad_cover_costs_only_itself(original: Path, tmp_path: Path, thumbnail: Path) -> None:
    (tmp_path / "list.jpg").write_text(f"ffconcat version 1.0\nfile '{thumbnail}'\n")
    (tmp_path / "cut.png").write_bytes(thumbnail.read_bytes()[:60])
    (tmp_path / "noise.jpg").write_bytes(b"\xff\xd8\xff" + bytes(range(256)) * 30)
    (tmp_path / "empty.jpg").write_bytes(b"")
    bomb = tmp_path / "bomb.png"
    size = (60_000).to_bytes(4, "big")
    bomb.write_bytes(thumbnail.read_bytes()[:16] + size + size + thumbnail.read_bytes()[24:])
    for name in ("list.jpg", "cut.png", "noise.jpg", "empty.jpg", "bomb.png", "none.jpg"):
        made = prepare(original, tmp_path / "out", ENCODING_ONLY, {"title": "x"}, cover=tmp_path / name)
        assert set(frames_of(made.archive)) == {"TIT2"}, name


def test_a_variable_bit_rate_mp3_has_tags_and_its_true_length(original: Path, tmp_path: Path) -> None:
    options = AudioOptions.model_validate({"steps": ["convert"], "convert": {"vbr_quality": 5, "channels": "mono"}})
    made = prepare(original, tmp_path, options, TAGS)
    assert frames_of(made.archive)["TPE1"].endswith("Kanal".encode("utf-16-le"))
    with av.open(str(made.archive)) as archive:
        assert archive.streams.audio[0].channels == 1
        assert archive.duration is not None and archive.duration / av.time_base == pytest.approx(10, abs=0.1)


def test_tags_of_strangers_stay_data() -> None:
    kept = printable_tags({"title": "a\x00b\x1bc\nd", "artist": "", "comment": "x" * 9000})
    assert kept == {"title": "abc\nd", "comment": "x" * 4000}
    with pytest.raises(KeyError):
        printable_tags({"encoder": "x"})
    assert b"TYER" not in id3_frames({"date": "soon"}, None)
    assert id3_frames({"date": "2023"}, None)[:4] == b"TYER" and b"TDAT" not in id3_frames({"date": "2023"}, None)


def test_nothing_of_the_sources_own_tags_is_kept(original: Path, tmp_path: Path, encode: Encode) -> None:
    source = encode("x.mp3", "-i", original, "-metadata", "title=theirs", "-metadata", "lyrics=theirs")
    made = prepare(source, tmp_path / "out", ENCODING_ONLY, {"artist": "ours"})
    assert b"theirs" not in made.archive.read_bytes() and set(frames_of(made.archive)) == {"TPE1"}
    played = subprocess.run([ffmpeg_path(), "-v", "error", "-i", made.archive, "-f", "null", "-"], capture_output=True)
    assert (played.returncode, played.stderr) == (0, b"")
