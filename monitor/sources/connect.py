"""From a location to the store of objects that is there."""

from __future__ import annotations

import os
from functools import cache
from pathlib import Path

from monitor.sources.objects import GS, FolderObjects, Location, Objects


def connect(location: Location) -> Objects:
    """Return the store at a location; a bucket's client is made here, in the process that uses it."""
    return _bucket(location, os.getpid()) if location.bucket else FolderObjects(Path(location.folder))


@cache
def _bucket(location: Location, process: int) -> Objects:
    """Return the bucket's store; a client costs a tenth of a second, serves all threads, and must not cross a fork.

    A process knows a handful of buckets, so none is ever put out: it would leave its connections open.
    """
    if location.store == GS:
        from monitor.sources.gcp.gcs_objects import GcsObjects

        return GcsObjects(location)
    from monitor.sources.aws.s3_objects import S3Objects

    return S3Objects(location)
