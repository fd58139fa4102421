"""What happens in the example's project on Google Cloud: deliveries, Google's own agents, a cluster; and what is planted.

Each planted case has a name, the verdict that is true of it, and the entries it consists of.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

from monitor.example.chance import Chance
from monitor.example.google import (
    CONSOLE,
    DATA_ACCESS,
    NUMBER,
    PROJECT,
    SYSTEM_EVENT,
    Json,
    account,
    alone,
    became,
    entry,
    exchanged,
    gcloud,
    person,
    subject,
    through,
)

START, END = datetime(2026, 3, 1, tzinfo=UTC), datetime(2026, 4, 1, tzinfo=UTC)
DEPLOY = account("accounts-deploy")
SECOND = timedelta(seconds=1)


class Planted(NamedTuple):
    """One case: `verdicts` are the outcomes by check that its session must have."""

    name: str
    verdicts: dict[str, str]
    entries: list[Json]


DIRECT, PROVEN = (
    {"direct-production-change": "fail"},
    {
        "direct-production-change": "pass",
        "pipeline-session-proof": "pass",
    },
)
UNPROVEN, UNSEEN = {"pipeline-session-proof": "fail"}, {"pipeline-session-proof": "unknown"}


def service(name: str) -> str:
    """Return the name of a Cloud Run service."""
    return f"projects/{PROJECT}/locations/europe-west1/services/{name}"


def update(when: datetime, caller: Json, name: str = "accounts", **more: object) -> list[Json]:
    """Return a deployment of a service: an operation's first and last entry."""
    run = f"projects/{PROJECT}/locations/europe-west1/operations/{int(when.timestamp())}"
    given: dict[str, Any] = {
        "kind": "cloud_run_revision",
        "labels": {"location": "europe-west1"},
        "permission": "run.services.update",
    }
    given |= more
    method = "google.cloud.run.v2.Services.UpdateService"
    first = entry(
        when, "run.googleapis.com", method, service(name), caller, **given, operation={"id": run, "producer": "run.googleapis.com", "first": True},
        request={"@type": "type.googleapis.com/google.cloud.run.v2.UpdateServiceRequest", "service": {"name": service(name)}},
    )  # fmt: skip
    last = entry(
        when + 40 * SECOND, "run.googleapis.com", method, service(name), caller, **given, operation={"id": run, "producer": "run.googleapis.com", "last": True},
        response={"@type": "type.googleapis.com/google.cloud.run.v2.Service", "name": service(name)},
    )  # fmt: skip
    return [first, last]


def delivery(when: datetime, repository: str = "accounts", email: str = DEPLOY) -> list[Json]:
    """Return a delivery of the pipeline: its token, the account it becomes, and what it changes."""
    who = subject(repository)
    bound = entry(
        when + 70 * SECOND, "run.googleapis.com", "google.cloud.run.v2.Services.SetIamPolicy", service(repository),
        through(email, who), labels={"location": "europe-west1"}, permission="run.services.setIamPolicy",
        request={"resource": service(repository)}, serviceData={"@type": "type.googleapis.com/google.iam.v1.logging.AuditData", "policyDelta": {"bindingDeltas": [{"action": "ADD", "role": "roles/run.invoker", "member": f"serviceAccount:{account('runtime')}"}]}},
    )  # fmt: skip
    return [
        exchanged(when, who),
        became(when + SECOND, email, {"principalSubject": who}),
        *update(when + 5 * SECOND, through(email, who), repository),
        bound,
    ]


