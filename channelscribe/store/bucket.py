"""A store in an S3 bucket, through s3fs: AWS and whatever speaks its API.

S3 shows an object only when all of it has come. The sha256 of the content is kept in the object's metadata, so that
comparing costs one HEAD. Leaves nothing on this machine but temporary files while `local_path` is open.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import fsspec
from botocore.exceptions import (
    BotoCoreError,
    NoCredentialsError,
    PartialCredentialsError,
)

from channelscribe.errors import ObjectMissing, StoreNotWritable, StoreUnreachable
from channelscribe.hashing import sha256_file
from channelscribe.settings.options import StoreOptions

__all__ = ["Bucket"]

CONNECT_SECONDS = 10
READ_SECONDS = 60
# Few, because both layers try by themselves: botocore each request (also on 5xx), s3fs each call (also a broken read).
REQUEST_RETRIES = {"mode": "standard", "max_attempts": 3}
CALL_TRIES = 2
METADATA_NAME = "sha256"


class Bucket:
    """Objects below `s3://bucket/prefix`."""

    def __init__(self, address: str, options: StoreOptions) -> None:
        self.root = address.rstrip("/")
        self._files = fsspec.filesystem(
            "s3",
            key=options.access_key.get_secret_value() if options.access_key else None,
            secret=options.secret_key.get_secret_value() if options.secret_key else None,
            endpoint_url=options.endpoint_url,
            client_kwargs={"region_name": options.region} if options.region else {},
            config_kwargs={
                "connect_timeout": CONNECT_SECONDS,
                "read_timeout": READ_SECONDS,
                "retries": REQUEST_RETRIES,
            },
            use_listings_cache=False,  # others write to the bucket too
            skip_instance_cache=True,
        )
        self._files.retries = CALL_TRIES

    def __str__(self) -> str:
        return self.root

    def url(self, key: str) -> str:
        return f"{self.root}/{key}"

    def sha256(self, key: str) -> str | None:
        """The sha256 of what is there; None if nothing is. Read from the content where no metadata tells."""
        if not self.exists(key):
            return None
        with self._translated(key):
            known = self._files.metadata(self.url(key)).get(METADATA_NAME)
        if known:
            return str(known)
        with self.local_path(key) as path:
            return sha256_file(path)

    def exists(self, key: str) -> bool:
        with self._translated(key):
            return bool(self._files.isfile(self.url(key)))

    def write(self, key: str, source: Path | bytes, sha256: str) -> None:
        """Send a file or bytes: in one request, or in parts that S3 joins at the end when there are many."""
        metadata = {METADATA_NAME: sha256}
        with self._translated(key, missing="the bucket"):
            if isinstance(source, Path):
                self._files.put_file(str(source), self.url(key), Metadata=metadata)
            else:
                self._files.pipe_file(self.url(key), source, Metadata=metadata)

    def read_bytes(self, key: str) -> bytes:
        with self._translated(key):
            return bytes(self._files.cat_file(self.url(key)))

    @contextmanager
    def local_path(self, key: str) -> Iterator[Path]:
        with tempfile.TemporaryDirectory(prefix="channelscribe-") as folder:
            path = Path(folder) / key.rpartition("/")[2]
            with self._translated(key):
                self._files.get_file(self.url(key), str(path))
            yield path

    def delete(self, key: str) -> None:
        with self._translated(key):
            if self._files.exists(self.url(key)):
                self._files.rm_file(self.url(key))

    def list(self, prefix: str) -> list[str]:
        with self._translated(prefix):
            found = self._files.find(self.url(prefix) if prefix else self.root)
        start = len(self.root.removeprefix("s3://")) + 1
        return sorted(str(path)[start:] for path in found)

    @contextmanager
    def _translated(self, key: str, missing: str = "") -> Iterator[None]:
        try:
            yield
        except (NoCredentialsError, PartialCredentialsError) as error:
            raise StoreNotWritable(f"{self}: {error}", remedy="Set store.access_key and store.secret_key.") from error
        except FileNotFoundError as error:
            if missing:
                raise StoreNotWritable(f"{self}: {missing} does not exist.", remedy="Create it.") from error
            raise ObjectMissing(f"{key} is not in the store {self}.") from error
        except PermissionError as error:
            raise StoreNotWritable(f"{self}: {error}", remedy="Check the keys of the store.") from error
        except (OSError, BotoCoreError) as error:
            raise StoreUnreachable(f"{self}: {error}", remedy="Check store.endpoint_url.") from error
