"""GitHub swept over real HTTP, source and checks together: what is there is found, and what could not be read never passes."""

from __future__ import annotations

import json
import os
import random
import re
from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from monitor.facts.protection import BranchUpdate, ProtectionChange
from monitor.facts.repository import Repository as Seen
from monitor.facts.repository import RepositoryList
from tests.fakes.github.example import baseline
from tests.fakes.github.memory import Nothing
from tests.fakes.github.scale import organisation
from tests.fakes.github.server import TOKEN, Fault, GitHubFake
from tests.fakes.github.sweeping import NEXT, NIGHT, START, Swept, sweep
from tests.fakes.github.world import ClassicRule, Environment, Repository, World

BOT = "release-bot[bot]"
CLASSIC_TOKEN = "ghp_exampletokenclassic"
LATER = NEXT + timedelta(days=1)
DAY = NIGHT + timedelta(hours=7, minutes=14)
ADMIN = {"actor_id": 5, "actor_type": "RepositoryRole", "bypass_mode": "always"}


def guarded(world: World, name: str, rules: list[dict[str, Any]] | None = None, **more: Any) -> Repository:
    one = world.add(name, **more)
    one.rulesets.append(world.ruleset("default branch", rules or baseline()))
    return one


def place(world: World, one: Repository, **more: Any) -> Environment:
    one.environments.append(
        Environment(world.number(), "production", **{"reviewers": [("Team", "release-managers", 31)], **more})
    )
    return one.environments[-1]


def mixed() -> World:
    """Twelve repositories, good and bad, with what happened to them since START."""
    world = World()
    rng = START
    for name in ("alpha", "beta", "gamma"):
        place(world, guarded(world, name))
    custom = guarded(world, "delta")
    place(world, custom, policy="custom", patterns=[("main", "branch"), ("release/*", "branch")])
    wide = guarded(world, "epsilon")
    place(world, wide, policy="custom", patterns=[("feature/*", "branch")], admins_bypass=True)
    classic = world.add("zeta", branches=["main", "release/1"])
    classic.classic += [ClassicRule(world.number()), ClassicRule(world.number(), pattern="release/*")]
    world.add("eta")
    lax = world.add("theta")
    lax.classic.append(ClassicRule(world.number(), admins=False))
    weak = guarded(world, "iota")
    world.edit_ruleset(weak, weak.rulesets[0], rng + timedelta(hours=5), "team-lead", enforcement="evaluate")
    world.edit_ruleset(weak, weak.rulesets[0], rng + timedelta(hours=6), "team-lead", enforcement="active")
    world.move(weak, rng + timedelta(hours=5, minutes=30), "dev-one", "push")
    off = world.add("kappa")
    off.classic.append(ClassicRule(world.number()))
    rule = world.remove_classic(off, rng + timedelta(hours=8), BOT)
    world.move(off, rng + timedelta(hours=8, minutes=4), BOT, pull=77)
    world.restore_classic(off, rule, rng + timedelta(hours=8, minutes=10), BOT)
    passed = guarded(world, "lambda")
    passed.rulesets[0].bypass = [ADMIN]
    head = world.move(passed, rng + timedelta(hours=9), "admin-person", "push")
    world.bypassed(passed, rng + timedelta(hours=9), "admin-person", head, ("pull_request",))
    moved = guarded(world, "mu")
    world.move(moved, rng + timedelta(hours=3), "dev-two", pull=5)
    world.move(moved, rng + timedelta(hours=4), "dev-two", "push", pull=6)
    world.rulesets.append(world.ruleset("everywhere", [{"type": "deletion"}], repositories=["alpha", "eta", "zeta"]))
    return world


def named(world: World, name: str) -> Repository:
    return next(one for one in world.repositories if one.name == name)


def answering(*faults: tuple[str, int, Any]) -> Callable[[str, str, int], Fault | None]:
    """Return faults: whatever fits the pattern is answered with this status and message."""

    def hook(method: str, path: str, number: int) -> Fault | None:
        for pattern, status, message in faults:
            if re.search(pattern, path):
                return status, {}, json.dumps({"message": message}).encode()
        return None

    return hook


