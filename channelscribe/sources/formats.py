"""Which of the formats that a site offers is fetched. Needs and leaves nothing."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

__all__ = ["FORMAT_SORT", "original_audio"]

# yt-dlp's own order, but: the language first, and where only video is offered, a small one.
FORMAT_SORT = ["lang", "res:480"]

# What yt-dlp fetches itself; the others are ffmpeg's, or live streams.
_PROTOCOLS = {"http", "https", "m3u8_native", "http_dash_segments", "http_dash_segments_generator"}


def original_audio(context: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """yt-dlp's format selector: the best audio in the original language, without pictures where that exists.

    `context["formats"]` is sorted by yt-dlp, the best last. The language comes first, because dubbed tracks
    may be the only ones without pictures; yt-dlp marks originals with a high `language_preference`.
    """
    heard = [
        each
        for each in context["formats"]
        if each.get("acodec") != "none" and each.get("protocol") in _PROTOCOLS and not each.get("has_drm")
    ]
    preference = [_language_preference(each) for each in heard]
    original = [each for each, rank in zip(heard, preference, strict=True) if rank == max(preference)]
    audio_only = [each for each in original if each.get("vcodec") == "none"]
    yield from (audio_only or original)[-1:]


def _language_preference(format_: dict[str, Any]) -> float:
    value = format_.get("language_preference")
    return -1.0 if value is None else float(value)
