"""Names of AWS API calls that need special judgement. Pure data.

The catalogue only sets severity and class. Whether a write is a change never depends on a name being known here.
"""

from __future__ import annotations

from monitor.model import Severity

ISSUING = frozenset(
    {
        "AssumeRole",
        "AssumeRoleWithSAML",
        "AssumeRoleWithWebIdentity",
        "AssumeRoot",
        "CreateSession",
        "GetFederationToken",
        "GetSessionToken",
    }
)
"""Calls that hand out credentials, by name. `readOnly` is true on most of them, so they are kept by name.
https://docs.aws.amazon.com/STS/latest/APIReference/API_Operations.html"""

ISSUERS = frozenset({"sts.amazonaws.com", "rolesanywhere.amazonaws.com"})

SIGN_IN = frozenset({"signin.amazonaws.com", "sso.amazonaws.com", "sts.amazonaws.com"})
SIGN_IN_NAMES = frozenset(
    {
        "Authenticate",
        "CheckMfa",
        "ConsoleLogin",
        "CredentialChallenge",
        "CredentialVerification",
        "ExitRole",
        "Federate",
        "GetRoleCredentials",
        "GetSigninToken",
        "Logout",
        "RenewRole",
        "SwitchRole",
        "UserAuthentication",
    }
)

TELEMETRY = {
    "ssm.amazonaws.com": frozenset(
        {
            "PutComplianceItems",
            "PutConfigurePackageResult",
            "PutInventory",
            "UpdateInstanceAssociationStatus",
            "UpdateInstanceInformation",
        }
    ),
    "ssmmessages.amazonaws.com": frozenset({"CreateControlChannel", "CreateDataChannel"}),
    "ecs.amazonaws.com": frozenset(
        {
            "DiscoverPollEndpoint",
            "SubmitAttachmentStateChanges",
            "SubmitContainerStateChange",
            "SubmitTaskStateChange",
        }
    ),
}
"""What an agent on an instance reports of itself: telemetry only if an instance says it."""

DATA = {
    "s3.amazonaws.com": frozenset(
        {
            "AbortMultipartUpload",
            "CompleteMultipartUpload",
            "CopyObject",
            "CreateMultipartUpload",
            "DeleteObject",
            "DeleteObjectTagging",
            "DeleteObjects",
            "PutObject",
            "PutObjectAcl",
            "PutObjectTagging",
            "RestoreObject",
            "UploadPart",
            "UploadPartCopy",
        }
    ),
    "lambda.amazonaws.com": frozenset({"Invoke", "InvokeAsync"}),
    "dynamodb.amazonaws.com": frozenset(
        {"BatchWriteItem", "DeleteItem", "PutItem", "TransactWriteItems", "UpdateItem", "BatchExecuteStatement"}
    ),
}
"""Data-plane calls, asked for only where the record itself does not say (`managementEvent` and `eventCategory` absent).
https://docs.aws.amazon.com/awscloudtrail/latest/userguide/logging-data-events-with-cloudtrail.html"""

CRYPTOGRAPHY = frozenset(
    {
        "Decrypt",
        "DeriveSharedSecret",
        "Encrypt",
        "GenerateDataKey",
        "GenerateDataKeyPair",
        "GenerateDataKeyPairWithoutPlaintext",
        "GenerateDataKeyWithoutPlaintext",
        "GenerateMac",
        "GenerateRandom",
        "ReEncrypt",
        "Sign",
        "Verify",
        "VerifyMac",
    }
)
"""Use of a key, as against a change of it. KMS logs these as management events, so the name decides.
https://docs.aws.amazon.com/kms/latest/developerguide/logging-using-cloudtrail.html"""

READS = ("BatchGet", "Describe", "Get", "Head", "List", "Lookup", "Query", "Scan", "Search", "Select", "View")
"""First words of names that read, asked for only where `readOnly` is absent."""

BLINDING = {
    "cloudtrail.amazonaws.com": {
        "DeleteEventDataStore": "deletes an event data store",
        "DeleteTrail": "deletes the trail",
        "PutEventSelectors": "changes what the trail records",
        "StopEventDataStoreIngestion": "stops an event data store",
        "StopLogging": "stops the trail",
        "UpdateEventDataStore": "changes an event data store",
        "UpdateTrail": "changes where and what the trail delivers",
    },
    "config.amazonaws.com": {
        "DeleteConfigurationRecorder": "deletes the configuration recorder",
        "StopConfigurationRecorder": "stops the configuration recorder",
    },
}
"""Calls that can blind the audit log: critical wherever they come from."""
BLINDING_NAMES = frozenset(name for names in BLINDING.values() for name in names)

