"""Which addresses a source may have: http(s), and none on this machine or a private network unless allowed.

Needs name resolution. `check_url` looks at an address before it is asked for; `network.py` asks again before
each redirect and looks at the machine that really answered, because a name can resolve differently the second
time.
"""

from __future__ import annotations

import hashlib
import ipaddress
import re
import socket
from urllib.parse import SplitResult, unquote, unquote_plus, urlsplit, urlunsplit

from channelscribe.errors import AddressRefused, NotAURL, SourceUnreachable

__all__ = ["check_address", "check_url", "display_url", "display_urls", "public_url", "split_login", "with_login"]

_EXAMPLE = "Give an address such as https://www.youtube.com/@channel or https://example.org/feed.xml."
_REMEDY = "If it is yours, set sources.allow_private_addresses to true."
_SHOWN = re.compile(r"(v|list)=[\w-]{1,64}", re.ASCII)  # a video of YouTube's, a playlist
_SECRET_WORDS = re.compile(
    "access|credentials?|email|expires|hash|hmac|jwt|key|login|mail|pass(wd|word)?|policy|pwd|secret|session|sid|"
    "sig|sign|signature|tok|token|user(name)?"
)
_SECRET_ENDS = ("key", "password", "secret", "session", "signature", "token")
_LONG_TOKEN = re.compile(r"(?=.*\d)(?=.*[A-Za-z])[A-Za-z0-9_.~+/=-]{40,}")
_MARK = re.compile(r"~([0-9a-f]{8})?")
_MAYBE_SECRET = re.compile(r"@|[?&](?!(v|list)=)")  # most are not: a listing has a hundred thousand
_URL = re.compile(r"\b[A-Za-z][A-Za-z0-9+.-]*://[^\s\"'<>]+")
# https://www.iana.org/assignments/ipv6-unicast-address-assignments: all that is given out; the rest of IPv6 is for
# local use, for translation (64:ff9b:1::/48, ::ffff:0:0:0/96, ::127.0.0.1), or for nobody.
_GLOBAL_UNICAST = ipaddress.ip_network("2000::/3")
_NAT64 = ipaddress.ip_network("64:ff9b::/96")  # https://www.rfc-editor.org/rfc/rfc6052: stands for an IPv4 address
# Of IANA's registries of special purposes, what the Python that runs here may not know yet.
_SPECIAL = [ipaddress.ip_network(each) for each in ("192.0.0.0/24", "192.88.99.0/24", "2001::/23", "3fff::/20")]

_Address = ipaddress.IPv4Address | ipaddress.IPv6Address


def check_url(url: str, allow_private: bool, *, proxied: bool | None = None) -> None:
    """Returns if `url` may be asked for. `proxied` says whether through a proxy; None: look at the environment.

    Raises NotAURL when it is no http(s) URL, AddressRefused when one of the addresses behind its host is not
    public and `allow_private` is False, SourceUnreachable when its host has no address.
    """
    parts = _split(url)
    host = parts.hostname or ""
    literal = _literal(host)
    if literal is None and (_proxied(parts.scheme, host) if proxied is None else proxied):
        # The proxy resolves the name and decides; a look-up here would tell others what is asked for.
        private = _names_this_machine(host)
    else:
        addresses = [literal] if literal is not None else _resolve(host, url)
        private = any(not _is_public(address) for address in addresses)
    if private and not allow_private:
        raise AddressRefused(
            f"{display_url(url)} is on this machine or a private network, which is not allowed.",
            remedy=_REMEDY,
        )


def check_address(address: str, url: str, allow_private: bool) -> None:
    """Raises AddressRefused unless the machine at `address` (an IP), reached for `url`, may be talked to."""
    if not allow_private and not _is_public(ipaddress.ip_address(address)):
        raise AddressRefused(
            f"{display_url(url)} led to {address}, a private or local address, which is not allowed.",
            remedy=_REMEDY,
        )


def display_url(url: str) -> str:
    """The URL as messages show it: without user name, password and fragment, and of the query only which video it is.

    Secrets are in all of these.
    """
    try:
        parts = urlsplit(url)
        host = parts.netloc.rpartition("@")[2]
    except ValueError:
        return repr(re.split(r"[?#]", re.sub(r"//[^/]*@", "//", url))[0][:200])
    query = "&".join(each for each in parts.query.split("&") if _SHOWN.fullmatch(each))
    return urlunsplit((parts.scheme, host, parts.path, query, ""))[:200] or repr(url)


