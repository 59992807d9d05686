from __future__ import annotations

import subprocess
from pathlib import Path

import av
import numpy as np
import pytest
import soundfile  # type: ignore[import-untyped]
from scipy.signal import lfilter

from channelscribe.audio.ffmpeg import ffmpeg_path
from channelscribe.audio.prepare import prepare, prepare_key
from channelscribe.audio.speech_track import SAMPLE_RATE, read_speech
from channelscribe.errors import ChannelscribeError, CorruptMedia, EmptyMedia, NoAudioTrack, TruncatedMedia
from channelscribe.files import sha256_file
from channelscribe.settings.audio import AudioOptions, ConvertOptions, NormalizeOptions
from tests.audio.conftest import RATE, Encode, speech_like

CODECS = {
    "wav": [],
    "mp3": ["-b:a", "128k"],
    "m4a": ["-c:a", "aac", "-b:a", "128k"],
    "opus": ["-c:a", "libopus"],
    "webm": ["-c:a", "libopus"],
    "ogg": ["-c:a", "libvorbis"],
    "mkv": ["-c:a", "flac"],
    "flac": [],
}


def lufs(path: Path) -> float:
    """Integrated loudness by an independent meter: ITU-R BS.1770-4 in numpy, at 48 kHz."""
    command: list[str | Path] = [ffmpeg_path(), "-v", "error", "-nostdin", "-i", path]
    raw = subprocess.run([*command, "-f", "f64le", "-ar", "48000", "-ac", "1", "-"], capture_output=True, check=True)
    shelf = [1.53512485958697, -2.69169618940638, 1.19839281085285], [1, -1.69065929318241, 0.73248077421585]
    highpass = [1.0, -2.0, 1.0], [1, -1.99004745483398, 0.99007225036621]
    weighted = lfilter(*highpass, lfilter(*shelf, np.frombuffer(raw.stdout)))
    starts = range(0, len(weighted) - 19_200, 4_800)
    power = np.array([np.mean(weighted[start : start + 19_200] ** 2) for start in starts])
    level = -0.691 + 10 * np.log10(power + 1e-12)
    relative = -0.691 + 10 * np.log10(power[level > -70].mean()) - 10
    return float(-0.691 + 10 * np.log10(power[(level > -70) & (level > relative)].mean()))


def shift_seconds(original: Path, speech: Path) -> float:
    """By how much the speech track lags behind the original, from the peak of their cross-correlation."""
    known, _ = soundfile.read(original, always_2d=True)
    reference = known.mean(axis=1)
    speech_16k = read_speech(speech)
    at = np.arange(len(reference)) / RATE * SAMPLE_RATE
    heard = np.interp(at, np.arange(len(speech_16k)), speech_16k)
    size = 2 * len(reference)
    spectrum = np.fft.rfft(heard, size) * np.conj(np.fft.rfft(reference, size))
    lag = int(np.argmax(np.fft.irfft(spectrum, size)))
    return (lag if lag < len(reference) else lag - size) / RATE


@pytest.mark.slow
@pytest.mark.parametrize("extension", CODECS)
def test_times_stay_those_of_the_original(original: Path, encode: Encode, tmp_path: Path, extension: str) -> None:
    source = encode(f"x.{extension}", "-i", original, *CODECS[extension])
    made = prepare(source, tmp_path / "out", AudioOptions(steps=("convert",)), {}, announced_seconds=10)
    assert abs(shift_seconds(original, made.speech)) < 0.010
    assert made.seconds == pytest.approx(10, abs=0.1)
    assert made.seconds == len(read_speech(made.speech)) / SAMPLE_RATE
    assert made.loudness is None


def test_sound_that_starts_after_the_picture_stays_there(original: Path, encode: Encode, tmp_path: Path) -> None:
    picture = ["-f", "lavfi", "-i", "testsrc=size=64x64:rate=10:duration=11.5"]
    source = encode("late.mkv", *picture, "-itsoffset", "1.5", "-i", original, "-c:a", "flac")
    made = prepare(source, tmp_path / "out", AudioOptions(steps=("convert",)), {})
    assert shift_seconds(original, made.speech) == pytest.approx(1.5, abs=0.010)
    assert made.seconds == pytest.approx(11.5, abs=0.1)


