"""What is wrong with an account's audit log, and what of it cannot be told, against what is demanded of it. Pure."""

from __future__ import annotations

from typing import Any

import msgspec

from monitor.facts.audit_log import LogRoute, LogState
from monitor.model import Unknown

Doubt = tuple[str, str]
"""What cannot be told, and what to grant or mend."""


class WantedRoute(msgspec.Struct, frozen=True, kw_only=True):
    """A route that must be there: its name, what it is set on, and where it must lead."""

    name: str
    owner: str
    destination: str


class LogDemand(msgspec.Struct, frozen=True, kw_only=True):
    """What an audit log must fulfil: for how long it is kept, the routes, and whether the issuing of credentials is logged."""

    days: int = 1
    routes: tuple[WantedRoute, ...] = ()
    issuing: bool = False


def judge(state: LogState, demand: LogDemand) -> tuple[list[str], list[Doubt]]:
    """Return what is wrong and what cannot be told; nothing of either is a log as demanded."""
    judging = _Judging(state, demand)
    if demand.routes:
        judging.wanted()
    else:
        judging.kept(
            f"the provider keeps it for less than {demand.days} days, and no sink is declared that keeps it longer"
        )
    if demand.issuing:
        judging.issuing()
    return list(dict.fromkeys(judging.wrong)), list(dict.fromkeys(judging.doubts))


def shown(route: LogRoute) -> dict[str, Any]:
    """Return what was seen of a route, for a reader."""
    days: object = route.store.expires_after_days if route.store else None
    locked: object = route.store.locked if route.store else None
    seen = {
        "disabled": route.disabled,
        "covers_children": route.covers_children,
        "narrowed_by": route.narrowed_by,
        "issuing_narrowed_by": route.issuing_narrowed_by,
        "kept_days": days,
        "locked": locked,
    }
    return {"sink": route.identifier, "destination": route.destination} | {
        name: f"unknown: {value.reason}"
        if isinstance(value, Unknown)
        else list(value)
        if isinstance(value, tuple)
        else value
        for name, value in seen.items()
    }


