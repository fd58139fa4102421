"""GitHub's side of deploy identities over real HTTP: asked only where it matters, told by name, and never taken for none."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from checks.deploy_credentials import CHECK, CredentialExpectations
from monitor.expected.models import RepositoryExpectation
from monitor.facts.stored_secret import KeptCredentials
from monitor.facts.trust import SubjectTemplate
from monitor.model import Capture, CoverageStatus, Outcome, Result, ScopeCoverage, Sweep, Unknown, Window
from monitor.sources.github.client import GitHubConnection, connect
from monitor.sources.github.shortfall import IDENTITIES
from monitor.sources.github.source import GitHubSource, Watch
from monitor.sources.ports import Collected, Request
from tests.fakes.github.faults import Hook, broken, denied, first, missing
from tests.fakes.github.memory import Nothing
from tests.fakes.github.rest_secrets import Key, Secret, vault
from tests.fakes.github.server import GitHubFake
from tests.fakes.github.sweeping import app_key
from tests.fakes.github.world import Environment, World
from tests.unit.github_client.forge import Time

ORG = "example-org"
NIGHT = datetime(2026, 3, 10, 2, 0, tzinfo=UTC)
OLD = NIGHT - timedelta(days=400)
NEW = NIGHT - timedelta(days=20)
TRUSTED = ("example-org/shop",)
ENTRIES = (
    RepositoryExpectation.model_validate(
        {"match": ["example-org/payroll"], "environments": [{"match": ["production"], "min_reviewers": 1}]}
    ),
)


def organisation() -> World:
    """Four repositories: one that the pipeline is trusted from, one with an expected environment, and two that do not matter."""
    world = World(now=NIGHT)
    for name in ("shop", "payroll", "wiki", "attic"):
        one = world.add(name, archived=name == "attic")
        one.environments.append(Environment(world.number(), "production"))
    return world


def swept(
    world: World | GitHubFake,
    trusted: Sequence[str] = TRUSTED,
    *,
    replay: Sequence[Capture] | None = None,
    faults: Hook | None = None,
) -> Collected:
    if isinstance(world, World):
        with GitHubFake(world, faults=faults) as fake:
            return swept(fake, trusted, replay=replay)
    time = Time(now=NIGHT)
    watch = Watch(
        organisations=(ORG,),
        entries=ENTRIES,
        start=NIGHT - timedelta(days=1),
        settle=timedelta(),
        trusted=tuple(trusted),
    )
    source = GitHubSource(
        watch,
        lambda name, request: connect(
            GitHubConnection(api=world.url, app_id=7, app_key=app_key()),
            name,
            clock=time.clock,
            sleep=time.sleep,
            told=time.told.append,
            replay=replay,
            spool=None,
        ),
    )
    return source.collect(Request(sweep="s", at=NIGHT), Nothing(), lambda *step: None)


def kept(found: Collected, name: str = "") -> list[KeptCredentials]:
    return [one for one in found.facts if isinstance(one, KeptCredentials) and one.repository == name]


def template(found: Collected, name: str = "") -> SubjectTemplate:
    (one,) = [one for one in found.facts if isinstance(one, SubjectTemplate) and one.repository == name]
    return one


def coverage(found: Collected) -> ScopeCoverage:
    (one,) = [one for one in found.coverage if one.source == IDENTITIES]
    return one


def judged(found: Collected) -> dict[str, Result]:
    told = Sweep(id="s", planned_for=NIGHT, at=NIGHT, window=Window(NIGHT - timedelta(days=1), NIGHT))
    facts = [fact for fact in found.facts if isinstance(fact, CHECK.facts)]
    return {one.scope: one for one in CHECK.evaluate(facts, CredentialExpectations(), told)}


def names(found: KeptCredentials) -> set[tuple[str, str, str]]:
    assert isinstance(found.secrets, tuple)
    return {(one.name, one.level, one.environment) for one in found.secrets}


def asked(fake: GitHubFake) -> list[str]:
    return [path for _, path in fake.requests if re.search(r"secrets|/keys|oidc", path)]


def test_nothing_is_asked_where_no_repository_is_trusted():
    with GitHubFake(organisation()) as fake:
        found = swept(fake, ())
        assert asked(fake) == []
    assert not [one for one in found.coverage if one.source == IDENTITIES]
    assert not kept(found)


def test_only_repositories_that_matter_are_asked():
    with GitHubFake(organisation()) as fake:
        found = swept(fake)
        paths = asked(fake)
    assert {path.split("/")[3] for path in paths if path.startswith("/repos/")} == {"shop", "payroll"}
    assert len(paths) == 2 + 2 * 5
    assert len(set(paths)) == len(paths)
    assert {one.repository for one in found.facts if isinstance(one, KeptCredentials)} == {
        "", "example-org/shop", "example-org/payroll",
    }  # fmt: skip
    assert coverage(found).status is CoverageStatus.COMPLETE
    assert coverage(found).scope == "github:example-org"


def test_a_thousand_other_repositories_cost_no_request_more():
    def requests(others: int) -> int:
        world = organisation()
        for number in range(others):
            world.add(f"other-{number}")
        with GitHubFake(world) as fake:
            swept(fake)
            return len(asked(fake))

    assert requests(0) == requests(150)


def test_trusted_repositories_are_named_by_patterns_without_case():
    world = organisation()
    assert kept(swept(world, ("Example-Org/WIKI",)), "example-org/wiki")
    assert kept(swept(world, ("example-org/w*",)), "example-org/wiki")
    assert not kept(swept(world, ("example-org/*",)), "example-org/attic")


def test_secrets_of_all_levels_come_with_names_and_dates():
    world = organisation()
    shop = world.repositories[0]
    vault(world).secrets += [Secret("AWS_ACCESS_KEY_ID", OLD, OLD), Secret("OTHERS", repositories=["wiki"])]
    vault(shop).secrets.append(Secret("GCP_SA_KEY", OLD, NEW))
    vault(shop.environments[0]).secrets.append(Secret("AZURE_CREDENTIALS", NEW, NEW))
    vault(shop).keys += [Key(5, "deployer", read_only=False, last_used=NEW), Key(6, "mirror")]
    found = swept(world)

    (shops,) = kept(found, "example-org/shop")
    assert names(shops) == {
        ("AWS_ACCESS_KEY_ID", "organisation", ""),
        ("GCP_SA_KEY", "repository", ""),
        ("AZURE_CREDENTIALS", "environment", "production"),
    }
    dated = (
        {one.name: (one.created_at, one.updated_at) for one in shops.secrets}
        if isinstance(shops.secrets, tuple)
        else {}
    )
    assert dated["GCP_SA_KEY"] == (OLD, NEW)
    assert isinstance(shops.deploy_keys, tuple)
    assert [(key.id, key.title, key.read_only, key.used_at) for key in shops.deploy_keys] == [
        (5, "deployer", False, NEW), (6, "mirror", True, None),
    ]  # fmt: skip
    assert len(shops.evidence) == 4
    (whole,) = kept(found)
    assert names(whole) == {("AWS_ACCESS_KEY_ID", "organisation", ""), ("OTHERS", "organisation", "")}

    results = judged(found)
    assert results["github:example-org/shop"].outcome is Outcome.FAIL
    assert results["github:example-org"].severity.value == "critical"
    assert results["github:example-org/payroll"].outcome is Outcome.FAIL


def test_long_lists_are_read_to_the_end():
    world = organisation()
    shop = world.repositories[0]
    vault(shop).secrets += [Secret(f"S{n}") for n in range(230)]
    vault(shop).keys += [Key(n, f"k{n}") for n in range(1, 131)]
    (shops,) = kept(swept(world), "example-org/shop")
    assert len(shops.secrets) == 230 if isinstance(shops.secrets, tuple) else False
    assert len(shops.deploy_keys) == 130 if isinstance(shops.deploy_keys, tuple) else False


def test_names_of_environments_are_asked_as_they_are():
    world = organisation()
    place = Environment(world.number(), "prod/eu & co?")
    world.repositories[0].environments.append(place)
    vault(place).secrets.append(Secret("KUBECONFIG"))
    (shops,) = kept(swept(world), "example-org/shop")
    assert ("KUBECONFIG", "environment", "prod/eu & co?") in names(shops)


def test_templates_of_subjects_are_read_from_organisation_and_repository():
    world = organisation()
    shop, payroll = world.repositories[:2]
    assert template(swept(world)).keys == ("repo", "context")
    assert template(swept(world), "example-org/shop").keys == ("repo", "context")
    assert template(swept(world), "example-org/shop").immutable is False

    vault(world).template.keys = ["repository_owner", "environment"]
    vault(shop).template.default, vault(shop).template.immutable = False, True
    vault(payroll).template.default, vault(payroll).template.keys = False, ["job_workflow_ref"]
    found = swept(world)
    assert template(found).keys == ("repository_owner", "environment")
    assert template(found, "example-org/shop").keys == ("repository_owner", "environment")
    assert template(found, "example-org/shop").immutable is True
    assert template(found, "example-org/payroll").keys == ("job_workflow_ref",)
    assert template(found, "example-org/shop").repository_id == shop.id


@pytest.mark.parametrize(
    ("permission", "scope"),
    [
        ("secrets", "github:example-org/shop"),
        ("environments", "github:example-org/shop"),
        ("administration", "github:example-org/shop"),
        ("organization_secrets", "github:example-org"),
    ],
)
def test_what_may_not_be_read_is_unknown_and_the_grant_is_named(permission: str, scope: str):
    world = organisation()
    del world.permissions[permission]
    found = swept(world)
    assert coverage(found).status is CoverageStatus.DENIED
    assert f"{permission}:read" in coverage(found).grant
    assert judged(found)[scope].outcome is Outcome.UNKNOWN
    assert f"{permission}:read" in judged(found)[scope].remedy


@pytest.mark.parametrize("permission", ["actions", "organization_administration"])
def test_templates_that_may_not_be_read_are_unknown(permission: str):
    world = organisation()
    vault(world.repositories[0]).template.default = False
    del world.permissions[permission]
    found = swept(world)
    lost = template(found, "example-org/shop").keys
    assert isinstance(lost, Unknown)
    assert f"{permission}:read" in lost.grant


def test_a_key_that_is_seen_fails_though_another_list_could_not_be_read():
    world = organisation()
    vault(world.repositories[0]).secrets.append(Secret("AWS_SECRET_ACCESS_KEY"))
    del world.permissions["environments"]
    result = judged(swept(world))["github:example-org/shop"]
    assert result.outcome is Outcome.FAIL
    assert result.observed["unknown"]


@pytest.mark.parametrize("fault", [broken(502), denied(), missing()])
@pytest.mark.parametrize("part", ["/shop/actions/secrets", "/shop/keys", "/shop/environments/production/secrets"])
def test_one_list_that_fails_costs_that_repository_alone(fault: Any, part: str):
    found = swept(organisation(), faults=first(10**6, fault, part))
    results = judged(found)
    assert results["github:example-org/shop"].outcome is Outcome.UNKNOWN
    assert results["github:example-org/payroll"].outcome is Outcome.PASS
    assert len(coverage(found).gaps) == 1
    assert not [one for one in found.coverage if one.source != IDENTITIES and "shop" in one.reason]


@pytest.mark.parametrize(
    "body",
    [b"{}", b"[]", b'{"secrets": 3}', b'{"secrets": [{}]}', b'{"secrets": [null, {"name": 7}]}', b'"x"', b"null"],
)
def test_an_answer_of_another_shape_is_unknown(body: bytes):
    with GitHubFake(organisation()) as fake:
        fake.rewrite = lambda path, true: body if "secrets" in path or "oidc" in path else true
        found = swept(fake)
    results = judged(found)
    assert {results[scope].outcome for scope in results} == {Outcome.UNKNOWN}


def test_environments_without_end_are_unknown_beyond_a_bound():
    world = organisation()
    shop = world.repositories[0]
    shop.environments += [Environment(world.number(), f"pr-{n}") for n in range(220)]
    with GitHubFake(world) as fake:
        found = swept(fake)
        assert len([path for path in asked(fake) if "/shop/environments/" in path]) == 200
    assert judged(found)["github:example-org/shop"].outcome is Outcome.UNKNOWN


def test_a_trusted_repository_that_is_not_seen_makes_the_organisation_unknown():
    world = organisation()
    world.hidden.add("shop")
    found = swept(world, ("example-org/shop", "example-org/attic", "other-org/thing", "example-org/w*"))
    result = judged(found)["github:example-org"]
    assert result.outcome is Outcome.UNKNOWN
    assert "example-org/shop" in result.reason
    assert len(coverage(found).gaps) == 1


def test_a_list_of_repositories_that_broke_off_is_never_a_pass():
    found = swept(organisation(), ("example-org/*",), faults=first(10**6, broken(), "/graphql"))
    assert coverage(found).status is CoverageStatus.PARTIAL
    assert {one.outcome for one in judged(found).values()} == {Outcome.UNKNOWN}


def test_a_replay_gives_the_same_facts_and_asks_nothing():
    world = organisation()
    vault(world.repositories[0]).secrets.append(Secret("AWS_ACCESS_KEY_ID"))
    with GitHubFake(world) as fake:
        live = swept(fake)
        count = len(fake.requests)
        again = swept(fake, replay=live.captures)
        assert len(fake.requests) == count
    assert [one for one in again.facts if isinstance(one, (KeptCredentials, SubjectTemplate))] == [
        one for one in live.facts if isinstance(one, (KeptCredentials, SubjectTemplate))
    ]
    assert coverage(again).status is CoverageStatus.COMPLETE


def test_the_source_declares_the_scope_only_when_it_asks():
    def scopes(*trusted: str) -> set[str]:
        watch = Watch(organisations=(ORG,), entries=(), start=NIGHT, trusted=trusted)
        return set(GitHubSource(watch, lambda *_: pytest.fail("asked")).scopes())

    assert scopes("example-org/shop") - scopes() == {IDENTITIES}
