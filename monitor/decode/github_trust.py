"""GitHub's side of the trust: how the subjects of its tokens are made, and which repositories a subject speaks of. Pure.

https://docs.github.com/en/rest/actions/oidc
https://docs.github.com/en/actions/reference/security/oidc

A repository has the default template unless it left it (`use_default: false`); then it has its own keys, or, where it names
none, those of its organisation. What is not of its type is Unknown.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import datetime
from itertools import pairwise
from typing import Any

from monitor.decode.github_wire import loaded, mapping, text
from monitor.facts.trust import SubjectTemplate
from monitor.model import EvidenceRef, Unknown

DEFAULT = ("repo", "context")
MOST_KEYS = 64
_IMMUTABLE = re.compile(r"repo:[^/:@]+@[0-9]+/[^/:@]+@[0-9]+:?")
_PLAIN = re.compile(r"repo:[^/:@]+/[^/:@]+:?")
_WORKFLOW = "/.github/workflows/"
# Claims that name a repository, as a customised subject writes them: https://docs.github.com/en/actions/reference/security/oidc
_NAMING = ("repo", "repository", "job_workflow_ref", "workflow_ref")
_MOST = 1024


def organisation_template(
    body: bytes, organisation: str, at: datetime, evidence: tuple[EvidenceRef, ...]
) -> SubjectTemplate:
    """Return the template of `GET /orgs/{org}/actions/oidc/customization/sub`. Raises Malformed if it is no object."""
    found = mapping(loaded(body, "a template of subjects"), "a template of subjects")
    keys = _keys(found.get("include_claim_keys"))
    return SubjectTemplate(
        organisation=organisation,
        keys=DEFAULT if keys == () else keys,
        immutable=_immutable(found),
        at=at,
        evidence=evidence,
    )


def repository_template(
    body: bytes,
    organisation: SubjectTemplate,
    repository_id: int,
    repository: str,
    at: datetime,
    evidence: tuple[EvidenceRef, ...],
) -> SubjectTemplate:
    """Return the template of `GET /repos/{owner}/{repo}/actions/oidc/customization/sub`. Raises Malformed if it is no object.

    Where the repository leaves the keys to its organisation, they are that one's.
    """
    found = mapping(loaded(body, "a template of subjects"), "a template of subjects")
    default = found.get("use_default")
    keys: tuple[str, ...] | Unknown
    if not isinstance(default, bool):
        keys = Unknown("whether the default template of subjects is used is not in the forge's answer")
    else:
        keys = DEFAULT if default else _keys(found.get("include_claim_keys"))
    inherits = keys == ()
    return SubjectTemplate(
        organisation=organisation.organisation,
        repository_id=repository_id,
        repository=repository,
        keys=organisation.keys if inherits else keys,
        immutable=_immutable(found),
        at=at,
        evidence=(*evidence, *organisation.evidence) if inherits else evidence,
    )


def _keys(value: Any) -> tuple[str, ...] | Unknown:
    """Return the claims of a template; none where it names none."""
    if value is None:
        return ()
    keys = tuple(text(one) for one in value[: MOST_KEYS + 1]) if isinstance(value, list) else ("",)
    if "" in keys or len(keys) > MOST_KEYS:
        return Unknown("the claims of the template of subjects cannot be read")
    return keys


def _immutable(found: dict[str, Any]) -> bool | None:
    """Return whether subjects carry the ids of owner and repository; None where it is not told, or told in two ways.

    The prefix is what tokens begin with. The switch beside it is believed only where it is on: it is off for repositories,
    too, that have the form because they were created, renamed or moved after it became the default.
    """
    prefix, opted = found.get("sub_claim_prefix"), found.get("use_immutable_subject") is True
    if isinstance(prefix, str) and _PLAIN.fullmatch(prefix):
        return None if opted else False
    return True if opted or (isinstance(prefix, str) and _IMMUTABLE.fullmatch(prefix)) else None


def repositories_of(subjects: Iterable[str]) -> tuple[str, ...]:
    """Return the repositories (OWNER/NAME in lower case, maybe with wildcards) that subjects of tokens, or patterns, speak of.

    Ids of the immutable form are left out. A subject that names no repository adds none.
    """
    found: set[str] = set()
    for subject in subjects:
        parts = subject[:_MOST].split(":")
        for claim, value in pairwise(parts):
            if claim.lower() in _NAMING:
                owner, slash, rest = value.partition(_WORKFLOW)[0].partition("/")
                name = rest.partition("/")[0]
                pair = f"{owner.partition('@')[0]}/{name.partition('@')[0]}".lower()
                if slash and owner and name and not pair.startswith("/") and not pair.endswith("/"):
                    found.add(pair)
    return tuple(sorted(found))
