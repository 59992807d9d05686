"""What a feed says: RSS 2.0 and 1.0, Atom and JSON Feed as one kind of record, whatever namespaces they mix.

Formats: https://www.rssboard.org/rss-specification, https://web.resource.org/rss/1.0/spec (with mod_enclosure),
https://www.rfc-editor.org/rfc/rfc4287, https://www.jsonfeed.org/version/1.1/, https://www.rssboard.org/media-rss,
https://podcasters.apple.com/support/823-podcast-requirements, https://podcasting2.org/docs/podcast-namespace and
https://podlove.org/simple-chapters. Asks nobody; `polling` fetches.
"""

from __future__ import annotations

import html
import json
import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from pathlib import PurePosixPath
from typing import Any
from urllib.parse import unquote, urljoin, urlsplit

from lxml import etree

from channelscribe.sources.dates import parse_date
from channelscribe.sources.markup import Document, Loss, decode, read_html, read_markup, without_tags

__all__ = [
    "Episode",
    "Feed",
    "MediaFile",
    "Shows",
    "chapters_of",
    "is_no_media",
    "media_class",
    "read_feed",
    "seconds_in",
    "seconds_of",
]

_NAMESPACES = {
    "http://purl.org/rss/1.0": "",
    "http://my.netscape.com/rdf/simple/0.9": "",
    "http://backend.userland.com/rss2": "",
    "http://blogs.law.harvard.edu/tech/rss": "",
    "http://www.w3.org/2005/atom": "atom",
    "http://purl.org/atom/ns#": "atom",
    "http://www.itunes.com/dtds/podcast-1.0.dtd": "itunes",
    "http://www.google.com/schemas/play-podcasts/1.0": "itunes",
    "http://search.yahoo.com/mrss": "media",
    "http://purl.org/rss/1.0/modules/content": "content",
    "http://purl.org/dc/elements/1.1": "dc",
    "http://purl.org/dc/terms": "dc",
    "http://purl.oclc.org/net/rss_2.0/enc#": "enc",
    "http://www.w3.org/1999/02/22-rdf-syntax-ns#": "rdf",
    "https://podcastindex.org/namespace/1.0": "podcast",
    "https://github.com/podcastindex-org/podcast-namespace/blob/main/docs/1.0.md": "podcast",
    "http://podlove.org/simple-chapters": "psc",
}
_RDF_ABOUT = "{http://www.w3.org/1999/02/22-rdf-syntax-ns#}"
_INLINE = re.compile(r"</?(?:a|b|br|div|em|font|i|p|small|span|strong|sub|sup|u|wbr)\b[^<>]*>", re.IGNORECASE)
_LONGEST_TITLE, _LONGEST_TEXT = 1000, 200_000
_LONGEST_SECONDS = 14 * 86_400.0
_MOST_CHAPTERS = 1000
_words = str.split
_AUDIO = _words(
    "aac ac3 aif aiff alac amr ape caf flac m4a m4b m4r mka mp2 mp3 mpga oga ogg opus ra spx wav weba wma wv"
)
_VIDEO = _words("3gp asf avi flv m2ts m4v mkv mov mp4 mpeg mpg mts ogv ts vob webm wmv")
_OTHER = _words(
    "apk bmp css csv doc docx epub exe gif gz htm html ico ics jpeg jpg js json m3u m3u8 md mobi odt pdf png pls ppt"
    " pptx rss rtf smil srt svg tar tif tiff torrent ttml txt vtt webp xls xlsx xml zip"
)
_SOUND = {"application/ogg", "application/x-ogg"}
_HTML = re.compile(r"\s*(?:<!--.*?-->\s*|<\?.*?\?>\s*)*<(?:!doctype\s+html|html)\b", re.IGNORECASE | re.DOTALL)
_UNTOLD = {"", "application/octet-stream", "binary/octet-stream", "application/x-download", "application/download"}
_CLOCK = re.compile(r"(?:(\d{1,3}):)?(\d{1,3}):(\d{1,2})(?:[.,]\d+)?")
_UNITS = re.compile(
    r"P?T?\s*(?:(\d{1,3})\s*h(?:ours?|rs?)?\.?,?\s*)?(?:(\d{1,4})\s*m(?:in(?:ute)?s?)?\.?,?\s*)?"
    r"(?:(\d{1,6})(?:[.,]\d+)?\s*s(?:ec(?:ond)?s?)?\.?)?",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class MediaFile:
    """A file of an episode. `length` is in bytes, `duration` in seconds; 0 and None: not told."""

    url: str
    type: str = ""
    length: int = 0
    duration: float | None = None
    bitrate: float = 0
    height: int = 0
    preferred: bool = False


@dataclass(frozen=True, slots=True)
class Episode:
    """One entry. `files` are those that may be media, the best kind first, in the feed's order within a kind.

    `chapters` are (seconds, title) that the feed holds itself; `transcripts` are {"url", "type", "language"}.
    """

    guid: str | None
    title: str
    files: tuple[MediaFile, ...] = ()
    published: datetime | date | None = None
    duration: float | None = None
    description: str | None = None
    page: str | None = None
    image: str | None = None
    author: str | None = None
    season: str | None = None
    number: str | None = None
    people: tuple[str, ...] = ()
    transcripts: tuple[dict[str, str], ...] = ()
    chapters_url: str | None = None
    chapters: tuple[tuple[float, str], ...] = ()


@dataclass(slots=True)
class Feed:
    """One document of a feed. `cut` says that it ended in the middle, `losses` what else could not be read."""

    format: str
    title: str = ""
    link: str | None = None
    guid: str | None = None
    language: str | None = None
    author: str | None = None
    image: str | None = None
    new_url: str | None = None
    next_url: str | None = None
    people: tuple[str, ...] = ()
    episodes: list[Episode] = field(default_factory=list)
    losses: list[Loss] = field(default_factory=list)
    cut: bool = False


@dataclass(slots=True)
class Shows:
    """A list of shows (OPML), or the feeds that a web page announces: (title, address) each."""

    format: str
    title: str
    feeds: list[tuple[str, str]]


def read_feed(content: bytes, url: str, charset: str | None = None) -> Feed | Shows | None:
    """What lies at `url`: a feed, a list of shows, the feeds of a web page; None for what is none of them."""
    start = content[:2048].lstrip(b"\xef\xbb\xbf \t\r\n\x00\xfe\xff")
    if start[:1] == b"{":
        return _json_feed(content, url, charset)
    if b"<" not in start.replace(b"\x00", b""):
        return None
    if _HTML.match(decode(content[:2048], charset)[0]):
        page = read_html(content, charset)
        return None if page is None else _page(page, url)
    document = read_markup(content, charset, url)
    kind = etree.QName(document.root).localname.lower().rpartition(":")[2]
    if kind == "opml":
        return _opml(document)
    if kind in ("rss", "rdf", "feed", "channel"):
        return _markup_feed(document, "atom" if kind == "feed" else "rss", url)
    return None


class _Fields:
    """The children of an element by their names: `title`, `itunes:duration`; Atom's own as if they were RSS's."""

    def __init__(self, element: etree._Element) -> None:
        self.element = element
        self._found: dict[str, list[etree._Element]] = {}
        for child in element:
            if isinstance(child.tag, str):
                self._found.setdefault(_name(child), []).append(child)

    def all(self, *names: str) -> Iterator[etree._Element]:
        for name in names:
            yield from self._found.get(name, ())

    def text(self, *names: str) -> str:
        """The first that holds something, without the blanks around."""
        return next((words for each in self.all(*names) if (words := _inner(each))), "")

    def link(self, relation: str) -> str | None:
        """Atom's link of that relation, in Atom or beside RSS."""
        for each in self.all("link", "atom:link"):
            if (each.get("rel") or "alternate").strip().lower() == relation and each.get("href"):
                return _address(each.get("href"), each)
        return None


def _name(element: etree._Element) -> str:
    tag = str(element.tag)
    if tag[0] != "{":
        return tag.lower()  # a prefix that nobody declared stays where it is
    uri, _, local = tag[1:].partition("}")
    short = _NAMESPACES.get(uri.strip().rstrip("/").lower(), "?")
    return f"{short}:{local.lower()}" if short else local.lower()


def _markup_feed(document: Document, kind: str, url: str) -> Feed:
    root = document.root
    top = next((each for each in root.iter() if isinstance(each.tag, str) and _local(each) == "channel"), root)
    fields = _Fields(root if kind == "atom" else top)
    language = fields.text("language", "dc:language") or root.get("{http://www.w3.org/XML/1998/namespace}lang")
    feed = Feed(
        kind,
        title=_title(fields.text(*_own(kind, "title"), "itunes:title")),
        link=fields.link("alternate") or _address(fields.text("link"), fields.element),
        guid=fields.text("podcast:guid").lower() or None,
        language=language,
        author=_author(fields),
        image=_image(fields),
        new_url=_address(fields.text("itunes:new-feed-url"), fields.element),
        next_url=fields.link("next") or fields.link("prev-archive"),
        people=_people(fields),
        losses=document.losses,
        cut=document.cut,
    )
    for element in root.iter():
        if isinstance(element.tag, str) and _local(element) in ("item", "entry"):
            feed.episodes.append(_episode(_Fields(element), kind, language))
    return feed


def _local(element: etree._Element) -> str:
    return etree.QName(element).localname.lower()


def _own(kind: str, *names: str) -> tuple[str, ...]:
    return (*(f"atom:{name}" for name in names), *names) if kind == "atom" else (*names, *(f"atom:{n}" for n in names))


def _episode(fields: _Fields, kind: str, language: str | None) -> Episode:
    link = fields.link("alternate") or _address(fields.text("link"), fields.element)
    files = _files(fields, link)
    durations = [seconds_of(fields.text("itunes:duration")), *(each.duration for each in files)]
    about = fields.element.get(f"{_RDF_ABOUT}about")
    title = fields.text(*_own(kind, "title")) or fields.text("itunes:title", "media:title", "dc:title")
    description = _text(
        fields.text("description", "atom:summary", "summary")
        or fields.text("itunes:summary", "content:encoded", "atom:content", "media:description", "itunes:subtitle")
    )
    dates = (
        parse_date(fields.text(name), language)
        for name in ("pubdate", "atom:published", "published", "atom:issued", "dc:date", "dc:issued", "atom:updated",
                     "atom:modified", "updated")
    )  # fmt: skip
    return Episode(
        guid=fields.text("guid", "atom:id", "id") or about or None,
        title=_title(title) or (description or "").partition("\n")[0][:100] or _file_title(files),
        files=files,
        published=next((each for each in dates if each), None),
        duration=next((each for each in durations if each), None),
        description=description,
        page=link if link not in [each.url for each in files] else None,
        image=_image(fields),
        author=_author(fields),
        season=fields.text("podcast:season", "itunes:season") or None,
        number=fields.text("podcast:episode", "itunes:episode") or None,
        people=_people(fields),
        transcripts=_transcripts(fields, language),
        chapters_url=next((_address(each.get("url"), each) for each in fields.all("podcast:chapters")), None),
        chapters=_simple_chapters(fields),
    )


def _files(fields: _Fields, link: str | None) -> tuple[MediaFile, ...]:
    """All that may be the episode's media, audio before video before what does not tell."""
    found: dict[str, tuple[int, MediaFile]] = {}
    for file, sure in _candidates(fields, link):
        rank = media_class(file.url, file.type)
        if rank is not None and (sure or rank < 2):
            found.setdefault(file.url, (rank, file))
    ranked = sorted(found.values(), key=lambda each: (each[0], not each[1].preferred))
    return tuple(file for _, file in ranked)


def _candidates(fields: _Fields, link: str | None) -> Iterator[tuple[MediaFile, bool]]:
    """Files with whether they are given as media; an entry's plain link may be a page."""
    for each in fields.all("enclosure", "atom:enclosure"):
        yield from _file(each, each.get("url") or each.get("href"), each.get("type"), each.get("length"))
    for each in fields.all("enc:enclosure"):
        enc = "{http://purl.oclc.org/net/rss_2.0/enc#}"
        yield from _file(each, each.get(f"{_RDF_ABOUT}resource"), each.get(f"{enc}type"), each.get(f"{enc}length"))
    for each in fields.all("link", "atom:link"):
        if (each.get("rel") or "").strip().lower() == "enclosure":
            yield from _file(each, each.get("href"), each.get("type"), each.get("length"))
    for each in fields.all("atom:content", "content"):
        yield from _file(each, each.get("src"), each.get("type"), None)
    groups = [fields, *map(_Fields, fields.all("media:group"))]
    for group in groups:
        for each in group.all("media:content"):
            yield from _file(each, each.get("url"), each.get("type") or _medium(each), each.get("filesize"))
    for each in fields.all("podcast:alternateenclosure"):
        for source in _Fields(each).all("podcast:source"):
            yield from _file(each, source.get("uri"), source.get("contenttype") or each.get("type"), each.get("length"))
    if link:
        yield MediaFile(link), False


def _file(
    element: etree._Element, url: str | None, kind: str | None, length: str | None
) -> Iterator[tuple[MediaFile, bool]]:
    values = _values(element)
    if address := _address(url, element):
        told = length or values.get("filesize") or ""
        yield (
            MediaFile(
                address,
                (kind or "").partition(";")[0].strip().lower(),
                int(told) if re.fullmatch(r"\d{1,15}", told.strip()) else 0,
                seconds_of(values.get("duration", "")),
                _number(values.get("bitrate")),
                int(_number(values.get("height"))),
                values.get("isdefault") == "true" or values.get("default") == "true",
            ),
            True,
        )


def _values(element: etree._Element) -> dict[str, str]:
    return {str(key).lower(): str(value).strip() for key, value in element.items()}


def _medium(element: etree._Element) -> str:
    medium = (element.get("medium") or "").strip().lower()
    return f"{medium}/*" if medium in ("audio", "video", "image") else ("text/*" if medium in ("document",) else "")


def media_class(url: str, kind: str = "") -> int | None:
    """0 for audio, 1 for video, 2 for what does not tell; None for what is no media. The ending of a name counts more
    than the type: servers tell types by habit.
    """
    try:
        ending = PurePosixPath(unquote(urlsplit(url).path)).suffix.removeprefix(".").lower()
    except ValueError:
        return None
    if ending in _OTHER:
        return None
    if ending in _AUDIO or ending in _VIDEO:
        # An .mp4 may be sound alone; its type says so.
        return 1 if ending in _VIDEO and not kind.startswith("audio/") else 0
    if kind.startswith("audio/") or kind in _SOUND:
        return None if "mpegurl" in kind or "scpls" in kind else 0
    if kind.startswith("video/"):
        return 1
    return 2 if kind in _UNTOLD or "/" not in kind else None


def is_no_media(name: str) -> bool:
    """Whether a file's ending says that it is a picture, a text, an archive…"""
    return PurePosixPath(name).suffix.removeprefix(".").lower() in _OTHER


def seconds_of(text: str) -> float | None:
    """A length as feeds have it: 62, 1:02, 01:02:03, 62.5, 1h 2m, PT1H2M; None for nothing and for nonsense."""
    words = " ".join(str(text)[:40].split())
    seconds = 0.0
    if re.fullmatch(r"\d{1,9}(\.\d+)?", words):
        seconds = float(words)
    elif found := _CLOCK.fullmatch(words):
        seconds = int(found[1] or 0) * 3600.0 + int(found[2]) * 60 + int(found[3])
    elif words and (found := _UNITS.fullmatch(words)):
        seconds = int(found[1] or 0) * 3600.0 + int(found[2] or 0) * 60 + int(found[3] or 0)
    return seconds if 0 < seconds < _LONGEST_SECONDS else None


def _inner(element: etree._Element) -> str:
    """The text of an element; of one with markup in it, that markup."""
    if len(element) == 0:
        return (element.text or "").strip()
    inside = [element.text or "", *(etree.tostring(each, encoding="unicode", method="html") for each in element)]
    return "".join(inside).strip()


def _address(text: str | None, element: etree._Element) -> str | None:
    """An http address in full; None for what is none."""
    words = "".join((text or "").split("\n")).strip()
    return _absolute(words, element.base or "") if words else None


def _absolute(words: str, base: str) -> str | None:
    try:
        found = urljoin(base, words)
        parts = urlsplit(found)
    except ValueError:
        return None
    return found if parts.scheme in ("http", "https") and parts.netloc else None


def _title(text: str) -> str:
    """One line without markup; entities that were escaped twice are meant as such."""
    words = _INLINE.sub("", text[: 2 * _LONGEST_TITLE])
    return " ".join(html.unescape(words).split())[:_LONGEST_TITLE]


def _text(text: str) -> str | None:
    return without_tags(text[:_LONGEST_TEXT]) or None


def _file_title(files: tuple[MediaFile, ...]) -> str:
    return PurePosixPath(unquote(urlsplit(files[0].url).path)).stem if files else ""


def _number(text: str | None) -> float:
    words = (text or "").strip()
    return float(words) if re.fullmatch(r"\d{1,9}(\.\d+)?", words) else 0.0


def _author(fields: _Fields) -> str | None:
    found = fields.text("itunes:author", "dc:creator", "author")
    if not found:
        found = next((_Fields(each).text("atom:name", "name") for each in fields.all("atom:author")), "")
    return _title(found) or None


def _image(fields: _Fields) -> str | None:
    for each in fields.all("itunes:image", "media:thumbnail", "image", "atom:logo", "atom:icon"):
        address = each.get("href") or each.get("url") or _Fields(each).text("url") or (each.text or "")
        if found := _address(address, each):
            return found
    return None


def _people(fields: _Fields) -> tuple[str, ...]:
    return tuple(dict.fromkeys(filter(None, (_title(_inner(each)) for each in fields.all("podcast:person")))))[:50]


def _transcripts(fields: _Fields, language: str | None) -> tuple[dict[str, str], ...]:
    """In the feed's language where they do not tell theirs."""
    found = []
    for each in fields.all("podcast:transcript"):
        if address := _address(each.get("url"), each):
            kind = (each.get("type") or "").partition(";")[0].strip().lower()
            told = (each.get("language") or language or "").strip().lower()
            found.append({"url": address, "type": kind, "language": told})
    return tuple(found[:20])


def _simple_chapters(fields: _Fields) -> tuple[tuple[float, str], ...]:
    """Podlove's chapters, which are in the feed."""
    found = []
    for chapters in fields.all("psc:chapters"):
        for each in chapters:
            start = seconds_of(each.get("start") or "") or 0.0
            found.append((start, _title(each.get("title") or "")))
    return tuple(sorted(found)[:_MOST_CHAPTERS])


def chapters_of(given: Any) -> list[list[Any]]:
    """[seconds, title] of a list of objects with startTime (or start_time, or start) and title, in order.

    Those that are not for a table of contents ("toc": false) are left out.
    """
    found = []
    for each in given if isinstance(given, list) else ():
        if not isinstance(each, dict):
            continue
        start = seconds_in(each.get("startTime", each.get("start_time", each.get("start"))))
        if start is not None and each.get("toc") is not False:
            found.append([start, _title(str(each.get("title") or ""))])
    return sorted(found)[:_MOST_CHAPTERS]


def seconds_in(value: Any) -> float | None:
    """A number of seconds in JSON; None for what is none."""
    try:
        seconds = float(value)
    except (TypeError, ValueError):
        return None
    return round(seconds, 3) if math.isfinite(seconds) and seconds >= 0 else None


def _json_feed(content: bytes, url: str, charset: str | None) -> Feed | None:
    try:
        read = json.loads(decode(content, charset)[0])
    except (ValueError, RecursionError):
        return None
    if not isinstance(read, dict) or "jsonfeed.org/version/" not in str(read.get("version")):
        return None
    language = _word(read, "language")
    feed = Feed(
        "json",
        title=_title(_word(read, "title") or ""),
        link=_absolute(_word(read, "home_page_url") or "", url),
        guid=_word(read, "_podcast_guid"),
        language=language,
        author=_json_author(read),
        image=_absolute(_word(read, "icon") or "", url) if _word(read, "icon") else None,
        next_url=_absolute(_word(read, "next_url") or "", url) if _word(read, "next_url") else None,
    )
    items = read.get("items")
    for item in items if isinstance(items, list) else ():
        if isinstance(item, dict):
            feed.episodes.append(_json_episode(item, url, language))
    return feed


def _json_episode(item: Mapping[str, Any], url: str, language: str | None) -> Episode:
    attachments = item.get("attachments")
    files: list[tuple[int, MediaFile]] = []
    for each in attachments if isinstance(attachments, list) else ():
        address = _absolute((_word(each, "url") or "").strip(), url) if isinstance(each, dict) else None
        kind = (_word(each, "mime_type") or "").partition(";")[0].strip().lower() if address else ""
        if address and (rank := media_class(address, kind)) is not None:
            size, seconds = _word(each, "size_in_bytes") or "", _word(each, "duration_in_seconds") or ""
            length = int(float(size)) if re.fullmatch(r"\d{1,15}(\.\d+)?", size) else 0
            files.append((rank, MediaFile(address, kind, length, seconds_of(seconds))))
    ranked = tuple(file for _, file in sorted(files, key=lambda each: each[0]))
    description = _text(_word(item, "content_text") or _word(item, "summary") or _word(item, "content_html") or "")
    dates = (parse_date(_word(item, name) or "", language) for name in ("date_published", "date_modified"))
    page = _word(item, "url") or _word(item, "external_url")
    return Episode(
        guid=(_word(item, "id") or "").strip() or None,
        title=_title(_word(item, "title") or "") or (description or "").partition("\n")[0][:100] or _file_title(ranked),
        files=ranked,
        published=next((each for each in dates if each), None),
        duration=next((each.duration for each in ranked if each.duration), None),
        description=description,
        page=_absolute(page, url) if page else None,
        image=_absolute(_word(item, "image") or "", url) if _word(item, "image") else None,
        author=_json_author(item),
    )


def _word(record: Mapping[str, Any], key: str) -> str | None:
    value = record.get(key)
    return str(value) if isinstance(value, str | int | float) and not isinstance(value, bool) else None


def _json_author(record: Mapping[str, Any]) -> str | None:
    authors = record.get("authors")
    found = authors if isinstance(authors, list) else [record.get("author")]
    names = [_word(each, "name") for each in found if isinstance(each, dict)]
    return next((name for name in names if name), None)


def _opml(document: Document) -> Shows:
    """Format: http://opml.org/spec2.opml, section "What is a subscription list?"."""
    found: dict[str, str] = {}
    for each in document.root.iter():
        values = _values(each) if isinstance(each.tag, str) else {}
        if address := values.get("xmlurl"):
            address = re.sub(r"^feed:(//)?(?!http)", "https://", address).removeprefix("feed:")
            found.setdefault(address, values.get("title") or values.get("text") or "")
    title = next((_title(each.text or "") for each in document.root.iter() if _local_of(each) == "title"), "")
    return Shows("opml", title, [(name, address) for address, name in found.items()])


_FEED_TYPES = tuple(f"application/{kind}" for kind in ("rss+xml", "atom+xml", "feed+json", "rdf+xml"))


def _page(root: etree._Element, url: str) -> Shows:
    """The feeds that a page announces: https://www.rssboard.org/rss-autodiscovery; not those of its comments."""
    found: dict[str, str] = {}
    base, title = url, ""
    for each in root.iter():
        local = _local_of(each)
        if local == "title" and not title:
            title = _title(each.text or "")
        elif local == "base" and each.get("href"):
            base = _absolute((each.get("href") or "").strip(), url) or url
        elif local in ("link", "a"):
            values = _values(each)
            words = values.get("rel", "").lower().split()
            kind = values.get("type", "").partition(";")[0].lower()
            address = _absolute(values.get("href", ""), base)
            told = f"{values.get('title', '')} {address}".lower()
            if "alternate" in words and kind in _FEED_TYPES and address and "comment" not in told:
                found.setdefault(address, values.get("title", ""))
    return Shows("page", title, [(name, address) for address, name in found.items()])


def _local_of(element: etree._Element) -> str:
    return _local(element) if isinstance(element.tag, str) else ""


def chosen(episode: Episode, quality: str) -> MediaFile | None:
    """The file that is fetched: of the best kind, the feed's own choice, the smallest or the best one."""
    if not episode.files:
        return None
    kind = media_class(episode.files[0].url, episode.files[0].type)
    same = [each for each in episode.files if media_class(each.url, each.type) == kind]
    if quality == "first":
        return same[0]
    for told in ("bitrate", "height", "length"):
        comparable = [each for each in same if getattr(each, told)]
        if len(comparable) > 1:
            choose = min if quality == "smallest" else max
            return choose(comparable, key=lambda each: float(getattr(each, told)))
    return same[0]
