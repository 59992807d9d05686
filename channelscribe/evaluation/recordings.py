"""A folder of recordings with their truth, and what a transcript is worth against it.

Needs the extras `speech` and `evaluate`; leaves nothing behind. Beside a recording, under the same name, lie `.txt`
(what is said), `.stm` (what is said, when, by whom: NIST's), `.ctm` (when each word is said) and `.rttm` (who speaks
when); each of them may be missing, and what cannot be measured then is None.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

from channelscribe.errors import UsageError
from channelscribe.evaluation import metrics
from channelscribe.languages import is_without_spaces
from channelscribe.speech.quality_gate import coverage
from channelscribe.transcript import Turn, Word

__all__ = ["SUFFIXES", "Heard", "Recording", "Truth", "edits", "figures", "recordings", "together"]

SUFFIXES = frozenset({".flac", ".wav", ".mp3", ".m4a", ".aac", ".ogg", ".opus", ".mp4", ".mkv", ".webm"})
_NEAR = 0.25  # seconds that a word may stand outside of what is spoken: annotators are no sharper
_IGNORED = "ignore_time_segment_in_scoring"  # in an .stm


@dataclass(frozen=True)
class Truth:
    """What is known of a recording; None for what is not. `starts`: (place of a word in `words`, seconds); `speakers`:
    who says each of `words`.
    """

    words: list[str] | None = None
    starts: list[tuple[int, float]] = field(default_factory=list)
    turns: list[Turn] | None = None
    speakers: list[str] | None = None

    @property
    def speech(self) -> list[tuple[float, float]] | None:
        return None if self.turns is None else sorted((turn.start, turn.end) for turn in self.turns)


@dataclass(frozen=True)
class Recording:
    """`group`: the folder that it lies in, below the one that is evaluated."""

    path: Path
    name: str
    group: str
    truth: Truth


@dataclass
class Heard:
    """What a system made of a recording. `words` and `turns` are None where it does not tell; `cues` (start, end).

    `cpu_seconds` and `wall_seconds` are what it took, models not loaded; `note` what it could not do.
    """

    text: str
    words: list[Word] | None
    turns: list[Turn] | None
    cues: list[tuple[float, float]]
    language: str | None
    seconds: float
    cpu_seconds: float = 0.0
    wall_seconds: float = 0.0
    coverage: float | None = None
    note: str | None = None


def recordings(folder: Path) -> list[Recording]:
    """All recordings below `folder`, by path. Raises UsageError where there is none, or a truth cannot be read."""
    if not folder.is_dir():
        raise UsageError(f"{folder} is no folder.", remedy="Name a folder of recordings and their truths.")
    paths = sorted(path for path in folder.rglob("*") if path.suffix.lower() in SUFFIXES and path.is_file())
    if not paths:
        raise UsageError(f"There is no recording in {folder}.", remedy=f"Known are {', '.join(sorted(SUFFIXES))}.")
    return [
        Recording(
            path, str(path.relative_to(folder).with_suffix("")), str(path.parent.relative_to(folder)), _truth(path)
        )
        for path in paths
    ]


def _truth(recording: Path) -> Truth:
    truth = Truth()
    for suffix, read in ((".txt", _txt), (".rttm", _rttm), (".stm", _stm), (".ctm", _ctm)):
        path = recording.with_suffix(suffix)
        if path.is_file():
            try:
                truth = read(truth, path.read_text(encoding="utf-8"))
            except (ValueError, IndexError) as error:
                said = f"{path} cannot be read as {suffix[1:]}: {error}."
                raise UsageError(said, remedy="Mend it, or take it away.") from error
    return truth


def _txt(truth: Truth, text: str) -> Truth:
    return Truth(text.split(), truth.starts, truth.turns)


def _lines(text: str) -> Iterator[list[str]]:
    return (line.split() for line in text.splitlines() if line.strip() and not line.startswith(";;"))


def _rttm(truth: Truth, text: str) -> Truth:
    turns = [Turn(float(f[3]), float(f[3]) + float(f[4]), f[7]) for f in _lines(text) if f[0] == "SPEAKER"]
    return Truth(truth.words, truth.starts, turns)


def _stm(truth: Truth, text: str) -> Truth:
    words: list[str] = []
    speakers: list[str] = []
    starts, turns = [], []
    for file, channel, speaker, start, end, *said in _lines(text):
        del file, channel
        said = said[1:] if said and said[0].startswith("<") and said[0].endswith(">") else said
        if _IGNORED in (word.lower() for word in said):
            continue
        if said:
            starts.append((len(words), float(start)))
        words += said
        speakers += [speaker] * len(said)
        turns.append(Turn(float(start), float(end), speaker))
    if truth.words:
        return Truth(truth.words, [], truth.turns or turns)
    return Truth(words, starts, truth.turns or turns, speakers)


def _ctm(truth: Truth, text: str) -> Truth:
    timed = sorted((float(f[2]), f[4]) for f in _lines(text))
    return Truth([word for _, word in timed], [(place, start) for place, (start, _) in enumerate(timed)], truth.turns)


def edits(truth: Sequence[str], heard: str, language: str | None) -> Any:
    """jiwer's alignment of words, as Whisper's normalizer leaves them; characters where there are no spaces."""
    import jiwer

    if is_without_spaces(language):
        return jiwer.process_words(" ".join(normalized("".join(truth), language)), normalized(heard, language))
    return jiwer.process_words(normalized(" ".join(truth), language), normalized(heard, language))


def normalized(text: str, language: str | None) -> str:
    """As Whisper's own evaluation: English numbers, contractions and fillers as one, other languages without marks."""
    from transformers.models.whisper.english_normalizer import BasicTextNormalizer, EnglishTextNormalizer

    # The list of British spellings is not part of the package.
    whisper = EnglishTextNormalizer({}) if language in ("en", None) else BasicTextNormalizer()
    if is_without_spaces(language):
        whisper = BasicTextNormalizer(split_letters=True)
    return " ".join(str(whisper(text)).split())


