"""The identities of the example organisation, swept with all the rest, against what is true of them."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path

import pytest

from monitor.example import identities as aws
from monitor.model import Result
from tests.fakes.gcp import example as gcp
from tests.fakes.installation import ROOT, Installation

CHECKS = ("deploy-trust", "deploy-privilege", "deploy-credentials")


@pytest.fixture(scope="module")
def swept(tmp_path_factory: pytest.TempPathFactory, organisation: Path) -> Installation:
    made = Installation(tmp_path_factory.mktemp("swept") / "installation", organisation, github=True)
    assert made.sweep().code == 3
    return made


@pytest.fixture(scope="module")
def results(swept: Installation) -> list[Result]:
    return [one for one in swept.results(0) if one.check in CHECKS and not one.scope.startswith("github:")]


def told(results: list[Result], provider: str) -> dict[str, dict[str, str]]:
    """By short name and the part of the subject: the outcome, of identities that are not out of scope."""
    found: dict[str, dict[str, str]] = defaultdict(dict)
    for one in results:
        if one.scope.startswith(f"{provider}:"):
            name = one.reason.partition(":")[0].partition("@")[0]
            part = one.subject.rpartition(":")[2]
            if one.outcome != "not-applicable":
                found[name][part] = one.outcome.value
    return dict(found)


def test_every_identity_of_aws_is_judged_as_it_was_planted(results: list[Result]) -> None:
    assert told(results, "aws") == aws.TRUTH


def test_every_identity_of_google_cloud_is_judged_as_it_was_planted(results: list[Result]) -> None:
    assert told(results, "gcp") == gcp.TRUTH


def test_identities_that_no_pipeline_uses_are_on_record_as_out_of_scope(results: list[Result]) -> None:
    aside = [r for r in results if r.check == "deploy-trust" and r.outcome == "not-applicable"]
    names = {r.reason.partition(":")[0] for r in aside}
    assert {
        "BreakGlass",
        "operator",
        "developer",
        "ops-runner",
        "runtime@example-prod.iam.gserviceaccount.com",
    } <= names


def test_a_trust_that_is_too_wide_is_told_with_an_example(results: list[Result]) -> None:
    found = {r.reason.partition(":")[0]: r for r in results if r.check == "deploy-trust" and r.outcome == "fail"}
    assert "repo:example-org/payments:pull_request" in found["payments-deploy"].reason
    assert "anybody can make such a token" in found["preview-deploy"].reason
    assert "has no environment production" in found["mail-deploy"].reason
    assert found["scanner"].severity == "critical"


def test_a_role_that_can_be_passed_is_judged_by_what_it_can_do(results: list[Result]) -> None:
    (found,) = [r for r in results if r.reason.startswith("media-deploy:") and r.subject.endswith(":privilege")]
    assert found.severity == "critical"
    (way,) = [p for p in found.observed["powers"] if p["kind"] == "escalation" and not p.get("conditions")]
    assert way["reaches"] == "admin"
    assert way["through"] == ["arn:aws:iam::111122223333:role/ops-runner"]
    assert set(way["by"]) >= {"rights#1", "rights#2"}


def test_unused_rights_come_with_the_smaller_policy(results: list[Result]) -> None:
    (found,) = [r for r in results if r.reason.startswith("data-deploy:") and r.subject.endswith(":unused")]
    assert found.observed["unused_services"] == ["redshift"]
    actions = [action for one in found.observed["smaller_policy"]["Statement"] for action in one["Action"]]
    assert sorted(actions) == ["glue:GetJob*", "glue:UpdateJob", "s3:PutObject"]


def test_each_result_cites_the_bytes_that_it_rests_on(results: list[Result], swept: Installation) -> None:
    captured = {one.sha256 for one in swept.manifests()[0].captures()}
    judged = [r for r in results if r.outcome in ("pass", "fail")]
    assert judged
    assert all(r.evidence and {ref.sha256 for ref in r.evidence} <= captured for r in judged)


def test_a_second_sweep_says_the_same(swept: Installation, results: list[Result]) -> None:
    swept.sweep()
    again = [one for one in swept.results() if one.check in CHECKS and not one.scope.startswith("github:")]
    assert {(r.subject, r.outcome, r.reason) for r in again} == {(r.subject, r.outcome, r.reason) for r in results}


def test_what_is_captured_of_google_cloud_is_what_the_fake_answers_now(tmp_path: Path) -> None:
    gcp.capture(tmp_path / "gcp")
    files = [
        {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
        for folder in (tmp_path / "gcp", ROOT / "config/captured/gcp")
    ]
    assert files[0] == files[1]


def test_what_is_captured_of_aws_is_what_the_generator_makes_now() -> None:
    import json

    from monitor.example import captures, captures_iam

    made = {
        (name, scope, json.dumps(asked, sort_keys=True)): body
        for name, scope, asked, body in captures_iam.answers(captures.ACCOUNTS)
    }
    api = ROOT / "config/captured/aws/api"
    kept = {}
    for line in (api / "index.jsonl").read_text().splitlines():
        one = json.loads(line)
        if one["name"].startswith(("iam:", "organizations:")):
            body = (api / "objects/sha256" / one["sha256"][:2] / one["sha256"]).read_bytes()
            kept[one["name"], one["scope"], json.dumps(one["request"], sort_keys=True)] = body
    assert kept == made
