"""A store in an S3 bucket, through s3fs: AWS and whatever speaks its API.

S3 shows an object only when all of it has come. Each carries the sha256 of its content in its metadata: comparing costs
one HEAD, and what is read is checked against it. Each request is counted on: writing takes a HEAD and a PUT, everything
else one. Leaves nothing on this machine but temporary files while `local_path` is open.
"""

from __future__ import annotations

import asyncio
import hashlib
import io
import re
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO, cast

import fsspec
from botocore.exceptions import BotoCoreError, ClientError
from fsspec.asyn import sync
from s3fs.core import S3_RETRYABLE_ERRORS

from channelscribe.errors import ObjectMissing, StoreError
from channelscribe.files import sha256_file
from channelscribe.settings.options import StoreOptions
from channelscribe.store.bucket_errors import as_ours, code_of
from channelscribe.store.multipart import checksum, send_in_parts
from channelscribe.store.parallel import PART_BYTES, in_order
from channelscribe.store.place import ObjectInfo

__all__ = ["Bucket"]

CONNECT_SECONDS = 10
READ_SECONDS = 60
TRIES = 5
"""Of each request, with growing pauses: botocore's on no answer, 500, 503 and `slow down`, ours on a broken body."""
PAUSE_SECONDS = 0.1
METADATA_NAME = "sha256"
AT_ONCE = 1000
"""Keys in one request that lists or deletes; S3's own limit."""
RANGE = re.compile(r"bytes \d+-\d+/(\d+)")

Answer = dict[str, Any]


