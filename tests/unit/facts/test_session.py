"""The join: which session a write belongs to, and how its credentials came to be."""

from __future__ import annotations

import random
import re
from datetime import datetime, timedelta
from typing import Any

import pytest

from monitor.facts.change import Actor
from monitor.facts.session import Exchanges, Sight, join, session_id, stem
from tests.unit.facts.made import (
    AT,
    DATA,
    PAYMENTS,
    PERSON,
    TOOLING,
    exchange,
    joined,
    minute,
    one,
    role_actor,
    user_actor,
    write,
)

HUB = role_actor("pipeline-hub", "ASIAHUB", account=TOOLING)


class TestSessionId:
    def test_calls_of_one_session_share_it_whatever_their_times(self) -> None:
        writes = [write("a"), write("b", time=minute(200)), write("c", action="x:Y", region="eu-west-1")]
        assert len({session_id(w) for w in writes}) == 1

    def test_two_keys_of_one_name_and_second_are_two_sessions_of_one_stem(self) -> None:
        # Whoever takes a role chooses the session's name, and may hit the second: the key alone is AWS's choice.
        names = [session_id(write(actor=role_actor(key=key))) for key in ("ASIA1", "ASIA2", "")]
        assert len(set(names)) == 3
        assert {stem(name) for name in names} == {names[2]}
        assert all(re.fullmatch(r"-[0-9a-f]{8}", name.removeprefix(names[2])) for name in names[:2])
        assert "ASIA" not in "".join(names)

    def test_a_persons_calls_share_it_whatever_their_keys(self) -> None:
        # The console makes a key for almost every call.
        names = [session_id(write(actor=role_actor(key=key, human="from the console"))) for key in ("ASIA1", "ASIA2")]
        assert len({*names, session_id(write(actor=role_actor(key="")))}) == 1

    def test_keys_that_do_not_end_have_no_stem_but_the_whole(self) -> None:
        name = session_id(write(actor=user_actor()))
        assert stem(name) == name

    @pytest.mark.parametrize(
        "other",
        [
            write(actor=role_actor("payments-deploy-2")),
            write(actor=role_actor(name="run-2")),
            write(actor=role_actor(session_started=AT + timedelta(seconds=1))),
            write(account=DATA),
            write(provider="gcp"),
            write(actor=role_actor(kind="FederatedUser")),
            write(actor=user_actor()),
        ],
        ids=["role", "session name", "start", "account", "provider", "kind", "user"],
    )
    def test_other_sessions_do_not(self, other: Any) -> None:
        assert session_id(other) != session_id(write())

    def test_roles_stay_apart_where_the_record_gives_neither_arn_nor_principal(self) -> None:
        def bare(role: str) -> Actor:
            principals = (f"arn:aws:iam::{PAYMENTS}:role/{role}",)
            return role_actor(role, name="", principals=principals, principal_id="", access_key="")

        nameless = [bare(role) for role in ("payments-deploy", "developer")]
        unnamed = [Actor(kind=a.kind, name="unknown", principals=a.principals, session_started=AT) for a in nameless]
        assert len({session_id(write(actor=actor)) for actor in unnamed}) == 2

    def test_keys_that_do_not_end_are_told_by_holder_key_and_day(self) -> None:
        first = session_id(write(actor=user_actor(), time=datetime.fromisoformat("2026-03-09T00:00:00+00:00")))
        assert session_id(write(actor=user_actor(), time=datetime.fromisoformat("2026-03-09T23:59:59+00:00"))) == first
        assert session_id(write(actor=user_actor(), time=datetime.fromisoformat("2026-03-10T00:00:00+00:00"))) != first
        assert session_id(write(actor=user_actor(key="AKIA2"))) != first
        assert session_id(write(actor=user_actor("other"))) != first

    @pytest.mark.parametrize("account", ["", "1/../2", "=cmd", "\u0661\u0662", "a\nb", "\ud800"])
    def test_nothing_from_outside_is_in_it(self, account: str) -> None:
        hostile = role_actor(name="\ud800<script>", principal_id="x\ny\u202e", kind='"')
        assert session_id(write(actor=hostile, account=account)).startswith("aws:unknown:session:")
        assert session_id(write(actor=hostile)).startswith(f"aws:{PAYMENTS}:session:")
        assert session_id(write(actor=hostile)).isascii()