def background(chance: Chance) -> Iterator[Json]:
    """Yield a month of what is as it should be: deliveries on working days, Google's agents, a cluster's own parts, reads."""
    compute = alone(f"service-{NUMBER}@compute-system.iam.gserviceaccount.com")
    apis = alone(f"{NUMBER}@cloudservices.gserviceaccount.com")
    robot = alone(f"service-{NUMBER}@container-engine-robot.iam.gserviceaccount.com")
    cluster = f"core/v1/namespaces/shop/pods/shop-{'{}'}"
    day = START
    while day < END:
        for _ in range(chance.between(2, 4) if day.weekday() < 5 else 0):
            yield from delivery(day + timedelta(hours=chance.between(8, 16), seconds=chance.below(3600)))
        for n in range(chance.between(2, 4)):
            when = day + timedelta(hours=chance.between(8, 17), seconds=chance.below(3600))
            who, what = chance.pick(
                [
                    (compute, "v1.compute.instances.insert"),
                    (apis, "beta.compute.instanceGroupManagers.resize"),
                    (robot, "v1.compute.disks.insert"),
                ]
            )
            yield entry(when, "compute.googleapis.com", what, f"projects/{PROJECT}/zones/europe-west1-b/x/{n}", who)
            controller = alone(
                chance.pick(["system:kube-controller-manager", "system:node:gke-shop-1", "system:kube-scheduler"])
            )
            verb = chance.pick(["pods.create", "pods.delete", "endpoints.update", "pods.status.patch"])
            yield entry(
                when + 30 * SECOND, "k8s.io", f"io.k8s.core.v1.{verb}", cluster.format(n), controller,
                kind="k8s_cluster", labels={"cluster_name": "shop", "location": "europe-west1"}, agent="kube-controller-manager/v1.33",
            )  # fmt: skip
            yield entry(
                when + 60 * SECOND, "storage.googleapis.com", "storage.objects.get", f"projects/_/buckets/receipts/objects/{n}",
                alone(account("runtime")), log=DATA_ACCESS, permission="storage.objects.get", reads=True,
            )  # fmt: skip
        if day.day % 7 == 3:
            yield entry(
                day + timedelta(hours=9), "compute.googleapis.com", "compute.instances.automaticRestart",
                f"projects/{PROJECT}/zones/europe-west1-b/instances/shop-1", alone("system@google.com"), log=SYSTEM_EVENT,
            )  # fmt: skip
        day += timedelta(days=1)


