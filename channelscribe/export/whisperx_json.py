"""WhisperX's own JSON, so that its tools read ours, with what it has no place for under "channelscribe". And JSON read
again: ours, as files and as records, and WhisperX's.

Needs nothing, leaves nothing behind. Keys that WhisperX leaves out when it has no value are left out here too. It also
leaves the times of words out that it could not align: such words share the time that is left between their neighbours.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from math import isfinite
from typing import Any

from channelscribe.export.cues import Layout
from channelscribe.transcript import Segment, Transcript, Turn, VideoMeta, Word

__all__ = ["parse", "render"]

_VERSION = 1  # of the part under "channelscribe"


def render(transcript: Transcript, meta: VideoMeta, layout: Layout | None = None, *_: object) -> str:
    """{"segments": [{"start", "end", "text", "speaker", "avg_logprob", "words": [{"word", "start", "end",
    "score", "speaker", "aligned"}]}], "word_segments", "language", "channelscribe": {...}}; times in seconds.
    """
    segments = [_written(segment) for segment in transcript.segments]
    document = {
        "segments": segments,
        "word_segments": [word for segment in segments for word in segment["words"]],
        "language": transcript.language,
        "channelscribe": {
            "version": _VERSION,
            "video": _video(meta),
            "duration": transcript.duration,
            "no_speech": transcript.no_speech,
            "turns": [asdict(turn) for turn in transcript.turns],
            "models": transcript.models,
            "quality": transcript.quality,
            "stages": transcript.stages,
            **({"speaker_names": transcript.names} if transcript.names else {}),
        },
    }
    return json.dumps(document, ensure_ascii=False, indent=1) + "\n"


def _video(meta: VideoMeta) -> dict[str, Any]:
    chapters = [{"start": start, "title": title} for start, title in meta.chapters]
    return {**{name: value for name, value in asdict(meta).items() if name != "chapters"},
            **({"chapters": chapters} if chapters else {})}  # fmt: skip


def _written(segment: Segment) -> dict[str, Any]:
    told = {"speaker": segment.speaker, "avg_logprob": segment.avg_logprob, "flags": segment.flags or None}
    optional = _known({**told, "language": segment.language})
    return {
        "start": segment.start,
        "end": segment.end,
        "text": segment.text,
        **optional,
        "words": [_written_word(word) for word in segment.words],
    }


def _written_word(word: Word) -> dict[str, Any]:
    optional = _known({"score": word.score, "speaker": word.speaker})
    return {"word": word.text, "start": word.start, "end": word.end, **optional, "aligned": word.aligned}


def _known(values: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in values.items() if value is not None}


def parse(text: str, language: str) -> Transcript:
    """The transcript, in `language` where it does not say its own. Raises ValueError for anything else."""
    document = json.loads(text)
    if not isinstance(document, dict) or not isinstance(document.get("segments"), list):
        raise ValueError('it has no list "segments"')
    try:
        segments = [_segment(item) for item in document["segments"]]
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"a segment is not as it should be ({error!r})") from error
    said = document.get("language")
    end = max((segment.end for segment in segments), default=0.0)
    transcript = Transcript(said if isinstance(said, str) and said else language, end, segments)
    return _completed(transcript, document.get("channelscribe"))


def _completed(transcript: Transcript, ours: Any) -> Transcript:
    if isinstance(ours, dict):
        try:
            transcript.duration = _seconds(ours["duration"])
            transcript.turns = [Turn(**turn) for turn in ours["turns"]]
            transcript.models, transcript.no_speech = dict(ours["models"]), bool(ours["no_speech"])
            transcript.quality, transcript.stages = dict(ours.get("quality", {})), dict(ours.get("stages", {}))
            transcript.names = dict(ours.get("speaker_names", {}))
        except (KeyError, TypeError) as error:
            raise ValueError(f'"channelscribe" is not as it should be ({error!r})') from error
    return transcript


def _segment(item: dict[str, Any]) -> Segment:
    start, end = _seconds(item["start"]), _seconds(item["end"])
    speaker = item.get("speaker")
    words = _words(item.get("words") or [], start, end, speaker)
    text, flags = str(item["text"]), list(item.get("flags") or [])
    language = item.get("language")
    other = language if isinstance(language, str) and language else None
    return Segment(start, max(start, end), text, speaker, item.get("avg_logprob"), words, flags, other)


def _words(items: Sequence[dict[str, Any]], start: float, end: float, speaker: str | None) -> list[Word]:
    words: list[Word] = []
    for item, (place, until) in zip(items, _next_times(items, end), strict=True):
        text = str(item["word"] if "word" in item else item["text"])
        # Only ours tells for each word whether it was aligned, and then a word without a speaker has none.
        said = item.get("speaker", None if "aligned" in item else speaker)
        if _is_timed(item):
            first, last = _seconds(item["start"]), _seconds(item["end"])
            words.append(Word(text, first, max(first, last), item.get("score"), said, bool(item.get("aligned", True))))
        else:
            since = words[-1].end if words else start
            share = max(0.0, until - since) / (place - len(words))
            words.append(Word(text, since, round(since + share, 3), None, said, aligned=False))
    return words


def _next_times(items: Sequence[dict[str, Any]], end: float) -> list[tuple[int, float]]:
    """For each word the place and start of the next one that has times; the end of the segment after the last."""
    found: list[tuple[int, float]] = []
    following = (len(items), end)
    for place in reversed(range(len(items))):
        found.append(following)
        if _is_timed(items[place]):
            following = (place, _seconds(items[place]["start"]))
    return found[::-1]


def _is_timed(item: dict[str, Any]) -> bool:
    return item.get("start") is not None and item.get("end") is not None


def _seconds(value: Any) -> float:
    seconds = float(value)
    if not isfinite(seconds) or seconds < 0:
        raise ValueError(f"{value!r} is no time")
    return seconds
