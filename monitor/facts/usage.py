"""What identities did, by the audit log, joined with what the provider remembers of their use."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from datetime import datetime

import msgspec

from monitor.facts.change import ChangeEvent
from monitor.facts.identity import Identity, Use
from monitor.model import Unknown

# CloudTrail names some calls otherwise than policies do: Lambda's carry a date and version, CloudWatch is `monitoring`,
# and calls about a bucket's settings are not called as the right to them.
# https://docs.aws.amazon.com/lambda/latest/dg/logging-using-cloudtrail.html
# https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazons3.html
_DATED = re.compile(r"(?P<name>lambda:[A-Za-z]+)\d{8}(v\d+)?", re.ASCII)
_SERVICES = {"monitoring": "cloudwatch"}
_RIGHTS = {
    "s3:DeleteBucketEncryption": "s3:PutEncryptionConfiguration",
    "s3:DeleteBucketLifecycle": "s3:PutLifecycleConfiguration",
    "s3:DeleteBucketReplication": "s3:PutReplicationConfiguration",
    "s3:PutBucketEncryption": "s3:PutEncryptionConfiguration",
    "s3:PutBucketLifecycle": "s3:PutLifecycleConfiguration",
    "s3:PutBucketReplication": "s3:PutReplicationConfiguration",
}


def right(action: str) -> str:
    """Return the action that policies name for a call as the audit log names it; the call itself where nothing is known."""
    dated = _DATED.fullmatch(action)
    if dated:
        return dated["name"]
    service, colon, name = action.partition(":")
    return _RIGHTS.get(action, f"{_SERVICES.get(service, service)}{colon}{name}")


def used_by(identities: Iterable[Identity], events: Iterable[ChangeEvent]) -> dict[str, dict[str, datetime]]:
    """Return, for each identity that made any of these calls, its actions and the last time (UTC) of each.

    A call belongs to an identity if its name, or a session of it, is among the actor's principals, unless it was made
    before the identity was: then it was another's of the same name. Actions are named as policies name them.
    """
    born: dict[str, dict[str, datetime | None]] = {}
    for identity in identities:
        born.setdefault(_key(identity.name), {})[identity.name] = identity.created_at
    found: dict[str, dict[str, datetime]] = {}
    for event in events:
        action = right(event.action)
        for key in {_key(principal) for principal in event.actor.principals}:
            for name, since in born.get(key, {}).items():
                if since is None or event.time >= since:
                    actions = found.setdefault(name, {})
                    actions[action] = max(actions.get(action, event.time), event.time)
    return found


def merged(identity: Identity, used: Mapping[str, datetime]) -> Identity:
    """Return the identity with these uses (action, last time) added to those that the provider told; the later time counts.

    Where the provider told nothing, that stays Unknown: the log holds the writes of a span, so it proves what was used, and
    never that the rest was not.
    """
    if not used or isinstance(identity.uses, Unknown):
        return identity
    uses = {(use.service.lower(), use.action.lower()): use for use in identity.uses}
    for action, at in sorted(used.items()):
        service, _, name = action.partition(":" if ":" in action else ".")  # GCP's permissions have dots
        if not service:
            continue
        if name:
            _note(uses, Use(service=service, action=action, at=at))
        _note(uses, Use(service=service, at=at))
        if ("", "") in uses:
            _note(uses, Use(service="", at=at))  # where a role's last use of anything is told, it is not before this
    return msgspec.structs.replace(identity, uses=tuple(uses[key] for key in sorted(uses)))


def _note(uses: dict[tuple[str, str], Use], use: Use) -> None:
    """Keep the later of what is known and this, in the spelling that is known."""
    key = (use.service.lower(), use.action.lower())
    known = uses.get(key)
    if known is None:
        uses[key] = use
    elif known.at is None or (use.at and use.at > known.at):
        uses[key] = msgspec.structs.replace(known, at=use.at)


def _key(principal: str) -> str:
    """Return what a role and its sessions have in common; other principals stay as they are.

    A session's ARN holds the role's name without its path: arn:aws:sts::ACCOUNT:assumed-role/NAME/SESSION. A role's name is
    unique in its account whatever its path, and its case does not count.
    https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_identifiers.html
    """
    parts = principal.split(":", 5)
    if len(parts) != 6 or parts[0] != "arn":
        return principal
    kind, _, rest = parts[5].partition("/")
    if parts[2] == "iam" and kind == "role" and rest:
        return f"role {parts[4]} {rest.rpartition('/')[2].lower()}"
    if parts[2] == "sts" and kind == "assumed-role" and rest:
        return f"role {parts[4]} {rest.partition('/')[0].lower()}"
    return principal