# 1. One repository fails in the middle.


@pytest.mark.parametrize("status", [500, 403, 404])
@pytest.mark.parametrize("what", ["rulesets", "environments"])
def test_one_repository_that_fails_costs_its_own_coverage_alone(status: int, what: str):
    truth = sweep(mixed())
    world = mixed()
    broken = named(world, "beta")
    with GitHubFake(world, faults=answering((f"/repos/example-org/beta/{what}", status, "no"))) as fake:
        found = sweep(fake)

    assert list(found.incomplete()) == ["github:example-org/beta"]
    assert found.incomplete()["github:example-org/beta"] == ("partial" if status == 500 else "denied")
    others = {key: outcome for key, outcome in truth.outcomes().items() if f":{broken.id}" not in key[1]}
    assert {key: outcome for key, outcome in found.outcomes().items() if f":{broken.id}" not in key[1]} == others
    mine = {**found.of("branch-protection", broken.id), **found.of("environment-protection", broken.id)}
    kinds = {result.check: result.outcome.value for result in mine.values()}
    hit = {"rulesets": "branch-protection", "environments": "environment-protection"}[what]
    assert kinds == {
        "branch-protection": "unknown" if hit == "branch-protection" else "pass",
        "environment-protection": "unknown" if hit == "environment-protection" else "pass",
    }


def test_an_organisation_whose_list_fails_is_unknown_as_a_whole():
    with GitHubFake(mixed(), faults=answering(("/graphql", 502, "bad gateway"))) as fake:
        found = sweep(fake)

    assert found.incomplete()["github:example-org"] == "partial"
    assert found.results["branch-protection", "github:organisation:example-org"].outcome == "unknown"
    assert "pass" not in {one.outcome.value for one in found.of("branch-protection").values()}


# 2. Whether the bypass actors may be seen.


def test_bypass_actors_that_may_not_be_seen_are_unknown_and_the_grant_is_named():
    world = World()
    one = guarded(world, "payroll")
    assert sweep(world).branch(one.id).outcome == "pass"

    world.permissions["administration"] = "read"
    hidden = sweep(world).branch(one.id)

    assert hidden.outcome == "unknown"
    assert "write access" in hidden.remedy


def test_without_administration_no_branch_is_told_to_be_without_protection():
    world = World()
    classic = world.add("classic")
    classic.classic.append(ClassicRule(world.number()))
    bare = world.add("bare")
    del world.permissions["administration"]
    found = sweep(world)

    for one in (classic, bare):
        assert found.branch(one.id).outcome == "unknown"
        assert "administration" in found.branch(one.id).remedy
    assert found.incomplete()["github:example-org/classic"]


# 3. and 4. Rules are combined, and nothing is no protection.


def test_a_bypassable_rule_neither_weakens_a_strict_one_nor_hides_behind_it():
    world = World()
    redundant = guarded(world, "redundant")
    redundant.rulesets.append(world.ruleset("lenient", baseline(), bypass=[ADMIN]))
    hiding = world.add("hiding")
    hiding.rulesets.append(world.ruleset("strict", [{"type": "deletion"}]))
    hiding.rulesets.append(world.ruleset("lenient", baseline(), bypass=[ADMIN]))
    found = sweep(world)

    assert found.branch(redundant.id).outcome == "pass"
    assert found.branch(hiding.id).outcome == "fail"


def test_no_rule_fails_every_demand_and_not_only_the_first():
    world = World()
    one = world.add("bare")
    result = sweep(world).branch(one.id)

    assert result.outcome == "fail"
    assert result.observed["demands"]
    assert {held["standing"] for held in result.observed["demands"].values()} == {"unmet"}


# 5. Off between two nights.


def nightly(world: World, act: Callable[[], None], at: Any = NEXT) -> tuple[Swept, Nothing]:
    memory = Nothing()
    sweep(world, memory, NIGHT)
    act()
    return sweep(world, memory, at), memory


