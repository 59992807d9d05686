"""Sources, and what they list: new, changed and vanished videos of one source, taken in by sets.

However many videos: one COPY into a table of the transaction's own, then one statement a question. Safe when the
same or overlapping sources are listed at once: rows are locked in one order everywhere (source, then videos by site
and id).

A person may call a source by its title, its id at the site, `site:id`, or its URL; case does not matter.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from channelscribe.catalogue.connection import clean_json, clean_text, driver_connection, execute
from channelscribe.errors import UnknownSource
from channelscribe.sources.addresses import display_urls, public_url

if TYPE_CHECKING:
    from sqlmodel import Session

    from channelscribe.catalogue.connection import Transaction
    from channelscribe.sources.listing import ListedVideo, Listing

__all__ = [
    "IN_CHANNEL",
    "ListingReport",
    "all_listed",
    "channel_of",
    "full_listing_due",
    "keep_address",
    "known_channel",
    "record_listing",
    "unknown_channel",
    "whole_address",
]

_START = r"^(https?://)?(www\.|m\.)?"
_END = r"(/(videos|shorts|streams|featured|playlists))?/*([?&](t|si|feature|app|utm_[a-z]+)=[^&]*)*$"


def _plain(address: str) -> str:
    return f"regexp_replace(regexp_replace(lower({address}), '{_START}', ''), '{_END}', '')"


# As people paste it: www. and m., the tab of a channel, and where in a video one was are no part of an address.
_NAMED = rf"""(lower(:channel) IN (lower(title), lower(source_id), lower(site || ':' || source_id), lower(url))
    OR (:channel ~ '^\S+[.]\S+/\S+$' AND ({_plain("url")} = {_plain(":channel")}
        OR lower(source_id) = substring({_plain(":channel")} from '[^/]+$'))))"""

IN_CHANNEL = f"""video.id IN (SELECT video_pk FROM source_video WHERE source_pk IN
    (SELECT id FROM source WHERE {_NAMED}))"""  # noqa: S608
"""SQL: the row `video` was listed in the source called :channel, or in one of them."""


def known_channel(session: Transaction, channel: str) -> bool:
    """Whether any source is called that."""
    query = f"SELECT EXISTS (SELECT 1 FROM source WHERE {_NAMED})"  # noqa: S608
    return bool(execute(session, query, channel=clean_text(channel)).scalar_one())


def unknown_channel(session: Transaction, channel: str) -> UnknownSource:
    """The error that tells which sources there are."""
    query = "SELECT coalesce(nullif(title, ''), url) FROM source ORDER BY id LIMIT 6"
    known = [str(name) for name in execute(session, query).scalars()]
    shown = ", ".join(repr(name) for name in known[:5]) + (", …" if len(known) > 5 else "")
    remedy = f"Known are {shown}." if known else "`channelscribe sync` brings sources in."
    return UnknownSource(f"No source is called {display_urls(channel)[:200]!r}.", remedy=remedy)


def channel_of(session: Transaction, video_pk: int) -> str | None:
    """The title of the source that a video was first listed in."""
    query = """SELECT nullif(title, '') FROM source JOIN source_video ON source_pk = source.id
        WHERE video_pk = :video ORDER BY source.id LIMIT 1"""
    title: str | None = execute(session, query, video=video_pk).scalar_one_or_none()
    return title


@dataclass(frozen=True, slots=True)
class ListingReport:
    """Counts of one listing. `gone`: listed before, and now no more."""

    source_pk: int
    listed: int
    new: int
    changed: int
    gone: int


COLUMNS = (
    *("site", "video_id", "url", "title", "description", "duration", "published"),
    *("live_status", "availability", "release_at", "tab", "position"),
)

# The planner knows nothing of a table just made; ANALYZE keeps it from nested loops over 100,000 rows.
# A video that is listed twice counts once, where it came first.
MAKE_LISTED = """
CREATE TEMP TABLE listed (site text, video_id text, url text, title text, description text, duration float8,
    published date, live_status text, availability text, release_at timestamptz, tab text, position int,
    private_url text) ON COMMIT DROP
"""
COPY_LISTED = f"COPY listed ({', '.join(COLUMNS)}, private_url) FROM STDIN"
DROP_REPEATED = """
DELETE FROM listed USING listed AS earlier
WHERE (listed.site, listed.video_id) = (earlier.site, earlier.video_id) AND listed.ctid > earlier.ctid
"""

UPSERT_SOURCE = """
INSERT INTO source (site, source_id, url, private_url, title, kind, last_listed_at)
VALUES (:site, :source_id, :url, :private_url, :title, :kind, now())
ON CONFLICT (url) DO UPDATE SET site = excluded.site, source_id = excluded.source_id,
    private_url = coalesce(excluded.private_url, source.private_url),
    title = coalesce(nullif(excluded.title, ''), source.title), kind = excluded.kind, last_listed_at = now()
