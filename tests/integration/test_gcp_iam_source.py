"""Service accounts read over HTTP from a Google Cloud of our own: to the last page, refused, late, and from captures."""

from __future__ import annotations

import json
import logging
import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.facts.identity import Identity
from monitor.facts.policy import Policy
from monitor.model import CoverageStatus, Unknown
from monitor.sources import replay as folder
from monitor.sources.gcp.iam_reading import HIGHER
from monitor.sources.ports import Collected
from tests.fakes.gcp import faults
from tests.fakes.gcp.server import GcpFake
from tests.fakes.gcp.sweeping import AT, Sweeps, by_name, coverage, listing, unknown
from tests.fakes.gcp.world import NUMBER, ORGANISATION, PROJECT, World, example

INNER, OUTER = "folders/300000000003", "folders/200000000002"
HERE = f"projects/{PROJECT}"
DEPLOY = f"deploy@{PROJECT}.iam.gserviceaccount.com"
RUNTIME = f"runtime@{PROJECT}.iam.gserviceaccount.com"


FIELDS = (
    *("accounts", "email", "uniqueId", "name", "parent", "bindings", "role", "members", "condition", "expression"),
    *("keys", "policies", "rules", "denyRule", "deniedPrincipals", "workloadIdentityPools", "includedPermissions"),
    *("workloadIdentityPoolProviders", "nextPageToken", "disabled", "oidc", "attributeMapping", "attributeCondition"),
)
PARTS = ("/v3/", "getIamPolicy", "serviceAccounts?", "/keys", "roles/", "Pools", "providers", "denypolicies", "/")


