"""A transcript from a file: txt, srt, vtt or json, ours, WhisperX's or others'. Needs nothing, writes nothing.

Only JSON says its language. For the rest it is the ending before the ending, as players have it (`talk.de.srt`), or
the one that the caller assumes.
"""

from __future__ import annotations

from pathlib import Path

from channelscribe.errors import TextError
from channelscribe.export import plain_text, subtitles, whisperx_json
from channelscribe.languages import CODES
from channelscribe.transcript import Transcript

__all__ = ["ENDINGS", "load_transcript", "name_and_language"]

ENDINGS = (".json", ".vtt", ".srt", ".txt")
"""Those that tell most come first."""
LARGEST = 256 << 20  # bytes; ten hours with words are 10 MB


def name_and_language(path: Path) -> tuple[str, str | None]:
    """The file's name without endings, and the language that it tells: ("talk", "de") for `talk.de.srt`."""
    name, _, code = path.stem.rpartition(".")
    return (name, code) if name and code in CODES else (path.stem, None)


def load_transcript(path: Path, language: str) -> Transcript:
    """The file's transcript, in `language` where nothing tells another. Raises TextError for what is not one."""
    try:
        if path.stat().st_size > LARGEST:
            raise ValueError(f"it is larger than {LARGEST >> 20} MB")
        text = path.read_text(encoding="utf-8-sig")
        return _parse(text, path.suffix.lower(), name_and_language(path)[1] or language)
    except OSError as error:
        raise TextError(f"{path.name} cannot be read: {error.strerror}.") from error
    except UnicodeDecodeError as error:
        raise TextError(f"{path.name} is not UTF-8 text.", remedy="Save it as UTF-8.") from error
    except (ValueError, RecursionError) as error:
        raise TextError(f"{path.name} is not a transcript: {error}.", remedy="Known: txt, srt, vtt, json.") from error


def _parse(text: str, ending: str, language: str) -> Transcript:
    if "\x00" in text:
        raise ValueError("it holds binary data")
    if ending == ".json":
        return whisperx_json.parse(text, language)
    segments = plain_text.parse(text) if ending == ".txt" else subtitles.parse(text)
    return Transcript(language, max((segment.end for segment in segments), default=0.0), segments)
