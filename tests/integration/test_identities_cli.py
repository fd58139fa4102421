"""`monitor identities`, `doctor` and `adopt --identities` as a person runs them, on the example organisation."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest

from monitor.expected.document import parse
from monitor.expected.models import Sections
from tests.fakes.installation import Installation

ACCOUNT = "111122223333"
PAYMENTS = f"arn:aws:iam::{ACCOUNT}:role/payments-deploy"
CHECKS = {"deploy-trust", "deploy-privilege", "deploy-credentials"}
MEMBERS = {"id", "name", "provider", "account", "kind", "read_at", "outcomes", "results", "paths", "powers", "assumes", "credentials", "uses"}  # fmt: skip


@pytest.fixture(scope="module")
def swept(tmp_path_factory: pytest.TempPathFactory, organisation: Path) -> Installation:
    """Return an installation that swept the example once; nobody may change it."""
    made = Installation(tmp_path_factory.mktemp("swept") / "installation", organisation, github=True)
    made("db", "upgrade")
    made.sweep()
    return made


@pytest.fixture
def fresh(tmp_path: Path, organisation: Path) -> Installation:
    """Return an installation that has swept nothing yet."""
    return Installation(tmp_path / "installation", organisation, github=True)


def listed(swept: Installation, *more: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = swept("identities", "list", "--format", "json", *more).json
    return found


# List.


def test_the_list_holds_deploy_identities_and_with_all_the_others_too(swept: Installation) -> None:
    some, every = listed(swept), listed(swept, "--all")
    names = {one["name"] for one in some}
    assert {PAYMENTS, f"arn:aws:iam::{ACCOUNT}:user/legacy-release"} <= names
    assert f"arn:aws:iam::{ACCOUNT}:role/developer" not in names
    assert f"arn:aws:iam::{ACCOUNT}:role/developer" in {one["name"] for one in every}
    assert names < {one["name"] for one in every}


def test_the_list_has_the_members_that_the_documentation_names(swept: Installation) -> None:
    written = (Path(__file__).parents[2] / "docs/output.md").read_text()
    section = written.partition("## `monitor identities list --format json`")[2].partition("\n## ")[0]
    for one in listed(swept, "--all"):
        assert set(one) == MEMBERS
        assert set(one["outcomes"]) == CHECKS
        assert all(set(result) == {"check", "subject", "outcome", "severity", "reason"} for result in one["results"])
        assert one["read_at"].endswith("Z")
    assert all(f"`{member}`" in section for member in MEMBERS | {"check", "subject", "outcome", "severity", "reason"})


def test_the_list_agrees_with_what_the_sweep_judged(swept: Installation) -> None:
    sealed = {
        (one.check, one.subject): one.outcome.value
        for one in swept.results()
        if one.subject.split(":")[1] == "identity"
    }
    shown = {(r["check"], r["subject"]): r["outcome"] for one in listed(swept, "--all") for r in one["results"]}
    differing = {key: (sealed.get(key), outcome) for key, outcome in shown.items() if sealed.get(key) != outcome}
    assert differing == {}
    assert shown


def test_the_list_for_people_names_each_and_how_many_are_hidden(swept: Installation) -> None:
    ran = swept("identities", "list")
    assert ran.code == 1
    assert "payments-deploy" in ran.text and "legacy-release (user)" in ran.text
    assert "that no pipeline uses with --all" in ran.text
    assert "with --all" not in swept("identities", "list", "--all").text


@pytest.mark.parametrize("columns", [80, 140])
def test_no_line_is_wider_than_the_terminal(swept: Installation, columns: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    for words in (("list", "--all"), ("show", "web-deploy"), ("show", "payments-deploy")):
        assert max(len(line) for line in swept("identities", *words).text.splitlines()) <= columns, words


# Show.


def test_one_is_found_by_its_arn_its_id_its_subject_and_its_name(swept: Installation) -> None:
    (one,) = [found for found in listed(swept) if found["name"] == PAYMENTS]
    for name in (PAYMENTS, one["id"], f"aws:identity:{ACCOUNT}:{one['id']}", "payments-deploy"):
        assert swept("identities", "show", name, "--format", "json").json["name"] == PAYMENTS
    assert swept("identities", "show", PAYMENTS, "--format", "json").json == one


def test_one_in_words_tells_who_can_become_it_what_it_can_do_and_how_it_is_judged(swept: Installation) -> None:
    ran = swept("identities", "show", "media-deploy@example-prod.iam.gserviceaccount.com")
    assert ran.code == 1
    ran = swept("identities", "show", f"arn:aws:iam::{ACCOUNT}:role/media-deploy")
    told = " ".join(ran.text.split())
    assert ran.code == 1
    for words in (
        "declared as media-deploy", "Who can become it", "✓ A token of token.actions.githubusercontent.com",
        "What it can do", "✗ escalation: lambda-create-function → admin", "As expected state judges it",
        "fail deploy-privilege",
    ):  # fmt: skip
        assert words in told


def test_an_unknown_name_is_refused_with_the_nearest_one(swept: Installation) -> None:
    ran = swept("identities", "show", "payments-deploi")
    assert (ran.code, ran.output) == (2, b"")
    assert "payments-deploi" in ran.errors and "did you mean 'payments-deploy'" in ran.errors and "next:" in ran.errors


def test_a_name_that_several_have_is_refused_and_all_of_them_are_told(swept: Installation) -> None:
    ran = swept("identities", "show", "AWSReservedSSO_Administrator_1a2b3c4d5e6f7089")
    assert ran.code == 2
    assert "3 identities are called" in ran.errors
    assert f"arn:aws:iam::{ACCOUNT}:role/aws-reserved/" in ran.errors


@pytest.mark.parametrize("name", ["\x1b[31mx", "a\nb", "[red]x[/]", "", "*", "x" * 5000])
def test_hostile_names_reach_no_terminal(swept: Installation, name: str) -> None:
    ran = swept("identities", "show", "--", name)
    assert ran.code == 2
    assert "\x1b" not in ran.errors and len(ran.errors) < 2000


def test_the_picture_goes_to_a_file_or_to_standard_output_alone(swept: Installation, tmp_path: Path) -> None:
    there = tmp_path / "picture.svg"
    ran = swept("identities", "show", "payments-deploy", "--graph", str(there))
    piped = swept("identities", "show", "payments-deploy", "--graph", "-")
    assert str(there) in ran.text.replace("\n", "")
    assert piped.output == there.read_bytes()
    assert piped.code == ran.code == 1
    root = ET.fromstring(there.read_bytes())  # noqa: S314 - it is ours
    words = " ".join(one.text or "" for one in root.iter("{http://www.w3.org/2000/svg}text"))
    assert PAYMENTS in words and "pull_request" in words and "Declared as payments-deploy" in words


def test_a_picture_that_cannot_be_written_is_told(swept: Installation, tmp_path: Path) -> None:
    ran = swept("identities", "show", "payments-deploy", "--graph", str(tmp_path / "none" / "x.svg"))
    assert ran.code == 2
    assert "x.svg" in ran.errors and "next:" in ran.errors


def test_before_a_sweep_there_is_nothing_to_list_or_show(fresh: Installation) -> None:
    fresh("db", "upgrade")
    ran = fresh("identities", "list")
    assert (ran.code, "no sweep has read any yet" in ran.text) == (3, True)
    assert fresh("identities", "show", "payments-deploy").code == 2


# Doctor.


def test_the_doctor_says_before_a_sweep_that_nothing_was_swept(fresh: Installation) -> None:
    found = fresh("doctor", "--format", "json").json
    assert (found["last_sweep"], found["scopes"], found["unseen"]) == (None, 0, [])


def test_the_doctor_tells_after_a_sweep_what_was_not_seen_and_how_old_the_catalogue_is(swept: Installation) -> None:
    ran = swept("doctor", "--format", "json")
    parts = {one["part"]: one for one in ran.json["parts"]}
    assert ran.json["last_sweep"]["id"] and ran.json["scopes"] > 0
    assert "days old" in parts["action catalogue"]["told"]
    assert "taken for a write" in parts["action catalogue"]["told"]
    assert all(set(one) >= {"scope", "source", "status", "reason", "grant"} for one in ran.json["unseen"])
    states = {one["state"] for one in (*ran.json["parts"], *ran.json.get("asked", ()))}
    assert ran.code == (3 if ran.json["unseen"] or states != {"good"} else 0)


def test_the_doctor_lists_what_each_check_needs(swept: Installation) -> None:
    needs = swept("doctor", "--needs", "--format", "json").json["needs"]
    assert set(needs) >= CHECKS
    assert all(what for what in needs.values())
    assert "is blind without:" in swept("doctor", "--needs").text


# Adopt.


def test_what_is_adopted_of_the_example_loads_as_expected_state(swept: Installation) -> None:
    ran = swept("adopt", "--identities")
    assert ran.code in (0, 3)
    document = parse(ran.output, "identities.yaml")
    assert document.mistakes == ()
    made = Sections.model_validate(document.data)
    declared = {principal for one in made.deploy_identities for principal in one.principals}
    assert {PAYMENTS, f"arn:aws:iam::{ACCOUNT}:role/accounts-deploy"} <= declared
    assert f"arn:aws:iam::{ACCOUNT}:role/preview-deploy" not in declared
    assert f"# arn:aws:iam::{ACCOUNT}:role/preview-deploy" in ran.text


def test_what_is_adopted_can_stand_in_the_configuration_and_tight_identities_pass_by_it(
    fresh: Installation, organisation: Path, install: Callable[..., Any]
) -> None:
    file = fresh.config / "expected/identities.yaml"
    others = file.read_text().partition("\n# What holds for all of them.")[2]
    adopted = fresh("adopt", "--identities").text
    file.write_text(adopted + "\n# What holds for all of them." + others)
    assert fresh("config", "check").code == 0
    fresh("db", "upgrade")
    fresh.sweep()
    outcomes = {one["name"]: one["outcomes"] for one in listed(fresh)}
    tight = f"arn:aws:iam::{ACCOUNT}:role/accounts-deploy", f"arn:aws:iam::{ACCOUNT}:role/geo-deploy"
    for name in tight:
        assert "fail" not in outcomes[name].values(), (name, outcomes[name])


@pytest.mark.parametrize("words", [(), ("--identities", "--repositories")])
def test_adopting_nothing_or_both_is_refused(fresh: Installation, words: tuple[str, ...]) -> None:
    ran = fresh("adopt", *words)
    assert (ran.code, "--repositories or --identities" in ran.errors) == (2, True)


# Evaluate.


def test_saved_documents_are_judged_one_a_line(swept: Installation) -> None:
    statement = {"Effect": "Allow", "Action": "*", "Resource": "*"}
    document = json.dumps({"Version": "2012-10-17", "Statement": [statement]}).encode()
    ran = swept("evaluate", "--kind", "aws-iam-policy", "-", stdin=document + b"\n" + document)
    assert [json.loads(line)["outcome"] for line in ran.text.splitlines()] == ["fail", "fail"]
    assert ran.code == 1
