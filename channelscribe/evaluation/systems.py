"""What is evaluated: this library, and beside it whisperX and faster-whisper with the same weights.

Needs the extra `speech`; leaves nothing behind. Each is a function from a file to what it heard; models are loaded
before the first is timed, so times are those of the work.
"""

from __future__ import annotations

import resource
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np

from channelscribe.errors import ChannelscribeError, UsageError
from channelscribe.evaluation.recordings import Heard
from channelscribe.export.readable import LEFT_OUT, readable
from channelscribe.settings.options import Settings
from channelscribe.speech import hub
from channelscribe.speech.diarize import diarize
from channelscribe.speech.engines import prepare_engines
from channelscribe.speech.files import transcribe_files
from channelscribe.speech.recognize import recognize
from channelscribe.speech.registry import ResolvedModel, resolve_model
from channelscribe.transcript import Segment, Word

__all__ = ["OURS", "PEERS", "System", "systems"]

OURS = "channelscribe"
System = Callable[[Path], Heard]


def systems(settings: Settings, against: Sequence[str]) -> dict[str, System]:
    """This library and the peers that are named, ready to work. Raises UsageError and what loading a model raises."""
    unknown = [name for name in against if name not in PEERS]
    if unknown:
        raise UsageError(f"{unknown[0]!r} is nothing to compare with.", remedy=f"Known: {', '.join(PEERS)}.")
    model = resolve_model(settings.speech)
    prepare_engines()
    return {OURS: _ours(settings, model), **{name: PEERS[name](settings, model) for name in dict.fromkeys(against)}}


def _ours(settings: Settings, model: ResolvedModel) -> System:
    silence = np.zeros(16_000, np.float32)
    recognize(silence, model, settings.speech)
    diarize(silence, model, settings.speech)

    def hear(path: Path) -> Heard:
        spent = _Spent()
        with tempfile.TemporaryDirectory(prefix="channelscribe-") as scratch:
            (done,) = transcribe_files([path], Path(scratch), settings.speech)
        if done.error or done.transcript is None:
            raise done.error or UsageError("Nothing came of it.")
        transcript = done.transcript
        loading = sum(stage.get("load_seconds") or 0.0 for stage in transcript.stages.values())
        # What is flagged as said by nobody is in no subtitle, and so it counts here.
        kept = [each for each in transcript.segments if LEFT_OUT.isdisjoint(each.flags)]
        return spent.on(
            Heard(
                " ".join(each.text.strip() for each in kept),
                [word for each in kept for word in each.words],
                transcript.turns if transcript.models.get("diarizer") else None,
                [(cue.start / 1000, cue.end / 1000) for cue in readable(transcript, settings.subtitles)],
                transcript.language,
                done.seconds,
                coverage=transcript.quality.get("coverage"),
                note=transcript.quality.get("note"),
            ),
            loading,
        )

    return hear


def _whisperx(settings: Settings, model: ResolvedModel) -> System:
    import whisperx

    options = settings.speech
    folder = hub.recognizer_folder(model.recognizer, model.revision, options.hub_token)
    pipeline = whisperx.load_model(
        folder,
        device=model.device,
        compute_type=model.compute_type,
        language=model.language,
        asr_options={"beam_size": options.beam_size},
        threads=model.threads,
        local_files_only=True,
    )
    aligners: dict[str, Any] = {}

    def aligner(language: str) -> Any:
        if language not in aligners:
            aligners[language] = None
            if model.aligner or options.align is True:
                with suppress(Exception):  # no aligner for the language, or no hub: it goes on without, as we do
                    aligners[language] = whisperx.load_align_model(language, model.device, model_name=model.aligner)
        return aligners[language]

    def hear(path: Path) -> Heard:
        audio = _samples(path)
        spent = _Spent()
        found = pipeline.transcribe(audio, batch_size=model.batch_size, chunk_size=model.chunk_seconds)
        segments, language = found["segments"], found["language"]
        loaded = spent.paused(lambda: aligner(language))
        words = None
        if loaded:
            segments = whisperx.align(segments, *loaded, audio, model.device)["segments"]
            timed = [word for each in segments for word in each["words"] if "start" in word]
            words = [Word(word["word"], word["start"], word["end"]) for word in timed]
        return spent.on(
            Heard(
                " ".join(each["text"].strip() for each in segments),
                words,
                None,
                [(each["start"], each["end"]) for each in segments],
                language,
                len(audio) / 16_000,
                note=None if loaded else "no aligner: no word times",
            )
        )

    return hear


def _faster_whisper(settings: Settings, model: ResolvedModel) -> System:
    from faster_whisper import WhisperModel

    options = settings.speech
    folder = hub.recognizer_folder(model.recognizer, model.revision, options.hub_token)
    whisper = WhisperModel(folder, model.device, compute_type=model.compute_type, cpu_threads=model.threads)

    def hear(path: Path) -> Heard:
        audio = _samples(path)
        spent = _Spent()
        found, about = whisper.transcribe(
            audio, language=model.language, beam_size=options.beam_size, word_timestamps=True, vad_filter=True
        )
        segments = [Segment(s.start, s.end, s.text.strip(), None, None, _words(s)) for s in found]
        words = [word for each in segments for word in each.words]
        cues = [(each.start, each.end) for each in segments]
        text = " ".join(each.text for each in segments)
        return spent.on(Heard(text, words, None, cues, about.language, len(audio) / 16_000))

    return hear


PEERS: dict[str, Callable[[Settings, ResolvedModel], System]] = {
    "whisperx": _whisperx,
    "faster-whisper": _faster_whisper,
}
"""whisperX has one batch a file, faster-whisper decodes in sequence with its own detector of speech."""


def _words(segment: Any) -> list[Word]:
    return [Word(word.word.strip(), word.start, word.end) for word in segment.words or ()]


def _samples(path: Path) -> Any:
    from faster_whisper.audio import decode_audio

    return decode_audio(str(path))


class _Spent:
    """CPU of this process and of those that it started, and wall clock, since it was made."""

    def __init__(self) -> None:
        self._cpu, self._wall = _cpu(), time.perf_counter()

    def paused(self, work: Callable[[], Any]) -> Any:
        """What `work` gives, without counting it."""
        cpu, wall = _cpu(), time.perf_counter()
        try:
            return work()
        finally:
            self._cpu += _cpu() - cpu
            self._wall += time.perf_counter() - wall

    def on(self, heard: Heard, loading: float = 0.0) -> Heard:
        """`loading`: seconds that were spent on models, on one core."""
        heard.cpu_seconds = max(0.001, _cpu() - self._cpu - loading)
        heard.wall_seconds = max(0.001, time.perf_counter() - self._wall - loading)
        return heard


def _cpu() -> float:
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.process_time() + children.ru_utime + children.ru_stime


def failure(error: Exception) -> str:
    """What a system failed with, in one line."""
    return str(error) if isinstance(error, ChannelscribeError) else f"{type(error).__name__}: {error}"[:200]
