"""Waivers: what each covers, when, and every mistake of their file at once, with its line and what would be right."""

from __future__ import annotations

import random
import re
import shutil
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.errors import ConfigError
from monitor.expected.document import parse
from monitor.expected.reach import within
from monitor.expected.waivers import Terms, Waiver, Waivers, examine_waivers, load_waivers, same_person
from monitor.model import Outcome, Result, Severity
from monitor.settings import load_config
from monitor.settings.findings import FindingSettings

CONFIG = Path(__file__).parents[3] / "config"
START = datetime(2026, 4, 1, tzinfo=UTC)
GOOD = {
    "id": "W-1",
    "checks": ["branch-protection"],
    "repositories": ["example-org/legacy-*"],
    "reason": "replaced in June",
    "ticket": "CHG-1",
    "requester": "maria",
    "approver": "release-manager",
    "from": "2026-04-01T00:00:00Z",
    "until": "2026-06-30T00:00:00Z",
}
ENTRY = """\
  - id: {id}
    checks: [branch-protection]
    repositories: ["example-org/legacy-*"]
    reason: r
    ticket: CHG-1
    requester: maria
    approver: {approver}
    from: {start}
    until: {until}
"""


def waiver(**terms: Any) -> Waiver:
    reach = {"subjects", "scopes", "identities"} & set(terms)
    return Waiver.model_validate({k: v for k, v in GOOD.items() if not (reach and k == "repositories")} | terms)


def result(**more: Any) -> Result:
    values: dict[str, Any] = {
        "check": "branch-protection",
        "subject": "github:repository:7:branch:main",
        "outcome": Outcome.FAIL,
        "reason": "",
        "scope": "github:example-org/legacy-shop",
    }
    return Result(**(values | more))


def problems(tmp_path: Path, text: str | bytes, **terms: Any) -> list[str]:
    (tmp_path / "waivers.yaml").write_bytes(text.encode() if isinstance(text, str) else text)
    with pytest.raises(ConfigError) as caught:
        load_waivers(tmp_path, **terms)
    return list(caught.value.problems)


def test_no_file_is_no_waivers(tmp_path):
    assert load_waivers(tmp_path) == Waivers()


def test_the_examples_file_is_right_and_empty():
    assert load_waivers(CONFIG).all == ()
    assert load_config(CONFIG, {}).files["waivers.yaml"] == load_waivers(CONFIG).sha256


def test_what_the_examples_comment_shows_loads(tmp_path):
    shown = [line.removeprefix("#") for line in (CONFIG / "waivers.yaml").read_text().splitlines() if "#  " in line]
    (tmp_path / "waivers.yaml").write_text("\n".join(line.removeprefix("   ") for line in shown) + "\n")
    (found,) = load_waivers(tmp_path, checks=["branch-protection"])
    assert (found.id, found.kind, found.severity_at_most) == ("W-2026-007", "repositories", Severity.MEDIUM)


def test_what_the_guide_shows_loads(tmp_path):
    guide = (CONFIG.parent / "docs/waivers.md").read_text()
    settings, waivers = (block.partition("\n")[2] for block in re.findall(r"```yaml\n(.*?)```", guide, re.DOTALL))
    (tmp_path / "waivers.yaml").write_text(waivers)
    (found,) = load_waivers(tmp_path)
    assert found.in_force(START)
    told = parse(settings.encode(), "monitor.yaml").data
    assert [rule.owner for rule in FindingSettings.model_validate(told["findings"]).owners] == [
        "team-payments",
        "team-cloud",
        "platform",
    ]


def test_mistakes_in_rules_of_ownership_are_told_with_their_lines(tmp_path):
    shutil.copytree(CONFIG, tmp_path / "config")
    settings = tmp_path / "config/monitor.yaml"
    text = settings.read_text().partition("\nfindings:\n")[0]
    rules = """
findings:
  unknown_days: 0
  owners:
    - {match: {repositories: ["*"]}, owner: a}
    - {match: {severity: [urgent], check: [x]}, owner: " "}
"""
    settings.write_text(text + rules)
    with pytest.raises(ConfigError) as caught:
        load_config(tmp_path / "config", {})
    first = text.count("\n") + 3
    assert [line.split(": ")[0] for line in caught.value.problems] == [
        f"monitor.yaml:{line}" for line in (first, first + 2, first + 3, first + 3, first + 3)
    ]
    settings.write_text(text + "\nfindings: {owners: [{owner: all}, {owner: b}]}\n")
    with pytest.raises(ConfigError) as caught:
        load_config(tmp_path / "config", {})
    assert "owners[0] fits everything, so that no rule after it counts" in caught.value.problems[0]


