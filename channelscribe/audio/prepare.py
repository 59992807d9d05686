"""From a fetched file to the two that are kept: an mp3 for people, and the 16 kHz track that is transcribed.

Needs ffmpeg. Leaves `<stem>.archive.mp3` and `<stem>.speech.flac` in the folder it is given, or nothing. Both
are on the original's timeline: second t of the speech track is second t of the video.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from channelscribe.audio.encoding import (
    ON_TIMELINE,
    TO_SPEECH,
    archive_layout,
    archive_output,
    archive_rate,
    speech_output,
)
from channelscribe.audio.ffmpeg import run_ffmpeg
from channelscribe.audio.loudness import MEASUREMENT, correction, read_loudness
from channelscribe.audio.probe import Probe, probe, require_audio
from channelscribe.audio.speech_track import speech_seconds
from channelscribe.errors import CorruptMedia, TruncatedMedia
from channelscribe.hashing import content_key, sha256_file
from channelscribe.settings.options import AudioOptions

__all__ = ["FractionCallback", "Prepared", "prepare", "prepare_key"]

FractionCallback = Callable[[float], None]
LoudnessReport = dict[str, dict[str, float]]

_VERSION = 1  # raise it when the same source and options would give other files
_LEAST_SECONDS = 60.0  # of wall-clock time, for the shortest file
_LEAST_BYTES_PER_SECOND = 1000.0  # to guess a length where none is told: 8 kbit/s
_MISSING_SECONDS = 2.0
_MISSING_SHARE = 0.02
_FIRST_PASS_SHARE = 0.6  # of the progress; measured


@dataclass(frozen=True, slots=True)
class Prepared:
    """The two files. `seconds` is the length of the speech track, exact to the sample.

    `loudness` is {"before": {...}, "after": {...}} of the archive, as `audio.loudness.Loudness`; None where
    it was not normalized: not wanted, or silent.
    """

    archive: Path
    speech: Path
    seconds: float
    source_sha256: str
    speech_sha256: str
    loudness: LoudnessReport | None
    options_key: str


def prepare(
    source: Path,
    folder: Path,
    options: AudioOptions,
    tags: Mapping[str, str],
    announced_seconds: float | None = None,
    progress: FractionCallback | None = None,
) -> Prepared:
    """Makes both files of `source`. `tags` of the mp3: title, artist, album, date, comment (else KeyError).

    `announced_seconds` is what the site says. Fewer decoded seconds than that, or than the container tells,
    by more than 2 s and 2 %, raise TruncatedMedia. `progress` gets 0 to 1; what it raises ends the work.
    Raises EmptyMedia, CorruptMedia, NoAudioTrack, MediaTimeout, StoreNotWritable, StackError; nothing is left
    over then.
    """
    found = probe(source)
    require_audio(found)
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder, prefix=".preparing-") as scratch:
        work = _Preparation(source, Path(scratch), options, found, announced_seconds, progress)
        loudness = None
        if options.normalize:
            loudness = work.normalized(tags)
        else:
            work.plain(tags)
        seconds, speech_sha256 = speech_seconds(work.speech), sha256_file(work.speech)
        return Prepared(
            archive=work.archive.replace(folder / f"{source.stem}.archive.mp3"),
            speech=work.speech.replace(folder / f"{source.stem}.speech.flac"),
            seconds=seconds,
            source_sha256=sha256_file(source),
            speech_sha256=speech_sha256,
            loudness=loudness,
            options_key=prepare_key(options),
        )


def prepare_key(options: AudioOptions) -> str:
    """The options' part of a cache key: those that change the files, and this code's version."""
    return content_key("prepare", _VERSION, options.model_dump(mode="json", exclude={"time_limit_factor"}))


class _Preparation:
    """One source on its way: what is known of it, its working files in `scratch`, how long it may take."""

    def __init__(
        self,
        source: Path,
        scratch: Path,
        options: AudioOptions,
        found: Probe,
        announced: float | None,
        progress: FractionCallback | None,
    ) -> None:
        self.source, self.options, self.found, self.announced = source, options, found, announced
        self.archive, self.speech = scratch / "archive.mp3", scratch / "speech.flac"
        self._progress = progress
        lengths = [seconds for seconds in (announced, found.duration) if seconds]
        self._expected = max(lengths, default=found.bytes / _LEAST_BYTES_PER_SECOND)

    def normalized(self, tags: Mapping[str, str]) -> LoudnessReport | None:
        """One decode for the speech track and the loudness, one for the archive at the wanted loudness."""
        layout = archive_layout(self.found)
        graph = f"[0:a:0]{ON_TIMELINE},asplit[s][l];[s]{TO_SPEECH}[speech];[l]{layout},{MEASUREMENT}[measured]"
        sink = ["-map", "[measured]", "-f", "null", "-"]
        arguments = ["-filter_complex", graph, *speech_output("[speech]", self.speech), *sink]
        before = read_loudness(self._ffmpeg(arguments, 0.0, _FIRST_PASS_SHARE))
        self._refuse_truncated()
        rate = archive_rate(self.found)
        # The second `rate` is for ffmpeg before 5, whose meter lets 48 kHz out whatever comes in.
        louder = [correction(before, self.options), rate, MEASUREMENT, rate] if before else [rate]
        filters = ",".join([ON_TIMELINE, layout, *louder])
        arguments = ["-af", filters, *archive_output("0:a:0", self.archive, self.options, tags)]
        after = read_loudness(self._ffmpeg(arguments, _FIRST_PASS_SHARE, 1.0))
        return {"before": before.to_dict(), "after": after.to_dict()} if before and after else None

    def plain(self, tags: Mapping[str, str]) -> None:
        """One decode for both files."""
        graph = (
            f"[0:a:0]{ON_TIMELINE},asplit[s][a];[s]{TO_SPEECH}[speech];"
            f"[a]{archive_layout(self.found)},{archive_rate(self.found)}[archive]"
        )
        archive = archive_output("[archive]", self.archive, self.options, tags)
        self._ffmpeg(["-filter_complex", graph, *speech_output("[speech]", self.speech), *archive], 0.0, 1.0)
        self._refuse_truncated()

    def _ffmpeg(self, outputs: list[str], first: float, last: float) -> str:
        """Runs ffmpeg as the stretch from `first` to `last` of the whole progress."""

        def report(seconds: float) -> None:
            if self._progress is not None:
                self._progress(first + (last - first) * min(seconds / max(self._expected, 0.1), 1.0))

        limit = _LEAST_SECONDS + self.options.time_limit_factor * self._expected
        return run_ffmpeg(self.source, outputs, limit, report)

    def _refuse_truncated(self) -> None:
        decoded = speech_seconds(self.speech)
        if decoded == 0:
            raise CorruptMedia("No sound could be decoded from the file.")
        header = self.found.duration if self.found.exact else None
        for who, told in (("the site announced", self.announced), ("its header tells", header)):
            if told and told - decoded > max(_MISSING_SECONDS, _MISSING_SHARE * told):
                raise TruncatedMedia(
                    f"The file has {decoded:.1f} s of sound, but {who} {told:.1f} s.",
                    remedy="It is fetched again later.",
                )