def test_protection_off_for_ten_minutes_between_two_nights_is_found_though_a_bot_did_it():
    world = World()
    one = world.add("payroll")
    one.classic.append(ClassicRule(world.number()))

    def act() -> None:
        rule = world.remove_classic(one, DAY, BOT)
        world.move(one, DAY + timedelta(minutes=4), BOT, pull=77)
        world.restore_classic(one, rule, DAY + timedelta(minutes=10), BOT)

    found, memory = nightly(world, act)
    (lapse,) = found.lapses(one.id)

    assert lapse.outcome == "fail"
    assert lapse.observed["from"] == DAY.isoformat()
    assert lapse.observed["to"] == (DAY + timedelta(minutes=10)).isoformat()
    assert lapse.actor == BOT
    assert [row["at"] for row in lapse.observed["landed"]] == [(DAY + timedelta(minutes=4)).isoformat()]
    assert found.branch(one.id).outcome == "pass"
    (again,) = sweep(world, memory, LATER).lapses(one.id)
    assert (again.subject, again.outcome, again.observed["landed_count"]) == (lapse.subject, "fail", 1)


def test_an_edit_that_names_its_repository_without_its_id_is_not_told_of_every_repository():
    world = World()
    one, other = guarded(world, "payroll"), world.add("mail")

    def act() -> None:
        world.edit_ruleset(one, one.rulesets[0], DAY, "team-lead", enforcement="disabled")
        world.audit[-1]["repo_id"] = None

    found, _ = nightly(world, act)

    assert [lapse.outcome.value for lapse in found.lapses(one.id)] == ["fail"]
    assert found.lapses(other.id) == []


def test_without_an_audit_log_the_history_of_the_ruleset_tells_it():
    world = World(has_audit_log=False)
    one = guarded(world, "payroll")

    def act() -> None:
        world.edit_ruleset(one, one.rulesets[0], DAY, BOT, enforcement="disabled")
        world.move(one, DAY + timedelta(minutes=4), BOT, pull=77)
        world.edit_ruleset(one, one.rulesets[0], DAY + timedelta(minutes=10), BOT, enforcement="active")

    found, _ = nightly(world, act)
    (lapse,) = found.lapses(one.id)

    assert (lapse.outcome, lapse.actor) == ("fail", BOT)
    assert lapse.observed["from"] == DAY.isoformat()
    assert lapse.observed["to"] == (DAY + timedelta(minutes=10)).isoformat()
    assert lapse.observed["landed_count"] == 1


def test_without_an_audit_log_a_classic_rule_that_stays_off_is_told_between_two_samples():
    world = World(has_audit_log=False)
    one = world.add("payroll")
    one.classic.append(ClassicRule(world.number()))
    found, _ = nightly(world, one.classic.clear)
    (lapse,) = found.lapses(one.id)

    assert lapse.outcome in ("fail", "unknown")
    assert (lapse.observed["from_after"], lapse.observed["from"]) == (NIGHT.isoformat(), NEXT.isoformat())
    assert lapse.observed["to"] is None
    assert found.branch(one.id).outcome == "fail"


def test_without_an_audit_log_the_history_of_a_classic_rule_never_passes():
    world = World(has_audit_log=False)
    one = world.add("payroll")
    one.classic.append(ClassicRule(world.number()))
    found = sweep(world)
    histories = [r for s, r in found.of("protection-lapse", one.id).items() if ":history@" in s]

    assert [result.outcome.value for result in histories] == ["unknown"]
    assert "Enterprise Cloud" in histories[0].remedy


# 6. Drift.


