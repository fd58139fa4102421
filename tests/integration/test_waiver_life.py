"""A waiver's whole life on real sweeps, in both databases: before, in force, expiring, expired, taken out; and unknowns."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from monitor.evidence.reader import LogReader
from monitor.evidence.record import decode_result
from monitor.model import Outcome, Result, Severity
from monitor.store import migrate
from monitor.store.reconcile import FindingState, Step, finding_id
from monitor.store.store import Store
from monitor.store.views import Finding, Sighting
from monitor.sweep.after import counts
from monitor.sweep.run import Swept
from tests.fakes import trail
from tests.fakes.delivery import START, Delivery, Watched, hours

DIRECT, WAIVERS, COVERAGE = "direct-production-change", "waiver-governance", "monitoring-coverage"
DAY = timedelta(days=1)
ENTRY = """
  - id: {id}
    checks: [{check}]
    {kind}: ["{pattern}"]
    reason: Replaced when the new pipeline is there
    ticket: CHG-4821
    requester: maria
    approver: release-manager
    from: {start:%Y-%m-%dT%H:%M:%SZ}
    until: {until:%Y-%m-%dT%H:%M:%SZ}
"""


class Governed(Watched):
    """An installation whose waivers the test writes, with whichever database."""

    def __init__(self, folder: Path, delivery: Delivery, url: str) -> None:
        super().__init__(folder, delivery)
        self.url = url
        self.edit("monitor.yaml", "database: sqlite:///{state}/monitor.db", f"database: {url}")

    def store(self) -> Store:
        """Return the database, opened."""
        return Store.open(self.url)

    def waive(self, *entries: str) -> None:
        """Write the waivers."""
        (self.config / "waivers.yaml").write_text("waivers:" + ("".join(entries) or " []") + "\n")

    def finding(self, identity: str) -> Finding:
        """Return a finding."""
        return self.findings()[identity]

    def sealed(self, finding: Finding) -> Result:
        """Return the result of a finding's last judgement from the evidence log."""
        reader = LogReader.open(self.evidence)
        return decode_result(reader.read(finding.result_index), lambda digest: b"").result


def entry(
    name: str,
    start: datetime,
    until: datetime,
    *,
    check: str = DIRECT,
    kind: str = "scopes",
    pattern: str = "aws:111122223333",
) -> str:
    return ENTRY.format(id=name, check=check, kind=kind, pattern=pattern, start=start, until=until)


@pytest.fixture
def delivery(tmp_path: Path, organisation: Path) -> Delivery:
    made = Delivery(tmp_path / "delivered", organisation)
    made.tell_keys()
    return made


@pytest.fixture
def here(tmp_path: Path, delivery: Delivery, store_url: str) -> Governed:
    return Governed(tmp_path / "installation", delivery, store_url)


@pytest.fixture
def sweep(here: Governed, delivery: Delivery) -> Callable[[float], Swept]:
    """Return what sweeps when so many days have passed, all of it delivered and signed."""

    def at(days: float) -> Swept:
        delivery.sign(START + days * DAY)
        return here.sweep_at(START + days * DAY)

    return at


def governed(swept: Swept, subject: str, check: str = WAIVERS) -> Result:
    (one,) = [r for r in swept.results if (r.check, r.subject) == (check, subject)]
    return one


