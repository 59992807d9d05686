"""WhisperX's own JSON, so that its tools read ours, with what it has no place for under "channelscribe".

Needs nothing, leaves nothing behind. Keys that WhisperX leaves out when it has no value are left out here
too.
"""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any

from channelscribe.formats.meta import VideoMeta
from channelscribe.transcript import Segment, Transcript, Turn, Word

__all__ = ["parse", "render"]

_VERSION = 1  # of the part under "channelscribe"


def render(transcript: Transcript, meta: VideoMeta) -> str:
    """{"segments": [{"start", "end", "text", "speaker", "avg_logprob", "words": [{"word", "start", "end",
    "score", "speaker", "aligned"}]}], "word_segments", "language", "channelscribe": {...}}; times in seconds.
    """
    segments = [_segment(segment) for segment in transcript.segments]
    document = {
        "segments": segments,
        "word_segments": [word for segment in segments for word in segment["words"]],
        "language": transcript.language,
        "channelscribe": {
            "version": _VERSION,
            "video": asdict(meta),
            "duration": transcript.duration,
            "no_speech": transcript.no_speech,
            "turns": [asdict(turn) for turn in transcript.turns],
            "models": transcript.models,
            "quality": transcript.quality,
            "stages": transcript.stages,
        },
    }
    return json.dumps(document, ensure_ascii=False, indent=1) + "\n"


def parse(text: str) -> Transcript:
    """The transcript that `render` wrote. Raises ValueError or KeyError on anything else."""
    document = json.loads(text)
    ours = document["channelscribe"]
    return Transcript(
        language=document["language"],
        duration=ours["duration"],
        segments=[
            Segment(
                segment["start"],
                segment["end"],
                segment["text"],
                segment.get("speaker"),
                segment.get("avg_logprob"),
                [_parse_word(word) for word in segment["words"]],
                segment.get("flags", []),
            )
            for segment in document["segments"]
        ],
        turns=[Turn(**turn) for turn in ours["turns"]],
        models=ours["models"],
        no_speech=ours["no_speech"],
        quality=ours.get("quality", {}),
        stages=ours.get("stages", {}),
    )


def _segment(segment: Segment) -> dict[str, Any]:
    optional = _known({"speaker": segment.speaker, "avg_logprob": segment.avg_logprob, "flags": segment.flags or None})
    return {
        "start": segment.start,
        "end": segment.end,
        "text": segment.text,
        **optional,
        "words": [_word(word) for word in segment.words],
    }


def _word(word: Word) -> dict[str, Any]:
    optional = _known({"score": word.score, "speaker": word.speaker})
    return {"word": word.text, "start": word.start, "end": word.end, **optional, "aligned": word.aligned}


def _parse_word(word: dict[str, Any]) -> Word:
    return Word(word["word"], word["start"], word["end"], word.get("score"), word.get("speaker"), word["aligned"])


def _known(values: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in values.items() if value is not None}