class TestChain:
    def test_a_token_is_an_origin(self) -> None:
        session = one(exchanges=[exchange()])
        assert ([e.id for e in session.chain], session.chain_end) == (["x-ASIA1"], None)

    @pytest.mark.parametrize("kind", ["web-identity", "saml", "certificate", "service"])
    def test_origins_end_the_chain_whole(self, kind: str) -> None:
        origin = exchange("ASIAHUB", kind, Actor(access_key="ASIABEYOND"))
        session = one(exchanges=[exchange(kind="role", source=HUB), origin, exchange("ASIABEYOND")])
        assert ([e.access_key for e in session.chain], session.chain_end) == (["ASIA1", "ASIAHUB"], None)

    def test_a_users_own_key_is_an_origin(self) -> None:
        session = one(exchanges=[exchange(kind="role", source=user_actor())])
        assert (len(session.chain), session.chain_end) == (1, None)

    def test_a_users_temporary_key_is_followed_further(self) -> None:
        borrowed = user_actor(key="ASIAMFA", session_started=AT)
        session = one(exchanges=[exchange(kind="role", source=borrowed)])
        assert session.chain_end is not None
        token = exchange("ASIAMFA", "session", user_actor())
        assert one(exchanges=[exchange(kind="role", source=borrowed), token]).chain_end is None

    def test_a_lost_link_is_unknown_and_says_what_would_tell(self) -> None:
        session = one(exchanges=[exchange(kind="role", source=HUB)])
        assert session.chain_end is not None
        assert "pipeline-hub" in session.chain_end.reason
        assert TOOLING in session.chain_end.grant

    def test_no_exchange_at_all_is_unknown(self) -> None:
        session = one()
        assert (session.chain, session.chain_end is None) == ((), False)

    def test_long_lived_keys_need_no_exchange(self) -> None:
        session = one(write(actor=user_actor()))
        assert (session.chain, session.chain_end) == ((), None)

    def test_a_circle_ends(self) -> None:
        session = one(exchanges=[exchange(kind="role", source=HUB), exchange("ASIAHUB", "role", role_actor())])
        assert session.chain_end is not None
        assert len(session.chain) <= 32

    def test_an_empty_key_joins_nothing(self) -> None:
        session = one(write(actor=role_actor(key="")), exchanges=[exchange("")])
        assert session.chain == ()

    @pytest.mark.parametrize("seed", range(6))
    def test_the_callers_copy_of_an_exchange_counts_in_any_order(self, seed: int) -> None:
        copies = [
            exchange(kind="role", source=HUB, id="caller", account=TOOLING),
            exchange(kind="role", source=Actor(kind="AWSAccount", account=TOOLING), id="a-target"),
            exchange(kind="role", source=Actor(kind="AWSAccount", account=TOOLING), id="z-target"),
            exchange("ASIAHUB"),
        ]
        random.Random(seed).shuffle(copies)
        session = one(exchanges=copies)
        assert [e.id for e in session.chain] == ["caller", "x-ASIAHUB"]

    def test_a_key_without_an_exchange_borrows_none_and_calls_without_a_key_stay_apart(self) -> None:
        writes = [
            write("a", role_actor(key="ASIA0")),
            write("b"),
            write("c", role_actor(key="ASIA2")),
            write("d", role_actor(key="")),
        ]
        found = joined(writes, [exchange()])
        assert sorted(("".join(w.id for w in s.writes), len(s.chain)) for s in found) == [
            ("a", 0),
            ("b", 1),
            ("c", 0),
            ("d", 0),
        ]
        assert len({s.id for s in found}) == 4
        assert len({stem(s.id) for s in found}) == 1

    def test_calls_without_a_key_belong_to_the_only_session_of_that_name_and_second(self) -> None:
        session = one(write("a"), write("b", role_actor(key="")), exchanges=[exchange()])
        assert (len(session.writes), [e.access_key for e in session.chain]) == (2, ["ASIA1"])
        assert session.id == session_id(write("a"))

    def test_calls_without_a_key_are_not_adopted_by_another_holder_or_second(self) -> None:
        for other in (role_actor("payments-deploy-2"), role_actor(session_started=AT + timedelta(seconds=1))):
            found = joined([write("a", other), write("b", role_actor(key=""))], [exchange()])
            assert {s.writes[0].id: len(s.chain) for s in found} == {"a": 1, "b": 0}

    def test_calls_of_a_person_are_not_adopted_by_a_machines_key(self) -> None:
        found = joined([write("a"), write("b", role_actor(key="", human="from the console"))], [exchange()])
        assert {s.writes[0].id: len(s.chain) for s in found} == {"a": 1, "b": 0}

    def test_keys_that_the_console_makes_are_one_session(self) -> None:
        writes = [write(key, role_actor(key=key, human="from the console")) for key in ("ASIA0", "ASIA2")]
        assert len(one(*writes).writes) == 2