def test_the_whole_life_of_a_waiver(here: Governed, delivery: Delivery, sweep: Callable[[float], Swept]) -> None:
    delivery.put(hours(10.1), trail.event(hours(10)))

    # Before: a finding as any other, with its owner.
    first = sweep(1)
    (failed,) = [r for r in first.results if r.check == DIRECT and r.outcome is Outcome.FAIL]
    identity = finding_id(DIRECT, failed.subject)
    assert (failed.waiver, failed.owner) == ("", "team-payments")
    assert here.finding(identity).standing == "open"
    assert here.finding(identity).owner == "team-payments"
    assert counts(first.results).failing == 1
    assert here("findings", "list").code == 1

    # Declared for later: nothing changes yet.
    here.waive(entry("W-1", START + 2 * DAY, START + 32 * DAY))
    second = sweep(1.5)
    assert here.finding(identity).standing == "open"
    assert governed(second, "waiver:W-1").observed["state"] == "future"

    # In force: waived, and the evidence holds both the raw outcome and the waiver.
    third = sweep(3)
    found = here.finding(identity)
    assert (found.standing, found.waiver, found.state) == ("waived", "W-1", FindingState.OPEN)
    assert third.findings is not None and identity in third.findings.kept
    assert (here.sealed(found).outcome, here.sealed(found).waiver) == (Outcome.FAIL, "W-1")
    assert (counts(third.results).failing, counts(third.results).waived) == (0, 1)
    use = governed(third, "waiver:W-1")
    assert (use.outcome, use.observed["covers"][0]["finding"]) == (Outcome.PASS, identity)
    listed = here("findings", "list")
    assert listed.code == 0
    assert "1 more are accepted under a waiver" in listed.text
    apart = here("findings", "list", "--waived")
    assert (apart.code, identity in apart.text, "waived under W-1 · owner team-payments" in apart.text) == (
        0,
        True,
        True,
    )
    story = here("findings", "show", identity)
    assert "asked for by maria, approved by release-manager" in story.text
    assert here("findings", "show", identity, "--format", "json").json["waiver"]["ticket"] == "CHG-4821"
    (told,) = here("waivers", "list", "--format", "json").json
    assert (told["id"], told["covers"]) == ("W-1", [identity])

    # Its end is near: still a pass, which alerts can tell.
    fourth = sweep(20)
    use = governed(fourth, "waiver:W-1")
    assert (use.outcome, use.observed["expiring"], use.observed["days_left"]) == (Outcome.PASS, True, 12)

    # Over, while the failure stands: reopened, and a finding of governance besides.
    fifth = sweep(32)
    found = here.finding(identity)
    assert (found.standing, found.waiver, found.last_step) == ("reopened", "", Step.REOPENED)
    assert fifth.findings is not None and identity in fifth.findings.reopened
    expired = governed(fifth, "waiver:W-1")
    assert (expired.outcome, expired.severity) == (Outcome.FAIL, Severity.MEDIUM)
    assert here.finding(finding_id(WAIVERS, "waiver:W-1")).is_open
    # The example's emergency is none of this delivery's: by now its time was read, and it matches nothing.
    assert {r.subject for r in fifth.results if r.outcome is Outcome.FAIL} == {
        failed.subject,
        "waiver:W-1",
        "emergency:EC-2026-014",
    }
    assert counts(fifth.results).failing == 3
    assert here.sealed(found).waiver == ""

    # It stays reopened once, and is not told again.
    sixth = sweep(33)
    assert sixth.findings is not None and identity in sixth.findings.kept

    # Renewed under a new approval: waived again; the old one should go.
    here.waive(entry("W-1", START + 2 * DAY, START + 32 * DAY), entry("W-2", START + 33 * DAY, START + 60 * DAY))
    seventh = sweep(34)
    assert here.finding(identity).standing == "waived"
    assert (governed(seventh, "waiver:W-1").severity, governed(seventh, "waiver:W-2").outcome) == ("low", "pass")

    # Taken out before its end: reopened again, and governance has nothing left to say.
    here.waive()
    eighth = sweep(35)
    assert here.finding(identity).standing == "reopened"
    assert not here.finding(finding_id(WAIVERS, "waiver:W-1")).is_open
    assert eighth.findings is not None and identity in eighth.findings.reopened
    steps = [(one.step.value, one.outcome.value) for one in _sightings(here, identity)]
    assert steps == [
        (step, "fail") for step in ("opened", "kept", "kept", "kept", "reopened", "kept", "kept", "reopened")
    ]
    assert here.broken() <= {"coverage"}


def test_a_database_that_was_lost_is_told_the_same_again_by_the_log(
    tmp_path: Path, delivery: Delivery, sqlite_url: str
) -> None:
    here = Governed(tmp_path / "installation", delivery, sqlite_url)
    delivery.put(hours(10.1), trail.event(hours(10)))
    gap = delivery.put(hours(20), trail.event(hours(19)), region="eu-west-1")
    delivery.write(gap, b"\x1f\x8b\x08broken")
    delivery.sign(START + 4 * DAY)
    here.sweep_at(START + DAY)
    here.waive(entry("W-1", START, START + 3 * DAY))
    here.sweep_at(START + 2 * DAY)
    here.sweep_at(START + 4 * DAY)
    before = here.findings()
    assert {found.standing for found in before.values() if found.check == DIRECT} == {"reopened"}
    for path in Path(here.url.removeprefix("sqlite:///")).parent.glob("monitor.db*"):
        path.unlink()
    migrate.upgrade(here.url)
    swept = here.sweep_at(START + 4 * DAY + timedelta(hours=1))
    assert len(swept.recovered) == 3
    after = here.findings()
    for identity, found in before.items():
        again = after[identity]
        assert (again.waiver, again.owner, again.unknown_since, again.standing) == (
            found.waiver,
            found.owner,
            found.unknown_since,
            found.standing,
        ), found.subject


