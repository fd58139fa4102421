"""Sinks, exclusions, log buckets and audit configs as facts, from answers as Cloud Logging and Resource Manager give them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.decode.gcp_issuing_log import issuing
from monitor.decode.gcp_log_settings import PlaceLogs, ProjectLogs, log_state, other_owners
from monitor.facts.audit_log import LogRoute
from monitor.model import Unknown
from tests.fakes.gcp.log_settings import DEFAULT, REQUIRED

AT = datetime(2026, 3, 14, tzinfo=UTC)
HERE, ABOVE = "projects/example-prod", "organizations/1"
DENIED = Unknown("denied", "logging.sinks.list on organizations/1")
AUDIT = 'logName:"cloudaudit.googleapis.com"'
BUCKET = f"{HERE}/locations/global/buckets/audit"
GOOGLES = (
    {"name": f"{HERE}/locations/global/buckets/_Required", "retentionDays": 400, "locked": True},
    {"name": f"{HERE}/locations/global/buckets/_Default", "retentionDays": 30},
)
STS, IAM = "sts.googleapis.com", "iam.googleapis.com"


def place(name: str = HERE, **more: Any) -> PlaceLogs:
    whole: dict[str, Any] = {"sinks": (), "exclusions": (), "buckets": GOOGLES if name == HERE else (), "policy": {}}
    return PlaceLogs(name=name, **{**whole, **more})


def state(*places: PlaceLogs, **more: Any):
    return log_state(ProjectLogs(project="example-prod", number="42", at=AT, places=places or (place(),), **more))


def sink(name: str = "audit", **more: Any) -> dict[str, Any]:
    return {"name": name, "destination": f"logging.googleapis.com/{BUCKET}", "filter": AUDIT, **more}


def route(*sinks: dict[str, Any], **more: Any) -> LogRoute:
    (found,) = state(place(sinks=sinks, **more)).routes
    return found


def test_a_sink_is_a_route_with_where_it_leads() -> None:
    kept = {"name": BUCKET, "retentionDays": 3650, "locked": True}
    found = route(sink(), buckets=(*GOOGLES, kept))
    assert (found.identifier, found.owner) == (f"{HERE}/sinks/audit", HERE)
    assert found.destination == f"logging.googleapis.com/{BUCKET}"
    assert (found.disabled, found.covers_children, found.narrowed_by, found.issuing_narrowed_by) == (
        False,
        False,
        (),
        (),
    )
    assert found.store
    assert (found.store.expires_after_days, found.store.locked) == (3650, True)


def test_the_number_of_the_project_is_its_id() -> None:
    by_number = "logging.googleapis.com/projects/42/locations/global/buckets/audit"
    kept = {"name": "projects/42/locations/global/buckets/audit", "retentionDays": 90}
    found = route(sink(destination=by_number, resourceName="projects/42/sinks/audit"), buckets=(*GOOGLES, kept))
    assert (found.owner, found.destination) == (HERE, f"logging.googleapis.com/{BUCKET}")
    assert found.store
    assert found.store.expires_after_days == 90
    assert other_owners((place(sinks=(sink(destination=by_number),)),), "example-prod", "42") == ()


def test_the_providers_own_log_is_on_where_it_is_seen() -> None:
    assert (state().always_on, state().kept_days) == (True, 400)
    assert isinstance(state(place(buckets=())).always_on, Unknown)
    assert state(place(buckets=DENIED)).kept_days is DENIED
    assert isinstance(
        state(place(buckets=({"name": f"{HERE}/locations/global/buckets/_Required"},))).kept_days, Unknown
    )


def test_googles_own_sinks_part_the_logs_between_them() -> None:
    required, default = state(
        place(sinks=(sink("_Required", filter=REQUIRED), sink("_Default", filter=DEFAULT)))
    ).routes[::-1]
    assert default.name == "_Default"
    required, default = sorted((required, default), key=lambda one: one.name, reverse=True)
    assert (required.narrowed_by, default.issuing_narrowed_by) == ((), ())
    assert required.issuing_narrowed_by
    assert default.narrowed_by
    assert required.built_in


@pytest.mark.parametrize(
    ("more", "told"),
    [
        ({"filter": f"{AUDIT} severity>=ERROR"}, "filter"),
        ({"filter": 'LOG_ID("syslog")'}, "filter"),
        ({"exclusions": [{"name": "quiet", "filter": "protoPayload.methodName:Delete"}]}, "exclusion quiet"),
        ({"exclusions": [{"name": "all", "filter": ""}]}, "exclusion all"),
        ({"exclusions": [{"filter": AUDIT, "disabled": False}]}, "exclusion without a name"),
    ],
)
def test_a_sink_that_leaves_something_out_says_what(more: dict[str, Any], told: str) -> None:
    found = route(sink(**more)).narrowed_by
    assert isinstance(found, tuple)
    assert found[0].startswith(told)


@pytest.mark.parametrize(
    "exclusions",
    [
        [{"name": "off", "filter": AUDIT, "disabled": True}],
        [{"name": "other", "filter": 'LOG_ID("syslog")'}],
        [{"name": "health", "filter": 'LOG_ID("syslog") AND severity<ERROR'}],
        None,
        [],
    ],
)
def test_exclusions_that_do_not_bear_on_the_log_are_nothing(exclusions: object) -> None:
    assert route(sink(exclusions=exclusions)).narrowed_by == ()


@pytest.mark.parametrize(
    "more",
    [
        {"filter": '"activity"'},
        {"filter": 7},
        {"exclusions": "x"},
        {"exclusions": [{"name": "x", "filter": '"activity"'}]},
        {"exclusions": [{"name": "x", "filter": 7}]},
    ],
)
def test_what_cannot_be_told_is_unknown(more: dict[str, Any]) -> None:
    assert isinstance(route(sink(**more)).narrowed_by, Unknown)


def test_listed_exclusions_are_those_of_the_default_sink() -> None:
    excluded = ({"name": "cheaper", "filter": 'LOG_ID("cloudaudit.googleapis.com/data_access")'},)
    sinks = (sink("_Default", filter=DEFAULT), sink())
    default, audit = state(place(sinks=sinks, exclusions=excluded)).routes
    assert isinstance(default.issuing_narrowed_by, tuple)
    assert default.issuing_narrowed_by[0].startswith("exclusion cheaper")
    assert audit.issuing_narrowed_by == ()
    default, _ = state(place(sinks=sinks, exclusions=DENIED)).routes
    assert default.issuing_narrowed_by == DENIED


def test_a_sink_above_that_takes_entries_away_narrows_those_below() -> None:
    taking = sink("taking", resourceName=f"{ABOVE}/sinks/taking", includeChildren=True, interceptChildren=True)
    required = sink("_Required", filter=REQUIRED)
    # The project lists it too; its owner's word counts where it can be read.
    for higher in (place(ABOVE, sinks=(taking,)), place(ABOVE, sinks=DENIED)):
        found = {one.name: one for one in state(place(sinks=(sink(), required, taking)), higher).routes}
        assert found["audit"].narrowed_by == (f"taken before it by {ABOVE}/sinks/taking",)
        assert (found["_Required"].narrowed_by, found["taking"].narrowed_by) == ((), ())
        assert (found["taking"].owner, found["taking"].covers_children) == (ABOVE, True)
    for harmless in ({"disabled": True}, {"filter": 'LOG_ID("syslog")'}, {"interceptChildren": False}):
        found = {
            one.name: one for one in state(place(sinks=(sink(),)), place(ABOVE, sinks=({**taking, **harmless},))).routes
        }
        assert found["audit"].narrowed_by == ()


def test_what_is_unread_is_named_with_its_place() -> None:
    broken = Unknown("denied", "resourcemanager.folders.get on folders/2")
    found = state(place(sinks=(sink(),)), place(ABOVE, sinks=DENIED), broken=broken)
    assert found.unread == ((ABOVE, DENIED), ("", broken))
    assert found.places == (HERE, ABOVE)
    nameless = state(place(sinks=(7, {"destination": "x"}, sink())))
    assert [name for name, _ in nameless.unread] == [HERE]
    assert [one.name for one in nameless.routes] == ["audit"]


def test_a_bucket_of_others_is_looked_up_there() -> None:
    end = "logging.googleapis.com/projects/central/locations/eu/buckets/audit"
    places = (place(sinks=(sink(destination=end),)),)
    assert other_owners(places, "example-prod", "42") == ("projects/central",)
    kept = ({"name": "projects/central/locations/eu/buckets/audit", "retentionDays": 365},)
    days = [
        log_state(ProjectLogs(project="example-prod", at=AT, places=places, elsewhere={"projects/central": elsewhere}))
        .routes[0]
        .store.expires_after_days  # type: ignore[union-attr]
        for elsewhere in (kept, DENIED, ())
    ]
    assert days[:2] == [365, DENIED]
    assert isinstance(days[2], Unknown)


def test_other_destinations_have_no_store() -> None:
    assert route(sink(destination="storage.googleapis.com/example-org-audit")).store is None
    assert route(sink(destination=None)).destination == ""


def test_a_bucket_that_is_being_deleted_is_gone_in_a_week() -> None:
    going = {"name": BUCKET, "retentionDays": 3650, "lifecycleState": "DELETE_REQUESTED"}
    found = route(sink(), buckets=(*GOOGLES, going)).store
    assert found
    assert found.expires_after_days == 7


# Audit configs.


def configs(*services: tuple[str, list[object]]) -> dict[str, Any]:
    return {"auditConfigs": [{"service": service, "auditLogConfigs": kinds} for service, kinds in services]}


def kind(name: str, *members: str) -> dict[str, Any]:
    return {"logType": name, **({"exemptedMembers": list(members)} if members else {})}


WHOLE = configs((STS, [kind("ADMIN_READ")]), (IAM, [kind("ADMIN_READ"), kind("DATA_READ")]))
EVERY = configs(("allServices", [kind("ADMIN_READ"), kind("DATA_READ")]))


@pytest.mark.parametrize(
    ("policies", "logged", "unlogged"),
    [
        ({HERE: {}}, (), (STS, IAM)),
        ({HERE: WHOLE}, (STS, IAM), ()),
        ({HERE: EVERY}, (STS, IAM), ()),
        ({HERE: {}, ABOVE: EVERY}, (STS, IAM), ()),
        ({HERE: configs((STS, [kind("ADMIN_READ")])), ABOVE: {}}, (STS,), (IAM,)),
        ({HERE: configs((IAM, [kind("ADMIN_READ"), kind("DATA_READ")]))}, (IAM,), (STS,)),
        # It is not configured by itself.
        (
            {HERE: configs(("iamcredentials.googleapis.com", [kind("ADMIN_READ")]), (STS, [kind("ADMIN_READ")]))},
            (STS,),
            (IAM,),
        ),
        ({HERE: configs((STS, [kind("DATA_READ"), kind("DATA_WRITE")]))}, (), (STS, IAM)),
        # What is on at one place is on, whatever could not be read.
        ({HERE: WHOLE, ABOVE: DENIED}, (STS, IAM), ()),
    ],
)
def test_issuing_is_logged_where_some_policy_says_so(
    policies: dict[str, object], logged: tuple[str, ...], unlogged: tuple[str, ...]
) -> None:
    assert issuing(policies, None)[:2] == (logged, unlogged)


def test_that_it_is_not_logged_takes_all_policies() -> None:
    for policies, broken in (({HERE: {}, ABOVE: DENIED}, None), ({HERE: {}}, DENIED), ({HERE: DENIED}, None)):
        data_access, unlogged, exempted = issuing(policies, broken)
        assert (data_access, unlogged, exempted) == (DENIED, (), DENIED)


def test_half_of_what_iam_logs_is_no_certainty() -> None:
    data_access, unlogged, _ = issuing({HERE: configs((STS, [kind("ADMIN_READ")]), (IAM, [kind("ADMIN_READ")]))}, None)
    assert isinstance(data_access, Unknown)
    assert (data_access.grant, unlogged) == (f"log DATA_READ of {IAM} as well", ())


def test_whoever_is_exempted_anywhere_is_told() -> None:
    here = configs(
        (STS, [kind("ADMIN_READ", "user:a@example.com")]), ("storage.googleapis.com", [kind("ADMIN_READ", "user:b@x")])
    )
    above = configs(
        ("allServices", [kind("DATA_READ", "user:c@example.com"), kind("DATA_WRITE", "user:d@example.com")])
    )
    found = (
        f"user:a@example.com: ADMIN_READ of {STS} at {HERE}",
        f"user:c@example.com: DATA_READ of allServices at {ABOVE}",
    )
    assert issuing({HERE: here, ABOVE: above}, None)[2] == found
    assert issuing({HERE: here, ABOVE: above}, DENIED)[2] == found


@pytest.mark.parametrize(
    "policy", [7, {"auditConfigs": 7}, configs((STS, [{"logType": "ADMIN_READ", "exemptedMembers": [7]}])), None]
)
def test_what_is_no_policy_is_unknown(policy: object) -> None:
    assert isinstance(issuing({HERE: policy}, None)[2], Unknown)


FIELDS = (
    "name",
    "destination",
    "filter",
    "exclusions",
    "disabled",
    "resourceName",
    "retentionDays",
    "auditConfigs",
    "service",
)
JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.sampled_from(["", "x", HERE, f"logging.googleapis.com/{BUCKET}", AUDIT]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(FIELDS), inner, max_size=4),
    max_leaves=8,
)


@given(listed=st.lists(JSON, max_size=3).map(tuple), policy=JSON)
def test_no_answer_makes_it_raise(listed: tuple[object, ...], policy: object) -> None:
    found = state(
        place(sinks=listed, exclusions=listed, buckets=listed, policy=policy), place(ABOVE, sinks=listed, policy=policy)
    )
    assert msgspec.json.encode(found)
