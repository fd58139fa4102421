"""The API calls that background traffic is made of, with what each asks and answers.

Marks between `§` are filled in for each event: acct, region, hex and hexb (17 and 27 digits of resource ids), num (a small number), uuid.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from monitor.example.records import Record


@dataclass(frozen=True)
class Call:
    """One API call: its service and name, parameters, answer, and other keys of its record."""

    service: str
    name: str
    request: Record | None = None
    response: Record | None = None
    extra: dict[str, Any] | None = None
    weight: float = 1.0

    @property
    def call(self) -> tuple[str, str]:
        """Return (service, event name)."""
        return self.service, self.name


_FILTERS = {"items": [{"name": "tag:service", "valueSet": {"items": [{"value": "payments"}, {"value": "settlement"}]}}]}
_CLUSTER = "arn:aws:ecs:§region§:§acct§:cluster/main"
_QUEUE = "https://sqs.§region§.amazonaws.com/§acct§/settlement-§num§"
_KMS = {
    "resources": [
        {"accountId": "§acct§", "type": "AWS::KMS::Key", "ARN": "arn:aws:kms:§region§:§acct§:key/7d3a0c55-§num§"}
    ]
}
_OBJECT = {
    "resources": [
        {"type": "AWS::S3::Object", "ARN": "arn:aws:s3:::example-org-data-§acct§/settlement/2026/03/§hex§.parquet"},
        {"accountId": "§acct§", "type": "AWS::S3::Bucket", "ARN": "arn:aws:s3:::example-org-data-§acct§"},
    ],
    "additionalEventData": {
        "SignatureVersion": "SigV4",
        "CipherSuite": "TLS_AES_128_GCM_SHA256",
        "bytesTransferredIn": 0,
        "AuthenticationMethod": "AuthHeader",
        "x-amz-id-2": "q0Zk§hexb§8bH1mXo2uWn3vEr4tYi5pAs6dFg7hJk8l=",
        "bytesTransferredOut": 48213,
    },
    "managementEvent": False,
    "eventCategory": "Data",
}
_OBJECT_REQUEST = {
    "bucketName": "example-org-data-§acct§",
    "Host": "example-org-data-§acct§.s3.§region§.amazonaws.com",
    "key": "settlement/2026/03/§hex§.parquet",
}

READS: tuple[Call, ...] = (
    Call("ec2", "DescribeInstances", {"maxResults": 1000, "instancesSet": {}, "filterSet": _FILTERS}, weight=5),
    Call("ec2", "DescribeSecurityGroups", {"securityGroupSet": {}, "securityGroupIdSet": {"items": [{"groupId": "sg-§hex§"}]}}, weight=3),
    Call("ec2", "DescribeNetworkInterfaces", {"networkInterfaceIdSet": {"items": [{"networkInterfaceId": "eni-§hex§"}]}, "filterSet": {}}, weight=3),
    Call("ec2", "DescribeVolumes", {"volumeSet": {}, "filterSet": {"items": [{"name": "attachment.instance-id", "valueSet": {"items": [{"value": "i-§hex§"}]}}]}}, weight=2),
    Call("ecs", "DescribeServices", {"cluster": _CLUSTER, "services": ["payments-api", "settlement-worker-§num§"], "include": ["TAGS"]}, weight=4),
    Call("ecs", "DescribeTasks", {"cluster": _CLUSTER, "tasks": [_CLUSTER.replace("cluster/", "task/") + "/§hex§§hexb§"]}, weight=3),
    Call("ecs", "ListTasks", {"cluster": "main", "serviceName": "payments-api", "desiredStatus": "RUNNING"}, weight=2),
    Call("kms", "Decrypt", {"encryptionContext": {"aws:secretsmanager:arn": "arn:aws:secretsmanager:§region§:§acct§:secret:payments/db-§num§"}, "encryptionAlgorithm": "SYMMETRIC_DEFAULT"}, extra=_KMS, weight=8),
    Call("kms", "GenerateDataKey", {"keySpec": "AES_256", "keyId": "arn:aws:kms:§region§:§acct§:key/7d3a0c55-§num§", "encryptionContext": {"aws:s3:arn": "arn:aws:s3:::example-org-data-§acct§"}}, extra=_KMS, weight=6),
    Call("secretsmanager", "GetSecretValue", {"secretId": "arn:aws:secretsmanager:§region§:§acct§:secret:payments/db-§num§"}, weight=4),
    Call("ssm", "GetParametersByPath", {"path": "/payments/production/§num§", "recursive": True, "withDecryption": True, "maxResults": 10}, weight=3),
    Call("s3", "GetBucketLocation", {"bucketName": "example-org-data-§acct§", "location": "", "Host": "example-org-data-§acct§.s3.amazonaws.com"}, weight=2),
    Call("s3", "GetObject", _OBJECT_REQUEST, extra=_OBJECT, weight=6),
    Call("dynamodb", "DescribeTable", {"tableName": "payments-ledger-§num§"}, weight=2),
    Call("cloudwatch", "GetMetricData", {"startTime": "Mar 2, 2026, 1:00:00 AM", "endTime": "Mar 2, 2026, 2:00:00 AM", "metricDataQueries": [{"id": "m§num§", "returnData": True}]}, weight=3),
    Call("logs", "DescribeLogStreams", {"logGroupName": "/ecs/payments-api", "orderBy": "LastEventTime", "descending": True, "limit": 50}, weight=3),
    Call("rds", "DescribeDBInstances", {"dBInstanceIdentifier": "payments-§num§", "maxRecords": 100}, weight=2),
    Call("iam", "GetRole", {"roleName": "payments-task-§num§"}, weight=2),
    Call("iam", "ListAttachedRolePolicies", {"roleName": "payments-task-§num§", "maxItems": 100}, weight=2),
    Call("elasticloadbalancing", "DescribeTargetHealth", {"targetGroupArn": "arn:aws:elasticloadbalancing:§region§:§acct§:targetgroup/payments-api/§hex§"}, weight=4),
    Call("lambda", "GetFunction20150331v2", {"functionName": "arn:aws:lambda:§region§:§acct§:function:settle-§num§", "qualifier": "live"}, weight=2),
    Call("ecr", "BatchGetImage", {"registryId": "§acct§", "repositoryName": "payments/api", "imageIds": [{"imageTag": "1.§num§.0"}], "acceptedMediaTypes": ["application/vnd.oci.image.manifest.v1+json"]}, weight=2),
    Call("sts", "GetCallerIdentity", None, weight=2),
    Call("cloudformation", "DescribeStacks", {"stackName": "payments-§num§"}, weight=2),
)  # fmt: skip

_SERVICE = {
    "service": {
        "serviceArn": "arn:aws:ecs:§region§:§acct§:service/main/payments-api",
        "serviceName": "payments-api",
        "clusterArn": _CLUSTER,
        "status": "ACTIVE",
        "desiredCount": 6,
        "runningCount": 6,
        "taskDefinition": "arn:aws:ecs:§region§:§acct§:task-definition/payments-api:§num§",
        "deployments": [{"id": "ecs-svc/§hex§", "status": "PRIMARY", "rolloutState": "IN_PROGRESS"}],
        "propagateTags": "SERVICE",
    }
}
_TASK = {
    "family": "payments-api",
    "networkMode": "awsvpc",
    "requiresCompatibilities": ["FARGATE"],
    "cpu": "1024",
    "memory": "2048",
    "executionRoleArn": "arn:aws:iam::§acct§:role/payments-execution",
    "taskRoleArn": "arn:aws:iam::§acct§:role/payments-task",
    "containerDefinitions": [
        {
            "name": "api",
            "image": "§acct§.dkr.ecr.§region§.amazonaws.com/payments/api@sha256:§hex§§hexb§",
            "essential": True,
            "mountPoints": [{"sourceVolume": "config", "containerPath": "/etc/payments", "readOnly": True}],
            "readonlyRootFilesystem": True,
        }
    ],
    "volumes": [{"name": "config"}],
}
REGISTER_TASK = Call("ecs", "RegisterTaskDefinition", _TASK, {"taskDefinition": {"taskDefinitionArn": "arn:aws:ecs:§region§:§acct§:task-definition/payments-api:§num§", "revision": 7, "status": "ACTIVE"}}, weight=5)  # fmt: skip
UPDATE_SERVICE = Call("ecs", "UpdateService", {"cluster": _CLUSTER, "service": "payments-api", "taskDefinition": "payments-api:§num§", "forceNewDeployment": False}, _SERVICE, weight=4)  # fmt: skip
UPDATE_CODE = Call("lambda", "UpdateFunctionCode20150331v2", {"functionName": "settle-§num§", "imageUri": "§acct§.dkr.ecr.§region§.amazonaws.com/settle:§num§", "publish": True, "dryRun": False}, {"functionName": "settle-§num§", "functionArn": "arn:aws:lambda:§region§:§acct§:function:settle-§num§", "codeSize": 0, "version": "§num§", "state": "Active", "revisionId": "§uuid§"}, weight=3)  # fmt: skip

WRITES: tuple[Call, ...] = (
    REGISTER_TASK,
    UPDATE_SERVICE,
    UPDATE_CODE,
    Call("ecr", "PutImage", {"registryId": "§acct§", "repositoryName": "payments/api", "imageTag": "1.§num§.0", "imageManifestMediaType": "application/vnd.oci.image.manifest.v1+json"}, {"image": {"registryId": "§acct§", "repositoryName": "payments/api", "imageId": {"imageDigest": "sha256:§hex§§hexb§", "imageTag": "1.§num§.0"}}}, weight=2),
    Call("cloudformation", "ExecuteChangeSet", {"stackName": "payments-§num§", "changeSetName": "release-§hex§", "clientRequestToken": "§uuid§"}, weight=2),
    Call("ec2", "AuthorizeSecurityGroupIngress", {"groupId": "sg-§hex§", "ipPermissions": {"items": [{"ipProtocol": "tcp", "fromPort": 8443, "toPort": 8443, "groups": {}, "ipRanges": {"items": [{"cidrIp": "10.20.0.0/16"}]}, "ipv6Ranges": {}, "prefixListIds": {}}]}}, {"requestId": "§uuid§", "_return": True, "securityGroupRuleSet": {"items": [{"groupOwnerId": "§acct§", "groupId": "sg-§hex§", "isEgress": False}]}}),
    Call("iam", "PutRolePolicy", {"roleName": "payments-task-§num§", "policyName": "queue", "policyDocument": '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["sqs:SendMessage"],"Resource":"arn:aws:sqs:*:§acct§:settlement-*"}]}'}),
    Call("ssm", "PutParameter", {"name": "/payments/production/release", "type": "String", "overwrite": True, "tier": "Standard"}, {"version": 7, "tier": "Standard"}, weight=2),
    Call("sqs", "SetQueueAttributes", {"queueUrl": _QUEUE, "attributes": {"VisibilityTimeout": "120", "MessageRetentionPeriod": "345600"}}),
    Call("elasticloadbalancing", "ModifyListener", {"listenerArn": "arn:aws:elasticloadbalancing:§region§:§acct§:listener/app/payments/§hex§", "defaultActions": [{"type": "forward", "targetGroupArn": "arn:aws:elasticloadbalancing:§region§:§acct§:targetgroup/payments-api/§hex§"}]}),
    Call("cloudfront", "CreateInvalidation", {"distributionId": "E1A2B3C4D5E6F7", "invalidationBatch": {"paths": {"quantity": 1, "items": ["/app/*"]}, "callerReference": "release-§hex§"}}, {"invalidation": {"id": "I§hex§", "status": "InProgress"}}),
    Call("application-autoscaling", "RegisterScalableTarget", {"serviceNamespace": "ecs", "resourceId": "service/main/payments-api", "scalableDimension": "ecs:service:DesiredCount", "minCapacity": 4, "maxCapacity": 24}),
)  # fmt: skip

SERVICE_WRITES: tuple[Call, ...] = (
    Call("ec2", "CreateNetworkInterface", {"subnetId": "subnet-§hex§", "description": "arn:aws:ecs:§region§:§acct§:attachment/§uuid§", "groupSet": {"items": [{"groupId": "sg-§hexb§"}]}}, {"requestId": "§uuid§", "networkInterface": {"networkInterfaceId": "eni-§hex§", "status": "pending", "requesterManaged": True}}, weight=3),
    Call("ec2", "DeleteNetworkInterface", {"networkInterfaceId": "eni-§hex§"}, {"requestId": "§uuid§", "_return": True}, weight=3),
    Call("elasticloadbalancing", "RegisterTargets", {"targetGroupArn": "arn:aws:elasticloadbalancing:§region§:§acct§:targetgroup/payments-api/§hex§", "targets": [{"id": "10.20.4.§num§", "port": 8443}]}, weight=3),
    Call("ec2", "TerminateInstances", {"instancesSet": {"items": [{"instanceId": "i-§hex§"}]}}, {"requestId": "§uuid§", "instancesSet": {"items": [{"instanceId": "i-§hex§", "currentState": {"code": 32, "name": "shutting-down"}}]}}),
    Call("kms", "CreateGrant", {"granteePrincipal": "rds.§region§.amazonaws.com", "operations": ["Decrypt", "Encrypt"], "keyId": "arn:aws:kms:§region§:§acct§:key/7d3a0c55-§num§"}, {"grantId": "§hex§§hexb§"}, extra=_KMS),
    Call("rds", "CreateDBSnapshot", {"dBInstanceIdentifier": "payments-§num§", "dBSnapshotIdentifier": "rds:payments-§num§-2026-03"}),
    Call("logs", "CreateLogStream", {"logGroupName": "/aws/lambda/settle-§num§", "logStreamName": "2026/03/02/[$LATEST]§hex§§hexb§"}, weight=4),
    Call("config", "PutEvaluations", {"evaluations": [{"complianceType": "COMPLIANT", "complianceResourceId": "i-§hex§"}], "testMode": False}),
)  # fmt: skip

DATA_WRITES: tuple[Call, ...] = (
    Call("s3", "PutObject", _OBJECT_REQUEST, {"x-amz-server-side-encryption": "aws:kms"}, extra=_OBJECT, weight=5),
    Call("s3", "DeleteObject", _OBJECT_REQUEST, None, extra=_OBJECT),
)

TELEMETRY: tuple[Call, ...] = (
    Call("ssm", "UpdateInstanceInformation", {"instanceId": "i-§hex§", "agentVersion": "3.3.1957.0", "agentStatus": "Active", "platformType": "Linux", "platformName": "Amazon Linux", "platformVersion": "2023", "iPAddress": "10.20.1.§num§", "computerName": "ip-10-20-1-§num§.ec2.internal", "agentName": "amazon-ssm-agent", "availabilityZone": "§region§a"}, weight=5),
    Call("ssm", "UpdateInstanceAssociationStatus", {"instanceId": "i-§hex§", "associationId": "§uuid§", "executionResult": {"executionSummary": "1 out of 1 plugin processed", "status": "Success", "errorCode": ""}}, weight=2),
    Call("ssm", "PutInventory", {"instanceId": "i-§hex§", "items": [{"typeName": "AWS:Application", "schemaVersion": "1.1", "captureTime": "2026-03-02T00:00:00Z", "contentHash": "§hex§"}]}),
)  # fmt: skip

ROTATE_KEY = Call(
    "kms",
    "RotateKey",
    extra={
        "additionalEventData": {},
        "requestID": ...,
        "eventType": "AwsServiceEvent",
        "serviceEventDetails": {"keyId": "7d3a0c55-§num§", "backingKeyId": "§hex§"},
        **_KMS,
    },
)
