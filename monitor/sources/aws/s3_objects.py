"""A bucket as a store of objects. Needs s3:ListBucket and s3:GetObject, and kms:Decrypt where objects are encrypted."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from monitor.sources.aws.session import ClientFactory, translate
from monitor.sources.objects import Location, ObjectInfo


class S3Objects:
    """Objects under a prefix of a bucket; keys are relative to the prefix."""

    def __init__(self, location: Location) -> None:
        self.location = location
        factory = ClientFactory(role=location.role or None)
        self.client: Any = factory.client("s3", region=location.region or None)

    def _full(self, key: str) -> str:
        return self.location.prefix + key

    def list(self, prefix: str) -> Iterator[ObjectInfo]:
        """Yield every object under a prefix, sorted by key, over all pages."""
        cut = len(self.location.prefix)
        pages = self.client.get_paginator("list_objects_v2").paginate(
            Bucket=self.location.bucket, Prefix=self._full(prefix)
        )
        try:
            for page in pages:
                for found in page.get("Contents", ()):
                    yield ObjectInfo(found["Key"][cut:], found["Size"])
        except (ClientError, BotoCoreError) as failed:
            raise translate(failed, "s3:ListBucket", self._where(prefix)) from failed

    def folders(self, prefix: str) -> list[str]:
        """Return the names of the folders directly under a prefix."""
        start = self._full(prefix)
        pages = self.client.get_paginator("list_objects_v2").paginate(
            Bucket=self.location.bucket, Prefix=start, Delimiter="/"
        )
        try:
            return [p["Prefix"][len(start) : -1] for page in pages for p in page.get("CommonPrefixes", ())]
        except (ClientError, BotoCoreError) as failed:
            raise translate(failed, "s3:ListBucket", self._where(prefix)) from failed

    def read(self, key: str) -> bytes:
        """Return an object's exact bytes."""
        return self.read_with_metadata(key)[0]

    def read_with_metadata(self, key: str) -> tuple[bytes, dict[str, str]]:
        """Return an object's exact bytes and its user metadata, names in lower case, in one request."""
        try:
            answer = self.client.get_object(Bucket=self.location.bucket, Key=self._full(key))
            body: bytes = answer["Body"].read()
        except (ClientError, BotoCoreError) as failed:
            raise translate(failed, "s3:GetObject (and kms:Decrypt)", self._where(key)) from failed
        return body, {str(name).lower(): str(value) for name, value in answer.get("Metadata", {}).items()}

    def write(self, key: str, body: bytes) -> None:
        """Store an object; a bucket does so whole or not at all."""
        try:
            self.client.put_object(Bucket=self.location.bucket, Key=self._full(key), Body=body)
        except (ClientError, BotoCoreError) as failed:
            raise translate(failed, "s3:PutObject", self._where(key)) from failed

    def delete(self, key: str) -> None:
        """Remove an object if it is there."""
        try:
            self.client.delete_object(Bucket=self.location.bucket, Key=self._full(key))
        except (ClientError, BotoCoreError) as failed:
            raise translate(failed, "s3:DeleteObject", self._where(key)) from failed

    def _where(self, key: str) -> str:
        return f"s3://{self.location.bucket}/{self._full(key)}"
