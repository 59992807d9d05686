"""yt-dlp's HTTP, with each address checked: before a request, before each redirect, and once connected.

Needs `requests`, which yt-dlp[default] brings. It builds on yt-dlp's own handler
(`yt_dlp.networking._requests`), a private module; `tests/sources/test_network.py` notices when an upgrade moves
it. Only this handler is given to yt-dlp: one that cannot be checked (curl, websockets, ftp) is not there, and
`data:` needs no network.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urlsplit

import urllib3
from yt_dlp.networking._requests import RequestsHTTPAdapter, RequestsRH  # type: ignore[import-untyped]
from yt_dlp.networking._urllib import UrllibRH  # type: ignore[import-untyped]
from yt_dlp.networking.exceptions import RequestError  # type: ignore[import-untyped]
from yt_dlp.utils.networking import select_proxy  # type: ignore[import-untyped]

from channelscribe.errors import AddressRefused, ChannelscribeError, NotAURL
from channelscribe.sources.addresses import check_address, check_url, display_url

__all__ = ["CHECKED_POOLS", "RequestRefusedError", "checked_handlers"]


class RequestRefusedError(RequestError):  # type: ignore[misc]
    """Carries our error through yt-dlp, which lets only its own pass; `cause` is the ChannelscribeError."""


def checked_handlers(allow_private: bool, logins: Mapping[str, str]) -> list[Callable[..., Any]]:
    """The request handlers for `YoutubeDL.build_request_director`. `logins` are user:password by host."""

    def http(**arguments: Any) -> CheckedRH:
        handler = CheckedRH(**arguments)
        handler.allow_private = allow_private
        handler.logins = logins
        return handler

    return [http, DataRH]


class DataRH(UrllibRH):  # type: ignore[misc]
    """`data:` URLs only, which some extractors use for manifests."""

    _SUPPORTED_URL_SCHEMES = ("data",)
    RH_NAME = "data"


class CheckedRH(RequestsRH):  # type: ignore[misc]
    """http(s) over `requests`, where each hop goes through `CheckedAdapter`."""

    RH_NAME = "checked"
    allow_private = False
    logins: Mapping[str, str] = {}

    def _create_instance(self, cookiejar: Any, legacy_ssl_support: bool | None = None) -> Any:
        session = super()._create_instance(cookiejar, legacy_ssl_support)
        adapter = CheckedAdapter(
            ssl_context=self._make_sslcontext(legacy_ssl_support=legacy_ssl_support),
            source_address=self.source_address,
            max_retries=urllib3.util.retry.Retry(False),
        )
        adapter.allow_private, adapter.logins = self.allow_private, self.logins
        if not self.allow_private:
            adapter.poolmanager.pool_classes_by_scheme = CHECKED_POOLS
        session.mount("http://", adapter)
        session.mount("https://", adapter)
        return session


class CheckedAdapter(RequestsHTTPAdapter):  # type: ignore[misc]
    """`requests` sends the first request and each redirect through here, before it connects."""

    allow_private = False
    logins: Mapping[str, str] = {}

    def send(self, request: Any, *args: Any, **kwargs: Any) -> Any:
        proxied = bool(select_proxy(request.url, kwargs.get("proxies") or {}))
        try:
            check_url(request.url, self.allow_private, proxied=proxied)
        except NotAURL as error:
            refused = AddressRefused(f"A redirect led to {display_url(request.url)}, which is not allowed.")
            raise RequestRefusedError(str(refused), cause=refused) from error
        except ChannelscribeError as error:
            raise RequestRefusedError(str(error), cause=error) from error
        login = self.logins.get(urlsplit(request.url).hostname or "")
        if login is not None:
            request.headers["Authorization"] = f"Basic {b64encode(login.encode()).decode('ascii')}"
        return super().send(request, *args, **kwargs)


class _CheckedConnection(urllib3.connection.HTTPConnection):
    """Looks at who answered, before a byte is sent: what a name resolves to can change after the check."""

    def _new_conn(self) -> Any:
        connection = super()._new_conn()
        try:
            check_address(connection.getpeername()[0], f"http://{self.host}", allow_private=False)
        except AddressRefused as error:
            connection.close()
            raise RequestRefusedError(str(error), cause=error) from error
        return connection


class _CheckedHTTPSConnection(_CheckedConnection, urllib3.connection.HTTPSConnection):
    pass


class _CheckedHTTPPool(urllib3.HTTPConnectionPool):
    ConnectionCls = _CheckedConnection


class _CheckedHTTPSPool(urllib3.HTTPSConnectionPool):
    ConnectionCls = _CheckedHTTPSConnection


CHECKED_POOLS = {"http": _CheckedHTTPPool, "https": _CheckedHTTPSPool}
"""Of urllib3's pool managers: connections that look at who answers."""
