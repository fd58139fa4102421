"""The quiet of the example month: reads, services, heartbeats, and a deployment on most working days. No person writes here."""

from __future__ import annotations

from bisect import bisect
from collections import Counter
from datetime import timedelta

from monitor.example import cast, exchanges
from monitor.example.book import DIRECT_CHANGE, NOT_APPLICABLE, PASS, Book, on, release
from monitor.example.chance import Chance
from monitor.example.events import CALLERS, DEPLOYS, SERVICES, STANDING, kind_of
from monitor.example.records import Session, stamp
from monitor.example.shapes import event_values

OBJECTS = (240, 135, 195, 240)
"""Quiet objects of each chain, in the order of cast.CHAINS."""
DEPLOYMENTS = (18, 8, 11, 7)
MEDIAN_EVENTS = 6.4
SPREAD = 1.75
MIX = (
    ("worker-read", 30),
    ("task-read", 18),
    ("audit-read", 16),
    ("service-read", 12),
    ("person-read", 5),
    ("denied-read", 1),
    ("data-write", 2),
    ("service-write", 4),
    ("linked-write", 3),
    ("service-event", 0.4),
    ("telemetry", 3),
    ("forwarder-write", 0.6),
    ("service-exchange", 1.4),
)
WHY = {
    "reads": ("background-reads", NOT_APPLICABLE, "Read-only calls, some of them denied"),
    "data_writes": ("background-data-events", NOT_APPLICABLE, "Writes of S3 objects are data-plane calls"),
    "service_writes": ("background-services", PASS, "AWS services and their linked roles act by themselves"),
    "service_writes_elsewhere": ("background-services-elsewhere", NOT_APPLICABLE, "The same in the tooling account"),
    "telemetry": ("background-telemetry", NOT_APPLICABLE, "Heartbeats and inventory by instances"),
    "forwarder_writes": ("background-forwarder", PASS, "The declared forwarder does what it is trusted to do"),
    "exchanges": (
        "background-exchanges",
        NOT_APPLICABLE,
        "Issuing of credentials is kept for session proof, no change",
    ),
}


def quiet(book: Book) -> None:
    """Fill the month with background traffic, and tell what is true of it as counts."""
    counts: Counter[str] = Counter()
    for number, chain in enumerate(cast.CHAINS):
        chance = Chance(book.seed, "quiet", chain.account, chain.region)
        minutes = int((cast.MONTH_END - cast.MONTH_START) / timedelta(minutes=5)) - 6
        taken: set[int] = set()
        while len(taken) < OBJECTS[number]:
            taken.add(4 + chance.below(minutes))
        for slot in sorted(taken):
            burst(book, chain, slot * 5, chance, counts)
    for kind, (case, outcome, why) in WHY.items():
        book.tell(case, outcome, DIRECT_CHANGE, [], why, events=counts[kind])


def burst(book: Book, chain: cast.Chain, minute: int, chance: Chance, counts: Counter[str], size: int = 0) -> None:
    """Add a few events by a few callers, delivered in one object `minute` minutes into the month."""
    delivered = cast.MONTH_START + timedelta(minutes=minute)
    callers = 1 + chance.below(2)
    weights = [0 if kind == "forwarder-write" and chain.account != cast.PAYMENTS else weight for kind, weight in MIX]
    groups = [MIX[chance.chosen(weights)][0] for _ in range(callers)]
    numbers = {CALLERS[kind]: chance.below(12) for kind in groups}
    amount = size or max(1, min(400, round(MEDIAN_EVENTS * 2.0 ** (SPREAD * chance.normal()))))
    known = [event_values(chance) for _ in range(2)]
    seconds = sorted(chance.below(570) for _ in range(amount))
    for second in seconds:
        at = delivered - timedelta(seconds=840 - second)
        name = chance.pick(groups)
        event_id, time = chance.uuid(), stamp(at)
        if name == "service-exchange":
            session = Session(chain.account, "payments-task", chance.hex(32), chance.access_key(), at)
            exchange = exchanges.by_service(chance, session, "ecs-tasks", region=chain.region)
            counts["exchanges"] += 1
            book.add(exchange, delivered=delivered)
            continue
        kind = kind_of(name, chain.account)
        group = CALLERS[name]
        values = {**chance.pick(known), **caller(book.seed, chain, group, numbers[group], minute // 360)}
        values.update({"time": time, "event": event_id, "request": chance.uuid()})
        text = kind.formats[bisect(kind.edges, chance.fraction() * kind.edges[-1])] % values
        outside = kind.counted == "service_writes" and chain.account not in cast.PRODUCTION
        counts["service_writes_elsewhere" if outside else kind.counted] += 1
        book.put(text, account=chain.account, region=chain.region, time=time, event_id="", delivered=delivered)


def caller(seed: int, chain: cast.Chain, group: str, number: int, shift: int) -> dict[str, str]:
    """Return what a caller's marks stand for; its credentials are new in every six hours (`shift`)."""
    values = {"acct": chain.account, "region": chain.region, "service": SERVICES[number % len(SERVICES)]}
    if group in ("service", "event"):
        return values
    own = Chance(seed, "caller", chain.account, chain.region, group, number)
    now = Chance(seed, "credentials", chain.account, chain.region, group, number, shift)
    began = cast.MONTH_START + timedelta(hours=6 * shift) - timedelta(seconds=now.between(1000, 3400))
    address = f"10.20.{own.below(9)}.{own.below(250)}"
    if group == "person":
        person = cast.PEOPLE[number % len(cast.PEOPLE)]
        session = Session(
            chain.account, cast.SSO_POWER, person.mail, now.access_key(), began, cast.SSO_PATH, address=person.address
        )
    else:
        role, path, agent = STANDING[group]
        name = f"i-0{own.hex(16)}" if group == "worker" else f"{role}-{own.hex(20)}"
        session = Session(chain.account, role, name, now.access_key(), began, path, address=address, agent=agent)
    return {
        **values,
        "name": session.name,
        "key": session.key,
        "aroa": session.principal.partition(":")[0],
        "created": stamp(session.started),
        "address": session.address,
        "agent": session.agent,
    }


def deployments(book: Book) -> None:
    """Let the pipelines release on working days, each session with its token exchange in the same account's log."""
    proven: list[str] = []
    elsewhere: list[str] = []
    for number, chain in enumerate(cast.CHAINS):
        role, subject, _ = DEPLOYS[chain.account]
        chance = Chance(book.seed, "deployments", chain.account, chain.region)
        days = [day for day in range(2, 32) if on(day, 0).weekday() < 5]
        for _ in range(DEPLOYMENTS[number]):
            at = on(chance.pick(days), chance.between(8, 16), chance.below(60), chance.below(60))
            session = book.deploy(chain.account, role, subject, at, region=chain.region)
            ids = release(book, session, at + timedelta(seconds=chance.between(40, 400)), region=chain.region)
            (proven if chain.account in cast.PRODUCTION else elsewhere).extend(ids)
    book.tell(
        "background-deployments", PASS, DIRECT_CHANGE, proven,
        "Releases by the deploy roles, each session proven by an allowed token", change_class="normal",
    )  # fmt: skip
    book.tell(
        "background-tooling-deployments", NOT_APPLICABLE, DIRECT_CHANGE, elsewhere,
        "Releases in the tooling account, which is watched but not production",
    )  # fmt: skip
