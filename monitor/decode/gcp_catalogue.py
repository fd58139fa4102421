"""Names in Google Cloud's audit logs: what issues credentials, what blinds the log, who Google's own agents are, severities.

Method names differ by service and by version of the API, so they are matched by their last parts. The default never depends
on a name being known: what is not listed is a write of medium severity.
"""

from __future__ import annotations

import re
from functools import lru_cache

from monitor.model import Severity

ACTIVITY, DATA_ACCESS, SYSTEM_EVENT, POLICY = (
    f"cloudaudit.googleapis.com/{name}" for name in ("activity", "data_access", "system_event", "policy")
)
"""The audit logs: https://cloud.google.com/logging/docs/audit#types"""
LOGS = (ACTIVITY, DATA_ACCESS, SYSTEM_EVENT, POLICY)

ISSUERS = frozenset({"sts.googleapis.com", "iamcredentials.googleapis.com"})
"""Whose calls issue credentials: https://cloud.google.com/iam/docs/audit-logging/examples-workload-identity"""
ISSUING = frozenset({"ExchangeToken", "GenerateAccessToken", "GenerateIdToken", "SignBlob", "SignJwt"})
SIGN_IN = frozenset({"login.googleapis.com", "cloudoauth.googleapis.com"})

# Service agents are named service-NUMBER@DOMAIN, and their domains are Google's own:
# https://cloud.google.com/iam/docs/service-agents. Anybody can name an account of his own service-1, so the domain must be one
# of these; agents that are not listed here are not known, and may be declared in trusted_services.
AGENTS = frozenset(
    f"{name}.iam.gserviceaccount.com"
    for name in (
        "cloud-filer", "cloud-memcache-sa", "cloud-ml.google.com", "cloud-redis", "cloudcomposer-accounts",
        "compute-system", "container-analysis", "container-engine-robot", "containerregistry",
        "dataflow-service-producer-prod", "dataproc-accounts", "dlp-api", "endpoints-portal", "firebase-rules",
        "gae-api-prod.google.com", "gcf-admin-robot", "gcp-gae-service", "gcp-sa-accessapproval", "gcp-sa-alloydb",
        "gcp-sa-anthos", "gcp-sa-anthosconfigmanagement", "gcp-sa-anthossupport", "gcp-sa-apigateway",
        "gcp-sa-apigateway-mgmt", "gcp-sa-apigee", "gcp-sa-appdevexperience", "gcp-sa-artifactregistry",
        "gcp-sa-assuredworkloads", "gcp-sa-automl", "gcp-sa-backupdr", "gcp-sa-bigquery-condel",
        "gcp-sa-bigquerydatatransfer", "gcp-sa-bigtable", "gcp-sa-binaryauthorization", "gcp-sa-bms",
        "gcp-sa-certificatemanager", "gcp-sa-cloud-sql", "gcp-sa-cloud-trace", "gcp-sa-cloudasset",
        "gcp-sa-cloudbatch", "gcp-sa-cloudbuild", "gcp-sa-clouddeploy", "gcp-sa-cloudkms", "gcp-sa-cloudoptim",
        "gcp-sa-cloudscheduler", "gcp-sa-cloudtasks", "gcp-sa-config", "gcp-sa-connectors", "gcp-sa-dataform",
        "gcp-sa-datafusion", "gcp-sa-datalabeling", "gcp-sa-dataplex", "gcp-sa-datastream", "gcp-sa-ekms",
        "gcp-sa-eventarc", "gcp-sa-firebase", "gcp-sa-firestore", "gcp-sa-gkebackup", "gcp-sa-gkehub",
        "gcp-sa-gkemulticloud", "gcp-sa-gkenode", "gcp-sa-healthcare", "gcp-sa-iap", "gcp-sa-ktd-control",
        "gcp-sa-logging", "gcp-sa-mcsd", "gcp-sa-meshconfig", "gcp-sa-meshcontrolplane", "gcp-sa-meshdataplane",
        "gcp-sa-monitoring-notification", "gcp-sa-networkconnectivity", "gcp-sa-notebooks", "gcp-sa-osconfig",
        "gcp-sa-privateca", "gcp-sa-prod-dai-core", "gcp-sa-pubsub", "gcp-sa-recommendationengine", "gcp-sa-retail",
        "gcp-sa-runapps", "gcp-sa-secretmanager", "gcp-sa-servicedirectory", "gcp-sa-servicemesh", "gcp-sa-slz",
        "gcp-sa-spanner", "gcp-sa-spectrumsas", "gcp-sa-storageinsights", "gcp-sa-transcoder",
        "gcp-sa-visualinspection", "gcp-sa-vmmigration", "gcp-sa-vmwareengine", "gcp-sa-vpcaccess",
        "gcp-sa-websecurityscanner", "gcp-sa-workflows", "gcp-sa-workstations", "gs-project-accounts",
        "remotebuildexecution", "serverless-robot-prod", "service-consumer-management", "service-networking",
        "sourcerepo-service-accounts", "storage-transfer-service", "trifacta-gcloud-prod",
    )
)  # fmt: skip
AGENT_NAME = re.compile(r"(?:service|project)-([0-9]{1,20})", re.ASCII)
APIS_AGENT = re.compile(r"([0-9]{1,20})@cloudservices\.gserviceaccount\.com", re.ASCII)
"""The Google APIs Service Agent: https://cloud.google.com/iam/docs/service-account-types#google-apis-agent"""

