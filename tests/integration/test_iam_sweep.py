"""An account of a moto server with 60 identities, read over HTTP and judged by the three checks: verdicts as planted."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from moto.iam.models import iam_backends

from monitor.expected.models import AwsEstate, DeployIdentity, GitHubEstate, Production
from monitor.facts.identity import Identity
from monitor.facts.repository import Environment, Repository, RepositoryList
from monitor.iam.analysis import analyse
from monitor.model import Result, Sweep, Window
from monitor.sources.aws.iam import IamSource
from monitor.sources.aws.session import LiveClients
from monitor.sources.catalogue import aws_catalogue
from monitor.sources.forgetful import Forgetful
from monitor.sources.ports import Collected, Request
from monitor.sweep import registry
from tests.fakes.iam_account import ACCOUNT, DECLARED, PLANTED, TRUTH
from tests.fakes.iam_server import populate, serving

AT = datetime(2026, 3, 14, tzinfo=UTC)
SWEEP = Sweep(id="s", planned_for=AT, at=AT, window=Window(AT, AT))
ESTATE = AwsEstate.model_validate({"accounts": [{"id": ACCOUNT, "name": "payments-prod", "regions": ["us-east-1"]}]})
FORGE = GitHubEstate.model_validate({"organizations": ["example-org"]})
CHECKS = ("deploy-trust", "deploy-privilege", "deploy-credentials")
PARTS = ("trust", "privilege", "credentials")


@pytest.fixture(scope="module")
def collected() -> Iterator[Collected]:
    with pytest.MonkeyPatch.context() as patch, serving() as server:
        patch.setenv("AWS_ACCESS_KEY_ID", "example")
        patch.setenv("AWS_SECRET_ACCESS_KEY", "example")
        populate(server)
        clients = LiveClients("monitor-read", endpoint_url=server.url, attempts=1)
        source = IamSource(ESTATE, clients, usage_days=0)
        yield source.collect(Request(sweep="s", at=AT), Forgetful(), lambda *told: None)
        iam_backends[ACCOUNT]["aws"].reset()


def place(**more: Any) -> list[Any]:
    """The repository that the pipeline is trusted from, with its environment."""
    settings = {"branch_policy": "custom", "deploys_from": ("main",), **more}
    environment = Environment(id=1, name="production", **settings)
    one = Repository(organisation="example-org", id=1, name="example-org/payments", at=AT, environments=(environment,))
    return [one, RepositoryList(organisation="example-org", at=AT, ids=(1,))]


def judged(collected: Collected, forge: list[Any]) -> dict[str, Result]:
    identities = [fact for fact in collected.facts if isinstance(fact, Identity)]
    others = [fact for fact in collected.facts if not isinstance(fact, Identity)]
    facts = [*analyse(identities, {"aws": aws_catalogue()}), *others, *forge]
    found: dict[str, Result] = {}
    for check in registry.chosen(registry.discover(), CHECKS):
        expected = {
            "production": Production(aws=ESTATE, github=FORGE if forge else None),
            "deploy_identities": tuple(DeployIdentity.model_validate(one) for one in DECLARED),
        }
        wanted = check.expects(
            **{name: value for name, value in expected.items() if name in check.expects.model_fields}
        )
        mine = [fact for fact in facts if isinstance(fact, check.facts)]
        found |= {one.subject: one for one in check.evaluate(mine, wanted, SWEEP)}
    return found


def told(collected: Collected, results: dict[str, Result]) -> dict[tuple[str, str], str]:
    names = {fact.subject(): fact.short for fact in collected.facts if isinstance(fact, Identity)}
    return {
        (name, part): results[f"{subject}:{part}"].outcome.value if f"{subject}:{part}" in results else "none"
        for subject, name in names.items()
        for part in PARTS
    }


def test_sixty_identities_are_read_over_http_and_judged_as_planted(collected: Collected) -> None:
    assert len(PLANTED) == 60
    verdicts = told(collected, judged(collected, place()))
    wanted = {
        (name, part): getattr(truth, part) for name, truth in TRUTH.items() for part in PARTS if getattr(truth, part)
    }
    assert {key: verdicts.get(key) for key in wanted} == wanted


def in_an_environment() -> set[str]:
    """The identities whose trust is right, and names an environment."""
    return {
        one.name
        for one in PLANTED
        if one.verdicts.joined and one.verdicts.trust == "pass" and ":environment:" in json.dumps(one.trust)
    }


def test_where_the_forge_is_not_watched_what_hangs_on_it_is_unknown(collected: Collected) -> None:
    verdicts = told(collected, judged(collected, []))
    assert len(in_an_environment()) > 10
    assert {verdicts[name, "trust"] for name in in_an_environment()} == {"unknown"}


def test_trust_in_an_environment_is_only_as_strong_as_that_environment(collected: Collected) -> None:
    verdicts = told(collected, judged(collected, place(branch_policy="none")))
    assert {verdicts[name, "trust"] for name in in_an_environment()} == {"fail"}
