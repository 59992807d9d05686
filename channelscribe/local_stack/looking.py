"""Where things answer now, for those who only look: starts nothing, and keeps nothing running."""

from __future__ import annotations

import json
import socket

from channelscribe.local_stack.places import places_of
from channelscribe.local_stack.services import Addresses
from channelscribe.settings import Settings

__all__ = ["running_addresses"]

SECONDS = 5.0


def running_addresses(settings: Settings) -> Addresses:
    """The addresses of the settings, and those of the laptop stack on this data folder where it runs."""
    database = settings.database.url.get_secret_value() if settings.database.url else None
    there = _of_keeper(settings)
    return Addresses(
        database or there.database_url,
        settings.prefect.api_url or there.prefect_api_url,
        settings.dask.scheduler or there.scheduler,
    )


def _of_keeper(settings: Settings) -> Addresses:
    with socket.socket(socket.AF_UNIX) as keeper:
        keeper.settimeout(SECONDS)
        try:
            keeper.connect(str(places_of(settings.data_dir).socket))
            keeper.sendall(b"{}\n")
            answer = keeper.makefile("rb").readline()
        except OSError:
            return Addresses()
    return Addresses(**json.loads(answer)["addresses"]) if answer else Addresses()
