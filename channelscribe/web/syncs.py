"""Asks a Prefect API for a sync, over plain HTTP: the room has no engine in it.

The deployment's own schema says what a request may hold (flows/forms.py, `SyncRequest`), and the server checks it.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from channelscribe.errors import StackError, UsageError

if TYPE_CHECKING:
    import httpx

__all__ = ["start_sync"]

DEPLOYMENT = "sync-channel/channel-sync"
SECONDS = 10.0


def start_sync(api_url: str | None, request: dict[str, Any], ui: str | None = None) -> dict[str, str]:
    """{"flow_run", "name", "url"}: the run that was made, in the UI that is at `ui`. A login in the API's URL is used.
    Raises StackError without a server, UsageError where the
    form refuses what it was given.
    """
    import httpx  # with its own command line come click and rich, which who only reads need not have

    if api_url is None:
        raise StackError("No Prefect server runs here.", remedy="Start `channelscribe up`, or set prefect.api_url.")
    api = api_url.rstrip("/")
    try:
        with httpx.Client(timeout=SECONDS, follow_redirects=False) as client:
            found = client.get(f"{api}/deployments/name/{DEPLOYMENT}")
            if found.status_code == 404:
                raise StackError(f"{DEPLOYMENT} is not on the server.", remedy="`channelscribe deploy` puts it there.")
            found.raise_for_status()
            made = client.post(
                f"{api}/deployments/{found.json()['id']}/create_flow_run",
                json={"parameters": {"request": request}, "state": {"type": "SCHEDULED"}},
            )
            if made.status_code in (409, 422):
                raise UsageError(f"The form refuses this: {_said(made)}", remedy="See SyncRequest in flows/forms.py.")
            made.raise_for_status()
            run = made.json()
    except (httpx.HTTPError, ValueError, KeyError) as error:
        raise StackError(
            f"The Prefect server did not make the run ({type(error).__name__}).", remedy="Look at it, and try again."
        ) from error
    pages = (ui or re.sub("//[^/@]*@", "//", api).removesuffix("/api")).rstrip("/")
    return {"flow_run": str(run["id"]), "name": str(run["name"]), "url": f"{pages}/runs/flow-run/{run['id']}"}


def _said(answer: httpx.Response) -> str:
    try:
        told = answer.json()
    except ValueError:
        return ""
    return str(told.get("detail") or told.get("exception_message") or told)[:500]
