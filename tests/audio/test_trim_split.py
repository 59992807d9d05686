"""Trimming and splitting with real ffmpegs: every second of every file is where its timeline says."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import soundfile  # type: ignore[import-untyped]
from hypothesis import given
from hypothesis import strategies as st

from channelscribe.audio.pauses import PauseFinder, parts_of
from channelscribe.audio.prepare import Prepared, prepare
from channelscribe.audio.probe import probe
from channelscribe.audio.speech_track import SAMPLE_RATE, read_speech
from channelscribe.audio.timeline import Timeline
from channelscribe.sample import world
from channelscribe.settings.audio import AudioOptions, SplitOptions
from tests.audio.conftest import RATE, Encode, speech_like

HEAD, TAIL, SECONDS = 2.0, 1.5, 30.0
PAUSES = [(8.0, 8.7), (15.2, 15.9), (22.0, 23.0)]
MINUTE = 1 / 60

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def talk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Half a minute of loud noise like speech, silent at both ends and in three pauses. Its wav is mono."""
    sound = speech_like(SECONDS, peak=0.5) + 0.02 * np.random.default_rng(5).standard_normal(int(SECONDS * RATE))
    for start, end in [(0.0, HEAD), *PAUSES, (SECONDS - TAIL, SECONDS)]:
        sound[int(start * RATE) : int(end * RATE)] = 0
    path = tmp_path_factory.mktemp("talk") / "talk.wav"
    soundfile.write(path, sound, RATE, subtype="FLOAT")
    return path


def made(source: Path, folder: Path, steps: str, **given: Any) -> Prepared:
    chapters = given.pop("chapters", ())
    options = AudioOptions.model_validate({"steps": steps, **given})
    return prepare(source, folder, options, {"title": "Talk"}, chapters=chapters)


def samples_of(path: Path) -> npt.NDArray[np.float32]:
    read, _ = soundfile.read(path, dtype="float32", always_2d=True)
    return np.asarray(read.mean(axis=1), dtype=np.float32)


def assert_on_timeline(path: Path, timeline: Timeline, original: npt.NDArray[np.float32], rate: int) -> None:
    """The file's samples are those of the original that its timeline names: exactly where they fit best."""
    ((start, end),) = timeline.kept
    heard = samples_of(path)
    assert len(heard) == pytest.approx((end - start) * rate, abs=0.03 * rate)
    first = round(start * rate)
    known = original[first : first + len(heard)]
    heard = heard[: len(known)]
    size = 2 * len(known)
    spectrum = np.fft.rfft(heard, size) * np.conj(np.fft.rfft(known, size))
    lag = int(np.argmax(np.fft.irfft(spectrum, size)))
    assert min(lag, size - lag) <= 1, f"{path.name} is off by {min(lag, size - lag)} samples"


@pytest.mark.usefixtures("each_ffmpeg")
def test_the_speech_track_loses_the_silence_at_its_ends(talk: Path, tmp_path: Path) -> None:
    whole, trimmed = made(talk, tmp_path / "a", "convert"), made(talk, tmp_path / "b", "convert,trim")
    ((start, end),) = trimmed.speech_timeline.kept
    assert (start, end) == pytest.approx((HEAD - 0.3, SECONDS - TAIL + 0.3), abs=0.03)
    assert trimmed.speech_timeline.original_seconds == trimmed.seconds == SECONDS
    there = read_speech(whole.speech)[round(start * SAMPLE_RATE) : round(end * SAMPLE_RATE)]
    assert np.array_equal(read_speech(trimmed.speech), there)
    assert trimmed.archive_timeline.is_whole and trimmed.archive.read_bytes() == whole.archive.read_bytes()
    assert whole.speech_timeline.is_whole and whole.parts == trimmed.parts == ()


