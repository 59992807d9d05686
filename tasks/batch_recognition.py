"""Short videos recognized together: their chunks share batches, and each has its checkpoint as soon as it is done.

Long videos fill batches alone, and are worth a step of their own each: what a killed worker costs stays small.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from channelscribe.audio.original_time import in_original_time
from channelscribe.audio.timeline import Timeline
from channelscribe.catalogue import references, transcripts
from channelscribe.errors import ChannelscribeError
from channelscribe.settings.options import SpeechOptions
from channelscribe.speech.recognize import each_measured, recognize_all
from channelscribe.speech.registry import ResolvedModel
from channelscribe.speech.track import SpeechTrack, open_track
from tasks.leases import Report, step
from tasks.records import PreparedAudio, VideoWork
from tasks.resources import catalogue, store

__all__ = ["Due", "make_together", "short_ones", "usual_language"]

SHORT_SECONDS = 300.0
TOGETHER_SECONDS = 900.0  # several speech workers have each a part of a request

Answer = dict[str, Any] | ChannelscribeError

_log = logging.getLogger(__name__)


@dataclass
class Due:
    """A video whose recognition is wanted under `key`; `report` is its lease's, while it is in work."""

    video: VideoWork
    audio: PreparedAudio
    model: ResolvedModel
    key: str
    report: Report | None = None

    @contextmanager
    def open(self) -> Iterator[SpeechTrack]:
        """The speech track, for as long as it is worked on; the video's lease says so."""
        with ExitStack() as stack:
            self.report = stack.enter_context(step(self.video, "recognize"))
            catalogue().run(references.note_checkpoint, self.video.pk, self.key)
            path = stack.enter_context(store().local_path(self.audio.speech_key))
            yield stack.enter_context(open_track(path))

    def tell(self, fraction: float) -> None:
        if self.report:
            self.report(fraction)


def short_ones(audio: Sequence[PreparedAudio]) -> list[list[int]]:
    """Which of the recordings go together, by their places: groups of two or more short ones, in order."""
    groups: list[list[int]] = []
    seconds = TOGETHER_SECONDS
    for place, each in enumerate(audio):
        if each.seconds > SHORT_SECONDS:
            continue
        if seconds + each.seconds > TOGETHER_SECONDS:
            groups.append([])
            seconds = 0.0
        groups[-1].append(place)
        seconds += each.seconds
    return [group for group in groups if len(group) > 1]


def make_together(due: Sequence[Due], options: SpeechOptions) -> int:
    """Makes the recognitions that are not in the store; returns how many. What fails is left out, and logged."""
    made = 0
    try:
        missing = [each for each in due if not store().exists(each.key)]
        for model, group in groupby(missing, key=lambda each: each.model):
            work = list(group)
            if len(work) > 1:
                for each, answer in zip(work, _answers(work, model, options), strict=True):
                    made += _kept(each, answer)
    except Exception as error:  # whatever it is, each video's own step will meet it again and tell
        _log.warning("%d videos were not recognized together: %s", len(due) - made, error)
    return made


def _answers(work: Sequence[Due], model: ResolvedModel, options: SpeechOptions) -> Iterator[Answer]:
    def tell(number: int, fraction: float) -> None:
        work[number].tell(fraction)

    def usual(number: int) -> str | None:
        return usual_language(work[number].video)

    openers = (each.open for each in work)
    return each_measured(model, recognize_all(openers, model, options, tell, usual=usual))


def usual_language(video: VideoWork) -> str | None:
    """That of the video's source, by what is published of it: no part of a key, as it decides only where little is
    said.
    """
    return catalogue().run(transcripts.usual_language, video.pk)


def _kept(each: Due, answer: Answer) -> bool:
    if isinstance(answer, ChannelscribeError):
        _log.warning("%s was not recognized together with others: %s", each.video.video_id, answer)
        return False
    timeline = Timeline.from_json(each.audio.timeline) if each.audio.timeline else None
    return store().add_json(in_original_time(answer, timeline), each.key)
