"""What S3 and the way to it say, as errors of the tree, each with its remedy."""

from __future__ import annotations

from botocore.exceptions import NoCredentialsError, PartialCredentialsError

from channelscribe.errors import StoreError, StoreNotWritable, StoreUnreachable

__all__ = ["as_ours", "code_of"]

FULL = {"XMinioStorageFull", "QuotaExceeded", "InsufficientStorage", "507"}
ELSEWHERE = {"PermanentRedirect", "AuthorizationHeaderMalformed", "IllegalLocationConstraintException", "301", "400"}


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
