"""The page about paths of escalation, made of the rules themselves: docs/escalation.md is its text, held equal by a test."""

from __future__ import annotations

from collections.abc import Iterable

from monitor.iam.escalation_aws import AWS_RULES
from monitor.iam.escalation_gcp import GCP_RULES
from monitor.iam.escalation_rule import Reach, Rule

_TESTS = "tests/unit/iam/"
_REACHES = {
    Reach.OWN: "administrator, by its own rights",
    Reach.UNBOUND: "its own rights without a limit",
    Reach.MADE: "administrator, by another identity that it changes and becomes",
    Reach.USER: "the user",
    Reach.ROLE: "the role or service account",
    Reach.GROUP: "the rights of a group",
    Reach.PASSED: "the role or service account that it passes",
    Reach.RUNNING: "the role or service account of a workload",
    Reach.RESOURCE: "full control of resources",
}
_INTRODUCTION = """# Paths of escalation

What the monitor knows of ways from one identity to more rights than it has. The rules are data
(`monitor/iam/escalation_aws*.py`, `escalation_gcp.py`), each from a public source; `monitor/iam/escalation.py` evaluates
them. This page is made of the rules:
`.venv/bin/python -c "from monitor.iam.escalation_table import page; print(page(), end='')" > docs/escalation.md`.

## How a rule is judged

- **All actions must be allowed in effect**: policies, groups, `NotAction`, `NotResource`, denies, the boundary and the
  organisation's policies are evaluated, not searched. `|` parts alternatives of which one suffices.
- **Where**: actions marked with `@` must be allowed on what the rule leads to: on the role that is passed, on the user
  whose key is made, on the policy that is attached to it. The role must also trust the service, and
  `iam:PassedToService` is compared with it.
- **What it leads to counts**: a path to an identity that can do no more than this one is not told. An administrator has
  no paths.
- **Through others**: a role that is reached is judged by its own rights, and by what it reaches in turn, with all in
  between named.
- **Conditions are told**, never dropped, and never count as none. A workload that runs already is such a condition:
  which role it has is not told by policies. A limit to certain policies (`iam:PolicyARN`) or to a boundary
  (`iam:PermissionsBoundary`) is one too.
- **Severity**: critical if it reaches administrator always; high if it does so on conditions, or reaches another
  identity with more rights always; medium otherwise.
- **Unread**: where the other identities of an account were not read (a saved document alone), the path leads to what is
  written: `any-role`, `any-user`, or the ARN.
- **Many**: a rule that leads to more than five identities, none of them an administrator, is told once, with their number.

An administrator is who can do anything without conditions, but for what the organisation keeps from all of an account.

## What is not seen

- Policies of resources other than trust policies: a function or a bucket that gives rights by its own policy.
- Which role a workload runs under, and whether there is one.
- The groups of a user that have no policies, and what other groups give.
- Of Google Cloud, service accounts of other projects, unless a binding names them.
- Names of actions that no catalogue and no rule knows.
"""


def page() -> str:
    """Return the whole page, as Markdown."""
    return "\n".join(
        (
            _INTRODUCTION,
            "## AWS\n",
            *_table(AWS_RULES, "test_escalation_aws.py"),
            "",
            "## Google Cloud\n",
            *_table(GCP_RULES, "test_escalation_gcp.py"),
            "",
        )
    )


def _table(rules: Iterable[Rule], test: str) -> Iterable[str]:
    opens = "test_a_rule_opens_with_its_actions" if "aws" in test else "test_a_rule_opens_with_its_permissions"
    yield f"Each is shown open by `{_TESTS}{test}::{opens}[ID-N]`,"
    yield "and shown closed with one of its actions missing, with one denied, and on conditions by the tests beside it.\n"
    yield "| rule | actions | reaches | how: it … | source | test |"
    yield "|---|---|---|---|---|---|"
    for rule in rules:
        cells = (
            f"`{rule.id}`",
            _actions(rule),
            _REACHES[rule.reaches] + _services(rule) + (f", if {rule.given}" if rule.given else ""),
            rule.told,
            f"<{rule.source}>",
            f"`{opens}[{rule.id}-0]`",
        )
        yield "| " + " | ".join(cells) + " |"


def _actions(rule: Rule) -> str:
    told = [(one, "@") for one in rule.on] + [(one, "") for one in rule.needs]
    return " + ".join(" \\| ".join(f"`{action}`{mark}" for action in one) for one, mark in told)


def _services(rule: Rule) -> str:
    return f" to {', '.join(rule.services)}" if rule.services and rule.reaches is Reach.PASSED else ""
