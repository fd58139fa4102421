"""Loading expected state: every mistake of all files at once, with file, line, key and what would be right."""

import os
import subprocess
from pathlib import Path

import pytest

from monitor.errors import ConfigError
from monitor.expected.load import load
from monitor.expected.models import BreakGlass, DeployIdentity, Production, TokenProof
from monitor.model import Expectation

CONFIG = Path(__file__).parents[3] / "config"
PRODUCTION = """
production:
  aws:
    accounts:
      - {id: "111122223333", name: payments-prod, regions: [us-east-1]}
"""


def folder(tmp_path: Path, **files: str | bytes) -> Path:
    expected = tmp_path / "expected"
    expected.mkdir()
    for name, content in files.items():
        data = content.encode() if isinstance(content, str) else content
        (expected / f"{name}.yaml").write_bytes(data)
    return expected


def problems(tmp_path: Path, **files: str | bytes) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        load(folder(tmp_path, **files))
    return list(caught.value.problems)


def test_example_organisation_is_whole():
    state = load(CONFIG / "expected")

    assert state.warnings == ()
    assert state.section("production").scopes() == (
        "aws:111122223333:us-east-1",
        "aws:111122223333:eu-west-1",
        "aws:444455556666:us-east-1",
    )
    assert [identity.id for identity in state.section("deploy_identities")][:4] == [
        "payments-deploy",
        "data-deploy",
        "pipeline-hub",
        "legacy-build",
    ]


def test_ten_mistakes_are_reported_together_with_their_lines(tmp_path):
    production = """\
production:
  aws:
    organisation: o-exampleorgid
    accounts:
      - {id: "12345", name: payments-prod, regions: [us-east-1]}
      - id: 444455556666
        name: data-prod
        regions: [us-east-1a]
"""
    identities = """\
deploy_identitys: []
break_glass:
  - id: oncall
    principals: ["arn:aws:iam::*:role/BreakGlass"]
    reason: " "
emergency_changes:
  - id: EC-1
    ticket: OPS-1
    approver: release-manager
    identities: [on-call]
    from: 2026-03-14T04:00:00Z
    to: 2026-03-14T01:00:00Z
    reason: r
standard_changes:
  - id: restart
    actions: [UpdateService]
    principals: []
    runbook: https://runbooks.example.com/restart
    review_by: 31.12.2026
"""

    assert problems(tmp_path, production=production, identities=identities) == [
        (
            "expected/identities.yaml:1: deploy_identitys: is no section of expected state; "
            "did you mean 'deploy_identities'?"
        ),
        (
            "expected/identities.yaml:4: break_glass[0].principals[0]: "
            "'arn:aws:iam::*:role/BreakGlass' has the account "
            "'*', which has a wildcard in the account; write its 12 digits, since a wildcard would let every account in"
        ),
        (
            "expected/identities.yaml:5: break_glass[0].reason: ' ' is blank; write it, since a reader of the evidence "
            "will ask"
        ),
        (
            "expected/identities.yaml:10: emergency_changes[0].identities[0]: 'on-call' is no id of break_glass; "
            "did you mean 'oncall'?"
        ),
        (
            "expected/identities.yaml:12: emergency_changes[0].to: 2026-03-14T01:00:00+00:00 is not after 'from' "
            "(2026-03-14T04:00:00+00:00); write the later moment here"
        ),
        (
            "expected/identities.yaml:15: standard_changes[0].approved_by: is missing; write it: Who took it into the "
            "catalogue"
        ),
        (
            "expected/identities.yaml:16: standard_changes[0].actions[0]: 'UpdateService' lacks its service; write "
            "service:Name, as ecs:UpdateService"
        ),
        "expected/identities.yaml:17: standard_changes[0].principals: is an empty list; at least 1 is needed",
        "expected/identities.yaml:19: standard_changes[0].review_by: '31.12.2026' is not a day; write it as 2026-12-31",
        "expected/production.yaml:3: production.aws.organisation: is not a key here; did you mean 'organization'?",
        (
            "expected/production.yaml:5: production.aws.accounts[0].id: '12345' is not an "
            "account number; write 12 digits "
            'in quotes, as "111122223333"'
        ),
        (
            "expected/production.yaml:6: production.aws.accounts[1].id: 444455556666 stands "
            "without quotes, so YAML reads "
            'a number; quote it, as "444455556666"'
        ),
        (
            "expected/production.yaml:8: production.aws.accounts[1].regions[0]: 'us-east-1a' "
            "is a zone; write its region, "
            "us-east-1"
        ),
    ]