@pytest.fixture(autouse=True)
def nothing_of_the_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """A proxy that answers nothing: what is asked of the loopback must not go there."""
    for name in ("http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://user:proxy-password@127.0.0.1:9")
    for name in ("no_proxy", "NO_PROXY", "GOOGLE_APPLICATION_CREDENTIALS", "GOOGLE_CLOUD_PROJECT"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def fake() -> Iterator[GcpFake]:
    with GcpFake(example()) as server:
        yield server


def policies(one: Identity) -> dict[str, Policy]:
    assert isinstance(one.policies, tuple)
    return {policy.name: policy for policy in one.policies}


def actions(one: Identity, name: str) -> tuple[str, ...]:
    statements = policies(one)[name].statements
    assert isinstance(statements, tuple)
    return statements[0].actions


def bare(found: Collected) -> list[object]:
    return [msgspec.structs.replace(fact, evidence=()) for fact in found.facts]


# Everything that is there.


def test_every_service_account_is_read_with_what_bears_on_it(fake: GcpFake, tmp_path: Path) -> None:
    found = Sweeps(fake, tmp_path)()
    identities = by_name(found)
    assert set(identities) == {"deploy", "runtime", "auditor", "idle"}
    deploy = identities["deploy"]
    assert (deploy.provider, deploy.account, deploy.kind, deploy.at) == ("gcp", PROJECT, "service-account", AT)
    assert deploy.id == fake.world.accounts[PROJECT][DEPLOY]["uniqueId"]
    assert actions(deploy, "roles/run.admin") == ("run.services.create", "run.services.setIamPolicy")
    assert isinstance(deploy.trust, tuple)
    (federated,) = [path for path in deploy.trust if path.kind == "token"]
    assert federated.issuer == "token.actions.githubusercontent.com"
    assert {test.claim for test in federated.tests} == {"aud", "repository_owner_id", "repository"}
    assert [(one.kind, one.id, one.active) for one in deploy.credentials] == [("service-account-key", "ab12", True)]
    assert identities["runtime"].credentials == ()
    assert identities["idle"].disabled
    assert listing(found).ids == tuple(sorted(one.id for one in identities.values()))
    told = coverage(found)
    assert (told.status, told.source, told.gaps, told.grant) == (CoverageStatus.COMPLETE, "gcp.iam", (), "")
    assert told.counts == {"identities": 4, "gone": 0, "failed": 0}


def test_what_is_bound_above_is_inherited_with_its_condition(fake: GcpFake, tmp_path: Path) -> None:
    auditor = by_name(Sweeps(fake, tmp_path)())["auditor"]
    held = policies(auditor)
    assert {"roles/logging.viewer", f"{ORGANISATION}/roles/auditor", "roles/iam.securityReviewer"} <= set(held)
    (statement,) = held["roles/logging.viewer"].statements
    assert statement.sid == INNER
    assert "2030" in statement.conditions[0].values[0]


def test_deny_policies_are_read_with_their_rules(fake: GcpFake, tmp_path: Path) -> None:
    deploy = by_name(Sweeps(fake, tmp_path)())["deploy"]
    denied = {
        statement.sid: statement.actions
        for policy in policies(deploy).values()
        for statement in policy.statements
        if not statement.allow
    }
    assert denied == {
        HERE: ("resourcemanager.projects.delete",),
        ORGANISATION: ("iam.serviceAccountKeys.create",),
    }
    assert deploy.ceilings == ()


def test_a_custom_role_is_read_and_an_empty_one_gives_nothing(fake: GcpFake, tmp_path: Path) -> None:
    fake.world.role(f"{HERE}/roles/empty")
    fake.world.bind(HERE, f"{HERE}/roles/empty", f"serviceAccount:{RUNTIME}")
    found = Sweeps(fake, tmp_path)()
    runtime = by_name(found)["runtime"]
    assert actions(runtime, f"{HERE}/roles/reader") == ("storage.objects.get",)
    assert policies(runtime)[f"{HERE}/roles/empty"].statements == ()
    (kept,) = [one for one in found.captures if one.request["path"] == f"/v1/{HERE}/roles/reader"]
    assert json.loads(kept.body)["etag"] == "BwXhqDzQ0Jc="
    assert kept.ref in runtime.evidence


def test_a_custom_role_that_is_gone_gives_nothing(fake: GcpFake, tmp_path: Path) -> None:
    fake.world.bind(HERE, f"{HERE}/roles/gone", f"serviceAccount:{RUNTIME}")
    fake.world.bind(HERE, "roles/hidden.agent", f"serviceAccount:{DEPLOY}")
    found = Sweeps(fake, tmp_path)()
    assert policies(by_name(found)["runtime"])[f"{HERE}/roles/gone"].statements == ()
    # Google knows roles that it does not show: that one gives nothing is not proven.
    assert "404" in unknown(policies(by_name(found)["deploy"])["roles/hidden.agent"].statements).reason
    assert coverage(found).status is CoverageStatus.PARTIAL


def test_a_project_outside_of_any_organisation_has_nothing_above(fake: GcpFake, tmp_path: Path) -> None:
    del fake.world.projects[PROJECT]["parent"]
    found = Sweeps(fake, tmp_path)()
    assert coverage(found).status is CoverageStatus.COMPLETE
    assert not fake.asked("folders") + fake.asked("organizations/100000000001:getIamPolicy")


def test_every_identity_cites_what_was_captured_of_it(fake: GcpFake, tmp_path: Path) -> None:
    for name in fake.world.accounts[PROJECT]:
        # Each answer has bytes of its own, so that its reference names one request.
        fake.world.key(name, f"key-of-{name}")
        fake.world.policies.setdefault(f"{HERE}/serviceAccounts/{name}", {"etag": name})
    found = Sweeps(fake, tmp_path)()
    captured = {one.ref: one.request["path"] for one in found.captures}
    for one in by_name(found).values():
        assert set(one.evidence) <= set(captured)
        paths = [captured[ref] for ref in one.evidence]
        for part in (f"{one.name}:getIamPolicy", f"{one.name}/keys", f"/v3/{HERE}", f"/v3/{OUTER}", "Pools"):
            assert any(part in path for path in paths), part
        others = {other.name for other in by_name(found).values()} - {one.name}
        assert not any(f"{other}/keys" in path for other in others for path in paths)
    deploy = by_name(found)["deploy"]
    # It may act as another, by that other's policy.
    assert any(f"{RUNTIME}:getIamPolicy" in captured[ref] for ref in deploy.evidence)
    assert not any(f"{RUNTIME}:getIamPolicy" in captured[ref] for ref in by_name(found)["idle"].evidence)


def test_captures_have_names_scope_and_exact_bytes(fake: GcpFake, tmp_path: Path) -> None:
    body = b'{ "accounts" : [ ] , "x": "\\u00e9" }'
    fake.faults = faults.always(faults.answer(body), "serviceAccounts?")
    found = Sweeps(fake, tmp_path)()
    (kept,) = [one for one in found.captures if one.name == "iam.projects.serviceAccounts.list"]
    assert (kept.source, kept.scope, kept.status, kept.body) == ("gcp.iam", f"gcp:{PROJECT}", 200, body)
    assert kept.request == {
        "host": fake.url.removeprefix("http://"),
        "service": "iam",
        "method": "GET",
        "path": f"/v1/{HERE}/serviceAccounts?pageSize=100",
    }
    names = {one.name for one in found.captures}
    assert {"cloudresourcemanager.projects.getIamPolicy", "iam.policies.listPolicies", "iam.policies.get"} <= names
    assert listing(found).ids == ()


# Pages.


def test_everything_is_read_to_the_last_page(fake: GcpFake, tmp_path: Path) -> None:
    once = Sweeps(fake, tmp_path)()
    fake.page = 1
    many = Sweeps(fake, tmp_path)()
    assert bare(once) == bare(many)
    assert coverage(many).status is CoverageStatus.COMPLETE
    assert len({path for path in fake.asked("serviceAccounts?") if "pageToken" in path}) == 3


def test_a_list_whose_page_tokens_run_out_is_begun_anew(fake: GcpFake, tmp_path: Path) -> None:
    whole = Sweeps(fake, tmp_path)()
    fake.page = 1
    turned = []

    def hook(method: str, path: str, number: int) -> faults.Fault | None:
        if "serviceAccounts?" in path and "pageToken" in path and not turned:
            turned.append(path)
            fake.expire()
        return None

    fake.faults = hook
    found = Sweeps(fake, tmp_path)()
    assert turned
    assert bare(found) == bare(whole)
    assert coverage(found).status is CoverageStatus.COMPLETE


def test_a_list_whose_tokens_always_run_out_is_a_gap(fake: GcpFake, tmp_path: Path) -> None:
    fake.page = 1
    fake.faults = lambda method, path, number: fake.expire() if "pageToken" in path else None
    found = Sweeps(fake, tmp_path)()
    assert "Invalid page token" in unknown(listing(found).ids).reason
    assert len(by_name(found)) == 1
    assert coverage(found).status is CoverageStatus.PARTIAL


def test_pages_that_never_end_are_cut(fake: GcpFake, tmp_path: Path) -> None:
    endless = faults.answer({"accounts": [], "nextPageToken": "again"})
    fake.faults = faults.always(endless, "serviceAccounts?")
    assert "do not end" in unknown(listing(Sweeps(fake, tmp_path)()).ids).reason
    assert len(fake.asked("serviceAccounts?")) == 2


def test_a_thousand_service_accounts_cost_two_requests_each_and_a_few(tmp_path: Path) -> None:
    with GcpFake(example(accounts=996)) as fake:
        found = Sweeps(fake, tmp_path, workers=8)()
        kinds = Counter(
            path.rpartition(":")[2] if ":" in path else path.partition("?")[0].rpartition("/")[2]
            for _, path in fake.requests
        )
    assert len(by_name(found)) == 1000
    assert kinds["keys"] == 1000
    assert len(fake.requests) <= 2000 + 10 + 40
    assert len(fake.asked_for_tokens) == 1
    names = [one.name for one in found.facts if isinstance(one, Identity)]
    assert names == sorted(names)


def test_roles_and_places_are_read_once_for_all_projects(fake: GcpFake, tmp_path: Path) -> None:
    other = "example-batch"
    fake.world.project(other, "515104041263", INNER)
    worker = fake.world.account(other, "worker")
    fake.world.bind(f"projects/{other}", "roles/run.admin", f"serviceAccount:{worker}")
    found = Sweeps(fake, tmp_path, PROJECT, other, PROJECT)()
    assert [one.scope for one in found.coverage] == [f"gcp:{PROJECT}", f"gcp:{other}"]
    asked = Counter(path for _, path in fake.requests)
    assert max(asked.values()) == 1
    one = by_name(found)["worker"]
    assert actions(one, "roles/run.admin")
    # What was read for the first is cited by the second.
    assert any(ref.name == "cloudresourcemanager.organizations.getIamPolicy" for ref in one.evidence)


def test_what_was_only_broken_for_one_project_is_asked_again_for_the_next(fake: GcpFake, tmp_path: Path) -> None:
    other = "example-batch"
    fake.world.project(other, "515104041263", INNER)
    fake.world.account(other, "worker")
    fake.faults = faults.first(2, faults.broken(503), f"{ORGANISATION}:getIamPolicy")
    found = Sweeps(fake, tmp_path, PROJECT, other, attempts=2)()
    assert coverage(found).status is CoverageStatus.PARTIAL
    assert coverage(found, other).status is CoverageStatus.COMPLETE


# What could not be read.


def test_a_denied_ancestor_leaves_what_is_above_unknown_and_says_so(fake: GcpFake, tmp_path: Path) -> None:
    fake.world.denied.add(f"resourcemanager.folders.get on {INNER}")
    found = Sweeps(fake, tmp_path)()
    deploy = by_name(found)["deploy"]
    why = unknown(policies(deploy)[f"the policy of {HIGHER} {INNER}"].statements)
    assert why.grant == f"resourcemanager.folders.get on {INNER}"
    assert actions(deploy, "roles/run.admin")
    assert any(HIGHER in path.by and path.unclear for path in deploy.trust)
    assert isinstance(deploy.ceilings, Unknown)
    told = coverage(found)
    assert told.status is CoverageStatus.PARTIAL
    assert told.grant == f"resourcemanager.folders.get on {INNER}"
    assert not fake.asked(OUTER)


def test_a_denied_policy_of_the_organisation_is_unknown_alone(fake: GcpFake, tmp_path: Path) -> None:
    fake.world.denied.add(f"resourcemanager.organizations.getIamPolicy on {ORGANISATION}")
    found = Sweeps(fake, tmp_path)()
    auditor = by_name(found)["auditor"]
    assert isinstance(policies(auditor)[f"the policy of {ORGANISATION}"].statements, Unknown)
    assert actions(auditor, f"{ORGANISATION}/roles/auditor") == ("logging.sinks.list",)
    assert coverage(found).grant == f"resourcemanager.organizations.getIamPolicy on {ORGANISATION}"


def test_denied_keys_of_one_account_are_unknown_in_that_field_alone(fake: GcpFake, tmp_path: Path) -> None:
    fake.world.denied.add(f"iam.serviceAccountKeys.list on {HERE}/serviceAccounts/{DEPLOY}")
    found = Sweeps(fake, tmp_path)()
    identities = by_name(found)
    assert unknown(identities["deploy"].credentials).grant == f"iam.serviceAccountKeys.list on {HERE}"
    assert actions(identities["deploy"], "roles/run.admin")
    assert identities["runtime"].credentials == ()
    assert coverage(found).status is CoverageStatus.PARTIAL
    assert len(coverage(found).gaps) == 1


def test_denied_deny_policies_are_unknown_and_no_reason_to_fail(fake: GcpFake, tmp_path: Path) -> None:
    fake.world.denied.add("iam.denypolicies.list")
    found = Sweeps(fake, tmp_path)()
    assert "denypolicies" in unknown(by_name(found)["deploy"].ceilings).grant
    assert coverage(found).status is CoverageStatus.PARTIAL
    assert isinstance(listing(found).ids, tuple)


def test_a_denied_list_of_accounts_is_a_denied_scope(fake: GcpFake, tmp_path: Path) -> None:
    fake.world.denied.add("iam.serviceAccounts.list")
    found = Sweeps(fake, tmp_path)()
    assert by_name(found) == {}
    assert unknown(listing(found).ids).grant == f"iam.serviceAccounts.list on {HERE}"
    assert coverage(found).status is CoverageStatus.DENIED
    assert not found.remember


def test_one_project_that_is_refused_stops_no_other(fake: GcpFake, tmp_path: Path) -> None:
    found = Sweeps(fake, tmp_path, "not-there", PROJECT)()
    assert coverage(found, "not-there").status is not CoverageStatus.COMPLETE
    assert coverage(found).status is CoverageStatus.COMPLETE
    assert len(by_name(found)) == 4


def test_denied_providers_leave_the_trust_unclear(fake: GcpFake, tmp_path: Path) -> None:
    fake.world.denied.add("iam.workloadIdentityPoolProviders.list")
    found = Sweeps(fake, tmp_path)()
    (path,) = [path for path in by_name(found)["deploy"].trust if path.kind == "token"]
    assert path.unclear[0].grant == f"iam.workloadIdentityPoolProviders.list on {HERE}"
    assert not path.dead


def test_an_account_that_goes_while_it_is_read_is_no_gap(fake: GcpFake, tmp_path: Path) -> None:
    def hook(method: str, path: str, number: int) -> None:
        if "/serviceAccounts/" in path:
            fake.world.accounts[PROJECT].pop(f"idle@{PROJECT}.iam.gserviceaccount.com", None)

    fake.faults = hook
    found = Sweeps(fake, tmp_path, workers=1)()
    assert set(by_name(found)) == {"deploy", "runtime", "auditor"}
    assert coverage(found).status is CoverageStatus.COMPLETE
    assert coverage(found).counts["gone"] == 1


@pytest.mark.parametrize(
    "body", [b"[]", b"{", b'{"accounts": {}}', b'{"accounts": [], "nextPageToken": 7}', b"\xff\xfe", b"[" * 100000]
)
def test_a_malformed_list_is_a_gap(fake: GcpFake, tmp_path: Path, body: bytes) -> None:
    fake.faults = faults.always(faults.answer(body), "serviceAccounts?")
    found = Sweeps(fake, tmp_path)()
    assert "iam.projects.serviceAccounts.list" in unknown(listing(found).ids).reason
    assert coverage(found).status is CoverageStatus.PARTIAL


def test_what_stands_in_googles_place_is_malformed(fake: GcpFake, tmp_path: Path) -> None:
    fake.faults = faults.always(faults.html(), "/keys")
    found = Sweeps(fake, tmp_path)()
    assert all(isinstance(one.credentials, Unknown) for one in by_name(found).values())
    assert "Sign in" not in "".join(coverage(found).gaps)


@pytest.mark.parametrize(
    ("part", "body"),
    [
        (f"{HERE}:getIamPolicy", {"bindings": {}}),
        (f"{DEPLOY}:getIamPolicy", {"bindings": "x"}),
        (f"{DEPLOY}/keys", {"keys": 1}),
        ("roles/run.admin", {"name": "roles/run.admin", "includedPermissions": 1}),
        ("denypolicies/no-keys", {"name": "x", "rules": {}}),
        (f"/v3/{HERE}", {"name": 7, "parent": 9}),
        (f"/v3/{INNER}", {"parent": "elsewhere/../1"}),
        (f"/v3/{INNER}", {"parent": INNER}),
        (f"/v3/{INNER}", {}),
        ("workloadIdentityPools?", {"workloadIdentityPools": [{"name": "../x"}, 7]}),
        ("serviceAccounts?", {"accounts": [7, {"email": ".."}, {"email": "a/b?c#d"}, {}]}),
        ("denypolicies", {"policies": [{"name": "policies/../x"}]}),
    ],
)
def test_foreign_shapes_are_gaps_and_never_raise(fake: GcpFake, tmp_path: Path, part: str, body: object) -> None:
    fake.faults = lambda method, path, number: (
        faults.answer(body) if path.endswith(part) or part in path.partition("?")[0] + "?" else None
    )
    found = Sweeps(fake, tmp_path)()
    assert coverage(found).status is CoverageStatus.PARTIAL
    assert coverage(found).gaps


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.sampled_from(["", "folders/1", "a@b", "roles/x", "../x", "é"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(FIELDS), inner, max_size=4),
    max_leaves=12,
)


@settings(max_examples=60)
@given(part=st.sampled_from(PARTS), body=st.dictionaries(st.sampled_from(FIELDS), JSON, max_size=5))
def test_no_answer_makes_it_raise(part: str, body: object) -> None:
    whole = example()
    with tempfile.TemporaryDirectory() as folder_name, GcpFake(whole) as fake:
        fake.faults = faults.always(faults.answer(body), part)
        found = Sweeps(fake, Path(folder_name))()
    assert listing(found).account == PROJECT
    assert coverage(found).source == "gcp.iam"


# Quotas, faults, credentials.


def test_a_spent_quota_is_waited_for(fake: GcpFake, tmp_path: Path) -> None:
    whole = Sweeps(fake, tmp_path)()
    fake.faults = faults.first(3, faults.spent(17), "/keys")
    sweeps = Sweeps(fake, tmp_path, workers=1)
    found = sweeps()
    assert bare(found) == bare(whole)
    assert sweeps.time.slept == [17.0, 17.0, 17.0]
    assert "17 s" in sweeps.time.told[0]
    assert not any(one.status == 429 for one in found.captures)


def test_a_quota_that_outlasts_the_patience_ends_as_throttled(fake: GcpFake, tmp_path: Path) -> None:
    fake.faults = faults.always(faults.spent(3600), "/keys")
    sweeps = Sweeps(fake, tmp_path, workers=2, patience=60.0)
    found = sweeps()
    assert coverage(found).status is CoverageStatus.THROTTLED
    assert sweeps.time.slept == []
    assert len(fake.asked("/keys")) <= 2
    assert all(isinstance(one.credentials, Unknown) for one in by_name(found).values())


def test_faults_of_the_server_and_the_network_are_tried_again(fake: GcpFake, tmp_path: Path) -> None:
    whole = Sweeps(fake, tmp_path)()
    hooks = [
        faults.first(1, faults.broken(503), "/keys"),
        faults.first(1, faults.broken(500), "roles/"),
        faults.first(1, faults.cut(), "serviceAccounts?"),
    ]
    fake.faults = lambda *asked: next((fault for hook in hooks if (fault := hook(*asked))), None)
    sweeps = Sweeps(fake, tmp_path)
    assert bare(sweeps()) == bare(whole)
    assert len(sweeps.time.slept) == 3


def test_a_service_that_is_down_is_not_waited_for_by_every_question(fake: GcpFake, tmp_path: Path) -> None:
    fake.faults = faults.always(faults.broken(503), "/")
    sweeps = Sweeps(fake, tmp_path, workers=1)
    found = sweeps()
    assert coverage(found).status is CoverageStatus.PARTIAL
    assert len(fake.requests) < 40
    assert by_name(found) == {}


def test_a_token_that_is_refused_is_renewed_once(fake: GcpFake, tmp_path: Path) -> None:
    def hook(method: str, path: str, number: int) -> None:
        if number == 5:
            fake.tokens.given.clear()

    fake.faults = hook
    found = Sweeps(fake, tmp_path)()
    assert coverage(found).status is CoverageStatus.COMPLETE
    assert 2 <= len(fake.asked_for_tokens) <= 3


def test_a_credential_that_is_refused_denies_the_scope_and_is_not_tried_again(fake: GcpFake, tmp_path: Path) -> None:
    fake.tokens.accepted = False
    found = Sweeps(fake, tmp_path)()
    told = coverage(found)
    assert told.status is CoverageStatus.DENIED
    assert "invalid_grant" in told.reason
    assert told.grant == "a credential of Google Cloud"
    assert len(fake.asked_for_tokens) == 1
    assert fake.requests == []


def test_no_token_key_or_assertion_is_ever_captured_logged_or_told(
    fake: GcpFake, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    good = Sweeps(fake, tmp_path)()
    fake.tokens.given.clear()
    fake.tokens.accepted = False
    bad = Sweeps(fake, tmp_path)()
    material = json.loads((tmp_path / "key.json").read_text())
    told = repr([*good.captures, *bad.captures, *good.coverage, *bad.coverage, *good.facts, *bad.facts]) + caplog.text
    for secret in ("ya29", "eyJ", material["private_key"][40:80], "proxy-password", "Authorization"):
        assert secret not in told


# Replay and memory.


def test_what_was_captured_gives_the_same_facts_without_a_network(fake: GcpFake, tmp_path: Path) -> None:
    fake.world.denied |= {f"iam.serviceAccountKeys.list on {HERE}/serviceAccounts/{DEPLOY}", "iam.denypolicies.get"}
    fake.page = 2
    live = Sweeps(fake, tmp_path)()
    folder.write(tmp_path / "captures", live.captures)
    requests = len(fake.requests)
    sweeps = Sweeps(None, tmp_path, replay=folder.read(tmp_path / "captures"))
    replayed = sweeps()
    assert replayed.facts == live.facts
    assert replayed.coverage == live.coverage
    assert replayed.captures == live.captures
    assert len(fake.requests) == requests
    assert sweeps.time.slept == []


def test_what_was_not_captured_is_a_gap_that_names_it(fake: GcpFake, tmp_path: Path) -> None:
    live = Sweeps(fake, tmp_path)()
    kept = [one for one in live.captures if "/keys" not in one.request["path"]]
    found = Sweeps(None, tmp_path, replay=kept)()
    assert "not among the captures" in unknown(by_name(found)["deploy"].credentials).reason
    assert coverage(found).status is CoverageStatus.PARTIAL


def test_an_identity_is_remembered_when_it_changes_and_told_when_it_is_gone(fake: GcpFake, tmp_path: Path) -> None:
    sweeps = Sweeps(fake, tmp_path)
    first = sweeps()
    assert len(first.remember) == 4
    assert {one.kind for one in first.remember} == {"gcp.identity"}
    assert sweeps().remember == []
    fake.world.bind(HERE, "roles/logging.viewer", f"serviceAccount:{RUNTIME}")
    gone = fake.world.accounts[PROJECT].pop(f"idle@{PROJECT}.iam.gserviceaccount.com")
    third = sweeps()
    assert [one.subject for one in third.remember] == [by_name(third)["runtime"].subject()]
    assert listing(third).vanished == {gone["uniqueId"]: gone["email"]}
    fake.world.denied.add("iam.serviceAccountKeys.list")
    fourth = sweeps()
    assert fourth.remember == [], "what could not be read says nothing of a change"
    fake.world.denied = {"iam.serviceAccounts.list"}
    assert listing(sweeps()).vanished == {}


def test_facts_do_not_depend_on_which_thread_was_first(fake: GcpFake, tmp_path: Path) -> None:
    one, many = Sweeps(fake, tmp_path, workers=1)(), Sweeps(fake, tmp_path, workers=16)()
    assert one.facts == many.facts
    assert one.captures == many.captures
    assert one.coverage == many.coverage


def test_progress_counts_the_accounts_of_each_project(fake: GcpFake, tmp_path: Path) -> None:
    sweeps = Sweeps(fake, tmp_path)
    sweeps()
    assert [(done, of) for _, done, of in sweeps.told] == [(n, 4) for n in range(1, 5)]


def test_the_port_says_what_is_read(fake: GcpFake, tmp_path: Path) -> None:
    source = Sweeps(fake, tmp_path, "example-prod", "example-batch").source
    assert source.name == "gcp.iam"
    assert source.scopes() == {"gcp.iam": ("gcp:example-prod", "gcp:example-batch")}
    assert source.recall([], []) == []


def test_the_number_of_the_project_tells_its_pools_from_others(tmp_path: Path) -> None:
    world: World = example()
    foreign = "principalSet://iam.googleapis.com/projects/999/locations/global/workloadIdentityPools/github/*"
    world.bind(f"{HERE}/serviceAccounts/{DEPLOY}", "roles/iam.workloadIdentityUser", foreign)
    with GcpFake(world) as fake:
        deploy = by_name(Sweeps(fake, tmp_path)())["deploy"]
    by_pool = {
        path.principal.partition("/providers")[0].rpartition("projects/")[2].partition("/")[0]: path
        for path in deploy.trust
        if path.kind == "token"
    }
    assert set(by_pool) == {NUMBER, "999"}
    assert "another project" in by_pool["999"].unclear[0].reason