def planted() -> list[Planted]:
    """Return the cases, each with what is true of it."""

    def at(day: int, hour: int = 11, minute: int = 0) -> datetime:
        return datetime(2026, 3, day, hour, minute, tzinfo=UTC)

    firewall = ("compute.googleapis.com", "v1.compute.firewalls.insert", f"projects/{PROJECT}/global/firewalls/open")
    pod = "core/v1/namespaces/shop/pods/shop-1"
    k8s: dict[str, Any] = {"kind": "k8s_cluster", "labels": {"cluster_name": "shop", "location": "europe-west1"}}
    main = subject("accounts")
    maria = "maria@example.com"
    return [
        Planted("console", DIRECT, [entry(at(4), *firewall, person(maria), agent=CONSOLE)]),
        Planted(
            "cloud-shell", DIRECT,
            [entry(at(5), "sqladmin.googleapis.com", "cloudsql.instances.update", f"projects/{PROJECT}/instances/ledger", person("tom@example.com"), agent=gcloud("sql.instances.patch", where="devshell"))],
        ),
        Planted(
            "kubectl", DIRECT,
            [
                entry(at(6), "k8s.io", "io.k8s.apps.v1.deployments.patch", "apps/v1/namespaces/shop/deployments/shop", person("ana@example.com"), agent="kubectl/v1.33.2 (linux/amd64)", **k8s),
                entry(at(6, 11, 5), "k8s.io", "io.k8s.core.v1.pods.exec.create", pod, person("ana@example.com"), agent="kubectl/v1.33.2 (linux/amd64)", **k8s),
            ],
        ),
        Planted(
            "exec-by-websocket", DIRECT,
            [entry(at(7), "k8s.io", "io.k8s.core.v1.pods.exec.get", pod, person("ben@example.com"), log=DATA_ACCESS, agent="kubectl/v1.35.0", **k8s)],
        ),
        Planted(
            "own-workload-in-the-cluster", DIRECT,
            [entry(at(8), "k8s.io", "io.k8s.rbac.v1.clusterrolebindings.create", "rbac.authorization.k8s.io/v1/clusterrolebindings/x", alone("system:serviceaccount:shop:shop"), **k8s)],
        ),
        Planted(
            "key-of-a-service-account", UNPROVEN,
            [entry(at(9), "storage.googleapis.com", "storage.buckets.update", "projects/_/buckets/receipts", alone(account("legacy-deploy"), "9f31"), agent="python-requests/2.32")],
        ),
        Planted(
            "person-becomes-the-pipeline", UNPROVEN,
            [
                became(at(10), DEPLOY, person(maria), agent=gcloud("auth.print-access-token")),
                *update(at(10, 11, 1), through(DEPLOY, maria), agent=gcloud("run.deploy")),
            ],
        ),
        Planted(
            "another-branch", UNPROVEN,
            [
                exchanged(at(11), subject("accounts", "refs/heads/try")),
                became(at(11, 11, 1), DEPLOY, {"principalSubject": subject("accounts", "refs/heads/try")}),
                *update(at(11, 11, 2), through(DEPLOY, subject("accounts", "refs/heads/try"))),
            ],
        ),
        Planted(
            "another-provider-of-the-pool", UNPROVEN,
            [
                exchanged(at(12, 21), main, provider=f"projects/{NUMBER}/locations/global/workloadIdentityPools/github/providers/other"),
                became(at(12, 21, 1), DEPLOY, {"principalSubject": main}),
                *update(at(12, 21, 2), through(DEPLOY, main)),
            ],
        ),
        Planted("exchange-not-logged", UNSEEN, update(at(14, 20), through(DEPLOY, main))),
        Planted("pipeline", PROVEN, delivery(at(15, 20))),
        Planted(
            "redacted", DIRECT,
            [entry(at(16), "run.googleapis.com", "google.cloud.run.v2.Services.DeleteService", service("old"), {"principalEmail": ""}, agent="")],
        ),
        Planted(
            "account-named-like-an-agent", DIRECT,
            [entry(at(17), *firewall, alone("service-1@gcp-sa-friendly.iam.gserviceaccount.com"))],
        ),
        Planted(
            "person-behind-an-agent", DIRECT,
            [entry(at(18), *firewall, through(f"service-{NUMBER}@compute-system.iam.gserviceaccount.com", "tom@example.com"))],
        ),
        Planted(
            "sink-deleted", {"direct-production-change": "fail", "audit-log-integrity": "fail"},
            [entry(at(19), "logging.googleapis.com", "google.logging.v2.ConfigServiceV2.DeleteSink", f"projects/{PROJECT}/sinks/audit", person(maria), agent=gcloud("logging.sinks.delete"))],
        ),
        Planted(
            "audit-config-removed", {"direct-production-change": "fail", "audit-log-integrity": "fail"},
            [entry(at(20), "cloudresourcemanager.googleapis.com", "SetIamPolicy", f"projects/{PROJECT}", person("tom@example.com"), agent=CONSOLE, serviceData={"@type": "type.googleapis.com/google.iam.v1.logging.AuditData", "policyDelta": {"auditConfigDeltas": [{"action": "REMOVE", "service": "sts.googleapis.com", "logType": "ADMIN_READ"}]}})],
        ),
        Planted(
            "late", DIRECT,
            [entry(at(21), *firewall, person("lea@example.com"), late=timedelta(days=1, hours=2))],
        ),
        Planted(
            "failed", {}, [entry(at(22), *firewall, person("lea@example.com"), granted=False, status={"code": 7, "message": "PERMISSION_DENIED"})],
        ),
        Planted(
            "only-asked", {}, [entry(at(23), "k8s.io", "io.k8s.authorization.v1.selfsubjectaccessreviews.create", "authorization.k8s.io/v1/selfsubjectaccessreviews", person("ana@example.com"), **k8s)],
        ),
        Planted(
            "elsewhere", {}, [entry(at(24), *firewall, person(maria), project="example-test")],
        ),
    ]  # fmt: skip
