"""Which video is it? Ids that may become file names and object keys, and the ids that pasted addresses stand for.

Sites choose ids as they like (a podcast's may be a whole URL); only what comes out of `safe_id` is put into a path.
Reading commands import this: yt-dlp is loaded only for a word that looks like an address.
"""

from __future__ import annotations

import hashlib
import re
from urllib.parse import parse_qsl, urlencode, urlsplit

__all__ = ["pasted_ids", "safe_id", "site_name"]

MAX_ID_BYTES = 100
_SAFE = re.compile(rf"[A-Za-z0-9_-]{{1,{MAX_ID_BYTES}}}")
_UNSAFE_RUN = re.compile(r"[^A-Za-z0-9_-]+")
_DIGEST_CHARS = 12
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
    return name if re.fullmatch(r"[a-z0-9_.+-]+", name) and name.strip(".") else "generic"


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
            if extractor.IE_NAME != "generic" and extractor.suitable(each) and (known := extractor.get_temp_id(each)):
                found[site_name(extractor.IE_NAME), safe_id(known)] = None
    return list(found)


def _without_list(url: str) -> str:
    parts = urlsplit(url)
    kept = [(name, value) for name, value in parse_qsl(parts.query) if name not in _PLACE_IN_LIST]
    return parts._replace(query=urlencode(kept)).geturl()
