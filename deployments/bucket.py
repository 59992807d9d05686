"""The bucket of `store.url`: made where there is none, and tried.

`python -m deployments.bucket`, for the setup of a server with an S3 server of its own; an S3 of somebody else's needs
its bucket made there, with what is wanted of it (versions, a place, encryption). Leaves the bucket, with nothing in it
that was not there. A store that is a folder needs none of this.
"""

from __future__ import annotations

import sys

from channelscribe.errors import ChannelscribeError
from channelscribe.settings import Settings
from channelscribe.settings.registry import SettingsRegistry
from channelscribe.store import MediaStore
from channelscribe.store.bucket import Bucket

PROBE = "setup/probe.txt"


def make_bucket(settings: Settings) -> bool:
    """Whether it had to be made. Raises StoreError when it cannot be made, written or read."""
    url = settings.store.url or ""
    if not url.startswith("s3://"):
        return False
    made = Bucket(url, settings.store).create(settings.store.region)
    store = MediaStore(url, settings.store)
    store.put_bytes(b"channelscribe setup", PROBE, overwrite=True)
    store.delete(PROBE)
    return made


def main() -> int:
    try:
        settings = SettingsRegistry().resolve()
        made = make_bucket(settings)
    except ChannelscribeError as error:
        sys.stderr.write(f"{error.message} {error.remedy}\n")
        return 1
    sys.stdout.write(f"{settings.store.url or 'a folder'}: {'made' if made else 'there'}, and can be written\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
