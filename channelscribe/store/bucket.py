"""A store in an S3 bucket, through s3fs: AWS and whatever speaks its API.

S3 shows an object only when all of it has come. Each carries the sha256 of its content in its metadata: comparing costs
one HEAD, and what is read is checked against it. Large objects travel in parts, a few at a time. Each request is
counted on: writing takes a HEAD and a PUT, everything else one. Leaves nothing on this machine but temporary files
while `local_path` is open; what a killed process had sent of a large object stays with the server, unseen, until
`discard_unfinished` gives it up.
"""

from __future__ import annotations

import base64
import hashlib
import io
import re
import tempfile
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path
from typing import Any, BinaryIO, TypeVar, cast

import fsspec
from botocore.exceptions import BotoCoreError, ClientError, NoCredentialsError, PartialCredentialsError
from fsspec.asyn import sync
from s3fs.core import S3_RETRYABLE_ERRORS

from channelscribe.errors import ObjectMissing, StoreError, StoreNotWritable, StoreUnreachable
from channelscribe.files import sha256_file
from channelscribe.settings.options import StoreOptions
from channelscribe.store.layout import is_ours
from channelscribe.store.store import ObjectInfo

__all__ = ["Bucket"]

CONNECT_SECONDS = 10
READ_SECONDS = 60
TRIES = 5
"""Of each request, with growing pauses: botocore's on no answer, 500, 503 and `slow down`, ours on a broken body."""
PAUSE_SECONDS = 0.1
PART_BYTES = 8 << 20
"""Larger objects travel in parts of this size; S3 takes no smaller ones than 5 MiB."""
PARALLEL = 4
METADATA_NAME = "sha256"
AT_ONCE = 1000
"""Keys in one request that lists or deletes; S3's own limit."""
RANGE = re.compile(r"bytes \d+-\d+/(\d+)")

TAKEN = {"PreconditionFailed", "412"}
ASK_AGAIN = {"ConditionalRequestConflict", "409"}
"""Two conditional writes met: neither has been decided."""
UNKNOWN_CONDITION = {"NotImplemented", "501"}
FULL = {"XMinioStorageFull", "QuotaExceeded", "InsufficientStorage", "507"}
ELSEWHERE = {"PermanentRedirect", "AuthorizationHeaderMalformed", "IllegalLocationConstraintException", "301", "400"}

Answer = dict[str, Any]
T = TypeVar("T")
R = TypeVar("R")


