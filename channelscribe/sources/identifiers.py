"""Which video is it? Ids that may become file names and object keys, and the ids that pasted addresses stand for.

Sites choose ids as they like (a podcast's may be a whole URL); only what comes out of `safe_id` and `episode_id` is put
into a path. An episode is known by its guid within its feed, and a feed by its podcast:guid, else by the address at
which it was first met (https://podcasting2.org/docs/podcast-namespace/tags/guid makes the one of the other); the
catalogue remembers which. Reading commands import this: yt-dlp is loaded only for a word that looks like an address.
"""

from __future__ import annotations

import hashlib
import re
from urllib.parse import parse_qsl, unquote, urlencode, urlsplit
from uuid import UUID, uuid5

from channelscribe.sources.addresses import public_url

__all__ = [
    "FEED",
    "GENERIC",
    "LOCAL",
    "episode_id",
    "feed_key",
    "file_of",
    "former_id",
    "guid_of",
    "pasted_ids",
    "safe_id",
    "same_place",
    "site_name",
]

FEED = "feed"
"""The site of episodes that a feed lists."""
GENERIC = "generic"
"""The site of what no extractor of yt-dlp's knows by name."""
LOCAL = "local"
"""The site of recordings in folders of this machine."""

MAX_ID_BYTES = 100
_SAFE = re.compile(rf"[A-Za-z0-9_-]{{1,{MAX_ID_BYTES}}}")
_UNSAFE_RUN = re.compile(r"[^A-Za-z0-9_-]+")
_DIGEST_CHARS = 12
_READABLE = 40
_PODCAST_NAMESPACE = UUID("ead4c236-bf58-58c6-a2c6-a6b28d128cb6")
_HOST = re.compile(r"(?:[a-z0-9](?:[a-z0-9-]{0,62})\.)+[a-z]{2,24}(?::\d{1,5})?", re.IGNORECASE)
_ENDINGS = {"mp3", "m4a", "mp4", "m4v", "ogg", "opus", "aac", "wav", "flac", "php", "html", "xml", "rss", "aspx"}
_TOKEN = re.compile(
    r"_?(?:utm_.*|aw_.*|awcollectionid|awepisodeid|x-(?:amz|goog)-.*|t|ts|time|timestamp|updated|modified|nonce|cb|cache|"
    r"nocache|rand|ref|referrer|played_?from|dest-id|ip|dl|download|_)",
    re.IGNORECASE,
)
_SECRET = re.compile(r"~(?:[0-9a-f]{8})?")  # what `public_url` makes of passwords and tokens
_ADDRESS = re.compile(r"(https?:)?//\S+|([a-z0-9-]+\.)+[a-z]{2,}(:\d+)?/\S+", re.IGNORECASE)
_PLACE_IN_LIST = ("list", "index", "start_radio", "pp")  # a video that is watched as part of a list is that video


def safe_id(raw: str) -> str:
    """`raw` itself if it is 1 to 100 of the characters A-Z a-z 0-9 _ -, else what is left of it and a hash.

    Different ids stay different: the 12 hex digits at the end are the start of the sha256 of `raw`.
    """
    if _SAFE.fullmatch(raw):
        return raw
    digest = hashlib.sha256(raw.encode("utf-8", "surrogatepass")).hexdigest()[:_DIGEST_CHARS]
    readable = _UNSAFE_RUN.sub("-", raw).strip("-")[: MAX_ID_BYTES - _DIGEST_CHARS - 1].rstrip("-")
    return f"{readable}-{digest}" if readable else digest


def site_name(extractor: str) -> str:
    """`youtube` for youtube:tab, Youtube and the like: a video has one site, wherever it is listed."""
    name = extractor.partition(":")[0].lower()
    return name if re.fullmatch(r"[a-z0-9_.+-]+", name) and name.strip(".") else GENERIC


def feed_key(url: str) -> str:
    """The podcast:guid that a feed at this address would have, for one that does not tell any."""
    place = url.partition("://")[2] or url
    host, slash, rest = place.partition("/")
    return str(uuid5(_PODCAST_NAMESPACE, f"{host.rpartition('@')[2].lower()}{slash}{rest}".rstrip("/")))


