"""Facts about policies: statements as a provider wrote them, in one shape for all providers. Nothing here is evaluated."""

from __future__ import annotations

import msgspec

from monitor.model import Unknown


class Condition(msgspec.Struct, frozen=True, kw_only=True, order=True, gc=False):
    """One condition of a statement: all conditions of a statement must hold, any of the values suffices.

    `operator` is spelt as AWS documents it (StringEquals, ArnLike, Bool, Null, DateLessThan …), without its qualifier and
    without IfExists, whatever case the document has; an operator that is not known stays as it was written. `qualifier` is
    empty, ForAnyValue or ForAllValues. `key` is in lower case (keys have no case); values are exact. For GCP, `operator` is
    `cel`, and the one value is the expression.
    """

    operator: str
    key: str = ""
    values: tuple[str, ...] = ()
    qualifier: str = ""
    if_exists: bool = False

    def words(self) -> str:
        """Return the condition as a person reads it, on one line."""
        name = (f"{self.qualifier}:" if self.qualifier else "") + self.operator + ("IfExists" if self.if_exists else "")
        return f"{name} {self.key} {' or '.join(self.values)}".replace("  ", " ").strip()


class Statement(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One statement. `n` counts the statements of its policy from 1; `sid` is its name, if it has one.

    Of `actions` and `not_actions`, and of `resources` and `not_resources`, one each is filled. Patterns are as written:
    `*` and `?` stand for anything, across `/` and `:` too. Actions have no case. For GCP, actions are permissions
    (`iam.serviceAccounts.actAs`), and a resource is a full resource name that covers all below it.
    """

    n: int
    allow: bool
    sid: str = ""
    actions: tuple[str, ...] = ()
    not_actions: tuple[str, ...] = ()
    resources: tuple[str, ...] = ()
    not_resources: tuple[str, ...] = ()
    conditions: tuple[Condition, ...] = ()


class Policy(msgspec.Struct, frozen=True, kw_only=True, tag="policy", gc=False):
    """One policy that bears on an identity.

    `kind`: inline, managed (the organisation's own), provider-managed, group (of a group that it belongs to), boundary, scp
    (a ceiling by the organisation), rcp (a ceiling on resources), role (of GCP: a role bound to it). `name` is what people
    find it by: an ARN, or the name of an inline policy. `statements` Unknown: it could not be read, or is malformed.
    """

    name: str
    kind: str
    statements: tuple[Statement, ...] | Unknown = ()

    def told(self, statement: Statement) -> str:
        """Return how a statement of it is cited: the policy's name, the statement's number, and its sid."""
        return f"{self.name}#{statement.n}" + (f" ({statement.sid})" if statement.sid else "")