class Bucket:
    """Objects below `s3://bucket/prefix`."""

    def __init__(self, address: str, options: StoreOptions) -> None:
        self.root = address.rstrip("/")
        self._bucket, _, prefix = self.root.removeprefix("s3://").partition("/")
        self._prefix = f"{prefix}/" if prefix else ""
        self._has_conditions = True
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
            max_concurrency=PARALLEL,
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

    def write(self, key: str, source: Path | bytes, sha256: str, *, overwrite: bool, durable: bool = True) -> bool:
        """Send a file or bytes: in one request, or in parts that S3 joins at the end when it is large.

        Where the server knows conditional writes, of two writers at once only one can be the first.
        """
        tries = 0
        while True:
            tries += 1
            create = self._has_conditions and not overwrite
            try:
                with self._translated(key):
                    self._send(self.url(key), source, sha256, "create" if create else "overwrite")
                return True
            except StoreError as error:
                code = code_of(error.__cause__)
                if code in UNKNOWN_CONDITION and create:
                    self._has_conditions = False
                    continue
                if code in ASK_AGAIN and tries < TRIES:
                    time.sleep(PAUSE_SECONDS * 2**tries)
                    continue
                if code in TAKEN:
                    return self._is_ours(key, sha256)
                # The answer to a request that had been obeyed was lost, and the same request again found no upload.
                if code == "NoSuchUpload" and self._is_ours(key, sha256):
                    return True
                raise

    def read_bytes(self, key: str) -> bytes:
        content = io.BytesIO()
        self._download(key, content)
        return content.getvalue()

    def size(self, key: str) -> int | None:
        found = self._head(key)
        return None if found is None else int(found["ContentLength"])

    def read_range(self, key: str, start: int, length: int) -> bytes:
        with self._translated(key):
            wanted = {"Key": self._prefix + key, "Range": f"bytes={start}-{start + length - 1}"}
            return self._answer_with_body(wanted)[1]

    def address(self, key: str, seconds: int) -> str | None:
        with self._translated(key):
            return str(self._files.url(self.url(key), expires=seconds))

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
                if len(batch) == 1:  # not every server knows the other request
                    self._files.rm_file(self.url(batch[0]))
                else:
                    self._files.rm([self.url(key) for key in batch])

    def objects(self, prefix: str) -> Iterator[ObjectInfo]:
        """One request for each thousand."""
        start = self._prefix + (f"{prefix}/" if prefix else "")
        for page in self._pages("list_objects_v2", Prefix=start, MaxKeys=AT_ONCE):
            for item in page.get("Contents", []):
                if not item["Key"].endswith("/"):  # what some consoles make for a folder
                    yield ObjectInfo(item["Key"].removeprefix(self._prefix), item["Size"], item["LastModified"])

    def unfinished(self, before: datetime) -> list[str]:
        return [key for key, _ in self._uploads(before)]

    def discard_unfinished(self, before: datetime) -> None:
        for key, upload in self._uploads(before):
            with self._translated(key), suppress(FileNotFoundError):
                self._files.abort_mpu(self._bucket, self._prefix + key, upload)

    def keeps_versions(self) -> bool:
        """False also where the server does not know, or may not say."""
        try:
            with self._translated(""):
                return bool(self._call("get_bucket_versioning").get("Status"))
        except StoreError:
            return False

    def _uploads(self, before: datetime) -> list[tuple[str, str]]:
        """Key and id of uploads of ours: others may have theirs in the bucket, and a store need not have a prefix."""
        found = []
        for page in self._pages("list_multipart_uploads", Prefix=self._prefix):
            for upload in page.get("Uploads", []):
                key = upload["Key"].removeprefix(self._prefix)
                if upload["Initiated"] < before and is_ours(key):
                    found.append((key, upload["UploadId"]))
        return found

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

    def _send(self, url: str, source: Path | bytes, sha256: str, mode: str) -> None:
        about: dict[str, Any] = {"Metadata": {METADATA_NAME: sha256}, "mode": mode}
        if isinstance(source, Path) and source.stat().st_size > PART_BYTES:
            self._files.put_file(str(source), url, chunksize=PART_BYTES, **about)
            if sha256_file(source) != sha256:
                self._files.rm_file(url)  # nobody could have read it: it is not what its metadata says
                raise _changed()
            return
        content = source.read_bytes() if isinstance(source, Path) else source
        digest = hashlib.sha256(content)
        if digest.hexdigest() != sha256:
            raise _changed()
        checked = base64.b64encode(digest.digest()).decode("ascii")
        self._files.pipe_file(url, content, chunksize=PART_BYTES, ChecksumSHA256=checked, **about)

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
            return self._answer_with_body(wanted)
        except OSError as error:
            if start or code_of(error) not in ("InvalidRange", "416"):
                raise
        del wanted["Range"]  # an empty object has no first byte
        return self._answer_with_body(wanted)

    def _answer_with_body(self, wanted: dict[str, str]) -> tuple[Answer, bytes]:
        for attempt in range(1, TRIES + 1):
            answer = self._call("get_object", **wanted)
            try:
                return answer, cast("bytes", sync(self._files.loop, answer["Body"].read))
            except S3_RETRYABLE_ERRORS:  # the connection broke in the middle
                if attempt == TRIES:
                    raise
            finally:
                answer["Body"].close()
            time.sleep(PAUSE_SECONDS * 2**attempt)
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


def in_order(work: Callable[[T], R], items: Iterable[T]) -> Iterator[R]:
    """`work` over `items`, `PARALLEL` at a time; results come in order, and no more than that are ever held.

    When one fails, those under way are waited for, and no more are begun.
    """
    with ThreadPoolExecutor(PARALLEL, "store") as pool:
        pending: deque[Future[R]] = deque()
        for item in items:
            pending.append(pool.submit(work, item))
            if len(pending) == PARALLEL:
                yield pending.popleft().result()
        while pending:
            yield pending.popleft().result()


def code_of(error: BaseException | None) -> str:
    """S3's own code of an error that s3fs has put in other words; "" if it has none."""
    while error is not None:
        if response := getattr(error, "response", None):
            return str(response.get("Error", {}).get("Code", ""))
        error = error.__cause__
    return ""


def as_ours(error: Exception, store: str) -> StoreError:
    """Who can do something about it: the operator (keys, bucket, region, room), or time."""
    code, said = code_of(error), f"{store}: {error}"
    if isinstance(error, NoCredentialsError | PartialCredentialsError):
        return StoreNotWritable(said, remedy="Set store.access_key and store.secret_key.")
    if code == "NoSuchBucket":
        return StoreNotWritable(f"{store}: the bucket does not exist.", remedy="Create it, or correct store.url.")
    if code in FULL:
        return StoreNotWritable(said, remedy="Make room there.")
    if isinstance(error, PermissionError):
        return StoreNotWritable(
            f"{store}: refused ({code or error}).",
            remedy="Check store.access_key and store.secret_key, and what they may do in the bucket.",
        )
    if code in ELSEWHERE:
        return StoreNotWritable(said, remedy="Check store.region and store.endpoint_url.")
    return StoreUnreachable(said, remedy="Check store.endpoint_url.")


def _changed() -> StoreError:
    return StoreError("the file changed while it was being stored.", reason="corrupt_object")


def _size(answer: Answer) -> int:
    found = RANGE.fullmatch(answer.get("ContentRange") or "")
    return int(found.group(1)) if found else int(answer["ContentLength"])
