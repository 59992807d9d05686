"""What a watch found last as an Atom feed (https://www.rfc-editor.org/rfc/rfc4287), an entry a hit, in the store.

What people and sites wrote is text in it and never markup, and characters that XML does not know are left out.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING
from xml.sax.saxutils import escape, quoteattr

from channelscribe.catalogue import watches
from channelscribe.catalogue.connection import Database
from channelscribe.catalogue.search import url_at
from channelscribe.catalogue.watches import Hit
from channelscribe.store import MediaStore
from channelscribe.store.layout import feed_key

__all__ = ["atom", "feed_of", "remove_feed", "write_feed"]

if TYPE_CHECKING:
    from channelscribe.catalogue.connection import Transaction

_NOT_IN_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
MOST_SHOWN = 20


def atom(name: str, query: str, hits: Sequence[Hit]) -> str:
    """The feed of a watch; hits with the newest first."""
    updated = hits[0].found_at if hits else datetime.fromtimestamp(0, UTC)
    lines = [
        '<?xml version="1.0" encoding="utf-8"?>',
        '<feed xmlns="http://www.w3.org/2005/Atom">',
        f"<id>urn:channelscribe:watch:{name}</id>",
        f"<title>{_text(query)}</title>",
        f"<updated>{updated.isoformat()}</updated>",
        "<author><name>channelscribe</name></author>",
        *(_entry(hit) for hit in hits),
        "</feed>\n",
    ]
    return "\n".join(lines)


def _entry(hit: Hit) -> str:
    first = hit.passages[0]["start"] if hit.passages else 0.0
    shown = [
        f"<p><a href={_attribute(url_at(hit.site, hit.url, each['start']))}>{int(each['start'] // 60)}:"
        f"{int(each['start'] % 60):02d}</a> {_text(each['speaker'] or '')} {_text(each['text'])}</p>"
        for each in hit.passages[:MOST_SHOWN]
    ]
    return (
        f"<entry><id>urn:channelscribe:hit:{hit.key}</id><title>{_text(hit.title or hit.video)}</title>"
        f"<updated>{hit.found_at.isoformat()}</updated>"
        f"<link href={_attribute(url_at(hit.site, hit.url, first))}/>"
        f'<content type="html">{escape("".join(shown))}</content></entry>'
    )


def _text(value: str) -> str:
    return escape(_NOT_IN_XML.sub("", value))


def _attribute(value: str) -> str:
    return quoteattr(_NOT_IN_XML.sub("", value))


def feed_of(session: Transaction, name: str) -> str | None:
    """The feed of a watch as it is now; None where there is no such watch."""
    query = watches.query_of(session, name)
    return None if query is None else atom(name, query, watches.entries(session, name))


def write_feed(catalogue: Database, store: MediaStore, name: str) -> None:
    """Put it into the store."""
    if (text := catalogue.read(feed_of, name)) is not None:
        store.put_bytes(text.encode(), feed_key(name), overwrite=True)


def remove_feed(store: MediaStore, name: str) -> None:
    store.delete(feed_key(name))
