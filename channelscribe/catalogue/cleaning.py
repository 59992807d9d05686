"""What PostgreSQL cannot hold, taken out of texts and JSON before they go there: NUL, lone surrogates, NaN."""

from __future__ import annotations

import math
from typing import Any

__all__ = ["clean_json", "clean_text"]


def clean_text(text: str) -> str:
    """`text` without NUL characters, lone surrogates replaced by `?`."""
    return text.replace("\x00", "").encode("utf-8", "replace").decode("utf-8")


def clean_json(value: Any) -> Any:
    """The same for every string in a JSON value; numbers that JSON does not know become None."""
    if isinstance(value, str):
        return clean_text(value)
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {clean_text(str(key)): clean_json(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [clean_json(item) for item in value]
    return value
