"""Recordings on their way through the recognizer: heard, divided into clips, decoded together, answered one by one.

Needs the extra `speech`. Leaves nothing behind. Each step is a generator that feeds the next, so that `recognize` can
run them in threads of their own.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass, field
from typing import Any

from channelscribe.audio.speech_track import SAMPLE_RATE
from channelscribe.errors import ChannelscribeError, OutOfMemory, SpeechFailed, machine_fault
from channelscribe.settings.options import SpeechOptions
from channelscribe.speech.decoding import Clip, Decoder, Gated, clip_of, decode, encode
from channelscribe.speech.language import Decision, decide, windows
from channelscribe.speech.loading import seconds_loading
from channelscribe.speech.memory import Room, in_batches, is_out_of_memory
from channelscribe.speech.progress import Progress, share
from channelscribe.speech.registry import ResolvedModel
from channelscribe.speech.track import SpeechTrack
from channelscribe.speech.vad import Chunk, Hearing, chunks, listen, stretches

__all__ = ["VAD_SHARE", "Batch", "Opener", "Recognition", "Recording", "Usual"]

VAD_SHARE = 0.2
"""Of the stage's time, for the progress bar."""

Opener = Callable[[], AbstractContextManager[SpeechTrack]]
"""Opens a recording when its turn comes; it is closed when its answer is out."""

Usual = Callable[[int], str | None]
"""The language that is usual where the recording with that number comes from, as far as anybody knows."""


@dataclass(eq=False)
class Recording:
    """One recording on its way: `gated` has an answer for each chunk when it is done."""

    number: int
    stack: ExitStack = field(default_factory=ExitStack)
    track: SpeechTrack | None = None
    chunks: list[Chunk] = field(default_factory=list)
    decision: Decision | None = None
    language: str | None = None
    heard: dict[Chunk, Clip] = field(default_factory=dict)
    """What the encoder has heard for the language, until it is decoded."""
    gated: list[list[Gated]] = field(default_factory=list)
    error: ChannelscribeError | None = None
    seconds: float = 0.0
    """Of work on it: all of what was done for it alone, and its share of the batches."""

    @property
    def is_done(self) -> bool:
        return self.error is not None or len(self.gated) == len(self.chunks)

    def close(self) -> None:
        error = self.error
        self.stack.__exit__(type(error) if error else None, error, error.__traceback__ if error else None)


@dataclass(frozen=True)
class Batch:
    """Clips of one language, and the recordings that have come in since the last batch."""

    language: str | None
    clips: list[Clip]
    begun: list[Recording]