class _Judging:
    def __init__(self, state: LogState, demand: LogDemand) -> None:
        self._state = state
        self._demand = demand
        self._unread = dict(state.unread)
        self.wrong: list[str] = []
        self.doubts: list[Doubt] = []

    def wanted(self) -> None:
        """Judge each route that is declared on the account or above it; one at least must be."""
        here = [one for one in self._demand.routes if one.owner in self._state.places]
        for one in here:
            self._wanted(one)
        if here:
            return
        higher = self._unread.get("")
        if higher and any(not self._elsewhere(one) for one in self._demand.routes):
            self._doubt("whether a declared sink covers it", higher)
        else:
            self.wrong.append("none of the declared sinks is set on it or above it")

    def kept(self, short: str) -> None:
        """Judge the log that the provider keeps by itself by the days that are demanded."""
        for value in (self._state.always_on, self._state.kept_days):
            if isinstance(value, Unknown):
                self._doubt("how long the provider keeps it by itself", value)
                return
        if self._state.always_on is not True:
            self.wrong.append("the provider's own log of changes is not on")
        elif isinstance(self._state.kept_days, int) and self._state.kept_days < self._demand.days:
            self.wrong.append(short)

    def issuing(self) -> None:
        """Judge whether it is logged, for everybody, and kept, how credentials are come by."""
        state = self._state
        if state.unlogged:
            self.wrong.append(f"the issuing of credentials by {', '.join(state.unlogged)} is not logged")
        elif isinstance(state.data_access, Unknown):
            self._doubt("whether the issuing of credentials is logged", state.data_access)
        if isinstance(state.exempted, Unknown):
            self._doubt("whether anybody is exempted from it", state.exempted)
        elif state.exempted:
            more = f" and {len(state.exempted) - 5} more" if len(state.exempted) > 5 else ""
            self.wrong.append(f"exempted from the log of issuing credentials: {', '.join(state.exempted[:5])}{more}")
        keeping = [self._keeps_issuing(route) for route in state.routes if self._covers(route) is not False]
        if () in keeping:
            return
        unclear = [one for one in keeping if isinstance(one, Unknown)] + list(self._unread.values())
        if unclear:
            self._doubt("whether a sink keeps the records of issuing credentials", unclear[0])
        else:
            why = "; ".join(reason for one in keeping if isinstance(one, tuple) for reason in one[:1])
            self.wrong.append(
                f"no sink keeps the records of issuing credentials whole{f' ({why})' if why else ''}"[:500]
            )

    def _wanted(self, one: WantedRoute) -> None:
        told = f"sink {one.owner}/sinks/{one.name}"
        found = [route for route in self._state.routes if (route.owner, route.name) == (one.owner, one.name)]
        if not found:
            if unread := self._unread.get(one.owner):
                self._doubt(f"whether {told} is there", unread)
            else:
                self.wrong.append(f"{told} is missing")
            return
        route = found[0]
        self._demand_of(told, "is disabled", _turned(route.disabled))
        if route.destination != one.destination:
            self.wrong.append(f"{told} goes to {route.destination}, not to {one.destination}")
        self._demand_of(told, "does not cover what is below it", self._covers(route))
        if isinstance(route.narrowed_by, Unknown):
            self._doubt(f"whether {told} takes every change", route.narrowed_by)
        elif route.narrowed_by:
            self.wrong.append(f"{told} leaves records of changes out: {'; '.join(route.narrowed_by[:3])}")
        self._long_enough(told, route)

    def _long_enough(self, told: str, route: LogRoute) -> None:
        days = self._demand.days
        if route.store is None:
            # How long others than log buckets keep is not read. The provider's own log may be long enough in its stead.
            kept = self._state.kept_days
            if self._state.always_on is not True or isinstance(kept, Unknown) or kept < days:
                self.doubts.append(
                    (f"cannot tell whether the destination of {told} keeps {days} days: it is not read", "")
                )
            return
        kept_there = route.store.expires_after_days
        if isinstance(kept_there, Unknown):
            self._doubt(f"whether the destination of {told} keeps {days} days", kept_there)
        elif kept_there is not None and kept_there < days:
            self.wrong.append(f"the destination of {told} keeps {kept_there} days, not {days}")

    def _covers(self, route: LogRoute) -> bool | Unknown:
        """Return whether a route takes what the account logs: its own does, one above if it takes from what is below."""
        return True if route.owner in self._state.places[:1] else route.covers_children

    def _keeps_issuing(self, route: LogRoute) -> tuple[str, ...] | Unknown:
        """Return what keeps the records of issuing credentials from a route; nothing if it keeps them."""
        if route.disabled is True:
            return (f"{route.identifier} is disabled",)
        told = route.issuing_narrowed_by
        if isinstance(told, tuple) and told:
            return (f"{route.identifier} leaves them out: {told[0]}",)
        for value in (route.disabled, told, self._covers(route)):
            if isinstance(value, Unknown):
                return value
        return ()

    def _demand_of(self, told: str, fault: str, value: bool | Unknown) -> None:
        if isinstance(value, Unknown):
            self._doubt(f"whether {told} {fault}", value)
        elif not value:
            self.wrong.append(f"{told} {fault}")

    def _doubt(self, what: str, why: Unknown) -> None:
        self.doubts.append((f"cannot tell {what}: {why.reason}", why.grant))

    def _elsewhere(self, one: WantedRoute) -> bool:
        """Return whether a route is set on something of the account's own kind, which is never above it."""
        kind = self._state.places[0].partition("/")[0] if self._state.places else ""
        return one.owner.partition("/")[0] == kind


def _turned(value: bool | Unknown) -> bool | Unknown:
    return value if isinstance(value, Unknown) else not value
