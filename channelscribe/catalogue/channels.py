"""What a person may call a source: its title, its id at the site, `site:id`, or its URL; case does not matter."""

from __future__ import annotations

from sqlalchemy import Connection
from sqlmodel import Session

from channelscribe.catalogue.cleaning import clean_text
from channelscribe.catalogue.connection import execute
from channelscribe.errors import UnknownSource

__all__ = ["IN_CHANNEL", "channel_of", "known_channel", "unknown_channel"]

_NAMED = "lower(:channel) IN (lower(title), lower(source_id), lower(site || ':' || source_id), lower(url))"

IN_CHANNEL = f"""video.id IN (SELECT video_pk FROM source_video WHERE source_pk IN
    (SELECT id FROM source WHERE {_NAMED}))"""  # noqa: S608
"""SQL: the row `video` was listed in the source called :channel, or in one of them."""


def known_channel(session: Session | Connection, channel: str) -> bool:
    """Whether any source is called that."""
    query = f"SELECT EXISTS (SELECT 1 FROM source WHERE {_NAMED})"  # noqa: S608
    return bool(execute(session, query, channel=clean_text(channel)).scalar_one())


def unknown_channel(session: Session | Connection, channel: str) -> UnknownSource:
    """The error that tells which sources there are."""
    query = "SELECT coalesce(nullif(title, ''), url) FROM source ORDER BY id LIMIT 6"
    known = [str(name) for name in execute(session, query).scalars()]
    shown = ", ".join(repr(name) for name in known[:5]) + (", …" if len(known) > 5 else "")
    remedy = f"Known are {shown}." if known else "`channelscribe sync` brings sources in."
    return UnknownSource(f"No source is called {channel[:200]!r}.", remedy=remedy)


def channel_of(session: Session | Connection, video_pk: int) -> str | None:
    """The title of the source that a video was first listed in."""
    query = """SELECT nullif(title, '') FROM source JOIN source_video ON source_pk = source.id
        WHERE video_pk = :video ORDER BY source.id LIMIT 1"""
    title: str | None = execute(session, query, video=video_pk).scalar_one_or_none()
    return title
