"""SubRip, WebVTT and tab-separated times: written as the library publishes them or as whisperX's command line does, and
read, ours, WhisperX's and others'.

Needs nothing. WebVTT is escaped as https://www.w3.org/TR/webvtt1/ asks; SubRip has no escapes, so an arrow in the text
becomes "->", as WhisperX does it. One reader for both: a line with two times begins a cue, an empty line ends it.
WebVTT's markup is taken out; a voice span, or the "[NAME]:" that WhisperX writes, is the speaker.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from html import unescape

from channelscribe.export.cues import Cue, Layout, bracketed, cues
from channelscribe.export.readable import readable
from channelscribe.settings.options import SubtitleOptions
from channelscribe.transcript import Segment, Transcript, VideoMeta

__all__ = ["parse", "render_srt", "render_tsv", "render_vtt"]

DEFAULTS = SubtitleOptions()
_HOUR = 3_600_000  # milliseconds

_CLOCK = r"(?:(\d+):)?([0-5]?\d):([0-5]?\d)[.,](\d{1,3})"
_TIMES = re.compile(rf"^\s*{_CLOCK}\s*-->\s*{_CLOCK}(?:\s.*)?$")
_VOICE = re.compile(r"<v(?:\.[^\s>]{0,80})?\s([^>]{1,200})>")
_NAMED = re.compile(r"^\[([^\]\n]{1,80})\]:\s*")
# Only known tags: speech about HTML stays what it is.
_MARKUP = re.compile(r"</?(?:[bcisuv]|lang|ruby|rt|font)(?:[.\s][^<>]{0,200})?>|<[\d:.]{9,14}>")


def render_srt(
    transcript: Transcript, meta: VideoMeta, layout: Layout | None = None, options: SubtitleOptions = DEFAULTS
) -> str:
    """Numbered cues, the speaker in brackets before the text."""
    return "".join(
        f"{number}\n{_clock(cue.start, ',')} --> {_clock(cue.end, ',')}\n{_prefixed(cue, _no_arrow)}\n\n"
        for number, cue in enumerate(_cut(transcript, layout, options, named=True), start=1)
    )


def render_vtt(
    transcript: Transcript, meta: VideoMeta, layout: Layout | None = None, options: SubtitleOptions = DEFAULTS
) -> str:
    """A header, notes with title and address and with the chapters, and the cues, the speaker as a voice span.

    With a `layout` as whisperX: no note, the speaker in brackets, no hours before the first one.
    """
    if layout is not None:
        head, stamp, said = "", _short, _prefixed
    else:
        note = "\n".join(_escaped(" ".join(line.split())) for line in (meta.title, meta.url) if line.strip())
        head, stamp, said = (f"NOTE\n{note}\n\n" if note else "") + _chapters(meta), _long, _voiced
    return f"WEBVTT\n\n{head}" + "".join(
        f"{stamp(cue.start)} --> {stamp(cue.end)}\n{said(cue, _escaped)}\n\n"
        for cue in _cut(transcript, layout, options, named=layout is not None)
    )


def _chapters(meta: VideoMeta) -> str:
    lines = [f"{_long(round(start * 1000))} {_escaped(title)}" for start, title in meta.chapters]
    return "\n".join(["NOTE Chapters", *lines]) + "\n\n" if lines else ""


def _cut(transcript: Transcript, layout: Layout | None, options: SubtitleOptions, *, named: bool) -> list[Cue]:
    """Cues for people, but where a `layout` asks for those of whisperX."""
    if layout is None or layout.readable:
        return readable(transcript, options, named=named)
    return cues(transcript, layout)


def render_tsv(
    transcript: Transcript, meta: VideoMeta, layout: Layout | None = None, options: SubtitleOptions = DEFAULTS
) -> str:
    """Start, end (whole milliseconds) and text of each segment under a header, tabs between; as whisperX, too."""
    return "".join(["start\tend\ttext\n", *(f"{cue.start}\t{cue.end}\t{cue.text}\n" for cue in cues(transcript))])


def _prefixed(cue: Cue, escape: Callable[[str], str]) -> str:
    return escape(bracketed(cue.speaker)) + _marked(cue, escape)


def _voiced(cue: Cue, escape: Callable[[str], str]) -> str:
    return (f"<v {escape(' '.join(cue.speaker.split()))}>" if cue.speaker else "") + _marked(cue, escape)


def _marked(cue: Cue, escape: Callable[[str], str]) -> str:
    if cue.underlined is None:
        return escape(cue.text)
    first, last = cue.underlined
    return f"{escape(cue.text[:first])}<u>{escape(cue.text[first:last])}</u>{escape(cue.text[last:])}"


def _no_arrow(text: str) -> str:
    return text.replace("-->", "->")


def _escaped(text: str) -> str:
    # ">" need not be escaped but in "-->", which ends a cue's text
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _clock(milliseconds: int, decimal_mark: str) -> str:
    """hh:mm:ss and three decimals; hours take as many digits as they need."""
    seconds, thousandths = divmod(milliseconds, 1000)
    minutes, seconds = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours:02d}:{minutes:02d}:{seconds:02d}{decimal_mark}{thousandths:03d}"


def _long(milliseconds: int) -> str:
    return _clock(milliseconds, ".")


def _short(milliseconds: int) -> str:
    """hh:mm:ss.mmm, without the hours where there are none."""
    return _long(milliseconds) if milliseconds >= _HOUR else _long(milliseconds)[3:]


def parse(text: str) -> list[Segment]:
    """The cues that have text, in the order of the file. Raises ValueError where there is no cue at all."""
    found = [_segment(*cue) for cue in _cues(text)]
    if not found:
        raise ValueError("it has no subtitle with two times")
    return [segment for segment in found if segment.text]


def _cues(text: str) -> Iterator[tuple[float, float, list[str]]]:
    times: tuple[float, float] | None = None
    lines: list[str] = []
    for line in [*text.splitlines(), ""]:
        begins = _TIMES.match(line)
        if times is not None and (begins or not line.strip()):
            yield *times, lines
            times, lines = None, []
        if begins:
            parts = begins.groups()
            times = _seconds(*parts[:4]), _seconds(*parts[4:])
        elif times is not None:
            lines.append(line)


def _seconds(hours: str | None, minutes: str, seconds: str, fraction: str) -> float:
    whole = int(hours or 0) * 3600 + int(minutes) * 60 + int(seconds)
    return round(whole + int(fraction.ljust(3, "0")) / 1000, 3)


def _segment(start: float, end: float, lines: list[str]) -> Segment:
    text = " ".join(" ".join(lines).split())
    voice, named = _VOICE.search(text), _NAMED.match(text)
    speaker = unescape(voice[1]).strip() if voice else named[1] if named else None
    text = unescape(_MARKUP.sub("", text[named.end() :] if named else text)).strip()
    return Segment(start, max(start, end), text, speaker)
