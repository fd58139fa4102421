"""Where a right holds: patterns of resources compared with each other, for each provider's way to name them. Pure.

Of AWS, a resource is an ARN and a pattern has `*` and `?`; policy variables in it stand for something that is not known here.
Of GCP, a resource is a full resource name and covers all below it. A project's own policy covers all that is named under the
project, whichever service names it; those of folders and organisations are read only where they are above the identity's
project, so they cover everything. A bucket's name does not tell its project.
https://cloud.google.com/iam/docs/full-resource-names
https://cloud.google.com/iam/docs/resource-hierarchy-access-control
"""

from __future__ import annotations

from functools import lru_cache
from typing import Protocol

from monitor.iam import wildcards
from monitor.iam.conditions import VARIABLE

EVERYWHERE = ("*",)


class Places(Protocol):
    """How a provider's resources compare."""

    def anything(self, account: str) -> str:
        """Return the pattern of all resources that the account may have."""

    def whole(self, pattern: str, account: str) -> bool:
        """Return whether the pattern stands for every resource that the account may have."""

    def includes(self, outer: str, inner: str) -> bool:
        """Return whether all that `inner` stands for is in `outer`; False where that is not plain."""

    def meets(self, left: str, right: str) -> bool:
        """Return whether the two may have a resource in common; False only where they have none."""


class _Arns:
    def anything(self, account: str) -> str:
        return "*"

    def whole(self, pattern: str, account: str) -> bool:
        return not pattern.strip("*") and bool(pattern)

    def includes(self, outer: str, inner: str) -> bool:
        if "${" in outer:
            return outer == inner
        return wildcards.includes(outer, _loose(inner))

    def meets(self, left: str, right: str) -> bool:
        return wildcards.meets(_loose(left), _loose(right))


class _Names:
    def anything(self, account: str) -> str:
        return _PROJECT + account if account else "*"

    def whole(self, pattern: str, account: str) -> bool:
        return pattern == "*" or _above(pattern) or (bool(account) and pattern == _PROJECT + account)

    def includes(self, outer: str, inner: str) -> bool:
        if outer == inner or outer == "*" or _above(outer):
            return True
        if inner.startswith(outer + "/"):
            return True
        return outer.startswith(_PROJECT) and _path(inner).startswith("projects/" + outer.removeprefix(_PROJECT) + "/")

    def meets(self, left: str, right: str) -> bool:
        if self.includes(left, right) or self.includes(right, left):
            return True
        return any(
            one.startswith(_PROJECT) and _path(other).startswith("projects/_/")
            for one, other in ((left, right), (right, left))
        )


ARNS: Places = _Arns()
NAMES: Places = _Names()
_MANAGER = "//cloudresourcemanager.googleapis.com/"
_PROJECT = _MANAGER + "projects/"


def places(provider: str) -> Places:
    """Return how resources of this provider compare; those of an unknown one compare as ARNs do."""
    return NAMES if provider == "gcp" else ARNS


def reach(resources: tuple[str, ...], not_resources: tuple[str, ...], asked: str, how: Places) -> bool | None:
    """Return whether a statement's resources cover what is asked for: True all of it, None some or perhaps, False none."""
    if resources:
        if any(how.includes(one, asked) for one in resources):
            return True
        return None if any(how.meets(one, asked) for one in resources) else False
    if not not_resources or any(how.includes(one, asked) for one in not_resources):
        return False
    return None if any(how.meets(one, asked) for one in not_resources) else True


@lru_cache(maxsize=16_384)
def _loose(pattern: str) -> str:
    """Return the pattern with `*` for each policy variable: what it may stand for."""
    return VARIABLE.sub("*", pattern) if "${" in pattern else pattern


def _above(name: str) -> bool:
    return name.startswith((_MANAGER + "organizations/", _MANAGER + "folders/"))


def _path(name: str) -> str:
    return name[2:].partition("/")[2] if name.startswith("//") else name