@pytest.mark.parametrize("audit_log", [True, False])
@pytest.mark.parametrize(
    "edit",
    [
        {"rules": [rule for rule in baseline() if rule["type"] != "pull_request"]},
        {"enforcement": "evaluate"},
        {"include": ["refs/heads/stable"]},
        {"exclude": ["refs/heads/main"]},
        {"bypass": [ADMIN]},
        {"rules": baseline(0)},
    ],
    ids=["rule removed", "evaluate", "narrowed", "excluded", "bypass", "no approvals"],
)
def test_what_weakens_a_ruleset_is_a_lapse_and_a_failing_branch(edit: dict[str, Any], audit_log: bool):
    world = World(has_audit_log=audit_log)
    one = guarded(world, "payroll")
    found, _ = nightly(world, lambda: world.edit_ruleset(one, one.rulesets[0], DAY, "team-lead", **edit))
    (lapse,) = found.lapses(one.id)

    assert (lapse.outcome, lapse.actor, lapse.observed["to"]) == ("fail", "team-lead", None)
    assert lapse.observed["from"] == DAY.isoformat()
    assert found.branch(one.id).outcome == "fail"


def test_a_renamed_repository_keeps_its_subject_and_is_not_missed():
    world = World()
    one = guarded(world, "payroll")

    def act() -> None:
        world.log("repo.rename", DAY, "admin-person", one, old_name="payroll", name="payroll-2")
        one.name = "payroll-2"

    found, _ = nightly(world, act)

    # As payroll-* does not exist in expected state, what is expected is the same.
    assert found.branch(one.id).outcome == "pass"
    assert found.branch(one.id).scope == "github:example-org/payroll-2"
    assert not any("no longer listed" in result.reason for result in found.results.values())


def test_a_repository_renamed_out_of_the_ruleset_of_the_organisation_is_found():
    world = World()
    one = world.add("payroll")
    world.rulesets.append(world.ruleset("everywhere", baseline(), repositories=["payroll"]))

    def act() -> None:
        world.log("repo.rename", DAY, "admin-person", one, old_name="payroll", name="wages")
        one.name = "wages"

    found, _ = nightly(world, act)

    assert found.branch(one.id).outcome == "fail"
    assert [lapse.outcome.value for lapse in found.lapses(one.id)] != ["pass"]
    assert found.lapses(one.id)


@pytest.mark.parametrize("how", ["deleted", "transferred"])
def test_a_repository_that_is_no_longer_listed_is_unknown_and_not_forgotten(how: str):
    world = World()
    one, other = guarded(world, "payroll"), guarded(world, "mail")
    found, memory = nightly(world, lambda: world.repositories.remove(one))
    gone = found.results["branch-protection", f"github:repository:{one.id}"]

    assert gone.outcome == "unknown"
    assert "no longer listed" in gone.reason
    assert found.branch(other.id).outcome == "pass"
    assert sweep(world, memory, LATER).results["branch-protection", f"github:repository:{one.id}"].outcome == "unknown"


def test_a_list_that_is_cut_short_does_not_make_repositories_vanish():
    world = organisation(130)
    memory = Nothing()
    sweep(world, memory)
    asked: list[int] = []

    def second_page(method: str, path: str, number: int) -> Fault | None:
        asked.extend([number] if path == "/graphql" else [])
        return (502, {}, b"{}") if len(asked) > 1 and path == "/graphql" else None

    with GitHubFake(world, faults=second_page) as fake:
        found = sweep(fake, memory, NEXT)

    assert found.incomplete()["github:example-org"] == "partial"
    assert found.results["branch-protection", "github:organisation:example-org"].outcome == "unknown"
    assert not any("no longer listed" in result.reason for result in found.results.values())


# 7. Stricter.


def test_a_stricter_edit_is_no_lapse_and_no_finding():
    world = World()
    one = guarded(world, "payroll")
    stricter = [*baseline(2, require_code_owner_review=True), {"type": "required_signatures"}]
    found, _ = nightly(world, lambda: world.edit_ruleset(one, one.rulesets[0], DAY, "team-lead", rules=stricter))

    assert found.lapses(one.id) == []
    assert set(found.outcomes().values()) <= {"pass", "not-applicable"}


# 8. Pages.


