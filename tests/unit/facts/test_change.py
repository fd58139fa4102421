"""What a session tells of itself in a result: who, with which credentials, what in which order, from which objects."""

from __future__ import annotations

import msgspec
import pytest

from monitor.facts.change import Actor, ChangeSession
from monitor.model import EvidenceRef, Severity
from tests.unit.facts.made import PERSON, exchange, minute, one, role_actor, user_actor, write


def test_the_story_tells_every_write_and_which_are_accused() -> None:
    session = one(write("b", time=minute(2), severity=Severity.HIGH, what=("web",)), write("a", time=minute(1)))
    told = session.story({"b"})["writes"]
    assert [(w["id"], w["accused"], w["severity"], w["what"]) for w in told] == [
        ("a", False, "medium", []),
        ("b", True, "high", ["web"]),
    ]


def test_the_story_tells_each_address_and_agent_once() -> None:
    session = one(*(write(f"w{n}", source_ip=f"10.0.0.{n % 2}", user_agent="cli") for n in range(4)), write("x"))
    assert (session.story()["from"], session.story()["user_agents"]) == (["10.0.0.0", "10.0.0.1"], ["cli"])


def test_the_story_is_plain_data() -> None:
    session = one(write(actor=PERSON), exchanges=[exchange("ASIAPERSON", "saml")])
    assert msgspec.json.decode(msgspec.json.encode(session.story()))["account"] == session.account


def test_the_story_tells_why_the_chain_ends_short() -> None:
    assert one().story()["credentials_unknown"]
    assert one(exchanges=[exchange()]).story()["credentials_unknown"] == ""


@pytest.mark.parametrize(
    ("session", "person"),
    [
        (one(exchanges=[exchange()]), ""),
        (one(write(actor=PERSON)), "ada.ruiz@example.org"),
        (one(write(actor=user_actor())), f"arn:aws:iam::{PERSON.account}:user/admin"),
        (one(exchanges=[exchange(kind="role", source=PERSON)]), "ada.ruiz@example.org"),
        (one(exchanges=[exchange(kind="saml", session_name="ben@example.org")]), "ben@example.org"),
        (one(write(actor=role_actor(source_identity="chen"))), "chen"),
        (one(write(actor=role_actor(human="x", on_behalf_of="u-1"))), "u-1"),
        (one(), ""),
    ],
    ids=["token", "single sign-on", "user", "took the role", "saml", "source identity", "on behalf", "unknown"],
)
def test_the_story_names_the_person_nearest_to_the_origin(session: ChangeSession, person: str) -> None:
    assert session.story()["person"] == person


def test_secrets_are_not_told() -> None:
    told = msgspec.json.encode(one(exchanges=[exchange()]).story())
    assert b"sessionToken" not in told


def test_the_objects_that_hold_writes_and_exchanges_are_cited_once_each_by_name() -> None:
    shared = EvidenceRef(kind="log-object", name="shared", sha256="ef" * 32)
    session = one(
        write("a", evidence=shared), write("b", evidence=shared), write("c", evidence=None), exchanges=[exchange()]
    )
    assert [ref.name for ref in session.references()] == ["object-of-x-ASIA1", "shared"]


def test_an_actor_without_anything_is_told_without_anything() -> None:
    assert one(write(actor=Actor())).story()["actor"] == {}
