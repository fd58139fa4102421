"""Background events: who calls what, in which shares, as text made from precompiled shapes."""

from __future__ import annotations

from bisect import bisect
from collections import Counter
from dataclasses import dataclass
from datetime import timedelta
from functools import cache
from itertools import accumulate
from typing import Any

from monitor.example import calls, cast, exchanges
from monitor.example.calls import Call
from monitor.example.chance import Chance
from monitor.example.plan import START, Slot
from monitor.example.records import Record, Session, dump, service_identity, stamp, user_identity
from monitor.example.shapes import compiled, event_values, shape

PIPELINE_SHARE = 0.0025
PERSON_SHARE = 0.0005
SERVICES = ("autoscaling", "ecs", "elasticloadbalancing", "rds", "lambda", "config")
DEPLOYS = {
    cast.PAYMENTS: ("payments-deploy", cast.PAYMENTS_SUBJECT, "payments"),
    cast.DATA: ("data-deploy", cast.DATA_SUBJECT, "data-platform"),
    cast.TOOLING: ("pipeline-hub", cast.DATA_SUBJECT, "data-platform"),
}
DENIED: dict[str, Any] = {
    "errorCode": "AccessDenied",
    "errorMessage": "User is not authorized to perform this action because no identity-based policy allows it",
    "response": None,
}

MIX: tuple[tuple[str, float], ...] = (
    ("worker-read", 36.0),
    ("task-read", 20.0),
    ("audit-read", 14.0),
    ("service-read", 9.0),
    ("pipeline-read", 7.0),
    ("person-read", 5.0),
    ("user-read", 0.9),
    ("denied-read", 0.5),
    ("service-exchange", 0.3),
    ("data-write", 1.0),
    ("service-write", 1.9),
    ("linked-write", 1.1),
    ("service-event", 0.1),
    ("telemetry", 0.5),
    ("pipeline-write", 1.95),
    ("pipeline-attempt", 0.15),
    ("forwarder-write", 0.15),
    ("person-write", 0.12),
    ("person-attempt", 0.03),
)
KINDS = tuple(kind for kind, _ in MIX)
CALLERS = {kind: kind.partition("-")[0] for kind in KINDS} | {
    "denied-read": "task", "data-write": "worker", "telemetry": "worker", "service-event": "event",
}  # fmt: skip
STANDING = {
    "worker": ("ec2-worker", "/", cast.SDK),
    "task": ("payments-task", "/", cast.SDK),
    "audit": ("security-audit", "/", cast.SDK),
    "user": ("report-export", "/", cast.CLI),
    "forwarder": ("log-forwarder", "/", cast.SDK),
    "linked": ("AWSServiceRoleForECS", "/aws-service-role/ecs.amazonaws.com/", ""),
}
EDGES = tuple(accumulate(weight for _, weight in MIX))


def pipeline_session(seed: int, slot: Slot, number: int) -> Session:
    """Return the deploy pipeline's session of this number in the slot's chain."""
    account = cast.CHAINS[slot.chain].account
    role, _, repository = DEPLOYS[account]
    chance = Chance(seed, "pipeline", slot.chain, number)
    began = slot.at(slot.sessions(PIPELINE_SHARE).begins(number))
    run = 13_800_000_000 + chance.below(90_000_000)
    address = f"20.57.{chance.below(250)}.{chance.below(250)}"
    name = f"{repository}-{run}"
    return Session(
        account, role, name, chance.access_key(), began, federated=True, address=address, agent=cast.TERRAFORM
    )


def person_session(seed: int, slot: Slot, number: int) -> tuple[Session, cast.Person]:
    """Return a person's single sign-on session of this number in the slot's chain (-1: from before the traffic began)."""
    account = cast.CHAINS[slot.chain].account
    chance = Chance(seed, "person", slot.chain, number)
    person = chance.pick(cast.PEOPLE)
    began = slot.at(slot.sessions(PERSON_SHARE, 0.5).begins(number)) if number >= 0 else START - timedelta(minutes=20)
    session = Session(
        account, cast.SSO_POWER, person.mail, chance.access_key(), began, cast.SSO_PATH, ends=timedelta(hours=8),
        address=person.address, agent=chance.pick((cast.BROWSER, cast.CLI)),
    )  # fmt: skip
    return session, person


