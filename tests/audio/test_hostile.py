"""Playlists under harmless names, which made ffmpeg read other files and addresses."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from channelscribe.audio.ffmpeg import ffmpeg_path, run_ffmpeg
from channelscribe.audio.prepare import prepare
from channelscribe.audio.probe import probe
from channelscribe.errors import CorruptMedia
from channelscribe.sample.server import SampleServer
from channelscribe.settings.audio import AudioOptions

BOM = "\ufeff"
HLS = "#EXTM3U\n#EXT-X-TARGETDURATION:10\n#EXTINF:10,\n{target}\n#EXT-X-ENDLIST\n"
DASH = (
    '<?xml version="1.0"?><MPD xmlns="urn:mpeg:dash:schema:mpd:2011" type="static" mediaPresentationDuration="PT10S">'
    '<Period><AdaptationSet mimeType="audio/mp4"><Representation id="1" bandwidth="1"><BaseURL>{target}</BaseURL>'
    "</Representation></AdaptationSet></Period></MPD>"
)
PLAYLISTS = {
    "hls": HLS,
    "hls after a BOM": BOM + HLS,
    "hls after blanks": "\n \n" + HLS,
    "ffconcat": "ffconcat version 1.0\nfile '{target}'\n",
    "concat script": "# a comment\nfile '{target}'\nduration 10\n",
    "dash": DASH,
    "sdp": "v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nm=audio 5004 RTP/AVP 0\n",
}
NAMES = ["x.mp3", "x.m3u8", "x.ffconcat", "x.mpd", "x.sdp", "http:x.mp3", "concat:a|b.mp3", "-i.mp3", "%03d.mp3"]


@pytest.mark.parametrize("kind", PLAYLISTS)
@pytest.mark.parametrize("local", [True, False])
def test_nothing_is_read_but_the_file(original: Path, tmp_path: Path, kind: str, local: bool) -> None:
    with SampleServer(items=[], extra={"/canary.wav": original.read_bytes()}) as site:
        target = str(original) if local else f"{site.url}/canary.wav"
        for name in NAMES:
            source = tmp_path / name
            source.write_text(PLAYLISTS[kind].format(target=target), encoding="utf-8")
            with pytest.raises(CorruptMedia):
                probe(source)
        with pytest.raises(CorruptMedia):
            prepare(source, tmp_path / "out", AudioOptions(), {})
        assert site.requests == []


@pytest.mark.slow
@pytest.mark.usefixtures("each_ffmpeg")
@pytest.mark.parametrize("kind", PLAYLISTS)
def test_ffmpeg_alone_refuses_them_too(original: Path, tmp_path: Path, kind: str) -> None:
    with SampleServer(items=[], extra={"/canary.wav": original.read_bytes()}) as site:
        for target in (str(original), f"{site.url}/canary.wav"):
            source = tmp_path / "x.mp3"
            source.write_text(PLAYLISTS[kind].format(target=target), encoding="utf-8")
            with pytest.raises(CorruptMedia):
                run_ffmpeg(source, ["-f", "wav", f"file:{tmp_path}/out.wav"], 20)
        assert site.requests == []
    assert not (tmp_path / "out.wav").exists() or (tmp_path / "out.wav").stat().st_size < 1000


def test_the_canary_sings_without_our_guards(original: Path, tmp_path: Path) -> None:
    source = tmp_path / "x.mp3"
    source.write_text(PLAYLISTS["ffconcat"].format(target=original.name))
    (tmp_path / original.name).write_bytes(original.read_bytes())
    subprocess.run([ffmpeg_path(), "-loglevel", "error", "-i", source, f"{tmp_path}/out.wav"], check=True)
    assert (tmp_path / "out.wav").stat().st_size > 100_000


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_strange_names_are_only_names(original: Path, tmp_path: Path, name: str) -> None:
    source = tmp_path / name
    source.write_bytes(original.read_bytes())
    assert probe(source).duration == pytest.approx(10)
    assert prepare(source, tmp_path / "out", AudioOptions(steps=("convert",)), {}).seconds == 10.0
