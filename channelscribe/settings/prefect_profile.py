"""What Prefect itself is set to on this machine: the server that `prefect` speaks with, and as whom.

Where `prefect.api_url` is not set, that server counts: PREFECT_API_URL of the environment, else that of the active
profile (PREFECT_PROFILE, or `active` in `profiles.toml`, as Prefect's `settings/sources.py` reads it). An empty
`CHANNELSCRIBE_PREFECT__API_URL=` asks for the laptop's own all the same. `.env`, `prefect.toml` and `pyproject.toml` of
a folder do not count: they may be somebody else's.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

__all__ = ["PrefectsOwn", "access_of", "prefects_own"]

URL = "PREFECT_API_URL"
ACCESS = ("PREFECT_API_", "PREFECT_CLIENT_")
"""How settings begin that say how the server is reached: key, password, headers, certificates."""


@dataclass(frozen=True, slots=True)
class PrefectsOwn:
    """The server, where that is said, and what of the profile is needed to speak with it (with secrets)."""

    api_url: str
    origin: str
    access: dict[str, str] = field(default_factory=dict, repr=False)


def prefects_own(environ: Mapping[str, str]) -> PrefectsOwn | None:
    """None where Prefect would start a server of its own, too."""
    name, values = _active_profile(environ)
    url = environ.get(URL) or values.get(URL)
    if not url:
        return None
    origin = URL if environ.get(URL) else f"Prefect's profile {name}"
    access = {key: value for key, value in values.items() if key.startswith(ACCESS) and key not in environ}
    return PrefectsOwn(url.rstrip("/"), origin, {**access, URL: url})


def access_of(api_url: str | None, environ: Mapping[str, str]) -> dict[str, str]:
    """Variables for processes that speak with this server: the profile's, which they do not see; nothing for others."""
    own = prefects_own(environ)
    return own.access if own and api_url and api_url.rstrip("/") == own.api_url else {}


def _active_profile(environ: Mapping[str, str]) -> tuple[str, dict[str, str]]:
    named, home = environ.get("PREFECT_PROFILES_PATH"), environ.get("PREFECT_HOME")
    if not (named or home or environ.get("HOME")):
        return "", {}
    file = Path(named) if named else Path(home or Path(environ["HOME"], ".prefect"), "profiles.toml")
    try:
        content: dict[str, Any] = tomllib.loads(file.expanduser().read_text(encoding="utf-8"))
    except (OSError, ValueError):  # none, or Prefect's to complain about
        return "", {}
    name = str(environ.get("PREFECT_PROFILE") or content.get("active"))
    profiles = content.get("profiles")
    values = profiles.get(name) if isinstance(profiles, dict) else None
    return name, {key: str(value) for key, value in values.items()} if isinstance(values, dict) else {}