class TestJoin:
    def test_a_write_that_was_delivered_twice_is_there_once(self) -> None:
        assert len(one(write("a"), write("a"), write("b")).writes) == 2

    def test_one_id_with_other_bytes_is_another_write(self) -> None:
        session = one(write("a", sha256="1"), write("a", sha256="2", action="x:Y"), write("a", sha256="1"))
        assert sorted(w.action for w in session.writes) == ["ecs:UpdateService", "x:Y"]

    def test_four_hundred_writes_are_one_session_in_order_of_time(self) -> None:
        writes = [write(f"w{n}", PERSON, time=minute(n % 97)) for n in range(400)]
        session = one(*writes)
        assert len(session.writes) == 400
        assert [w.time for w in session.writes] == sorted(w.time for w in session.writes)
        assert len(session.story()["writes"]) == 400

    @pytest.mark.parametrize("seed", range(5))
    def test_the_order_of_events_and_exchanges_does_not_matter(self, seed: int) -> None:
        writes = [
            write(f"w{n}", a, time=minute(n % 3)) for n, a in enumerate([role_actor(), HUB, PERSON, user_actor()] * 3)
        ]
        exchanges = [
            exchange(),
            exchange("ASIAHUB", "role", PERSON),
            exchange("ASIAPERSON", "saml"),
            exchange(id="again"),
        ]
        expected = joined(writes, exchanges)
        random.Random(seed).shuffle(writes)
        random.Random(seed).shuffle(exchanges)
        assert joined(writes, exchanges) == expected
        assert [s.id for s in expected] == sorted(s.id for s in expected)

    def test_a_person_who_shows_in_any_write_is_seen_behind_the_session(self) -> None:
        session = one(write("a"), write("b", role_actor(human="from the console"), time=minute(9)))
        assert session.actor.human == "from the console"

    def test_whether_the_exchange_was_visible_is_asked_where_it_is_logged(self) -> None:
        # STS logs the exchange in the role's account. A write in another account says nothing of that account's log.
        asked: list[tuple[str, datetime]] = []

        def visible(account: str, moment: datetime) -> bool:
            asked.append((account, moment))
            return account == DATA

        (session,) = join([write(account=DATA)], Exchanges([]), visible)
        assert (PAYMENTS, AT) in asked
        assert not session.exchange_visible

    def test_without_a_start_nothing_can_be_visible(self) -> None:
        assert not one(write(actor=user_actor()), visible=True).exchange_visible
        assert one(write(), visible=True).exchange_visible

    def test_nothing_gives_nothing(self) -> None:
        assert joined([], [exchange()]) == ()

    def test_the_keys_of_another_session_in_the_same_second_do_not_lend_their_proof(self) -> None:
        # Whoever takes a role chooses the session's name; the second can be hit.
        by_token = write("a", role_actor(key="ASIATOKEN"))
        by_person = write("b", role_actor(key="ASIATAKEN"))
        found = joined([by_token, by_person], [exchange("ASIATOKEN"), exchange("ASIATAKEN", "role", PERSON)])
        assert {s.writes[0].id: [e.source.human != "" for e in s.chain] for s in found} == {"a": [False], "b": [True]}


class TestSight:
    SIGHT = Sight({PAYMENTS: AT}, ((PAYMENTS, minute(10), minute(20)),))

    @pytest.mark.parametrize(
        ("account", "moment", "seen"),
        [
            (PAYMENTS, AT, True),
            (PAYMENTS, minute(-1), False),
            (PAYMENTS, minute(9), True),
            (PAYMENTS, minute(10), False),
            (PAYMENTS, minute(15), False),
            (PAYMENTS, minute(20), False),
            (PAYMENTS, minute(21), True),
            (DATA, minute(30), False),
            ("", minute(30), False),
        ],
    )
    def test_a_moment_is_visible_where_it_was_read_and_not_blind(
        self, account: str, moment: datetime, seen: bool
    ) -> None:
        assert self.SIGHT.visible(account, moment) is seen

    def test_blindness_of_one_account_is_none_of_another(self) -> None:
        assert Sight({PAYMENTS: AT, DATA: AT}, ((DATA, AT, minute(60)),)).visible(PAYMENTS, minute(5))

    def test_nothing_is_visible_to_begin_with(self) -> None:
        assert not Sight().visible(PAYMENTS, AT)
