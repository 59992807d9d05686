"""Who asks, and what they may do: logins with passwords, tokens for programs, a proxy that says who it is.

Logins are in one file that only its owner reads (`logins.json` in the data folder). Passwords are kept as scrypt hashes
(N 2^14, r 8, p 5: OWASP's Password Storage Cheat Sheet), tokens as sha256, since they are random. A session is a cookie
that is signed, not stored: with another password it is worth nothing any more. Roles: a reader reads, an editor also
changes. Where the room listens on loopback alone and no proxy is named, everybody reads; changes need a login anywhere.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import os
import re
import secrets
import time
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import Any, Literal

from channelscribe.errors import InvalidSetting, UsageError
from channelscribe.files import atomic_write
from channelscribe.settings.options import WebOptions

__all__ = ["COOKIE", "Access", "Logins", "Role", "User", "is_loopback"]

Role = Literal["reader", "editor"]
COOKIE = "channelscribe_session"
SESSION_SECONDS = 14 * 86400
NAME = re.compile(r"[\w.@+-]{1,64}")
SHORTEST_PASSWORD = 10
LONGEST_PASSWORD = 1000
FREE_TRIES = 3
FREE_TRIES_OF_A_NAME = 20
LONGEST_PAUSE = 300.0
MOST_KNOWN = 10_000
SCRYPT = {"n": 1 << 14, "r": 8, "p": 5, "maxmem": 64 << 20}


@dataclass(frozen=True, slots=True)
class User:
    """Who asks. `csrf` is what a page must send along with a change; None where no browser could be misled."""

    name: str
    role: Role
    csrf: str | None = None


def is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False


class Logins:
    """The file of users and tokens. It is read again when it changed."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._read_at: tuple[int, int] | None = None
        self._held: dict[str, Any] = {"users": {}, "tokens": {}}

    def __bool__(self) -> bool:
        held = self._now()
        return bool(held["users"] or held["tokens"])

    def _now(self) -> dict[str, Any]:
        try:
            status = self.path.stat()
        except FileNotFoundError:
            self._held, self._read_at = {"users": {}, "tokens": {}}, None
            return self._held
        seen = (status.st_mtime_ns, status.st_ino)
        if seen != self._read_at:
            try:
                held = json.loads(self.path.read_text(encoding="utf-8"))
                held["users"], held["tokens"], held["key"]
            except (OSError, ValueError, KeyError, TypeError) as error:
                raise InvalidSetting(
                    f"{self.path} cannot be read as logins.", remedy="Remove it, and run `channelscribe serve passwd`."
                ) from error
            self._held, self._read_at = held, seen
        return self._held

    def set_password(self, name: str, password: str, role: Role) -> None:
        """Raises UsageError for a name or a password that will not do."""
        if not NAME.fullmatch(name):
            raise UsageError(f"{name[:80]!r} is no user name.", remedy="Take letters, digits and . @ + - _.")
        if not SHORTEST_PASSWORD <= len(password) <= LONGEST_PASSWORD:
            raise UsageError(f"A password has {SHORTEST_PASSWORD} characters at least.", remedy="Take more.")
        salt = secrets.token_bytes(16)
        hashed = f"scrypt${salt.hex()}${_scrypt(password, salt).hex()}"
        self._write("users", name, {"password": hashed, "role": role})

    def add_token(self, name: str, role: Role) -> str:
        """A new token, which is shown once: only its hash is kept. One of the same name goes."""
        if not NAME.fullmatch(name):
            raise UsageError(f"{name[:80]!r} is no name of a token.", remedy="Take letters, digits and . @ + - _.")
        token = secrets.token_urlsafe(32)
        self._write("tokens", name, {"sha256": hashlib.sha256(token.encode()).hexdigest(), "role": role})
        return token

    def remove(self, name: str) -> bool:
        held = json.loads(json.dumps(self._now()))
        gone = [held[kind].pop(name, None) for kind in ("users", "tokens")]
        if any(gone):
            self._save(held)
        return any(gone)

    def _write(self, kind: str, name: str, value: dict[str, str]) -> None:
        held = json.loads(json.dumps(self._now()))
        held.setdefault("key", secrets.token_hex(32))
        held[kind][name] = value
        self._save(held)

    def _save(self, held: dict[str, Any]) -> None:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        before = os.umask(0o077)
        try:
            with atomic_write(self.path) as file:
                file.write(json.dumps(held, indent=1).encode())
        finally:
            os.umask(before)
        self.path.chmod(0o600)
        self._read_at = None

    def check(self, name: str, password: str) -> bool:
        """Takes as long for a name that nobody has."""
        known = self._now()["users"].get(name)
        _, salt, hashed = (known["password"] if known else f"scrypt${'00' * 16}${'00' * 64}").split("$")
        same = hmac.compare_digest(_scrypt(password[:LONGEST_PASSWORD], bytes.fromhex(salt)).hex(), hashed)
        return same and known is not None

    def by_token(self, token: str) -> User | None:
        digest = hashlib.sha256(token.encode("utf-8", "replace")).hexdigest()
        for name, known in self._now()["tokens"].items():
            if hmac.compare_digest(known["sha256"], digest):
                return User(name, known["role"])
        return None

    def session(self, name: str) -> str:
        """The value of a cookie for a user whose password was right."""
        payload = json.dumps([name, int(time.time()) + SESSION_SECONDS, secrets.token_hex(8)]).encode()
        signed = payload + self._signature(name, b"session", payload)
        return base64.urlsafe_b64encode(signed).decode().rstrip("=")  # a cookie with = would be quoted

    def by_session(self, cookie: str) -> User | None:
        try:
            padded = cookie + "=" * (-len(cookie) % 4)
            signed = base64.b64decode(padded.encode("ascii"), altchars=b"-_", validate=True)
            payload, signature = signed[:-32], signed[-32:]
            name, until, _ = json.loads(payload)
            known = self._now()["users"].get(name)
            if known is None or not hmac.compare_digest(self._signature(name, b"session", payload), signature):
                return None
        except (ValueError, TypeError, KeyError):
            return None
        return User(name, known["role"], self._signature(name, b"csrf", payload).hex()) if until > time.time() else None

    def _signature(self, name: str, use: bytes, payload: bytes) -> bytes:
        held = self._now()
        key = bytes.fromhex(held["key"]) + held["users"][name]["password"].encode()
        return hmac.new(key, use + b"\n" + payload, hashlib.sha256).digest()