# What a cluster's own parts are called: https://kubernetes.io/docs/reference/access-authn-authz/rbac/#default-roles-and-role-bindings
# and https://kubernetes.io/docs/reference/access-authn-authz/node/. Nobody can be authenticated by a name of `system:` that the
# cluster did not give; workloads in a namespace of one's own are one's own.
CLUSTER = re.compile(
    r"system:(?:kube-controller-manager|kube-scheduler|kube-proxy|apiserver|node-problem-detector|addon-manager|vpa-recommender"
    r"|cloud-controller-manager|clustermetrics|glbc|gcp-controller-manager|konnectivity-server|gke-common-webhooks"
    r"|gke-controller-manager|gke-master-healthcheck|l7-lb-controller|storageversionmigrator|managed-certificate-controller"
    r"|pdcsi-controller|snapshot-controller|node:[A-Za-z0-9.-]+"
    r"|serviceaccount:(?:kube-system|gke-managed-system|gke-managed-cim|gmp-system|gke-gmp-system):[A-Za-z0-9.-]+)",
    re.ASCII,
)
# Questions that are asked by creating an object: https://kubernetes.io/docs/reference/access-authn-authz/authorization/
K8S_READS = re.compile(
    r"io\.k8s\.(?:authorization|authentication)\.v[0-9a-z]+\.(?:[a-z]*subjectaccessreviews|selfsubjectrulesreviews"
    r"|tokenreviews|selfsubjectreviews)\.create"
)
K8S_TELEMETRY = re.compile(
    r"io\.k8s\.(?:coordination\.v[0-9a-z]+\.leases\..*|core\.v1\.(?:events|nodes\.status|pods\.status|endpoints)\..*"
    r"|events\.v[0-9a-z]+\.events\..*)"
)
INTERACTIVE = re.compile(r"io\.k8s\.core\.v1\.(?:pods|services|nodes)\.(?:exec|attach|portforward|proxy)\..*")
"""kubectl exec and its kin: access to production, whichever verb carries it."""

_BLINDING = {
    "DeleteSink": "deletes a sink of the audit log",
    "UpdateSink": "changes where a sink sends the audit log, or what it lets through",
    "CreateExclusion": "keeps entries out of the log",
    "UpdateExclusion": "changes which entries are kept out of the log",
    "DeleteLog": "deletes the entries of a log",
    "DeleteBucket": "deletes a log bucket",
    "UpdateBucket": "changes how long a log bucket keeps its entries",
    "UpdateBucketAsync": "changes how long a log bucket keeps its entries",
    "DeleteView": "deletes a view of a log bucket",
    "UpdateSettings": "changes where logs are kept by default",
}
_BLINDING_BUCKET = {
    "storage.buckets.delete": "deletes the bucket that holds the audit log",
    "storage.buckets.update": "changes the bucket that holds the audit log",
    "storage.buckets.patch": "changes the bucket that holds the audit log",
    "storage.setIamPermissions": "changes who may touch the bucket that holds the audit log",
    "storage.objects.delete": "deletes files of the audit log",
    "storage.objects.update": "changes files of the audit log",
}
TAMPERING = frozenset({"storage.objects.delete", "storage.objects.update"})
"""Calls that stand in the data access log, and yet matter where they meet a bucket that holds the audit log."""


def last(method: str) -> str:
    """Return a method's own name: the last part of it."""
    return method.rpartition(".")[2]


def blinding(service: str, method: str) -> str:
    """Return how a call can blind the audit log, or nothing. What it does to audit configs its body tells."""
    return _BLINDING.get(last(method), "") if service == "logging.googleapis.com" else ""


def blinding_bucket(method: str) -> str:
    """Return how a call on a bucket that holds the audit log can blind it, or nothing."""
    return _BLINDING_BUCKET.get(method, "")


_C, _H, _M, _L = Severity.CRITICAL, Severity.HIGH, Severity.MEDIUM, Severity.LOW
_SEVERITIES: tuple[tuple[re.Pattern[str], Severity], ...] = tuple(
    (re.compile(pattern, re.IGNORECASE), severity)
    for pattern, severity in (
        (r"(^|\.)SetIamPolicy$|setIamPermissions$|setIamPolicy$", _H),
        (r"CreateServiceAccountKey$|UploadServiceAccountKey$|CreateHmacKey$|storage\.hmacKeys\.create$", _C),
        (r"(Create|Update|Undelete)Role$|WorkloadIdentityPool(Provider)?$|CreateServiceAccount$|EnableServiceAccount", _H),
        (r"SetOrgPolicy$|(Create|Update|Delete)(Policy|CustomConstraint)$", _H),
        (r"io\.k8s\.rbac\..*|io\.k8s\..*(exec|attach|portforward|proxy)\..*|io\.k8s\.core\.v1\.secrets\..*", _H),
        (r"io\.k8s\.admissionregistration\..*", _H),
        (r"firewalls?\.|firewallPolicies|Firewall|routes\.|routers\.|(s|S)ubnetworks?\.|networks\.(insert|patch|delete)", _H),
        (r"cloudsql\.(instances|users|backupRuns)\.|(cloudsql|sqladmin).*", _H),
        (r"(Services|Jobs)\.(Create|Update|Replace|Delete)(Service|Job)$|CloudFunctions?.*(Create|Update|Delete)", _M),
        (r"AddSecretVersion$|(Destroy|Disable)SecretVersion$|DeleteSecret$|cryptoKey|DestroyCryptoKeyVersion$", _H),
        (r"setCommonInstanceMetadata$|instances\.setMetadata$|projects\.setCommon|osLogin|ImportSshPublicKey$", _H),
        (r"(Delete|\.delete)[A-Za-z]*$", _H),
        (r"(setLabels|UpdateLabels|TagBindings?\.[A-Za-z]+)$", _L),
    )
)  # fmt: skip


@lru_cache(maxsize=4096)
def severity(method: str) -> Severity:
    """Return how urgent an unexplained call is."""
    return next((found for pattern, found in _SEVERITIES if pattern.search(method)), Severity.MEDIUM)