@pytest.mark.slow
def test_the_archive(original: Path, tmp_path: Path) -> None:
    seen: list[float] = []
    tags = {"title": "Ebbe ✓ \x00=;'", "artist": "The Channel", "date": "2023-01-02", "comment": "https://x.org/1"}
    made = prepare(original, tmp_path / "out", AudioOptions(), tags, progress=seen.append)
    assert {each.name for each in (tmp_path / "out").iterdir()} == {"original.archive.mp3", "original.speech.flac"}
    with av.open(str(made.archive)) as archive:
        read = {name.lower(): value for name, value in archive.metadata.items()}
        assert archive.bit_rate == pytest.approx(96_000, rel=0.05)
        assert archive.streams.audio[0].rate == RATE
    assert read == {**tags, "title": "Ebbe ✓ =;'"}
    assert seen == sorted(seen) and seen[0] >= 0 and seen[-1] == pytest.approx(1, abs=0.02)
    assert made.source_sha256 == sha256_file(original) and made.speech_sha256 == sha256_file(made.speech)
    again = prepare(original, tmp_path / "again", AudioOptions(), tags)
    assert again.archive.read_bytes() == made.archive.read_bytes()
    assert again.speech_sha256 == made.speech_sha256


@pytest.mark.slow
@pytest.mark.usefixtures("each_ffmpeg")
@pytest.mark.parametrize(("peak", "target"), [(0.02, -23.0), (0.1, -16.0), (0.9, -16.0), (0.9, -30.0)])
def test_the_archives_loudness(tmp_path: Path, peak: float, target: float) -> None:
    source = tmp_path / "x.wav"
    soundfile.write(source, speech_like(20, peak=peak), RATE)
    made = prepare(source, tmp_path / "out", AudioOptions(normalize=NormalizeOptions(target_lufs=target)), {})
    assert made.loudness is not None
    assert made.loudness["before"]["integrated"] == pytest.approx(lufs(source), abs=0.1)
    assert made.loudness["after"]["integrated"] == pytest.approx(target, abs=0.5)
    assert lufs(made.archive) == pytest.approx(target, abs=0.5)
    assert made.loudness["after"]["true_peak"] <= NormalizeOptions().true_peak_db + 0.3


@pytest.mark.slow
def test_the_speech_track_is_not_normalized(original: Path, tmp_path: Path) -> None:
    loud = prepare(original, tmp_path / "loud", AudioOptions(normalize=NormalizeOptions(target_lufs=-10)), {})
    plain = prepare(original, tmp_path / "plain", AudioOptions(steps=("convert",)), {})
    assert loud.speech_sha256 == plain.speech_sha256 and loud.options_key != plain.options_key
    assert np.abs(read_speech(loud.speech)).max() == pytest.approx(0.09, abs=0.01)


@pytest.mark.slow
@pytest.mark.parametrize("level", [0.0, 1e-5])
def test_silence_is_not_amplified(tmp_path: Path, level: float) -> None:
    soundfile.write(tmp_path / "x.wav", np.full(RATE * 5, level) * speech_like(5, peak=1), RATE)
    made = prepare(tmp_path / "x.wav", tmp_path / "out", AudioOptions(), {})
    assert made.loudness is None and made.seconds == 5.0
    with av.open(str(made.archive)) as archive:
        assert max(float(np.abs(frame.to_ndarray()).max()) for frame in archive.decode(audio=0)) < 1e-3


@pytest.mark.slow
@pytest.mark.usefixtures("each_ffmpeg")
def test_eight_channels_at_192_khz(tmp_path: Path) -> None:
    sound = speech_like(3, rate=192_000)
    soundfile.write(tmp_path / "x.wav", np.stack([sound] * 8, axis=1), 192_000, subtype="PCM_24")
    made = prepare(tmp_path / "x.wav", tmp_path / "out", AudioOptions(), {})
    with av.open(str(made.archive)) as archive:
        assert (archive.streams.audio[0].rate, archive.streams.audio[0].channels) == (48_000, 2)
    assert made.seconds == 3.0 and np.abs(read_speech(made.speech)).max() > 0.02


