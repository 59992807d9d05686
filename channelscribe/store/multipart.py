"""Sends a large object to S3 in parts, each with its checksum, which the server joins at the end, or not at all.

Leaves behind: the object. What a killed process had sent stays with the server, unseen, until
`Bucket.discard_unfinished` gives it up.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterator
from contextlib import suppress
from typing import Any, BinaryIO, Protocol

from botocore.exceptions import BotoCoreError

from channelscribe.errors import StoreError
from channelscribe.store.parallel import PART_BYTES, in_order

__all__ = ["checksum", "send_in_parts"]

MOST_PARTS = 10_000


class Call(Protocol):
    """One request to S3 for this object: the method's name and its parameters."""

    def __call__(self, method: str, **parameters: Any) -> dict[str, Any]: ...


def checksum(content: bytes) -> str:
    """The sha256 as S3 writes it in its own checksum headers."""
    return base64.b64encode(hashlib.sha256(content).digest()).decode("ascii")


def send_in_parts(
    call: Call, source: BinaryIO, size: int, sha256: str, metadata: dict[str, str], condition: dict[str, str]
) -> None:
    """Send `source` of `size` bytes. Raises StoreError when its content is not of this sha256 (it changed meanwhile).

    `condition` goes with the last request, which makes the object.
    """
    upload = call("create_multipart_upload", Metadata=metadata, ChecksumAlgorithm="SHA256")["UploadId"]
    whole = hashlib.sha256()
    length = max(PART_BYTES, -(-size // MOST_PARTS))

    def parts() -> Iterator[tuple[int, bytes]]:
        number = 0
        while content := source.read(length):
            whole.update(content)
            number += 1
            yield number, content

    def send(part: tuple[int, bytes]) -> dict[str, Any]:
        number, content = part
        known = checksum(content)
        sent = call("upload_part", UploadId=upload, PartNumber=number, Body=content, ChecksumSHA256=known)
        return {"PartNumber": number, "ETag": sent["ETag"], "ChecksumSHA256": known}

    try:
        sent = list(in_order(send, parts()))
        if whole.hexdigest() != sha256:
            raise StoreError("the file changed while it was being stored.", reason="corrupt_object")
        call("complete_multipart_upload", UploadId=upload, MultipartUpload={"Parts": sent}, **condition)
    except BaseException:
        # Nothing of it is under way any more (`in_order` waits), so nothing can arrive after this.
        with suppress(OSError, BotoCoreError):
            call("abort_multipart_upload", UploadId=upload)
        raise
