"""What a feed keeps beside an episode's audio: its chapters, and the transcripts that its publisher has made.

Formats: https://github.com/Podcastindex-org/podcast-namespace, docs/examples/chapters/jsonChapters.md and
docs/examples/transcripts/transcripts.md (SRT, WebVTT, JSON, HTML, text). Asked for behind the same guard, and with the
same logins, as the audio. What cannot be had or read costs only itself.
"""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import PurePosixPath
from typing import Any
from urllib.parse import unquote, urlsplit

from channelscribe.errors import ChannelscribeError
from channelscribe.export import subtitles
from channelscribe.settings.options import SourceOptions
from channelscribe.sources.addresses import display_url, with_login
from channelscribe.sources.feeds import chapters_of, seconds_in, seconds_of
from channelscribe.sources.markup import decode, read_html
from channelscribe.sources.polling import get
from channelscribe.sources.ytdlp import SafeYoutubeDL, YtdlpLog, open_ytdlp, signed_in
from channelscribe.transcript import Segment

__all__ = [
    "Beside",
    "PublisherFile",
    "best_transcript",
    "fetch_beside",
    "read_chapters",
    "read_transcript",
]

LARGEST_BYTES = 8 << 20
MOST_TRANSCRIPTS = 8
_KINDS = {
    "application/srt": "srt",
    "application/x-subrip": "srt",
    "text/srt": "srt",
    "text/vtt": "vtt",
    "application/json": "json",
    "text/html": "html",
    "text/plain": "txt",
}
_ENDINGS = {"srt": "srt", "vtt": "vtt", "json": "json", "html": "html", "htm": "html", "txt": "txt"}
_LONGEST_SEGMENT = 20.0  # seconds; about what the recognizer gives at once
_PAUSE = 1.5
_SENTENCE_END = re.compile("[.!?…。！？؟।][\"'”’」』）)]*$")

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class PublisherFile:
    """A transcript as its publisher has it. `kind` is srt, vtt, json, html or txt; `language` as the feed tells it, or
    empty; `timed` says whether all of it has times.
    """

    kind: str
    language: str
    content: bytes
    timed: bool


@dataclass(slots=True)
class Beside:
    """`chapters` are [seconds, title] in order; `notes` say what could not be had, and why."""

    chapters: list[list[Any]] = field(default_factory=list)
    transcripts: list[PublisherFile] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def fetch_beside(media_url: str, about: Mapping[str, Any], options: SourceOptions) -> Beside:
    """What `about` (see `ListedVideo.about`) says that there is, as far as it can be had now.

    `media_url` is the audio's own address: what lies on the same host gets its user and password.
    """
    found = Beside()
    told = list(about.get("transcripts") or ())[:MOST_TRANSCRIPTS]
    if about.get("chapters_url"):
        content = _fetched(str(about["chapters_url"]), media_url, options, found)
        found.chapters = read_chapters(content) if content is not None else []
    for each in told:
        url, kind = str(each.get("url")), _kind(each)
        if kind is None or any((kind, each.get("language", "")) == (known.kind, known.language)
                               for known in found.transcripts):  # fmt: skip
            continue
        content = _fetched(url, media_url, options, found)
        if content is None:
            continue
        try:
            timed = bool(read_transcript(content, kind))
        except ValueError as error:
            found.notes.append(f"{display_url(url)} is not a transcript: {error}.")
            continue
        found.transcripts.append(PublisherFile(kind, str(each.get("language") or ""), content, timed))
    for note in found.notes:
        _log.warning("%s", note)
    return found


def _kind(told: Mapping[str, Any]) -> str | None:
    """By its type, where that is one of the formats', else by the ending of its name."""
    ending = PurePosixPath(unquote(urlsplit(str(told.get("url"))).path)).suffix.removeprefix(".").lower()
    return _KINDS.get(str(told.get("type")).lower()) or _ENDINGS.get(ending)


def _fetched(url: str, media_url: str, options: SourceOptions, found: Beside) -> bytes | None:
    plain, own = signed_in(with_login(url, media_url), options)
    try:
        with _open(own) as ydl:
            content = get(ydl, plain, {}, largest=LARGEST_BYTES).content
    except ChannelscribeError as error:
        found.notes.append(f"{display_url(url)} could not be fetched: {error.message}")
        return None
    return content or None