RETURNING id
"""

# A flat listing leaves out what a page would tell: a missing value never overwrites a known one, and a date that is
# known stays, since listings may tell it in words. Availability is the exception: it is told by being there.
# A video that was upcoming, live or for members only, and now is not, is looked at again at once.
OPENED_UP = """(known.state = 'unavailable' AND known.reason = 'members_only'
        AND known.availability = 'subscriber_only' AND excluded.availability IS DISTINCT FROM 'subscriber_only')"""
UPSERT_VIDEOS = f"""
INSERT INTO video AS known (site, video_id, url, title, description, duration, published, live_status, availability,
    release_at, private_url)
SELECT site, video_id, url, coalesce(title, ''), description, duration, published, live_status, availability,
    release_at, private_url FROM listed
ORDER BY site, video_id
ON CONFLICT (site, video_id) DO UPDATE SET
    url = excluded.url,
    private_url = excluded.private_url,
    title = coalesce(nullif(excluded.title, ''), known.title),
    description = coalesce(excluded.description, known.description),
    duration = coalesce(excluded.duration, known.duration),
    published = coalesce(known.published, excluded.published),
    live_status = coalesce(excluded.live_status, known.live_status),
    release_at = coalesce(excluded.release_at, known.release_at),
    availability = excluded.availability,
    next_check_at = CASE WHEN known.state = 'waiting' AND excluded.live_status <> known.live_status
        THEN now() ELSE known.next_check_at END,
    state = CASE WHEN {OPENED_UP} THEN 'discovered' ELSE known.state END,
    reason = CASE WHEN {OPENED_UP} THEN NULL ELSE known.reason END,
    message = CASE WHEN {OPENED_UP} THEN NULL ELSE known.message END,
    remedy = CASE WHEN {OPENED_UP} THEN NULL ELSE known.remedy END,
    updated_at = now()
WHERE known.taken_down_at IS NULL AND (known.url, known.title, known.description, known.duration, known.published,
        known.live_status, known.release_at, known.availability)
    IS DISTINCT FROM (excluded.url, coalesce(nullif(excluded.title, ''), known.title),
        coalesce(excluded.description, known.description), coalesce(excluded.duration, known.duration),
        coalesce(known.published, excluded.published), coalesce(excluded.live_status, known.live_status),
        coalesce(excluded.release_at, known.release_at), excluded.availability)
RETURNING (xmax = 0) AS new
"""  # noqa: S608
COUNT_WRITTEN = f"WITH written AS ({UPSERT_VIDEOS}) SELECT count(*) AS all, count(*) FILTER (WHERE new) FROM written"  # noqa: S608

# Tokens are made anew for every listing: that is no change of the video. Its row is locked by now.
RENEW_PRIVATE = """
UPDATE video SET private_url = listed.private_url FROM listed
WHERE (video.site, video.video_id) = (listed.site, listed.video_id) AND taken_down_at IS NULL
    AND listed.private_url IS NOT NULL AND video.private_url IS DISTINCT FROM listed.private_url
"""

LINK_VIDEOS = """
INSERT INTO source_video AS link (source_pk, video_pk, position, tab)
SELECT :source, video.id, listed.position, listed.tab FROM listed JOIN video USING (site, video_id)
ON CONFLICT (source_pk, video_pk) DO UPDATE SET position = excluded.position, tab = excluded.tab, gone_at = NULL
WHERE (link.position, link.tab, link.gone_at) IS DISTINCT FROM (excluded.position, excluded.tab, NULL)
"""

# Positions of a part of a listing are only good among themselves: what is new in it stands before all that is known.
LINK_NEW_VIDEOS = """
INSERT INTO source_video AS link (source_pk, video_pk, position, tab)
SELECT :source, new.id, coalesce((SELECT min(position) FROM source_video WHERE source_pk = :source), 0)
    + row_number() OVER (ORDER BY new.position) - count(*) OVER () - 1, new.tab
FROM (SELECT video.id, listed.position, listed.tab FROM listed JOIN video USING (site, video_id)
    WHERE NOT EXISTS (SELECT FROM source_video WHERE source_pk = :source AND video_pk = video.id)) AS new
ON CONFLICT (source_pk, video_pk) DO NOTHING
"""
FOUND_AGAIN = """
UPDATE source_video AS link SET gone_at = NULL FROM listed JOIN video USING (site, video_id)
WHERE link.source_pk = :source AND link.video_pk = video.id AND link.gone_at IS NOT NULL
"""

# A channel lists one tab after the other, a playlist and a feed as their owner likes. Where all have a date, the newest
# of a channel come first, whatever tab they are in; a tab's own order decides within a day.
NEWEST_FIRST = """
UPDATE listed SET position = ranked.place
FROM (SELECT site, video_id, row_number() OVER (ORDER BY published DESC, position) - 1 AS place FROM listed) AS ranked
WHERE (listed.site, listed.video_id) = (ranked.site, ranked.video_id)
    AND NOT EXISTS (SELECT FROM listed WHERE published IS NULL)