def figures(recording: Recording, heard: Heard) -> dict[str, Any]:
    """Counts and figures of one recording; those that begin with _ are for `together`. Seconds and shares of 1."""
    truth, found = recording.truth, dict[str, Any]()
    if truth.words:
        found |= _word_figures(truth.words, heard)
    starts = _start_errors(truth, heard)
    wrong, total = _diarization(truth, heard)
    right, compared = _by_speaker(truth, heard)
    spoken = truth.speech
    words = heard.words or []
    covered = None
    if spoken and heard.words is not None:
        whole = sum(end - start for start, end in _joined(spoken))
        covered = coverage(_joined(spoken), [(word.start, word.end) for word in words])[0] / whole if whole else None
    return {
        "language": heard.language,
        "wer": None,
        "cer": None,
        **found,
        **_starts(starts),
        "der": wrong / total if total else None,
        "right_speaker": right / compared if compared else None,
        "coverage": heard.coverage if covered is None else covered,
        "longest_cue": max((end - start for start, end in heard.cues), default=0.0),
        "longest_pause_in_cue": _longest_pause(heard),
        "invented_seconds": _invented(truth, heard),
        "cpu_factor": heard.seconds / heard.cpu_seconds if heard.cpu_seconds else None,
        "wall_factor": heard.seconds / heard.wall_seconds if heard.wall_seconds else None,
        "seconds": heard.seconds,
        "note": heard.note,
        "_starts": starts,
        "_der": (wrong, total),
        "_speakers": (right, compared),
        "_spent": (heard.cpu_seconds, heard.wall_seconds),
    }