def test_mistake_of_one_entry_does_not_hide_those_of_others(tmp_path):
    wrong = "break_glass:\n- id: a\n- id: b\n- 7\n- {id: c, principals: x, reason: r}\n"

    found = problems(tmp_path, p=PRODUCTION, b=wrong)

    assert [line.split(": ")[0] for line in found] == ["expected/b.yaml:2"] * 2 + ["expected/b.yaml:3"] * 2 + [
        "expected/b.yaml:4",
        "expected/b.yaml:5",
    ]
    assert found[4].endswith(
        "break_glass[2]: is 7; write keys and values: {key: value}, or a line 'key: value' for each"
    )
    assert found[5].endswith("principals: is 'x'; write a list: [one, two], or a line with '- ' for each")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("012345670123", "expected/p.yaml:4: production.aws.accounts[0].id: 012345670123 begins with 0"),
        ('"1111-2222-3333"', 'is written in groups; write "111122223333"'),
        ("123456789012345678901234", "is not an account number"),
        ("[1]", "is a list; write text here"),
        ("true", "is True; write text here"),
        ("", "is empty; write it, or remove the key"),
    ],
)
def test_account_is_twelve_digits_in_quotes(tmp_path, text, said):
    production = (
        f"production:\n  aws:\n    accounts:\n      - id: {text}\n        name: a\n        regions: [us-east-1]\n"
    )

    found = problems(tmp_path, p=production)

    assert len(found) == 1
    assert said in found[0]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("2026-03-14T01:00:00", "has no zone; write UTC as 2026-03-14T01:00:00Z"),
        ("2026-03-14", "is not a date and time; write it with its zone"),
        ("1773450000", "is not a date and time"),
        ("2026-02-30T01:00:00Z", "is no moment"),
        ("0001-01-01T00:00:00+14:00", "lies outside the calendar"),
        ("yesterday", "is not a date and time"),
    ],
)
def test_moment_needs_its_zone(tmp_path, text, said):
    emergency = f"""
break_glass: [{{id: a, principals: ["arn:aws:iam::111122223333:role/a"], reason: r}}]
emergency_changes:
  - {{id: E, ticket: T, approver: r, identities: [a], from: {text}, to: 2026-03-14T04:00:00Z, reason: r}}
"""

    found = problems(tmp_path, p=PRODUCTION, e=emergency)

    assert len(found) == 1
    assert found[0].startswith("expected/e.yaml:4: emergency_changes[0].from: ")
    assert said in found[0]


def test_ids_accounts_and_regions_are_used_once(tmp_path):
    state = """
production:
  aws:
    accounts:
      - {id: "111122223333", name: a, regions: [us-east-1, us-east-1]}
    watched:
      - {id: "111122223333", name: b, regions: [us-east-1]}
trusted_services:
  - {id: a, principals: ["arn:aws:iam::111122223333:role/a"], actions: ["logs:Create*"], reason: r}
  - {id: a, principals: ["arn:aws:iam::111122223333:role/b"], actions: ["logs:Create*"], reason: r}
audit_logs:
  aws:
    retention_days: 365
    trails:
      - {name: org-trail, account: "111122223333", bucket: example-org-trail}
      - {name: org-trail, account: "111122223333", bucket: example-org-trail-2}
"""

    assert problems(tmp_path, all=state) == [
        (
            "expected/all.yaml:5: production.aws.accounts[0].regions[1]: the region 'us-east-1' is given before; "
            "each may be used once"
        ),
        (
            "expected/all.yaml:7: production.aws.watched[0].id: the account '111122223333' is given before; "
            "each may be used once"
        ),
        "expected/all.yaml:10: trusted_services[1].id: the id 'a' is given before; each may be used once",
        (
            "expected/all.yaml:16: audit_logs.aws.trails[1]: the trail 'org-trail' of "
            "account '111122223333' is given before; "
            "remove one"
        ),
    ]


