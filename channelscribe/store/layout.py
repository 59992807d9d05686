"""Where each thing is in the store. Ids only, never titles; every key is checked before it becomes a path.

    audio_files/<site>/<id>.<ext>                   the archive (mp3 by default); a new download takes its place
    audio_parts/<site>/<id>/<made>-<part>.<ext>     its parts, and the speech track's, where `split` is a step
    originals/<site>/<id>/<format>.<ext>            the track as the site gave it; a new download takes its place
    originals/<site>/<id>/cover.image               its picture, as the site gave it
    speech_tracks/<site>/<id>/<speech>.flac         16 kHz mono, what the models hear
    checkpoints/<step>/<key>.json                   results of recognize, align, diarize; voices: heard with the latter
    transcriptions/<site>/<id>/<transcript>.<format>  the text, as txt, srt, vtt, tsv, json
    transcriptions/<site>/<id>/publisher-<language>.<kind>  the publisher's own, as it is: srt, vtt, json, html, txt
    processed/<site>/<id>/<transcript>.json         sentences, tokens, entities
    results/<site>/<id>/<step>-v<n>-<key>.json      what a step answered about this video: keys of the above
    results/<step>/<step>-v<n>-<key>.json           what a step answered that videos may share
    watches/<name>.atom                             what a watch found last, as a feed

<speech>, <made> and <transcript> are the first 12 digits of a sha256 or content key.
"""

from __future__ import annotations

import re

from channelscribe.errors import KeyRefused
from channelscribe.sources.identifiers import safe_id

__all__ = [
    "CHECKPOINTS",
    "KINDS",
    "RESULTS",
    "archive_key",
    "check_key",
    "checkpoint_key",
    "cover_key",
    "feed_key",
    "is_ours",
    "original_key",
    "part_key",
    "publisher_key",
    "reading_key",
    "result_key",
    "result_of",
    "speech_key",
    "transcript_key",
    "video_of",
    "voices_key",
]

KINDS = {
    "audio_files": "archives",
    "audio_parts": "audio_parts",
    "originals": "originals",
    "speech_tracks": "speech_tracks",
    "transcriptions": "transcripts",
    "processed": "readings",
    "results": "results",
}
"""Folders whose keys name a video, and what is in them. Everything else but `checkpoints` is somebody else's."""
CHECKPOINTS = "checkpoints"
RESULTS = "results"
SHORT = 12
LONGEST_PART = 200
LONGEST_KEY = 900
# No leading dot, so neither `..` nor hidden names; a leading dash is fine, video ids have it.
_PART = re.compile(rf"[A-Za-z0-9_-][A-Za-z0-9_.+-]{{0,{LONGEST_PART - 1}}}")
_PLAIN = re.compile(r"[A-Za-z0-9_-]+")
_KEY_DIGITS = re.compile(r"[0-9a-f]{12,64}")
_CHECKPOINT = re.compile(rf"{CHECKPOINTS}/[A-Za-z0-9_-]+/[0-9a-f]{{12,64}}\.json")
_SHARED_RESULT = re.compile(rf"{RESULTS}/([A-Za-z0-9_-]+)/\1-v\d+-([0-9a-f]{{12,64}})\.json")


def check_key(key: str) -> str:
    """`key` itself. Raises KeyRefused unless it is relative, without `..` and of A-Z a-z 0-9 _ - . + only."""
    if len(key) > LONGEST_KEY or not all(_PART.fullmatch(part) for part in key.split("/")):
        raise KeyRefused(f"{key[:100]!r} cannot be a key in the store.")
    return key


def video_of(key: str) -> tuple[str, str] | None:
    """Site and id of the video that an object is of; None when the key is none of ours, or of several videos."""
    parts = key.split("/")
    if parts[0] not in KINDS or len(parts) != (3 if parts[0] == "audio_files" else 4):
        return None
    return parts[1], parts[2].partition(".")[0]


def is_ours(key: str) -> bool:
    """Whether a key is named as ours are. In a bucket or folder without a prefix of our own others have theirs."""
    return video_of(key) is not None or bool(_CHECKPOINT.fullmatch(key) or _SHARED_RESULT.fullmatch(key))


