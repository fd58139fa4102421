"""Identities read over HTTP: from a moto server with sixty of them, page by page, refused, late, and from what was captured."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest
from moto.iam.models import iam_backends
from moto.organizations.models import organizations_backends

from monitor.expected.models import AwsEstate, DeployIdentity
from monitor.facts.identity import Credential, Identity, IdentityList, Use
from monitor.model import CoverageStatus, ScopeCoverage, Unknown
from monitor.sources import replay
from monitor.sources.aws.iam import IamSource
from monitor.sources.aws.session import ClientFactory, LiveClients, ReplayClients
from monitor.sources.ports import Collected, Request
from tests.fakes.github.memory import Nothing
from tests.fakes.iam_account import ACCOUNT, BORN, DECLARED, GITHUB, PLANTED, TOOLING, TRUTH, document, service
from tests.fakes.iam_server import DETAILS, Fault, Server, populate, serving

AT = datetime(2026, 3, 14, 2, 0, tzinfo=UTC)
GENERATE, LOOK = "GenerateServiceLastAccessedDetails", "GetServiceLastAccessedDetails"
REPORT = "GetCredentialReport"


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with serving() as found:
        populate(found)
        yield found
        iam_backends[ACCOUNT]["aws"].reset()


@pytest.fixture(autouse=True)
def fresh(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_PROFILE", "AWS_SESSION_TOKEN", "AWS_ENDPOINT_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "example")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "example")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    server.gate.reset()


def estate(*accounts: str, watched: tuple[str, ...] = ()) -> AwsEstate:
    def told(ids: tuple[str, ...]) -> list[dict[str, Any]]:
        return [{"id": one, "name": f"a{one}", "regions": ["us-east-1"]} for one in ids]

    return AwsEstate.model_validate({"accounts": told(accounts or (ACCOUNT,)), "watched": told(watched)})


class Sweeps:
    """Sweeps one estate again and again, remembering; `slept` lists the waits that were asked for."""

    def __init__(
        self,
        clients: ClientFactory,
        *accounts: str,
        watched: tuple[str, ...] = (),
        wanted: Callable[[Identity], bool] = lambda identity: False,
        usage_days: int = 90,
    ) -> None:
        self.slept: list[float] = []
        self.memory = Nothing()
        self.at = AT
        self.source = IamSource(
            estate(*accounts, watched=watched),
            clients,
            usage_days=usage_days,
            wanted=wanted,
            sleep=self.slept.append,
        )

    def __call__(self) -> Collected:
        found = self.source.collect(Request(sweep="s", at=self.at), self.memory, lambda *told: None)
        self.memory.keep(found)
        self.at += timedelta(days=1)
        return found


@pytest.fixture
def live(server: Server) -> Callable[..., Sweeps]:
    return lambda *accounts, **more: Sweeps(
        LiveClients("monitor-read", endpoint_url=server.url, attempts=1), *accounts, **more
    )


def by_name(found: Collected) -> dict[str, Identity]:
    return {one.short: one for one in found.facts if isinstance(one, Identity)}


def listing(found: Collected, account: str = ACCOUNT) -> IdentityList:
    (one,) = [fact for fact in found.facts if isinstance(fact, IdentityList) and fact.account == account]
    return one


def coverage(found: Collected, account: str = ACCOUNT) -> ScopeCoverage:
    (one,) = [told for told in found.coverage if told.scope == f"aws:{account}"]
    return one


def unknown(value: object) -> Unknown:
    assert isinstance(value, Unknown)
    return value


# All sixty.


def test_every_identity_is_read_with_what_bears_on_it(live: Callable[..., Sweeps]) -> None:
    found = live()()
    identities = by_name(found)
    assert set(identities) == {one.name for one in PLANTED}
    assert len(PLANTED) == 60
    for planted in PLANTED:
        one = identities[planted.name]
        assert (one.name, one.kind) == (planted.arn, "role" if planted.trust else "user")
        assert (one.account, one.at, one.created_at) == (ACCOUNT, AT, BORN)
        assert isinstance(one.policies, tuple)
        assert all(isinstance(policy.statements, tuple) for policy in one.policies)
        own = [policy for policy in one.policies if policy.kind != "group"]
        assert len(own) == len(planted.policies) + len(planted.attached)
        assert (one.boundary is not None) is bool(planted.boundary)
        assert (one.ceilings, one.resource_ceilings) == ((), ())
        assert isinstance(one.trust, tuple)
        assert bool(one.trust) is bool(planted.trust)
        assert not any(path.dead for path in one.trust)
    assert listing(found).ids == tuple(sorted(one.id for one in identities.values()))
    told = coverage(found)
    assert (told.status, told.source, told.gaps) == (CoverageStatus.COMPLETE, "aws.iam", ())
    assert told.counts["identities"] == 60


def test_trust_boundary_groups_and_managed_policies_are_whole(live: Callable[..., Sweeps]) -> None:
    identities = by_name(live()())
    (path,) = identities["payments-rollout"].trust
    assert (path.kind, path.issuer) == ("token", GITHUB)
    doors = identities["weak-second-door"].trust
    assert len(doors) == 2
    assert [path.kind for path in identities["weak-people"].trust] == ["token", "saml"]
    assert [path.kind for path in identities["undeclared-public"].trust] == ["anyone"]
    bounded = identities["bounded-rollout"]
    assert [policy.kind for policy in bounded.policies] == ["provider-managed"]
    assert bounded.boundary.statements[0].actions == ("ecs:UpdateService", "ecs:DescribeServices")
    assert {policy.kind for policy in identities["alice"].policies} == {"group"}
    assert any(
        statement.actions == ("*",) for policy in identities["alice"].policies for statement in policy.statements
    )


def test_credentials_of_users_come_from_the_report(live: Callable[..., Sweeps]) -> None:
    identities = by_name(live()())
    kept = {name: [(c.kind, c.active) for c in one.credentials] for name, one in identities.items()}
    assert kept["robot-without-keys"] == []
    assert kept["robot-with-keys"] == [("access-key", True), ("access-key", False)]
    assert kept["robot-with-password"] == [("password", True)]
    assert kept["dave"] == [("access-key", False)]
    assert identities["carol"].credentials[0].created_at == BORN
    assert (identities["alice"].mfa, identities["bob"].mfa) == (True, False)
    assert kept["payments-rollout"] == []
    assert identities["payments-rollout"].mfa is None


def test_every_identity_cites_what_was_captured_of_it_and_nothing_else(
    live: Callable[..., Sweeps], server: Server
) -> None:
    server.gate.page = 12
    found = live()()
    captured = {one.ref: one for one in found.captures}
    for one in (fact for fact in found.facts if isinstance(fact, Identity)):
        assert set(one.evidence) <= set(captured)
        pages = [ref for ref in one.evidence if ref.name == f"iam:{DETAILS}"]
        assert any(one.id.encode() in captured[ref].body for ref in pages)
        assert len(pages) <= 4, "not every page, but those of the identity, its groups and its policies"
        providers = [ref for ref in one.evidence if ref.name == "iam:GetOpenIDConnectProvider"]
        assert bool(providers) is any(path.kind == "token" for path in one.trust)
    whole = b"".join(one.body for one in found.captures)
    assert all(secret not in whole for secret in (b"SecretAccessKey", b"SessionToken", b"example-Password-1"))


def test_pages_change_nothing_but_what_is_cited(live: Callable[..., Sweeps], server: Server) -> None:
    def bare(found: Collected) -> list[Any]:
        return [
            msgspec.structs.replace(one, evidence=(), **({"uses": ()} if isinstance(one, Identity) else {}))
            for one in found.facts
        ]

    once = live()()
    server.gate.page = 7
    many = live()()
    assert bare(once) == bare(many)
    assert len(server.gate.calls(DETAILS)) == 11
    assert [sent["MaxItems"] for sent in server.gate.calls(DETAILS)] == ["1000"] * 11


def test_what_is_planted_is_declared_in_the_terms_of_expected_state() -> None:
    declared = [DeployIdentity.model_validate(one) for one in DECLARED]
    assert len({one.id for one in declared}) == len(declared)
    for planted in PLANTED:
        named = [one.id for one in declared if one.matches((planted.arn,))]
        assert named == ([planted.name] if planted.declared else [])
    assert set(TRUTH) == {one.name for one in PLANTED}
    assert {word for told in TRUTH.values() for word in told[:3]} <= {"pass", "fail", "not-applicable", "none", ""}


# One account's failure, and failures in between.


def test_a_denied_account_names_the_permission_and_stops_no_other(live: Callable[..., Sweeps], server: Server) -> None:
    server.gate.faults.append(Fault(DETAILS, account=TOOLING))
    found = live(TOOLING, ACCOUNT)()
    ids = unknown(listing(found, TOOLING).ids)
    told = coverage(found, TOOLING)
    assert ids.grant == told.grant == f"iam:{DETAILS} in account {TOOLING}"
    assert told.status is CoverageStatus.DENIED
    assert listing(found, TOOLING).evidence
    assert coverage(found).status is CoverageStatus.COMPLETE
    assert len(by_name(found)) == 60
    assert {operation for account, operation, _ in server.gate.asked if account == TOOLING} - {""} <= {
        DETAILS,
        "DescribeOrganization",
    }, "nothing more is asked of an account that cannot be listed"


def test_a_role_that_cannot_be_taken_denies_its_account_alone(live: Callable[..., Sweeps], server: Server) -> None:
    server.gate.faults.append(Fault("AssumeRole", nth=1))
    found = live(TOOLING, ACCOUNT)()
    assert "sts:AssumeRole" in coverage(found, TOOLING).grant
    assert coverage(found, TOOLING).status is CoverageStatus.DENIED
    assert len(by_name(found)) == 60


def test_a_page_that_fails_in_the_middle_leaves_the_list_unknown_and_keeps_what_was_read(
    live: Callable[..., Sweeps], server: Server
) -> None:
    sweep = live()
    sweep()
    server.gate.reset()
    server.gate.page = 25
    server.gate.faults.append(Fault(DETAILS, 400, "Throttling", nth=2))
    found = sweep()
    assert "Throttling" in unknown(listing(found).ids).reason
    told = coverage(found)
    assert (told.status, told.counts["pages"]) == (CoverageStatus.PARTIAL, 1)
    identities = by_name(found)
    assert 0 < len(identities) < 60
    erin = identities["erin"]
    assert isinstance(erin.policies[0].statements, Unknown), "its managed policy stands on a page that was not read"
    assert listing(found).vanished == {}, "what is on a page that was not read is not gone"
    assert found.remember == []


def test_a_first_page_that_is_throttled_is_no_denial(live: Callable[..., Sweeps], server: Server) -> None:
    server.gate.faults.append(Fault(DETAILS, 400, "Throttling"))
    found = live()()
    assert coverage(found).status is CoverageStatus.THROTTLED
    assert unknown(listing(found).ids).grant == "sweep again later"


EMPTY = f"<{DETAILS}Response><{DETAILS}Result>{{}}</{DETAILS}Result></{DETAILS}Response>"


@pytest.mark.parametrize(
    "body",
    [
        "",
        "{}",
        "<x/>",
        "<",
        "\x00",
        EMPTY.format(""),
        EMPTY.format("<IsTruncated>true</IsTruncated>"),
        EMPTY.format("<RoleDetailList><member/></RoleDetailList><IsTruncated>true</IsTruncated>"),
        EMPTY.format("<RoleDetailList/><IsTruncated>true</IsTruncated><Marker>1</Marker>"),
        EMPTY.format("<RoleDetailList/><IsTruncated>perhaps</IsTruncated><Marker>1</Marker>").replace("Role", "Rule"),
        EMPTY.format("<RoleDetailList><member><CreateDate>soon</CreateDate></member></RoleDetailList>"),
    ],
)
def test_an_answer_that_is_no_list_of_identities_is_unknown(
    live: Callable[..., Sweeps], server: Server, body: str
) -> None:
    server.gate.answers[DETAILS] = lambda sent: (200, body)
    found = live()()
    assert isinstance(listing(found).ids, Unknown)
    assert coverage(found).status is CoverageStatus.PARTIAL
    assert found.remember == []
    assert len(server.gate.calls(DETAILS)) <= 2, "pages that go round in a circle end"


def test_broken_entries_hide_nobody(live: Callable[..., Sweeps], server: Server) -> None:
    role = "<member><Arn>{0}</Arn><RoleId>A{1}</RoleId><RoleName>r{1}</RoleName>{2}</member>"
    arn = f"arn:aws:iam::{ACCOUNT}:role/r{{}}"
    entries = [
        role.format(arn.format(1), 1, "<AssumeRolePolicyDocument>%7Bno</AssumeRolePolicyDocument>"),
        role.format(
            arn.format(2), 2, "<RolePolicyList><member><PolicyDocument>5</PolicyDocument></member></RolePolicyList>"
        ),
        "<member/>",
    ]
    server.gate.answers[DETAILS] = lambda sent: (
        200,
        EMPTY.format(f"<RoleDetailList>{''.join(entries)}</RoleDetailList>"),
    )
    found = live()()
    assert len(listing(found).ids) == 3
    assert isinstance(by_name(found)["r1"].trust, Unknown)
    assert isinstance(by_name(found)["r2"].policies[0].statements, Unknown)


# Providers.


def test_a_provider_that_cannot_be_read_is_there_all_the_same(live: Callable[..., Sweeps], server: Server) -> None:
    server.gate.faults.append(Fault("GetOpenIDConnectProvider"))
    found = live()()
    told = coverage(found)
    assert told.status is CoverageStatus.PARTIAL
    assert told.grant == f"iam:GetOpenIDConnectProvider in account {ACCOUNT}"
    (path,) = by_name(found)["payments-rollout"].trust
    assert (path.issuer, path.dead) == (GITHUB, "")


def test_providers_that_cannot_be_listed_kill_no_path(live: Callable[..., Sweeps], server: Server) -> None:
    server.gate.faults += [Fault("ListOpenIDConnectProviders"), Fault("ListSAMLProviders")]
    found = live()()
    assert coverage(found).status is CoverageStatus.PARTIAL
    paths = by_name(found)["weak-people"].trust
    assert [path.dead for path in paths] == ["", ""]


def test_a_provider_that_is_gone_makes_its_path_dead(live: Callable[..., Sweeps], server: Server) -> None:
    server.gate.answers["ListSAMLProviders"] = lambda sent: (
        200,
        (
            "<ListSAMLProvidersResponse><ListSAMLProvidersResult><SAMLProviderList/></ListSAMLProvidersResult>"
            "</ListSAMLProvidersResponse>"
        ),
    )
    token, saml = by_name(live()())["weak-people"].trust
    assert (token.dead, "no identity provider" in saml.dead) == ("", True)


# The credential report.


def test_without_the_report_keys_are_read_one_by_one_and_the_rest_is_unknown(
    live: Callable[..., Sweeps], server: Server
) -> None:
    server.gate.faults += [Fault("GenerateCredentialReport"), Fault(REPORT)]
    found = live()()
    robot = by_name(found)["robot-with-keys"]
    keys = [one for one in robot.credentials if one.kind == "access-key"]
    assert [(key.active, key.used_at) for key in keys] == [(True, None), (False, None)]
    assert all(key.id.startswith("AKIA") for key in keys)
    (password,) = [one for one in robot.credentials if one.kind == "password"]
    assert unknown(password.active).grant == unknown(robot.mfa).grant
    assert "CredentialReport in account" in unknown(robot.mfa).grant
    told = coverage(found)
    assert (told.status, "CredentialReport" in told.grant) == (CoverageStatus.PARTIAL, True)
    assert len(server.gate.calls("ListAccessKeys")) == sum(1 for one in PLANTED if not one.trust)


def test_who_may_list_no_keys_is_not_asked_for_each_user(live: Callable[..., Sweeps], server: Server) -> None:
    server.gate.faults += [Fault("GenerateCredentialReport"), Fault(REPORT), Fault("ListAccessKeys")]
    found = live()()
    users = [one for one in by_name(found).values() if one.kind == "user"]
    assert all(f"iam:ListAccessKeys in account {ACCOUNT}" == unknown(one.credentials).grant for one in users)
    assert len(server.gate.calls("ListAccessKeys")) == 1
    assert isinstance(listing(found).ids, tuple)


def test_a_report_that_somebody_else_had_made_will_do(live: Callable[..., Sweeps], server: Server) -> None:
    live()()
    server.gate.faults.append(Fault("GenerateCredentialReport"))
    found = live()()
    assert coverage(found).status is CoverageStatus.COMPLETE
    assert len(by_name(found)["robot-with-keys"].credentials) == 2


def test_a_report_that_takes_time_is_waited_for(live: Callable[..., Sweeps], server: Server) -> None:
    server.gate.faults += [Fault(REPORT, 404, "ReportInProgress", nth=n) for n in (1, 2)]
    sweep = live()
    found = sweep()
    assert sweep.slept == [1.0, 1.0]
    assert len(by_name(found)["robot-with-keys"].credentials) == 2
    assert [ref.name for ref in by_name(found)["bob"].evidence].count(f"iam:{REPORT}") == 1


def test_a_report_that_never_comes_is_unknown_after_half_a_minute(live: Callable[..., Sweeps], server: Server) -> None:
    server.gate.faults.append(Fault(REPORT, 410, "ReportNotPresent"))
    sweep = live()
    found = sweep()
    assert 20 <= sum(sweep.slept) <= 60
    bob = by_name(found)["bob"]
    assert "not ready" in unknown(bob.credentials).reason
    assert coverage(found).status is CoverageStatus.PARTIAL
    assert server.gate.calls("ListAccessKeys") == []


@pytest.mark.parametrize("content", ["", "user", "no,report\n1,2", "\x00\x01"])
def test_a_report_that_cannot_be_read_is_unknown(live: Callable[..., Sweeps], server: Server, content: str) -> None:
    packed = base64.b64encode(content.encode()).decode()
    answer = f"<R><{REPORT}Result><Content>{packed}</Content></{REPORT}Result></R>"
    server.gate.answers[REPORT] = lambda sent: (200, answer)
    found = live()()
    assert isinstance(by_name(found)["bob"].credentials, Unknown)
    assert coverage(found).status is CoverageStatus.PARTIAL


# Use.


def answering_use(server: Server, pending: int = 0) -> None:
    """Let the server tell of uses, as AWS does: a job for each identity, done after some looks, in two pages."""
    looks: dict[str, int] = {}

    def generate(sent: dict[str, str]) -> tuple[int, str]:
        assert sent["Granularity"] == "ACTION_LEVEL"
        return (
            200,
            f"<R><{GENERATE}Result><JobId>{'job-of-' + sent['Arn'].rpartition('/')[2]:x<36}</JobId></{GENERATE}Result></R>",
        )

    def look(sent: dict[str, str]) -> tuple[int, str]:
        looks[sent["JobId"]] = looks.get(sent["JobId"], 0) + 1
        state, more = ("IN_PROGRESS", "") if looks[sent["JobId"]] <= pending else ("COMPLETED", "")
        listed = ""
        if state == "COMPLETED":
            used = "<LastAuthenticated>2026-03-01T10:00:00Z</LastAuthenticated>"
            action = "<ActionName>UpdateService</ActionName><LastAccessedTime>2026-03-01T10:00:00Z</LastAccessedTime>"
            tracked = f"<TrackedActionsLastAccessed><member>{action}</member></TrackedActionsLastAccessed>"
            service, rest = ("s3", "") if "Marker" in sent else ("ecs", used + tracked)
            listed = f"<member><ServiceNamespace>{service}</ServiceNamespace>{rest}</member>"
            more = "" if "Marker" in sent else "<IsTruncated>true</IsTruncated><Marker>2</Marker>"
        body = f"<JobStatus>{state}</JobStatus><ServicesLastAccessed>{listed}</ServicesLastAccessed>{more}"
        return 200, f"<R><{LOOK}Result>{body}</{LOOK}Result></R>"

    server.gate.answers |= {GENERATE: generate, LOOK: look}


def rolls_out(identity: Identity) -> bool:
    return identity.short.endswith("-rollout")


def test_use_is_asked_of_those_that_are_wanted_alone(live: Callable[..., Sweeps], server: Server) -> None:
    answering_use(server)
    sweep = live(wanted=rolls_out)
    identities = by_name(sweep())
    used = datetime(2026, 3, 1, 10, 0, tzinfo=UTC)
    uses = identities["payments-rollout"].uses
    assert {use for use in uses if use.service} == {
        Use(service="ecs", at=used),
        Use(service="ecs", action="ecs:UpdateService", at=used),
        Use(service="s3"),
    }
    asked = {sent["Arn"].rpartition("/")[2] for sent in server.gate.calls(GENERATE)}
    assert asked == {one.name for one in PLANTED if one.name.endswith("-rollout")}
    assert sweep.slept == []
    names = [ref.name for ref in identities["payments-rollout"].evidence]
    assert names.count(f"iam:{LOOK}") == 2


def test_jobs_are_waited_for_together_and_not_for_ever(live: Callable[..., Sweeps], server: Server) -> None:
    answering_use(server, pending=2)
    sweep = live(wanted=rolls_out)
    assert isinstance(by_name(sweep())["web-rollout"].uses, tuple)
    assert len(sweep.slept) == 2
    answering_use(server, pending=99)
    sweep = live(wanted=rolls_out)
    assert "did not tell" in unknown(by_name(sweep())["web-rollout"].uses).reason
    assert sum(sweep.slept) <= 90


def test_use_that_may_not_be_asked_is_unknown_with_the_permission(live: Callable[..., Sweeps], server: Server) -> None:
    server.gate.faults.append(Fault(GENERATE))
    found = live(wanted=rolls_out)()
    assert unknown(by_name(found)["web-rollout"].uses).grant == f"iam:{GENERATE} in account {ACCOUNT}"
    assert len(server.gate.calls(GENERATE)) == 1
    assert coverage(found).status is CoverageStatus.COMPLETE


def test_use_that_the_server_does_not_know_of_is_unknown_and_no_error(
    live: Callable[..., Sweeps], server: Server
) -> None:
    server.gate.faults.append(Fault(GENERATE, 400, "InvalidAction"))
    found = live(wanted=lambda identity: True)()
    assert all(isinstance(one.uses, Unknown) for one in by_name(found).values())
    assert len(server.gate.calls(GENERATE)) == 3, "after so many failures in a row nothing more is started"


def test_a_job_that_fails_is_unknown(live: Callable[..., Sweeps], server: Server) -> None:
    answering_use(server)
    server.gate.answers[LOOK] = lambda sent: (
        200,
        (
            f"<R><{LOOK}Result><JobStatus>FAILED</JobStatus><Error><Message>too busy</Message><Code>X</Code></Error>"
            f"</{LOOK}Result></R>"
        ),
    )
    found = live(wanted=rolls_out)()
    assert "too busy" in unknown(by_name(found)["web-rollout"].uses).reason


def test_nothing_is_asked_of_use_where_it_is_not_judged(live: Callable[..., Sweeps], server: Server) -> None:
    live(wanted=rolls_out, usage_days=0)()
    assert server.gate.calls(GENERATE) == []


# The organisation.


class Organised:
    """An organisation whose management account is TOOLING, with one member below a unit."""

    def __init__(self, server: Server) -> None:
        client = server.client("organizations", TOOLING)
        client.create_organization(FeatureSet="ALL")
        self.root = client.list_roots()["Roots"][0]["Id"]
        made = client.create_account(AccountName="member", Email="member@example.com")["CreateAccountStatus"]
        self.member = made["AccountId"]
        self.unit = client.create_organizational_unit(ParentId=self.root, Name="prod")["OrganizationalUnit"]["Id"]
        client.move_account(AccountId=self.member, SourceParentId=self.root, DestinationParentId=self.unit)
        self.client = client
        content = document({"Effect": "Deny", "Action": "cloudtrail:*", "Resource": "*"})
        self.policy = client.create_policy(
            Content=json.dumps(content), Description="x", Name="keep-logs", Type="SERVICE_CONTROL_POLICY"
        )["Policy"]["PolicySummary"]["Id"]
        client.enable_policy_type(RootId=self.root, PolicyType="SERVICE_CONTROL_POLICY")
        client.attach_policy(PolicyId=self.policy, TargetId=self.unit)
        iam = server.client("iam", self.member)
        iam.create_role(RoleName="deploy", AssumeRolePolicyDocument=json.dumps(service("ec2")))
        iam.create_service_linked_role(AWSServiceName="autoscaling.amazonaws.com")


@pytest.fixture
def organised(server: Server) -> Iterator[Organised]:
    yield Organised(server)
    # Of these accounts alone: a reset of all would take other servers of this process along.
    organizations_backends[TOOLING]["aws"].reset()
    organizations_backends.master_accounts.clear()


def test_ceilings_are_read_through_the_account_that_may(live: Callable[..., Sweeps], organised: Organised) -> None:
    found = live(organised.member, watched=(TOOLING,))()
    one = by_name(found)["deploy"]
    assert isinstance(one.ceilings, tuple)
    assert len(one.ceilings) == 3, "the root, the unit, the account"
    assert one.resource_ceilings == (), "policies of a type that is not enabled bear on nothing"
    (denial,) = [policy for policy in one.ceilings[1] if policy.name.endswith(organised.policy)]
    assert (denial.kind, denial.statements[0].allow) == ("scp", False)
    assert {"organizations:ListParents", "organizations:DescribePolicy"} <= {ref.name for ref in one.evidence}
    (linked,) = [one for one in by_name(found).values() if "/aws-service-role/" in one.name]
    assert linked.ceilings == (), "a role that a service made for itself is not bound by them"


def test_the_account_that_manages_has_no_ceiling(
    live: Callable[..., Sweeps], organised: Organised, server: Server
) -> None:
    server.client("iam", TOOLING).create_role(RoleName="hub", AssumeRolePolicyDocument=json.dumps(service("codebuild")))
    one = by_name(live(TOOLING)())["hub"]
    assert (one.ceilings, one.resource_ceilings) == ((), ())
    server.client("iam", TOOLING).delete_role(RoleName="hub")


def test_ceilings_that_nobody_may_read_are_unknown_and_all_else_is_read(
    live: Callable[..., Sweeps], organised: Organised, server: Server
) -> None:
    server.gate.faults.append(Fault("ListRoots", 400, "AccessDeniedException"))
    found = live(organised.member)()
    one = by_name(found)["deploy"]
    why = unknown(one.ceilings)
    assert why == one.resource_ceilings
    assert "not readable with the role" in why.reason
    assert f"in account {TOOLING}" in why.grant
    assert coverage(found, organised.member).status is CoverageStatus.COMPLETE


@pytest.mark.parametrize("operation", ["ListParents", "ListPoliciesForTarget", "DescribeOrganization"])
def test_each_question_to_the_organisation_may_fail(
    live: Callable[..., Sweeps], organised: Organised, server: Server, operation: str
) -> None:
    server.gate.faults.append(Fault(operation, 400, "AccessDeniedException", account=TOOLING))
    one = by_name(live(organised.member, watched=(TOOLING,))())["deploy"]
    if operation == "DescribeOrganization":
        assert isinstance(one.ceilings, tuple)
    else:
        assert isinstance(one.ceilings, Unknown)


def test_a_policy_that_cannot_be_read_is_unknown_by_itself(
    live: Callable[..., Sweeps], organised: Organised, server: Server
) -> None:
    server.gate.faults.append(Fault("DescribePolicy", 400, "AccessDeniedException"))
    one = by_name(live(organised.member, watched=(TOOLING,))())["deploy"]
    (denial,) = [policy for policy in one.ceilings[1] if policy.name.endswith(organised.policy)]
    assert isinstance(denial.statements, Unknown)


def test_a_member_that_may_not_say_where_it_is_is_found_by_another(
    live: Callable[..., Sweeps], organised: Organised, server: Server
) -> None:
    server.gate.faults.append(Fault("DescribeOrganization", 400, "AccessDeniedException", account=organised.member))
    one = by_name(live(organised.member, watched=(TOOLING,))())["deploy"]
    assert len(one.ceilings) == 3


# Replay.


def test_what_was_captured_replays_to_the_same_facts(
    live: Callable[..., Sweeps], server: Server, organised: Organised, tmp_path: Path
) -> None:
    answering_use(server, pending=2)
    server.gate.page = 9
    server.gate.faults += [
        Fault(REPORT, 404, "ReportInProgress", nth=1),
        Fault("GetOpenIDConnectProvider", nth=2),
    ]
    accounts = (ACCOUNT, organised.member)
    found = live(*accounts, watched=(TOOLING,), wanted=rolls_out)()
    replay.write(tmp_path, found.captures)
    stored = replay.read(tmp_path)
    assert stored == found.captures
    again = Sweeps(ReplayClients(stored), *accounts, watched=(TOOLING,), wanted=rolls_out)
    replayed = again()
    assert replayed.facts == found.facts
    assert replayed.coverage == found.coverage
    assert replayed.remember == found.remember
    assert again.slept == []


def test_what_was_refused_replays_as_refused(live: Callable[..., Sweeps], server: Server) -> None:
    server.gate.page = 25
    server.gate.faults += [
        Fault(DETAILS, 400, "Throttling", nth=3),
        Fault("GenerateCredentialReport"),
        Fault(REPORT),
        Fault("GetAccessKeyLastUsed"),
        Fault("ListSAMLProviders"),
        Fault(GENERATE),
    ]
    found = live(wanted=rolls_out)()
    replayed = Sweeps(ReplayClients(found.captures), wanted=rolls_out)()
    assert (replayed.facts, replayed.coverage) == (found.facts, found.coverage)


def test_an_account_that_was_not_captured_is_unknown(live: Callable[..., Sweeps]) -> None:
    captures = live()().captures
    found = Sweeps(ReplayClients(captures), ACCOUNT, TOOLING)()
    assert len(by_name(found)) == 60
    assert "not among the captures" in unknown(listing(found, TOOLING).ids).reason
    assert coverage(found, TOOLING).status is CoverageStatus.PARTIAL


# From sweep to sweep.


def test_what_is_the_same_is_remembered_once(live: Callable[..., Sweeps], server: Server) -> None:
    sweep = live(wanted=rolls_out)
    answering_use(server)
    first = sweep()
    assert {one.subject for one in first.remember} == {one.subject() for one in by_name(first).values()}
    assert all(one.kind == "aws.identity" and one.id == f"{one.subject}@{AT.isoformat()}" for one in first.remember)
    server.gate.page = 7
    assert sweep().remember == [], "another page, another day and another use are no change"
    server.gate.faults += [Fault("GenerateCredentialReport"), Fault(REPORT), Fault("ListAccessKeys")]
    assert sweep().remember == [], "what could not be read has not changed"


def test_what_changes_appears_or_goes_is_seen(live: Callable[..., Sweeps], server: Server) -> None:
    iam = server.client("iam")
    sweep = live()
    before = by_name(sweep())
    trust = json.dumps(service("ec2"))
    iam.create_role(RoleName="newcomer", AssumeRolePolicyDocument=trust)
    iam.put_role_policy(
        RoleName="backup",
        PolicyName="more",
        PolicyDocument=json.dumps(document({"Effect": "Deny", "Action": "*", "Resource": "*"})),
    )
    second = sweep()
    names = by_name(second)
    assert {one.subject for one in second.remember} == {names["newcomer"].subject(), names["backup"].subject()}
    iam.delete_role(RoleName="newcomer")
    iam.delete_role_policy(RoleName="backup", PolicyName="more")
    third = sweep()
    assert listing(third).vanished == {names["newcomer"].id: names["newcomer"].name}
    assert [one.subject for one in third.remember] == [before["backup"].subject()]


def test_an_account_that_cannot_be_listed_has_lost_nobody(live: Callable[..., Sweeps], server: Server) -> None:
    sweep = live()
    sweep()
    server.gate.faults.append(Fault(DETAILS))
    assert listing(sweep()).vanished == {}


def test_the_root_user_shows_with_its_keys_and_never_vanishes(live: Callable[..., Sweeps], server: Server) -> None:
    header = "user,arn,user_creation_time,password_enabled,mfa_active,access_key_1_active,access_key_1_last_rotated,access_key_1_last_used_date"
    arn = f"arn:aws:iam::{ACCOUNT}:root"
    row = f"<root_account>,{arn},2020-01-01T00:00:00+00:00,not_supported,false,true,2020-01-01T00:00:00+00:00,N/A"
    packed = base64.b64encode(f"{header}\n{row}\n".encode()).decode()
    server.gate.answers[REPORT] = lambda sent: (
        200,
        f"<R><{REPORT}Result><Content>{packed}</Content></{REPORT}Result></R>",
    )
    sweep = live()
    found = sweep()
    (root,) = [one for one in found.facts if isinstance(one, Identity) and one.id == "root"]
    assert isinstance(root.credentials[0], Credential)
    assert "root" in listing(found).ids
    assert isinstance(by_name(found)["bob"].credentials, Unknown), "a user who is not in the report"
    del server.gate.answers[REPORT]
    assert listing(sweep()).vanished == {}


def test_scopes_are_the_accounts_each_once_and_nothing_is_owed(live: Callable[..., Sweeps]) -> None:
    source = live(ACCOUNT, watched=(TOOLING,)).source
    assert source.name == "aws.iam"
    assert source.scopes() == {"aws.iam": (f"aws:{ACCOUNT}", f"aws:{TOOLING}")}
    assert source.due(Request(sweep="s", at=AT), Nothing()) is None
    assert source.recall((), ()) == []


SSH, SPECIFIC = "ListSSHPublicKeys", "ListServiceSpecificCredentials"


def answering_credentials(server: Server) -> None:
    def ssh(sent: dict[str, str]) -> tuple[int, str]:
        key = "<UserName>x</UserName><SSHPublicKeyId>APKAEXAMPLE</SSHPublicKeyId><Status>Active</Status>"
        entry = f"<SSHPublicKeys><member>{key}<UploadDate>2025-07-01T08:00:00Z</UploadDate></member></SSHPublicKeys>"
        return 200, f"<R><{SSH}Result>{entry}<IsTruncated>false</IsTruncated></{SSH}Result></R>"

    server.gate.answers[SSH] = ssh
    none = f"<R><{SPECIFIC}Result><ServiceSpecificCredentials/></{SPECIFIC}Result></R>"
    server.gate.answers[SPECIFIC] = lambda sent: (200, none)


def test_credentials_that_no_report_tells_of_are_asked_of_wanted_users(
    live: Callable[..., Sweeps], server: Server
) -> None:
    answering_credentials(server)
    found = by_name(live(wanted=lambda one: one.short == "robot-without-keys")())
    credentials = found["robot-without-keys"].credentials
    assert isinstance(credentials, tuple)
    assert [(one.kind, one.id, one.active) for one in credentials] == [("ssh-key", "APKAEXAMPLE", True)]
    assert {sent["UserName"] for sent in server.gate.calls(SSH)} == {"robot-without-keys"}


def test_credentials_whose_list_may_not_be_read_are_not_taken_for_none(
    live: Callable[..., Sweeps], server: Server
) -> None:
    answering_credentials(server)
    server.gate.faults.append(Fault(SPECIFIC, 403, "AccessDenied"))
    found = by_name(live(wanted=lambda one: one.short == "robot-without-keys")())
    credentials = found["robot-without-keys"].credentials
    assert isinstance(credentials, tuple)
    (unread,) = [one for one in credentials if one.kind == "service-credential"]
    assert SPECIFIC in unknown(unread.active).grant
