"""What a speech stage answers, from the seconds of the track that it heard to the original's, and back.

The stages' JSON leaves for the store in original time, so that nothing after them knows of trimming. `align` hears the
track again and gets the recognizer's answer back in its seconds.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from channelscribe.audio.timeline import Timeline

__all__ = ["in_original_time", "in_track_time"]

_DIGITS = 3  # the stages tell milliseconds, and cuts are made at whole ones
_LENGTH = "audio_seconds"
Map = Callable[[float, bool], float]


def in_original_time(answer: dict[str, Any], timeline: Timeline | None) -> dict[str, Any]:
    """`answer` of recognize, align or diarize with its times and its length mapped; itself without a timeline.

    Times are `start` and `end`, wherever they are, and lists of [start, end].
    """
    if timeline is None:
        return answer
    mapped = _mapped(answer, lambda second, ends: timeline.to_original(second, ends=ends))
    length = {_LENGTH: round(timeline.original_seconds, _DIGITS)} if _LENGTH in answer else {}
    return {**mapped, **length}


def in_track_time(answer: dict[str, Any], timeline: Timeline | None) -> dict[str, Any]:
    """The reverse, for what `in_original_time` made of the same track."""
    if timeline is None:
        return answer

    def back(second: float, ends: bool) -> float:
        found = timeline.to_output(second)
        return found if found is not None else (timeline.seconds if ends else 0.0)

    length = {_LENGTH: round(timeline.seconds, _DIGITS)} if _LENGTH in answer else {}
    return {**_mapped(answer, back), **length}


def _mapped(item: Any, to: Map) -> Any:
    if isinstance(item, dict):
        times = {name: round(to(item[name], name == "end"), _DIGITS) for name in ("start", "end") if name in item}
        return {**{name: _mapped(value, to) for name, value in item.items()}, **times}
    if not isinstance(item, list):
        return item
    if item and all(_is_stretch(each) for each in item):
        return [[round(to(start, False), _DIGITS), round(to(end, True), _DIGITS)] for start, end in item]
    return [_mapped(each, to) for each in item]


def _is_stretch(item: Any) -> bool:
    return isinstance(item, list | tuple) and len(item) == 2 and all(isinstance(value, int | float) for value in item)
