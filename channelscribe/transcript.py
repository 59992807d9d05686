"""What a transcript is: segments of words with times, speakers and how sure we are.

All times are seconds on the ORIGINAL video's timeline. Text is what was recognized, casing and punctuation
included. These records travel between stages as JSON (`to_dict` / `from_dict`), never as pickles.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

FILE_FORMATS = ("txt", "srt", "vtt", "tsv", "json")
"""What a transcript is written as (`channelscribe.export`): names, and the endings of files."""

CORPUS_FORMATS = ("jsonl", "parquet")
"""What a whole channel is written as (`channelscribe.export.corpus`)."""


@dataclass(frozen=True, slots=True)
class VideoMeta:
    """What a transcript's files say about its video; `published` is an ISO 8601 date or time, `chapters` are
    (seconds, title).

    Titles come from anywhere: each format cleans them.
    """

    title: str
    url: str
    id: str | None = None
    channel: str | None = None
    published: str | None = None
    chapters: tuple[tuple[float, str], ...] = ()

    @classmethod
    def titled(cls, chapters: Iterable[Sequence[Any]]) -> tuple[tuple[float, str], ...]:
        """Chapters as rows have them, those without a title left out."""
        return tuple((float(start), " ".join(str(title).split())) for start, title in chapters if str(title).strip())


@dataclass(slots=True)
class Word:
    """One recognized word, and who timed it: an aligner (`aligned`, `score` its own, 0 to 1), or else the recognizer's
    attention (`score` how likely it found the word), or nobody: interpolated, without a score.
    """

    text: str
    start: float
    end: float
    score: float | None = None
    speaker: str | None = None
    aligned: bool = True


@dataclass(slots=True)
class Segment:
    """One subtitle-sized stretch of speech. `avg_logprob` is the recognizer's mean token log-probability.

    `flags` says why the quality gate doubts it (`channelscribe.speech.quality_gate.FLAGS`); mostly it does not.
    `language` is None where it is the transcript's own.
    """

    start: float
    end: float
    text: str
    speaker: str | None = None
    avg_logprob: float | None = None
    words: list[Word] = field(default_factory=list)
    flags: list[str] = field(default_factory=list)
    language: str | None = None


@dataclass(slots=True)
class Turn:
    """One stretch of one speaker."""

    start: float
    end: float
    speaker: str


@dataclass(slots=True)
class Transcript:
    """A whole transcript of one video.

    `models` names what made it: {"recognizer": {...}, "aligner": {...}, "diarizer": {...}} with name and revision.
    `no_speech` is True when the voice activity detector found nothing to transcribe. `quality` is what the stages
    measured (`channelscribe.speech.assemble`), `stages` what each took and ran on (`channelscribe.speech.provenance`);
    both are empty in transcripts of earlier versions. `names` are what people called speakers, by label: those names
    stand in the labels' places then.
    """

    language: str
    duration: float
    segments: list[Segment] = field(default_factory=list)
    turns: list[Turn] = field(default_factory=list)
    models: dict[str, Any] = field(default_factory=dict)
    no_speech: bool = False
    quality: dict[str, Any] = field(default_factory=dict)
    stages: dict[str, Any] = field(default_factory=dict)
    names: dict[str, str] = field(default_factory=dict)

    def name_speakers(self, names: Mapping[str, str]) -> None:
        """Put names in the places of labels, in segments, words and turns."""
        for segment in self.segments if names else ():
            segment.speaker = names.get(segment.speaker or "", segment.speaker)
            for word in segment.words:
                word.speaker = names.get(word.speaker or "", word.speaker)
        for turn in self.turns if names else ():
            turn.speaker = names.get(turn.speaker, turn.speaker)
        self.names = {**self.names, **names}

    @property
    def words(self) -> list[Word]:
        return [word for segment in self.segments for word in segment.words]

    @property
    def text(self) -> str:
        """The segments' texts, joined by single spaces: character spans of readings point into this."""
        return " ".join(segment.text.strip() for segment in self.segments if segment.text.strip())

    @property
    def speakers(self) -> list[str]:
        named = {word.speaker for segment in self.segments for word in segment.words}
        return sorted({turn.speaker for turn in self.turns} | {speaker for speaker in named if speaker})

    def to_dict(self) -> dict[str, Any]:
        """As JSON has it. A segment in the transcript's own language does not name it, nor are there `names` without
        any: files of transcripts from before are made again to the byte.
        """
        made = asdict(self)
        if not self.names:
            del made["names"]
        for segment in made["segments"]:
            if segment["language"] is None:
                del segment["language"]
        return made

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Transcript:
        segments = [
            Segment(**{**item, "words": [Word(**word) for word in item.get("words", [])]})
            for item in data.get("segments", [])
        ]
        turns = [Turn(**item) for item in data.get("turns", [])]
        return cls(**{**data, "segments": segments, "turns": turns})
