"""What a call was aimed at: the names that its request gives, over all services. Pure."""

from __future__ import annotations

import msgspec

from monitor.decode.cloudtrail_wire import ABSENT, Wide

_any = msgspec.json.Decoder().decode
_ERRORS = (msgspec.DecodeError, RecursionError, UnicodeDecodeError)


class _Targets(msgspec.Struct, gc=False):
    """Members of requests that name what is acted upon, over all services."""

    bucketName: msgspec.Raw = ABSENT
    functionName: msgspec.Raw = ABSENT
    cluster: msgspec.Raw = ABSENT
    service: msgspec.Raw = ABSENT
    roleName: msgspec.Raw = ABSENT
    userName: msgspec.Raw = ABSENT
    groupName: msgspec.Raw = ABSENT
    groupId: msgspec.Raw = ABSENT
    policyArn: msgspec.Raw = ABSENT
    policyName: msgspec.Raw = ABSENT
    instanceId: msgspec.Raw = ABSENT
    stackName: msgspec.Raw = ABSENT
    family: msgspec.Raw = ABSENT
    name: msgspec.Raw = ABSENT
    trailName: msgspec.Raw = ABSENT
    keyId: msgspec.Raw = ABSENT
    secretId: msgspec.Raw = ABSENT
    parameterName: msgspec.Raw = ABSENT
    dBInstanceIdentifier: msgspec.Raw = ABSENT
    cacheClusterId: msgspec.Raw = ABSENT
    tableName: msgspec.Raw = ABSENT
    repositoryName: msgspec.Raw = ABSENT
    hostedZoneId: msgspec.Raw = ABSENT
    resourceArn: msgspec.Raw = ABSENT
    queueUrl: msgspec.Raw = ABSENT
    topicArn: msgspec.Raw = ABSENT
    dBClusterIdentifier: msgspec.Raw = ABSENT
    loadBalancerArn: msgspec.Raw = ABSENT
    logGroupName: msgspec.Raw = ABSENT
    autoScalingGroupName: msgspec.Raw = ABSENT
    openIDConnectProviderArn: msgspec.Raw = ABSENT
    instancesSet: msgspec.Raw = ABSENT


class _Instance(msgspec.Struct, gc=False):
    instanceId: str = ""


class _Instances(msgspec.Struct, gc=False):
    items: list[_Instance] = []


_instances = msgspec.json.Decoder(_Instances).decode
_targets = msgspec.json.Decoder(_Targets | None).decode


def targets(decoded: Wide) -> tuple[str, ...]:
    """Return the names of what a call was aimed at, as its request gives them; each at most 256 characters."""
    if not decoded.requestParameters:
        return ()
    try:
        request = _targets(decoded.requestParameters)
        if request is None:
            return ()
        *given, instances = msgspec.structs.astuple(request)
        texts = [bytes(raw) for raw in given if raw is not ABSENT]
        named = [str(_any(text))[:256] for text in texts if text[:1] == b'"']
        if instances is not ABSENT:
            named += [item.instanceId[:256] for item in _instances(instances).items if item.instanceId]
        return tuple(named)
    except _ERRORS:
        return ()
