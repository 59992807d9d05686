"""The catalogue: everything that channelscribe knows about sources, videos and transcripts, in PostgreSQL.

Each method is one transaction. All of them raise CatalogueUnreachable when the server is away; those that take an
`owner` raise LeaseLost when somebody else holds the video.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date, datetime
from pathlib import Path
from typing import Any

from channelscribe.catalogue import (
    activity,
    breakers,
    channels,
    checkpoints,
    choosing,
    copies,
    failures,
    leases,
    listings,
    outcomes,
    performance,
    publishing,
    readings,
    rehearsal,
    schema,
    transcripts,
    verdicts,
    videos,
)
from channelscribe.catalogue import corpus as reading_corpus
from channelscribe.catalogue import entities as naming
from channelscribe.catalogue import search as searching
from channelscribe.catalogue import status as counting
from channelscribe.catalogue.activity import Activity
from channelscribe.catalogue.breakers import Block
from channelscribe.catalogue.choosing import Candidate, Wanted
from channelscribe.catalogue.connection import Database
from channelscribe.catalogue.corpus import CorpusVideo
from channelscribe.catalogue.entities import EntityCount
from channelscribe.catalogue.failures import Failure
from channelscribe.catalogue.keeping import Keeping
from channelscribe.catalogue.leases import Progress
from channelscribe.catalogue.listings import ListedVideo, Listing, ListingReport
from channelscribe.catalogue.outcomes import Outcome
from channelscribe.catalogue.performance import Figures
from channelscribe.catalogue.rehearsal import Rehearsal
from channelscribe.catalogue.search import Hit, Question
from channelscribe.catalogue.status import Status
from channelscribe.catalogue.tables import AudioRow, SourceRow, State, TranscriptRow, VideoRow
from channelscribe.catalogue.verdicts import Judge
from channelscribe.errors import ChannelscribeError
from channelscribe.transcript import Transcript

__all__ = ["Catalogue"]


class Catalogue:
    """Opens no connection before it is used; safe to share between threads, not between processes."""

    def __init__(self, url: str) -> None:
        self._database = Database(url)

    def __str__(self) -> str:
        return str(self._database)

    def close(self) -> None:
        """Close the pooled connections."""
        self._database.engine.dispose()

    def migrate(self) -> None:
        """Bring the database to this program's schema. Raises SchemaMismatch if it has a newer one."""
        schema.migrate(self._database)

    def check_schema(self) -> None:
        """Raise SchemaMismatch unless the database has exactly this program's schema."""
        schema.check_schema(self._database)

    def dump(self, folder: Path) -> dict[str, Any]:
        """Write every row into a folder, as of one moment; returns what `load` needs to know of it."""
        return copies.dump(self._database, folder)

    def load(self, folder: Path, contents: dict[str, Any]) -> None:
        """Take in what `dump` wrote, all or nothing. Raises CatalogueError when there are rows already."""
        copies.load(self._database, folder, contents)

    @property
    def keeping(self) -> Keeping:
        """What retention, orphan sweeps and takedowns need."""
        return Keeping(self._database)

    # Sources and videos

    def record_listing(self, listing: Listing, judge: Judge | None = None) -> ListingReport:
        """Take in what a source lists now; returns counts of new, changed and vanished videos.

        `judge` says of each video that was not fetched yet why it should not be now.
        """
        with self._database.session() as session:
            report = listings.record_listing(session, listing)
        after: int | None = 0 if judge else None
        while judge is not None and after is not None:
            with self._database.session() as session:
                after = verdicts.judge_page(session, report.source_pk, judge, after)
        return report

    def rehearse(self, listing: Listing, judge: Judge, limit: int | None = None) -> Rehearsal:
        """What a sync would do with this listing; nothing is written."""
        with self._database.session() as session:
            return rehearsal.rehearse(session, listing, judge, limit)

    def all_listed(self, source_url: str, videos: Sequence[ListedVideo]) -> bool:
        """Whether the source listed all of these before."""
        with self._database.session() as session:
            return listings.all_listed(session, source_url, videos)

    def full_listing_due(self, source_url: str, hours: float) -> bool:
        """Whether the source was not read to its end within `hours`, or never."""
        with self._database.session() as session:
            return listings.full_listing_due(session, source_url, hours)

    def sources(self) -> list[SourceRow]:
        """All sources, oldest first."""
        with self._database.session() as session:
            return videos.sources(session)

    def list_videos(self, source_pk: int) -> list[VideoRow]:
        """All videos of a source in its order; those gone from it last."""
        with self._database.session() as session:
            return videos.list_videos(session, source_pk)

    def find_videos(self, wanted: str) -> list[VideoRow]:
        """Videos by URL, `site:id`, the site's id, or our number; empty if there is none."""
        with self._database.session() as session:
            return videos.find_videos(session, wanted)

    def due(self, source_pk: int, limit: int | None = None) -> list[VideoRow]:
        """Videos of a source that want work now and that nobody holds, in the source's order."""
        with self._database.session() as session:
            return videos.due(session, source_pk, limit)

    def rows_of(self, video_pks: Sequence[int]) -> list[VideoRow]:
        """The videos with these numbers."""
        with self._database.session() as session:
            return videos.rows_of(session, video_pks)

    def waiting(self, source_pk: int) -> int:
        """How many of a source's videos wait: upcoming, live, just ended."""
        with self._database.session() as session:
            return videos.waiting(session, source_pk)

    def make_due(self, source_pk: int, reasons: Sequence[str]) -> int:
        """Have a source's failed videos tried again now, those with one of the `reasons` ("all": every one)."""
        with self._database.session() as session:
            return videos.make_due(session, source_pk, reasons)

    # Blocks

    def admit(self, scope: str, egress: str) -> Block | None:
        """None when a site may be asked from an outgoing address now, else what is in the way."""
        with self._database.session() as session:
            return breakers.admit(session, scope, egress)

    def note_block(self, scope: str, egress: str, error: ChannelscribeError) -> Block:
        """A site has blocked the address: leave it alone for a while."""
        with self._database.session() as session:
            return breakers.note_block(session, scope, egress, error)

    def note_suspicion(self, scope: str, egress: str, error: ChannelscribeError) -> Block | None:
        """An answer that may mean a ban; several in a row are taken for one."""
        with self._database.session() as session:
            return breakers.note_suspicion(session, scope, egress, error)

    def note_success(self, scope: str, egress: str) -> None:
        """The site answers from this address."""
        with self._database.session() as session:
            breakers.note_success(session, scope, egress)

    def close_breakers(self, scope: str | None = None) -> int:
        """Forget the blocks by a site, or by all; returns how many there were."""
        with self._database.session() as session:
            return breakers.close(session, scope)

    # Work on videos

    def claim_next(
        self, source_pk: int, owner: str, seconds: float, count: int, had: Sequence[int] = ()
    ) -> list[VideoRow]:
        """Lease the next due videos of a source, in its order, but for those that the run `had` before."""
        with self._database.session() as session:
            return leases.claim_next(session, source_pk, owner, seconds, count, had)

    def claim(self, video_pks: Sequence[int], owner: str, seconds: float, *, only_due: bool = True) -> list[VideoRow]:
        """Lease the free ones for `seconds`; returns those that are now ours, in the order given."""
        with self._database.session() as session:
            return leases.claim(session, video_pks, owner, seconds, only_due=only_due)

    def renew(
        self,
        video_pk: int,
        owner: str,
        seconds: float,
        step: str | None = None,
        fraction: float | None = None,
    ) -> None:
        """Keep a lease for `seconds` from now and say what is being done and how far (0 to 1)."""
        with self._database.session() as session:
            leases.renew(session, video_pk, owner, seconds, step, fraction)

    def release(self, video_pks: Sequence[int], owner: str) -> int:
        """Give leases back without a result; returns how many. Leases of others are left alone."""
        with self._database.session() as session:
            return leases.release(session, video_pks, owner)

    def renew_all(self, owner: str, seconds: float) -> int:
        """Keep every lease of a run for `seconds` from now; returns how many it holds."""
        with self._database.session() as session:
            return activity.renew_all(session, owner, seconds)

    def release_all(self, owner: str | None = None) -> int:
        """Give back every lease of a run, or of everybody when nobody can be at work; returns how many."""
        with self._database.session() as session:
            return activity.release_all(session, owner)

    def activity(self, seen: Sequence[int] = ()) -> list[Activity]:
        """Videos in work, and those of `seen` (our numbers) whatever became of them."""
        with self._database.session() as session:
            return activity.activity(session, seen)

    def progress(self, owner: str | None = None) -> list[Progress]:
        """Videos in work now, of one owner or of all, with step and fraction."""
        with self._database.session() as session:
            return leases.progress(session, owner)

    def record_details(self, video_pk: int, owner: str, **details: Any) -> None:
        """Fill in title, description, duration, published or live_status; None says nothing."""
        with self._database.session() as session:
            videos.record_details(session, video_pk, owner, details)

    def record_audio(
        self,
        video_pk: int,
        owner: str,
        *,
        source_sha256: str,
        options_key: str,
        format_id: str | None,
        seconds: float,
        bytes: int,
        archive_key: str,
        speech_key: str,
        speech_sha256: str,
        loudness: dict[str, Any] | None = None,
        part_keys: Sequence[str] = (),
    ) -> AudioRow:
        """Write the prepared audio (seconds and bytes of the archive) and the state `downloaded`."""
        audio = {
            "source_sha256": source_sha256,
            "options_key": options_key,
            "format_id": format_id,
            "seconds": seconds,
            "bytes": bytes,
            "archive_key": archive_key,
            "speech_key": speech_key,
            "speech_sha256": speech_sha256,
            "loudness": loudness or {},
            "part_keys": list(part_keys),
        }
        with self._database.session() as session:
            return videos.record_audio(session, video_pk, owner, audio)

    def audio_of(self, video_pk: int) -> AudioRow | None:
        """The audio of a video that was prepared last."""
        with self._database.session() as session:
            return videos.audio_of(session, video_pk)

    def record_state(
        self,
        video_pk: int,
        owner: str,
        state: State | str,
        *,
        reason: str | None = None,
        message: str | None = None,
    ) -> None:
        """Move a video on. `downloaded` and `transcribed` keep the lease, other states give it back."""
        with self._database.session() as session:
            videos.record_state(session, video_pk, owner, State(state), reason, message)

    def record_failure(self, video_pk: int, owner: str, error: Exception) -> Failure | None:
        """Write what the error tree makes of a failure, and give the lease back. None: the lease was lost."""
        with self._database.session() as session:
            return failures.record_failure(session, video_pk, owner, error)

    # Transcripts

    def publish(
        self,
        video_pk: int,
        owner: str,
        transcript_id: str,
        transcript: Transcript,
        reading: dict[str, Any],
        files: dict[str, str],
        models: dict[str, Any] | None = None,
        *,
        reading_key: str | None = None,
        checkpoint_keys: Sequence[str] = (),
    ) -> int:
        """Make a transcript the current one, all or nothing; the same id again changes nothing.

        `reading` is a reading's `to_dict` and `reading_key` its file, `files` maps formats to store keys, `models` adds
        to the transcript's, `checkpoint_keys` are what it was made from. Returns the version, from 1.
        """
        all_models = {**transcript.models, **(models or {})}
        with self._database.session() as session:
            return publishing.publish(
                session, video_pk, owner, transcript_id, transcript, reading, files, all_models,
                reading_key, checkpoint_keys,
            )  # fmt: skip

    def note_checkpoint(self, video_pk: int, key: str) -> None:
        """Say that a video is made with this checkpoint, before looking whether the store has it."""
        with self._database.session() as session:
            checkpoints.note_checkpoints(session, video_pk, [key])

    def transcript_of(self, video: int | str, version: int | None = None) -> tuple[VideoRow, TranscriptRow, Transcript]:
        """The current transcript, or a version. `video` is our number, or a word for `find_videos`.

        Raises UnknownVideo.
        """
        with self._database.session() as session:
            return transcripts.transcript_of(session, video, version)

    def with_transcripts(
        self, channel: str | None = None, since: date | None = None, limit: int | None = None
    ) -> list[VideoRow]:
        """Videos with a current transcript, the newest first. Raises UnknownSource."""
        with self._database.session() as session:
            return readings.with_transcripts(session, channel, since, limit)

    def choose(self, wanted: Wanted) -> list[Candidate]:
        """Current transcripts that are to be made anew, those of the newest videos first. Raises UnknownSource."""
        with self._database.session() as session:
            return choosing.choose(session, wanted)

    def make_current(self, video_pk: int, version: int) -> bool:
        """Make another version the current one; returns whether it was another. Raises UnknownVideo."""
        with self._database.session() as session:
            return transcripts.make_current(session, video_pk, version)

    def versions(self, video_pk: int) -> list[TranscriptRow]:
        """All transcripts of a video, the first version first."""
        with self._database.session() as session:
            return transcripts.versions(session, video_pk)

    def search(
        self,
        query: str,
        *,
        channel: str | None = None,
        speaker: str | None = None,
        entity: str | None = None,
        since: date | None = None,
        until: date | None = None,
        language: str | None = None,
        limit: int = 20,
        after: str | None = None,
    ) -> list[Hit]:
        """Segments of current transcripts that match, the best first; never raises on what the query holds.

        `after` is the `place` of a hit of the same search: the page after it. Raises UsageError for any other.
        """
        question = Question(query, channel, speaker, entity, since, until, language)
        with self._database.session() as session:
            return searching.search(session, question, limit, after)

    def entities(self, channel: str | None = None, label: str | None = None, limit: int = 1000) -> list[EntityCount]:
        """Names in current transcripts with their counts, the most mentioned first."""
        with self._database.session() as session:
            return naming.entities(session, channel, label, limit)

    def outcomes(self, video_pks: Sequence[int]) -> dict[int, Outcome]:
        """What became of videos, by our numbers."""
        with self._database.session() as session:
            return outcomes.outcomes(session, video_pks)

    def record_stage(
        self, video_pk: int, stage: str, outcome: str, seconds: float, peak_rss_bytes: int, worker: str
    ) -> None:
        """Keep what one try of a stage took; `outcome` is "done" or a reason code."""
        with self._database.session() as session:
            performance.record_stage(session, video_pk, stage, outcome, seconds, peak_rss_bytes, worker)

    def work_seconds(self, video_pks: Sequence[int], since: datetime) -> dict[int, float]:
        """Seconds that the stages of videos took since then, by our numbers."""
        with self._database.session() as session:
            return performance.work_seconds(session, video_pks, since)

    def figures(self) -> Figures:
        """What is watched: states, failures, the queue, stages."""
        with self._database.session() as session:
            return performance.figures(session)

    def corpus(
        self, channel: str, *, language: str | None = None, since: date | None = None, until: date | None = None
    ) -> Iterator[tuple[CorpusVideo, Any]]:
        """Each segment of a channel's current transcripts with its video, the oldest video first: all of it as it is
        when the first one is asked for. Raises UnknownSource.
        """
        with self._database.snapshot() as connection:
            if not channels.known_channel(connection, channel):
                raise channels.unknown_channel(connection, channel)
            for video in reading_corpus.corpus_videos(connection, channel, language, since, until):
                for segment in reading_corpus.segments_of(connection, video):
                    yield video, segment

    def channel_of(self, video_pk: int) -> str | None:
        """The title of the source that a video was first listed in."""
        with self._database.session() as session:
            return channels.channel_of(session, video_pk)

    def status(self) -> Status:
        """Counts by state and reason, what is due, what runs."""
        with self._database.session() as session:
            return counting.status(session)