def _open(options: SourceOptions) -> SafeYoutubeDL:
    return open_ytdlp(options, YtdlpLog())


def read_chapters(content: bytes) -> list[list[Any]]:
    """[seconds, title] of JSON chapters, in order; those that are not for a table of contents are left out."""
    try:
        read = json.loads(decode(content)[0])
        given = read["chapters"]
    except (ValueError, KeyError, TypeError, RecursionError):
        return []
    return chapters_of(given)


def read_transcript(content: bytes, kind: str) -> list[Segment]:
    """A publisher's transcript as segments of a few sentences, by speaker, in order; none where it has no times.

    Raises ValueError for what is not of its kind, such as a page in place of subtitles.
    """
    text = decode(content)[0]
    if kind != "html" and re.match(r"\s*<(!doctype|html|\?xml)", text, re.IGNORECASE):
        raise ValueError("it is a web page")
    if kind in ("srt", "vtt"):
        return _joined(subtitles.parse(text))
    if kind == "json":
        return _joined(_json(text))
    if kind == "html":
        return _joined(_html(content))
    if "\x00" in text or not text.strip():
        raise ValueError("it is no text")
    return []


def _json(text: str) -> list[Segment]:
    """{"segments": [{"speaker", "startTime", "endTime", "body"}]}; often a word each."""
    try:
        given = json.loads(text)["segments"]
        found = []
        for each in given:
            start, end = (seconds_in(each.get(name, each.get(short))) for name, short in
                          (("startTime", "start"), ("endTime", "end")))  # fmt: skip
            words = " ".join(str(each.get("body", each.get("text", ""))).split())
            if start is not None and words:
                speaker = " ".join(str(each.get("speaker") or "").split()) or None
                found.append(Segment(start, max(start, end if end is not None else start), words, speaker))
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise ValueError("it has no list of segments") from error
    return found


def _html(content: bytes) -> list[Segment]:
    """<cite>Name:</cite><time>0:00</time><p>What was said.</p>, over and over. The end is where the next one begins."""
    root = read_html(content)
    if root is None:
        raise ValueError("there is nothing in it")
    speaker: str | None = None
    start: float | None = None
    found: list[Segment] = []
    for each in root.iter("cite", "time", "p"):
        words = " ".join("".join(map(str, each.itertext())).split())
        if each.tag == "cite":
            speaker = words.rstrip(": ") or None
        elif each.tag == "time":
            start = 0.0 if re.fullmatch(r"[0:.]+", words) else seconds_of(words)
        elif words:
            if start is None:
                return []
            found.append(Segment(start, start, words, speaker))
    for segment, following in pairwise(found):
        segment.end = max(segment.start, following.start)
    if found:
        found[-1].end = found[-1].start + len(found[-1].text) / 15  # characters a second; nobody tells its end
    return found


def _joined(segments: Iterable[Segment]) -> list[Segment]:
    """Cues end in the middle of a sentence, and often of a word's time: what belongs together is joined."""
    found: list[Segment] = []
    for each in sorted(segments, key=lambda segment: segment.start):
        last = found[-1] if found else None
        if last is not None and _goes_on(last, each):
            found[-1] = Segment(last.start, max(last.end, each.end), f"{last.text} {each.text}", last.speaker)
        else:
            found.append(each)
    return found


def _goes_on(last: Segment, following: Segment) -> bool:
    return (
        (following.speaker is None or following.speaker == last.speaker)
        and following.start - last.end < _PAUSE
        and following.end - last.start <= _LONGEST_SEGMENT
        and not _SENTENCE_END.search(last.text)
    )


def best_transcript(files: Sequence[Mapping[str, Any]], language: str | None) -> Mapping[str, Any] | None:
    """Which of an episode's transcripts (with "timed" and "language") may take the place of recognition: one that has
    times, in that language where it is asked for, else the feed's first.
    """
    timed = [each for each in files if each.get("timed") and each.get("language")]
    meant = [each for each in timed if language and str(each["language"]).lower().startswith(language)]
    return next(iter(meant if language else timed), None)