@dataclass(frozen=True)
class Kind:
    """Which calls a kind of event makes, how likely each is, and its record with marks."""

    formats: tuple[str, ...]
    edges: tuple[float, ...]
    counted: str


def _marked(role: str, path: str = "/", *, federated: bool = False, instance: bool = False, **over: Any) -> Record:
    identity = Session("§acct§", role, "§name§", "§key§", START, path, federated).identity(**over)
    identity["principalId"] = "§aroa§:§name§"
    context = identity["sessionContext"]
    context["sessionIssuer"]["principalId"] = "§aroa§"
    context["attributes"]["creationDate"] = "§created§"
    if instance:
        context["ec2RoleDelivery"] = "2.0"
    return identity


@cache
def kind_of(name: str, account: str) -> Kind:
    """Return a kind of event as one account has it."""
    deploy = DEPLOYS[account][0]
    worker = _marked("ec2-worker", instance=True)
    linked = _marked("AWSServiceRoleForECS", "/aws-service-role/ecs.amazonaws.com/", invokedBy="ecs.amazonaws.com")
    pipeline = _marked(deploy, federated=True)
    person = _marked(cast.SSO_POWER, cast.SSO_PATH)
    caller: dict[str, Any] = {"address": "§address§", "agent": "§agent§"}
    console = {**caller, "agent": cast.BROWSER, "sessionCredentialFromConsole": "true"}
    service = {"address": "§service§.amazonaws.com", "agent": "§service§.amazonaws.com"}
    inside = {"address": "ecs.amazonaws.com", "agent": "ecs.amazonaws.com"}
    aws = {"address": "AWS Internal", "agent": "AWS Internal"}
    event = {"accountId": "§acct§", "invokedBy": "AWS Internal"}
    stream = tuple(call for call in calls.SERVICE_WRITES if call.name == "CreateLogStream")
    read: dict[str, Any] = {"read_only": True}
    table: dict[str, tuple[tuple[Call, ...], object, dict[str, Any], str]] = {
        "worker-read": (calls.READS, worker, {**caller, **read}, "reads"),
        "task-read": (calls.READS, _marked("payments-task"), {**caller, **read, "eventVersion": "1.09"}, "reads"),
        "audit-read": (calls.READS, _marked("security-audit"), {**caller, **read}, "reads"),
        "service-read": (calls.READS, service_identity("§service§"), {**service, **read}, "reads"),
        "pipeline-read": (calls.READS, pipeline, {**caller, **read}, "reads"),
        "person-read": (calls.READS, person, {**console, **read}, "reads"),
        "user-read": (calls.READS, user_identity("§acct§", "report-export", "§key§"), {**caller, **read}, "reads"),
        "denied-read": (calls.READS, _marked("payments-task"), {**caller, **read, **DENIED}, "reads"),
        "data-write": (calls.DATA_WRITES, worker, caller, "data_writes"),
        "service-write": (calls.SERVICE_WRITES, service_identity("§service§"), service, "service_writes"),
        "linked-write": (calls.SERVICE_WRITES, linked, inside, "service_writes"),
        "service-event": ((calls.ROTATE_KEY,), event, aws, "service_writes"),
        "telemetry": (calls.TELEMETRY, worker, {**caller, "agent": cast.AGENT}, "telemetry"),
        "pipeline-write": (calls.WRITES, pipeline, caller, "pipeline_writes"),
        "pipeline-attempt": (calls.WRITES, pipeline, {**caller, **DENIED}, "attempts"),
        "forwarder-write": (stream, _marked("log-forwarder"), caller, "forwarder_writes"),
        "person-write": (calls.WRITES, person, console, "person_writes"),
        "person-attempt": (calls.WRITES, person, {**console, **DENIED}, "attempts"),
    }
    choices, identity, over, counted = table[name]
    formats = tuple(compiled(shape(call, identity, **over)) for call in choices)
    return Kind(formats, tuple(accumulate(call.weight for call in choices)), counted)