def public_url(url: str, *, distinct: bool = False) -> str:
    """The URL as others may have it, in run parameters, transcripts and lists: without user name and password.

    What is secret in its query becomes `~`; with `distinct` a mark made from it, so that two private feeds stay two.
    The whole URL is needed to ask; the catalogue has it (`private_url`). A URL without secrets stays as it is.
    """
    if not _MAYBE_SECRET.search(url):
        return url
    try:
        parts = urlsplit(url)
    except ValueError:
        return url
    query = "&".join(_marked(each, distinct) for each in parts.query.split("&"))
    host = parts.netloc.rpartition("@")[2]
    if (host, query) == (parts.netloc, parts.query):
        return url
    return urlunsplit(parts._replace(netloc=host, query=query))


def _marked(pair: str, distinct: bool) -> str:
    name, separator, value = pair.partition("=")
    if not _is_secret(unquote_plus(name), unquote(value)):
        return pair
    mark = hashlib.sha256(value.encode("utf-8", "surrogatepass")).hexdigest()[:8] if distinct else ""
    return f"{name}{separator}~{mark}"


def _is_secret(name: str, value: str) -> bool:
    if not value or _MARK.fullmatch(value) or name in ("v", "list"):
        return False
    words = re.split(r"[^a-z0-9]+", re.sub(r"(?<=[a-z])(?=[A-Z])", "-", name).lower())
    joined = "".join(words)
    named = any(map(_SECRET_WORDS.fullmatch, words)) or joined.startswith("auth") or joined.endswith(_SECRET_ENDS)
    return named or _LONG_TOKEN.fullmatch(value) is not None


def split_login(url: str) -> tuple[str, str | None]:
    """The URL without its user and password, and these as user:password, with what was escaped in them as it is."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return url, None
    if parts.username is None:
        return url, None
    plain = urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))
    return plain, f"{unquote(parts.username)}:{unquote(parts.password or '')}"


def with_login(url: str, other: str) -> str:
    """The URL with the user and the password of another one on the same host, if that has some.

    What was encrypted goes nowhere in the clear.
    """
    parts, known = urlsplit(url), urlsplit(other)
    if known.username is None or parts.username is not None or known.hostname != parts.hostname:
        return url
    if (known.scheme, parts.scheme) == ("https", "http"):
        return url
    return urlunsplit(parts._replace(netloc=f"{known.netloc.rpartition('@')[0]}@{parts.netloc}"))


def display_urls(text: str) -> str:
    """A text with each URL in it as messages show it."""
    return _URL.sub(lambda found: display_url(found.group()), text)


def _split(url: str) -> SplitResult:
    try:
        parts = urlsplit(url)
        valid = parts.port != 0 and bool(parts.hostname)
    except ValueError:
        parts, valid = urlsplit(""), False
    clean = all(c.isprintable() and not c.isspace() for c in url)
    if not (valid and clean and parts.scheme in ("http", "https")):
        raise NotAURL(f"{display_url(url)} is not an http or https address.", remedy=_EXAMPLE)
    return parts


def _resolve(host: str, url: str) -> list[_Address]:
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise SourceUnreachable(
            f"{display_url(url)} cannot be reached: no address is known for the host {host}.",
            remedy="Check the spelling and the network connection.",
        ) from error
    return [ipaddress.ip_address(each[4][0]) for each in found]


def _literal(host: str) -> _Address | None:
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None


def _names_this_machine(host: str) -> bool:
    """https://www.rfc-editor.org/rfc/rfc6761, section 6.3."""
    name = host.rstrip(".").lower()
    return name == "localhost" or name.endswith(".localhost")


def _is_public(address: _Address) -> bool:
    """Whether IANA's registries call it globally reachable, and so what stands for it in an address of IPv6."""
    if isinstance(address, ipaddress.IPv6Address):
        inner = address.ipv4_mapped or address.sixtofour
        if inner is None and address in _NAT64:
            inner = ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
        if inner is not None:
            return _is_public(inner)
        if address not in _GLOBAL_UNICAST:
            return False
    return address.is_global and not address.is_multicast and not any(address in each for each in _SPECIAL)


def _proxied(scheme: str, host: str) -> bool:
    from urllib.request import getproxies, proxy_bypass  # with it come http and email

    proxies = getproxies()
    return bool(proxies.get(scheme) or proxies.get("all")) and not proxy_bypass(host)