BLINDING_BUCKET = {
    "DeleteBucket": "deletes the log bucket",
    "DeleteBucketEncryption": "weakens the log bucket",
    "DeleteBucketPolicy": "opens or closes the log bucket",
    "DeleteBucketLifecycle": "changes how long the log bucket keeps",
    "DeletePublicAccessBlock": "may open the log bucket",
    "DeleteBucketPublicAccessBlock": "may open the log bucket",
    "PutBucketAcl": "may open the log bucket",
    "PutBucketLifecycle": "changes how long the log bucket keeps",
    "PutBucketLifecycleConfiguration": "changes how long the log bucket keeps",
    "PutBucketPolicy": "changes who may write to or read the log bucket",
    "PutBucketPublicAccessBlock": "may open the log bucket",
    "PutBucketVersioning": "may stop versioning of the log bucket",
    "PutBucketEncryption": "changes who can read the log bucket",
    "PutBucketOwnershipControls": "may open the log bucket",
    "DeleteBucketOwnershipControls": "may open the log bucket",
    "PutObjectLockConfiguration": "changes how long the log bucket keeps",
    "PutBucketObjectLockConfiguration": "changes how long the log bucket keeps",
    "PutBucketReplication": "changes where the log bucket is copied",
}
"""Calls that can blind the audit log if they are aimed at the bucket that holds it."""

ALWAYS_READ = ISSUING | BLINDING_NAMES | frozenset(BLINDING_BUCKET)
"""Names whose records are read whole wherever they stand."""

_CRITICAL = """
AttachRolePolicy AttachUserPolicy AttachGroupPolicy PutRolePolicy PutUserPolicy PutGroupPolicy CreateAccessKey
CreateLoginProfile UpdateLoginProfile UpdateAssumeRolePolicy CreatePolicyVersion SetDefaultPolicyVersion CreateUser
AddUserToGroup DeleteRolePermissionsBoundary DeleteUserPermissionsBoundary CreateOpenIDConnectProvider
UpdateOpenIDConnectProviderThumbprint AddClientIDToOpenIDConnectProvider CreateSAMLProvider UpdateSAMLProvider
CreateAccountAssignment CreateTrustAnchor ScheduleKeyDeletion DisableKey PutKeyPolicy DeleteDBInstance DeleteDBCluster
DeleteSecret DeleteBucket DeleteBucketPolicy PutBucketPolicy
"""
_HIGH = """
AuthorizeSecurityGroupIngress AuthorizeSecurityGroupEgress RevokeSecurityGroupIngress RevokeSecurityGroupEgress CreateRoute
ReplaceRoute DeleteRoute CreateNetworkAclEntry ReplaceNetworkAclEntry AttachInternetGateway DetachInternetGateway
ModifyVpcAttribute DisassociateWebACL UpdateDistribution AssociateVPCWithHostedZone RunInstances TerminateInstances
ModifyInstanceAttribute ModifyInstanceMetadataOptions CreateFunction UpdateFunctionCode UpdateFunctionConfiguration
UpdateEventSourceMapping AddPermission PutImage SetRepositoryPolicy UpdateProject UpdateProjectVisibility UpdateService
RegisterTaskDefinition CreateDeployment UpdateStack ExecuteChangeSet CreateStack DeleteStack UpdateStage ModifyDBInstance
ModifyDBCluster RestoreDBInstanceFromDBSnapshot PutBucketVersioning PutBucketPublicAccessBlock DeleteBucketEncryption
PutSecretValue PutParameter DeleteParameter CreateRole DeleteRole DetachRolePolicy DeleteRolePolicy DetachUserPolicy
DeleteUserPolicy StartSession SendCommand SendSSHPublicKey SendSerialConsoleSSHPublicKey ExecuteCommand
"""
SEVERITY: dict[str, Severity] = {
    **dict.fromkeys(_CRITICAL.split(), Severity.CRITICAL),
    **dict.fromkeys(_HIGH.split(), Severity.HIGH),
}


def severity(service: str, name: str) -> Severity:
    """Return how urgent an undeclared call of this name is; medium where the name is not known.

    Lambda's names carry a date and version (`UpdateFunctionCode20150331v2`), which is left off first.
    """
    if service == "lambda":
        for stem in ("CreateFunction", "UpdateFunctionCode", "UpdateFunctionConfiguration", "AddPermission"):
            if name.startswith(stem) and name[len(stem) : len(stem) + 2] == "20":
                return SEVERITY[stem]
    return SEVERITY.get(name, Severity.MEDIUM)