def result_of(key: str) -> str | None:
    """The checkpoint that a result names, which videos may share; None when the key is of something else."""
    found = _SHARED_RESULT.fullmatch(key)
    return f"{CHECKPOINTS}/{found[1]}/{found[2]}.json" if found else None


def archive_key(site: str, video_id: str, extension: str = "mp3") -> str:
    """The archived audio of a video."""
    return _join("audio_files", site, f"{_plain(video_id)}.{_plain(extension)}")


def part_key(site: str, video_id: str, made_from: str, name: str, extension: str) -> str:
    """A part of what was made from this source and these options; `name` such as archive-001."""
    return _join("audio_parts", site, _plain(video_id), f"{_short(made_from)}-{_plain(name)}.{_plain(extension)}")


def original_key(site: str, video_id: str, format_id: str, extension: str) -> str:
    """The audio track as it was downloaded, in its own container. Sites name their formats as they like."""
    return _join("originals", site, _plain(video_id), f"{safe_id(format_id)}.{_plain(extension)}")


def cover_key(site: str, video_id: str) -> str:
    """The picture of a video, as the site gave it."""
    return _join("originals", site, _plain(video_id), "cover.image")


def speech_key(site: str, video_id: str, speech_sha256: str) -> str:
    """The speech track (16 kHz mono FLAC) with this sha256."""
    return _join("speech_tracks", site, _plain(video_id), f"{_short(speech_sha256)}.flac")


def checkpoint_key(step: str, key: str) -> str:
    """The result of a speech step with this content key."""
    return _join("checkpoints", _plain(step), f"{_digits(key)}.json")


def voices_key(diarization: str) -> str | None:
    """Where the voices are that were heard with a diarization, by its key; None for the key of anything else."""
    folder, _, name = diarization.rpartition("/")
    return f"{CHECKPOINTS}/voices/{name}" if folder == f"{CHECKPOINTS}/diarize" else None


def transcript_key(site: str, video_id: str, transcript_id: str, extension: str) -> str:
    """A transcript in one of its formats: txt, srt, vtt, tsv, json."""
    return _join("transcriptions", site, _plain(video_id), f"{_short(transcript_id)}.{_plain(extension)}")


def publisher_key(site: str, video_id: str, language: str, kind: str) -> str:
    """A transcript that the publisher has made, in a language (a tag such as en-us, or empty)."""
    name = f"publisher-{safe_id(language)[:40]}" if language else "publisher"
    return _join("transcriptions", site, _plain(video_id), f"{_plain(name)}.{_plain(kind)}")


def reading_key(site: str, video_id: str, transcript_id: str) -> str:
    """The sentences, tokens and entities of a transcript."""
    return _join("processed", site, _plain(video_id), f"{_short(transcript_id)}.json")


def result_key(step: str, version: int, key: str, video: tuple[str, str] | None = None) -> str:
    """What a step answered to inputs with this content key; of one video (site and id), or of all that share it."""
    place = (video[0], _plain(video[1])) if video else (_plain(step),)
    return _join(RESULTS, *place, f"{_plain(step)}-v{version}-{_digits(key)}.json")


def feed_key(watch: str) -> str:
    """The Atom feed of a watch."""
    return _join("watches", f"{_plain(watch)}.atom")


def _join(*parts: str) -> str:
    if any("/" in part for part in parts):
        raise KeyRefused(f"{'/'.join(parts)[:100]!r} cannot be a key in the store.")
    return check_key("/".join(parts))


def _plain(name: str) -> str:
    """A name without a dot of its own, since an extension is added to it."""
    if not _PLAIN.fullmatch(name):
        raise KeyRefused(f"{name[:100]!r} cannot be part of a key in the store.")
    return name


def _digits(key: str) -> str:
    if not _KEY_DIGITS.fullmatch(key):
        raise KeyRefused(f"{key[:100]!r} is neither a sha256 nor a content key.")
    return key


def _short(key: str) -> str:
    return _digits(key)[:SHORT]