class Bucket:
    """Objects below `s3://bucket/prefix`."""

    def __init__(self, address: str, options: StoreOptions) -> None:
        self.root = address.rstrip("/")
        self._bucket, _, prefix = self.root.removeprefix("s3://").partition("/")
        self._prefix = f"{prefix}/" if prefix else ""
        self._conditions = {"IfNoneMatch": "*"}
        self._files = fsspec.filesystem(
            "s3",
            key=options.access_key.get_secret_value() if options.access_key else None,
            secret=options.secret_key.get_secret_value() if options.secret_key else None,
            endpoint_url=options.endpoint_url,
            client_kwargs={"region_name": options.region} if options.region else {},
            config_kwargs={
                "connect_timeout": CONNECT_SECONDS,
                "read_timeout": READ_SECONDS,
                "retries": {"mode": "standard", "max_attempts": TRIES},
                # We send and check a sha256 of our own; botocore's trailing ones are not understood everywhere.
                "request_checksum_calculation": "when_required",
                "response_checksum_validation": "when_required",
            },
            use_listings_cache=False,
            skip_instance_cache=True,
        )
        self._files.retries = 1  # botocore's are enough: two layers multiply

    def __str__(self) -> str:
        return self.root

    def url(self, key: str) -> str:
        return f"{self.root}/{key}"

    def create(self, region: str | None = None) -> bool:
        """Make the bucket where there is none; whether it was made. Of two at once, both find it there afterwards."""
        # us-east-1 has no name in this request.
        where = {"LocationConstraint": region} if region not in (None, "us-east-1") else {}
        with self._translated(""):
            try:
                self._call("head_bucket")
                return False
            except FileNotFoundError:
                pass
            try:
                self._call("create_bucket", **({"CreateBucketConfiguration": where} if where else {}))
            except OSError as error:
                if code_of(error) not in ("BucketAlreadyOwnedByYou", "BucketAlreadyExists"):
                    raise
                return False
        return True

    def sha256(self, key: str) -> str | None:
        """The sha256 of what is there; None if nothing is. Read from the content where no metadata tells."""
        found = self._head(key)
        if found is None:
            return None
        if known := found["Metadata"].get(METADATA_NAME):
            return str(known)
        with self.local_path(key) as path:
            return sha256_file(path)

    def exists(self, key: str) -> bool:
        return self._head(key) is not None

    def write(self, key: str, source: Path | bytes, sha256: str, *, overwrite: bool) -> bool:
        """Send a file or bytes: in one request, or in parts that S3 joins at the end when it is large.

        Where the server knows conditional writes, of two writers at once only one can be the first.
        """
        while True:
            condition = {} if overwrite else self._conditions
            try:
                with self._translated(key):
                    self._send(key, source, sha256, condition)
                return True
            except StoreError as error:
                code = code_of(error.__cause__)
                if code in ("NotImplemented", "501") and condition:
                    self._conditions = {}  # this server has none
                    continue
                if code in ("PreconditionFailed", "412", "ConditionalRequestConflict"):
                    return self._is_ours(key, sha256)
                # The answer to a request that had been obeyed was lost, and the same request again found no upload.
                if code == "NoSuchUpload" and self._is_ours(key, sha256):
                    return True
                raise

    def read_bytes(self, key: str) -> bytes:
        content = io.BytesIO()
        self._download(key, content)
        return content.getvalue()

    @contextmanager
    def local_path(self, key: str) -> Iterator[Path]:
        with tempfile.TemporaryDirectory(prefix="channelscribe-") as folder:
            path = Path(folder) / key.rpartition("/")[2]
            with path.open("wb") as file:
                self._download(key, file)
            yield path

    def delete(self, keys: Sequence[str]) -> None:
        for start in range(0, len(keys), AT_ONCE):
            batch = keys[start : start + AT_ONCE]
            with self._translated(batch[0]):
                if len(batch) == 1:
                    self._call("delete_object", Key=self._prefix + batch[0])
                    continue
                names = {"Objects": [{"Key": self._prefix + key} for key in batch], "Quiet": True}
                errors = self._call("delete_objects", Delete=names).get("Errors", [])
            if errors:
                raise StoreError(f"{self}: {errors[0].get('Key')} was not deleted ({errors[0].get('Code')}).")

    def objects(self, prefix: str) -> Iterator[ObjectInfo]:
        """One request for each thousand."""
        start = self._prefix + (f"{prefix}/" if prefix else "")
        for page in self._pages("list_objects_v2", Prefix=start, MaxKeys=AT_ONCE):
            for item in page.get("Contents", []):
                if not item["Key"].endswith("/"):  # what some consoles make for a folder
                    yield ObjectInfo(item["Key"].removeprefix(self._prefix), item["Size"], item["LastModified"])

    def unfinished(self, before: datetime) -> list[str]:
        return [upload["Key"].removeprefix(self._prefix) for upload in self._uploads(before)]

    def discard_unfinished(self, before: datetime) -> None:
        for upload in self._uploads(before):
            with self._translated(upload["Key"]), suppress(FileNotFoundError):
                self._call("abort_multipart_upload", Key=upload["Key"], UploadId=upload["UploadId"])

    def _uploads(self, before: datetime) -> list[Answer]:
        pages = self._pages("list_multipart_uploads", Prefix=self._prefix)
        return [upload for page in pages for upload in page.get("Uploads", []) if upload["Initiated"] < before]

    def _pages(self, method: str, **parameters: Any) -> Iterator[Answer]:
        while True:
            with self._translated(parameters["Prefix"]):
                page = self._call(method, **parameters)
            yield page
            if not page.get("IsTruncated"):
                return
            marks = {"ContinuationToken": "NextContinuationToken"}
            if method == "list_multipart_uploads":
                marks = {"KeyMarker": "NextKeyMarker", "UploadIdMarker": "NextUploadIdMarker"}
            parameters |= {name: page[mark] for name, mark in marks.items()}

    def _send(self, key: str, source: Path | bytes, sha256: str, condition: dict[str, str]) -> None:
        metadata = {METADATA_NAME: sha256}
        call = partial(self._call, Key=self._prefix + key)
        size = source.stat().st_size if isinstance(source, Path) else len(source)
        with source.open("rb") if isinstance(source, Path) else io.BytesIO(source) as file:
            if size > PART_BYTES:
                send_in_parts(call, cast("BinaryIO", file), size, sha256, metadata, condition)
                return
            content = file.read()
        if hashlib.sha256(content).hexdigest() != sha256:
            raise StoreError("the file changed while it was being stored.", reason="corrupt_object")
        call("put_object", Body=content, Metadata=metadata, ChecksumSHA256=checksum(content), **condition)

    def _is_ours(self, key: str, sha256: str) -> bool:
        """Whether the content is there: sent by a try whose answer was lost, or by somebody who was faster."""
        return self.sha256(key) == sha256

    def _head(self, key: str) -> Answer | None:
        with self._translated(key):
            try:
                return self._call("head_object", Key=self._prefix + key)
            except FileNotFoundError:
                return None

    def _download(self, key: str, file: BinaryIO) -> None:
        """All of it, in ranges when it is large. Raises StoreError when it is not what was stored."""
        with self._translated(key):
            first, content = self._get(key, 0, {})
            digest = hashlib.sha256(content)
            file.write(content)
            size = _size(first)
            same = {"IfMatch": first["ETag"]}  # else two versions would be mixed
            rest = range(PART_BYTES, size, PART_BYTES)
            for _, content in in_order(lambda start: self._get(key, start, same), rest):
                digest.update(content)
                file.write(content)
        known = first["Metadata"].get(METADATA_NAME)
        if known and known != digest.hexdigest():
            raise StoreError(
                f"{key} in the store {self} is not what was stored there.",
                remedy="Somebody else wrote it, or it was damaged: delete it and run again.",
                reason="corrupt_object",
            )

    def _get(self, key: str, start: int, condition: dict[str, str]) -> tuple[Answer, bytes]:
        wanted = {"Key": self._prefix + key, "Range": f"bytes={start}-{start + PART_BYTES - 1}", **condition}
        try:
            return cast("tuple[Answer, bytes]", sync(self._files.loop, self._answer_with_body, wanted))
        except OSError as error:
            if start or code_of(error) not in ("InvalidRange", "416"):
                raise
        del wanted["Range"]  # an empty object has no first byte
        return cast("tuple[Answer, bytes]", sync(self._files.loop, self._answer_with_body, wanted))

    async def _answer_with_body(self, wanted: dict[str, str]) -> tuple[Answer, bytes]:
        for attempt in range(1, TRIES + 1):
            answer = await self._files._call_s3("get_object", Bucket=self._bucket, **wanted)
            try:
                async with answer["Body"] as body:
                    return answer, await body.read()
            except S3_RETRYABLE_ERRORS:  # the connection broke in the middle
                if attempt == TRIES:
                    raise
            await asyncio.sleep(PAUSE_SECONDS * 2**attempt)
        raise AssertionError("the last try returns or raises")

    def _call(self, method: str, **parameters: Any) -> Answer:
        return cast("Answer", self._files.call_s3(method, Bucket=self._bucket, **parameters))

    @contextmanager
    def _translated(self, key: str) -> Iterator[None]:
        try:
            yield
        except FileNotFoundError as error:
            if code_of(error) in ("NoSuchBucket", "NoSuchUpload"):
                raise as_ours(error, self.root) from error
            raise ObjectMissing(f"{key} is not in the store {self}.") from error
        except (OSError, BotoCoreError, ClientError) as error:
            raise as_ours(error, self.root) from error


def _size(answer: Answer) -> int:
    found = RANGE.fullmatch(answer.get("ContentRange") or "")
    return int(found.group(1)) if found else int(answer["ContentLength"])
