"""How a power is told, and whether a condition leaves less of it. Pure."""

from __future__ import annotations

import re

from monitor.facts.access import Power

NOT_NARROWING = frozenset(
    {
        "aws:requestedregion",
        "aws:securetransport",
        "aws:principalorgid",
        "aws:principalorgpaths",
        "aws:principalaccount",
        "aws:resourceorgid",
        "aws:resourceorgpaths",
        "aws:resourceaccount",
        "aws:tokenissuetime",
        "s3:tlsversion",
    }
)
"""Conditions that leave a right as strong as it is: where, or over which transport, it is used."""
# https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-keys.html
_KEY = re.compile(r"(?:String|Numeric|Date|Bool|Binary|IpAddress|NotIpAddress|Arn|Null)[A-Za-z]* ([a-z0-9-]+:[^\s]+)")
"""The key of a condition in words: what follows the operator."""


def narrows(words: str, power: Power) -> bool:
    """Return whether a condition, in words, may leave less of a power: any of which nobody has said that it does not."""
    if words.startswith("not on "):
        return _spares(words.removeprefix("not on "), power)
    keys = _KEY.findall(words)
    if words.startswith("unless "):  # whoever meets one of its conditions is not denied
        return not any(key in NOT_NARROWING for key in keys)
    return not keys or any(key not in NOT_NARROWING for key in keys)


def _spares(pattern: str, power: Power) -> bool:
    """Return whether a power may come to nothing as it does not reach these resources: all that its service has."""
    parts = pattern.split(":", 5)
    return len(parts) < 6 or (parts[2] in (power.rule, "*") and not parts[5].strip("*:/"))


def told(power: Power) -> str:
    """Return a power in a few words: its kind, its rule, what it reaches and through whom."""
    goal = f" reaches {power.reaches}" if power.reaches else ""
    through = f" through {', '.join(power.through)}" if power.through else ""
    return f"{power.kind} ({power.rule}){goal}{through}" if power.rule != power.kind else f"{power.kind}{goal}{through}"
