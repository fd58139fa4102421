"""Actions that destroy data, blind those who watch, or give others rights, by provider and service. Pure data.

A test holds the names against the catalogue. Deleting what can be built again from code (functions, networks) is not here.

AWS names: https://docs.aws.amazon.com/service-authorization/latest/reference/reference_policies_actions-resources-contextkeys.html
GCP names: https://cloud.google.com/iam/docs/roles-permissions
"""

from __future__ import annotations

DESTROYS, BLINDS, GIVES = "destroys-data", "blinds-logs", "gives-rights"

SOURCES = {
    ("aws", DESTROYS): "https://attack.mitre.org/techniques/T1485/",
    ("gcp", DESTROYS): "https://attack.mitre.org/techniques/T1485/",
    ("aws", BLINDS): "https://attack.mitre.org/techniques/T1562/008/",
    ("aws", GIVES): "https://attack.mitre.org/techniques/T1098/",
    ("gcp", BLINDS): "https://attack.mitre.org/techniques/T1562/008/",
}
"""Why each list is there: data destruction, account manipulation, and impairing cloud logs, as MITRE ATT&CK describes them."""

_AWS_DESTROYS = {
    "backup": """DeleteBackupPlan DeleteBackupSelection DeleteBackupVault DeleteBackupVaultAccessPolicy
        DeleteBackupVaultLockConfiguration DeleteRecoveryPoint DisassociateRecoveryPoint UpdateRecoveryPointLifecycle""",
    "dynamodb": "DeleteBackup DeleteTable DeleteTableReplica UpdateContinuousBackups",
    "ec2": "DeleteSnapshot DeleteVolume DeregisterImage",
    "ecr": "DeleteRepository",
    "elasticache": "DeleteCacheCluster DeleteReplicationGroup DeleteServerlessCache DeleteSnapshot",
    "elasticfilesystem": "DeleteFileSystem PutBackupPolicy PutLifecycleConfiguration",
    "es": "DeleteDomain DeleteElasticsearchDomain",
    "fsx": "DeleteBackup DeleteFileSystem DeleteSnapshot DeleteVolume",
    "glacier": "DeleteArchive DeleteVault",
    "kinesis": "DecreaseStreamRetentionPeriod DeleteStream",
    "kms": "DeleteImportedKeyMaterial DisableKey PutKeyPolicy ScheduleKeyDeletion",
    "lightsail": "DeleteDisk DeleteDiskSnapshot DeleteRelationalDatabase DeleteRelationalDatabaseSnapshot",
    "logs": "DeleteLogGroup DeleteLogStream",
    "memorydb": "DeleteCluster DeleteSnapshot",
    "rds": """DeleteDBCluster DeleteDBClusterAutomatedBackup DeleteDBClusterSnapshot DeleteDBInstance
        DeleteDBInstanceAutomatedBackup DeleteDBSnapshot DeleteGlobalCluster""",
    "redshift": "BatchDeleteClusterSnapshots DeleteCluster DeleteClusterSnapshot",
    "redshift-serverless": "DeleteNamespace DeleteSnapshot",
    "s3": """BypassGovernanceRetention DeleteBucket DeleteObject DeleteObjectVersion PutBucketVersioning
        PutLifecycleConfiguration ReplicateDelete""",
    "s3tables": "DeleteTable DeleteTableBucket",
    "secretsmanager": "DeleteSecret",
    "sqs": "PurgeQueue",
    "timestream": "DeleteDatabase DeleteTable",
}
# What changes the rights of identities: https://docs.aws.amazon.com/IAM/latest/UserGuide/access_policies_manage-attach-detach.html
_AWS_GIVES = {
    "iam": """AddUserToGroup AttachGroupPolicy AttachRolePolicy AttachUserPolicy CreateAccessKey CreateLoginProfile
        CreatePolicyVersion DeleteRolePermissionsBoundary DeleteUserPermissionsBoundary PutGroupPolicy PutRolePolicy
        PutUserPolicy SetDefaultPolicyVersion UpdateAssumeRolePolicy UpdateLoginProfile UpdateSAMLProvider""",
    "sso": "AttachManagedPolicyToPermissionSet CreateAccountAssignment PutInlinePolicyToPermissionSet",
    "organizations": "DetachPolicy DisablePolicyType LeaveOrganization UpdatePolicy",
}
_AWS_BLINDS = {
    "access-analyzer": "DeleteAnalyzer",
    "cloudtrail": """DeleteEventDataStore DeleteTrail PutEventSelectors PutInsightSelectors StopEventDataStoreIngestion
        StopLogging UpdateEventDataStore UpdateTrail""",
    "cloudwatch": "DeleteAlarms DisableAlarmActions",
    "config": """DeleteConfigRule DeleteConfigurationAggregator DeleteConfigurationRecorder DeleteDeliveryChannel
        DeleteOrganizationConfigRule PutConfigurationRecorder PutDeliveryChannel PutRetentionConfiguration
        StopConfigurationRecorder""",
    "detective": "DeleteGraph DisassociateMembership",
    "ec2": "DeleteFlowLogs",
    "events": "DeleteRule DisableRule",
    "guardduty": """ArchiveFindings CreateFilter CreateIPSet DeleteDetector DeleteMembers DeletePublishingDestination
        DisassociateFromAdministratorAccount DisassociateMembers StopMonitoringMembers UpdateDetector UpdateFilter UpdateIPSet
        UpdateMalwareScanSettings""",
    "inspector2": "CreateFilter Disable",
    "logs": """DeleteDataProtectionPolicy DeleteDestination DeleteLogGroup DeleteLogStream DeleteMetricFilter
        DeleteSubscriptionFilter PutRetentionPolicy""",
    "macie2": "DisableMacie DisassociateFromAdministratorAccount UpdateMacieSession",
    "route53resolver": "DeleteResolverQueryLogConfig DisassociateResolverQueryLogConfig",
    "s3": "DeleteBucketPolicy PutBucketLogging PutBucketPolicy PutLifecycleConfiguration",
    "securityhub": """BatchUpdateFindings BatchUpdateStandardsControlAssociations DeleteActionTarget DisableSecurityHub
        DisableImportFindingsForProduct DisassociateFromAdministratorAccount DisassociateMembers UpdateStandardsControl""",
    "wafv2": "DeleteLoggingConfiguration PutLoggingConfiguration",
}
_GCP_DESTROYS = {
    "alloydb": "alloydb.backups.delete alloydb.clusters.delete alloydb.instances.delete",
    "artifactregistry": "artifactregistry.repositories.delete artifactregistry.versions.delete",
    "backupdr": "backupdr.backupPlans.delete backupdr.backupVaults.delete backupdr.bvbackups.delete",
    "bigquery": "bigquery.datasets.delete bigquery.tables.delete",
    "bigtable": "bigtable.backups.delete bigtable.instances.delete bigtable.tables.delete",
    "cloudkms": "cloudkms.cryptoKeyVersions.destroy cloudkms.cryptoKeyVersions.update",
    "cloudsql": "cloudsql.backupRuns.delete cloudsql.databases.delete cloudsql.instances.delete",
    "compute": "compute.disks.delete compute.images.delete compute.snapshots.delete",
    "datastore": "datastore.databases.delete datastore.entities.delete datastore.backups.delete",
    "file": "file.backups.delete file.instances.delete file.snapshots.delete",
    "logging": "logging.buckets.delete logging.logs.delete",
    "pubsub": "pubsub.subscriptions.delete pubsub.topics.delete",
    "redis": "redis.instances.delete",
    "resourcemanager": "resourcemanager.projects.delete",
    "secretmanager": "secretmanager.secrets.delete secretmanager.versions.destroy",
    "spanner": "spanner.backups.delete spanner.databases.drop spanner.instances.delete",
    "storage": "storage.buckets.delete storage.buckets.update storage.objects.delete",
}
_GCP_BLINDS = {
    "logging": """logging.buckets.delete logging.buckets.update logging.exclusions.create logging.exclusions.update
        logging.logMetrics.delete logging.logMetrics.update logging.logs.delete logging.sinks.delete logging.sinks.update
        logging.settings.update""",
    "monitoring": """monitoring.alertPolicies.delete monitoring.alertPolicies.update monitoring.notificationChannels.delete
        monitoring.notificationChannels.update""",
    # Whoever sets a project's policy sets which of its accesses are logged (auditConfigs).
    # https://cloud.google.com/logging/docs/audit/configure-data-access#config-api
    "resourcemanager": """resourcemanager.folders.setIamPolicy resourcemanager.organizations.setIamPolicy
        resourcemanager.projects.setIamPolicy""",
    "securitycenter": """securitycenter.findings.setMute securitycenter.muteconfigs.create
        securitycenter.notificationconfig.delete""",
    "storage": "storage.buckets.setIamPolicy storage.buckets.update",
}
_TOLD = {
    DESTROYS: "It can destroy data, or the copies and keys that would bring it back.",
    GIVES: "It can give users, roles or groups rights, or sign in as them: others become what it makes them.",
    BLINDS: "It can stop or thin out the logs and alarms by which its own doings would be seen.",
}


def _named(service: str, names: str) -> tuple[str, ...]:
    return tuple(name if "." in name else f"{service}:{name}" for name in names.split())


LISTS: dict[str, dict[str, dict[str, tuple[str, ...]]]] = {
    provider: {
        kind: {service: _named(service, names) for service, names in listed.items()} for kind, listed in kinds.items()
    }
    for provider, kinds in {
        "aws": {GIVES: _AWS_GIVES, DESTROYS: _AWS_DESTROYS, BLINDS: _AWS_BLINDS},
        "gcp": {DESTROYS: _GCP_DESTROYS, BLINDS: _GCP_BLINDS},
    }.items()
}
"""Provider, kind of power and service to the actions."""


def told(kind: str) -> str:
    """Return what it means to have any of a list, in a sentence."""
    return _TOLD[kind]
