"""Prefect's server, whose pages may talk to it alone.

`uvicorn --factory deployments.server:create_app`. Prefect's newer UI calls Amplitude from the browser, whatever the
server's settings say of analytics (3.8); a header of each page forbids it. Behind the proxy of `docker/` nginx does so.
"""

from __future__ import annotations

from prefect.server.api.server import create_app as create_prefect_app
from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

__all__ = ["create_app"]

POLICY = "connect-src 'self'; object-src 'none'; base-uri 'self'; form-action 'self'; frame-ancestors 'self'"


def create_app() -> ASGIApp:
    """The server, as Prefect's settings in the environment say."""
    whole: ASGIApp = create_prefect_app()

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        async def send_with_policy(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message)["Content-Security-Policy"] = POLICY
            await send(message)

        await whole(scope, receive, send_with_policy if scope["type"] == "http" else send)

    return app
