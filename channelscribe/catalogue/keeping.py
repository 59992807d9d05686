"""What deleting from the store needs of the catalogue: `Catalogue.keeping`. Each method is one transaction."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime

from channelscribe.catalogue import checkpoints, old_versions, standing, tombstones
from channelscribe.catalogue.checkpoints import CheckpointUse
from channelscribe.catalogue.connection import Database, execute
from channelscribe.catalogue.old_versions import OldVersion
from channelscribe.catalogue.standing import Standing, VideoName
from channelscribe.catalogue.tombstones import Remains

__all__ = ["Keeping"]


class Keeping:
    """Where videos stand, and how what is left of them goes."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def lost_leases(self, *, release: bool) -> int:
        """Leases that ran out: their process was killed, or cut off. Given back, whoever held one can publish no more.

        Returns how many there are, or were.
        """
        lost = "lease_owner IS NOT NULL AND lease_until < now()"
        query = f"SELECT count(*) FROM video WHERE {lost}"  # noqa: S608 - above
        if release:
            query = f"""WITH lost AS (SELECT id FROM video WHERE {lost} ORDER BY site, video_id FOR UPDATE SKIP LOCKED),
                free AS (UPDATE video SET lease_owner = NULL, lease_until = NULL, step = NULL, step_fraction = NULL
                    FROM lost WHERE video.id = lost.id RETURNING 1)
                SELECT count(*) FROM free"""  # noqa: S608
        with self._database.session() as session:
            return int(execute(session, query).scalar_one())

    def standings(self, names: Sequence[VideoName]) -> dict[VideoName, Standing]:
        """Where these videos stand; those that the catalogue does not have are left out."""
        with self._database.session() as session:
            return standing.standings(session, names)

    @contextmanager
    def locked_standing(self, name: VideoName) -> Iterator[Standing | None]:
        """Where a video stands, and stays for the length of the `with`: nobody can claim or publish it."""
        with self._database.session() as session:
            yield standing.locked_standing(session, name)

    def names_of(self, joined: Sequence[str]) -> dict[str, VideoName]:
        """The videos whose site and id, with a dash between, are these."""
        with self._database.session() as session:
            return standing.names_of(session, joined)

    def uses_of(self, keys: Sequence[str]) -> dict[str, CheckpointUse]:
        """Who uses these checkpoints; those that nobody uses are left out."""
        with self._database.session() as session:
            return checkpoints.uses_of(session, keys, lock=False)

    @contextmanager
    def locked_uses_of(self, keys: Sequence[str], gone: Sequence[str]) -> Iterator[dict[str, CheckpointUse]]:
        """The same, while nobody can begin to use one. What is in `gone` at the end of the `with` is forgotten."""
        with self._database.session() as session:
            yield checkpoints.uses_of(session, keys, lock=True)
            checkpoints.forget_checkpoints(session, gone)

    def checkpoints_of(self, video_pk: int) -> list[str]:
        """The checkpoints that are for this video alone."""
        with self._database.session() as session:
            return checkpoints.checkpoints_of(session, video_pk)

    def forget_checkpoints(self, video_pk: int) -> None:
        """A video has none any more."""
        with self._database.session() as session:
            checkpoints.forget_checkpoints(session, video_pk=video_pk)

    def old_versions(self, before: datetime) -> list[OldVersion]:
        """Versions made before this time that are not current, of videos that nobody works on."""
        with self._database.session() as session:
            return old_versions.old_versions(session, before)

    def delete_old_version(self, version: OldVersion) -> bool:
        """Its rows; False when it has become current, or somebody works on the video."""
        with self._database.session() as session:
            return old_versions.delete_old_version(session, version)

    def remains(self, video_pk: int) -> Remains:
        """What a takedown deletes from the catalogue."""
        with self._database.session() as session:
            return tombstones.remains(session, video_pk)

    def bury(self, video_pk: int) -> None:
        """Put a tombstone in a video's place; whoever works on it loses it."""
        with self._database.session() as session:
            tombstones.bury(session, video_pk)
