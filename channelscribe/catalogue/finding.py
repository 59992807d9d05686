"""Which videos a person means by a word: an address, an id, a guid, a path, our number."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from channelscribe.catalogue.connection import clean_text, execute
from channelscribe.sources.addresses import public_url
from channelscribe.sources.identifiers import FEED, GENERIC, file_of, pasted_ids, same_place

if TYPE_CHECKING:
    from channelscribe.catalogue.connection import Transaction

__all__ = ["find"]

LARGEST_KEY = 2**63 - 1
NAMED = """url = :url OR video_id = :wanted OR guid = :wanted OR (site = :site AND video_id = :id)
    OR (:of_feed AND guid = :id)"""
PASTED = "(site, video_id) IN (SELECT * FROM unnest(CAST(:sites AS text[]), CAST(:ids AS text[])))"


def find(session: Transaction, wanted: str) -> list[int]:
    """Our numbers of videos by URL, `site:id`, the site's id, an episode's guid, or our number, which comes last.

    Of an address that no row has as it is, the id that it stands for counts: youtu.be/ID, /shorts/ID and the like; of
    an episode also its page, and its file with other tokens, or without the services that count; of a recording in a
    folder its path on this machine.
    """
    wanted = clean_text(wanted).strip()
    site, _, video_id = wanted.partition(":")
    known = {"site": site, "id": video_id, "of_feed": site in (FEED, GENERIC)}
    found = _where(session, NAMED, url=public_url(wanted), wanted=wanted, **known)
    if not found and (pasted := pasted_ids(wanted)):
        found = _where(session, PASTED, sites=[one for one, _ in pasted], ids=[other for _, other in pasted])
    if not found and "://" in wanted:
        place = same_place(wanted)
        found = _where(session, "file = :file OR about ->> 'page' = :wanted", file=file_of(wanted), wanted=wanted)
        found = [row for row in found if row.page == wanted or same_place(row.url) == place]
    if not found and "/" in wanted and "://" not in wanted:
        found = _where(session, "url = :url", url=Path(wanted).expanduser().resolve().as_uri())
    if not found and wanted.isascii() and wanted.isdigit() and int(wanted) <= LARGEST_KEY:
        found = _where(session, "id = :pk", pk=int(wanted))
    return [row.id for row in found]


def _where(session: Transaction, condition: str, **values: Any) -> list[Any]:
    query = f"SELECT id, url, about ->> 'page' AS page FROM video WHERE {condition} ORDER BY id"  # noqa: S608
    return list(execute(session, query, **values))
