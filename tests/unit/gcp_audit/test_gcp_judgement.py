"""What entries of Google Cloud's audit log are judged to be, document by document; the last one of each case is told."""

from __future__ import annotations

import json
import tempfile
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from monitor.decode import gcp_audit
from monitor.decode.gcp_audit_bodies import body_of
from monitor.decode.record_kind import Kind
from monitor.example.google import (
    CONSOLE,
    DATA_ACCESS,
    NUMBER,
    POOL,
    PROVIDER,
    SYSTEM_EVENT,
    account,
    alone,
    became,
    entry,
    exchanged,
    gcloud,
    line,
    person,
    subject,
    through,
)
from monitor.example.google_plan import DEPLOY, update
from monitor.facts.session import session_id
from monitor.sources.gcp.log_scan import Reader, Task
from monitor.sources.objects import Location
from monitor.sweep.documents import KINDS, Judged, documents, judge_events
from tests.unit.sweep.cases import CHECKS, DIRECT, PROOF, expected

AT = datetime(2026, 3, 5, 10, tzinfo=UTC)
MAIN = subject("accounts")
MINUTE = timedelta(minutes=1)
FIREWALL = ("compute.googleapis.com", "v1.compute.firewalls.insert", "projects/example-prod/global/firewalls/x")
K8S: dict[str, Any] = {"kind": "k8s_cluster", "labels": {"cluster_name": "shop", "location": "europe-west1"}}
AGENT = f"service-{NUMBER}@compute-system.iam.gserviceaccount.com"


def judged(*entries: Any) -> list[Judged]:
    bodies = [one if isinstance(one, bytes) else line(one).strip() for one in entries]
    found = list(judge_events(bodies, KINDS["gcp-audit"], CHECKS, expected()))
    assert [one.n for one in found] == list(range(1, len(bodies) + 1))
    return found


def told(*entries: Any) -> tuple[str, str, str]:
    last = judged(*entries)[-1]
    return last.outcome.value, last.check, last.reason


def write(caller: dict[str, Any], **more: Any) -> dict[str, Any]:
    return entry(AT, *FIREWALL, caller, **more)


def k8s(caller: str, verb: str, **more: Any) -> dict[str, Any]:
    return entry(AT, "k8s.io", f"io.k8s.{verb}", "core/v1/x", alone(caller), **(K8S | more))


PEOPLE = [
    (write(person("maria@example.com"), agent=CONSOLE), "user at the console"),
    (write(person("maria@example.com"), agent=gcloud("compute.x", where="devshell")), "user in Cloud Shell"),
    (write(person("maria@example.com"), agent=gcloud("compute.x")), "(user)"),
    (write(alone(DEPLOY), agent=CONSOLE), "console user agent"),
    (write(alone(account("x")), agent=gcloud("compute.x", asks=True)), "interactive gcloud"),
    (write(through(account("x"), "maria@example.com")), "a user impersonates"),
]


@pytest.mark.parametrize(("made", "why"), PEOPLE, ids=[why for _, why in PEOPLE])
def test_a_person_is_seen_behind_a_direct_change(made: dict[str, Any], why: str) -> None:
    outcome, _, reason = told(made)
    assert outcome == "fail"
    assert why in reason


@pytest.mark.parametrize(
    "caller",
    [
        AGENT,
        f"{NUMBER}@cloudservices.gserviceaccount.com",
        f"service-{NUMBER}@gcp-sa-pubsub.iam.gserviceaccount.com",
        f"service-{NUMBER}@container-engine-robot.iam.gserviceaccount.com",
    ],
)
def test_googles_own_agents_pass(caller: str) -> None:
    assert told(write(alone(caller)))[0] == "pass"