@pytest.mark.slow
@pytest.mark.parametrize("rate", [8_000, 22_050])
def test_low_rates(tmp_path: Path, rate: int) -> None:
    soundfile.write(tmp_path / "x.wav", speech_like(3, rate=rate), rate)
    made = prepare(tmp_path / "x.wav", tmp_path / "out", AudioOptions(convert=ConvertOptions(bitrate_kbps=320)), {})
    assert made.seconds == 3.0


def fails(source: Path, tmp_path: Path, announced: float | None = None) -> ChannelscribeError:
    with pytest.raises(ChannelscribeError) as caught:
        prepare(source, tmp_path / "out", AudioOptions(), {}, announced)
    assert not (tmp_path / "out").exists() or list((tmp_path / "out").iterdir()) == []
    assert "\n" not in str(caught.value)
    return caught.value


def test_files_that_are_no_audio(encode: Encode, tmp_path: Path) -> None:
    silent = encode("silent.mp4", "-f", "lavfi", "-i", "testsrc=size=64x64:rate=10:duration=1")
    assert type(fails(silent, tmp_path)) is NoAudioTrack
    for content, error in ((b"", EmptyMedia), (b"\x00" * 5000, CorruptMedia), (bytes(range(256)) * 40, CorruptMedia)):
        (tmp_path / "x.mp3").write_bytes(content)
        assert type(fails(tmp_path / "x.mp3", tmp_path)) is error
    (tmp_path / "x.mp3").write_bytes(np.random.default_rng(3).bytes(100_000))
    assert type(fails(tmp_path / "x.mp3", tmp_path)) is CorruptMedia


