"""What is made of Google Cloud's answers, and how its questions are written."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.errors import Denied, Malformed, SourceError, Throttled, Unavailable
from monitor.sources.gcp import calls
from monitor.sources.gcp.wire import Again, Expired, Limited, Missing, Question, Rejected, Reply, judge
from tests.fakes.gcp import faults

NOW = datetime(2026, 3, 14, 2, 0, tzinfo=UTC)
SCOPE = "gcp:example-prod"
EMAIL = "deploy@example-prod.iam.gserviceaccount.com"


def reply(fault: faults.Fault) -> Reply:
    status, headers, body = fault
    return Reply(status=status, body=body, headers={name.lower(): value for name, value in headers.items()})


def verdict(fault: faults.Fault, ask: Question | None = None) -> SourceError | None:
    try:
        judge(ask or calls.keys("example-prod", EMAIL, SCOPE), reply(fault), NOW)
    except SourceError as error:
        return error
    return None


# Questions.


@pytest.mark.parametrize(
    ("ask", "name", "method", "path"),
    [
        (
            calls.place("projects/example-prod", SCOPE),
            "cloudresourcemanager.projects.get",
            "GET",
            "/v3/projects/example-prod",
        ),
        (calls.place("folders/12", SCOPE), "cloudresourcemanager.folders.get", "GET", "/v3/folders/12"),
        (
            calls.policy("organizations/1", SCOPE),
            "cloudresourcemanager.organizations.getIamPolicy",
            "POST",
            "/v3/organizations/1:getIamPolicy",
        ),
        (calls.role("roles/run.admin", SCOPE), "iam.roles.get", "GET", "/v1/roles/run.admin"),
        (
            calls.role("projects/example-prod/roles/r", SCOPE),
            "iam.projects.roles.get",
            "GET",
            "/v1/projects/example-prod/roles/r",
        ),
        (
            calls.role("organizations/1/roles/r", SCOPE),
            "iam.organizations.roles.get",
            "GET",
            "/v1/organizations/1/roles/r",
        ),
        (
            calls.accounts("example-prod", SCOPE),
            "iam.projects.serviceAccounts.list",
            "GET",
            "/v1/projects/example-prod/serviceAccounts?pageSize=100",
        ),
        (
            calls.account_policy("example-prod", EMAIL, SCOPE),
            "iam.projects.serviceAccounts.getIamPolicy",
            "POST",
            f"/v1/projects/example-prod/serviceAccounts/{EMAIL}:getIamPolicy?options.requestedPolicyVersion=3",
        ),
        (
            calls.keys("example-prod", EMAIL, SCOPE),
            "iam.projects.serviceAccounts.keys.list",
            "GET",
            f"/v1/projects/example-prod/serviceAccounts/{EMAIL}/keys?keyTypes=USER_MANAGED",
        ),
        (
            calls.pools("example-prod", SCOPE),
            "iam.projects.locations.workloadIdentityPools.list",
            "GET",
            "/v1/projects/example-prod/locations/global/workloadIdentityPools?pageSize=1000",
        ),
        (
            calls.providers("example-prod", "projects/7/locations/global/workloadIdentityPools/ci", SCOPE),
            "iam.projects.locations.workloadIdentityPools.providers.list",
            "GET",
            "/v1/projects/7/locations/global/workloadIdentityPools/ci/providers?pageSize=100",
        ),
        (
            calls.deny_policies("folders/12", SCOPE),
            "iam.policies.listPolicies",
            "GET",
            "/v2/policies/cloudresourcemanager.googleapis.com%2Ffolders%2F12/denypolicies",
        ),
        (
            calls.deny_policy(
                "folders/12", "policies/cloudresourcemanager.googleapis.com%2Ffolders%2F12/denypolicies/no", SCOPE
            ),
            "iam.policies.get",
            "GET",
            "/v2/policies/cloudresourcemanager.googleapis.com%2Ffolders%2F12/denypolicies/no",
        ),
    ],
)
def test_questions_are_written_as_google_documents_them(ask: Question, name: str, method: str, path: str) -> None:
    assert (ask.name, ask.method, ask.path) == (name, method, path)
    assert ask.service == name.partition(".")[0]
    assert ask.scope == SCOPE
    assert ask.permission.startswith(("iam.", "resourcemanager."))


def test_allow_policies_are_asked_for_with_their_conditions() -> None:
    ask = calls.policy("projects/example-prod", SCOPE)
    assert msgspec.json.decode(ask.content) == {"options": {"requestedPolicyVersion": 3}}
    assert ask.request["body"] == ask.content


def test_a_page_is_the_same_question_with_its_token() -> None:
    ask = calls.accounts("example-prod", SCOPE)
    second = ask.page("a b&c=/+")
    assert second.path == "/v1/projects/example-prod/serviceAccounts?pageSize=100&pageToken=a+b%26c%3D%2F%2B"
    assert second.page("d").path.endswith("?pageSize=100&pageToken=d")
    assert (ask.paged, second.paged) == (False, True)
    assert second.told == ask.told == "iam.projects.serviceAccounts.list projects/example-prod/serviceAccounts"


@given(st.text())
def test_no_name_from_outside_leads_elsewhere(name: str) -> None:
    makers = (
        lambda: calls.place(name, SCOPE),
        lambda: calls.policy(name, SCOPE),
        lambda: calls.role(name, SCOPE),
        lambda: calls.keys("example-prod", name, SCOPE),
        lambda: calls.account_policy("example-prod", name, SCOPE),
        lambda: calls.providers("example-prod", f"projects/7/locations/global/workloadIdentityPools/{name}", SCOPE),
        lambda: calls.deny_policies(name, SCOPE),
        lambda: calls.deny_policy("folders/1", f"policies/{name}/denypolicies/{name}", SCOPE),
    )
    for make in makers:
        try:
            ask = make()
        except Malformed:
            continue
        route = ask.path.partition("?")[0]
        assert route.isascii()
        assert not set(route) & set(' #\\<>"')
        assert not {".", "..", ""} & set(route.split("/")[1:])


@pytest.mark.parametrize("name", ["..", ".", "", "a/b", "a?b", "a#b", "a b", "%2e%2e", "é", "a\nb", "x" * 500])
def test_hostile_names_are_quoted_or_refused(name: str) -> None:
    try:
        path = calls.keys("example-prod", name, SCOPE).path
    except Malformed:
        return
    assert path.startswith("/v1/projects/example-prod/serviceAccounts/")
    assert path.count("/") == 6


# Answers.


def test_an_answer_is_a_json_object() -> None:
    ask = calls.keys("example-prod", EMAIL, SCOPE)
    assert judge(ask, reply(faults.answer({"keys": []})), NOW) == {"keys": []}


@pytest.mark.parametrize("body", [b"", b"[]", b"null", b"7", b"{", b"<html>", b"\xff", b'{"a":' * 5000, b'"secret"'])
def test_anything_else_is_malformed_and_not_repeated(body: bytes) -> None:
    error = verdict(faults.answer(body))
    assert isinstance(error, Malformed)
    assert "secret" not in error.what


@pytest.mark.parametrize(
    ("fault", "kind"),
    [
        (faults.spent(), Limited),
        (faults.spent_the_old_way(), Limited),
        (faults.delayed("3.5s"), Limited),
        (faults.broken(500), Again),
        (faults.broken(503), Again),
        (faults.broken(504), Again),
        (faults.rejected(), Rejected),
        (faults.denied(), Denied),
        (faults.missing(), Missing),
        (faults.told(400, "Invalid"), Unavailable),
        (faults.told(409, "Conflict"), Unavailable),
        ((302, {"Location": "https://elsewhere.example"}, b""), Unavailable),
    ],
)
def test_each_refusal_is_an_error_of_its_own(fault: faults.Fault, kind: type[SourceError]) -> None:
    error = verdict(fault)
    assert type(error) is kind
    assert error.scope == SCOPE
    assert error.source == "gcp.iam"


def test_a_page_token_that_is_not_taken_is_expired() -> None:
    ask = calls.accounts("example-prod", SCOPE)
    fault = faults.told(400, "Invalid page token")
    assert type(verdict(fault, ask.page("x"))) is Expired
    assert type(verdict(fault, ask)) is Unavailable


def test_the_wait_is_read_from_the_header_or_the_body() -> None:
    def seconds(fault: faults.Fault) -> float | None:
        error = verdict(fault)
        assert isinstance(error, Limited)
        return error.seconds

    assert seconds(faults.spent(30)) == 30.0
    assert seconds(faults.spent()) is None
    assert seconds(faults.delayed("3.5s")) == 3.5
    assert seconds(faults.delayed("soon")) is None
    later = format_datetime(NOW + timedelta(seconds=90), usegmt=True)
    assert seconds(faults.told(429, "x", Retry_After=later)) == 90.0
    assert seconds(faults.told(429, "x", Retry_After="later")) is None
    assert seconds(faults.told(429, "x", Retry_After="-5")) is None


def test_a_refusal_names_the_permission_and_where() -> None:
    error = verdict(faults.denied("iam.serviceAccountKeys.list", "iam.googleapis.com/x"))
    assert isinstance(error, Denied)
    assert error.permission == "iam.serviceAccountKeys.list on projects/example-prod"
    other = verdict(faults.denied("iam.somethings.else", "x"))
    assert isinstance(other, Denied)
    assert other.permission.endswith("(Google Cloud names iam.somethings.else)")
    hostile = verdict(faults.denied("x\n<script>", "x"))
    assert isinstance(hostile, Denied)
    assert "script" not in hostile.permission


def test_an_api_that_is_off_says_to_turn_it_on() -> None:
    error = verdict(faults.disabled())
    assert isinstance(error, Denied)
    assert error.todo.startswith("enable iam.googleapis.com")


def test_a_scope_or_a_perimeter_that_refuses_is_told() -> None:
    scope = verdict(faults.told(403, "x", faults.info("ACCESS_TOKEN_SCOPE_INSUFFICIENT")))
    perimeter = verdict(faults.told(403, "x", faults.info("SECURITY_POLICY_VIOLATED")))
    assert isinstance(scope, Denied)
    assert isinstance(perimeter, Denied)
    assert "cloud-platform" in scope.permission
    assert "perimeter" in perimeter.permission


@given(
    st.integers(100, 599),
    st.binary(max_size=200)
    | st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(),
        lambda inner: (
            st.lists(inner)
            | st.dictionaries(
                st.sampled_from(
                    ["error", "message", "details", "errors", "reason", "metadata", "retryDelay", "status"]
                ),
                inner,
            )
        ),
    ).map(msgspec.json.encode),
)
def test_no_answer_raises_anything_but_a_source_error(status: int, body: bytes) -> None:
    error = verdict((status, {"Retry-After": "x"}, body))
    assert error is None or error.what.isprintable()
    assert not isinstance(error, Throttled) or isinstance(error, Limited)
