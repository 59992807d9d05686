"""A transcript on one page of Markdown: title, figures, picture, first lines. Needs nothing; leaves nothing behind.

Titles and words are strangers': every character that Markdown or HTML could make something of is escaped, so that a
page loads nothing that they chose and shows no link that hides where it leads. The picture is an image in the page
itself (`data:`).
"""

from __future__ import annotations

import re
from base64 import b64encode
from itertools import groupby, islice
from typing import Any

from channelscribe.evaluation.figures import of_transcript
from channelscribe.evaluation.picture import small_picture
from channelscribe.export import VideoMeta
from channelscribe.transcript import Transcript

__all__ = ["escaped", "page"]

_MEANS_SOMETHING = re.compile(r"([\\`*_{}\[\]()<>#+\-.!|~&:@$^=\"'])")
_TURNS, _LONGEST_TURN = 8, 600  # of the transcript's beginning, and characters of each


def page(transcript: Transcript, meta: VideoMeta, version: int) -> str:
    """The page; with its picture at most about 100 kB."""
    drawn = small_picture(transcript, meta.title)
    image = f"data:image/svg+xml;base64,{b64encode(drawn.encode()).decode()}" if drawn else None
    parts = [
        f"# {escaped(meta.title)}",
        f"`{meta.id}`, version {version}",
        _table(of_transcript(transcript)),
        f"![Speech, words, gaps and speakers over time]({image})" if image else "",
        *_first_turns(transcript),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def escaped(text: str) -> str:
    """`text` on one line, as itself."""
    return _MEANS_SOMETHING.sub(r"\\\1", " ".join(text.split()))


def _table(figures: dict[str, Any]) -> str:
    flags = ", ".join(f"{count} {name}" for name, count in figures["flags"].items())
    gaps = sum(end - start for start, end in [*figures["gaps"], *figures["unheard"]])
    rows = {
        "language": figures["language"],
        "length": _clock(figures["seconds"]),
        "words": f"{figures['words']}, {figures['interpolated'] or 0:.1%} with interpolated times",
        "speech covered by words": "not told" if figures["coverage"] is None else f"{figures['coverage']:.1%}",
        "speech without words": f"{gaps:.1f} s",
        "doubtful segments": flags or "none",
        "speakers": ", ".join(f"{name} {each['seconds']:.0f} s" for name, each in figures["speakers"].items()) or "–",
        **{name: _stage(stage) for name, stage in figures["stages"].items()},
    }
    lines = [f"| {escaped(name)} | {escaped(str(said))} |" for name, said in rows.items()]
    return "\n".join(["| figure | |", "|---|---|", *lines])


def _stage(stage: dict[str, Any]) -> str:
    factor = stage.get("real_time_factor")
    return f"{stage['seconds']:.1f} s on {stage['device']}" + (f", {factor:g} times real time" if factor else "")


def _first_turns(transcript: Transcript) -> list[str]:
    spoken = (segment for segment in transcript.segments if segment.text.strip())
    found = []
    for speaker, turn in islice(groupby(spoken, key=lambda segment: segment.speaker), _TURNS):
        said = list(turn)
        text = " ".join(segment.text.strip() for segment in said)
        shown = text if len(text) <= _LONGEST_TURN else text[:_LONGEST_TURN] + " …"
        found.append(f"{_clock(said[0].start)} {f'**{escaped(speaker)}** ' if speaker else ''}{escaped(shown)}")
    return found


def _clock(seconds: float) -> str:
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"
