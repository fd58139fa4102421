"""Expected state from what is there: it loads, and the repositories that it was made from fall short only where it says so."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest

from checks.branch_protection import CHECK, RepositoryExpectations
from monitor.expected.document import parse
from monitor.expected.models import Sections
from monitor.facts.protection import BypassActor, Demands, ProtectionRule, StatusCheck, Targets
from monitor.facts.repository import Environment, Repository
from monitor.model import Outcome, Sweep, Unknown, Window
from monitor.sweep.adopt import Adopted, adopt, written

NOW = datetime(2026, 3, 14, tzinfo=UTC)
SWEEP = Sweep(id="s1", planned_for=NOW, at=NOW, window=Window(NOW - timedelta(days=1), NOW))
LOST = Unknown("not shown", "write access to the ruleset")
BUILD, SCAN = StatusCheck("build"), StatusCheck('security/scan: "all" #1', 57789)
GOOD = Demands(pull_request=True, approvals=2, block_force_push=True, status_checks=(BUILD, SCAN))
BOT = BypassActor(kind="app", name="merge-bot", id=3, mode="pull-request")
ADMIN = BypassActor(kind="role", name="admin", id=5)
KEY = BypassActor(kind="deploy-key", name="77", id=77)
ODD = BypassActor(kind="role", name="Security Engineer", id=9)


def rule(**change: Any) -> ProtectionRule:
    given = {"targets": Targets(include=("~DEFAULT_BRANCH",)), "demands": GOOD, **change}
    return ProtectionRule(key="ruleset:1", kind="repository-ruleset", name="main", **given)


def repository(number: int, *rules: ProtectionRule, **change: Any) -> Repository:
    given: dict[str, Any] = {
        "name": f"example-org/r{number}",
        "default_branch": "main",
        "branches": ("main",),
        **change,
    }
    return Repository(organisation="example-org", id=number, at=NOW, **{"rules": rules or (rule(),), **given})


def many(count: int, *rules: ProtectionRule) -> list[Repository]:
    return [repository(n, *rules) for n in range(100, 100 + count)]


def loaded(found: Adopted) -> RepositoryExpectations:
    document = parse(written(found).encode(), "repositories.yaml")
    assert document.mistakes == ()
    assert document.sound
    return RepositoryExpectations(repositories=Sections.model_validate(document.data).repositories)


def taken(*repositories: Repository) -> tuple[Adopted, dict[str, str]]:
    """Return what was adopted, and the outcome of each repository that is judged by it."""
    found = adopt("example-org", repositories)
    assert adopt("example-org", repositories[::-1]) == found
    judged = {
        one.scope.removeprefix("github:"): one.outcome for one in CHECK.evaluate(repositories, loaded(found), SWEEP)
    }
    failing = {name for name, outcome in judged.items() if outcome is Outcome.FAIL}
    assert failing <= {*found.outliers, *found.unprotected}
    return found, {name: outcome.value for name, outcome in judged.items()}


def test_what_all_do_becomes_the_rule_and_all_pass() -> None:
    found, judged = taken(*many(3, rule(bypass=(BOT,))))
    assert found.demands == {"pull_request": True, "approvals": 2, "block_force_push": True}
    assert (found.checks, found.outliers, found.unprotected) == ((BUILD, SCAN), {}, ())
    assert {*judged.values()} == {"pass"}
    (entry,) = loaded(found).repositories
    assert entry.match == ("example-org/*",)
    branch = entry.branches[0]
    assert [(c.name, c.app) for c in branch.status_checks or ()] == [("build", None), (SCAN.name, 57789)]
    assert [(b.actor, b.mode) for b in branch.bypass or ()] == [("app:merge-bot", "pull-request")]
    assert branch.admins_included


def test_the_strictest_value_that_nine_in_ten_meet_is_taken_and_the_rest_are_listed() -> None:
    weak = repository(1, rule(demands=msgspec.structs.replace(GOOD, approvals=1)))
    strict = repository(2, rule(demands=msgspec.structs.replace(GOOD, approvals=3)))
    found, judged = taken(weak, strict, *many(8))
    assert (found.demands["approvals"], found.outliers) == (2, {"example-org/r1": ("approvals",)})
    assert judged["example-org/r1"] == "fail"
    assert "        #   example-org/r1: approvals" in written(found).splitlines()
    found, judged = taken(weak, *many(4))
    assert (found.demands["approvals"], found.outliers) == (1, {})
    assert {*judged.values()} == {"pass"}


@pytest.mark.parametrize("bad", [rule(enforced=False), rule(targets=Targets(include=("dev",)))])
def test_the_unprotected_are_listed_apart_and_weigh_nothing(bad: ProtectionRule) -> None:
    found, judged = taken(repository(1, bad), repository(2, bad), *many(2))
    assert found.unprotected == ("example-org/r1", "example-org/r2")
    assert (found.seen, found.protected, found.demands["approvals"]) == (4, 2, 2)
    assert judged["example-org/r1"] == "fail"
    assert "    #   example-org/r1" in written(found).splitlines()


def test_the_archived_and_the_empty_say_nothing_and_the_unread_are_listed() -> None:
    found, _ = taken(
        repository(1, archived=True), repository(2, default_branch=""), repository(3, rules=LOST), *many(1)
    )
    assert (found.seen, found.unread) == (2, ("example-org/r3",))


@pytest.mark.parametrize(
    "actor",
    [ADMIN, BOT, KEY, ODD, BypassActor(kind="unknown", id=4), BypassActor(kind="team", name="x", mode="exempt")],
)
def test_who_passes_by_in_a_few_repositories_is_an_outlier(actor: BypassActor) -> None:
    found, judged = taken(repository(1, rule(bypass=(actor,))), *many(20))
    assert (found.bypass, found.outliers, judged["example-org/r1"]) == ((), {"example-org/r1": ("bypass",)}, "fail")


@pytest.mark.parametrize(
    ("actor", "told"),
    [
        (ADMIN, "role:admin"),
        pytest.param(KEY, "deploy-key"),
        pytest.param(BypassActor(kind="organisation-admin", name="1", id=1), "organisation-admin"),
    ],
)
def test_who_passes_by_everywhere_is_written_as_expected_state_calls_them(actor: BypassActor, told: str) -> None:
    found, judged = taken(*many(3, rule(bypass=(actor,))))
    assert [b.actor for b in loaded(found).repositories[0].branches[0].bypass or ()] == [told]
    assert {*judged.values()} == {"pass"}


@pytest.mark.parametrize(
    "actor", [ODD, BypassActor(kind="unknown", id=4), BypassActor(kind="team", name="x", mode="exempt")]
)
def test_who_has_no_name_in_expected_state_leaves_all_as_outliers(actor: BypassActor) -> None:
    found, judged = taken(*many(2, rule(bypass=(actor,))))
    assert (found.bypass, {*found.outliers.values()}, {*judged.values()}) == ((), {("bypass",)}, {"fail"})


def test_a_hidden_list_of_bypass_actors_hides_no_demand() -> None:
    found, judged = taken(*many(3, rule(bypass=LOST)))
    assert (found.demands["approvals"], found.outliers) == (2, {})
    assert {*judged.values()} == {"unknown"}


def test_a_demand_that_could_not_be_read_is_not_adopted() -> None:
    found, _ = taken(*many(3, rule(demands=msgspec.structs.replace(GOOD, approvals=LOST, status_checks=LOST))))
    assert ("approvals" in found.demands, found.checks) == (False, ())


def test_only_checks_that_all_require_are_taken() -> None:
    found, judged = taken(repository(1, rule(demands=msgspec.structs.replace(GOOD, status_checks=(BUILD,)))), *many(9))
    assert (found.checks, {*judged.values()}) == ((BUILD,), {"pass"})


@pytest.mark.parametrize(
    "repositories",
    [[], [repository(1, rules=())], [repository(1, rules=LOST)], [repository(1, rule(demands=Demands()))]],
)
def test_without_anything_to_adopt_it_still_loads(repositories: list[Repository]) -> None:
    found, judged = taken(*repositories)
    assert found.demands == {}
    assert "pass" not in judged.values()


@pytest.mark.parametrize(
    "name", ['x\n  - match: ["*/*"]', "x\r- y", "\x1b[31m", "x\u2028y", "x\x85y", "# x: {", "é" * 3000, "", "\ud800"]
)
def test_hostile_names_stay_in_comments_on_one_line(name: str) -> None:
    place = Environment(id=1, name=name)
    weak = Demands(pull_request=True, status_checks=(StatusCheck(name), BUILD))
    actor = BypassActor(kind="team", name=name)
    found = adopt(
        "example-org",
        [
            repository(1, rule(demands=weak, bypass=(actor,)), name=f"example-org/{name}", environments=(place,)),
            repository(2, rules=(), name=f"example-org/b{name}"),
            repository(3, rules=LOST, name=f"example-org/c{name}"),
            *many(20),
        ],
    )
    text = written(found)
    assert all(c == "\n" or c.isprintable() for c in text)
    assert len([line for line in text.splitlines() if not line.lstrip().startswith("#") and line]) == len(
        text_of_many()
    )
    (entry,) = loaded(found).repositories
    assert entry.match == ("example-org/*",)


def text_of_many() -> list[str]:
    """The lines that are no comments where there is nothing hostile: the hostile ones of one repository in 21 add none."""
    demands = msgspec.structs.replace(GOOD, status_checks=(BUILD,))
    lines = written(adopt("example-org", many(3, rule(demands=demands)))).splitlines()
    return [line for line in lines if line and not line.lstrip().startswith("#")]


@pytest.mark.parametrize(
    "name",
    [
        *(pytest.param(name) for name in ("x\ny", "\x1b[31m", "é" * 3000, " ", "\ud800")),
        *('a: "b" #c', "- {x}", "null", "\\n", "🚀"),
    ],
)
def test_a_check_of_any_name_that_all_require_leaves_a_state_that_loads_and_holds(name: str) -> None:
    found, judged = taken(
        *many(2, rule(demands=msgspec.structs.replace(GOOD, status_checks=(StatusCheck(name), BUILD))))
    )
    assert {*judged.values()} == {"pass"}
    assert BUILD in found.checks


def test_environments_are_counted_in_comments() -> None:
    place = Environment(id=1, name="production")
    found, _ = taken(
        repository(1, environments=(place,)), repository(2, environments=(place,)), repository(3, environments=LOST)
    )
    assert "    #   production: in 2 repositories" in written(found).splitlines()
