"""What fetching stands on, and in what state it is: yt-dlp's age, the JavaScript runtime, the scripts for it.

Asks no site.
"""

from __future__ import annotations

import re
import subprocess
from datetime import UTC, date, datetime
from importlib.metadata import PackageNotFoundError, requires, version

from channelscribe.sources.ytdlp import deno_path

__all__ = [
    "LEAST_DENO",
    "LEAST_YTDLP",
    "OLD_DAYS",
    "deno_version",
    "ejs_versions",
    "is_older",
    "ytdlp_age_days",
    "ytdlp_version",
]

LEAST_YTDLP = "2026.7.4"  # advisories before it; pyproject.toml asks for the same
LEAST_DENO = "2.3"  # https://github.com/yt-dlp/yt-dlp/wiki/EJS
OLD_DAYS = 60  # sites change more often than that
_DENO_SECONDS = 20.0


def ytdlp_version() -> str:
    """The installed version, a date."""
    return version("yt-dlp")


def ytdlp_age_days(today: date | None = None) -> int | None:
    """Days since yt-dlp was released; None for a version that is no date."""
    found = re.match(r"(\d{4})\.(\d{1,2})\.(\d{1,2})", ytdlp_version())
    if not found:
        return None
    year, month, day = map(int, found.groups())
    return ((today or datetime.now(UTC).date()) - date(year, month, day)).days


def deno_version() -> str | None:
    """The version of the JavaScript runtime; None when there is none, or it does not start."""
    path = deno_path()
    if path is None:
        return None
    try:
        run = subprocess.run([path, "--version"], capture_output=True, text=True, timeout=_DENO_SECONDS, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
    found = re.match(r"deno (\d[\w.+-]*)", run.stdout)
    return found.group(1) if found else None


def ejs_versions() -> tuple[str | None, str | None]:
    """The installed version of yt-dlp-ejs, and the one that this yt-dlp wants; None for what is not there."""
    wanted = next((each for each in requires("yt-dlp") or () if each.startswith("yt-dlp-ejs")), "")
    found = re.match(r"yt-dlp-ejs==([\w.]+)", wanted)
    try:
        installed: str | None = version("yt-dlp-ejs")
    except PackageNotFoundError:
        installed = None
    return installed, found.group(1) if found else None


def is_older(found: str, least: str) -> bool:
    """Whether version `found` comes before `least`: 2026.06.30 before 2026.7.4."""
    return _numbers(found) < _numbers(least)


def _numbers(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", text)[:3])