@pytest.mark.parametrize(
    "caller",
    [
        "service-1@gcp-sa-friendly.iam.gserviceaccount.com",
        "service-x@compute-system.iam.gserviceaccount.com",
        "evil@compute-system.iam.gserviceaccount.com",
        f"service-{NUMBER}@compute-system.iam.gserviceaccount.com.example.com",
        f"x@service-{NUMBER}@compute-system.iam.gserviceaccount.com",
        f"SERVICE-{NUMBER}@compute-system.iam.gserviceaccount.com",
        f"{AGENT}\n",
        f"{NUMBER}@cloudservices.gserviceaccount.com ",
        f"{NUMBER}-compute@developer.gserviceaccount.com",
        f"{NUMBER}@cloudbuild.gserviceaccount.com",
        "example-prod@appspot.gserviceaccount.com",
        "system:anonymous",
        "system:serviceaccount:shop:deployer",
        "system:serviceaccount:kube-system-x:deployer",
        "system:kube-controller-manager-x",
        "system:masters",
        "",
    ],
)
def test_what_only_looks_like_an_agent_does_not_pass(caller: str) -> None:
    assert told(write(alone(caller)))[0] == "fail"


def test_whoever_passes_an_agent_on_is_behind_it() -> None:
    for origin in ("tom@example.com", account("x"), MAIN):
        assert told(write(through(AGENT, origin)))[0] == "fail"
    assert told(write({"principalEmail": AGENT, "serviceAccountDelegationInfo": [{}]}))[0] == "pass"


@pytest.mark.parametrize(
    "caller",
    [
        "system:kube-controller-manager",
        "system:node:gke-a-1",
        "system:serviceaccount:kube-system:replicaset-controller",
    ],
)
def test_a_clusters_own_parts_pass(caller: str) -> None:
    assert told(k8s(caller, "core.v1.pods.create"))[0] == "pass"
    assert told(k8s(caller, "coordination.v1.leases.update"))[0] == "not-applicable"


def test_kubectl_against_production_is_a_direct_change() -> None:
    for verb in ("apps.v1.deployments.patch", "core.v1.pods.exec.create", "core.v1.secrets.create"):
        assert told(k8s("ana@example.com", verb))[:2] == ("fail", DIRECT)


def test_exec_is_seen_whichever_verb_and_log_carry_it() -> None:
    for verb in ("core.v1.pods.exec.get", "core.v1.pods.portforward.get", "core.v1.pods.attach.create"):
        assert told(k8s("ana@example.com", verb, log=DATA_ACCESS, reads=True))[0] == "fail"
    assert told(k8s("ana@example.com", "core.v1.pods.get", log=DATA_ACCESS, reads=True))[0] == "not-applicable"


NO_CHANGE = [
    (entry(AT, "storage.googleapis.com", "storage.objects.get", "x", alone(DEPLOY), log=DATA_ACCESS, reads=True), "data-plane"),
    (write(person("a@example.com"), granted=False, status={"code": 7, "details": [{"@type": "x/y", "n": 1}]}), "attempt"),
    (write(person("a@example.com"), request={"validateOnly": True}), "dry run"),
    (k8s("ana@example.com", "authorization.v1.selfsubjectaccessreviews.create"), "read-only"),
    (entry(AT, "login.googleapis.com", "google.login.LoginService.loginSuccess", "x", person("a@example.com")), "sign-in"),
    (exchanged(AT, MAIN), "kept for session proof"),
    (became(AT, DEPLOY, {"principalSubject": MAIN}), "kept for session proof"),
    (write(person("a@example.com"), project="example-test"), "is not production"),
]  # fmt: skip


@pytest.mark.parametrize(("made", "why"), NO_CHANGE, ids=[f"{n}-{why}" for n, (_, why) in enumerate(NO_CHANGE)])
def test_what_is_no_change_says_why(made: dict[str, Any], why: str) -> None:
    outcome, _, reason = told(made)
    assert outcome == "not-applicable"
    assert why in reason


def test_a_dry_run_is_taken_at_its_word_only_where_it_says_so_itself() -> None:
    for request in (
        {"validateOnly": "true"},
        {"x": {"validateOnly": True}},
        {"validateOnly": 1},
        {"note": "validateOnly"},
    ):
        assert told(write(person("a@example.com"), request=request))[0] == "fail"


def test_systems_of_google_pass_and_what_claims_to_be_one_does_not() -> None:
    assert told(write(alone("system@google.com"), log=SYSTEM_EVENT))[0] == "pass"
    assert told(write(alone("system@google.com")))[0] == "fail"


