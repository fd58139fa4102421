"""What identities did by the audit log, joined with what the provider remembers."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.facts.change import Actor, ChangeEvent
from monitor.facts.identity import Identity, Use
from monitor.facts.usage import merged, right, used_by
from monitor.model import Unknown

AT = datetime(2026, 3, 14, tzinfo=UTC)
ROLE = "arn:aws:iam::111122223333:role/deploy/payments"
SESSION = "arn:aws:sts::111122223333:assumed-role/payments/run-7"


def identity(name: str = ROLE, **more: object) -> Identity:
    return msgspec.structs.replace(
        Identity(provider="aws", account="111122223333", id=name, name=name, kind="role", at=AT), **more
    )


def event(action: str, *principals: str, days: int = 1) -> ChangeEvent:
    return ChangeEvent(
        id=f"{action}{days}",
        time=AT - timedelta(days=days),
        provider="aws",
        account="111122223333",
        region="us-east-1",
        action=action,
        actor=Actor(principals=principals),
    )


def test_a_session_belongs_to_its_role_though_it_tells_no_path() -> None:
    used = used_by([identity()], [event("ecs:UpdateService", SESSION)])
    assert used == {ROLE: {"ecs:UpdateService": AT - timedelta(days=1)}}


def test_the_last_use_of_each_action_counts_whatever_the_order() -> None:
    events = [event("ecs:UpdateService", SESSION, days=n) for n in (5, 2, 9)] + [event("s3:PutObject", ROLE, days=3)]
    expected = {"ecs:UpdateService": AT - timedelta(days=2), "s3:PutObject": AT - timedelta(days=3)}
    assert used_by([identity()], events) == used_by([identity()], events[::-1]) == {ROLE: expected}


@pytest.mark.parametrize(
    "principal",
    [
        "arn:aws:sts::444455556666:assumed-role/payments/run-7",
        "arn:aws:sts::111122223333:assumed-role/payments-2/run-7",
        "arn:aws:sts::111122223333:assumed-role/run/payments",
        "arn:aws:sts::111122223333:federated-user/payments",
        "arn:aws:iam::111122223333:user/payments",
        "arn:aws:iam::111122223333:role/",
        "payments",
        "",
        ":::::",
        "arn:aws:sts",
    ],
)
def test_what_is_no_session_of_the_role_is_not_its_use(principal: str) -> None:
    assert used_by([identity()], [event("ecs:UpdateService", principal)]) == {}


def test_users_and_service_accounts_are_found_by_their_name() -> None:
    names = ["arn:aws:iam::111122223333:user/staff/dave", "deploy@example-prod.iam.gserviceaccount.com"]
    used = used_by([identity(name) for name in names], [event("run.services.update", *names)])
    assert set(used) == set(names)


def test_calls_of_an_earlier_role_of_the_same_name_are_not_its_use() -> None:
    born = identity(created_at=AT - timedelta(days=2))
    events = [event("ecs:UpdateService", SESSION, days=3), event("ecs:RunTask", SESSION, days=1)]
    assert set(used_by([born], events)[ROLE]) == {"ecs:RunTask"}


@pytest.mark.parametrize(
    ("told", "named"),
    [
        ("lambda:UpdateFunctionCode20150331v2", "lambda:UpdateFunctionCode"),
        ("lambda:Invoke20150331", "lambda:Invoke"),
        ("monitoring:PutMetricAlarm", "cloudwatch:PutMetricAlarm"),
        ("s3:PutBucketLifecycle", "s3:PutLifecycleConfiguration"),
        ("ecs:UpdateService", "ecs:UpdateService"),
        ("run.services.update", "run.services.update"),
        ("", ""),
    ],
)
def test_calls_are_named_as_policies_name_them(told: str, named: str) -> None:
    assert right(told) == named


def test_uses_of_the_log_and_of_the_provider_are_one_list_with_the_later_time() -> None:
    old, new = AT - timedelta(days=50), AT - timedelta(days=1)
    uses = (Use(service="ecs", at=old), Use(service="ecs", action="ecs:UpdateService"), Use(service="s3"))
    one = merged(identity(uses=uses), {"ECS:updateservice": new, "lambda:Invoke": old})
    assert one.uses == (
        Use(service="ecs", at=new),
        Use(service="ecs", action="ecs:UpdateService", at=new),
        Use(service="lambda", at=old),
        Use(service="lambda", action="lambda:Invoke", at=old),
        Use(service="s3"),
    )


def test_an_earlier_use_in_the_log_does_not_set_a_later_one_back() -> None:
    late = (Use(service="ecs", at=AT), Use(service="ecs", action="ecs:UpdateService", at=AT))
    assert merged(identity(uses=late), {"ecs:UpdateService": AT - timedelta(days=9)}).uses == late


def test_the_last_use_of_all_is_not_before_the_last_of_any() -> None:
    one = merged(identity(uses=(Use(service=""),)), {"ecs:UpdateService": AT})
    assert Use(service="", at=AT) in one.uses


def test_a_permission_of_gcp_is_of_the_service_before_its_first_dot() -> None:
    one = merged(identity(), {"run.services.update": AT})
    assert one.uses == (Use(service="run", at=AT), Use(service="run", action="run.services.update", at=AT))


def test_use_that_the_provider_does_not_tell_stays_unknown() -> None:
    unread = identity(uses=Unknown("denied", "iam:GenerateServiceLastAccessedDetails"))
    assert merged(unread, {"ecs:UpdateService": AT}) == unread


def test_without_uses_nothing_changes() -> None:
    assert merged(identity(), {}) == identity()


actions = st.sampled_from(["ecs:UpdateService", "ecs:RunTask", "s3:PutObject", "odd", ""])
uses = st.dictionaries(actions, st.integers(0, 99).map(lambda days: AT - timedelta(days=days)))


@settings(max_examples=100)
@given(first=uses, second=uses)
def test_joining_twice_in_either_order_is_the_same_and_loses_nothing(
    first: dict[str, datetime], second: dict[str, datetime]
) -> None:
    one = merged(merged(identity(), first), second)
    assert one == merged(merged(identity(), second), first)
    assert merged(one, first) == one
    assert isinstance(one.uses, tuple)
    kept = {use.action or use.service: use.at for use in one.uses}
    for action, at in ((action, at) for known in (first, second) for action, at in known.items() if action):
        last = kept[action]
        assert last is not None and last >= at


@settings(max_examples=100)
@given(principal=st.text(st.sampled_from("arn:awsi/-role*payments1"), max_size=40), action=st.text(max_size=20))
def test_no_principal_and_no_action_breaks_it(principal: str, action: str) -> None:
    used = used_by([identity(), identity(principal)], [event(action, principal)])
    assert all(isinstance(merged(identity(name), found).uses, tuple) for name, found in used.items())