def test_every_page_of_every_list_is_read():
    world = World()
    for n in range(249):
        world.add(f"service-{n:03}")
    branches = ["main", *(f"release/{n:03}" for n in range(229))]
    one = world.add("wide", branches=branches)
    one.classic.append(ClassicRule(world.number(), pattern="release/*"))
    one.rulesets += [world.ruleset(f"rules {n}", [{"type": "deletion"}]) for n in range(59)]
    one.rulesets.append(world.ruleset("the last one", baseline()))
    one.environments += [Environment(world.number(), f"stage-{n}") for n in range(129)]
    place(world, one)
    for n in range(150):
        world.move(one, START + timedelta(minutes=n + 1), f"dev-{n}", pull=n)
    for n in range(250):
        world.log("environment.update_actions_secret", START + timedelta(minutes=n + 1), "dev-one", one,
                  environment_name="production", key=f"KEY_{n}")  # fmt: skip
    place_of = len(world.repositories)
    with GitHubFake(world) as fake:
        found = sweep(fake)

    assert found.incomplete() == {}
    seen = {fact.id: fact for fact in found.found.facts if isinstance(fact, Seen)}
    assert len(seen) == place_of == 250
    assert set(seen[one.id].branches) == set(branches)
    rules = {rule.key: rule for rule in seen[one.id].rules}
    assert {f"ruleset:{rule.id}" for rule in one.rulesets} < set(rules)
    assert {place.name for place in seen[one.id].environments} == {place.name for place in one.environments}
    assert sum(isinstance(fact, BranchUpdate) for fact in found.found.facts) == 150
    kinds = Counter(type(fact).__name__ for fact in found.found.facts)
    assert kinds["EnvironmentChange"] == 250
    assert found.branch(one.id).outcome == "pass"
    assert {found.branch(one.id, name).outcome.value for name in branches[1:]} == {"pass"}
    assert (
        found.results["environment-protection", f"github:repository:{one.id}:environment:production"].outcome == "pass"
    )


# 12. Faults at random, and limits.

FAULTS: tuple[Fault, ...] = (
    (500, {}, b'{"message": "Server Error"}'),
    (502, {}, b"<html>bad gateway</html>"),
    (429, {"Retry-After": "7"}, b'{"message": "too many requests"}'),
    (403, {}, b'{"message": "You have exceeded a secondary rate limit. Please wait."}'),
    (403, {}, b'{"message": "Resource not accessible by integration"}'),
    (404, {}, b'{"message": "Not Found"}'),
    (200, {"Cut": "off"}, b'{"data": {"organization": {"repositories": {"nodes": []}}}, "pad": "xxxxxxxxxxxxxxxxx"}'),
    (200, {}, b"[{]garbage"),
)
STRANGE = (
    (200, {}, b"null"), (200, {}, b"{}"), (200, {}, b'"x"'), (200, {}, b"7"), (200, {}, b'{"data": null}'), (200, {}, b"[null]"),
    (200, {}, b"[[]]"), (200, {}, b'{"data": {"organization": null}}'),
)  # fmt: skip


RANDOM = int(os.environ.get("FAULT_SEEDS", "50"))


def agreed(found: Swept, truth: Swept, told: str) -> None:
    """Each result is as without faults, or unknown; what is missing is told by the coverage."""
    was, now = truth.outcomes(), found.outcomes()
    for key, outcome in now.items():
        if outcome in ("pass", "fail", "not-applicable") and ":history@" not in key[1]:
            assert was.get(key) == outcome, (
                f"{told}: {key} is {outcome}, was {was.get(key)}: {found.results[key].reason}"
            )
        elif ":history@" in key[1]:
            assert outcome in ("unknown", was.get(key, "unknown")), f"{told}: {key} is {outcome}"
        assert outcome != "error", f"{told}: {found.results[key].reason}"
    scopes = found.incomplete()
    for key in was.keys() - now.keys():
        scope = truth.results[key].scope
        assert scope in scopes or "github:example-org" in scopes, f"{told}: {key} is missing, and nothing says so"