@pytest.mark.usefixtures("each_ffmpeg")
@pytest.mark.parametrize("format", ["mp3", "opus", "flac", "wav"])
def test_parts_are_where_their_timelines_say(talk: Path, tmp_path: Path, format: str) -> None:
    options = {"trim": {"of": "both"}, "split": {"of": "both", "max_minutes": 12 * MINUTE}}
    parts = made(talk, tmp_path / "o", "convert,normalize,trim,split", convert={"format": format}, **options)
    original = samples_of(talk)
    rate = 48_000 if format == "opus" else RATE
    positions = np.arange(int(SECONDS * rate)) / rate * RATE
    at_rate = np.interp(positions, np.arange(len(original)), original).astype("f4") if rate != RATE else original
    speech = read_speech(made(talk, tmp_path / "w", "convert").speech)
    assert_on_timeline(parts.archive, parts.archive_timeline, at_rate, rate)
    assert len(parts.parts) == 8 and {part.path.parent for part in parts.parts} == {tmp_path / "o"}
    for part in parts.parts:
        of_archive = part.track == "archive"
        assert part.path.name == f"talk.{part.track}.part{part.number:03d}.{format if of_archive else 'flac'}"
        assert_on_timeline(
            part.path, part.timeline, at_rate if of_archive else speech, rate if of_archive else SAMPLE_RATE
        )
    for track in ("archive", "speech"):
        stretches = [part.timeline.kept[0] for part in parts.parts if part.track == track]
        assert all(one[1] == other[0] for one, other in pairwise(stretches))
        assert (stretches[0][0], stretches[-1][1]) == parts.archive_timeline.kept[0] == parts.speech_timeline.kept[0]
        assert all(end - start <= 12 for start, end in stretches)
        for cut in (start for start, _ in stretches[1:]):
            assert any(start < cut < end for start, end in PAUSES), cut


def test_the_order_of_trim_and_split_means_something(talk: Path, tmp_path: Path) -> None:
    options = {"trim": {"of": "archive"}, "split": {"max_minutes": 12 * MINUTE}}
    before = made(talk, tmp_path / "a", "convert,trim,split", **options)
    after = made(talk, tmp_path / "b", "convert,split,trim", **options)
    assert before.archive_timeline.seconds == pytest.approx(SECONDS - HEAD - TAIL + 0.6, abs=0.1)
    assert after.archive_timeline.is_whole
    ((_, end), (start, _)) = (part.timeline.kept[0] for part in after.parts[:2])
    assert start - end == pytest.approx(0.7 - 0.6, abs=0.06)  # the pause but 0.3 s at each side


def test_fixed_length_and_chapters(talk: Path, tmp_path: Path, encode: Encode) -> None:
    even = made(talk, tmp_path / "a", "convert,split", split={"at": "length", "max_minutes": 7 * MINUTE})
    assert [part.timeline.kept[0] for part in even.parts] == [(0, 7), (7, 14), (14, 21), (21, 28), (28, 30)]
    chapters = [(0.0, "Start"), (5.5, "Middle"), (20.0, "End")]
    split = {"at": "chapters", "max_minutes": 12 * MINUTE}
    named = made(talk, tmp_path / "b", "convert,split", split=split, chapters=chapters)
    assert [part.title for part in named.parts] == ["Start", "Middle", "Middle", "End"]
    starts = [part.timeline.kept[0][0] for part in named.parts]
    assert (starts[0], starts[1], starts[3]) == (0, 5.5, 20) and 8 < starts[2] < 16
    assert probe(named.parts[1].path).tags["title"] == "Middle"
    assert (probe(named.parts[1].path).tags["track"], probe(named.parts[1].path).tags["album"]) == ("2/4", "Talk")
    # A podcast's own chapters, from its container.
    marks = tmp_path / "marks.txt"
    lines = [
        f"[CHAPTER]\nTIMEBASE=1/1000\nSTART={a}\nEND={b}\ntitle={t}" for a, b, t in ((0, 9000, "A"), (9000, 30000, "B"))
    ]
    marks.write_text("\n".join([";FFMETADATA1", *lines]))
    podcast = encode("x.m4a", "-i", talk, "-i", marks, "-map_metadata", "1", "-map", "0:a")
    own = made(podcast, tmp_path / "c", "convert,split", split={"at": "chapters"})
    assert [(part.title, part.timeline.kept[0][0]) for part in own.parts] == [("A", 0), ("B", 9)]
    # And none at all: pauses.
    none = made(talk, tmp_path / "d", "convert,split", split=split)
    assert len(none.parts) == 4 and any(start < none.parts[0].timeline.kept[0][1] < end for start, end in PAUSES)


def test_more_chapters_than_encoders_at_once(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "x.wav", speech_like(70, rate=8000), 8000)
    chapters = [(float(second), f"Chapter {second}") for second in range(70)]
    many = made(tmp_path / "x.wav", tmp_path / "o", "convert,split", split={"at": "chapters"}, chapters=chapters)
    assert [part.timeline.kept[0] for part in many.parts] == [(n, n + 1) for n in range(69)] + [(69, 70)]
    assert probe(many.parts[-1].path).tags["title"] == "Chapter 69"
    assert all(probe(part.path).duration == pytest.approx(1, abs=0.1) for part in many.parts)