def delivery(*, exchange: bool = True, impersonation: bool = True, **provider: str) -> list[dict[str, Any]]:
    found = [exchanged(AT, MAIN, **provider)] if exchange else []
    found += [became(AT + MINUTE, DEPLOY, {"principalSubject": MAIN})] if impersonation else []
    return [*found, update(AT + 2 * MINUTE, through(DEPLOY, MAIN))[0]]


def test_the_pipeline_is_proven_by_both_exchanges_and_told_how() -> None:
    outcome, _, reason = told(*delivery())
    assert outcome == "pass"
    assert f"token exchange at 2026-03-05T10:00:00Z: {PROVIDER} gave a token for repo:example-org/accounts" in reason


@pytest.mark.parametrize("without", ["exchange", "impersonation"])
def test_an_exchange_that_is_not_seen_leaves_it_unknown(without: str) -> None:
    outcome, check, reason = told(*delivery(**{without: False}))
    assert (outcome, check) == ("unknown", PROOF)
    assert "is not among the records read" in reason


@pytest.mark.parametrize("provider", [f"{POOL}/providers/other", PROVIDER.replace("/github/", "/sandbox/")])
def test_a_token_of_another_provider_proves_nothing(provider: str) -> None:
    assert told(*delivery(provider=provider))[:2] == ("fail", PROOF)


def test_two_providers_that_gave_the_same_holder_credentials_prove_nothing() -> None:
    both = [exchanged(AT - MINUTE, MAIN, provider=f"{POOL}/providers/other"), *delivery()]
    outcome, _, reason = told(*both)
    assert outcome == "unknown"
    assert "exchanges of 2 origins" in reason


def test_credentials_that_had_ended_prove_nothing() -> None:
    entries = delivery()
    late = update(AT + timedelta(hours=2), through(DEPLOY, MAIN))[0]
    assert told(*entries[:2], late)[:2] == ("unknown", PROOF)
    early = update(AT - MINUTE, through(DEPLOY, MAIN))[0]
    assert told(*entries[:2], early)[:2] == ("unknown", PROOF)


def test_an_exchange_for_another_account_or_subject_proves_nothing() -> None:
    other = subject("accounts", "refs/heads/try")
    assert told(exchanged(AT, other), became(AT, DEPLOY, {"principalSubject": other}), delivery()[-1])[0] == "unknown"
    assert (
        told(exchanged(AT, MAIN), became(AT, account("x"), {"principalSubject": MAIN}), delivery()[-1])[0] == "unknown"
    )


def test_a_key_and_an_attached_account_are_no_token() -> None:
    for caller, why in ((alone(DEPLOY, "9f31"), "long-lived keys"), (alone(DEPLOY), "the identity's own")):
        outcome, check, reason = told(*delivery()[:2], update(AT + 2 * MINUTE, caller)[0])
        assert (outcome, check) == ("fail", PROOF)
        assert why in reason


def test_a_person_who_becomes_the_pipeline_is_told() -> None:
    entries = [
        became(AT, DEPLOY, person("maria@example.com")),
        update(AT + MINUTE, through(DEPLOY, "maria@example.com"))[0],
    ]
    outcome, check, reason = told(*entries)
    assert (outcome, check) == ("fail", PROOF)
    assert "impersonates" in reason


