"""Signed webhooks, as https://www.standardwebhooks.com has them: who gets one can tell that it is ours, and new.

A POST of JSON with the headers `webhook-id` (the same at every try of one message), `webhook-timestamp` (seconds since
1970) and `webhook-signature`: `v1,` and the base64 of HMAC-SHA256 over `id.timestamp.body`, with the bytes that are
base64 behind `whsec_` as key. Addresses of this machine and of private networks are refused, as for sources
(`channelscribe.sources.addresses`), and no redirect is followed.
"""

from __future__ import annotations

import hmac
import time
from base64 import b64decode, b64encode
from collections.abc import Mapping
from hashlib import sha256
from typing import Any
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

import orjson
import urllib3

from channelscribe import __version__
from channelscribe.errors import AddressRefused, SourceUnreachable
from channelscribe.sources.addresses import check_url, display_url

__all__ = ["check_target", "is_webhook", "post", "signed"]

SECONDS = 10.0
LONGEST_ANSWER = 1 << 16
REMEDY = "If it is yours, set notify.allow_private_addresses to true."


def is_webhook(target: str) -> bool:
    """Whether a target is an address, and not the name of a block."""
    return target.startswith(("http://", "https://"))


def check_target(url: str, *, allow_private: bool) -> None:
    """Raises AddressRefused, NotAURL or SourceUnreachable for a URL that will not do."""
    try:
        check_url(url, allow_private, proxied=_proxy(url) is not None)
    except AddressRefused as error:
        raise AddressRefused(error.message, remedy=REMEDY) from error


def signed(secret: str, message_id: str, body: bytes, now: float) -> dict[str, str]:
    """The headers of a message. `now` in seconds since 1970."""
    key = b64decode(secret.removeprefix("whsec_"))
    timestamp = str(int(now))
    digest = hmac.new(key, f"{message_id}.{timestamp}.".encode() + body, sha256).digest()
    return {
        "webhook-id": message_id,
        "webhook-timestamp": timestamp,
        "webhook-signature": f"v1,{b64encode(digest).decode()}",
    }


def post(url: str, message_id: str, payload: Mapping[str, Any], secret: str, *, allow_private: bool = False) -> None:
    """Returns when the other side took it (2xx).

    Raises AddressRefused and NotAURL before anything is sent, SourceUnreachable for every other answer, and none.
    """
    check_target(url, allow_private=allow_private)
    body = orjson.dumps(payload)
    headers = {"content-type": "application/json", "user-agent": f"channelscribe/{__version__}"}
    pool = _pool(url, allow_private=allow_private)
    try:
        answer = pool.request(
            "POST",
            url,
            body=body,
            headers={**headers, **signed(secret, message_id, body, time.time())},
            timeout=urllib3.Timeout(total=SECONDS),
            retries=False,
            redirect=False,
            preload_content=False,
        )
        answer.read(LONGEST_ANSWER)
        answer.close()
    except (urllib3.exceptions.HTTPError, OSError) as error:
        raise SourceUnreachable(f"{display_url(url)} cannot be reached: {error}.") from error
    except Exception as error:
        refused = getattr(error, "cause", None)  # of who looked at the machine that answered
        if isinstance(refused, AddressRefused):
            raise AddressRefused(refused.message, remedy=REMEDY) from error
        raise
    finally:
        pool.clear()
    if not 200 <= answer.status < 300:
        raise SourceUnreachable(f"{display_url(url)} answered {answer.status}.")


def _pool(url: str, *, allow_private: bool) -> urllib3.PoolManager:
    if proxy := _proxy(url):
        return urllib3.ProxyManager(proxy)
    pool = urllib3.PoolManager()
    if not allow_private:
        from channelscribe.sources.network import CHECKED_POOLS

        pool.pool_classes_by_scheme = CHECKED_POOLS
    return pool


def _proxy(url: str) -> str | None:
    parts = urlsplit(url)
    proxies = getproxies()
    proxy = proxies.get(parts.scheme) or proxies.get("all")
    return None if proxy is None or proxy_bypass(parts.hostname or "") else proxy
