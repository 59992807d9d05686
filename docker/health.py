#!/usr/bin/env python3
"""Is the service of this container well? Asked by Docker; 0 and nothing, or 1 and one line that says why not.

    health server          the Prefect API answers and reaches its database
    health pool NAME       the Prefect server has had a sign of life from this container's worker of the pool
    health dask-scheduler  its loop answers, and counts its tasks
    health dask-worker     the scheduler has had a sign of life from this container's worker
    health room            the reading room answers, and reaches the database
    health metrics         the figures are there, which takes the database

Only the standard library: it starts every few seconds. The worker of a container bears its host name.
"""

from __future__ import annotations

import base64
import http.client
import json
import os
import socket
import sys
import time
from collections.abc import Callable
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

SECONDS = 8
LATE_SECONDS = 120
"""Prefect's workers give a sign of life every 30 s, Dask's every few."""


class Unwell(Exception):
    """Says why."""


def ask(url: str, body: dict[str, Any] | None = None) -> bytes:
    """The answer to a GET, or to a POST of `body`; through no proxy, as all that is asked is beside us."""
    place = urlsplit(url)
    connection = http.client.HTTPConnection(place.netloc, timeout=SECONDS)
    headers = {"Content-Type": "application/json"}
    if credentials := os.environ.get("PREFECT_API_AUTH_STRING"):
        headers["Authorization"] = "Basic " + base64.b64encode(credentials.encode()).decode()
    connection.request(
        "GET" if body is None else "POST", place.path, None if body is None else json.dumps(body), headers
    )
    answer = connection.getresponse()
    content = answer.read()
    if answer.status != http.client.OK:
        raise Unwell(f"{url} says {answer.status}")
    return content


def server() -> None:
    ask("http://127.0.0.1:4200/api/ready")


def pool(name: str) -> None:
    workers = json.loads(ask(f"{os.environ['PREFECT_API_URL']}/work_pools/{name}/workers/filter", {}))
    ours = [worker for worker in workers if worker["name"] == socket.gethostname()]
    if not ours:
        raise Unwell(f"the pool {name} has no worker {socket.gethostname()}")
    last = datetime.fromisoformat(ours[0]["last_heartbeat_time"].replace("Z", "+00:00")).timestamp()
    if time.time() - last > LATE_SECONDS:
        raise Unwell(f"no sign of life for {time.time() - last:.0f} s")


def dask_scheduler() -> None:
    json.loads(ask("http://127.0.0.1:8787/json/counts.json"))["tasks"]


def dask_worker() -> None:
    host = os.environ["DASK_SCHEDULER_HTTP"]
    workers = json.loads(ask(f"http://{host}/json/identity.json"))["workers"].values()
    ours = [worker for worker in workers if str(worker["id"]).startswith(socket.gethostname())]
    if not ours:
        raise Unwell(f"the scheduler has no worker {socket.gethostname()}")
    late = time.time() - max(worker["last_seen"] for worker in ours)
    if late > LATE_SECONDS:
        raise Unwell(f"the scheduler has not heard from it for {late:.0f} s")


def room() -> None:
    ask("http://127.0.0.1:4300/health")


def metrics() -> None:
    if b"channelscribe_videos" not in ask("http://127.0.0.1:9108/metrics"):
        raise Unwell("no figures")


CHECKS: dict[str, Callable[..., None]] = {
    "server": server,
    "pool": pool,
    "dask-scheduler": dask_scheduler,
    "dask-worker": dask_worker,
    "metrics": metrics,
    "room": room,
}


def main(arguments: list[str]) -> int:
    try:
        CHECKS[arguments[0]](*arguments[1:])
    except (IndexError, KeyError, TypeError) as error:
        sys.stdout.write(f"health: {error!r}; one of {', '.join(CHECKS)}\n")
        return 1
    except (Unwell, OSError, ValueError, http.client.HTTPException) as error:
        sys.stdout.write(f"health: {' '.join(arguments)}: {error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