def test_the_end_of_an_operation_is_no_second_change_and_alone_is_judged() -> None:
    first, last = update(AT, person("maria@example.com"))
    assert [one.outcome.value for one in judged(first, last)] == ["fail", "not-applicable"]
    assert [one.outcome.value for one in judged(last, first)] == ["not-applicable", "fail"]
    assert told(last)[0] == "fail"
    other = json.loads(json.dumps(last))
    other["operation"]["id"] = "another"
    assert [one.outcome.value for one in judged(first, other)] == ["fail", "fail"]


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"logName": "projects/example-prod/logs/syslog"}, "not an entry of an audit log"),
        ({"protoPayload": None}, "protoPayload"),
        ({"timestamp": "yesterday"}, "timestamp"),
        ({"timestamp": "0001-01-01T00:00:00Z"}, "timestamp"),
        ({"protoPayload": {"@type": "type.googleapis.com/x.Y", "methodName": "a", "serviceName": "b"}}, "no AuditLog"),
        ({"protoPayload": {"methodName": "a"}}, "serviceName is missing"),
        (
            {"protoPayload": {"methodName": "a", "serviceName": "b", "authenticationInfo": {"principalEmail": 7}}},
            "principal",
        ),
        ({"protoPayload": {"methodName": "a", "serviceName": "b", "status": {"code": "x"}}}, "protoPayload"),
        (
            {"protoPayload": {"methodName": "a", "serviceName": "b", "requestMetadata": {"callerIp": {}}}},
            "protoPayload",
        ),
    ],
)
def test_what_cannot_be_understood_is_an_error_and_says_what(change: dict[str, Any], says: str) -> None:
    made = write(person("maria@example.com")) | change
    outcome, _, reason = told(made)
    assert outcome == "error"
    assert says in reason


def test_documents_are_found_in_what_tools_print() -> None:
    entries = [write(person("maria@example.com")), write(alone(AGENT))]
    asked = json.dumps({"entries": entries, "nextPageToken": "x"}).encode()
    printed = json.dumps(entries, indent=1).encode()
    lines = b"".join(map(line, entries))
    for content in (asked, printed, lines):
        found = list(judge_events(documents(content), KINDS["gcp-audit"], CHECKS, expected()))
        assert [one.outcome.value for one in found] == ["fail", "pass"]


def test_evidence_is_the_bytes_as_they_came_and_numbers_stay_whole() -> None:
    body = line(write(person("maria@example.com"), request={"n": 9007199254740993})).strip()
    item = gcp_audit.record(body)
    assert item.body == body
    assert body_of(item.payload.request)["n"] == 9007199254740993
    assert item.kind is Kind.WRITE


def test_a_policy_change_tells_what_was_given_to_whom() -> None:
    data = {
        "policyDelta": {"bindingDeltas": [{"action": "ADD", "role": "roles/owner", "member": "user:x@example.com"}]}
    }
    made = entry(
        AT,
        "cloudresourcemanager.googleapis.com",
        "SetIamPolicy",
        "projects/example-prod",
        person("a@example.com"),
        serviceData=data,
    )
    event = gcp_audit.event(gcp_audit.record(line(made)))
    assert event.what == ("projects/example-prod", "ADD roles/owner user:x@example.com")
    assert event.severity.value == "high"
    assert event.blinds == ""


@pytest.mark.parametrize(
    ("service", "method", "more", "blinds"),
    [
        ("logging.googleapis.com", "google.logging.v2.ConfigServiceV2.DeleteSink", {}, "deletes a sink"),
        ("logging.googleapis.com", "google.logging.v2.ConfigServiceV2.UpdateSink", {}, "changes where"),
        ("logging.googleapis.com", "google.logging.v2.ConfigServiceV2.CreateExclusion", {}, "keeps entries out"),
        ("logging.googleapis.com", "google.logging.v2.ConfigServiceV2.CreateSink", {}, ""),
        ("storage.googleapis.com", "storage.buckets.update", {}, "the bucket that holds"),
        (
            "cloudresourcemanager.googleapis.com", "SetIamPolicy",
            {"serviceData": {"policyDelta": {"auditConfigDeltas": [{"action": "REMOVE", "service": "sts.googleapis.com"}]}}}, "removes an audit config",
        ),
        (
            "cloudresourcemanager.googleapis.com", "SetIamPolicy",
            {"serviceData": {"policyDelta": {"auditConfigDeltas": [{"action": "ADD", "exemptedMember": "user:x@example.com"}]}}}, "exempts members",
        ),
        (
            "cloudresourcemanager.googleapis.com", "SetIamPolicy",
            {"serviceData": {"policyDelta": {"auditConfigDeltas": [{"action": "ADD", "service": "sts.googleapis.com"}]}}}, "",
        ),
    ],
)  # fmt: skip
def test_what_can_blind_the_log_is_told(service: str, method: str, more: dict[str, Any], blinds: str) -> None:
    made = entry(AT, service, method, "projects/_/buckets/example-org-audit", person("a@example.com"), **more)
    event = gcp_audit.event(gcp_audit.record(line(made)), log_buckets=frozenset({"example-org-audit"}))
    assert blinds in event.blinds
    assert bool(event.blinds) is bool(blinds)


