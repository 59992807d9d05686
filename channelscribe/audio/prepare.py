"""From a fetched file to those that are kept: an archive for people, and the 16 kHz track that is transcribed.

Needs ffmpeg. Leaves in the folder it is given, or nothing:

    <stem>.archive.<ext>          the archive: whole, unless `trim.of` says otherwise
    <stem>.speech.flac            the track that is transcribed: one file, trimmed where `trim` is a step
    <stem>.<track>.partNNN.<ext>  parts beside them, where `split` is a step

Each file has its `Timeline`: which second of the original each of its seconds is.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from channelscribe.audio.cover import cover_jpeg
from channelscribe.audio.passes import ArchiveFile, FractionCallback, Passes
from channelscribe.audio.pauses import Chapter, PauseFinder
from channelscribe.audio.plan import Cuts, Track, cuts
from channelscribe.audio.probe import Probe, probe, require_audio
from channelscribe.audio.scratch import working_folder
from channelscribe.audio.space import needed_bytes, refuse_without_room
from channelscribe.audio.speech_track import cut_speech, speech_seconds
from channelscribe.audio.timeline import Stretch, Timeline
from channelscribe.errors import EmptyMedia, TruncatedMedia
from channelscribe.files import content_key, sha256_file
from channelscribe.settings.audio import AudioOptions

__all__ = ["FractionCallback", "Part", "Prepared", "prepare", "prepare_key"]

LoudnessReport = dict[str, dict[str, float]]

# Raise it when the same source and options would give other files. That an upside-down channel is heard did not: every
# library would have prepared all of its audio anew, for recordings that are one in thousands.
_VERSION = 2
_MISSING_SECONDS = 2.0
_MISSING_SHARE = 0.02
_MOST_MISSING_SECONDS = 30.0  # of a stream of hours: its last minutes are what comes late


@dataclass(frozen=True, slots=True)
class Part:
    """One part of a track; `title` is its chapter's."""

    track: Track
    number: int
    path: Path
    timeline: Timeline
    title: str | None


@dataclass(frozen=True, slots=True)
class Prepared:
    """The files. `seconds` were decoded: the length of the original, exact to the sample of the speech track.

    `loudness` is {"before": {...}, "after": {...}} of the archive, as `audio.loudness.Loudness`; None where
    it was not normalized: not wanted, or silent. `note`: how much of the sound is missing, where `partial` was allowed.
    """

    archive: Path
    speech: Path
    seconds: float
    source_sha256: str
    speech_sha256: str
    loudness: LoudnessReport | None
    options_key: str
    archive_timeline: Timeline
    speech_timeline: Timeline
    parts: tuple[Part, ...] = ()
    note: str | None = None


def prepare(
    source: Path,
    folder: Path,
    options: AudioOptions,
    tags: Mapping[str, str],
    announced_seconds: float | None = None,
    progress: FractionCallback | None = None,
    *,
    cover: Path | None = None,
    chapters: Sequence[Chapter] = (),
    name: str | None = None,
    partial: bool = False,
) -> Prepared:
    """Makes all files of `source`. `tags` of the archive: `tags.TAGS` (else KeyError); `cover`: an image for an mp3.

    `announced_seconds` is what the site says. Fewer decoded seconds than that, or than the container tells,
    by more than 2 s and 2 %, or by 30 s, raise TruncatedMedia; with `partial`, as for a person's own file, what is
    there is taken, and `note` says so. Sound that ends before the picture is whole. `progress` gets 0 to 1; what it
    raises ends the work.
    `chapters` are the site's; without them the container's own are taken. `name` stands for <stem>.
    Raises EmptyMedia, CorruptMedia, NoAudioTrack, MediaTimeout, MediaTooLong, StoreNotWritable, StackError;
    nothing is left over then.
    """
    found = probe(source)
    require_audio(found)
    with working_folder(folder) as scratch:
        refuse_without_room(scratch, needed_bytes(found, announced_seconds, options))
        image = cover_jpeg(cover, scratch) if cover is not None else None
        work = Passes(source, scratch, options, found, announced_seconds, progress, image)
        work.first(tags)
        seconds = speech_seconds(work.speech)
        note = _shorter_than_told(seconds, announced_seconds, found)
        if note and not partial:
            raise TruncatedMedia(f"The file has {note}.", remedy="It is fetched again later.")
        made = _Making(work, scratch, seconds, chapters or found.chapters, tags)
        return replace(made.kept(folder, name or source.stem), note=note)


def prepare_key(options: AudioOptions) -> str:
    """The options' part of a cache key: those that change the files, and this code's version.

    The options of a step that is left out change nothing.
    """
    used = {step: getattr(options, step) for step in options.steps}
    silence = options.silence if {"trim", "split"} & set(options.steps) else None
    return content_key("prepare", _VERSION, options.steps, used, silence)