@pytest.fixture(scope="module")
def truth() -> Swept:
    found = sweep(mixed())
    assert found.incomplete() == {}
    kinds = Counter((check, outcome) for (check, _), outcome in found.outcomes().items())
    assert {("branch-protection", "fail"), ("branch-protection", "pass"), ("protection-lapse", "fail"), ("direct-push", "fail"),
            ("environment-protection", "fail"), ("environment-protection", "pass")} <= set(kinds)  # fmt: skip
    return found


def test_faults_at_random_never_turn_a_result_over(truth: Swept):
    kept, requests, same = Counter[str](), 0, 0
    for seed in range(RANDOM):
        chance = random.Random(seed)
        kinds = FAULTS if seed % 2 else (*FAULTS, *STRANGE)

        def hook(method: str, path: str, number: int, chance: Any = chance, kinds: Any = kinds) -> Fault | None:
            if method == "POST" and path.endswith("/access_tokens") or path.endswith("/installation"):
                return None
            return chance.choice(kinds) if chance.random() < 0.2 else None

        with GitHubFake(mixed(), faults=hook) as fake:
            found = sweep(fake, workers=1)
            requests += len(fake.requests)
        agreed(found, truth, f"seed {seed}")
        kept.update(found.outcomes().values())
        same += found.outcomes() == truth.outcomes()
    print(f"{RANDOM} seeds: {requests} requests, {dict(kept)}, {same} sweeps as without faults")
    assert kept["unknown"]
    assert kept["pass"]
    assert kept["fail"]