def _scrypt(password: str, salt: bytes) -> bytes:
    return hashlib.scrypt(password.encode("utf-8", "replace"), salt=salt, **SCRYPT)


class Access:
    """Tells who asks; slows those who guess."""

    def __init__(self, options: WebOptions, logins: Logins, host: str) -> None:
        self.options = options
        self.logins = logins
        self.open = is_loopback(host) and options.user_header is None
        self._proxies = [ip_network(each) for each in options.proxies]
        self._header = (options.user_header or "").lower().encode()
        self._failures: OrderedDict[str, tuple[int, float]] = OrderedDict()
        self._key = secrets.token_bytes(32)

    def require_a_way_in(self, host: str) -> None:
        """Raises UsageError where others could ask and nothing says who they are."""
        behind_proxy = self.options.user_header and self._proxies
        if not (self.open or behind_proxy or self.logins):
            raise UsageError(
                f"On {host} others can reach the reading room, and nobody has a login.",
                remedy="`channelscribe serve passwd NAME` makes one; or listen on 127.0.0.1.",
            )

    def is_proxy(self, address: str) -> bool:
        try:
            asked = ip_address(address)
        except ValueError:
            return False
        return any(asked in network for network in self._proxies)

    def identify(self, headers: Mapping[bytes, bytes], address: str) -> User | None:
        """`headers` by their lower-case name."""
        if self._header and self.is_proxy(address) and (named := headers.get(self._header)):
            name = named.decode("latin-1")
            if NAME.fullmatch(name):
                # A browser behind the proxy can be misled as well as one with a cookie.
                key = hmac.new(self._key, b"csrf\n" + named, hashlib.sha256).hexdigest()
                return User(name, "editor" if name in self.options.editors else "reader", key)
        authorization = headers.get(b"authorization", b"").decode("latin-1")
        if authorization[:7].lower() == "bearer ":
            return self.logins.by_token(authorization[7:].strip()[:200])
        for part in headers.get(b"cookie", b"").decode("latin-1")[:8000].split(";"):
            name, _, value = part.strip().partition("=")
            if name == COOKIE and (user := self.logins.by_session(value[:2000])):
                return user
        return None

    def pause(self, address: str, name: str) -> float:
        """Seconds until another password may be tried from this address, or for this name."""
        now = time.monotonic()
        return max((self._failures.get(each, (0, 0.0))[1] - now for each in (f"a {address}", f"n {name}")), default=0.0)

    def log_in(self, address: str, name: str, password: str) -> bool:
        """Each costs 16 MB and a quarter of a second: the caller sees to it that few do it at once."""
        good = self.logins.check(name, password)
        # From elsewhere a name can be guessed at more often: else anybody could keep its owner out.
        for each, free in ((f"a {address}", FREE_TRIES), (f"n {name}", FREE_TRIES_OF_A_NAME)):
            count = 0 if good else self._failures.pop(each, (0, 0.0))[0] + 1
            if good:
                self._failures.pop(each, None)
                continue
            pause = min(2.0 ** (count - free), LONGEST_PAUSE) if count >= free else 0.0
            self._failures[each] = (count, time.monotonic() + pause)
            if len(self._failures) > MOST_KNOWN:
                self._failures.popitem(last=False)
        return good
