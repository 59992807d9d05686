"""The runs of ffmpeg over one source: at most two decodes, whatever the steps.

The first makes the speech track and, while it decodes, finds the loudness and the silences; where nothing of that is
needed first it makes the archive too. The second makes the archive with its gain, its cuts and its parts, after which a
short run hears the result. Everything streams: memory does not grow with the length.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from channelscribe.audio.encoding import (
    LEVELS,
    ON_TIMELINE,
    TO_SPEECH,
    archive_layout,
    archive_output,
    archive_rate,
    copied_output,
    copied_suffix,
    speech_output,
)
from channelscribe.audio.ffmpeg import run_ffmpeg
from channelscribe.audio.loudness import MEASUREMENT, Loudness, Shortfall, correction, read_loudness
from channelscribe.audio.plan import is_cut, needs_silences
from channelscribe.audio.probe import Probe
from channelscribe.audio.silences import SilenceLog, detector
from channelscribe.audio.space import expected_seconds, longest_seconds
from channelscribe.audio.tags import id3_frames, printable_tags, write_id3
from channelscribe.audio.timeline import Stretch
from channelscribe.errors import MediaTooLong
from channelscribe.settings.audio import AudioOptions

__all__ = ["ArchiveFile", "FractionCallback", "Passes"]

FractionCallback = Callable[[float], None]
Hear = Callable[[str], None] | None

_LEAST_SECONDS = 60.0  # of wall-clock time, for the shortest file
_FIRST_PASS_SHARE = 0.6  # of the progress; measured
_CHECKING_FROM = 0.95
_AT_ONCE = 64
_SILENCE, _QUIET = -200.0, -45.0  # decibels of full scale; speech that quiet is looked at twice
_CANCELLED = 20.0  # decibels that a sum is below its parts; mixing two voices takes no more than 6
_LEVEL = re.compile(r"^\[Parsed_astats_\d+ @ [^\]]*\] RMS level dB: (-?[\d.]+|-inf)\s*$", re.MULTILINE)
_TRIES = 4  # of the gain; speech takes one, dense music two or three


@dataclass(frozen=True, slots=True)
class ArchiveFile:
    """One file to encode: where to, which seconds of the original (None: all), its tags."""

    path: Path
    stretch: Stretch | None
    tags: Mapping[str, str]


class Passes:
    """One source on its way. `silences` and `measured` are there after `first`."""

    def __init__(
        self,
        source: Path,
        scratch: Path,
        options: AudioOptions,
        found: Probe,
        announced: float | None,
        progress: FractionCallback | None,
        cover: bytes | None = None,
    ) -> None:
        self.source, self.options, self.found, self.announced = source, options, found, announced
        self.copied = "convert" not in options.steps
        suffix = copied_suffix(found) if self.copied else options.convert.format
        self.archive, self.speech = scratch / f"archive.{suffix}", scratch / "speech.flac"
        self.silences = SilenceLog()
        self.measured: Loudness | None = None
        self._cover, self._progress = cover, progress
        self._expected, self._longest = expected_seconds(found, announced), longest_seconds(found, announced)

    @property
    def in_two(self) -> bool:
        """Whether something of the first pass decides the archive."""
        of_archive = is_cut("trim", "archive", self.options) or is_cut("split", "archive", self.options)
        return not self.copied and ("normalize" in self.options.steps or of_archive)

    def first(self, tags: Mapping[str, str]) -> None:
        """Decodes once: the speech track, what must be known of the sound, and the archive where that is enough."""
        log = self._decode(tags, "")
        if self.found.channels == 2 and _levels(log)[-1:] < [_QUIET]:
            channels = self._ffmpeg(self.source, ["-map", "0:a:0", "-af", LEVELS, "-f", "null", "-"], 1.0, 1.0)
            if (louder := _cancelled(_levels(channels), _levels(log))) is not None:
                log = self._decode(tags, f",pan=stereo|c0=c{louder}|c1=c{louder}")
        self.measured = read_loudness(log) if "normalize" in self.options.steps else None

    def _decode(self, tags: Mapping[str, str], channel: str) -> str:
        """The first run; `channel` is what comes before all else. Returns the end of ffmpeg's log."""
        hears = needs_silences(self.options)
        self.silences.clear()
        to_speech = f"{TO_SPEECH},{LEVELS}" if self.found.channels == 2 else TO_SPEECH
        branches = [f"{to_speech},{detector(self.options.silence)}" if hears else to_speech]
        outputs = speech_output("[b0]", self.speech)
        whole = ArchiveFile(self.archive, None, tags)
        if "normalize" in self.options.steps:
            branches.append(f"{archive_layout(self.found, self.options.convert)},{MEASUREMENT}")
            outputs += ["-map", "[b1]", "-f", "null", "-"]
        elif self.copied:
            outputs += copied_output(self.archive, self.found, printable_tags(tags))
        elif not self.in_two:
            branches.append(self._form())
            outputs += self._encoded("[b1]", whole)
        graph = _split(f"[0:a:0]{ON_TIMELINE}{channel}", branches)
        share = _FIRST_PASS_SHARE if self.in_two else 1.0
        hear = self.silences.hear if hears else None
        log = self._ffmpeg(self.source, ["-filter_complex", graph, *outputs], 0.0, share, hear)
        if not self.in_two and not self.copied:
            self._tag(whole)
        return log

    def second(self, files: Sequence[ArchiveFile]) -> Loudness | None:
        """Decodes again for the archive and its parts. Returns the loudness of the first of `files` as it is now.

        What the limiter and the codec take is estimated beforehand; where the estimate was off, the gain is set again.
        """
        shortfall = Shortfall()
        after: Loudness | None = None
        for attempt in range(_TRIES):
            begin, end = (_FIRST_PASS_SHARE, _CHECKING_FROM) if attempt == 0 else (1.0, 1.0)
            self._encode(files, shortfall, begin, end)
            if self.measured is None:
                break
            check = ["-af", MEASUREMENT, "-f", "null", "-"]
            after = read_loudness(self._ffmpeg(files[0].path, check, end, 1.0))
            learned = shortfall.learned(after, self.options.normalize) if after else shortfall
            if learned == shortfall:
                break
            shortfall = learned
        for file in files:
            self._tag(file)
        return after

    def _encode(self, files: Sequence[ArchiveFile], shortfall: Shortfall, begin: float, end: float) -> None:
        """One decode for all of them; more than `_AT_ONCE` encoders would take memory and open files."""
        for number in range(0, len(files), _AT_ONCE):
            batch = files[number : number + _AT_ONCE]
            outputs = [part for index, file in enumerate(batch) for part in self._encoded(f"[b{index}]", file)]
            first, last = (begin + (end - begin) * done / len(files) for done in (number, number + len(batch)))
            graph = self._archive_graph(batch, shortfall)
            self._ffmpeg(self.source, ["-filter_complex", graph, *outputs], first, last)

    def _archive_graph(self, files: Sequence[ArchiveFile], shortfall: Shortfall) -> str:
        layout, rate = self._form().split(",")
        gain = f",{correction(self.measured, self.options.normalize, shortfall)}" if self.measured else ""
        return _split(f"[0:a:0]{ON_TIMELINE},{layout}{gain},{rate}", [_cut(file.stretch) for file in files])

    def _form(self) -> str:
        convert = self.options.convert
        return f"{archive_layout(self.found, convert)},{archive_rate(self.found, convert)}"

    def _frames(self, file: ArchiveFile) -> bytes:
        return id3_frames(printable_tags(file.tags), self._cover) if self.options.convert.format == "mp3" else b""

    def _encoded(self, label: str, file: ArchiveFile) -> list[str]:
        room = len(self._frames(file))
        return archive_output(label, file.path, self.options.convert, printable_tags(file.tags), room)

    def _tag(self, file: ArchiveFile) -> None:
        if frames := self._frames(file):
            write_id3(file.path, frames)

    def _ffmpeg(self, source: Path, outputs: list[str], first: float, last: float, hear: Hear = None) -> str:
        """Runs ffmpeg as the stretch from `first` to `last` of the whole progress."""

        def report(seconds: float) -> None:
            if seconds > self._longest:
                raise MediaTooLong(f"The file goes on after {seconds:.0f} s; it said {self._expected:.0f} s.")
            if self._progress is not None:
                self._progress(first + (last - first) * min(seconds / max(self._expected, 0.1), 1.0))

        limit = _LEAST_SECONDS + self.options.time_limit_factor * self._expected
        return run_ffmpeg(source, outputs, limit, report, hear=hear)


def _levels(log: str) -> list[float]:
    """What LEVELS told, in decibels of full scale; digital silence is finite."""
    return [max(_SILENCE, float(level)) for level in _LEVEL.findall(log)]


def _cancelled(channels: Sequence[float], both: Sequence[float]) -> int | None:
    """The louder of two channels whose sum is nearly silent: one is the other upside down. None where it is not so."""
    if len(channels) != 2 or not both or max(channels) - both[-1] < _CANCELLED:
        return None
    return 0 if channels[0] >= channels[1] else 1


def _split(head: str, branches: Sequence[str]) -> str:
    """A graph whose `head` feeds all `branches`, with the outputs [b0], [b1], …"""
    inner = "".join(f"[s{index}]" for index in range(len(branches)))
    tails = [f"[s{index}]{branch}[b{index}]" for index, branch in enumerate(branches)]
    return ";".join([f"{head},asplit={len(branches)}{inner}", *tails])


def _cut(stretch: Stretch | None) -> str:
    if stretch is None:
        return "anull"
    return f"atrim=start={stretch[0]:.3f}:end={stretch[1]:.3f},asetpts=PTS-STARTPTS"
