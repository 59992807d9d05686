"""Makes files of published videos again, of which the store has lost some, from the rows and the files that are left.

| lost | made again of | the same bytes |
|---|---|---|
| transcripts | the rows of that version | yes, unless the video's title has changed since |
| the transcript among the checkpoints | the rows | yes |
| speech track, where no original is left | the archive | no: its sha256 and key are others then, and the row's too |
| other checkpoints | not at all: their notes go, and a new transcription makes them | |

Readings, and audio from the site, need models and downloads: `tasks.maintenance` does those.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from channelscribe.audio.prepare import Prepared, prepare
from channelscribe.catalogue import references, transcripts, videos
from channelscribe.errors import KeyRefused
from channelscribe.export import VideoMeta, render
from channelscribe.retention.library import Library
from channelscribe.retention.sweep import Missing
from channelscribe.settings import AudioOptions
from channelscribe.store.layout import CHECKPOINTS, checkpoint_key
from channelscribe.transcript import Transcript

__all__ = ["Repaired", "repair_from_rows", "speech_of_archive"]


@dataclass(slots=True)
class Repaired:
    """`made` counts by kind what is there again; `left` says by video what is not, and why."""

    made: dict[str, int] = field(default_factory=dict)
    left: dict[str, str] = field(default_factory=dict)

    def count(self, kind: str, number: int = 1) -> None:
        """So many more."""
        if number:
            self.made[kind] = self.made.get(kind, 0) + number

    def add(self, other: Repaired) -> None:
        """What another one made and left."""
        for kind, number in other.made.items():
            self.count(kind, number)
        self.left |= other.left

    def to_dict(self) -> dict[str, Any]:
        """As JSON."""
        return asdict(self)


def repair_from_rows(library: Library, lost: Missing) -> Repaired:
    """Write the files of a video's versions that are missing, as publishing writes them."""
    done = Repaired()
    wanted = set(lost.keys.get("transcripts", ()))
    checkpoints = set(lost.keys.get(CHECKPOINTS, ()))
    if not wanted and not checkpoints:
        return done
    (row,) = library.catalogue.run(videos.rows_of, [lost.pk])
    channel = library.catalogue.run(references.channel_of, lost.pk)
    if given := [each for each in row.publisher_transcripts if each["key"] in wanted]:
        library.catalogue.run(references.forget_publisher_transcripts, lost.pk, [each["key"] for each in given])
        done.left[f"{row.site}:{row.video_id}"] = "the publisher's transcript comes again with sync --refetch"
    for version in library.catalogue.run(transcripts.versions, lost.pk):
        whole = _checkpoint(version.transcript_id)
        files = {name: key for name, key in version.files.items() if key in wanted}
        if not files and whole not in checkpoints:
            continue
        said = library.catalogue.run(transcripts.transcript_of, lost.pk, version.version, recognized=True)[2]
        transcript = _as_stored(said)
        chapters = library.catalogue.run(transcripts.chapters_of, row.chapters, version.id)
        titled = VideoMeta.titled(chapters)
        meta = VideoMeta(title=row.title, url=row.url, id=row.video_id, channel=channel, chapters=titled)
        for name, key in files.items():
            library.store.add_bytes(render(transcript, name, meta).encode(), key)
        done.count("transcripts", len(files))
        if whole is not None and whole in checkpoints:
            library.store.put_json(transcript.to_dict(), whole)
            checkpoints.discard(whole)
            done.count(CHECKPOINTS)
    if checkpoints:
        library.catalogue.run(references.forget_checkpoints, sorted(checkpoints))
    return done


def _as_stored(transcript: Transcript) -> Transcript:
    """As it is read from its checkpoint, which publishing reads: keys in their order, not in PostgreSQL's."""
    return Transcript.from_dict(json.loads(json.dumps(transcript.to_dict(), sort_keys=True)))


def _checkpoint(transcript_id: str) -> str | None:
    try:
        return checkpoint_key("transcript", transcript_id)
    except KeyRefused:  # an id that is none of ours
        return None


def speech_of_archive(archive: Path, folder: Path, options: AudioOptions) -> Prepared:
    """A speech track decoded from the archive, on the archive's own timeline; of the rest nothing is to be used."""
    return prepare(archive, folder, options.model_copy(update={"steps": ("convert",)}), {})
