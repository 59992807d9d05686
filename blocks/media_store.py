"""Where files go: a folder or an S3 bucket."""

from __future__ import annotations

from prefect.blocks.core import Block
from pydantic import Field, SecretStr

from channelscribe.settings import StoreOptions
from channelscribe.store import MediaStore


class MediaStoreBlock(Block):
    """The media store of a deployment."""

    _block_type_name = "channelscribe media store"
    _block_type_slug = "channelscribe-media-store"
    _description = "Where channelscribe keeps audio and transcripts: a folder or an S3 bucket."

    url: str = Field(title="URL", description="a folder, file:// or s3://bucket/prefix")
    endpoint_url: str | None = Field(None, title="Endpoint", description="an S3-compatible server; empty: AWS")
    access_key: SecretStr | None = Field(None, title="Access key", description="empty: the environment's chain")
    secret_key: SecretStr | None = Field(None, title="Secret key", description="the access key's other half")
    region: str | None = Field(None, title="Region", description="such as eu-central-1; empty: the server's own")

    def options(self) -> StoreOptions:
        """The library's options for this store."""
        return StoreOptions(
            url=self.url,
            endpoint_url=self.endpoint_url,
            access_key=self.access_key,
            secret_key=self.secret_key,
            region=self.region,
        )

    def store(self) -> MediaStore:
        """The library's store."""
        return MediaStore(self.url, self.options())

    def check_reachable(self) -> None:
        """Write and delete a small object. Raises StoreUnreachable or StoreNotWritable, with the remedy."""
        store = self.store()
        store.put_bytes(b"channelscribe", "doctor/probe.txt", overwrite=True)
        store.delete("doctor/probe.txt")
