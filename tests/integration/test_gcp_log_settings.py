"""Log settings read over HTTP from a Google Cloud of our own: whole, refused, late, in pages, and from captures."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from checks.audit_log_integrity import CHECK, LogExpectations
from monitor.facts.audit_log import LogRoute, LogState
from monitor.model import CoverageStatus, Outcome, ScopeCoverage, Sweep, Window
from monitor.sources import replay as folder
from monitor.sources.gcp.iam import Watch
from monitor.sources.gcp.log_settings import SOURCE, LogSettingsSource
from monitor.sources.ports import Collected, Request
from tests.fakes.gcp import faults
from tests.fakes.gcp.log_settings import audited, bucket, exclusion, sink
from tests.fakes.gcp.server import GcpFake
from tests.fakes.gcp.sweeping import AT, Time, client, unknown
from tests.fakes.gcp.world import ORGANISATION, PROJECT, World, example
from tests.fakes.github.memory import Nothing

HERE, INNER, OUTER = f"projects/{PROJECT}", "folders/300000000003", "folders/200000000002"
AUDIT = 'logName:"cloudaudit.googleapis.com"'
CENTRAL = "central-logs"
EXPECT = {
    "production": {"gcp": {"projects": [{"id": PROJECT, "name": "shop"}]}},
    "audit_logs": {
        "gcp": {
            "retention_days": 365,
            "sinks": [
                {
                    "name": "audit",
                    "parent": ORGANISATION,
                    "destination": f"logging.googleapis.com/projects/{CENTRAL}/locations/eu/buckets/audit",
                }
            ],
        }
    },
}


def made() -> World:
    world = example()
    world.project(CENTRAL, "500000000005", ORGANISATION)
    kept = bucket(world, f"projects/{CENTRAL}", "audit", 730, location="eu", locked=True)
    sink(world, ORGANISATION, "audit", kept, filter=AUDIT, includeChildren=True)
    audited(world, OUTER)
    return world


@pytest.fixture(autouse=True)
def nothing_of_the_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://user:proxy-password@127.0.0.1:9")
    for name in ("no_proxy", "NO_PROXY", "GOOGLE_APPLICATION_CREDENTIALS", "GOOGLE_CLOUD_PROJECT"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def fake() -> Iterator[GcpFake]:
    with GcpFake(made()) as server:
        yield server


def collect(fake: GcpFake | None, at: Path, *projects: str, replay: Any = None, **more: Any) -> Collected:
    watch = Watch(projects=projects or (PROJECT,), replayed=replay is not None)
    source = LogSettingsSource(watch, lambda request: client(fake, at, Time(), replay, **more))
    return source.collect(Request(sweep="s", at=AT), Nothing(), lambda *told: None)


def state(found: Collected, project: str = PROJECT) -> LogState:
    (one,) = [fact for fact in found.facts if isinstance(fact, LogState) and fact.account == project]
    return one


def coverage(found: Collected, project: str = PROJECT) -> ScopeCoverage:
    (one,) = [told for told in found.coverage if told.scope == f"gcp:{project}"]
    return one


def routes(found: Collected) -> dict[str, LogRoute]:
    return {one.identifier: one for one in state(found).routes}


def verdict(found: Collected) -> tuple[Outcome, str]:
    sweep = Sweep(id="s", planned_for=AT, at=AT, window=Window(AT - timedelta(days=1), AT))
    (result,) = CHECK.evaluate(found.facts, LogExpectations.model_validate(EXPECT), sweep)
    return result.outcome, result.reason


def test_everything_that_is_there_is_read(fake: GcpFake, tmp_path: Path) -> None:
    found = collect(fake, tmp_path)
    one = state(found)
    assert one.places == (HERE, INNER, OUTER, ORGANISATION)
    assert (one.unread, one.always_on, one.kept_days, one.at) == ((), True, 400, AT)
    assert (one.data_access, one.unlogged, one.exempted) == (("sts.googleapis.com", "iam.googleapis.com"), (), ())
    assert len(one.routes) == 9
    audit = routes(found)[f"{ORGANISATION}/sinks/audit"]
    assert (audit.disabled, audit.covers_children, audit.narrowed_by, audit.issuing_narrowed_by) == (
        False,
        True,
        (),
        (),
    )
    assert audit.store
    assert (audit.store.expires_after_days, audit.store.locked) == (730, True)
    assert routes(found)[f"{HERE}/sinks/_Default"].issuing_narrowed_by == ()
    told = coverage(found)
    assert (told.status, told.source, told.gaps, told.grant) == (CoverageStatus.COMPLETE, SOURCE, (), "")
    assert told.counts == {"places": 4, "sinks": 9, "failed": 0}
    assert {ref.sha256 for ref in one.evidence} <= {capture.sha256 for capture in found.captures}
    assert verdict(found) == (Outcome.PASS, "shop: every change is logged, and kept as long as it must be")


@pytest.mark.parametrize(
    ("permission", "at", "field"),
    [
        ("logging.sinks.list", HERE, "unread"),
        ("logging.sinks.list", ORGANISATION, "unread"),
        ("logging.exclusions.list", HERE, "narrowed"),
        ("logging.buckets.list", HERE, "always_on"),
        ("resourcemanager.projects.getIamPolicy", HERE, "exempted"),
        ("resourcemanager.folders.getIamPolicy", OUTER, "data_access"),
        ("resourcemanager.organizations.getIamPolicy", ORGANISATION, "exempted"),
        ("resourcemanager.folders.get", OUTER, "broken"),
        ("resourcemanager.projects.get", HERE, "broken"),
    ],
)
def test_each_permission_that_lacks_is_named_in_just_its_field(
    fake: GcpFake, tmp_path: Path, permission: str, at: str, field: str
) -> None:
    grant = f"{permission} on {at}"
    fake.world.denied.add(grant)
    found = collect(fake, tmp_path)
    one = state(found)
    seen: object = dict(one.unread).get("" if field == "broken" else at)
    if field == "narrowed":
        seen = routes(found)[f"{HERE}/sinks/_Default"].issuing_narrowed_by
    elif field not in ("unread", "broken"):
        seen = getattr(one, field)
    assert unknown(seen).grant == grant
    told = coverage(found)
    assert (told.status, told.grant) == (CoverageStatus.PARTIAL, grant)
    assert verdict(found)[0] in (Outcome.UNKNOWN, Outcome.PASS)
    if field in ("exempted", "data_access", "broken") or at == ORGANISATION:
        assert verdict(found)[0] is Outcome.UNKNOWN


def test_a_project_of_which_nothing_is_seen_is_denied(fake: GcpFake, tmp_path: Path) -> None:
    fake.world.denied |= {f"logging.{one}.list" for one in ("sinks", "exclusions", "buckets")}
    found = collect(fake, tmp_path)
    assert coverage(found).status is CoverageStatus.DENIED
    assert f"logging.sinks.list on {HERE}" in coverage(found).grant
    assert verdict(found)[0] is Outcome.UNKNOWN


def test_one_project_that_is_refused_stops_no_other_and_places_are_read_once(fake: GcpFake, tmp_path: Path) -> None:
    fake.world.project("example-batch", "600000000006", INNER)
    found = collect(fake, tmp_path, "not-there", "example-batch", PROJECT)
    statuses = [coverage(found, name).status for name in ("not-there", "example-batch", PROJECT)]
    assert statuses == [CoverageStatus.DENIED, CoverageStatus.COMPLETE, CoverageStatus.COMPLETE]
    assert len(fake.asked(f"{ORGANISATION}/sinks")) == 1
    assert len(fake.asked(f"projects/{CENTRAL}/locations")) == 1


def test_denied_deny_policies_do_not_matter(fake: GcpFake, tmp_path: Path) -> None:
    fake.world.denied.add("iam.denypolicies.list")
    found = collect(fake, tmp_path)
    assert coverage(found).status is CoverageStatus.COMPLETE
    assert verdict(found)[0] is Outcome.PASS


def test_the_log_buckets_of_others_are_unknown_where_they_are_denied(fake: GcpFake, tmp_path: Path) -> None:
    grant = f"logging.buckets.list on projects/{CENTRAL}"
    fake.world.denied.add(grant)
    found = collect(fake, tmp_path)
    store = routes(found)[f"{ORGANISATION}/sinks/audit"].store
    assert store
    assert unknown(store.expires_after_days).grant == grant
    assert coverage(found).status is CoverageStatus.COMPLETE
    assert verdict(found)[0] is Outcome.UNKNOWN


def test_lists_are_read_to_the_last_page(fake: GcpFake, tmp_path: Path) -> None:
    for n in range(7):
        sink(fake.world, HERE, f"more-{n}", "storage.googleapis.com/more")
    exclusion(fake.world, HERE, "quiet", 'LOG_ID("syslog")')
    exclusion(fake.world, HERE, "cheaper", 'LOG_ID("cloudaudit.googleapis.com/data_access")')
    whole = collect(fake, tmp_path)
    fake.page = 1
    paged = collect(fake, tmp_path)
    assert [one.identifier for one in state(paged).routes] == [one.identifier for one in state(whole).routes]
    narrowed = routes(paged)[f"{HERE}/sinks/_Default"].issuing_narrowed_by
    assert narrowed == ('exclusion cheaper: LOG_ID("cloudaudit.googleapis.com/data_access")',)
    assert len(fake.asked(f"{HERE}/sinks")) > 9


def test_a_sink_above_that_takes_away_is_seen_though_its_owner_is_denied(fake: GcpFake, tmp_path: Path) -> None:
    to = "logging.googleapis.com/projects/elsewhere-1"
    sink(fake.world, OUTER, "taking", to, includeChildren=True, interceptChildren=True)
    fake.world.denied.add(f"logging.sinks.list on {OUTER}")
    found = routes(collect(fake, tmp_path))
    assert found[f"{OUTER}/sinks/taking"].owner == OUTER
    assert found[f"{HERE}/sinks/_Default"].issuing_narrowed_by == (f"taken before it by {OUTER}/sinks/taking",)
    assert found[f"{ORGANISATION}/sinks/audit"].narrowed_by == ()


def test_a_sink_that_is_switched_off_fails(fake: GcpFake, tmp_path: Path) -> None:
    (one,) = fake.world.log_settings["sinks"][ORGANISATION]
    one["disabled"] = True
    outcome, reason = verdict(collect(fake, tmp_path))
    assert (outcome, reason) == (Outcome.FAIL, f"shop: sink {ORGANISATION}/sinks/audit is disabled")


def test_what_was_captured_gives_the_same_facts_without_a_network(fake: GcpFake, tmp_path: Path) -> None:
    fake.world.denied |= {f"logging.exclusions.list on {HERE}", f"logging.buckets.list on projects/{CENTRAL}"}
    fake.page = 1
    live = collect(fake, tmp_path)
    folder.write(tmp_path / "captures", live.captures)
    requests = len(fake.requests)
    replayed = collect(None, tmp_path, replay=folder.read(tmp_path / "captures"))
    assert replayed.facts == live.facts
    assert replayed.coverage == live.coverage
    assert replayed.captures == live.captures
    assert len(fake.requests) == requests


def test_what_was_not_captured_is_a_gap_that_names_it(fake: GcpFake, tmp_path: Path) -> None:
    live = collect(fake, tmp_path)
    kept = [one for one in live.captures if "/sinks" not in one.request["path"]]
    found = collect(None, tmp_path, replay=kept)
    assert "not among the captures" in dict(state(found).unread)[HERE].reason
    assert coverage(found).status is CoverageStatus.PARTIAL


def test_a_spent_quota_ends_as_throttled_and_a_fault_is_tried_again(fake: GcpFake, tmp_path: Path) -> None:
    fake.faults = faults.first(1, faults.broken(503), "/exclusions")
    assert coverage(collect(fake, tmp_path)).status is CoverageStatus.COMPLETE
    fake.faults = faults.always(faults.spent(3600), "/exclusions")
    found = collect(fake, tmp_path, patience=60.0)
    assert coverage(found).status is CoverageStatus.THROTTLED
    assert verdict(found)[0] is Outcome.UNKNOWN


def test_a_credential_that_is_refused_denies_the_scope(fake: GcpFake, tmp_path: Path) -> None:
    fake.tokens.accepted = False
    told = coverage(collect(fake, tmp_path))
    assert (told.status, told.grant) == (CoverageStatus.DENIED, "a credential of Google Cloud")


FIELDS = ("sinks", "exclusions", "buckets", "name", "filter", "destination", "auditConfigs", "parent", "nextPageToken")
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.sampled_from(["", "folders/1", HERE, "../x", AUDIT]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(FIELDS), inner, max_size=4),
    max_leaves=8,
)


@settings(max_examples=15)
@given(
    part=st.sampled_from(["/sinks", "/exclusions", "/buckets", "getIamPolicy", "/v3/", "/"]),
    body=st.dictionaries(st.sampled_from(FIELDS), JSON, max_size=5),
)
def test_no_answer_makes_it_raise(part: str, body: object) -> None:
    with tempfile.TemporaryDirectory() as at, GcpFake(made()) as fake:
        fake.faults = faults.always(faults.answer(body), part)
        found = collect(fake, Path(at))
    assert state(found).account == PROJECT
    assert verdict(found)[0] is not Outcome.PASS or coverage(found).source == SOURCE


def test_the_port_says_what_is_read() -> None:
    source = LogSettingsSource(
        Watch(projects=("a-project", "b-project", "a-project")), lambda request: client(None, Path())
    )
    assert (source.name, source.once, source.provides) == (SOURCE, (), (LogState,))
    assert source.scopes() == {SOURCE: ("gcp:a-project", "gcp:b-project")}
    assert source.due(Request(sweep="s", at=AT), Nothing()) is None
    assert source.recall([], []) == []
