"""Lists of shows, and the directories that show podcasts: from both to the feeds themselves.

OPML: http://opml.org/spec2.opml, "subscription lists", which every podcast player reads and writes. A directory's page
tells where the feed is, or it does not; its API is not asked.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from pathlib import Path
from urllib.parse import urlsplit

from lxml import etree

from channelscribe.errors import NoMedia, UsageError
from channelscribe.sources.feeds import Shows, read_feed
from channelscribe.sources.folders import as_source, name_here

__all__ = ["DIRECTORIES", "directory_feeds", "directory_of", "expand", "no_feed_told", "read_opml", "write_opml"]

DIRECTORIES = {
    "podcasts.apple.com": "Apple Podcasts",
    "itunes.apple.com": "Apple Podcasts",
    "open.spotify.com": "Spotify",
    "overcast.fm": "Overcast",
    "www.overcast.fm": "Overcast",
}
"""Hosts that show podcasts of others, and what people call them."""

_FEED_URL = re.compile(r'"feedUrl"\s*:\s*("https?:(?:[^"\\]|\\.){1,2000}")')
_RSS_LINK = re.compile(r'<a\b[^>]{0,500}\bhref="(https?://[^"]{1,2000})"[^>]{0,500}>\s*(?:RSS|Feed)\b', re.IGNORECASE)
_LIST_ENDINGS = (".opml", ".xml")
_LARGEST_BYTES = 16 << 20


def expand(words: Iterable[str]) -> list[str]:
    """Sources as they were given, each once: in place of a file that is a list of shows the addresses of these, and in
    place of a folder or recording its file: address, which this process may read from now on.

    Raises UsageError for a list that is none, and for a path where nothing is.
    """
    found: dict[str, None] = {}
    for word in words:
        path = Path(word)
        if "://" not in word and path.suffix.lower() in _LIST_ENDINGS:
            found.update(dict.fromkeys(url for _, url in read_opml(path)))
        elif (place := as_source(word)) is not None:
            name_here(place)
            found[place] = None
        else:
            found[word] = None
    return list(found)


def read_opml(path: Path) -> list[tuple[str, str]]:
    """(title, address) of the shows that a file lists. Raises UsageError that says what is wrong with it."""
    remedy = "Give a list of shows (OPML), as podcast players export it."
    try:
        content = path.read_bytes() if path.stat().st_size <= _LARGEST_BYTES else b""
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}.", remedy=remedy) from None
    try:
        read = read_feed(content, "")
    except NoMedia:
        read = None
    if not isinstance(read, Shows) or read.format != "opml":
        raise UsageError(f"{path} is no list of shows.", remedy=remedy)
    if not read.feeds:
        raise UsageError(f"{path} lists no show with a feed.", remedy=remedy)
    return read.feeds


def write_opml(title: str, shows: Iterable[tuple[str, str]]) -> bytes:
    """A list of (title, address) as OPML 2.0, in UTF-8."""
    root = etree.Element("opml", version="2.0")
    etree.SubElement(etree.SubElement(root, "head"), "title").text = _legal(title)
    body = etree.SubElement(root, "body")
    for name, url in shows:
        etree.SubElement(body, "outline", type="rss", text=_legal(name), title=_legal(name), xmlUrl=_legal(url))
    return bytes(etree.tostring(root, encoding="utf-8", xml_declaration=True, pretty_print=True))


def _legal(text: str) -> str:
    return re.sub("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]", "", text)


def directory_of(url: str) -> str | None:
    """The directory whose page of a show this is; None for other addresses, and for Apple's pages of one episode."""
    parts = urlsplit(url)
    if re.search(r"(^|&)i=\d", parts.query):
        return None
    return DIRECTORIES.get(parts.hostname or "")


def directory_feeds(text: str) -> Shows:
    """The feeds that a directory's page tells in its data, or links."""
    told = [str(json.loads(each)) for each in _FEED_URL.findall(text)]
    return Shows("page", "", [("", url) for url in dict.fromkeys([*told, *_RSS_LINK.findall(text)])])


def no_feed_told(url: str) -> NoMedia:
    """What to do about a directory that keeps the feed to itself."""
    return NoMedia(
        f"{DIRECTORIES.get(urlsplit(url).hostname or '', 'The page')} does not tell where the feed of this show is.",
        remedy="Look for RSS on the show's own page, or search its name at podcastindex.org, and give that address.",
    )