def test_faults_that_pass_are_asked_again_and_nothing_is_lost(truth: Swept):
    """Every third answer is a fault that goes away when it is asked again."""
    kinds = FAULTS[:4]
    with GitHubFake(mixed(), faults=lambda m, p, n: kinds[n // 3 % 4] if n % 3 == 0 else None) as fake:
        found = sweep(fake, workers=1)

    assert found.incomplete() == {}
    assert found.outcomes() == truth.outcomes()


def settings(requests: list[tuple[str, str]]) -> Counter[str]:
    return Counter(path for _, path in requests if not path.startswith("/app/") and "/installation" not in path)


@pytest.mark.parametrize("part", [0.15, 0.4, 0.7, 0.9])
def test_a_sweep_that_the_limit_cut_off_is_resumed_where_it_was(part: float, truth: Swept, tmp_path: Path):
    with GitHubFake(mixed()) as fake:
        sweep(fake)
        whole = settings(fake.requests)
    with GitHubFake(mixed()) as fake:
        fake.budget = int(whole.total() * part)
        cut = sweep(fake, spool=tmp_path, patience=0, workers=1)  # the fake counts and refuses in two steps
        agreed(cut, truth, "cut off")
        first = settings(fake.requests[: int(whole.total() * part)])
        assert "throttled" in cut.incomplete().values()
        # At the very end only activity is missing: of that the coverage alone can tell.
        assert part > 0.8 or "unknown" in cut.outcomes().values()
        fake.budget, before = 15000, len(fake.requests)
        again = sweep(fake, spool=tmp_path, patience=0)
        second = settings(fake.requests[before:])

    assert again.outcomes() == truth.outcomes()
    assert again.incomplete() == {}
    assert first + second == whole
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


class Killed(BaseException):
    """The process is gone."""


def test_a_sweep_that_was_killed_is_resumed_where_it_was(truth: Swept, tmp_path: Path):
    with GitHubFake(mixed()) as fake:
        sweep(fake)
        whole = settings(fake.requests)
    for number in (1, 6, 14, 22, 30):
        steps: list[int] = []

        def progress(*step: Any, steps: list[int] = steps, number: int = number) -> None:
            steps.append(1)
            if len(steps) == number:
                raise Killed

        folder = tmp_path / str(number)
        with GitHubFake(mixed()) as fake:
            with pytest.raises(Killed):
                sweep(fake, spool=folder, progress=progress)
            done = settings(fake.requests)
            again = sweep(fake, spool=folder)

        assert again.outcomes() == truth.outcomes()
        assert settings(fake.requests) == whole, f"killed after step {number}, {done.total()} requests"


def test_a_sweep_that_lost_its_server_is_resumed_where_it_was(truth: Swept, tmp_path: Path):
    down: list[int] = []
    with GitHubFake(mixed(), faults=lambda m, p, n: (503, {}, b"") if n > 12 and not down else None) as fake:
        lost = sweep(fake, spool=tmp_path)
        agreed(lost, truth, "down")
        assert lost.incomplete()
        down.append(1)
        before = len(fake.requests)
        again = sweep(fake, spool=tmp_path)

    assert again.outcomes() == truth.outcomes()
    assert not settings(fake.requests[:12]) & settings(fake.requests[before:]) - Counter({"/graphql": 99})


# What it costs.


def test_two_hundred_repositories_cost_little_more_than_one_request_each():
    with GitHubFake(organisation(200)) as fake:
        found = sweep(fake)
        cost = settings(fake.requests).total()
    print(f"{cost} requests for 200 repositories")

    assert found.incomplete() == {}
    assert {result.outcome.value for result in found.of("branch-protection").values()} == {"pass"}
    assert cost <= 1.3 * 200


# What of the organisation is seen.


def test_an_app_on_selected_repositories_leaves_the_organisation_unknown():
    world = World(selected=True)
    one = guarded(world, "payroll")
    found = sweep(world)

    assert found.results["branch-protection", "github:organisation:example-org"].outcome == "unknown"
    assert "all repositories" in found.results["branch-protection", "github:organisation:example-org"].remedy
    assert found.incomplete()["github:example-org"] == "partial"
    assert found.branch(one.id).outcome == "pass"


def test_archived_and_empty_repositories_are_set_aside_and_forks_are_not():
    world = World()
    archived = world.add("old", archived=True)
    empty = world.add("new", empty=True, branches=[])
    fork = world.add("fork", fork=True)
    found = sweep(world)

    for one in (archived, empty):
        assert [r.outcome.value for r in found.of("branch-protection", one.id).values()] == ["not-applicable"]
    assert found.branch(fork.id).outcome == "fail"
    assert found.incomplete() == {}


def test_a_default_branch_renamed_within_the_window_is_judged_by_its_new_name():
    world = World()
    ruled, classic = guarded(world, "ruled"), world.add("classic")
    classic.classic.append(ClassicRule(world.number()))

    def act() -> None:
        for one in (ruled, classic):
            world.log(
                "repo.update_default_branch",
                DAY,
                "admin-person",
                one,
                old_default_branch="main",
                default_branch="trunk",
            )
            one.default_branch, one.branches = "trunk", ["trunk"]

    found, _ = nightly(world, act)

    assert found.branch(ruled.id, "trunk").outcome == "pass"
    assert found.branch(classic.id, "trunk").outcome == "fail"
    assert not found.of("branch-protection", ruled.id).keys() & {f"github:repository:{ruled.id}:branch:main"}


# Hostile.

NASTY = (
    "\x1b[31mred\x00\x07",
    "<script>alert(1)</script>",
    '=HYPERLINK("http://x")',
    "x" * 10000,
    "a b\u202e%2e%2e/../..",
    "é#?&%25",
)


@pytest.mark.parametrize("nasty", NASTY, ids=["control", "html", "formula", "long", "path", "query"])
@pytest.mark.parametrize("token", ["", CLASSIC_TOKEN], ids=["app", "token"])
def test_names_from_outside_break_nothing_and_pass_nothing(nasty: str, token: str):
    world = World()
    good = guarded(world, "good")
    place(world, good)
    bad = world.add(nasty, branches=["main", f"release/{nasty}"])
    bad.environments.append(Environment(world.number(), nasty))
    odd = world.add("odd", branches=["main", nasty, f"release/{nasty}"], default_branch=nasty)
    odd.rulesets.append(world.ruleset(nasty, [{"type": nasty}, {"type": "deletion"}], include=[nasty]))
    odd.classic.append(
        ClassicRule(world.number(), pattern=nasty, checks=[(nasty, None)], skip_reviews=[("User", nasty, 4)])
    )
    odd.environments.append(Environment(world.number(), nasty, reviewers=[("User", nasty, 3)], policy="custom",
                                        patterns=[(nasty, "branch")]))  # fmt: skip
    place(world, odd, reviewers=[("User", nasty, 3)], policy="custom", patterns=[(nasty, "branch")])
    world.move(odd, START + timedelta(hours=1), nasty, "push", branch=nasty)
    world.edit_ruleset(odd, odd.rulesets[0], START + timedelta(hours=2), nasty, enforcement="evaluate")
    found = sweep(world, token=token)

    assert found.branch(good.id).outcome == "pass"
    assert "error" not in found.outcomes().values()
    for one in (bad, odd):
        outcomes = {r.outcome.value for r in found.of("branch-protection", one.id).values()}
        assert "pass" not in outcomes
    assert (
        found.results["environment-protection", f"github:repository:{good.id}:environment:production"].outcome == "pass"
    )


WRONG: tuple[Any, ...] = (None, "", "x", [], {}, -1, 10**30, 0.5, True, [None], {"x": None}, "\x00" * 50)


MANGLED = int(os.environ.get("MANGLED_SEEDS", "60"))


def mangled(chance: random.Random, answer: Any) -> Any:
    """Return the answer with one value in it of another type, or gone."""
    places: list[tuple[Any, Any]] = []

    def walk(value: Any) -> None:
        items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
        for key, inner in items:
            places.append((value, key))
            walk(inner)

    walk(answer)
    if not places:
        return answer
    holder, key = chance.choice(places)
    if isinstance(holder, dict) and chance.random() < 0.2:
        del holder[key]
    else:
        holder[key] = chance.choice([wrong for wrong in WRONG if type(wrong) is not type(holder[key])])
    return answer


def test_answers_of_wrong_types_raise_nothing_and_no_fail_becomes_a_pass(truth: Swept):
    was, turned = truth.outcomes(), Counter[tuple[str, str]]()
    for seed in range(MANGLED):
        chance = random.Random(seed)
        rate = 0.15 if seed % 2 else 0.6

        def rewrite(path: str, body: bytes, chance: Any = chance, rate: Any = rate) -> bytes:
            if "/installation" in path or path.startswith("/app/") or chance.random() > rate:
                return body
            return json.dumps(mangled(chance, json.loads(body))).encode()

        with GitHubFake(mixed()) as fake:
            fake.rewrite = rewrite
            found = sweep(fake, workers=1)
        for key, outcome in found.outcomes().items():
            assert outcome != "error", f"seed {seed}: {found.results[key].reason}"
            assert (was.get(key), outcome) != ("fail", "pass"), f"seed {seed}: {key}: {found.results[key].reason}"
        scopes = found.incomplete()
        for key in {key for key, outcome in was.items() if outcome == "fail"} - found.outcomes().keys():
            # Who did it, or when, may be mangled: then the same is told of somebody else, or of another time.
            one = int(key[1].split(":")[2])
            others = {r.outcome.value for r in found.of(key[0], one).values()} & {"fail", "unknown"}
            told = others or scopes.keys() & {"github:example-org", truth.results[key].scope}
            assert told, f"seed {seed}: {key} is missing, and nothing says so"
        turned += Counter((was.get(key, "none"), outcome) for key, outcome in found.outcomes().items())
    print(f"{MANGLED} seeds, before and after: {dict(turned)}")
    assert turned["fail", "unknown"]
    assert turned["fail", "fail"]


# Secrets.


@pytest.mark.parametrize("token", ["", CLASSIC_TOKEN], ids=["app", "token"])
def test_no_capture_holds_a_token(token: str):
    found = sweep(mixed(), token=token)

    assert found.found.captures
    for secret in (TOKEN, CLASSIC_TOKEN):
        for capture in found.found.captures:
            assert secret.encode() not in capture.body
            assert secret not in json.dumps(capture.request)
            assert secret not in capture.name
        assert secret not in repr(found.found.facts)
        assert secret not in repr(found.found.remember)
    assert {type(fact) for fact in found.found.facts} >= {RepositoryList, ProtectionChange}