class Weaver:
    """Makes the events of one object. `counts` tells how many of each kind it made."""

    def __init__(self, seed: int, slot: Slot) -> None:
        self.chance = Chance(seed, "object", slot.index)
        self.counts: Counter[str] = Counter()
        self._seed = seed
        self._slot = slot
        self._chain = cast.CHAINS[slot.chain]
        self._pipelines = slot.sessions(PIPELINE_SHARE)
        self._people = slot.sessions(PERSON_SHARE, 0.5)
        self._callers: dict[tuple[str, int], dict[str, str]] = {}

    def events(self) -> list[str]:
        """Return the JSON of the object's records, in the order of their times."""
        slot, account, chance = self._slot, self._chain.account, self.chance
        out: list[str] = []
        for offset in range(slot.before, slot.before + slot.size):
            exchange = self._exchange(offset)
            name = KINDS[bisect(EDGES, chance.fraction() * EDGES[-1])]
            if exchange is None and name == "service-exchange":
                exchange = self._service_exchange(offset)
            if exchange is not None:
                self.counts["exchanges"] += 1
                out.append(dump(exchange))
                continue
            kind = kind_of(name, account)
            values = event_values(chance)
            values.update(self._caller(CALLERS[name], offset))
            values["time"] = stamp(slot.at(offset))
            self.counts[kind.counted] += 1
            out.append(kind.formats[bisect(kind.edges, chance.fraction() * kind.edges[-1])] % values)
        return out

    def _exchange(self, offset: int) -> Record | None:
        """Return the token exchange that stands at this offset of the chain, if one does."""
        number = self._pipelines.latest(offset)
        if self._pipelines.begins(number) == offset:
            session = pipeline_session(self._seed, self._slot, number)
            subject = DEPLOYS[session.account][1]
            return exchanges.web_identity(self.chance, session, subject, region=self._chain.region)
        number = self._people.latest(offset)
        if number >= 0 and self._people.begins(number) == offset:
            signed, person = person_session(self._seed, self._slot, number)
            return exchanges.saml(self.chance, signed, person, region=self._chain.region)
        return None

    def _service_exchange(self, offset: int) -> Record:
        chance, moment = self.chance, self._slot.at(offset)
        service = chance.pick(("ec2", "ecs-tasks", "lambda"))
        session = Session(self._chain.account, "payments-task", chance.hex(32), chance.access_key(), moment)
        return exchanges.by_service(chance, session, service, region=self._chain.region)

    def _caller(self, group: str, offset: int) -> dict[str, str]:
        """Return what the marks of a caller stand for: one of several of its group, or the session of the moment."""
        if group == "pipeline":
            number = self._pipelines.latest(offset)
        elif group == "person":
            number = self._people.latest(offset)
        else:
            number = self.chance.below(60)
        found = self._callers.get((group, number))
        if found is None:
            found = self._callers[(group, number)] = self._described(group, number)
        return found

    def _described(self, group: str, number: int) -> dict[str, str]:
        account = self._chain.account
        values = {"acct": account, "region": self._chain.region, "service": SERVICES[number % len(SERVICES)]}
        if group in ("service", "event"):
            return values
        if group == "pipeline":
            session = pipeline_session(self._seed, self._slot, number)
        elif group == "person":
            session = person_session(self._seed, self._slot, number)[0]
        else:
            role, path, agent = STANDING[group]
            own = Chance(self._seed, group, self._slot.chain, number)
            name = f"i-0{own.hex(16)}" if group == "worker" else f"{role}-{own.hex(20)}"
            began = START - timedelta(minutes=own.between(5, 50))
            address = f"10.20.{own.below(9)}.{own.below(250)}"
            key = own.access_key("AKIA" if group == "user" else "ASIA")
            session = Session(account, role, name, key, began, path, address=address, agent=agent)
        return {
            **values,
            "name": session.name,
            "key": session.key,
            "aroa": session.principal.partition(":")[0],
            "created": stamp(session.started),
            "address": session.address,
            "agent": session.agent,
        }