@pytest.mark.slow
@pytest.mark.parametrize("extension", ["mp3", "m4a", "webm", "mkv", "flac"])
def test_half_a_file_is_never_taken_for_a_whole(original: Path, encode: Encode, tmp_path: Path, extension: str) -> None:
    whole = encode(f"x.{extension}", "-i", original, *CODECS[extension])
    whole.write_bytes(whole.read_bytes()[: whole.stat().st_size // 2])
    assert type(fails(whole, tmp_path)) in (TruncatedMedia, CorruptMedia)


@pytest.mark.slow
def test_fewer_seconds_than_announced(original: Path, tmp_path: Path) -> None:
    failure = fails(original, tmp_path, announced=12.5)
    assert type(failure) is TruncatedMedia and "12.5" in failure.message
    assert prepare(original, tmp_path / "ok", AudioOptions(), {}, announced_seconds=11.9).seconds == 10.0


def test_a_persons_own_half_file_is_taken_and_told(original: Path, encode: Encode, tmp_path: Path) -> None:
    whole = encode("x.mp3", "-i", original, *CODECS["mp3"])
    whole.write_bytes(whole.read_bytes()[: whole.stat().st_size // 2])
    made = prepare(whole, tmp_path / "out", AudioOptions(), {}, partial=True)
    assert 4 < made.seconds < 6
    assert made.note and "its header tells 10." in made.note


@pytest.mark.parametrize("extension", ["mp4", "mkv"])
def test_sound_that_ends_before_the_picture_is_whole(
    original: Path, encode: Encode, tmp_path: Path, extension: str
) -> None:
    picture = ["-f", "lavfi", "-i", "testsrc=size=64x64:rate=10:duration=25"]
    film = encode(f"x.{extension}", *picture, "-i", original, "-c:v", "mpeg4", "-c:a", "aac")
    made = prepare(film, tmp_path / "out", AudioOptions(), {}, announced_seconds=25.0)
    assert made.seconds == pytest.approx(10.0, abs=0.2)
    assert made.note is None
    assert type(fails(film, tmp_path / "more", announced=40.0)) is TruncatedMedia


def test_a_track_without_a_sample_is_empty(encode: Encode, tmp_path: Path) -> None:
    silent = encode("x.wav", "-f", "lavfi", "-i", "anullsrc=r=44100:cl=stereo", "-t", "0.1", "-bitexact")
    head = silent.read_bytes()
    silent.write_bytes(head[: head.index(b"data") + 4] + bytes(4))
    assert type(fails(silent, tmp_path)) is EmptyMedia


def test_a_channel_upside_down_does_not_silence_the_other(original: Path, encode: Encode, tmp_path: Path) -> None:
    upside_down = encode("x.wav", "-i", original, "-af", "pan=stereo|c0=0.5*c0|c1=-0.5*c0")
    made = prepare(upside_down, tmp_path / "out", AudioOptions(), {})
    plain = prepare(
        encode("y.wav", "-i", original, "-af", "pan=stereo|c0=c0|c1=c0"), tmp_path / "plain", AudioOptions(), {}
    )
    heard, expected = (soundfile.read(each.speech)[0] for each in (made, plain))
    assert np.sqrt(np.mean(heard**2)) > np.sqrt(np.mean(expected**2)) / 4


@pytest.mark.slow
def test_a_broken_stretch_in_the_middle_costs_only_itself(original: Path, encode: Encode, tmp_path: Path) -> None:
    source = encode("x.mp3", "-i", original, *CODECS["mp3"])
    data = bytearray(source.read_bytes())
    middle = len(data) // 2
    data[middle : middle + 2000] = np.random.default_rng(3).bytes(2000)
    source.write_bytes(data)
    assert prepare(source, tmp_path / "out", AudioOptions(), {}).seconds == pytest.approx(10, abs=0.5)


def test_what_progress_raises_ends_the_work(original: Path, tmp_path: Path) -> None:
    def stop(_: float) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        prepare(original, tmp_path / "out", AudioOptions(), {}, progress=stop)
    assert list((tmp_path / "out").iterdir()) == []


def test_the_key_knows_what_changes_the_files() -> None:
    assert prepare_key(AudioOptions()) == prepare_key(AudioOptions(time_limit_factor=9))
    assert prepare_key(AudioOptions()) != prepare_key(AudioOptions(convert=ConvertOptions(bitrate_kbps=64)))


def music(seconds: float, peak: float) -> np.ndarray:
    """Chords with a drum and a kick twice a second: dense, and with peaks far above its loudness."""
    random, times = np.random.default_rng(1), np.arange(int(seconds * RATE)) / RATE
    chords = sum(
        np.sin(2 * np.pi * tone * times + random.uniform(0, 6)) for tone in (110, 220, 277, 330, 440, 554, 660)
    )
    beat = (times * 2) % 1
    drum = 8 * np.exp(-beat * 25) * random.standard_normal(len(times))
    kick = 10 * np.exp(-beat * 12) * np.sin(2 * np.pi * 60 * times)
    sound = chords * (0.5 + 0.5 * np.sin(2 * np.pi * 0.2 * times)) + drum + kick
    return np.asarray(sound / np.abs(sound).max() * peak, dtype=np.float32)


@pytest.mark.slow
@pytest.mark.usefixtures("each_ffmpeg")
@pytest.mark.parametrize("kind", ["quiet music", "loud music", "a whisper", "hiss"])
def test_loudness_of_music_and_near_silence(tmp_path: Path, kind: str) -> None:
    """Near-silence is what has a loudness above -70 LUFS, the gate of BS.1770; below it nothing is amplified."""
    sound = {
        "quiet music": lambda: music(12, 0.05),
        "loud music": lambda: music(12, 0.99),
        "a whisper": lambda: speech_like(12, peak=0.002),
        "hiss": lambda: np.random.default_rng(0).standard_normal(RATE * 8) * 3e-4,
    }[kind]()
    soundfile.write(tmp_path / "x.wav", sound, RATE, subtype="FLOAT")
    made = prepare(tmp_path / "x.wav", tmp_path / "out", AudioOptions(), {})
    assert made.loudness is not None
    if kind in {"a whisper", "hiss"}:
        assert -70 < made.loudness["before"]["integrated"] < -60
    assert made.loudness["after"]["integrated"] == pytest.approx(-16, abs=0.5)
    assert lufs(made.archive) == pytest.approx(-16, abs=0.5)
    assert made.loudness["after"]["true_peak"] <= NormalizeOptions().true_peak_db + 0.3
    with av.open(str(made.archive)) as archive:  # decoded to float: what a player would have to clip
        assert max(float(np.abs(frame.to_ndarray()).max()) for frame in archive.decode(audio=0)) < 1


@pytest.mark.slow
def test_progress_never_goes_back_while_the_gain_is_set_again(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "x.wav", music(12, 0.99), RATE, subtype="FLOAT")
    seen: list[float] = []
    prepare(tmp_path / "x.wav", tmp_path / "out", AudioOptions(), {}, progress=seen.append)
    assert seen == sorted(seen) and seen[-1] == 1