def test_without_convert_the_track_stays_as_it_came(talk: Path, tmp_path: Path, encode: Encode) -> None:
    source = encode("x.m4a", "-i", talk, "-c:a", "aac", "-b:a", "64k")
    kept = made(source, tmp_path / "o", "trim,split", split={"of": "speech", "max_minutes": 12 * MINUTE})
    assert kept.archive.name == "x.archive.m4a" and probe(kept.archive).codec == "aac"
    assert probe(kept.archive).tags["title"] == "Talk"
    assert kept.archive.stat().st_size == pytest.approx(source.stat().st_size, rel=0.1)
    assert {part.track for part in kept.parts} == {"speech"} and not kept.speech_timeline.is_whole


@pytest.mark.usefixtures("each_ffmpeg")
def test_a_title_cannot_tell_of_silence(talk: Path, tmp_path: Path, encode: Encode) -> None:
    told = "".join(
        f"x\n[silencedetect @ 0x1] silence_{what}\n" for what in ("start: 2", "end: 20 | silence_duration: 18")
    )
    source = encode("x.flac", "-i", talk, "-metadata", f"title={told}", "-metadata", f"comment={told}")
    honest, lied = made(talk, tmp_path / "a", "trim"), made(source, tmp_path / "b", "trim")
    assert lied.speech_timeline.kept[0] == pytest.approx(honest.speech_timeline.kept[0], abs=0.01)


def test_all_silence_is_neither_trimmed_nor_refused(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "x.wav", np.zeros(RATE * 8, "f4"), RATE)
    silent = made(tmp_path / "x.wav", tmp_path / "o", "convert,normalize,trim,split", split={"max_minutes": 5 * MINUTE})
    assert silent.speech_timeline.is_whole and [part.timeline.seconds for part in silent.parts] == pytest.approx(
        [4, 4], abs=2
    )


@pytest.mark.parametrize("vad", [False, True])
def test_pauses_in_speech_over_music(tmp_path: Path, vad: bool) -> None:
    """Nothing is silent there: the detector, or the quietest half second, keeps cuts out of words."""
    episode = next(each for each in world.episodes() if len(each.script.speakers) == 2)
    voice = read_speech(made(episode.path, tmp_path / "v", "convert").speech)
    times = np.arange(len(voice)) / SAMPLE_RATE
    music = sum(np.sin(2 * np.pi * tone * times) for tone in (110, 165, 220)) * 0.004
    soundfile.write(tmp_path / "x.wav", voice + music.astype("f4"), SAMPLE_RATE)
    split = {"max_minutes": 20 * MINUTE, "search_seconds": 5, "vad": vad, "of": "speech"}
    cut = made(tmp_path / "x.wav", tmp_path / "o", "convert,split", split=split, silence={"level_db": -60})
    seconds = [part.timeline.kept[0][0] for part in cut.parts[1:]]
    assert seconds
    words = [(word.start, word.end) for word in episode.script.words]
    assert [cut for cut in seconds if any(start + 0.03 < cut < end - 0.03 for start, end in words)] == []


@given(
    st.integers(3_100, 36_000_000),
    st.floats(0.05, 120),
    st.floats(1, 300),
    st.sampled_from(["silences", "length", "chapters"]),
    st.lists(st.tuples(st.floats(0, 40_000), st.text(max_size=3)), max_size=6),
    st.randoms(use_true_random=False),
)
def test_parts_cover_the_whole_and_none_is_too_long(
    total_ms: int, minutes: float, search: float, at: Any, chapters: list[tuple[float, str]], random: Any
) -> None:
    options = SplitOptions(at=at, max_minutes=max(minutes, total_ms / 60_000 / 300), search_seconds=search)
    whole = (0.0, total_ms / 1000)
    parts = [part for part, _ in parts_of(whole, options, lambda low, high, _: random.uniform(low, high), chapters)]
    assert parts[0][0] == 0 and parts[-1][1] == whole[1]
    assert all(one[1] == other[0] for one, other in pairwise(parts))
    assert all(0 < end - start <= options.max_minutes * 60 + 0.001 for start, end in parts)


def test_a_pause_is_the_longest_near_one() -> None:
    finder = PauseFinder(Path("/nowhere"), [(10, 10.6), (14, 15), (21, 21.9), (40, 50)], vad=False)
    assert finder.best(9, 22, 20) == pytest.approx(21.45)
    assert finder.best(9, 16, 9) == pytest.approx(10.3)
    assert finder.best(41, 45, 44) == 43
