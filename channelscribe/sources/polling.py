"""A feed as a source: asked for politely, followed to where it has gone, read page by page, and made into a listing.

Asks over yt-dlp's HTTP, and so behind the same guard, proxy, cookies and logins as all else. Between two listings the
catalogue keeps what came of the last one (`Listing.memory`): a feed that has not changed since costs one conditional
request. Leaves nothing.
"""

from __future__ import annotations

import hashlib
import re
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from email.message import Message
from typing import Any
from urllib.parse import urljoin, urlsplit
from uuid import UUID

from yt_dlp.networking import Request  # type: ignore[import-untyped]
from yt_dlp.networking.exceptions import HTTPError  # type: ignore[import-untyped]
from yt_dlp.utils.networking import normalize_url  # type: ignore[import-untyped]

from channelscribe.errors import ChannelscribeError, NoMedia, SourceError, SourceUnreachable
from channelscribe.settings.options import SourceOptions
from channelscribe.sources.addresses import display_url
from channelscribe.sources.entries import day_of
from channelscribe.sources.error_classification import classify, retry_after
from channelscribe.sources.feeds import Episode, Feed, MediaFile, Shows, chosen, read_feed
from channelscribe.sources.identifiers import FEED, episode_id, feed_key, file_of, former_id, guid_of, safe_id
from channelscribe.sources.markup import decode
from channelscribe.sources.spool import ListedVideo, Listing
from channelscribe.sources.subscriptions import directory_feeds, directory_of, no_feed_told
from channelscribe.sources.ytdlp import SafeYoutubeDL

__all__ = ["LARGEST_BYTES", "list_feed"]

READER = 2
"""Counted up when a newer one reads more from the same bytes: what did not change since an older one is read anew."""
LARGEST_BYTES = 64 << 20
MOST_PAGES = 5000
_MOST_ANNOUNCED = 5
_MOST_SHOWN = 5
_WAITS, _LONGEST_WAIT_SECONDS = 2, 20.0
_ACCEPT = "application/rss+xml, application/atom+xml, application/feed+json, application/xml;q=0.9, */*;q=0.8"
_NOT_OURS = ("audio/", "video/", "image/", "application/ogg", "application/pdf", "application/zip", "multipart/")
_PERMANENT = (301, 308)


@dataclass(frozen=True, slots=True)
class Answer:
    """What came. `url` is where it came from in the end, `moved_to` where permanent redirects lead; `content` is None
    where nothing has changed.
    """

    url: str
    content: bytes | None
    charset: str | None = None
    kind: str = ""
    etag: str | None = None
    modified: str | None = None
    moved_to: str | None = None


def list_feed(
    ydl: SafeYoutubeDL, url: str, options: SourceOptions, memory: Mapping[str, Any], all_known: Any = None
) -> Listing | None:
    """What the feed at `url`, or the one that the page there announces, lists; None for what is neither.

    `all_known` is asked of each page but the first; where it says yes, the rest of an archive counts as known. Raises
    what `error_classification` makes of answers, SourceUnreachable (`not_a_feed`) where a feed used to be.
    """
    return _Poll(ydl, url, options, memory, all_known).listing()


