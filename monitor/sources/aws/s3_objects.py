"""A bucket as a store of objects. Needs s3:ListBucket and s3:GetObject, and kms:Decrypt where objects are encrypted."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import botocore.session
from botocore.client import BaseClient
from botocore.config import Config
from botocore.exceptions import BotoCoreError
from tenacity import retry, retry_if_exception_type, stop_after_attempt, wait_exponential_jitter

from monitor.errors import Unavailable
from monitor.sources.aws.session import ATTEMPTS, call
from monitor.sources.objects import Location, ObjectInfo

_CONFIG = Config(
    retries={"mode": "standard", "total_max_attempts": ATTEMPTS},
    connect_timeout=5,
    read_timeout=60,
    max_pool_connections=32,
)


class BrokenBody(Unavailable):
    """The answer began well and its body broke off; botocore retries a request, but not a body."""


class S3Objects:
    """Objects under a prefix of a bucket; keys are relative to the prefix."""

    def __init__(self, location: Location, client: BaseClient | None = None) -> None:
        self.location = location
        session = botocore.session.Session()
        region = location.region or session.get_config_variable("region") or "us-east-1"
        self.client = client or session.create_client("s3", region_name=region, config=_CONFIG)

    def _call(self, operation: str, permission: str, key: str, **params: Any) -> dict[str, Any]:
        where = f"s3://{self.location.bucket}/{key}"
        permission = f"{permission} on {where}"
        return call(self.client, operation, permission, where, Bucket=self.location.bucket, **params) or {}

    def _pages(self, start: str, **params: Any) -> Iterator[dict[str, Any]]:
        token: dict[str, str] = {}
        while True:
            page = self._call("list_objects_v2", "s3:ListBucket", start, Prefix=start, **params, **token)
            yield page
            if not page.get("IsTruncated"):
                return
            token = {"ContinuationToken": page["NextContinuationToken"]}

    def walk(self, prefix: str) -> Iterator[ObjectInfo]:
        """Yield every object under a prefix, sorted by key, over all pages."""
        cut = len(self.location.prefix)
        for page in self._pages(self.location.prefix + prefix):
            for found in page.get("Contents", ()):
                yield ObjectInfo(found["Key"][cut:], found["Size"])

    def folders(self, prefix: str) -> list[str]:
        """Return the names of the folders directly under a prefix."""
        start = self.location.prefix + prefix
        pages = self._pages(start, Delimiter="/")
        return [found["Prefix"][len(start) : -1] for page in pages for found in page.get("CommonPrefixes", ())]

    def read(self, key: str) -> bytes:
        """Return an object's exact bytes."""
        return self.read_with_metadata(key)[0]

    @retry(
        retry=retry_if_exception_type(BrokenBody),
        stop=stop_after_attempt(3),
        wait=wait_exponential_jitter(multiplier=0.2, max=5),
        reraise=True,
    )
    def read_with_metadata(self, key: str) -> tuple[bytes, dict[str, str]]:
        """Return an object's exact bytes and its user metadata, names in lower case, in one request."""
        full = self.location.prefix + key
        answer = self._call("get_object", "s3:GetObject (and kms:Decrypt on its key)", full, Key=full)
        try:
            body: bytes = answer["Body"].read()
        except (BotoCoreError, OSError) as broken:
            raise BrokenBody(f"{key}: the answer broke off: {broken}", todo="sweep again") from broken
        return body, {str(name).lower(): str(value) for name, value in answer.get("Metadata", {}).items()}

    def write(self, key: str, body: bytes) -> None:
        """Store an object; a bucket does so whole or not at all."""
        full = self.location.prefix + key
        self._call("put_object", "s3:PutObject", full, Key=full, Body=body)

    def delete(self, key: str) -> None:
        """Remove an object if it is there."""
        full = self.location.prefix + key
        self._call("delete_object", "s3:DeleteObject", full, Key=full)
