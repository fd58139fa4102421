"""`monitor init`: what is written is right at once, is one's own, and nothing of a person's is written over."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from itertools import product
from pathlib import Path

import pytest
import yaml

from monitor.cli import init, starting
from monitor.cli.starting import Answers
from monitor.errors import ConfigError
from monitor.settings import load_config
from monitor.settings.schedules import SchedulesSettings
from tests.fakes.terminal import monitor

NOW = datetime(2026, 3, 14, 2, 0, tzinfo=UTC)
ONE, TWO = "111122223333", "444455556666"
SEVERAL = [
    Answers(at=NOW, accounts=accounts, github=github, project=project, bucket=bucket, organisation=name, **wanted)
    for accounts, github, project, bucket, name, wanted in product(
        [(), (ONE,), (ONE, TWO)],
        ["", "example-org"],
        ["", "example-prod"],
        ["", "example-org-trail/logs"],
        ["", 'Example: "Ltd" # 1'],
        [{"aws_wanted": False, "github_wanted": False}, {"aws_wanted": True, "github_wanted": True}],
    )
    if accounts or github or project or wanted["aws_wanted"]
]


@pytest.mark.parametrize("answers", SEVERAL, ids=range(len(SEVERAL)))
def test_whatever_was_answered_the_configuration_is_right_at_once(answers: Answers, tmp_path: Path) -> None:
    init.write(tmp_path, answers, force=False)
    loaded = load_config(tmp_path, {})
    production = loaded.expected.sections.production
    # The number of a project is all that nobody was asked for, and that one can do without.
    assert ["has no number" in warning for warning in loaded.warnings] == [True] * bool(answers.project)
    assert (loaded.settings.aws is None) == (production.aws is None) == (not answers.aws)
    assert (loaded.settings.github is None) == (production.github is None) == (not answers.forge)
    assert (loaded.settings.gcp is None) == (production.gcp is None) == (not answers.project)
    if answers.organisation:
        assert loaded.settings.organisation == answers.organisation
    if answers.accounts and production.aws:
        assert tuple(one.id for one in production.aws.accounts) == answers.accounts
    if loaded.settings.aws:
        assert loaded.settings.aws.start == datetime(2026, 3, 7, tzinfo=UTC)


def test_nothing_of_the_example_is_in_it(tmp_path: Path) -> None:
    answers = Answers(at=NOW, accounts=("121212121212",), github="our-own", project="our-prod", bucket="our-trail")
    written = init.write(tmp_path, answers, force=False)
    for name in (one for one in written if one.startswith("expected/") or one == "monitor.yaml"):
        plain = "\n".join(
            line for line in (tmp_path / name).read_text().splitlines() if not line.lstrip().startswith("#")
        )
        assert "example-org" not in plain, name
        assert ONE not in plain, name
    assert not (tmp_path / "captured").exists()
    policy = json.loads((tmp_path / "access/aws-read-only-policy.json").read_text())
    assert "example-org-trail" not in json.dumps(policy)
    assert "arn:aws:s3:::our-trail/AWSLogs/*" in json.dumps(policy)
    (taking,) = [one for one in policy["Statement"] if one["Sid"] == "TakeReadingRole"]
    assert taking["Resource"] == ["arn:aws:iam::121212121212:role/monitor-read"]


def test_the_policy_follows_the_prefix_of_the_bucket() -> None:
    text = (init.packaged() / "access/aws-read-only-policy.json").read_text()
    made = json.loads(starting.policy(text, Answers(at=NOW, accounts=(ONE,), bucket="our-trail/a/b")))
    by_sid = {one["Sid"]: one["Resource"] for one in made["Statement"]}
    assert by_sid["ReadLogObjects"] == "arn:aws:s3:::our-trail/a/b/AWSLogs/*"
    assert by_sid["ListLogObjects"] == by_sid["ReadSettingsOfLogBucket"] == "arn:aws:s3:::our-trail"


def test_the_command_says_what_is_left_to_change_and_what_comes_next(tmp_path: Path) -> None:
    folder = tmp_path / "con fig"
    ran = monitor("init", str(folder), "--aws", ONE, "--aws", TWO, "--github", "example-org")
    assert ran.code == 0, ran
    checked = monitor("config", "check", "--config", str(folder))
    assert checked.code == 0, checked
    lines = [line.strip() for line in ran.text.splitlines()]
    commands = lines[lines.index("Next:") + 1 :]
    assert [one.split(" --config")[0] for one in commands] == [
        "monitor config check",
        "monitor doctor",
        "monitor sweep --dry-run",
    ]
    assert all(one.endswith(f"--config '{folder}'") for one in commands)
    assert "placeholders" in ran.text


def test_without_a_terminal_nothing_is_asked_and_both_providers_are_written(tmp_path: Path) -> None:
    ran = monitor("init", str(tmp_path / "config"))
    assert ran.code == 0, ran
    loaded = load_config(tmp_path / "config", {})
    assert loaded.settings.aws
    assert loaded.settings.github
    assert loaded.settings.gcp is None


def test_a_configuration_that_is_there_is_left_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "monitor.yaml").write_text("organisation: mine\n")
    ran = monitor("init", str(tmp_path), "--github", "example-org")
    assert ran.code == 2
    assert "--force" in ran.errors
    assert [path.name for path in tmp_path.iterdir()] == ["monitor.yaml"]
    assert (tmp_path / "monitor.yaml").read_text() == "organisation: mine\n"
    assert monitor("init", str(tmp_path), "--github", "example-org", "--force").code == 0
    assert load_config(tmp_path, {}).settings.github


@pytest.mark.parametrize(
    ("answers", "told"),
    [
        ({"accounts": ("12",)}, "12 digits"),
        ({"accounts": ("１１１１２２２２３３３３",)}, "12 digits"),
        ({"accounts": (ONE,), "bucket": "Upper"}, "bucket"),
        ({"github": "a b"}, "organisation"),
        ({"github": "x\n- y"}, "organisation"),
        ({"project": "415104041262"}, "id"),
    ],
)
def test_an_answer_that_is_none_is_told_before_anything_is_written(
    answers: dict[str, object], told: str, tmp_path: Path
) -> None:
    with pytest.raises(ConfigError) as raised:
        init.write(tmp_path / "config", Answers(at=NOW, **answers), force=False)  # type: ignore[arg-type]
    assert told in raised.value.diagnostics()
    assert not (tmp_path / "config").exists()


def test_each_placeholder_is_found_by_file_and_line() -> None:
    texts = {"b.yaml": "a: 1\nb: 2  # change me\n", "a.yaml": "c: 3 # change me\n"}
    assert starting.marked(texts) == ["a.yaml:1", "b.yaml:2"]


def test_on_a_terminal_it_asks_and_an_empty_answer_leaves_a_provider_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = iter(["Example: Ltd", f"{ONE}, {TWO} {ONE}", "s3://example-org-trail/", "", ""])
    monkeypatch.setattr("typer.prompt", lambda *asked, **how: next(given))
    answers = init._asked(Answers(at=NOW))
    assert next(given, None) is None
    assert (answers.accounts, answers.bucket, answers.github) == ((ONE, TWO), "example-org-trail", "")
    init.write(tmp_path, answers, force=False)
    assert load_config(tmp_path, {}).settings.github is None
    monkeypatch.setattr("typer.prompt", lambda *asked, **how: "")
    nothing = init._asked(Answers(at=NOW))
    assert (nothing.aws, nothing.forge) == (True, True)


def test_commented_examples_are_right_once_they_are_taken_in(tmp_path: Path) -> None:
    """What a comment shows is copied by people: each such section must be valid as it is."""
    init.write(tmp_path, Answers(at=NOW, accounts=(ONE,), github="example-org", project="example-prod"), force=False)
    text = (tmp_path / "monitor.yaml").read_text()
    taken = re.sub(r"(?m)^# {3}(credentials:|impersonate:)", r"  \1", text)
    taken = re.sub(r"(?m)^  # {3}(app_id|app_key):", r"  \1:", taken)
    parsed = yaml.safe_load(taken)
    assert parsed["github"]["app_id"] == 123456
    shown = yaml.safe_load("\n".join(re.findall(r"(?m)^#   (schedules:(?:\n#    .*)+)", text)).replace("\n#   ", "\n"))
    assert SchedulesSettings.model_validate(shown["schedules"]).listen == "127.0.0.1:9464"
