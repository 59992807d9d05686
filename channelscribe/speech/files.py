"""Local files to transcripts: the whole chain over many files, without a database or an engine.

Needs ffmpeg and the extra `speech`. Leaves nothing behind: speech tracks are made in a folder of the caller's and go
when their file is done. Of a call with a person a channel each channel has a track of its own (`channels`). While one
file is recognized ffmpeg decodes the next, and on a GPU the detector hears the next and words and speakers of the one
before are found; short files share batches (`channelscribe.speech.recognize`).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field, replace
from itertools import groupby
from pathlib import Path
from typing import Any

from channelscribe.audio.prepare import prepare
from channelscribe.errors import ChannelscribeError, SpeechFailed, machine_fault
from channelscribe.settings.audio import AudioOptions
from channelscribe.settings.options import SpeechOptions
from channelscribe.speech.align import align
from channelscribe.speech.assemble import assemble
from channelscribe.speech.channels import merged, separate
from channelscribe.speech.diarize import diarize
from channelscribe.speech.prefetch import ahead
from channelscribe.speech.provenance import measured
from channelscribe.speech.recognize import Opener, ahead_of_device, each_measured, recognize_all
from channelscribe.speech.registry import ResolvedModel, resolve_model
from channelscribe.speech.track import SpeechTrack, open_track
from channelscribe.transcript import Transcript

__all__ = ["STEPS", "Told", "Transcribed", "transcribe_files"]

STEPS = ("prepare", "recognize", "align", "diarize")
_NOTHING_ELSE = AudioOptions(steps=())  # no archive is wanted: the track that is transcribed, of the whole file

Told = Callable[[int, str, float], None]
"""Gets a file's number, the step that it is in, and the share of that step that is done; from several threads."""


@dataclass
class Transcribed:
    """What became of one file: a transcript, or an error. `seconds` of audio, `step_seconds` of wall clock.

    Files are worked on at the same time and share batches, so what a step took is the time since the file before it.
    """

    number: int
    source: Path
    seconds: float = 0.0
    step_seconds: dict[str, float] = field(default_factory=dict)
    transcript: Transcript | None = None
    error: ChannelscribeError | None = None
    note: str | None = None


@dataclass
class _Prepared:
    """A file, or one channel of `channels`, whose speech track is there, or is not to be had."""

    done: Transcribed
    model: ResolvedModel
    track: Path
    channels: int = 1

    @contextmanager
    def open(self) -> Iterator[SpeechTrack]:
        if self.done.error:
            raise self.done.error
        with open_track(self.track) as track:
            yield track


def transcribe_files(
    sources: Sequence[Path],
    folder: Path,
    options: SpeechOptions,
    told: Told | None = None,
    ahead_by: int | None = None,
) -> Generator[Transcribed]:
    """Transcribes files in order; an error belongs to its file alone. Speech tracks are made in `folder`.

    `ahead_by`: how many files are worked on before their turn; 0: one thing after the other, in this thread. By
    default ffmpeg decodes one file ahead, and on a GPU all else that a CPU does is done ahead, too.
    Raises UnknownModel, ModelUnavailable and ModelTampered, which hold for all files.
    """
    report = told or (lambda *_: None)
    with ExitStack() as open_ones:  # errors keep frames, and these with them: closed by hand, whoever stops early
        prepared = ahead(_prepared(sources, folder, options, report), 1 if ahead_by is None else ahead_by)
        open_ones.enter_context(closing(prepared))
        for model, files in groupby(prepared, key=lambda file: file.model):
            begun: list[_Prepared] = []
            by = ahead_of_device(model) if ahead_by is None else ahead_by
            recognitions = ahead(_recognized(files, begun, model, options, report, by), by)
            open_ones.enter_context(closing(recognitions))
            # Words and speakers of one file are found here while the next is decoded there.
            yield from _finished(recognitions, options, report)


def _prepared(sources: Sequence[Path], folder: Path, options: SpeechOptions, told: Told) -> Iterator[_Prepared]:
    model: ResolvedModel | None = None
    for number, source in enumerate(sources):
        apart = separate(source, folder, str(number), options.channels)
        for channel, heard in enumerate(apart or [source]):
            name = f"{number}.{channel}" if apart else str(number)
            file = _prepare(number, source, heard, folder, name, options, told, model)
            model = file.model if channel == 0 or model is None else model  # all channels have the same
            if apart:
                heard.unlink(missing_ok=True)
            yield replace(file, model=model, channels=len(apart) or 1)