class Recognition:
    """The steps, each a generator that feeds the next: they run in threads of their own."""

    def __init__(
        self,
        engine: Any,
        lock: Any,
        model: ResolvedModel,
        options: SpeechOptions,
        told: Callable[[int, float], None],
        usual: Usual,
    ) -> None:
        self._detector, self._whisper, self._lock = engine.detector, engine.model, lock
        self._model, self._options, self._told, self._usual = model, options, told, usual
        self._room = Room(model.batch_size)
        self._decoders: dict[str | None, Decoder] = {}
        self._known: dict[int, Recording] = {}
        self._waiting: deque[Recording] = deque()

    def heard(self, openers: Iterable[Opener]) -> Iterator[Recording]:
        """Each recording with its chunks and its language."""
        for number, opener in enumerate(openers):
            recording = self._known[number] = Recording(number)
            began, loading = time.perf_counter(), seconds_loading()
            try:
                recording.track = recording.stack.enter_context(opener())
                self._hear(recording, recording.track)
            except Exception as error:
                recording.error = _failed(self._model, error)
            recording.seconds += time.perf_counter() - began - (seconds_loading() - loading)
            yield recording

    def _hear(self, recording: Recording, track: SpeechTrack) -> None:
        report = share(lambda done: self._told(recording.number, done), 0, VAD_SHARE)
        recording.chunks = _chunks(self._detector, track, self._model, self._options, report)
        with self._lock:
            recording.decision, recording.heard = _language(
                self._whisper, track, recording, self._model, self._options.usual_language, self._usual
            )
        recording.language = recording.decision.language if recording.decision else self._model.language

    def batches(self, recordings: Iterable[Recording]) -> Iterator[Batch]:
        """Chunks as the encoder takes them, as many as fit, from as many recordings as it takes."""
        clips: list[Clip] = []
        begun: list[Recording] = []
        language: str | None = None
        for recording in recordings:
            if recording.chunks:
                if clips and recording.language != language:
                    yield Batch(language, clips, begun)
                    clips, begun = [], []
                language = recording.language
            begun.append(recording)
            for clip in self._clips(recording):
                clips.append(clip)
                if len(clips) >= self._room.size:
                    yield Batch(language, clips, begun)
                    clips, begun = [], []
            if not clips:
                yield Batch(language, [], begun)
                begun = []
        yield Batch(language, clips, begun)

    def _clips(self, recording: Recording) -> Iterator[Clip]:
        for chunk in recording.chunks:
            if recording.error or recording.track is None:
                return
            began = time.perf_counter()
            try:
                clip = recording.heard.pop(chunk, None)
                clip = clip or clip_of(self._whisper, recording.track, chunk, recording.number)
            except Exception as error:
                recording.error = _failed(self._model, error)
                return
            recording.seconds += time.perf_counter() - began
            yield clip

    def done(self, batch: Batch) -> Iterator[Recording]:
        """Decodes a batch; yields the recordings that are complete then, closed."""
        self._waiting.extend(batch.begun)
        clips = [clip for clip in batch.clips if clip.owner in self._known and not self._known[clip.owner].error]
        if clips:
            began = time.perf_counter()
            self._decode(clips, batch.language)
            share = (time.perf_counter() - began) / len(clips)
            for clip in clips:
                self._known[clip.owner].seconds += share
        while self._waiting and self._waiting[0].is_done:
            recording = self._waiting.popleft()
            self._tell(recording, 1.0)
            recording.close()
            del self._known[recording.number]
            yield recording

    def _decode(self, clips: Sequence[Clip], language: str | None) -> None:
        """Decodes clips together; where that fails each recording's alone, so that a bad one costs only itself."""
        try:
            with self._lock:
                if language not in self._decoders:
                    self._decoders[language] = Decoder(self._whisper, language, self._options)
                written = "en" if self._options.task == "translate" else language
                told = self._model.language or self._options.task == "translate"
                listens = not told and bool(self._whisper.model.is_multilingual)
                gated = list(decode(self._decoders[language], clips, written, self._room, stretches=listens))
        except Exception as error:
            owners = list(dict.fromkeys(clip.owner for clip in clips))
            if len(owners) == 1:
                self._known[owners[0]].error = _failed(self._model, error)
                return
            for owner in owners:
                self._decode([clip for clip in clips if clip.owner == owner], language)
            return
        for clip, each in zip(clips, gated, strict=True):
            self._known[clip.owner].gated.append(each)
        for owner in dict.fromkeys(clip.owner for clip in clips):
            recording = self._known[owner]
            self._tell(recording, 1 - (1 - VAD_SHARE) * (1 - len(recording.gated) / len(recording.chunks)))

    def _tell(self, recording: Recording, done: float) -> None:
        try:
            self._told(recording.number, done)
        except Exception as error:
            recording.error = recording.error or _failed(self._model, error)

    def close(self) -> None:
        for recording in self._known.values():
            recording.close()


def _chunks(
    detector: Hearing, track: SpeechTrack, model: ResolvedModel, options: SpeechOptions, report: Progress
) -> list[Chunk]:
    """Where somebody speaks, in chunks for the recognizer."""
    if not track.samples:
        return []
    threads = model.threads if model.device == "cpu" else 0
    activity = listen(detector, track, report, threads, options.vad_step)
    found = stretches(activity, options.vad_onset, options.vad_offset, model.chunk_seconds)
    return chunks(found, model.chunk_seconds, track.samples / SAMPLE_RATE)


def _language(
    whisper: Any,
    track: SpeechTrack,
    recording: Recording,
    model: ResolvedModel,
    told: str | None,
    usual: Usual,
) -> tuple[Decision | None, dict[Chunk, Clip]]:
    """The language that is spoken, None where it is known or nobody speaks; and what was heard for it."""
    found = recording.chunks
    if model.language or not found:
        return None, {}
    if not whisper.model.is_multilingual:
        return Decision("en", 1.0, {"en": 1.0}, mixed=False), {}
    asked = windows(found)
    clips: dict[Chunk, Clip] = {}

    def work(batch: Sequence[Chunk]) -> Sequence[list[tuple[str, float]]]:
        made = [clip_of(whisper, track, chunk, recording.number) for chunk in batch]
        encoded = encode(whisper, [clip.features for clip in made])
        answers: Sequence[list[tuple[str, float]]] = whisper.model.detect_language(encoded)
        for clip in made:
            clips[clip.chunk] = clip
        return answers

    answers = in_batches(asked, model.batch_size, work)
    votes = [
        (chunk.speech_seconds, {token[2:-2]: probability for token, probability in answer})
        for chunk, answer in zip(asked, answers, strict=True)
    ]
    return decide(votes, lambda: told or usual(recording.number)), clips


def _failed(model: ResolvedModel, error: Exception) -> ChannelscribeError:
    if isinstance(error, ChannelscribeError):
        return error
    said = f"The recognizer {model.name!r} failed: {type(error).__name__}: {error}"
    failed = machine_fault(error) or SpeechFailed(said)
    if is_out_of_memory(error):
        failed = OutOfMemory(said, remedy="Set speech.model to a smaller one, or speech.device to cpu.")
    failed.__cause__ = error
    return failed
