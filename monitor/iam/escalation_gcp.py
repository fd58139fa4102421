"""All rules of escalation in Google Cloud. Data only; `monitor/iam/escalation.py` evaluates them.

The rules are those of Rhino Security Labs' scanner and of what grew from it, by their permissions, in our own words. Any
service account may be given to any service (`iam.serviceAccounts.actAs`), so no service is named.
"""

from __future__ import annotations

from monitor.iam.escalation_rule import Reach, Rule, demand

_SCANNER = (
    "https://github.com/RhinoSecurityLabs/GCP-IAM-Privilege-Escalation/blob/master/PrivEscScanner/check_for_privesc.py"
)
_RHINO = "https://rhinosecuritylabs.com/gcp/privilege-escalation-google-cloud-platform-part-1/"
_RHINO_2 = "https://rhinosecuritylabs.com/cloud-security/privilege-escalation-google-cloud-platform-part-2/"
_TRICKS = "https://cloud.hacktricks.wiki/en/pentesting-cloud/gcp-security/gcp-privilege-escalation/"
_DOCS = "https://cloud.google.com/iam/docs/"


def _own(name: str, action: str, of: str, told: str, source: str, given: str = "") -> Rule:
    return Rule(id=name, reaches=Reach.OWN, on=demand(action), of=of, told=told, source=source, given=given)


def _becomes(name: str, action: str, told: str, source: str) -> Rule:
    return Rule(id=name, reaches=Reach.ROLE, on=demand(action), of="role", told=told, source=source)


def _acts(name: str, needs: str, told: str, source: str) -> Rule:
    return Rule(
        id=name,
        reaches=Reach.PASSED,
        on=demand("iam.serviceAccounts.actAs"),
        needs=demand(*needs.split()),
        of="role",
        told=told,
        source=source,
    )


def _running(name: str, needs: str, thing: str, told: str, source: str) -> Rule:
    return Rule(
        id=name,
        reaches=Reach.RUNNING,
        needs=demand(*needs.split()),
        of="role",
        given=f"{thing} runs as it",
        told=told,
        source=source,
    )