class _Making:
    """What follows the first decode: cuts, the archive, and the files in their places."""

    def __init__(
        self, work: Passes, scratch: Path, seconds: float, chapters: Sequence[Chapter], tags: Mapping[str, str]
    ) -> None:
        self.work, self.scratch, self.seconds, self.tags = work, scratch, seconds, tags
        silences = work.silences.stretches(seconds)
        finder = PauseFinder(work.speech, silences, work.options.split.vad)
        self.archive = cuts("archive", seconds, work.options, silences, finder, chapters)
        self.speech = cuts("speech", seconds, work.options, silences, finder, chapters)

    def kept(self, folder: Path, stem: str) -> Prepared:
        """Makes what is left to make, and puts all files in their places."""
        loudness, speech = self._archive_files(), self._speech_files()
        source_sha256, speech_sha256 = sha256_file(self.work.source), sha256_file(speech)
        parts = [*self._parts("archive", self.archive), *self._parts("speech", self.speech)]

        def placed(path: Path, name: str) -> Path:
            return path.replace(folder / f"{stem}.{name}")

        return Prepared(
            archive=placed(self.work.archive, self.work.archive.name),
            speech=placed(speech, "speech.flac"),
            seconds=self.seconds,
            source_sha256=source_sha256,
            speech_sha256=speech_sha256,
            loudness=loudness,
            options_key=prepare_key(self.work.options),
            archive_timeline=self._timeline(self.archive.whole),
            speech_timeline=self._timeline(self.speech.whole),
            parts=tuple(replace(part, path=placed(part.path, part.path.name)) for part in parts),
        )

    def _archive_files(self) -> LoudnessReport | None:
        """The second decode, where one is needed."""
        if not self.work.in_two:
            return None
        whole = ArchiveFile(self.work.archive, self._stretch(self.archive.whole), self.tags)
        total = len(self.archive.parts)
        parts = [
            ArchiveFile(part.path, self._stretch(stretch), _part_tags(self.tags, part.number, total, part.title))
            for part, (stretch, _) in zip(self._parts("archive", self.archive), self.archive.parts, strict=True)
        ]
        before, after = self.work.measured, self.work.second([whole, *parts])
        return {"before": before.to_dict(), "after": after.to_dict()} if before and after else None

    def _speech_files(self) -> Path:
        for part, (stretch, _) in zip(self._parts("speech", self.speech), self.speech.parts, strict=True):
            cut_speech(self.work.speech, part.path, *stretch)
        if self._stretch(self.speech.whole) is None:
            return self.work.speech
        trimmed = self.scratch / "speech.trimmed.flac"
        cut_speech(self.work.speech, trimmed, *self.speech.whole)
        return trimmed

    def _parts(self, track: Track, cut: Cuts) -> Iterator[Part]:
        suffix = self.work.archive.suffix if track == "archive" else ".flac"
        for number, (stretch, title) in enumerate(cut.parts, start=1):
            path = self.scratch / f"{track}.part{number:03d}{suffix}"
            yield Part(track, number, path, self._timeline(stretch), title)

    def _stretch(self, stretch: Stretch) -> Stretch | None:
        return None if stretch == (0.0, self.seconds) else stretch

    def _timeline(self, stretch: Stretch) -> Timeline:
        return Timeline(self.seconds, (stretch,))


def _part_tags(tags: Mapping[str, str], number: int, total: int, title: str | None) -> dict[str, str]:
    """A part is a track of an album: the whole's title names the album."""
    name = tags.get("title", "")
    return {**tags, "album": tags.get("album", name), "title": title or name, "track": f"{number}/{total}"}


def _shorter_than_told(decoded: float, announced: float | None, found: Probe) -> str | None:
    """How much sound there is and should be, where that is less than it may be. Raises EmptyMedia for none."""
    if decoded == 0:
        raise EmptyMedia("The file has an audio track without a sample of sound.")
    if not found.exact:
        header, whole = None, False
    else:
        header = found.sound_seconds or found.duration
        # the picture goes on, as announced, and the sound is as long as its own header tells
        whole = bool(
            found.sound_seconds and not _is_short(decoded, header) and not _is_short(found.duration, announced)
        )
    for who, told in (("the site announced", None if whole else announced), ("its header tells", header)):
        if told and _is_short(decoded, told):
            return f"{decoded:.1f} s of sound, but {who} {told:.1f} s"
    return None


def _is_short(seconds: float | None, told: float | None) -> bool:
    allowed = max(_MISSING_SECONDS, min(_MISSING_SHARE * (told or 0), _MOST_MISSING_SECONDS))
    return (told or 0) - (seconds or 0) > allowed