def test_undeclared_accounts_are_told_with_those_declared(tmp_path):
    state = """
deploy_identities:
  - id: a
    principals: ["arn:aws:iam::999900001111:role/a"]
    proof:
      session:
        pattern: "arn:aws:sts::999900001111:assumed-role/a/*"
        assumed_by: [codebuild.amazonaws.com]
audit_logs:
  aws: {retention_days: 365, trails: [{name: org-trail, account: "999900001111", bucket: example-org-trail}]}
"""

    found = problems(tmp_path, p=PRODUCTION, a=state)

    assert [line.split(": ")[1] for line in found] == [
        "deploy_identities[0].principals[0]",
        "deploy_identities[0].proof.session.pattern",
        "audit_logs.aws.trails[0].account",
    ]
    assert all("is in neither production.aws.accounts nor watched (111122223333); declare it there" in f for f in found)


def test_break_glass_identity_must_not_be_the_pipeline(tmp_path):
    state = """
deploy_identities:
  - id: deploy
    principals: ["arn:aws:iam::111122223333:role/team/Deploy"]
    proof: {token: {issuer: token.actions.githubusercontent.com, subjects: ["repo:example-org/a:environment:p"]}}
break_glass:
  - {id: oncall, principals: ["arn:aws:sts::111122223333:assumed-role/Dep*/*"], reason: r}
"""

    found = problems(tmp_path, p=PRODUCTION, a=state)

    assert len(found) == 1
    assert found[0].startswith("expected/a.yaml:7: break_glass[0].principals[0]: ")
    assert "is also the deploy identity 'deploy' ('arn:aws:iam::111122223333:role/team/Deploy')" in found[0]


def test_misspelt_keys_in_a_proof_name_the_nearest(tmp_path):
    state = """
deploy_identities:
  - id: a
    principals: ["arn:aws:iam::111122223333:role/a"]
    proof:
      tokens: {}
  - id: b
    principals: ["arn:aws:iam::111122223333:role/b"]
    proof:
      token:
        issuer: token.actions.githubusercontent.com
        subject: ["repo:example-org/a:environment:p"]
"""

    assert problems(tmp_path, p=PRODUCTION, a=state) == [
        "expected/a.yaml:6: deploy_identities[0].proof.tokens: is not a key here; did you mean 'token'?",
        (
            "expected/a.yaml:10: deploy_identities[1].proof.token.subjects: is missing; "
            "write it: Patterns of the token's "
            "subject. '*' stands for any run of characters but ':'"
        ),
        "expected/a.yaml:12: deploy_identities[1].proof.token.subject: is not a key here; did you mean 'subjects'?",
    ]


def test_section_in_two_files_is_told_with_both_places(tmp_path):
    assert problems(tmp_path, a=PRODUCTION, b="\n\n" + PRODUCTION) == [
        "expected/b.yaml:4: production: is given before, in expected/a.yaml:2; keep the section in one file"
    ]


def test_mistakes_of_yaml_and_of_state_come_together(tmp_path):
    found = problems(tmp_path, a="production: [", b="break_glass: {}\n", c=b"\xff", d="just text\n")

    assert [line.split(": ")[0] for line in found] == [
        "expected/a.yaml:1",
        "expected/b.yaml:1",
        "expected/c.yaml:1",
        "expected/d.yaml:1",
    ]


def test_empty_list_section_is_no_entries(tmp_path):
    state = load(folder(tmp_path, p=PRODUCTION, e="emergency_changes:\nstandard_changes: []\n"))

    assert state.section("emergency_changes") == ()


@pytest.mark.parametrize("production", ["", "production:\n", "deploy_identities: []\n"])
def test_production_must_be_declared(tmp_path, production):
    found = problems(tmp_path, p=production)

    assert len(found) == 1
    assert "no file declares 'production'" in found[0]


def test_production_without_accounts_is_a_mistake(tmp_path):
    assert problems(tmp_path, p="production: {aws: }\n") == [
        (
            "expected/p.yaml:1: production: declares nothing, so that nothing is watched; "
            "write aws:, gcp: or github: with what there is to watch"
        )
    ]


def test_files_that_would_not_be_read_are_told(tmp_path):
    expected = folder(tmp_path, p=PRODUCTION)
    (expected / "more.yml").write_text("break_glass: []")
    (expected / "team").mkdir()
    (expected / "team.yaml").mkdir()
    (expected / ".swap.yaml").write_text("not: read")
    (expected / "README.md").write_text("notes")

    with pytest.raises(ConfigError) as caught:
        load(expected)

    assert caught.value.problems == (
        "expected/more.yml: is not read; name it more.yaml, or move it elsewhere",
        "expected/team: is a folder, and folders are not read; move its files up, or move it elsewhere",
        "expected/team.yaml: is not a file",
    )


