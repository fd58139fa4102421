"""`monitor prune`: what is past its term goes, what is evidence stays, and the auditor is told which is which."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psycopg
import pytest

from monitor.cli.prune import _needed
from monitor.errors import EvidenceError, LedgerError
from monitor.evidence.keys import signing_key
from monitor.evidence.log import EvidenceLog
from monitor.evidence.retention import is_past, past, withdraw
from monitor.evidence.statement import WITHDRAWAL, ObjectRef, digest, encode, to_json
from monitor.model import Outcome
from monitor.store import pruning
from monitor.store.pruning import Terms
from monitor.store.store import Store
from tests.fakes.installation import Installation
from tests.integration.store import material

Install = Callable[[Path | None], Installation]
NOW = datetime.now(UTC).replace(microsecond=0)
ORIGIN = "evidence.example.com/controls"
DAYS = 60


@pytest.fixture(scope="module")
def swept(tmp_path_factory: pytest.TempPathFactory, organisation: Path) -> Installation:
    """An installation whose term is short, swept once: copies of it are pruned."""
    here = Installation(tmp_path_factory.mktemp("prune"), organisation)
    here.edit("monitor.yaml", "evidence:\n", f"evidence:\n  retention_days: {DAYS}\n")
    here.sweep()
    return here


@pytest.fixture
def here(swept: Installation, tmp_path: Path) -> Installation:
    shutil.copytree(swept.folder, tmp_path / "copy", symlinks=True)
    found = object.__new__(Installation)
    found.folder = tmp_path / "copy"
    found.config, found.state = found.folder / "config", found.folder / "var"
    found.evidence, found.database = found.state / "evidence", found.state / "monitor.db"
    found.key = found.state / "keys/evidence.pem"
    return found


def opened(here: Installation) -> EvidenceLog:
    return EvidenceLog.open(here.evidence, ORIGIN, signing_key(here.key, ORIGIN).signer)


def parquet(here: Installation) -> set[str]:
    return {path.relative_to(here.evidence / "events").as_posix() for path in here.evidence.rglob("*.parquet")}


# The sweep of the example is sealed now, so that by its own age nothing is past its term: the log is asked as of later.
LATER = NOW + timedelta(days=DAYS + 1)


def test_nothing_that_was_sealed_within_the_term_goes(here: Installation) -> None:
    before = parquet(here)
    ran = here("prune", "--format", "json")
    assert ran.code == 0, ran
    assert ran.json["retained"] == {"files": 0, "bytes": 0}
    assert ran.json["rows"]["log_object"] == 0
    assert parquet(here) == before
    assert here.broken() <= {"coverage"}


def test_an_age_within_the_term_is_refused(here: Installation) -> None:
    ran = here("prune", "--older-than", str(DAYS - 1))
    assert ran.code == 2
    assert "within the term" in ran.errors


def test_what_is_withdrawn_is_on_the_log_and_verification_says_so(here: Installation) -> None:
    with opened(here) as log, here.store() as store:
        needed, _ = _needed(log, store)
        parts = past(log, LATER - timedelta(days=DAYS), needed)
        everything = past(log, LATER - timedelta(days=DAYS), ())
        assert needed
        assert 0 < len(parts) < len(everything)
        withdraw(log, parts, LATER, DAYS)
        size = log.size
    for part in parts[1:]:
        (here.evidence / "events" / part.path).unlink()
    level = here.verify()["bytes"]
    # One is left lying, as after a crash: it is what was sealed, and counts as that.
    assert level["outcome"] == "pass", level
    assert f"{len(parts)} of them withdrawn after {DAYS} days" in level["summary"]
    assert here.broken() <= {"coverage"}
    # A sweep goes on from there, and judges the open findings as before.
    before = here.judged()
    here.sweep()
    assert here.manifests()[-1].index > size
    again = {one for one in here.judged() if ":session:" in one.subject}
    assert again <= set(before)
    assert again >= {one for one in before if ":session:" in one.subject and one.outcome in ("fail", "unknown")}
    assert here.broken() <= {"coverage"}


def test_a_file_that_is_merely_gone_is_still_a_failure(here: Installation) -> None:
    with opened(here) as log:
        parts = past(log, LATER - timedelta(days=DAYS), ())
        withdraw(log, parts[:1], LATER, DAYS)
    for part in parts[:2]:
        (here.evidence / "events" / part.path).unlink()
    level = here.verify()["bytes"]
    assert level["outcome"] == "fail"
    assert [parts[1].path in problem for problem in level["problems"]] == [True]


def test_a_withdrawn_file_that_is_altered_is_a_failure(here: Installation) -> None:
    with opened(here) as log:
        parts = past(log, LATER - timedelta(days=DAYS), ())
        withdraw(log, parts, LATER, DAYS)
    (here.evidence / "events" / parts[0].path).write_bytes(b"other")
    assert here.verify()["bytes"]["outcome"] == "fail"


@pytest.mark.parametrize("how", ["within the term", "no term", "not ours", "another list", "miscounted"])
def test_a_withdrawal_that_takes_what_it_may_not_does_not_verify(here: Installation, how: str) -> None:
    """Whoever holds the key can write anything; what is not past its term does not become so by being said."""
    with opened(here) as log:
        parts = past(log, LATER - timedelta(days=DAYS), ())
        paths = [part.path for part in parts]
        at, days, before, count = LATER, DAYS, LATER - timedelta(days=DAYS), len(paths)
        if how == "within the term":
            before = datetime(2026, 3, 2, tzinfo=UTC)
        elif how == "no term":
            days, before = 0, LATER
        elif how == "not ours":
            paths = ["../../etc/passwd"]
            count = 1
        elif how == "miscounted":
            count += 1
        listed = to_json(paths)
        ref = ObjectRef(digest(listed), len(listed))
        stated = digest(b"other") if how == "another list" else ref.object
        record = {"at": at, "before": before, "retention_days": days, "parts": ref, "count": count, "bytes": 1}
        log.append([encode(WITHDRAWAL, "retained-events", stated, record)], [listed])
    for part in parts:
        (here.evidence / "events" / part.path).unlink()
    broken = here.broken()
    assert "log" in broken, broken


def test_withdrawing_refuses_what_is_within_the_term(here: Installation) -> None:
    with opened(here) as log:
        parts = past(log, LATER, ())
        size = log.size
        for at, days in ((datetime(2026, 4, 1, tzinfo=UTC), 60), (LATER, 0)):
            with pytest.raises(EvidenceError, match="within its term"):
                withdraw(log, parts, at, days)
        assert log.size == size


def test_a_day_is_past_when_it_has_ended() -> None:
    part = material.part("2026-03-14")
    assert not is_past(part, datetime(2026, 3, 14, 23, 59, tzinfo=UTC))
    assert is_past(part, datetime(2026, 3, 15, tzinfo=UTC))
    for nonsense in ("", "2026-13-99", "9999-12-31", "2026-03-14T00"):
        assert not is_past(material.part(nonsense), datetime(2026, 3, 15, tzinfo=UTC))


# Rows.


def filled(url: str) -> None:
    with Store.open(url) as store:
        for number in range(4):
            at = material.START + number * material.DAY
            record = material.record(
                number,
                objects=(
                    material.log_object(f"AWSLogs/{number}.gz"),
                    material.log_object(f"AWSLogs/{number}-damaged.gz", damage="cut off"),
                ),
                exchanges=(
                    material.exchange(f"expired-{number}", time=at, expires=at + timedelta(hours=1)),
                    material.exchange(f"open-ended-{number}", time=at),
                ),
                marks={f"{material.SOURCE}|{material.SCOPE}": at},
                remembered=(
                    material.remembered(f"state-{number}", number, subject="one", at=at),
                    material.remembered(f"other-{number}", number, subject=f"lone-{number}", at=at),
                ),
            )
            store.record(record, material.judged({"subject": Outcome.FAIL}), material.sealing(number))


def test_rows_past_their_term_go_and_nothing_else(store_url: str) -> None:
    filled(store_url)
    before = material.START + timedelta(days=2, hours=12)
    terms = Terms(before=before, objects=before, exchanges=before)
    counted = pruning.prune(store_url, terms, dry_run=True)
    assert pruning.prune(store_url, terms, dry_run=True) == counted
    removed = pruning.prune(store_url, terms, dry_run=False)
    assert removed == counted
    assert (removed.log_object, removed.token_exchange, removed.remembered, removed.outbox) == (3, 4, 2, 0)
    with Store.open(store_url) as store:
        keys = store.read_keys(material.SOURCE)
        assert keys == {"AWSLogs/3.gz", *(f"AWSLogs/{n}-damaged.gz" for n in range(4))}
        left = {one.id for one in store.exchanges(material.START - timedelta(days=9))}
        assert left == {"expired-3", "open-ended-2", "open-ended-3"} | {"open-ended-1"} & left
        # What held when the term began is known, and what was never superseded.
        assert [one.id for one in store.remembered(material.KIND, "one")] == ["state-2", "state-3"]
        assert len(store.latest(material.KIND)) == 5
        assert len(store.recorded_sweeps()) == 4
        (finding,) = store.open_findings()
        assert len(store.sightings(finding.id)) == 4
    assert pruning.prune(store_url, terms, dry_run=False) == pruning.Removed(
        log_object=0, token_exchange=0, remembered=0, outbox=0
    )


def test_messages_that_were_sent_go_and_those_that_wait_stay(store_url: str) -> None:
    from sqlalchemy import create_engine, insert

    from monitor.store.engine import parse
    from monitor.store.tables import METADATA

    engine = create_engine(parse(store_url))
    at = material.START
    plain = {"sink": "slack", "target": "c", "kind": "opened", "created_at": at, "next_at": at, "body": "{}"}
    with engine.begin() as connection:
        for state in ("pending", "sending", "sent", "failed", "dropped"):
            connection.execute(insert(METADATA.tables["outbox"]).values(id=state, state=state, **plain))
    engine.dispose()
    terms = Terms(before=at + material.DAY, objects=at, exchanges=at)
    assert pruning.prune(store_url, terms, dry_run=False).outbox == 2


def test_the_role_that_sweeps_cannot_prune_and_the_one_that_prunes_can(empty_postgres_url: str) -> None:
    from monitor.store import migrate
    from tests.integration.store.test_roles import as_role, run_sql

    run_sql(empty_postgres_url)
    migrate.upgrade(as_role(empty_postgres_url, "monitor_owner"))
    run_sql(empty_postgres_url)
    filled(as_role(empty_postgres_url, "monitor_run"))
    at = material.START + timedelta(days=9)
    terms = Terms(before=at, objects=at, exchanges=at)
    with pytest.raises(LedgerError, match="permission denied") as raised:
        pruning.prune(as_role(empty_postgres_url, "monitor_run"), terms, dry_run=False)
    assert "monitor_prune" in raised.value.todo
    removed = pruning.prune(as_role(empty_postgres_url, "monitor_prune"), terms, dry_run=False)
    assert removed.log_object == 4
    with (
        psycopg.connect(as_role(empty_postgres_url, "monitor_prune")) as connection,
        pytest.raises(psycopg.errors.InsufficientPrivilege),
    ):
        connection.execute(b"DELETE FROM finding_sighting")


# Backup and restore, as docs/backup.md tells it.


def test_an_older_database_is_caught_up_from_the_log(here: Installation, tmp_path: Path) -> None:
    kept = tmp_path / "backup.db"
    shutil.copyfile(here.database, kept)
    here.sweep()
    expected = here.findings()
    for stale in here.state.glob("monitor.db*"):
        stale.unlink()
    shutil.copyfile(kept, here.database)
    ran = here.sweep()
    assert len(ran.json["recovered"]) == 1
    after = here.findings()
    assert set(expected) <= set(after)
    with here.store() as store:
        assert store.recorded_sweeps() == {one.predicate.sweep for one in here.manifests()}


def test_a_lost_database_is_made_again_from_the_log(here: Installation) -> None:
    expected = here.findings()
    for stale in here.state.glob("monitor.db*"):
        stale.unlink()
    ran = here.sweep()
    assert len(ran.json["recovered"]) == 1
    assert set(expected) <= set(here.findings())


def test_an_older_log_is_refused(here: Installation, tmp_path: Path) -> None:
    kept = tmp_path / "evidence"
    shutil.copytree(here.evidence, kept)
    here.sweep()
    shutil.rmtree(here.evidence)
    shutil.copytree(kept, here.evidence)
    ran = here("sweep")
    assert ran.code == 4
    assert "older copy" in ran.errors
    # And the auditor's copy of a checkpoint shows it too.
    assert here.broken() >= {"consistency"}


def test_a_copy_that_mixes_times_is_noticed(here: Installation, tmp_path: Path) -> None:
    """The checkpoint of one night over the tiles of the night before."""
    kept = tmp_path / "evidence"
    shutil.copytree(here.evidence, kept)
    here.sweep()
    newest = (here.evidence / "checkpoint").read_bytes()
    shutil.rmtree(here.evidence)
    shutil.copytree(kept, here.evidence)
    (here.evidence / "checkpoint").write_bytes(newest)
    assert here("sweep").code == 4


def test_a_lost_key_stops_the_sweep_and_says_what_to_restore(here: Installation) -> None:
    os.unlink(here.key)
    ran = here("sweep")
    assert ran.code == 4
    assert "restore the key" in ran.errors
