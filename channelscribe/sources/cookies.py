"""Cookies of an account: read, checked, and handed to yt-dlp as text in memory.

yt-dlp gets no path, so it cannot write the operator's file, and no line that it would complain about, since its
complaint repeats the line. Format: https://curl.se/docs/http-cookies.html. Nothing here names a cookie's value,
and nothing is left on disk.
"""

from __future__ import annotations

import io
import os
import re
import stat
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlsplit

from channelscribe.errors import AccessUnusable
from channelscribe.settings.access import AccessOptions

__all__ = ["Cookies", "checked_cookies"]

_HEADER = "# Netscape HTTP Cookie File\n"
_HTTP_ONLY = "#HttpOnly_"
_FIELDS = 7  # domain, with subdomains, path, https only, expires (seconds since the epoch), name, value
_LARGEST = 1 << 20  # bytes; browsers keep some thousand cookies at most
_EXPORT = "Export the cookies again from a private window, in Netscape format (cookies.txt)."


@dataclass(frozen=True)
class Cookies:
    """Cookies that have not expired. `expires` is when the last of them does; None where one has no end."""

    lines: tuple[str, ...]
    domains: tuple[str, ...]
    expired: int
    expires: datetime | None

    def stream(self) -> io.StringIO:
        """What yt-dlp's `cookiefile` takes instead of a path."""
        return io.StringIO(_HEADER + "".join(f"{line}\n" for line in self.lines))

    def name(self, url: str) -> bool:
        """Whether one of them would be sent to the host of `url`."""
        host = (urlsplit(url).hostname or "").lower()
        return any(host == domain or host.endswith(f".{domain}") for domain in self.domains)

    def __repr__(self) -> str:
        return f"<{len(self.lines)} cookies for {', '.join(self.domains)}>"


def checked_cookies(options: AccessOptions) -> Cookies | None:
    """The cookies of the settings, if there are any; the text comes before the file.

    Raises AccessUnusable (reason `cookies`, for the operator) when the file is not there or others may read it,
    when something is not in Netscape format, or when all have expired.
    """
    if options.cookies is not None:
        return _parsed(options.cookies.get_secret_value(), "The text in sources.cookies")
    if options.cookies_file is not None:
        return _parsed(_read(options.cookies_file), f"The cookies file {options.cookies_file}")
    return None


def _read(path: Path) -> str:
    try:
        with path.open("rb") as file:
            status = os.fstat(file.fileno())
            if stat.S_IMODE(status.st_mode) & 0o077:
                raise _refusal(f"Others may read the cookies file {path}.", f"chmod 600 {path}")
            content = file.read(_LARGEST + 1)
    except FileNotFoundError:
        remedy = "Export it again, or empty sources.cookies_file."
        raise _refusal(f"The cookies file {path} is not there.", remedy) from None
    except OSError as error:
        raise _refusal(f"The cookies file {path} cannot be read: {error.strerror}.", f"chmod 600 {path}") from None
    if len(content) > _LARGEST:
        raise _refusal(f"The cookies file {path} is larger than {_LARGEST} bytes.", _EXPORT)
    return content.decode("utf-8", "replace")


def _parsed(text: str, what: str) -> Cookies:
    if text.lstrip().startswith(("[", "{")):
        raise _refusal(f"{what} is JSON, not in Netscape format.", _EXPORT)
    now = time.time()
    lines: list[str] = []
    domains: list[str] = []
    ends: list[float] = []
    expired = 0
    for number, line in enumerate(text.lstrip("\ufeff").replace("\r", "").split("\n"), start=1):
        if not line.strip() or (line.startswith("#") and not line.startswith(_HTTP_ONLY)):
            continue
        fields = line.removeprefix(_HTTP_ONLY).split("\t")
        if len(fields) != _FIELDS or not fields[0].strip(".") or not re.fullmatch(r"(\d{1,12}(\.\d+)?)?", fields[4]):
            raise _refusal(f"{what} is not in Netscape format: line {number}.", _EXPORT)
        end = float(fields[4] or 0)
        if 0 < end <= now:
            expired += 1
            continue
        fields[1] = "TRUE" if fields[0].startswith(".") else "FALSE"  # exports disagree; Python insists
        lines.append("\t".join(fields))
        domains.append(fields[0].strip(".").lower())
        ends.append(end)
    if not lines:
        why = "have all expired" if expired else "are none"
        raise _refusal(f"{what}: the cookies {why}.", _EXPORT)
    last = None if 0 in ends else datetime.fromtimestamp(min(max(ends), 253402300799), UTC)
    return Cookies(tuple(lines), tuple(sorted(set(domains))), expired, last)


def _refusal(message: str, remedy: str) -> AccessUnusable:
    return AccessUnusable(message, remedy=remedy, reason="cookies")
