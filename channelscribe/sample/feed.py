"""A podcast feed: RSS 2.0 with the iTunes fields that readers look at.

Format: https://www.rssboard.org/rss-specification and https://podcasters.apple.com/support/823-podcast-requirements.
"""

from __future__ import annotations

import mimetypes
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from email.utils import format_datetime
from pathlib import PurePosixPath
from urllib.parse import quote
from xml.etree import ElementTree

from channelscribe.sample.world import Channel, channel

_ITUNES = "http://www.itunes.com/dtds/podcast-1.0.dtd"
_PODCAST = "https://podcastindex.org/namespace/1.0"
SAMPLE_GUID = "51d5f6a1-9be4-5e8a-93ac-c2f6d3a4be0f"
"""What the sample channel is known by: its server has another port each time."""
# Python's own table knows these differently on different systems.
_TYPES = {
    ".mp3": "audio/mpeg",
    ".m4a": "audio/mp4",
    ".opus": "audio/ogg",
    ".ogg": "audio/ogg",
    ".xml": "application/rss+xml; charset=utf-8",
    ".html": "text/html; charset=utf-8",
}


@dataclass(frozen=True)
class FeedItem:
    """One entry of a feed; ``duration`` in seconds, ``length`` of the media file in bytes."""

    id: str
    title: str
    description: str
    published: datetime
    media: str
    duration: float
    length: int


def content_type(name: str) -> str:
    """The media type that a file name stands for."""
    return _TYPES.get(PurePosixPath(name).suffix) or mimetypes.guess_type(name)[0] or "application/octet-stream"


def sample_items() -> list[FeedItem]:
    """The sample episodes as feed entries, the oldest first."""
    return [
        FeedItem(
            episode.id,
            episode.title,
            episode.description,
            episode.published,
            episode.media,
            episode.duration,
            episode.path.stat().st_size,
        )
        for episode in channel().episodes
    ]


def feed(base_url: str, items: Iterable[FeedItem], about: Channel | None = None, guid: str | None = None) -> bytes:
    """The feed as UTF-8 XML, the newest entry first; media lie at ``{base_url}/media/{name}``. `guid`: podcast:guid."""
    about = about or channel()
    ElementTree.register_namespace("itunes", _ITUNES)
    ElementTree.register_namespace("podcast", _PODCAST)
    rss = ElementTree.Element("rss", version="2.0")
    top = ElementTree.SubElement(rss, "channel")
    _add(top, "title", about.title)
    _add(top, "link", f"{base_url}/about.html")
    _add(top, "description", about.description)
    _add(top, "language", "en")
    _add(top, f"{{{_ITUNES}}}author", about.author)
    if guid:
        _add(top, f"{{{_PODCAST}}}guid", guid)
    for item in sorted(items, key=lambda each: each.published, reverse=True):
        _add_item(top, item, base_url)
    return bytes(ElementTree.tostring(rss, encoding="utf-8", xml_declaration=True))


def _add_item(top: ElementTree.Element, item: FeedItem, base_url: str) -> None:
    entry = ElementTree.SubElement(top, "item")
    _add(entry, "title", item.title)
    _add(entry, "description", item.description)
    _add(entry, "guid", item.id).set("isPermaLink", "false")
    _add(entry, "pubDate", format_datetime(item.published))
    _add(entry, f"{{{_ITUNES}}}duration", str(round(item.duration)))
    enclosure = {
        "url": f"{base_url}/media/{quote(item.media)}",
        "length": str(item.length),
        "type": content_type(item.media),
    }
    ElementTree.SubElement(entry, "enclosure", enclosure)


def _add(parent: ElementTree.Element, tag: str, text: str) -> ElementTree.Element:
    element = ElementTree.SubElement(parent, tag)
    element.text = text
    return element