def scanned(*entries: dict[str, Any]) -> dict[str, int]:
    """Return what the scan counts of a file with these entries."""
    with tempfile.TemporaryDirectory() as folder:
        where = Location(folder=folder)
        known = {"100000000042": "example-prod"}
        task = Task(
            "t", where, where, (), frozenset({"example-prod"}), known, log_buckets=frozenset({"example-org-audit"})
        )
        reader = Reader(task)
        reader.file("x", "gcp", b"".join(map(line, entries)))
        (found,) = reader.answer.objects
    fields = ("reads", "attempts", "data_events", "service_writes", "telemetry", "writes", "exchanges", "elsewhere")
    return {name: getattr(found, name) for name in fields if getattr(found, name)} | (
        {"damage": 1} if found.damage else {}
    )


def test_an_agent_of_a_strangers_project_does_not_pass() -> None:
    for caller in (
        "999999999999@cloudservices.gserviceaccount.com",
        "service-999999999999@gcp-sa-cloudbuild.iam.gserviceaccount.com",
    ):
        assert told(write(alone(caller)))[0] == "fail"
        assert scanned(write(alone(caller))) == {"writes": 1}
    assert scanned(write(alone(AGENT))) == {"service_writes": 1}


THIRD = {"thirdPartyPrincipal": {"thirdPartyClaims": {"sub": "evil"}}}


@pytest.mark.parametrize(
    "caller",
    [
        {"principalEmail": AGENT, "serviceAccountDelegationInfo": [THIRD]},
        {"principalEmail": AGENT, **THIRD},
        {"principalEmail": AGENT, "serviceAccountDelegationInfo": [{}, {"principalSubject": "user:maria@example.com"}]},
    ],
)
def test_whoever_stands_behind_an_agent_is_seen_in_both_ways_of_reading(caller: dict[str, Any]) -> None:
    assert told(write(caller))[0] == "fail"
    assert scanned(write(caller)) == {"writes": 1}


def test_people_without_an_email_are_people() -> None:
    staff = "principal://iam.googleapis.com/locations/global/workforcePools/staff/subject/maria@example.com"
    for caller in (
        {"principalSubject": staff},
        {"principalSubject": "user:maria@example.com"},
        {"principalEmail": DEPLOY, "serviceAccountDelegationInfo": [{"principalSubject": staff}]},
        {"principalEmail": DEPLOY, "serviceAccountDelegationInfo": [{"principalSubject": "user:maria@example.com"}]},
    ):
        event = gcp_audit.event(gcp_audit.record(line(write(caller))))
        assert event.actor.human, caller


def test_a_body_cannot_call_itself_a_dry_run_of_a_cluster() -> None:
    patch = {"@type": "k8s.io/Patch", "spec": {}}
    for request in ({"dryRun": True}, {"dryRun": ["All"]}, {"validateOnly": True}):
        made = k8s("ana@example.com", "apps.v1.deployments.patch", request=patch | request)
        assert told(made)[0] == "fail"
        assert scanned(made) == {"writes": 1}
    assert told(k8s("ana@example.com", "core.v1.pods.exec.create", request={"validateOnly": True}))[0] == "fail"
    gone = {"@type": "meta.k8s.io/v1.DeleteOptions", "dryRun": ["All"]}
    assert told(k8s("ana@example.com", "core.v1.pods.delete", request=gone))[0] == "not-applicable"


def test_an_unproven_token_does_not_hide_behind_a_proven_one() -> None:
    """An exchange of another provider is an hour old when the pipeline comes; its service account's token still lives."""
    other = f"{POOL}/providers/other"
    evil = [exchanged(AT, MAIN, provider=other), became(AT + 59 * MINUTE, DEPLOY, {"principalSubject": MAIN})]
    good = [exchanged(AT + 80 * MINUTE, MAIN), became(AT + 80 * MINUTE, DEPLOY, {"principalSubject": MAIN})]
    done = update(AT + 90 * MINUTE, through(DEPLOY, MAIN))[0]
    assert told(*good, done)[0] == "pass"
    assert told(*evil, *good, done)[:2] == ("unknown", PROOF)
    assert told(*evil[1:], *good, done)[:2] == ("unknown", PROOF)