def test_how_long_a_waiver_may_last_is_a_setting(tmp_path):
    shutil.copytree(CONFIG, tmp_path / "config")
    entry = ENTRY.format(id="W-1", approver="boss", start="2026-04-01T00:00:00Z", until="2026-05-01T00:00:00Z")
    (tmp_path / "config/waivers.yaml").write_text("waivers:\n" + entry)
    assert load_config(tmp_path / "config", {}).waivers.get("W-1")
    settings = tmp_path / "config/monitor.yaml"
    settings.write_text(settings.read_text().replace("waiver_max_days: 90", "waiver_max_days: 29"))
    with pytest.raises(ConfigError) as caught:
        load_config(tmp_path / "config", {})
    assert "a waiver lasts at most 29: write 2026-04-30T00:00:00Z or sooner" in caught.value.problems[0]


def test_all_mistakes_are_told_at_once_with_their_lines(tmp_path):
    text = """\
waivers:
  - id: W-1
    checks: [branch-protecton, waiver-governance]
    repositories: ["example-org/legacy-*"]
    scopes: ["github:example-org"]
    reason: " "
    ticket: CHG-1
    requester: Maria  Silva
    approver: "@maria silva"
    from: 2026-04-01T00:00:00Z
    until: 2026-09-01T00:00:00Z
  - id: w-1
    checks: []
    reason: r
    ticket: CHG-2
    requester: maria
    approver: release-manager
    from: 2026-04-01T00:00:00Z
    until: 2026-04-01T00:00:00Z
  - id: W-3
    checks: [branch-protection]
    subjects: ["*:*"]
    severity_at_most: huge
    reason: r
    ticket: CHG-2
    requester: maria
    from: 2026-04-01
    expires: 2026-05-01T00:00:00Z
"""
    found = problems(tmp_path, text, checks=["branch-protection", "direct-push"])

    assert [line.split(":")[1] for line in found] == [
        *("2", "3", "6", "9", "11"),
        *("12", "12", "13", "19"),
        *("20", "20", "22", "23", "27", "28"),
    ]
    told = "\n".join(found)
    for words in (
        "waivers.yaml:2: waivers[0]: has scopes and repositories; write one of them",
        "there is no check 'branch-protecton'; did you mean 'branch-protection'?",
        "'@maria silva' is the requester too; somebody else must approve",
        "is 153 days after 'from'; a waiver lasts at most 90: write 2026-06-30T00:00:00Z or sooner",
        "waivers.yaml:12: waivers[1]: does not say what it covers; write one of subjects, scopes",
        "'w-1' is given before, in line 2; each needs its own",
        "is not after 'from'",
        "'*:*' covers whatever comes; write what is meant",
        "waivers.yaml:20: waivers[2].approver: is missing; write it: Who approved it: somebody else",
        "waivers.yaml:20: waivers[2].until: is missing",
        "'2026-04-01' is not a date and time; write it with its zone",
        "waivers[2].expires: is not a key here",
    ):
        assert words in told, (words, told)


def test_a_waiver_of_waivers_cannot_be(tmp_path):
    text = "waivers:\n" + ENTRY.format(
        id="W-1", approver="boss", start="2026-04-01T00:00:00Z", until="2026-05-01T00:00:00Z"
    ).replace("branch-protection", "waiver-governance")
    (told,) = problems(tmp_path, text)
    assert "'waiver-governance' cannot be waived" in told


@pytest.mark.parametrize(
    ("left", "right"),
    [("maria", "Maria"), ("maria", " maria "), ("maria", "@maria"), ("STRASSE", "straße"), ("maria", "ｍａｒｉａ")],
)
def test_one_person_under_two_spellings_is_one(left, right):
    assert same_person(left, right)
    assert not same_person(left, "pedro")


@pytest.mark.parametrize("hidden", ["\u200b", "\u00ad", "\u2060", "\u200d", "\ue000"])
def test_a_name_with_a_letter_that_cannot_be_seen_is_refused(tmp_path, hidden):
    text = "waivers:\n" + ENTRY.format(
        id="W-1", approver=f'"mar{hidden}ia"', start="2026-04-01T00:00:00Z", until="2026-05-01T00:00:00Z"
    )
    assert "cannot be seen" in problems(tmp_path, text)[0]


@pytest.mark.parametrize(
    "text",
    [
        b"waivers: &a [*a]",
        b"waivers: !!python/object:os.system ls",
        b"waivers: [[[[[[",
        b"\xff\xfe\x00",
        b"\x00",
        b"waivers: 7",
        b"waivers: {a: b}",
        b"waivers: [1, null, [], {}]",
        b"- waivers",
        b"waivers: []\n---\nwaivers: []",
        b"waivers: []\nwaivers: []",
        b"[" * 100_000,
        b"waivers:\n" + b"  - {id: W}\n" * 30_000,
        b"x" * 2_000_000,
    ],
    ids=range(14),
)
def test_hostile_files_are_refused_in_words_and_in_time(tmp_path, text):
    before = time.monotonic()
    assert problems(tmp_path, text)
    assert time.monotonic() - before < 30