def episode_id(feed: str, guid: str) -> str:
    """An id for an episode that no other feed's has: what can be read of its guid, and a hash of both."""
    digest = hashlib.sha256(f"{feed}\n{guid}".encode("utf-8", "surrogatepass")).hexdigest()[:_DIGEST_CHARS]
    plain = re.sub(r"^[a-z]+://[^/]*", "", guid.strip(), flags=re.IGNORECASE)
    readable = _UNSAFE_RUN.sub("-", plain).strip("-_")[:_READABLE].rstrip("-_")
    return f"{readable}-{digest}" if readable else digest


def guid_of(guid: str | None, file: str, shared: bool) -> str:
    """What an id is made of: the guid; of several files under one guid each its own, and without a guid the file."""
    return guid if guid and not shared else f"{guid or ''}\n{file}"


def former_id(url: str, guid: str | None) -> str:
    """The id that an entry of a feed had at the site `generic`, before guids counted within their feed."""
    parts = urlsplit(url)
    if guid and guid.strip():
        guid = guid.strip()
        return safe_id(f"{guid}@{parts.hostname}" if re.fullmatch(r"\d{1,9}", guid) else guid)
    name = parts.path.rpartition("/")[2].rpartition(".")[0] or parts.hostname or "media"
    address = parts._replace(netloc=parts.netloc.rpartition("@")[2], fragment="").geturl()
    return f"{safe_id(name)[:80]}-{hashlib.sha256(address.encode()).hexdigest()[:12]}"


def file_of(url: str) -> str:
    """Which file of a show it is: the address without host, tokens, and the services in front of it that count.

    `https://dts.podtrac.com/redirect.mp3/cdn.example.org/a/1.mp3?token=x` and `https://example.net/a/1.mp3` are one.
    """
    parts = urlsplit(public_url(_uncounted(url)))
    pairs = parse_qsl(parts.query)
    kept = sorted(pair for pair in pairs if not (_TOKEN.fullmatch(pair[0]) or _SECRET.fullmatch(pair[1])))
    return unquote(parts.path) + (f"?{urlencode(kept)}" if kept else "")


def same_place(url: str) -> str:
    """An address by which the same file of the same host is known, whatever tokens and counters it has now."""
    plain = _uncounted(url)
    return f"{(urlsplit(plain).hostname or '').removeprefix('www.')}{file_of(plain)}"


def _uncounted(url: str) -> str:
    """Without the services that redirect to the host after counting: they name it in their path."""
    try:
        parts = urlsplit(url)
        pieces = unquote(parts.path).replace("//", "/").split("/")
    except ValueError:
        return "https://invalid/"
    for place in range(len(pieces) - 2, 0, -1):
        if _HOST.fullmatch(pieces[place]) and pieces[place].rpartition(".")[2].lower() not in _ENDINGS:
            return f"https://{'/'.join(pieces[place:])}" + (f"?{parts.query}" if parts.query else "")
    return url


def pasted_ids(word: str) -> list[tuple[str, str]]:
    """(site, id) of the videos that an address may stand for: youtu.be/ID, /shorts/ID, m.youtube.com and the like.

    By yt-dlp's own patterns; nobody is asked. Nothing for what is no address, or one of no site that yt-dlp knows.
    """
    if not _ADDRESS.fullmatch(word):
        return []
    url = word if "://" in word else f"https://{word.removeprefix('//')}"
    try:
        alone = _without_list(url)
    except ValueError:  # as of "https://[broken"
        return []
    from yt_dlp.extractor import gen_extractor_classes  # type: ignore[import-untyped]

    found: dict[tuple[str, str], None] = {}
    for extractor in gen_extractor_classes():
        for each in dict.fromkeys((url, alone)):
            if extractor.IE_NAME != GENERIC and extractor.suitable(each) and (known := extractor.get_temp_id(each)):
                found[site_name(extractor.IE_NAME), safe_id(known)] = None
    return list(found)


def _without_list(url: str) -> str:
    parts = urlsplit(url)
    kept = [(name, value) for name, value in parse_qsl(parts.query) if name not in _PLACE_IN_LIST]
    return parts._replace(query=urlencode(kept)).geturl()
