"""How sites are reached: cookies, a proxy, and what yt-dlp's extractors are told.

These belong to the machine that asks, as its address does: they never travel with a run (see `travel`). Each
worker has its own, from its environment or from the Prefect block that `sources.access` names.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import urlsplit

from pydantic import BeforeValidator, ConfigDict, Field, SecretStr, field_validator

from channelscribe.settings.base import Options, by_comma

__all__ = ["AccessOptions"]

_PROXY_SCHEMES = ("http", "https", "socks4", "socks4a", "socks5", "socks5h")
_EXTRACTOR_ARGUMENT = re.compile(r"[\w+.-]+:[^=;]+(=[^;]*)?(;[^=;]+(=[^;]*)?)*")


def _by_line(value: Any) -> Any:
    if value is None:
        return ()
    return tuple(part.strip() for part in value.splitlines() if part.strip()) if isinstance(value, str) else value


class AccessOptions(Options):
    """What the block `channelscribe site access` can hold. Texts of errors never repeat a value."""

    model_config = ConfigDict(hide_input_in_errors=True)

    cookies_file: Path | None = Field(
        None, description="Netscape cookies file of an account, readable by its owner only"
    )
    cookies: SecretStr | None = Field(None, description="the text of such a file, instead of the file")
    proxy: SecretStr | None = Field(
        None, description="proxy for all sites: http, https, socks4, socks5 or socks5h URL, with its password"
    )
    logins: dict[str, SecretStr] = Field(
        default_factory=dict,
        description="users and passwords, as user:password by host, for feeds and files that ask for one",
    )
    player_clients: Annotated[tuple[str, ...], BeforeValidator(by_comma)] = Field(
        (),
        description="YouTube's players that yt-dlp asks, such as default, web_embedded or -web; empty: its own choice",
    )
    extractor_args: Annotated[tuple[SecretStr, ...], BeforeValidator(_by_line)] = Field(
        (), description="yt-dlp's --extractor-args, as for PO tokens and their providers: NAME:KEY=VALUE;KEY=VALUE"
    )
    egress: str | None = Field(
        None,
        pattern=r"^[a-z0-9-]{1,40}$",
        description="name of the outgoing address; machines with the same name share its budget and its blocks",
    )
    canary_url: str | None = Field(
        None, description="a video that `channelscribe canary` and `doctor` try; empty: doctor asks no site"
    )

    @field_validator("proxy")
    @classmethod
    def _is_proxy(cls, value: SecretStr | None) -> SecretStr | None:
        if value is None:
            return None
        try:
            parts = urlsplit(value.get_secret_value())
            good = parts.scheme in _PROXY_SCHEMES and bool(parts.hostname) and parts.port != 0
        except ValueError:
            good = False
        if not good:
            raise ValueError("it is no proxy's URL such as socks5h://user:password@host:1080")
        return value

    @field_validator("logins", mode="before")
    @classmethod
    def _by_host(cls, value: Any) -> Any:
        """Also as text, a line each: HOST USER:PASSWORD, as the field of a block has it."""
        if isinstance(value, SecretStr):
            value = value.get_secret_value()
        if isinstance(value, str):
            return {host: login.strip() for host, _, login in (line.strip().partition(" ") for line in _by_line(value))}
        return value or {}

    @field_validator("logins")
    @classmethod
    def _are_logins(cls, value: dict[str, SecretStr]) -> dict[str, SecretStr]:
        for host, login in value.items():
            if not re.fullmatch(r"[a-z0-9.:\[\]_-]+", host) or ":" not in login.get_secret_value():
                raise ValueError("a login is user:password, by a host such as feeds.example.org")
        return value

    @field_validator("player_clients")
    @classmethod
    def _are_clients(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if not all(re.fullmatch(r"-?[a-z0-9_]+", each) for each in value):
            raise ValueError("players are words such as default, web_embedded or -web")
        return value

    @field_validator("extractor_args")
    @classmethod
    def _are_arguments(cls, value: tuple[SecretStr, ...]) -> tuple[SecretStr, ...]:
        for number, each in enumerate(value, start=1):
            if not _EXTRACTOR_ARGUMENT.fullmatch(each.get_secret_value()):
                raise ValueError(f"argument {number} is not NAME:KEY=VALUE;KEY=VALUE")
        return value
