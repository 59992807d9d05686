"""Makes sure that the bundled models are what the project shipped, before anything loads them.

Needs the sample's data; leaves nothing behind. Loading some of them unpickles, and a pickle may run code.
"""

from __future__ import annotations

from functools import cache

from channelscribe.errors import ModelTampered, ModelUnavailable
from channelscribe.sample import world

__all__ = ["verify_bundle"]

_REMEDY = "Install channelscribe again."


@cache
def verify_bundle() -> None:
    """Compares the files with their known sha256, once per process while they are right.

    Raises ModelUnavailable when the list of checksums is not there, ModelTampered when a file is missing,
    changed or unknown.
    """
    try:
        world.verify()
    except FileNotFoundError as error:
        raise ModelUnavailable(f"The bundled models are missing: {error.filename}.", remedy=_REMEDY) from error
    except world.SampleDamagedError as error:
        raise ModelTampered(f"{error}.", remedy=_REMEDY) from error