class _Poll:
    """One look at a feed."""

    def __init__(
        self, ydl: SafeYoutubeDL, url: str, options: SourceOptions, memory: Mapping[str, Any], all_known: Any
    ) -> None:
        self._ydl = ydl
        self._url = url
        self._options = options
        self._all_known = all_known
        # What another reader, or another choice of files, made of the same bytes is no memory.
        self._memory = dict(memory)
        self._valid = memory.get("reader") == READER and memory.get("quality") == options.quality
        self._was_a_feed = memory.get("kind") == "feed"
        self._counts = {"without": 0, "twice": 0, "shared": 0}
        self._notes: list[str] = []
        self._people: tuple[str, ...] = ()  # the show's own, for episodes that name nobody
        self._image: str | None = None

    def listing(self) -> Listing | None:
        answer = self._first()
        if answer is None:
            return None
        if answer.content is None or (self._valid and _digest(answer.content) == self._memory.get("sha256")):
            kept = {**self._memory, **_validators(answer)} if answer.content is not None else dict(self._memory)
            return self._listing([], kept, unchanged=True)
        read = self._directory(answer) or read_feed(answer.content, answer.url, answer.charset)
        if isinstance(read, Shows) and read.format == "opml":
            raise NoMedia(
                f"{display_url(self._url)} is a list of {len(read.feeds)} shows (OPML).",
                remedy="Save it, and give the file: `channelscribe sync FILE.opml` syncs each show.",
            )
        only: str | None = None
        # An error page may announce any feed: only of what always was a page is that the one that is meant.
        is_page = isinstance(read, Shows) and (self._memory.get("page") or not self._was_a_feed)
        if is_page and (found := self._announced(read)) is not None:
            only = answer.url
            answer, read = found
        elif is_page and directory_of(self._url):
            raise no_feed_told(self._url)
        if not isinstance(read, Feed):
            if self._was_a_feed:
                raise self._no_feed(answer)
            return None
        if read.new_url and read.new_url != answer.url and (moved := self._moved(read.new_url)) is not None:
            answer, read = moved
        return self._read(answer, read, only)

    def _first(self) -> Answer | None:
        """From where the feed is now, as far as is known; None for what cannot be one."""
        place = str(self._memory.get("url") or self._url)
        try:
            answer = get(self._ydl, place, self._memory if self._valid else {})
        except ChannelscribeError:
            if place == self._url:
                raise
            answer = get(self._ydl, self._url, {})  # where it went it is no more
        if answer.content is not None and answer.kind.startswith(_NOT_OURS):
            if self._was_a_feed:
                raise self._no_feed(answer)
            return None
        return answer

    def _directory(self, answer: Answer) -> Shows | None:
        """The feed that the page of a directory tells of."""
        if directory_of(answer.url) is None:
            return None
        return directory_feeds(decode(answer.content or b"", answer.charset)[0])

    def _announced(self, page: Any) -> tuple[Answer, Feed] | None:
        """The first feed with something to play that a page announces."""
        for _, address in page.feeds[:_MOST_ANNOUNCED]:
            try:
                answer = get(self._ydl, address, {})
                read = read_feed(answer.content or b"", answer.url, answer.charset)
            except ChannelscribeError:
                continue
            if isinstance(read, Feed) and any(episode.files for episode in read.episodes):
                self._notes.append(f"The page announces a feed, which is what is listed: {display_url(address)}")
                return answer, read
        return None

    def _moved(self, address: str) -> tuple[Answer, Feed] | None:
        """The feed at the address that a feed calls its new one; None where there is none yet."""
        try:
            answer = get(self._ydl, normalize_url(address), {})
            read = read_feed(answer.content or b"", answer.url, answer.charset)
        except ChannelscribeError:
            return None
        if not isinstance(read, Feed):
            return None
        self._notes.append(f"The feed has moved to {display_url(address)}, which is asked from now on.")
        return Answer(answer.url, answer.content, moved_to=answer.url, etag=answer.etag, modified=answer.modified), read

    def _no_feed(self, answer: Answer) -> SourceUnreachable:
        content = (answer.content or b"").strip()
        what = "an empty page"
        if content:
            what = "JSON that is no feed" if content[:1] in (b"{", b"[") else "something that is no feed"
        if b"<html" in content[:2000].lower() or b"<!doctype html" in content[:2000].lower():
            what = "a web page"
        return SourceUnreachable(
            f"{display_url(self._url)} was a feed and answers with {what} now.",
            remedy="No episode counts as gone, and it is asked again. If this lasts, look for the feed's new address.",
            reason="not_a_feed",
        )

    def _read(self, answer: Answer, first: Feed, only: str | None) -> Listing:
        place = answer.moved_to or str(self._memory.get("url") or self._url)
        if only is not None:
            place = answer.moved_to or answer.url
        guid = _guid(first.guid)
        # Known by where it was first met, unless it tells what its name is: so it stays the same when it moves.
        feed = str(self._memory.get("feed") or guid or feed_key(answer.url if only is not None else self._url))
        memory = {
            "reader": READER,
            "quality": self._options.quality,
            "sha256": _digest(answer.content or b""),
            "url": place if place != self._url else None,
            "guid": guid,
            "link": first.link,
            "page": only is not None or self._memory.get("page"),
            **_validators(answer),
        }
        self._people, self._image = first.people, first.image
        episodes, complete, error = self._pages(answer, first, feed)
        if only is not None and (one := [each for each in episodes if _is_page(each, only)]):
            self._notes = [f"The page is that of one episode, in the feed {display_url(answer.url)}"]
            listing = self._listing(self._videos(one, feed), {}, title=one[0].title)
            listing.kind, listing.feed, listing.source_id = "video", feed, safe_id(self._url)
            return listing
        videos = self._videos(episodes, feed)
        if not videos and self._memory.get("listed"):
            raise SourceUnreachable(
                f"{display_url(self._url)} lists nothing now, but had {self._memory['listed']} before.",
                remedy="No episode counts as gone, and it is asked again.",
                reason="not_a_feed",
            )
        memory["listed"] = len(videos)
        if first.cut or error is not None or not complete:
            memory |= {"etag": None, "modified": None, "sha256": None}  # what was not read is read next time
        listing = self._listing(videos, memory, first.title)
        listing.feed, listing.source_id = feed, feed
        listing.complete, listing.error = complete and not first.cut, error
        self._say_losses(first)
        return listing

    def _pages(self, answer: Answer, first: Feed, feed: str) -> tuple[list[Episode], bool, ChannelscribeError | None]:
        """The episodes of all pages, whether these are all, and what broke it off."""
        episodes, seen = list(first.episodes), {answer.url, self._url}
        following = first.next_url
        while following and following not in seen and len(seen) < MOST_PAGES:
            seen.add(following)
            try:
                answer = get(self._ydl, normalize_url(following), {})
                page = read_feed(answer.content or b"", answer.url, answer.charset)
            except ChannelscribeError as error:
                return episodes, False, error
            if not isinstance(page, Feed):
                where = display_url(following)
                return episodes, False, SourceError(f"{where}: the next page of the feed is no feed.")
            self._say_losses(page)
            known = self._videos(page.episodes, feed)
            episodes += page.episodes
            if page.cut:
                return episodes, False, None
            if known and self._all_known is not None and self._all_known(known):
                return episodes, False, None
            following = page.next_url
        return episodes, True, None

    def _videos(self, episodes: Sequence[Episode], feed: str) -> list[ListedVideo]:
        """Each episode that has a file once, the newest first where all have a date."""
        self._counts = {"without": 0, "twice": 0, "shared": 0}
        files: dict[str, set[str]] = {}
        taken: dict[tuple[str | None, str], tuple[Episode, MediaFile]] = {}
        for episode in episodes:
            file = chosen(episode, self._options.quality)
            if file is None:
                self._counts["without"] += 1
                continue
            key = (episode.guid, file_of(file.url))
            if episode.guid is None and key in taken and taken[key][0].title != episode.title:
                key = (None, f"{key[1]}\n{episode.title}")  # what tells them apart was taken for a token
            if key in taken:
                self._counts["twice"] += 1
                continue
            taken[key] = (episode, file)
            if episode.guid:
                files.setdefault(episode.guid, set()).add(key[1])
        shared = {guid for guid, found in files.items() if len(found) > 1}
        self._counts["shared"] = sum(len(files[guid]) for guid in shared)
        entries = list(taken.items())
        if all(episode.published for episode, _ in taken.values()):
            entries.sort(key=lambda each: _moment(each[1][0].published), reverse=True)
        return [
            self._video(*taken, (feed, guid_of(guid, place, guid in shared), place), position)
            for position, ((guid, place), taken) in enumerate(entries)
        ]

    def _video(self, episode: Episode, file: MediaFile, names: tuple[str, str, str], position: int) -> ListedVideo:
        url = normalize_url(file.url)
        feed, name, place = names
        published = episode.published
        about = {
            "page": episode.page,
            "author": episode.author,
            "image": episode.image or self._image,
            "season": episode.season,
            "number": episode.number,
            "people": list(episode.people or self._people),
            "transcripts": list(episode.transcripts),
            "chapters_url": episode.chapters_url,
        }
        return ListedVideo(
            video_id=episode_id(feed, name),
            site=FEED,
            url=url,
            title=episode.title or safe_id(name),
            duration=episode.duration,
            published=day_of(published, self._options.timezone) if isinstance(published, datetime) else published,
            description=episode.description,
            position=position,
            guid=episode.guid,
            file=place,
            announced_bytes=file.length or None,
            about={key: value for key, value in about.items() if value},
            chapters=[[start, title] for start, title in episode.chapters],
            former=former_id(url, episode.guid),
        )

    def _listing(
        self, videos: list[ListedVideo], memory: dict[str, Any], title: str = "", *, unchanged: bool = False
    ) -> Listing:
        feed = str(self._memory.get("feed") or feed_key(self._url))
        if not unchanged:
            self._say_counts(len(videos))
        memory = {name: value for name, value in memory.items() if name not in ("feed", "kind") and value}
        return Listing(
            FEED, feed, title or "", self._url, "feed", videos, notes=self._notes, feed=feed, memory=memory,
            unchanged=unchanged,
        )  # fmt: skip

    def _say_counts(self, listed: int) -> None:
        words = {
            "without": "without a file to play",
            "twice": "there twice",
            "shared": "share a guid",
        }
        told = [f"{count} {words[name]}" for name, count in self._counts.items() if count]
        if told:
            self._notes.append(f"{listed} listed, {', '.join(told)}")

    def _say_losses(self, feed: Feed) -> None:
        if not feed.losses:
            return
        shown = "; ".join(map(str, feed.losses[:_MOST_SHOWN]))
        more = f"; and {len(feed.losses) - _MOST_SHOWN} more" if len(feed.losses) > _MOST_SHOWN else ""
        self._notes.append(f"The feed is not well-formed; lost: {shown}{more}")