@pytest.mark.parametrize("kind", ["fifo", "folder", "dangling"])
def test_what_is_no_file_is_told_and_never_taken_for_no_waivers(tmp_path, kind):
    import os

    path = tmp_path / "waivers.yaml"
    {"fifo": lambda: os.mkfifo(path), "folder": path.mkdir, "dangling": lambda: path.symlink_to("nowhere")}[kind]()
    waivers, _, mistakes = examine_waivers(path, Terms())
    assert waivers is None
    assert len(mistakes) == 1


@given(st.binary(max_size=400))
def test_no_bytes_make_it_raise(tmp_path_factory, content):
    path = tmp_path_factory.getbasetemp() / "waivers.yaml"
    path.write_bytes(content)
    waivers, _, mistakes = examine_waivers(path, Terms(checks=["branch-protection"]))
    assert (waivers is None) == bool(mistakes)


def test_it_counts_from_its_start_to_its_end_which_no_longer_counts():
    one = waiver()
    at = [START - timedelta(microseconds=1), START, one.until - timedelta(microseconds=1), one.until]
    assert [one.in_force(moment) for moment in at] == [False, True, True, False]
    assert [Waivers((one,)).covering(result(), moment) for moment in at] == [None, one, one, None]


@pytest.mark.parametrize("outcome", list(Outcome))
def test_only_failures_and_unknowns_are_covered(outcome):
    assert waiver().reaches(result(outcome=outcome)) == (outcome in (Outcome.FAIL, Outcome.UNKNOWN))


def test_it_covers_its_checks_alone():
    assert not waiver().reaches(result(check="direct-push"))


@pytest.mark.parametrize(
    ("most", "covered"),
    [("critical", "critical high medium low"), ("medium", "medium low"), ("low", "low")],
)
def test_what_is_more_severe_than_was_accepted_is_not_covered(most, covered):
    one = waiver(severity_at_most=most)
    assert [s.value for s in Severity if one.reaches(result(severity=s))] == covered.split()


@pytest.mark.parametrize(
    ("terms", "more", "reached"),
    [
        ({}, {}, True),
        ({}, {"scope": "github:EXAMPLE-ORG/Legacy-Shop"}, True),
        ({}, {"scope": "github:example-org/shop"}, False),
        ({}, {"scope": "github:example-org/legacy-shop/x"}, False),
        ({}, {"scope": "aws:example-org/legacy-shop"}, False),
        ({"scopes": ["aws:111122223333"]}, {"scope": "aws:111122223333:eu-west-1"}, True),
        ({"scopes": ["aws:111122223333"]}, {"scope": "aws:1111222233334"}, False),
        ({"scopes": ["aws:11112222333"]}, {"scope": "aws:111122223333"}, False),
        ({"scopes": ["github:example-org"]}, {}, True),
        ({"scopes": ["*:111122223333:eu-*"]}, {"scope": "aws:111122223333:eu-west-1"}, True),
        ({"scopes": ["aws:111122223333:eu-west-1"]}, {"scope": "aws:111122223333"}, False),
        ({"subjects": ["github:repository:7:branch:*"]}, {}, True),
        ({"subjects": ["github:repository:7:branch"]}, {}, False),
        ({"subjects": ["github:repository:*"]}, {}, False),
        ({"subjects": ["github:repository:7:branch:MAIN"]}, {}, False),
        (
            {"identities": ["arn:aws:iam::111122223333:role/ci-*"]},
            {"actor": "arn:aws:iam::111122223333:role/ci-1"},
            True,
        ),
        (
            {"identities": ["arn:aws:iam::111122223333:role/ci-*"]},
            {"observed": {"identity": "arn:aws:iam::111122223333:role/ci-1"}},
            True,
        ),
        (
            {"identities": ["arn:aws:iam::111122223333:role/ci"]},
            {"actor": "arn:aws:iam::111122223333:role/ci/x"},
            False,
        ),
        ({"identities": ["maria"]}, {"actor": "", "observed": {"identity": ["maria"]}}, False),
    ],
)
def test_it_reaches_what_its_pattern_stands_for_and_no_more(terms, more, reached):
    assert waiver(**terms).reaches(result(**more)) == reached


def test_the_first_of_the_file_covers_and_one_that_is_over_gives_way():
    old = waiver(id="old", until="2026-05-01T00:00:00Z")
    new = waiver(id="new")
    both = Waivers((old, new))
    assert both.covering(result(), START) is old
    assert both.covering(result(), old.until) is new
    assert both.get("new") is new
    assert both.get("none") is None


@given(st.text(max_size=60), st.text(max_size=60))
def test_reach_is_total_and_never_crosses_the_end_of_a_part(pattern, text):
    if within(pattern, text) and "*" not in pattern and "?" not in pattern:
        assert text == pattern or text[: len(pattern) + 1] in (f"{pattern}:", f"{pattern}/")


def test_many_wildcards_against_long_text_take_no_time():
    chance = random.Random(7)
    text = "".join(chance.choice("ab") for _ in range(5_000)) + "c"
    before = time.monotonic()
    assert not within("*a*a*a*a*a*a*a*a*a*a*a*d", text)
    assert time.monotonic() - before < 2
