"""Ids that may become file names, object keys and directory names.

Sites choose ids as they like (a podcast's may be a whole URL); only what comes out of here is put into a
path.
"""

from __future__ import annotations

import hashlib
import re

__all__ = ["safe_id"]

MAX_ID_BYTES = 100
_SAFE = re.compile(rf"[A-Za-z0-9_-]{{1,{MAX_ID_BYTES}}}")
_UNSAFE_RUN = re.compile(r"[^A-Za-z0-9_-]+")
_DIGEST_CHARS = 12


def safe_id(raw: str) -> str:
    """`raw` itself if it is 1 to 100 of the characters A-Z a-z 0-9 _ -, else what is left of it and a hash.

    Different ids stay different: the 12 hex digits at the end are the start of the sha256 of `raw`.
    """
    if _SAFE.fullmatch(raw):
        return raw
    digest = hashlib.sha256(raw.encode("utf-8", "surrogatepass")).hexdigest()[:_DIGEST_CHARS]
    readable = _UNSAFE_RUN.sub("-", raw).strip("-")[: MAX_ID_BYTES - _DIGEST_CHARS - 1].rstrip("-")
    return f"{readable}-{digest}" if readable else digest