def get(ydl: SafeYoutubeDL, url: str, memory: Mapping[str, Any], *, largest: int | None = None) -> Answer:
    """What is at an address; only if it has changed since, where the memory holds what the server said then.

    Raises NoMedia for more than `largest` bytes, and what `error_classification` makes of other answers.
    """
    headers = {"Accept": _ACCEPT}
    for name, key in (("If-None-Match", "etag"), ("If-Modified-Since", "modified")):
        if memory.get(key):
            headers[name] = str(memory[key])
    try:
        with _opened(ydl, url, headers) as response:
            content = _whole(response, url, largest or LARGEST_BYTES)
    except HTTPError as error:
        if error.status == 304 and len(headers) > 1:
            return Answer(url, None, moved_to=_moved_to(error.response))
        raise classify(error, url) from None
    except ChannelscribeError:
        raise
    except Exception as error:
        raise classify(error, url) from None
    told = Message()
    told["Content-Type"] = response.headers.get("Content-Type") or "application/octet-stream"
    return Answer(
        response.url,
        content,
        charset=told.get_content_charset(),
        kind=told.get_content_type(),
        etag=response.headers.get("ETag"),
        modified=response.headers.get("Last-Modified"),
        moved_to=_moved_to(response),
    )


def _opened(ydl: SafeYoutubeDL, url: str, headers: Mapping[str, str]) -> Any:
    """The answer. One that asks for a moment gets it; longer waits are the breaker's."""
    for _ in range(_WAITS):
        try:
            return ydl.urlopen(Request(url, headers=headers))
        except HTTPError as error:
            until = retry_after([error])
            seconds = (until - datetime.now(UTC)).total_seconds() if until else _LONGEST_WAIT_SECONDS + 1
            if seconds > _LONGEST_WAIT_SECONDS:
                raise
            error.close()
            time.sleep(max(0.0, seconds))
    return ydl.urlopen(Request(url, headers=headers))