GCP_RULES: tuple[Rule, ...] = (
    _own(
        "gcp-set-project-policy",
        "resourcemanager.projects.setIamPolicy",
        "project",
        "makes itself owner of the project",
        _SCANNER,
    ),
    _own(
        "gcp-set-folder-policy",
        "resourcemanager.folders.setIamPolicy",
        "project",
        "makes itself owner of everything in the folder",
        _SCANNER,
    ),
    _own(
        "gcp-set-organization-policy",
        "resourcemanager.organizations.setIamPolicy",
        "project",
        "makes itself owner of everything in the organisation",
        _SCANNER,
    ),
    _own("gcp-update-role", "iam.roles.update", "custom-role", "adds permissions to a custom role that it has", _RHINO),
    _own(
        "gcp-remove-deny-policy",
        "iam.denypolicies.update|iam.denypolicies.delete",
        "project",
        "takes away a deny policy that limits it",
        _DOCS + "deny-overview",
        "a deny policy limits it",
    ),
    _own(
        "gcp-set-organization-constraints",
        "orgpolicy.policy.set",
        "project",
        "lifts constraints of the organisation, such as the one against service account keys",
        _RHINO_2,
        "a constraint is all that keeps it from more",
    ),
    _becomes(
        "gcp-get-access-token",
        "iam.serviceAccounts.getAccessToken",
        "asks for an access token of a service account",
        "https://pathfinding.cloud/paths/gcp-iam-001",
    ),
    _becomes(
        "gcp-implicit-delegation",
        "iam.serviceAccounts.implicitDelegation",
        "asks for a token through a service account that may ask for it",
        _RHINO,
    ),
    _becomes(
        "gcp-sign-blob", "iam.serviceAccounts.signBlob", "signs as a service account, and so makes a token", _RHINO
    ),
    _becomes("gcp-sign-jwt", "iam.serviceAccounts.signJwt", "signs a token as a service account", _RHINO),
    _becomes(
        "gcp-create-key", "iam.serviceAccountKeys.create", "makes a key of a service account, which never ends", _RHINO
    ),
    _becomes(
        "gcp-upload-key",
        "iam.serviceAccountKeys.upload",
        "uploads a public key of its own to a service account",
        _DOCS + "keys-upload",
    ),
    _becomes(
        "gcp-set-account-policy",
        "iam.serviceAccounts.setIamPolicy",
        "lets itself use a service account as it likes",
        _SCANNER,
    ),
    _becomes(
        "gcp-create-hmac-key",
        "storage.hmacKeys.create",
        "makes a storage key of a service account, which reads and writes objects as it",
        _RHINO,
    ),
    _acts(
        "gcp-create-instance",
        "compute.instances.create|compute.instances.setServiceAccount",
        "starts an instance under the service account",
        _RHINO,
    ),
    _acts(
        "gcp-create-instance-template",
        "compute.instanceTemplates.create "
        "compute.instanceGroupManagers.create|compute.instanceGroupManagers.update|compute.instances.create",
        "starts instances from a template that names the service account",
        _TRICKS + "gcp-compute-privesc/index.html",
    ),
    _acts(
        "gcp-create-function",
        "cloudfunctions.functions.create|cloudfunctions.functions.update "
        "cloudfunctions.functions.sourceCodeSet|cloudfunctions.functions.call"
        "|cloudfunctions.functions.invoke|cloudfunctions.functions.setIamPolicy",
        "runs a function of its own under the service account",
        _RHINO,
    ),
    _acts(
        "gcp-create-run-service",
        "run.services.create|run.services.update",
        "runs a service of its own under the service account",
        _RHINO,
    ),
    _acts(
        "gcp-create-run-job",
        "run.jobs.create|run.jobs.update run.jobs.run",
        "runs a job of its own under the service account",
        _TRICKS + "gcp-run-privesc.html",
    ),
    _acts(
        "gcp-create-scheduler-job",
        "cloudscheduler.jobs.create|cloudscheduler.jobs.update",
        "schedules a call of its own under the service account",
        _RHINO_2,
    ),
    _acts(
        "gcp-create-task",
        "cloudtasks.tasks.create",
        "queues a call of its own under the service account",
        _TRICKS + "gcp-cloudtasks-privesc.html",
    ),
    _acts(
        "gcp-create-workflow",
        "workflows.workflows.create|workflows.workflows.update workflows.executions.create",
        "runs a workflow of its own under the service account",
        _TRICKS + "gcp-workflows-privesc.html",
    ),
    _acts(
        "gcp-build-as-account",
        "cloudbuild.builds.create|cloudbuild.builds.update",
        "runs a build of its own under the service account",
        "https://cloud.google.com/build/docs/securing-builds/configure-user-specified-service-accounts",
    ),
    _acts(
        "gcp-create-dataflow-job",
        "dataflow.jobs.create",
        "runs a data pipeline of its own under the service account",
        "https://cloud.google.com/dataflow/docs/concepts/security-and-permissions",
    ),
    _acts(
        "gcp-create-dataproc-cluster",
        "dataproc.clusters.create|dataproc.batches.create",
        "starts a cluster or batch of its own under the service account",
        "https://cloud.google.com/dataproc/docs/concepts/configuring-clusters/service-accounts",
    ),
    _acts(
        "gcp-create-composer-environment",
        "composer.environments.create",
        "runs workflows of its own under the service account",
        _TRICKS + "gcp-composer-privesc.html",
    ),
    _acts(
        "gcp-create-notebook",
        "notebooks.instances.create|notebooks.runtimes.create",
        "opens a notebook under the service account",
        "https://cloud.google.com/vertex-ai/docs/workbench/instances/service-account",
    ),
    _acts(
        "gcp-create-training-job",
        "aiplatform.customJobs.create|aiplatform.pipelineJobs.create",
        "trains with a container of its own under the service account",
        "https://cloud.google.com/vertex-ai/docs/general/custom-service-account",
    ),
    _acts(
        "gcp-create-batch-job",
        "batch.jobs.create",
        "runs a batch job of its own under the service account",
        _TRICKS + "gcp-batch-privesc.html",
    ),
    _acts(
        "gcp-create-cluster",
        "container.clusters.create",
        "starts a cluster whose nodes run under the service account",
        _TRICKS + "gcp-container-privesc.html",
    ),
    _acts(
        "gcp-deploy-app",
        "appengine.versions.create",
        "deploys an application of its own under the service account",
        _TRICKS + "gcp-appengine-privesc.html",
    ),
    _running(
        "gcp-default-build-account",
        "cloudbuild.builds.create",
        "a build of the project",
        "runs commands of its own as the account that builds run under",
        _RHINO,
    ),
    _running(
        "gcp-create-deployment",
        "deploymentmanager.deployments.create|deploymentmanager.deployments.update",
        "a deployment of the project",
        "has resources made by the service's own account, an editor of the project",
        _RHINO,
    ),
    _running(
        "gcp-set-instance-metadata",
        "compute.instances.setMetadata|compute.projects.setCommonInstanceMetadata",
        "an instance",
        "puts a key or a start script of its own into an instance",
        _TRICKS + "gcp-compute-privesc/index.html",
    ),
    _running(
        "gcp-login-to-instance",
        "compute.instances.osAdminLogin|compute.instances.osLogin",
        "an instance",
        "signs in to an instance",
        "https://cloud.google.com/compute/docs/oslogin/set-up-oslogin",
    ),
    _running(
        "gcp-submit-dataproc-job",
        "dataproc.jobs.create",
        "a cluster",
        "runs a job of its own on a cluster",
        _TRICKS + "gcp-dataproc-privesc.html",
    ),
    _running(
        "gcp-enter-pod",
        "container.pods.exec|container.pods.create|container.deployments.create|container.daemonSets.create",
        "a pod or node",
        "runs commands of its own in a cluster",
        _TRICKS + "gcp-container-privesc.html",
    ),
    _running(
        "gcp-change-federation",
        "iam.workloadIdentityPoolProviders.create|iam.workloadIdentityPoolProviders.update",
        "a federated workload",
        "lets tokens of its own issuer into a pool whose members may use service accounts",
        _DOCS + "workload-identity-federation",
    ),
    Rule(
        id="gcp-api-keys",
        reaches=Reach.RESOURCE,
        needs=demand(
            "serviceusage.apiKeys.create|serviceusage.apiKeys.list|apikeys.keys.create|apikeys.keys.getKeyString"
        ),
        told="makes or reads keys that are not bound to an identity",
        source=_RHINO_2,
    ),
    Rule(
        id="gcp-set-resource-policy",
        reaches=Reach.RESOURCE,
        needs=demand("*.setIamPolicy"),
        told="gives itself, or anybody, full control of resources of that kind",
        source=_SCANNER,
    ),
)
"""The rules, in the order in which they are reported."""
