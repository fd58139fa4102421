"""What a rule of escalation is: the actions that together lead from one identity to more rights, and what they lead to."""

from __future__ import annotations

from enum import StrEnum

import msgspec


class Reach(StrEnum):
    """What a rule leads to, and so, on what its `on` actions must hold.

    own          it gives itself any right: `on` must hold on itself, on its policy or its group (by the rule's `of`)
    unbound      its own rights without a limit that holds today: its boundary, or denies in policies that it can take off
    made         an identity that it gives any right and then becomes: `on` must hold on that one
    any-user     a user that it becomes: `on` must hold on that user
    any-role     a role (or service account) that it becomes: `on` must hold on that one
    any-group    the rights of a group that it enters
    passed-role  a role that it hands to a service that runs what it says: `on` must hold on the role, for that service
    running-role the role of a workload that already runs there, which it makes do what it says
    resource     full control of resources of one kind, by their own policies
    """

    OWN = "self-admin"
    UNBOUND = "self-unbound"
    MADE = "made-admin"
    USER = "any-user"
    ROLE = "any-role"
    GROUP = "any-group"
    PASSED = "passed-role"
    RUNNING = "running-role"
    RESOURCE = "any-resource"


class Rule(msgspec.Struct, frozen=True, kw_only=True):
    """One path of escalation.

    `on` and `needs` are demands, each a tuple of actions of which one suffices; all demands must be met. Those of `on` must
    be allowed on what the rule leads to, those of `needs` on anything at all. `of` says what `on` is about: user, role,
    group, policy, project. `services` are the service principals that the role must trust. `given` is what must be so
    besides, in words, where it cannot be read from policies: with it the path is never unconditional. `told` says in a
    sentence how it works, `source` is the address of where it is described.
    """

    id: str
    reaches: Reach
    on: tuple[tuple[str, ...], ...] = ()
    needs: tuple[tuple[str, ...], ...] = ()
    of: str = ""
    services: tuple[str, ...] = ()
    given: str = ""
    told: str
    source: str

    @property
    def demands(self) -> tuple[tuple[str, ...], ...]:
        """Return all demands: those on what it leads to, then the others."""
        return self.on + self.needs


def demand(*actions: str) -> tuple[tuple[str, ...], ...]:
    """Return demands from actions as they are written in the tables: `a:B|a:C` means that either suffices."""
    return tuple(tuple(action.split("|")) for action in actions)


def passed(name: str, services: str, needs: str, told: str, source: str) -> Rule:
    """Return a rule that hands a role to one of the services; several services or needs are parted by blanks."""
    return Rule(
        id=name,
        reaches=Reach.PASSED,
        on=demand("iam:PassRole"),
        needs=demand(*needs.split()),
        of="role",
        services=tuple(services.split()),
        told=told,
        source=source,
    )