def test_a_project_named_by_its_number_is_known_by_it_or_is_unplaced() -> None:
    made = write(person("maria@example.com"), project="100000000042")
    assert told(made)[0] == "fail"
    assert scanned(made) == {"writes": 1}
    stranger = write(person("maria@example.com"), project="999999999999")
    assert told(stranger)[0] == "unknown"
    assert scanned(stranger) == {"writes": 1}


def test_an_operation_ends_by_whom_it_was_begun_and_once() -> None:
    first, _ = update(AT, alone(AGENT))
    _, last = update(AT, person("maria@example.com"))
    assert [one.outcome.value for one in judged(first, last)] == ["pass", "fail"]
    mine, end = update(AT, person("tom@example.com"))
    assert [one.outcome.value for one in judged(mine, last, end)] == ["fail", "fail", "not-applicable"]


@pytest.mark.parametrize("name", ["a" * 300, "a\0b", "../../x", "A B", "", "x/y"])
def test_a_place_that_is_none_is_damage_and_goes_nowhere(name: str) -> None:
    made = write(person("maria@example.com"), project=name)
    assert told(made)[0] == "error"
    assert scanned(made) == {"damage": 1}


@pytest.mark.parametrize(
    "name", ["system:serviceaccount:gke-managed-evil:x", "system:gke-evil", "system:serviceaccount:gke-managed:x"]
)
def test_a_namespace_that_anybody_can_make_is_not_the_clusters_own(name: str) -> None:
    assert told(k8s(name, "apps.v1.deployments.patch"))[0] == "fail"


def test_names_that_only_one_way_of_reading_knows_are_refused_by_both() -> None:
    twin = {
        "principalEmail": AGENT,
        "service_account_delegation_info": [{"first_party_principal": {"principal_email": "x@y.z"}}],
    }
    assert told(write(twin))[0] == "error"
    made = write(person("maria@example.com"))
    made["logName"] = "projects/example-prod/logs/x%2Fdata_access"
    assert told(made)[0] == "error"
    assert scanned(made) == {"damage": 1}


def test_the_activity_log_holds_writes_whichever_permission_it_names() -> None:
    made = write(person("maria@example.com"), reads=True)
    assert told(made)[0] == "fail"
    assert scanned(made) == {"writes": 1}


def test_whoever_deletes_files_of_the_log_is_told() -> None:
    key = "projects/_/buckets/{}/objects/cloudaudit.googleapis.com/activity/2026/03/01/00:00:00_00:59:59_S0.json"
    gone = ("storage.googleapis.com", "storage.objects.delete")
    mine = entry(AT, *gone, key.format("example-org-audit"), person("maria@example.com"), log=DATA_ACCESS)
    assert scanned(mine) == {"writes": 1}
    assert scanned(entry(AT, *gone, key.format("receipts"), person("maria@example.com"), log=DATA_ACCESS)) == {
        "data_events": 1
    }


def test_writes_of_places_that_are_no_account_are_not_mixed() -> None:
    found = []
    for place in ("billingAccounts/0A0B0C-111111-222222", "projects/999999999999"):
        made = entry(
            AT, "logging.googleapis.com", "google.logging.v2.ConfigServiceV2.DeleteSink", "x", person("a@example.com")
        )
        made["logName"] = f"{place}/logs/cloudaudit.googleapis.com%2Factivity"
        found.append(gcp_audit.event(gcp_audit.record(line(made), {"1": "other"})))
    assert len({session_id(event) for event in found}) == 2


@pytest.mark.parametrize("text", ["=1+1", " =1+1", "＝1+1", "+x", "-x", "@x"])
def test_a_cell_is_no_formula(text: str) -> None:
    from monitor.cli.changes import _cell

    assert _cell(text).startswith("'")
    assert _cell("2 × ec2:RunInstances") == "2 × ec2:RunInstances"