def _prepare(
    number: int,
    source: Path,
    heard: Path,
    folder: Path,
    name: str,
    options: SpeechOptions,
    told: Told,
    model: ResolvedModel | None,
) -> _Prepared:
    """`heard`: the source, or a channel of it; `model`: what a file that fails is given."""
    done = Transcribed(number, source)
    track = folder / f"{name}.speech.flac"
    started = time.perf_counter()
    try:
        made = prepare(
            heard,
            folder,
            _NOTHING_ELSE,
            {},
            progress=_step(told, number, "prepare"),
            name=name,
            partial=True,
        )
        made.archive.unlink()
        done.seconds, done.note = made.seconds, made.note
        model = resolve_model(options, made.seconds)
    except Exception as error:
        done.error = _failed(error)
    done.step_seconds["prepare"] = time.perf_counter() - started
    model = model or resolve_model(options)  # a file that failed needs none of its own
    return _Prepared(done, model, track)


def _recognized(
    files: Iterator[_Prepared],
    begun: list[_Prepared],
    model: ResolvedModel,
    options: SpeechOptions,
    told: Told,
    ahead_by: int,
) -> Iterator[tuple[_Prepared, dict[str, Any] | ChannelscribeError]]:
    def openers() -> Iterator[Opener]:
        for file in files:
            begun.append(file)
            yield file.open

    def report(number: int, fraction: float) -> None:
        told(begun[number].done.number, "recognize", fraction)

    answers = recognize_all(openers(), model, options, report, ahead_by)
    for number, answer in enumerate(each_measured(model, answers)):
        yield begun[number], answer


def _finished(
    recognitions: Iterator[tuple[_Prepared, dict[str, Any] | ChannelscribeError]], options: SpeechOptions, told: Told
) -> Iterator[Transcribed]:
    heard: list[Transcribed] = []
    for file, recognition in recognitions:
        done = file.done
        try:
            if isinstance(recognition, ChannelscribeError):
                raise recognition
            done.transcript = _transcript(file, recognition, options, told)
            done.step_seconds |= {name: stage["seconds"] for name, stage in done.transcript.stages.items()}
        except Exception as error:
            done.error = _failed(error)
        finally:
            file.track.unlink(missing_ok=True)
        heard.append(done)
        if len(heard) == file.channels:
            yield _together(heard)
            heard = []


def _together(channels: Sequence[Transcribed]) -> Transcribed:
    """What became of a file, of what became of its channels: an error in one is the file's."""
    first = channels[0]
    if len(channels) == 1:
        return first
    first.error = next((each.error for each in channels if each.error), None)
    for other in channels[1:]:
        for step, seconds in other.step_seconds.items():
            first.step_seconds[step] = first.step_seconds.get(step, 0.0) + seconds
    transcripts = [each.transcript for each in channels if each.transcript]
    first.transcript = None if first.error else merged(transcripts)
    return first


def _transcript(file: _Prepared, recognition: Mapping[str, Any], options: SpeechOptions, told: Told) -> Transcript:
    model, number, heard = file.model, file.done.number, dict(recognition)
    if file.channels > 1:  # who speaks is known
        options = options.model_copy(update={"diarize": False})
    with file.open() as track:
        aligned = measured(model, lambda: align(track, heard, model, options, _step(told, number, "align")))
        turns = measured(model, lambda: diarize(track, model, options, _step(told, number, "diarize")))
    transcript = assemble(heard, aligned, turns)
    if file.done.note:
        notes = [file.done.note, transcript.quality.get("note")]
        transcript.quality["note"] = "; ".join(note for note in notes if note)
    return transcript


def _step(told: Told, number: int, step: str) -> Callable[[float], None]:
    return lambda fraction: told(number, step, fraction)


def _failed(error: Exception) -> ChannelscribeError:
    if isinstance(error, ChannelscribeError):
        return error
    failed = machine_fault(error) or SpeechFailed(f"It could not be transcribed: {type(error).__name__}: {error}")
    failed.__cause__ = error
    return failed