"""

# The title of a page with one video is the video's.
FORGET_TITLE = """
UPDATE source SET title = '' WHERE id = :source AND kind = 'video' AND title <> '' AND EXISTS (
    SELECT FROM source_video AS link JOIN video ON video.id = link.video_pk
    WHERE link.source_pk = source.id AND video.taken_down_at IS NOT NULL)
"""

MARK_GONE = """
UPDATE source_video AS link SET gone_at = now() FROM video
WHERE link.source_pk = :source AND link.gone_at IS NULL AND video.id = link.video_pk
    AND NOT EXISTS (SELECT FROM listed WHERE (listed.site, listed.video_id) = (video.site, video.video_id))
"""


def record_listing(session: Session, listing: Listing) -> ListingReport:
    """Write one listing; a video listed twice counts once."""
    listed = _copy(session, listing.videos)
    if listing.kind == "channel":
        execute(session, NEWEST_FIRST)
    source = clean_json({name: getattr(listing, name) or "" for name in ("source_id", "title", "kind")})
    source |= _addresses(clean_json(listing.url), distinct=True)
    source_pk = execute(session, UPSERT_SOURCE, site=listing.site, **source).scalar_one()
    written, new = tuple(execute(session, COUNT_WRITTEN).one())
    execute(session, RENEW_PRIVATE)
    gone = 0
    if listing.complete:
        execute(session, LINK_VIDEOS, source=source_pk)
        gone = execute(session, MARK_GONE, source=source_pk).rowcount
        execute(session, "UPDATE source SET last_full_listing_at = now() WHERE id = :source", source=source_pk)
    else:
        execute(session, FOUND_AGAIN, source=source_pk)
        execute(session, LINK_NEW_VIDEOS, source=source_pk)
    execute(session, FORGET_TITLE, source=source_pk)
    execute(session, "DROP TABLE listed")
    return ListingReport(source_pk, listed=listed, new=new, changed=written - new, gone=gone)


def _copy(session: Session, videos: Iterable[ListedVideo]) -> int:
    execute(session, MAKE_LISTED)
    with driver_connection(session).cursor() as cursor, cursor.copy(COPY_LISTED) as copy:
        for video in videos:
            copy.write_row(_row(video))
    execute(session, "ANALYZE listed")
    execute(session, DROP_REPEATED)
    count: int = execute(session, "SELECT count(*) FROM listed").scalar_one()
    return count


def _row(video: ListedVideo) -> list[Any]:
    row = {name: clean_json(getattr(video, name)) for name in COLUMNS}
    return list((row | _addresses(row["url"])).values())


def _addresses(url: str, *, distinct: bool = False) -> dict[str, str | None]:
    """The one that may be shown, and the whole one where that is another."""
    public = public_url(url, distinct=distinct)
    return {"url": public, "private_url": url if public != url else None}


def keep_address(session: Session, url: str) -> str:
    """The name that a source goes by: its URL without passwords and tokens, which are kept here for when it is asked.

    A public URL stays as it is, and is no source yet.
    """
    public = public_url(url, distinct=True)
    if public != url:
        execute(
            session,
            "INSERT INTO source (site, source_id, url, private_url) VALUES ('', '', :public, :url) "
            "ON CONFLICT (url) DO UPDATE SET private_url = excluded.private_url",
            public=public,
            url=url,
        )
    return public


def whole_address(session: Session, url: str) -> str:
    """The URL to ask a source at that goes by `url`; a whole one is that itself."""
    if public_url(url, distinct=True) != url:
        return url
    found = execute(session, "SELECT private_url FROM source WHERE url = :url", url=url).scalar_one_or_none()
    return str(found) if found else url


ALL_LISTED = """
SELECT bool_and(link.video_pk IS NOT NULL) FROM unnest(CAST(:sites AS text[]), CAST(:ids AS text[])) AS listed(site, id)
LEFT JOIN (source_video AS link JOIN source ON source.id = link.source_pk AND source.url = :source
    JOIN video ON video.id = link.video_pk)
ON link.gone_at IS NULL AND (video.site, video.video_id) = (listed.site, listed.id)
"""


def all_listed(session: Session, source_url: str, videos: Sequence[ListedVideo]) -> bool:
    """Whether the source listed all of these before, and none has vanished since."""
    sites, ids = [video.site for video in videos], [video.video_id for video in videos]
    source = public_url(source_url, distinct=True)
    return bool(execute(session, ALL_LISTED, source=source, sites=sites, ids=ids).scalar_one())


def full_listing_due(session: Session, source_url: str, hours: float) -> bool:
    """Whether the source was not read to its end within `hours`, or never."""
    found = execute(
        session,
        "SELECT last_full_listing_at > now() - make_interval(secs => :seconds) FROM source WHERE url = :url",
        url=public_url(source_url, distinct=True),
        seconds=hours * 3600,
    ).scalar_one_or_none()
    return not found
