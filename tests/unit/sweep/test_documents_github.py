"""`monitor evaluate` on each kind of GitHub's documents: pass, fail, unknown, not applicable, and what cannot be read."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from monitor.expected.load import load
from monitor.model import Outcome
from monitor.sweep import registry
from monitor.sweep.documents import Judged
from monitor.sweep.documents_github import judge
from tests.fakes.github import example, rest_shapes
from tests.fakes.github.world import ClassicRule, Environment, Repository
from tests.fakes.terminal import monitor
from tests.unit.github_decode import event_samples as events

CONFIG = Path(__file__).parents[3] / "config"
EXPECTED = load(CONFIG / "expected")
CHECKS = registry.discover()
HOME = Repository(id=7, owner="example-org", name="web")
PROTECTION, RULESET, ENVIRONMENT = "github-branch-protection", "github-ruleset", "github-environment"
AUDIT, WEBHOOK = "github-audit", "github-webhook"


def protection(branch: str = "main", home: Repository = HOME, **change: Any) -> dict[str, Any]:
    return rest_shapes.protection(ClassicRule(id=1, **change), home, branch)


def ruleset(**change: Any) -> dict[str, Any]:
    return events.rest_ruleset(**{"source": "example-org/web", "rules": example.baseline(), **change})


def environment(home: Repository = HOME, **change: Any) -> dict[str, Any]:
    given = {
        "id": 3,
        "name": "production",
        "reviewers": [("Team", "ops", 1)],
        "self_review_prevented": True,
        "admins_bypass": False,
        "policy": "protected",
        **change,
    }
    return rest_shapes.environment(Environment(**given), home)


def without(found: dict[str, Any], *names: str) -> dict[str, Any]:
    return {key: value for key, value in found.items() if key not in names}


def one(kind: str, document: Any) -> Judged:
    body = document if isinstance(document, bytes) else json.dumps(document).encode()
    (found,) = judge(kind, [body], CHECKS, EXPECTED)
    return found


ELSEWHERE = Repository(id=7, owner="example-org", name="sandbox-1")
ROWS: list[tuple[str, Any, str, str]] = [
    (PROTECTION, protection(), "pass", "main of example-org/web"),
    (PROTECTION, protection(branch="release/1"), "pass", "release/1"),
    (PROTECTION, {**protection(), "url": "https://api.github.com/repos/example-org/web/branches/release%2F1/protection"}, "pass", "release/1"),
    (PROTECTION, protection(approvals=0), "fail", "needs 1 approvals"),
    (PROTECTION, protection(approvals=None), "fail", "pull requests are not required"),
    (PROTECTION, protection(admins=False), "fail", "role:admin"),
    (PROTECTION, protection(skip_reviews=[("Team", "ops", 1)]), "fail", "team:ops"),
    (PROTECTION, protection(skip_reviews=[("App", "merge-bot", 1)]), "fail", "app:merge-bot"),
    (PROTECTION, protection(force_push=True), "fail", "forced pushes"),
    (PROTECTION, protection(deletion=True), "fail", "deleted"),
    (PROTECTION, without(protection(), "enforce_admins"), "fail", "role:admin"),
    (PROTECTION, {**protection(), "required_pull_request_reviews": {**protection()["required_pull_request_reviews"], "required_approving_review_count": "2"}}, "unknown", ""),
    (PROTECTION, protection(home=ELSEWHERE), "not-applicable", ""),
    (PROTECTION, {"message": "Branch not protected", "status": "404"}, "error", ""),
    (RULESET, ruleset(), "pass", ""),
    (RULESET, without(ruleset(), "bypass_actors"), "unknown", "not shown"),
    (RULESET, ruleset(bypass_actors=None), "unknown", ""),
    (RULESET, ruleset(bypass_actors=[events.TEAM]), "fail", "can pass by"),
    (RULESET, ruleset(enforcement="evaluate"), "fail", "no rule protects it"),
    (RULESET, ruleset(enforcement="disabled"), "fail", "no rule protects it"),
    (RULESET, ruleset(rules=[]), "fail", ""),
    (RULESET, without(ruleset(), "rules"), "unknown", ""),
    (RULESET, ruleset(conditions={"ref_name": {"include": ["refs/heads/dev"], "exclude": []}}), "fail", ""),
    (RULESET, ruleset(conditions={"ref_name": {"include": ["~ALL"], "exclude": ["refs/heads/main"]}}), "fail", ""),
    (RULESET, ruleset(source="example-org/sandbox-1"), "not-applicable", ""),
    (RULESET, ruleset(source="example-org", source_type="Organization"), "pass", ""),
    (ENVIRONMENT, environment(), "pass", "production of example-org/web"),
    (ENVIRONMENT, {"total_count": 1, "environments": [environment()]}, "pass", ""),
    (ENVIRONMENT, {"total_count": 2, "environments": [environment(), environment(name="Production", id=4, reviewers=[])]}, "fail", ""),
    (ENVIRONMENT, environment(reviewers=[]), "fail", "nobody must review"),
    (ENVIRONMENT, environment(self_review_prevented=False), "fail", "whoever starts"),
    (ENVIRONMENT, environment(admins_bypass=True), "fail", "administrators"),
    (ENVIRONMENT, environment(policy=None), "fail", "every branch may deploy"),
    (ENVIRONMENT, environment(policy="custom"), "unknown", ""),
    (ENVIRONMENT, without(environment(), "can_admins_bypass"), "unknown", ""),
    (ENVIRONMENT, without(environment(), "protection_rules"), "unknown", ""),
    (ENVIRONMENT, environment(name="dev"), "not-applicable", ""),
    (ENVIRONMENT, environment(home=ELSEWHERE), "not-applicable", ""),
    (ENVIRONMENT, without(environment(), "name"), "error", "name"),
    (AUDIT, events.classic("destroy"), "fail", "maria-example"),
    (AUDIT, events.classic("create"), "not-applicable", ""),
    (AUDIT, events.classic("destroy", repo="example-org/sandbox-1"), "not-applicable", ""),
    (AUDIT, events.ruleset("destroy"), "fail", ""),
    (AUDIT, events.override(), "fail", "passed the rules"),
    (AUDIT, events.event("repo.create"), "not-applicable", ""),
    (AUDIT, events.classic("destroy", **{"@timestamp": "soon", "created_at": None}), "error", ""),
    (WEBHOOK, events.delivery("deleted", rule=events.hooked_rule()), "fail", "maria-example"),
    (WEBHOOK, events.delivery("created", rule=events.hooked_rule()), "not-applicable", ""),
    (WEBHOOK, events.delivery("opened", issue={"id": 1}), "not-applicable", ""),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "document", "outcome", "told"), ROWS)
def test_a_document_is_judged_as_the_api_sends_it(kind: str, document: Any, outcome: str, told: str) -> None:
    found = one(kind, document)
    assert (found.outcome.value, told in found.reason) == (outcome, True), found.reason
    assert found.reason


@pytest.mark.parametrize("kind", [PROTECTION, RULESET, ENVIRONMENT, AUDIT, WEBHOOK])
def test_a_document_that_cannot_be_read_is_an_error_and_the_next_is_still_judged(kind: str) -> None:
    good, expected = next((document, outcome) for k, document, outcome, _ in ROWS if k == kind)
    bodies = [b"{", b'{"url": "\xff"}', b"[]", b"7", json.dumps(good).encode()]
    found = list(judge(kind, bodies, CHECKS, EXPECTED))
    assert [one.n for one in found] == [1, 2, 3, 4, 5]
    assert [one.outcome.value for one in found] == ["error"] * 4 + [expected]


@pytest.mark.parametrize("text", ["\x1b[31m", "<script>", "=1+1", "a\nb", "\u2028", "x" * 5000, "../../etc", "%00"])
def test_hostile_text_never_makes_a_pass_of_a_fault(text: str) -> None:
    bad = [
        (RULESET, ruleset(name=text, bypass_actors=[{**events.TEAM, "actor_name": text}])),
        (ENVIRONMENT, environment(reviewers=[("Team", text, 1)], admins_bypass=True)),
        (PROTECTION, protection(skip_reviews=[("Team", text, 1)])),
        (AUDIT, events.classic("destroy", actor=text)),
    ]
    assert [one(kind, document).outcome for kind, document in bad] == [Outcome.FAIL] * 4


def test_the_command_prints_one_line_a_document_in_order_and_tells_the_worst_by_its_code() -> None:
    documents = [protection(), protection(approvals=0)]
    body = b"\n".join(json.dumps(document).encode() for document in documents) + b"\n{broken\n"
    ran = monitor("evaluate", "--kind", PROTECTION, "--config", str(CONFIG), "-", stdin=body)
    lines = [json.loads(line) for line in ran.text.splitlines()]
    assert [(line["n"], line["outcome"]) for line in lines] == [(1, "pass"), (2, "fail"), (3, "error")]
    good = monitor(
        "evaluate", "--kind", PROTECTION, "--config", str(CONFIG), "-", stdin=json.dumps(documents[0]).encode()
    )
    assert (good.code, ran.code != 0) == (0, True)
