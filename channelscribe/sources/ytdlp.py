"""yt-dlp as we use it: no user configuration, nothing on stdout, no helper programs, every address checked.

Needs yt-dlp, and for YouTube a JavaScript runtime: `deno` on PATH, or from the wheel of that name. Leaves
files only in the cache folder that it is given.
"""

from __future__ import annotations

import logging
import re
import shutil
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import yt_dlp  # type: ignore[import-untyped]
import yt_dlp.plugins  # type: ignore[import-untyped]
from pydantic import SecretStr

from channelscribe.settings.access import AccessOptions
from channelscribe.settings.options import SourceOptions
from channelscribe.sources.addresses import display_urls, split_login
from channelscribe.sources.cookies import checked_cookies
from channelscribe.sources.network import checked_handlers

if TYPE_CHECKING:
    from channelscribe.sources.media import MediaWatch

__all__ = ["SafeYoutubeDL", "YtdlpLog", "deno_path", "extractor_arguments", "open_ytdlp", "signed_in", "ytdlp_options"]

_log = logging.getLogger(__name__)
_LONGEST_PAUSE_SECONDS = 20.0


def _installed_plugin_paths() -> Iterator[Path]:
    """Plugins installed as packages (PO tokens) count; those in a person's own yt-dlp folders do not."""
    return map(Path, sys.path)


yt_dlp.plugins.default_plugin_paths = _installed_plugin_paths


class YtdlpLog:
    """Takes yt-dlp's messages to Python's logging and keeps `warnings` and `errors` (newest last).

    What is logged is seen with the run in the Prefect UI: addresses are without what is secret in them.
    """

    def __init__(self) -> None:
        self.warnings: list[str] = []
        self.errors: list[str] = []

    def debug(self, message: str) -> None:
        if _log.isEnabledFor(logging.DEBUG):
            _log.debug("%s", display_urls(message))

    info = debug

    def warning(self, message: str) -> None:
        self.warnings.append(message)
        _log.info("%s", display_urls(message))

    def error(self, message: str) -> None:
        self.errors.append(message)
        _log.info("%s", display_urls(message))


class SafeYoutubeDL(yt_dlp.YoutubeDL):  # type: ignore[misc]
    """A YoutubeDL that checks each address it asks and never writes the operator's cookies file."""

    def __init__(self, params: dict[str, Any], allow_private: bool, logins: Mapping[str, str] | None = None) -> None:
        self._allow_private = allow_private
        self._logins = dict(logins or {})
        self._watch: MediaWatch | None = None
        super().__init__(params, auto_init="no_verbose_header")

    def build_request_director(self, handlers: Any, preferences: Any = None) -> Any:
        return super().build_request_director(checked_handlers(self._allow_private, self._logins), preferences)

    def save_cookies(self) -> None:
        """Nowhere: what it has came as text."""

    def urlopen(self, req: Any) -> Any:
        return super().urlopen(req) if self._watch is None else self._watch.open(req, super().urlopen)

    @contextmanager
    def watched(self, watch: MediaWatch) -> Iterator[None]:
        """Inside, all that is asked for is the media: `watch` looks at each request."""
        self._watch = watch
        try:
            yield
        finally:
            self._watch = None


def open_ytdlp(options: SourceOptions, log: YtdlpLog, cache: Path | None = None, **more: Any) -> SafeYoutubeDL:
    """A YoutubeDL for one listing or download; use it in a `with` block. `more` adds yt-dlp parameters."""
    logins = {host: login.get_secret_value() for host, login in options.logins.items()}
    return SafeYoutubeDL({**ytdlp_options(options, log, cache), **more}, options.allow_private_addresses, logins)


def signed_in(url: str, options: SourceOptions) -> tuple[str, SourceOptions]:
    """A URL without its user and password, and options by which its host gets them."""
    plain, login = split_login(url)
    if login is None:
        return url, options
    logins = {**options.logins, urlsplit(plain).hostname or "": SecretStr(login)}
    return plain, options.model_copy(update={"logins": logins})


def ytdlp_options(options: SourceOptions, log: YtdlpLog, cache: Path | None = None) -> dict[str, Any]:
    """The parameters that hold for listing and download.

    `cache` is where players and tokens are kept, if anywhere. Raises AccessUnusable when the cookies are no good.
    """
    cookies = checked_cookies(options)
    return {
        "logger": log,
        "quiet": True,
        "noprogress": True,
        "color": "no_color",
        "cachedir": str(cache) if cache else False,
        "cookiefile": cookies.stream() if cookies else None,
        "proxy": options.proxy.get_secret_value() if options.proxy else None,
        "extractor_args": extractor_arguments(options),
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
        "netrc_cmd": None,
        "live_from_start": False,
        "ignoreerrors": False,
        "updatetime": False,
    }


def extractor_arguments(options: AccessOptions) -> dict[str, dict[str, list[str]]]:
    """`youtube:player_client=web,ios;skip=hls` as yt-dlp's parameter has it; `player_clients` are part of it."""
    arguments: dict[str, dict[str, list[str]]] = {}
    for each in options.extractor_args:
        name, _, pairs = each.get_secret_value().partition(":")
        of_extractor = arguments.setdefault(name.strip().lower(), {})
        for pair in pairs.split(";"):
            key, _, values = pair.partition("=")
            split = [value.replace(r"\,", ",").strip() for value in re.split(r"(?<!\\),", values)]
            of_extractor[key.strip().lower().replace("-", "_")] = split
    if options.player_clients:
        arguments.setdefault("youtube", {})["player_client"] = list(options.player_clients)
    return arguments


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