def together(each: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """The same figures of several recordings as one."""

    def added(name: str, place: int) -> float:
        return float(sum(one[name][place] for one in each if name in one))

    def share(name: str) -> float | None:
        return added(name, 0) / added(name, 1) if added(name, 1) else None

    covered = [(one["coverage"] * one["seconds"], one["seconds"]) for one in each if one["coverage"] is not None]
    seconds = sum(one["seconds"] for one in each)
    invented = [one["invented_seconds"] for one in each if one["invented_seconds"] is not None]
    return {
        "wer": share("_words"),
        "cer": share("_characters"),
        **_starts([error for one in each for error in one["_starts"]]),
        "der": share("_der"),
        "right_speaker": share("_speakers"),
        "coverage": sum(part for part, _ in covered) / sum(whole for _, whole in covered) if covered else None,
        "longest_cue": max((one["longest_cue"] for one in each), default=0.0),
        "longest_pause_in_cue": max((one["longest_pause_in_cue"] or 0.0 for one in each), default=0.0),
        "invented_seconds": sum(invented) if invented else None,
        "cpu_factor": seconds / added("_spent", 0) if added("_spent", 0) else None,
        "wall_factor": seconds / added("_spent", 1) if added("_spent", 1) else None,
        "seconds": seconds,
    }


def _word_figures(truth: Sequence[str], heard: Heard) -> dict[str, Any]:
    import jiwer

    said = normalized(" ".join(truth), heard.language)
    if not said:
        return {}
    got = normalized(heard.text, heard.language)
    words, characters = jiwer.process_words(said, got), jiwer.process_characters(said, got)
    counts = {}
    for name, found in (("_words", words), ("_characters", characters)):
        wrong = found.substitutions + found.deletions + found.insertions
        counts[name] = (wrong, found.substitutions + found.deletions + found.hits)
    return {
        "wer": counts["_words"][0] / counts["_words"][1],
        "cer": counts["_characters"][0] / counts["_characters"][1],
    } | counts


def _start_errors(truth: Truth, heard: Heard) -> list[float]:
    """Of words that were recognized rightly and of which it is known when they begin."""
    if not truth.words or not truth.starts or heard.words is None:
        return []
    known = dict(truth.starts)
    said, got = (
        [metrics.normalize(word) for word in truth.words],
        [metrics.normalize(word.text) for word in heard.words],
    )
    pairs = metrics.edit_pairs(said, got)
    return [
        abs(heard.words[j].start - known[i])
        for i, j in pairs
        if i is not None and j is not None and i in known and said[i] == got[j]
    ]


def _starts(errors: Sequence[float]) -> dict[str, float | None]:
    middle, p90 = metrics.median_and_p90(errors) if errors else (None, None)
    return {"word_start_median": middle, "word_start_p90": p90}


def _diarization(truth: Truth, heard: Heard) -> tuple[float, float]:
    if truth.turns is None or heard.turns is None:
        return 0.0, 0.0
    return metrics.diarization_error_rate(truth.turns, heard.turns, collar=0.0)


def _by_speaker(truth: Truth, heard: Heard) -> tuple[int, int]:
    """(words with the right speaker, words of which it is known who says them); speakers as they fit best."""
    if not truth.words or truth.speakers is None or heard.turns is None or not heard.words:
        return 0, 0
    said = [Word(text, 0.0, 0.0, speaker=who) for text, who in zip(truth.words, truth.speakers, strict=True)]
    return metrics.word_speaker_matches(said, heard.words)


def _invented(truth: Truth, heard: Heard) -> float | None:
    """Seconds of words where nobody speaks."""
    if truth.words == []:
        return sum(end - start for start, end in heard.cues)
    if truth.speech is None or heard.words is None:
        return None
    near = _joined([(start - _NEAR, end + _NEAR) for start, end in truth.speech])
    return sum(
        max(0.0, word.end - word.start - sum(max(0.0, min(word.end, b) - max(word.start, a)) for a, b in near))
        for word in heard.words
    )


def _longest_pause(heard: Heard) -> float | None:
    """The longest pause between words that a cue stands over."""
    if heard.words is None:
        return None
    pauses = [(one.end, other.start) for one, other in pairwise(heard.words)]
    return max(
        (later - before for before, later in pauses for start, end in heard.cues if start < before and later < end),
        default=0.0,
    )


def _joined(stretches: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    found: list[tuple[float, float]] = []
    for start, end in sorted(stretches):
        if found and start <= found[-1][1]:
            found[-1] = (found[-1][0], max(found[-1][1], end))
        else:
            found.append((start, end))
    return found
