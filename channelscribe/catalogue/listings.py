"""Sources, and what they list: new, changed and vanished videos of one source, taken in by sets.

However many videos: one COPY into a table of the transaction's own, then one statement a question. Safe when the
same or overlapping sources are listed at once: rows are locked in one order everywhere (source, then videos by site
and id).

A person may call a source by its title, its id at the site, `site:id`, or its URL; case does not matter.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from channelscribe.catalogue.connection import clean_json, clean_text, driver_connection, execute
from channelscribe.catalogue.episodes import feed_of, identified
from channelscribe.errors import UnknownSource
from channelscribe.sources.addresses import display_urls, public_url

if TYPE_CHECKING:
    from sqlmodel import Session

    from channelscribe.catalogue.connection import Transaction
    from channelscribe.sources.spool import ListedVideo, Listing

__all__ = [
    "IN_CHANNEL",
    "ListingReport",
    "all_listed",
    "channel_of",
    "full_listing_due",
    "keep_address",
    "known_channel",
    "memory_of",
    "record_listing",
    "sources",
    "title_of",
    "unknown_channel",
    "whole_address",
]

_START = r"^(https?://)?(www\.|m\.)?"
_END = r"(/(videos|shorts|streams|featured|playlists))?/*([?&](t|si|feature|app|utm_[a-z]+)=[^&]*)*$"


def _plain(address: str) -> str:
    return f"regexp_replace(regexp_replace(lower({address}), '{_START}', ''), '{_END}', '')"


# As people paste it: www. and m., the tab of a channel, and where in a video one was are no part of an address.
_NAMED = rf"""(lower(:channel) IN (lower(title), lower(source_id), lower(site || ':' || source_id), lower(url),
        lower(coalesce(private_url, url)))
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
    """Counts of one listing. `gone`: listed before, now no more. `changed`: what people see of it, or the recording.

    `replaced` are the ids of videos that are here, and of which there is another recording under their guid now.
    `filtered` videos are left out from now on, by the filters of this sync; `wanted` ones had been left out by those of
    an earlier one, and this one's let them through.
    """

    source_pk: int
    listed: int
    new: int
    changed: int
    gone: int
    replaced: tuple[str, ...] = ()
    filtered: int = 0
    wanted: int = 0


COLUMNS = (
    *("site", "video_id", "url", "title", "description", "duration", "published"),
    *("live_status", "availability", "release_at", "tab", "position"),
    *("guid", "file", "announced_bytes", "about", "chapters", "former", "replaced"),
)

# The planner knows nothing of a table just made; ANALYZE keeps it from nested loops over 100,000 rows.
# A video that is listed twice counts once, where it came first.
MAKE_LISTED = """
CREATE TEMP TABLE listed (site text, video_id text, url text, title text, description text, duration float8,
    published date, live_status text, availability text, release_at timestamptz, tab text, position int,
    private_url text, guid text, file text, announced_bytes bigint, about jsonb, chapters jsonb, former text,
    replaced boolean) ON COMMIT DROP
"""
COPY_LISTED = f"COPY listed ({', '.join(COLUMNS)}, private_url) FROM STDIN"
DROP_REPEATED = """
DELETE FROM listed USING listed AS earlier
WHERE (listed.site, listed.video_id) = (earlier.site, earlier.video_id) AND listed.ctid > earlier.ctid
"""

# Lists name a site as its extractor's class is called, pages as its address: twitchvod was twitch.
FORMER_SITES = """
UPDATE listed SET site = former FROM video
WHERE former IS NOT NULL AND former <> listed.site AND (video.site, video.video_id) = (former, listed.video_id)
"""

UPSERT_SOURCE = """
INSERT INTO source (site, source_id, url, private_url, title, kind, feed, memory, last_listed_at)
VALUES (:site, :source_id, :url, :private_url, :title, :kind, :feed, :memory, now())
ON CONFLICT (url) DO UPDATE SET site = excluded.site, source_id = excluded.source_id,
    private_url = coalesce(excluded.private_url, source.private_url),
    title = coalesce(nullif(excluded.title, ''), source.title), kind = excluded.kind,
    feed = coalesce(excluded.feed, source.feed), memory = excluded.memory, last_listed_at = now()
RETURNING id
"""

# A flat listing leaves out what a page would tell: a missing value never overwrites a known one, and a date that is
# known stays, since listings may tell it in words. Availability is the exception: it is told by being there.
# A video that was upcoming, live or for members only, and now is not, is looked at again at once.
OPENED_UP = """(known.state = 'unavailable' AND known.reason = 'members_only'
        AND known.availability = 'subscriber_only' AND excluded.availability IS DISTINCT FROM 'subscriber_only')"""
UPSERT_VIDEOS = f"""
INSERT INTO video AS known (site, video_id, url, title, description, duration, published, live_status, availability,
    release_at, private_url, feed, guid, file, announced_bytes, about, chapters, replaced_at)
SELECT site, video_id, url, coalesce(title, ''), description, duration, published, live_status, availability,
    release_at, private_url, CAST(:feed AS text), guid, file, announced_bytes, about, chapters,
    CASE WHEN replaced THEN now() END
FROM listed
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
    feed = coalesce(known.feed, excluded.feed),
    guid = coalesce(excluded.guid, known.guid),
    file = coalesce(excluded.file, known.file),
    announced_bytes = coalesce(excluded.announced_bytes, known.announced_bytes),
    about = CASE WHEN excluded.about = '{{}}' THEN known.about ELSE excluded.about END,
    chapters = CASE WHEN excluded.chapters = '[]' THEN known.chapters ELSE excluded.chapters END,
    replaced_at = coalesce(excluded.replaced_at, known.replaced_at),
    next_check_at = CASE WHEN known.state = 'waiting' AND excluded.live_status <> known.live_status
        THEN now() ELSE known.next_check_at END,
    state = CASE WHEN {OPENED_UP} THEN 'discovered' ELSE known.state END,
    reason = CASE WHEN {OPENED_UP} THEN NULL ELSE known.reason END,
    message = CASE WHEN {OPENED_UP} THEN NULL ELSE known.message END,
    remedy = CASE WHEN {OPENED_UP} THEN NULL ELSE known.remedy END,
    updated_at = now()
WHERE known.taken_down_at IS NULL AND (known.url, known.title, known.description, known.duration, known.published,
        known.live_status, known.release_at, known.availability, known.feed, known.guid, known.file,
        known.announced_bytes, known.about, known.chapters, known.replaced_at)
    IS DISTINCT FROM (excluded.url, coalesce(nullif(excluded.title, ''), known.title),
        coalesce(excluded.description, known.description), coalesce(excluded.duration, known.duration),
        coalesce(known.published, excluded.published), coalesce(excluded.live_status, known.live_status),
        coalesce(excluded.release_at, known.release_at), excluded.availability, coalesce(known.feed, excluded.feed),
        coalesce(excluded.guid, known.guid), coalesce(excluded.file, known.file),
        coalesce(excluded.announced_bytes, known.announced_bytes),
        CASE WHEN excluded.about = '{{}}' THEN known.about ELSE excluded.about END,
        CASE WHEN excluded.chapters = '[]' THEN known.chapters ELSE excluded.chapters END,
        coalesce(excluded.replaced_at, known.replaced_at))
RETURNING (xmax = 0) AS new
"""  # noqa: S608
COUNT_NEW = f"WITH written AS ({UPSERT_VIDEOS}) SELECT count(*) FILTER (WHERE new) FROM written"  # noqa: S608
# Not a new host or token.
COUNT_CHANGED = """
SELECT count(*), coalesce(array_agg(video_id ORDER BY listed.position) FILTER (WHERE replaced), '{}')
FROM listed JOIN video AS known USING (site, video_id)
WHERE known.taken_down_at IS NULL AND (replaced OR (known.title, known.duration, known.published, known.live_status,
    known.availability) IS DISTINCT FROM (coalesce(nullif(listed.title, ''), known.title),
    coalesce(listed.duration, known.duration), coalesce(known.published, listed.published),
    coalesce(listed.live_status, known.live_status), listed.availability))
"""

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

MISSING = """link.source_pk = :source AND link.gone_at IS NULL AND video.id = link.video_pk
    AND NOT EXISTS (SELECT FROM listed WHERE (listed.site, listed.video_id) = (video.site, video.video_id))"""
MARK_GONE = f"UPDATE source_video AS link SET gone_at = now() FROM video WHERE {MISSING}"  # noqa: S608

# Most feeds hold the newest episodes only. What is older than all that it lists now has slid off its end: it is not
# gone, and stands behind the others.
SLID_OFF = f"""
UPDATE source_video AS link SET position = greatest(link.position, :listed + slid.place)
FROM (SELECT video.id, row_number() OVER (ORDER BY link.position, video.id) - 1 AS place
    FROM source_video AS link, video WHERE {MISSING} AND NOT EXISTS (
        SELECT FROM listed JOIN video AS kept USING (site, video_id)
            JOIN source_video AS other ON other.video_pk = kept.id AND other.source_pk = :source
        WHERE CASE WHEN kept.published IS NOT NULL AND video.published IS NOT NULL AND kept.published <> video.published
            THEN kept.published < video.published ELSE other.position > link.position END)) AS slid
WHERE link.source_pk = :source AND link.video_pk = slid.id
RETURNING link.video_pk
"""  # noqa: S608
MARK_GONE_BUT = f"{MARK_GONE} AND NOT link.video_pk = ANY(:slid)"


def record_listing(session: Session, listing: Listing) -> ListingReport:
    """Write one listing; a video listed twice counts once."""
    if listing.unchanged:
        return _as_before(session, listing)
    feed = feed_of(session, listing)
    listed = _copy(session, identified(session, listing, feed))
    if feed is None:
        execute(session, FORMER_SITES)
    if listing.kind == "channel":
        execute(session, NEWEST_FIRST)
    source = clean_json({name: getattr(listing, name) or "" for name in ("source_id", "title", "kind")})
    source |= _addresses(clean_json(listing.url), distinct=True)
    memory = json.dumps(clean_json(listing.memory))
    source_pk = execute(session, UPSERT_SOURCE, site=listing.site, feed=feed, memory=memory, **source).scalar_one()
    changed, replaced = tuple(execute(session, COUNT_CHANGED).one())
    new = execute(session, COUNT_NEW, feed=feed).scalar_one()
    execute(session, RENEW_PRIVATE)
    gone = 0
    if listing.complete:
        # Before the positions change: what was behind whom is told by those of the last listing.
        slid = [] if feed is None else list(execute(session, SLID_OFF, source=source_pk, listed=listed).scalars())
        execute(session, LINK_VIDEOS, source=source_pk)
        gone = execute(session, MARK_GONE_BUT, source=source_pk, slid=slid).rowcount
        execute(session, "UPDATE source SET last_full_listing_at = now() WHERE id = :source", source=source_pk)
    else:
        execute(session, FOUND_AGAIN, source=source_pk)
        execute(session, LINK_NEW_VIDEOS, source=source_pk)
    execute(session, FORGET_TITLE, source=source_pk)
    execute(session, "DROP TABLE listed")
    return ListingReport(source_pk, listed, new, changed, gone, tuple(replaced))


AS_BEFORE = """
UPDATE source SET last_listed_at = now(), last_full_listing_at = now(), memory = :memory WHERE url = :url
RETURNING id, (SELECT count(*) FROM source_video WHERE source_pk = source.id AND gone_at IS NULL) AS listed
"""


def _as_before(session: Session, listing: Listing) -> ListingReport:
    """The source says that nothing has changed since its memory was written."""
    memory = json.dumps(clean_json(listing.memory))
    source_pk, listed = tuple(
        execute(session, AS_BEFORE, url=public_url(clean_text(listing.url), distinct=True), memory=memory).one()
    )
    return ListingReport(source_pk, listed, new=0, changed=0, gone=0)


def title_of(session: Session, source_pk: int) -> str:
    """A source's title; empty where it has none of its own."""
    return str(execute(session, "SELECT title FROM source WHERE id = :source", source=source_pk).scalar_one())


def memory_of(session: Session, source_url: str) -> dict[str, Any]:
    """What the last listing of a source left for the next one; empty where there was none."""
    query = "SELECT memory || jsonb_build_object('feed', feed, 'kind', kind) FROM source WHERE url = :url"
    found = execute(session, query, url=public_url(clean_text(source_url), distinct=True)).scalar_one_or_none()
    return {name: value for name, value in (found or {}).items() if value is not None}


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
    row = clean_json({name: getattr(video, name) for name in COLUMNS})
    row |= {name: json.dumps(row[name]) for name in ("about", "chapters")}
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


SOURCES = """
SELECT title, url, kind, (SELECT count(*) FROM source_video WHERE source_pk = source.id AND gone_at IS NULL) AS videos
FROM source ORDER BY lower(title), url
"""


def sources(session: Transaction) -> list[dict[str, Any]]:
    """{"title", "url", "kind", "videos"} of all sources, by title. Passwords and tokens are not in the addresses."""
    return [dict(row) for row in execute(session, SOURCES).mappings()]


ALL_LISTED = """
SELECT bool_and(link.video_pk IS NOT NULL) FROM unnest(CAST(:sites AS text[]), CAST(:ids AS text[]),
    CAST(:guids AS text[])) AS listed(site, id, guid)
LEFT JOIN (source_video AS link JOIN source ON source.id = link.source_pk AND source.url = :source
    JOIN video ON video.id = link.video_pk)
ON link.gone_at IS NULL AND ((video.site, video.video_id) = (listed.site, listed.id) OR video.guid = listed.guid)
"""


def all_listed(session: Session, source_url: str, videos: Sequence[ListedVideo]) -> bool:
    """Whether the source listed all of these before, and none has vanished since."""
    sites, ids = [video.site for video in videos], [video.video_id for video in videos]
    guids = [video.guid and clean_text(video.guid) for video in videos]
    source = public_url(source_url, distinct=True)
    return bool(execute(session, ALL_LISTED, source=source, sites=sites, ids=ids, guids=guids).scalar_one())


def full_listing_due(session: Session, source_url: str, hours: float) -> bool:
    """Whether the source was not read to its end within `hours`, or never."""
    found = execute(
        session,
        "SELECT last_full_listing_at > now() - make_interval(secs => :seconds) FROM source WHERE url = :url",
        url=public_url(source_url, distinct=True),
        seconds=hours * 3600,
    ).scalar_one_or_none()
    return not found