def _whole(response: Any, url: str, largest: int) -> bytes:
    """Piece by piece: what is packed may be larger than what comes."""
    pieces, size = [], 0
    kind = (response.headers.get("Content-Type") or "").lower()
    if kind.startswith(_NOT_OURS):
        return b" "
    while piece := response.read(1 << 16):
        pieces.append(piece)
        size += len(piece)
        if size > largest:
            raise NoMedia(
                f"{display_url(url)} is larger than {largest >> 20} MB, which no feed or transcript is.",
                remedy="Open it in a browser; the address of a feed mostly ends in .xml or .rss.",
            )
    return b"".join(pieces)


def _moved_to(response: Any) -> str | None:
    """Where an unbroken chain of permanent redirects from the address that was asked for leads."""
    hops = getattr(getattr(response, "_requests_response", None), "history", None) or ()
    place = None
    for hop in hops:
        if hop.status_code not in _PERMANENT:
            break
        place = urljoin(hop.url, hop.headers.get("Location") or "")
    return place if place and urlsplit(place).scheme in ("http", "https") else None


def _validators(answer: Answer) -> dict[str, Any]:
    return {"etag": answer.etag, "modified": answer.modified}


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _guid(text: str | None) -> str | None:
    """A podcast:guid, if it is one."""
    try:
        return str(UUID(text or ""))
    except ValueError:
        return None


def _moment(published: datetime | date | None) -> datetime:
    if isinstance(published, datetime):
        return published
    return (
        datetime(published.year, published.month, published.day, tzinfo=UTC)
        if published
        else datetime.min.replace(tzinfo=UTC)
    )


def _is_page(episode: Episode, url: str) -> bool:
    return episode.page is not None and _plain(episode.page) == _plain(url)


def _plain(url: str) -> str:
    return re.sub(r"^https?://(www\.)?|[?#].*$|/+$", "", url)
