"""yt-dlp as we use it: no user configuration, nothing on stdout, no helper programs, every address checked.

Needs yt-dlp, and for YouTube a JavaScript runtime: `deno` on PATH, or from the wheel of that name. Leaves
files only in the cache folder that it is given.
"""

from __future__ import annotations

import logging
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yt_dlp  # type: ignore[import-untyped]
import yt_dlp.plugins  # type: ignore[import-untyped]

from channelscribe.errors import InvalidSetting
from channelscribe.settings.options import SourceOptions
from channelscribe.sites.network import checked_handlers

__all__ = ["SafeYoutubeDL", "YtdlpLog", "deno_path", "open_ytdlp", "ytdlp_options"]

_log = logging.getLogger(__name__)
_LONGEST_PAUSE_SECONDS = 20.0


def _installed_plugin_paths() -> Iterator[Path]:
    """Plugins installed as packages (PO tokens) count; those in a person's own yt-dlp folders do not."""
    return map(Path, sys.path)


yt_dlp.plugins.default_plugin_paths = _installed_plugin_paths


class YtdlpLog:
    """Takes yt-dlp's messages to Python's logging and keeps `warnings` and `errors` (newest last)."""

    def __init__(self) -> None:
        self.warnings: list[str] = []
        self.errors: list[str] = []

    def debug(self, message: str) -> None:
        _log.debug("%s", message)

    info = debug

    def warning(self, message: str) -> None:
        self.warnings.append(message)
        _log.info("%s", message)

    def error(self, message: str) -> None:
        self.errors.append(message)
        _log.info("%s", message)


class SafeYoutubeDL(yt_dlp.YoutubeDL):  # type: ignore[misc]
    """A YoutubeDL that checks each address it asks and never writes the operator's cookies file."""

    def __init__(self, params: dict[str, Any], allow_private: bool) -> None:
        self._allow_private = allow_private
        super().__init__(params, auto_init="no_verbose_header")

    def build_request_director(self, handlers: Any, preferences: Any = None) -> Any:
        return super().build_request_director(checked_handlers(self._allow_private), preferences)

    def save_cookies(self) -> None:
        """Two downloads at once would tear it."""


def open_ytdlp(options: SourceOptions, log: YtdlpLog, cache: Path | None = None, **more: Any) -> SafeYoutubeDL:
    """A YoutubeDL for one listing or download; use it in a `with` block. `more` adds yt-dlp parameters."""
    return SafeYoutubeDL({**ytdlp_options(options, log, cache), **more}, options.allow_private_addresses)


def ytdlp_options(options: SourceOptions, log: YtdlpLog, cache: Path | None = None) -> dict[str, Any]:
    """The parameters that hold for listing and download.

    `cache` is where players and tokens are kept, if anywhere. Raises InvalidSetting when the cookies file is
    not there.
    """
    if options.cookies_file is not None and not options.cookies_file.is_file():
        raise InvalidSetting(
            f"The cookies file {options.cookies_file} is not there.",
            remedy="Export it again, or empty sources.cookies_file.",
        )
    return {
        "logger": log,
        "quiet": True,
        "noprogress": True,
        "color": "no_color",
        "cachedir": str(cache) if cache else False,
        "cookiefile": str(options.cookies_file) if options.cookies_file else None,
        "socket_timeout": options.timeout_seconds,
        "retries": options.retries,
        "fragment_retries": options.retries,
        "extractor_retries": options.retries,
        "retry_sleep_functions": dict.fromkeys(("http", "fragment", "extractor"), _pause),
        "skip_unavailable_fragments": False,  # a gap would be silence that nobody hears of
        "js_runtimes": {"deno": {"path": deno_path()}},
        "remote_components": (),
        # No other program may fetch: it would not check addresses. There is no ffmpeg at this path.
        "external_downloader": {"default": "native"},
        "hls_prefer_native": True,
        "ffmpeg_location": "/nonexistent/ffmpeg",
        "fixup": "never",
        "postprocessors": [],
        "enable_file_urls": False,
        "usenetrc": False,
        "ignoreerrors": False,
        "updatetime": False,
    }


def deno_path() -> str | None:
    """The JavaScript runtime: `deno` on PATH, else the wheel's; None when there is neither."""
    if on_path := shutil.which("deno"):
        return on_path
    try:
        from deno import find_deno_bin  # type: ignore[import-untyped]

        return str(find_deno_bin())
    except (ImportError, FileNotFoundError):
        return None


def _pause(n: int) -> float:
    """Seconds to wait after `n` failed tries (yt-dlp passes it by this name); doubles each time."""
    return float(min(0.5 * 2**n, _LONGEST_PAUSE_SECONDS))
