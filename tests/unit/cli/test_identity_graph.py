"""The picture of an identity: well-formed and harmless whatever names say, coloured by the verdicts, and bounded."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any
from xml.etree import ElementTree as ET

import pytest

from monitor.cli.identity_boxes import MOST, boxes_of_rights, boxes_of_ways, short
from monitor.cli.identity_graph import COLUMN, WIDTH, Box, Picture, svg, wrapped
from monitor.facts.access import Access, Granted, Power
from monitor.facts.identity import Credential, Identity
from monitor.facts.trust import ClaimTest, TrustPath
from monitor.model import Outcome, Result, Severity, Unknown

AT = datetime(2026, 3, 14, tzinfo=UTC)
ACCOUNT, GITHUB = "111122223333", "token.actions.githubusercontent.com"
NAME = f"arn:aws:iam::{ACCOUNT}:role/web-deploy"
HOSTILE = [
    "<script>alert(1)</script>",
    "]]>",
    "<![CDATA[",
    "&amp;&#x3c;&lol;",
    "\"' onload='x'",
    "<!DOCTYPE x [<!ENTITY y SYSTEM 'file:///etc/passwd'>]>",
    "\x00\x1b[31m\x07\x0b\x7f\x85",
    "\ud800",
    "\ufffe\uffff",
    "\u202eright to left\u2066",
    "\u05e9\u05dc\u05d5\u05dd",
    "\u6f22" * 200,
    "x" * 5000,
    "\n\r\t",
    "javascript:alert(1)",
    "{}%s%n{0}",
    "",
]
SHAPES = "{http://www.w3.org/2000/svg}"


def picture(*ways: Box, rights: tuple[Box, ...] = (), **more: Any) -> Picture:
    given = {
        "title": "web-deploy",
        "subtitle": "role in prod",
        "verdict": "fail",
        "heading": NAME,
        "note": "read today",
    }
    return Picture(ways_in=ways, rights=rights, **(given | more))


def drawn(found: Picture) -> ET.Element:
    text = svg(found)
    text.encode()
    return ET.fromstring(text)  # noqa: S314 - it is ours, and that it is harmless is what is tested


def texts(root: ET.Element) -> list[str]:
    return [one.text or "" for one in root.iter(f"{SHAPES}text")]


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_names_make_a_well_formed_picture_that_runs_and_loads_nothing(text: str) -> None:
    boxes = tuple(
        Box(title=text, detail=text, why=text, whole=text, verdict=one) for one in ("fail", "unknown", "pass", "plain")
    )
    root = drawn(picture(*boxes, rights=boxes, title=text, subtitle=text, heading=text, note=text))
    tags = {one.tag.removeprefix(SHAPES) for one in root.iter()}
    assert tags <= {"svg", "rect", "text", "title", "g", "path", "circle"}
    for one in root.iter():
        assert not any(name.startswith("on") or "href" in name for name in one.attrib)
        assert not any(
            "url(" in value or "javascript" in value for name, value in one.attrib.items() if name != "aria-label"
        )
    words = svg(picture(*boxes))
    assert "<script" not in words and "<!" not in words and "<?" not in words
    assert re.findall(r"https?://[^\"]+", words) == ["http://www.w3.org/2000/svg"]


@pytest.mark.parametrize("text", HOSTILE)
def test_no_line_is_longer_than_its_box(text: str) -> None:
    root = drawn(picture(Box(title=text, detail=text, why=text)))
    assert all(len(line) < 140 for line in texts(root))
    assert len(texts(root)) < 30


def test_each_box_has_the_colour_of_its_verdict_and_its_line_too() -> None:
    colours = {"fail": "#b3261e", "unknown": "#7b4bb3", "pass": "#1e7d45", "plain": "#6b7783"}
    for verdict, colour in colours.items():
        root = drawn(picture(Box(title="x", verdict=verdict), verdict="plain"))
        (bar,) = [one for one in root.iter(f"{SHAPES}rect") if one.get("width") == "5"]
        (line,) = [one for one in root.iter(f"{SHAPES}path") if one.get("stroke-opacity")]
        assert (bar.get("fill"), line.get("stroke")) == (colour, colour)
        assert (line.get("stroke-dasharray") is not None) == (verdict == "unknown")
        framed = drawn(picture(verdict=verdict))
        assert colour in [one.get("stroke") for one in framed.iter(f"{SHAPES}rect")]


def test_trust_is_on_the_left_and_rights_are_on_the_right_and_no_two_boxes_overlap() -> None:
    ways = tuple(Box(title=f"way {n}", detail="long words " * n, why="why " * n, verdict="fail") for n in range(9))
    rights = tuple(Box(title=f"right {n}") for n in range(4))
    root = drawn(picture(*ways, rights=rights))
    boxes = [
        (float(one.get("x", 0)), float(one.get("y", 0)), float(one.get("height", 0)))
        for one in root.iter(f"{SHAPES}rect")
        if one.get("width") == str(COLUMN)
    ]
    assert [sum(x < WIDTH / 2 for x, _, _ in boxes), sum(x > WIDTH / 2 for x, _, _ in boxes)] == [9, 4]
    assert all(x + COLUMN <= WIDTH for x, _, _ in boxes)
    for side in (True, False):
        column = sorted((y, high) for x, y, high in boxes if (x < WIDTH / 2) is side)
        assert all(y + high <= below for (y, high), (below, _) in zip(column, column[1:], strict=False))
    assert max(y + high for _, y, high in boxes) <= float(root.get("height", 0))


def test_nothing_on_a_side_is_said() -> None:
    words = texts(drawn(picture()))
    assert "nobody that is known" in words and "nothing that is written" in words


def test_the_whole_of_a_cut_text_stands_in_the_tooltip() -> None:
    whole = "repo:example-org/" + "x" * 300
    root = drawn(picture(Box(title="t", detail=whole, whole=whole)))
    assert whole in [one.text for one in root.iter(f"{SHAPES}title")]


def test_text_is_broken_at_words_and_loses_nothing_unless_it_is_cut() -> None:
    text = "sub is repo:example-org/payments:environment:production; aud is sts.amazonaws.com"
    lines = wrapped(text, 12.5, 300, 9)
    assert re.sub(r"\s", "", "".join(lines)) == re.sub(r"\s", "", text)
    assert wrapped(text, 12.5, 300, 1)[0].endswith("…")
    assert wrapped("", 12.5, 300, 3) == []
    assert len(wrapped("W" * 1000, 14, 60, 3, bold=True)) == 3


# What the boxes say.


def identity(**more: Any) -> Identity:
    given: dict[str, Any] = {
        "provider": "aws",
        "account": ACCOUNT,
        "id": "AROA1",
        "name": NAME,
        "kind": "role",
        "at": AT,
    }
    return Identity(**(given | more))


def token(sub: str = "repo:example-org/web:ref:refs/heads/main", **more: Any) -> TrustPath:
    tests = (ClaimTest(claim="aud", patterns=("sts.amazonaws.com",)), ClaimTest(claim="sub", patterns=(sub,)))
    given: dict[str, Any] = {"principal": f"arn:aws:iam::{ACCOUNT}:oidc-provider/{GITHUB}", "issuer": GITHUB}
    return TrustPath(kind="token", action="sts:AssumeRoleWithWebIdentity", by="trust#1", tests=tests, **(given | more))


def power(kind: str = "escalation", rule: str = "lambda-create-function", **more: Any) -> Power:
    given: dict[str, Any] = {"severity": Severity.HIGH, "actions": ("iam:PassRole",), "by": ("own#1",)}
    return Power(kind=kind, rule=rule, **(given | more))


def result(check: str, part: str, outcome: Outcome = Outcome.FAIL, **observed: Any) -> Result:
    return Result(
        check=check, subject=f"aws:identity:{ACCOUNT}:AROA1:{part}", outcome=outcome, severity=Severity.HIGH,
        reason="r", observed=observed,
    )  # fmt: skip


def trust(*verdicts: tuple[str, str], by: str = "trust#1", kind: str = "token") -> Result:
    return result(
        "deploy-trust", "trust", paths=[{"kind": kind, "by": by, "verdict": one, "why": why} for one, why in verdicts]
    )


def ways(*paths: TrustPath, results: tuple[Result, ...] = (), **more: Any) -> tuple[Box, ...]:
    return boxes_of_ways(Access(identity=identity(trust=paths, **more), paths=paths), results)


def rights(*powers: Power, results: tuple[Result, ...] = (), granted: Any = (), **more: Any) -> tuple[Box, ...]:
    return boxes_of_rights(Access(identity=identity(), powers=powers, granted=granted, **more), results)


def test_a_way_bears_the_verdict_of_the_check_and_why() -> None:
    paths = token(), token("repo:example-org/web:pull_request"), token("x")
    found = ways(*paths, results=(trust(("pass", ""), ("fail", "lets in more"), ("unknown", "was not read")),))
    assert [(box.verdict, box.why) for box in found] == [
        ("fail", "lets in more"),
        ("unknown", "was not read"),
        ("pass", ""),
    ]
    assert found[0].detail.startswith("sub is repo:example-org/web:pull_request")


@pytest.mark.parametrize(
    "results", [(), (trust(),), (trust(("pass", ""), by="trust#9"),), (trust(("not-applicable", "")),)]
)
def test_a_way_that_was_not_judged_is_never_shown_as_fine(results: tuple[Result, ...]) -> None:
    assert [box.verdict for box in ways(token(), results=results)] == ["plain"]


def test_a_dead_way_says_so() -> None:
    (box,) = ways(token(dead="the provider is gone"), results=(trust(("pass", "")),))
    assert (box.verdict, box.detail) == ("plain", "can never be used: the provider is gone")


def test_a_way_through_others_names_them_shortly_and_in_full_in_the_tooltip() -> None:
    via = f"arn:aws:iam::{ACCOUNT}:role/ci/hub", "arn:aws:iam::444455556666:role/far"
    (box,) = ways(token(via=via))
    assert box.detail.startswith("through role/hub, then role/far in 444455556666; sub is ")
    assert all(name in box.whole for name in via)


def test_demands_that_were_not_evaluated_are_told() -> None:
    (box,) = ways(token(unclear=(Unknown("the condition is odd"),)))
    assert "not evaluated: the condition is odd" in box.detail


def test_who_holds_a_key_is_among_those_who_can_become_it() -> None:
    keys = Credential(kind="access-key", id="AKIA1"), Credential(kind="password", id="p", active=False)
    (box,) = ways(credentials=keys, results=(result("deploy-credentials", "credentials"),))
    assert (box.title, box.detail, box.verdict) == ("Whoever holds its access key", "AKIA1", "fail")
    (unread,) = ways(credentials=Unknown("the report was not read"))
    assert "was not read" in unread.detail


def test_a_declared_power_is_fine_and_one_like_it_elsewhere_is_not() -> None:
    here, there = power(reaches="role/a"), power(reaches="role/b")
    declared = [{"kind": here.kind, "rule": here.rule, "reaches": "role/a", "resources": ["*"]}]
    found = rights(here, there, results=(result("deploy-privilege", "privilege", declared=declared),))
    assert {box.title.rpartition(" ")[2]: box.verdict for box in found} == {"role/a": "pass", "role/b": "fail"}


def test_a_power_under_a_condition_is_unknown_and_says_which() -> None:
    found = rights(power(conditions=("Bool mfa true",)), results=(result("deploy-privilege", "privilege"),))
    assert (found[0].verdict, found[0].why) == ("unknown", "only where Bool mfa true")


def test_powers_of_what_was_not_judged_are_plain() -> None:
    assert [box.verdict for box in rights(power())] == ["plain"]
    unused = result("deploy-privilege", "unused")
    assert [box.verdict for box in rights(power(), results=(unused,))] == ["plain"]


def test_many_powers_that_differ_by_their_service_are_one_box() -> None:
    many = [power("destroys-data", f"svc{n}", actions=(f"svc{n}:Delete",)) for n in range(30)]
    found = rights(*many, results=(result("deploy-privilege", "privilege"),))
    assert [box.title for box in found] == ["destroys-data: 30 services"]
    assert found[0].detail.endswith("and 6 more")
    assert len(rights(*many[:3])) == 3


def test_what_could_not_be_read_is_one_box_that_is_unknown() -> None:
    lost = Unknown("denied")
    assert [box.verdict for box in boxes_of_rights(Access(identity=identity(), granted=lost, powers=lost), ())] == [
        "unknown"
    ]
    assert [box.verdict for box in boxes_of_ways(Access(identity=identity(), paths=lost), ())] == ["unknown"]


def test_services_that_it_writes_to_are_counted_in_a_steady_order() -> None:
    given = Granted(writes=("ecs:A", "ecs:B", "iam:C", "s3:D"), services=("ecs", "iam", "s3"))
    assert rights(granted=(given,))[0].detail == "ecs 2, iam 1, s3 1"
    permissions = Granted(writes=("run.services.update", "run.jobs.run"), services=("run",))
    assert rights(granted=(permissions,))[0].detail == "run 2"


def test_many_ways_are_bounded_and_their_number_is_told() -> None:
    paths = [token(f"repo:example-org/r{n}:ref:refs/heads/main") for n in range(5000)]
    found = ways(*paths)
    assert len(found) == MOST + 1
    assert found[-1].title == f"and {5000 - MOST} more"
    assert len(svg(picture(*found))) < 100_000


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        (NAME, "role/web-deploy"),
        (f"arn:aws:iam::{ACCOUNT}:role/a/b/c", "role/c"),
        ("arn:aws:iam::444455556666:user/x", "user/x in 444455556666"),
        (f"arn:aws:sts::{ACCOUNT}:assumed-role/x/y", "assumed-role/y"),
        ("admin", "admin"),
        ("arn:aws:s3:::bucket/*", "arn:aws:s3:::bucket/*"),
        ("a@example-prod.iam.gserviceaccount.com", "a@example-prod.iam.gserviceaccount.com"),
    ],
)
def test_identities_of_the_same_account_go_by_their_kind_and_name(name: str, shown: str) -> None:
    assert short(name, ACCOUNT) == shown