def test_pipe_in_the_folder_does_not_block(tmp_path):
    expected = folder(tmp_path, p=PRODUCTION)
    os.mkfifo(expected / "pipe.yaml")

    with pytest.raises(ConfigError) as caught:
        load(expected)

    assert caught.value.problems == ("expected/pipe.yaml: is not a file",)


def test_folder_has_its_name_however_it_is_given(monkeypatch):
    monkeypatch.chdir(CONFIG / "expected")

    assert load(Path()).files == load(CONFIG / "expected").files


def test_missing_folder_is_told_with_what_to_do(tmp_path):
    with pytest.raises(ConfigError) as caught:
        load(tmp_path / "nowhere")

    assert "copy the example's config/expected there" in caught.value.diagnostics()


def test_report_of_very_many_mistakes_is_cut(tmp_path):
    found = problems(tmp_path, p=PRODUCTION, b="break_glass:\n" + "- 1\n" * 5000)

    assert len(found) == 201
    assert found[-1] == "… and 4800 more"


def test_values_from_the_file_cannot_write_on_the_terminal(tmp_path):
    found = problems(
        tmp_path, p=PRODUCTION, b='"\\e[2J": 1\nbreak_glass: [{id: "\\e[2J", principals: [], reason: r}]\n'
    )

    assert not any("\x1b" in line for line in found)


def test_warning_when_global_services_go_unseen(tmp_path):
    state = load(folder(tmp_path, p=PRODUCTION.replace("us-east-1", "eu-west-1")))

    assert state.warnings == (
        (
            "expected/p.yaml:5: production.aws.accounts[0].regions: IAM and other global "
            "services are logged in us-east-1, "
            "which is not listed: their changes go unseen"
        ),
    )


def test_warning_when_an_emergency_lasts_very_long(tmp_path):
    emergency = """
break_glass: [{id: a, principals: ["arn:aws:iam::111122223333:role/a"], reason: r}]
emergency_changes:
  - {id: E, ticket: T, approver: r, identities: [a], from: 2026-03-01T00:00:00Z, to: 2026-12-01T00:00:00Z, reason: r}
"""

    warnings = load(folder(tmp_path, p=PRODUCTION, e=emergency)).warnings

    assert warnings == ("expected/e.yaml:4: emergency_changes[0]: E lasts 275 days; break-glass is open all that time",)


def test_expectations_of_a_check_are_built_from_the_sections_it_names():
    class Wants(Expectation):
        production: Production
        break_glass: tuple[BreakGlass, ...] = ()
        deploy_identities: tuple[DeployIdentity, ...]

    built = load(CONFIG / "expected").build(Wants)

    assert built.production.is_production("aws", "111122223333")
    assert [one.id for one in built.break_glass] == ["platform-oncall"]
    assert isinstance(built.deploy_identities[1].proof, TokenProof)


def test_check_that_names_no_section_is_told_the_nearest():
    class Wants(Expectation):
        deploy_identity: tuple[DeployIdentity, ...]

    class Wrong(Expectation):
        production: tuple[BreakGlass, ...]

    with pytest.raises(ConfigError, match="did you mean 'deploy_identities'"):
        load(CONFIG / "expected").build(Wants)
    with pytest.raises(ConfigError, match="Wrong does not take the sections"):
        load(CONFIG / "expected").build(Wrong)


def test_digest_is_what_sha256sum_prints():
    script = "LC_ALL=C; export LC_ALL; sha256sum expected/*.yaml | sha256sum"
    printed = subprocess.run(["sh", "-c", script], cwd=CONFIG, capture_output=True, text=True, check=True).stdout

    assert load(CONFIG / "expected").sha256 == printed.split()[0]


def test_digest_changes_with_bytes_and_names(tmp_path):
    expected = folder(tmp_path, p=PRODUCTION)
    first = load(expected).sha256
    (expected / "p.yaml").rename(expected / "q.yaml")
    second = load(expected).sha256
    (expected / "q.yaml").write_text(PRODUCTION + "# note\n")

    assert len({first, second, load(expected).sha256}) == 3