def test_a_gap_that_no_sweep_judges_again_can_be_accepted_and_comes_back_when_that_is_over(
    here: Governed, delivery: Delivery, sweep: Callable[[float], Swept]
) -> None:
    key = delivery.put(hours(10.1), trail.event(hours(10)))
    delivery.write(key, b"\x1f\x8b\x08broken")
    sweep(1)
    (gap,) = [f for f in here.findings().values() if f.check == DIRECT and ":log@" in f.subject]
    assert (gap.outcome, gap.unknown_since, gap.standing) == (Outcome.UNKNOWN, START + DAY, "open")

    here.waive(entry("W-1", START, START + 5 * DAY))
    delivery.write(key, trail.body([]))  # Mended, so that later windows are whole.
    waived = sweep(2)
    found = here.finding(gap.id)
    assert not any(r.subject == gap.subject for r in waived.results)
    assert (found.standing, found.last_seen, found.times_seen) == ("waived", START + DAY, 1)
    assert governed(waived, "waiver:W-1").observed["covers"][0]["finding"] == gap.id
    assert waived.record.standing[gap.id].waiver == "W-1"

    over = sweep(6)
    assert here.finding(gap.id).standing == "reopened"
    assert over.findings is not None and gap.id in over.findings.reopened
    assert [one.step for one in _sightings(here, gap.id)] == [Step.OPENED, Step.KEPT, Step.REOPENED]


def test_a_waiver_that_matches_nothing_is_reported_until_it_is_taken_out(
    here: Governed, sweep: Callable[[float], Swept]
) -> None:
    here.waive(entry("W-1", START, START + 30 * DAY, pattern="aws:444455556666"))
    assert governed(sweep(1), "waiver:W-1").severity is Severity.LOW
    subject = finding_id(WAIVERS, "waiver:W-1")
    assert (here.finding(subject).standing, here.finding(subject).severity) == ("open", Severity.LOW)
    here.waive()
    sweep(2)
    assert here.finding(subject).standing == "resolved"


def test_a_log_that_nobody_can_read_for_days_is_a_finding_until_it_is_read_again(
    here: Governed, delivery: Delivery, sweep: Callable[[float], Swept]
) -> None:
    sweep(1)
    damaged = [delivery.put(hours(24 * day + 10.1), trail.event(hours(24 * day + 10))) for day in range(1, 6)]
    for key in damaged:
        delivery.write(key, b"\x1f\x8b\x08broken")
    subject = f"monitoring:{DIRECT}:aws:111122223333:us-east-1:log"
    told = {day: [r for r in sweep(day).results if (r.check, r.subject) == (COVERAGE, subject)] for day in range(2, 6)}
    assert [len(found) for found in told.values()] == [0, 0, 0, 1]
    (one,) = told[5]
    assert (one.outcome, one.severity, one.scope) == (Outcome.FAIL, Severity.HIGH, "aws:111122223333:us-east-1")
    assert here.finding(finding_id(COVERAGE, subject)).standing == "open"
    for key in damaged:
        delivery.write(key, trail.body([]))
    sweep(9)
    assert here.finding(finding_id(COVERAGE, subject)).standing == "resolved"


def test_a_waivers_file_that_is_wrong_stops_every_command_and_changes_nothing(
    here: Governed, delivery: Delivery, sweep: Callable[[float], Swept]
) -> None:
    sweep(1)
    before = len(here.manifests())
    bad = entry("W-1", START, START + 300 * DAY, check="direct-change").replace("release-manager", "Maria")
    here.waive(bad, bad)
    for command in (("waivers", "check"), ("config", "check"), ("sweep",), ("findings", "list")):
        ran = here(*command)
        assert ran.code == 2
        assert "waivers.yaml:3" in ran.errors
        for words in ("there is no check 'direct-change'", "is the requester too", "300 days after", "is given before"):
            assert words in ran.errors
    assert len(here.manifests()) == before


def test_the_exit_code_of_a_sweep_leaves_out_what_is_waived(
    tmp_path: Path, delivery: Delivery, sqlite_url: str
) -> None:
    here = Governed(tmp_path / "installation", delivery, sqlite_url)
    delivery.put(hours(10.1), trail.event(hours(10)))
    delivery.sign(hours(24))
    here.edit(
        "monitor.yaml",
        "  start: 2026-03-01T00:00:00Z\n",
        "  start: 2026-03-01T00:00:00Z\n  end: 2026-03-02T00:00:00Z\n",
    )
    plain = here.sweep()
    assert (plain.code, plain.json["complete"]) == (1, True)
    # Sweeps of the command line are of today.
    at = here.record().sweep.at
    here.waive(entry("W-1", at - DAY, at + 30 * DAY))
    ran = here.sweep()
    assert ran.code == 0
    (one,) = ran.json["results"]
    assert (one["outcome"], one["waiver"]) == ("fail", "W-1")
    text = here("sweep").text
    assert "Waived      1 more, accepted under a waiver" in text
    assert "Found       nothing that needs a person" in text


def _sightings(here: Governed, identity: str) -> list[Sighting]:
    with here.store() as store:
        return store.sightings(identity)
