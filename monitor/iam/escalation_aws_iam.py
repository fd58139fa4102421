"""Escalation in AWS through IAM itself: changing one's own rights, becoming another identity, lifting a limit. Data only."""

from __future__ import annotations

from monitor.iam.escalation_rule import Reach, Rule, demand

_PATHS = "https://pathfinding.cloud/paths/"
_RHINO = "https://rhinosecuritylabs.com/aws/aws-privilege-escalation-methods-mitigation/"
_HTC = "https://hackingthe.cloud/aws/exploitation/iam_privilege_escalation/"
_PROWLER = "https://github.com/prowler-cloud/prowler/blob/master/prowler/providers/aws/services/iam/lib/privilege_escalation.py"


def _own(name: str, action: str, of: str, told: str, source: str, given: str = "") -> Rule:
    return Rule(id=name, reaches=Reach.OWN, on=demand(action), of=of, told=told, source=source, given=given)


def _made(name: str, first: str, then: str, of: str, told: str, source: str) -> Rule:
    return Rule(id=name, reaches=Reach.MADE, on=demand(first, then), of=of, told=told, source=source)


def _unbound(name: str, action: str, of: str, told: str, source: str = _HTC) -> Rule:
    return Rule(id=name, reaches=Reach.UNBOUND, on=demand(action), of=of, told=told, source=source)


IAM_RULES: tuple[Rule, ...] = (
    _own(
        "iam-create-policy-version",
        "iam:CreatePolicyVersion",
        "policy",
        "writes a new default version of a managed policy that is attached to it",
        _PATHS + "iam-001",
    ),
    _own(
        "iam-set-default-policy-version",
        "iam:SetDefaultPolicyVersion",
        "policy",
        "makes an older version of a policy that is attached to it the valid one",
        _RHINO,
        "an older version of that policy gives more",
    ),
    _own(
        "iam-attach-user-policy",
        "iam:AttachUserPolicy",
        "user",
        "attaches a policy to its own user",
        _PATHS + "iam-008",
    ),
    _own("iam-put-user-policy", "iam:PutUserPolicy", "user", "writes a policy into its own user", _PATHS + "iam-007"),
    _own(
        "iam-attach-role-policy",
        "iam:AttachRolePolicy",
        "role",
        "attaches a policy to its own role, or to one that it can become",
        _PATHS + "iam-009",
    ),
    _own(
        "iam-put-role-policy",
        "iam:PutRolePolicy",
        "role",
        "writes a policy into its own role, or into one that it can become",
        _PATHS + "iam-005",
    ),
    _own(
        "iam-attach-group-policy",
        "iam:AttachGroupPolicy",
        "group",
        "attaches a policy to a group that it is in",
        _PATHS + "iam-010",
    ),
    _own(
        "iam-put-group-policy",
        "iam:PutGroupPolicy",
        "group",
        "writes a policy into a group that it is in",
        _PATHS + "iam-011",
    ),
    Rule(
        id="iam-add-user-to-group",
        reaches=Reach.GROUP,
        on=demand("iam:AddUserToGroup"),
        of="group",
        told="puts its own user into a group that has more rights",
        source=_PATHS + "iam-013",
    ),
    Rule(
        id="iam-add-user-to-group-change-group",
        reaches=Reach.OWN,
        on=demand("iam:AttachGroupPolicy|iam:PutGroupPolicy", "iam:AddUserToGroup"),
        of="any-group",
        told="gives a group any right, and puts its own user into it",
        source=_RHINO,
    ),
    Rule(
        id="iam-create-access-key",
        reaches=Reach.USER,
        on=demand("iam:CreateAccessKey"),
        of="user",
        told="makes an access key of another user (who has less than two, or one of whose it can delete)",
        source=_PATHS + "iam-002",
    ),
    Rule(
        id="iam-create-login-profile",
        reaches=Reach.USER,
        on=demand("iam:CreateLoginProfile"),
        of="user",
        told="gives another user, who has none, a password, and signs in as that user",
        source=_PATHS + "iam-004",
    ),
    Rule(
        id="iam-update-login-profile",
        reaches=Reach.USER,
        on=demand("iam:UpdateLoginProfile"),
        of="user",
        told="sets a new password of another user, and signs in as that user",
        source=_PATHS + "iam-006",
    ),
    Rule(
        id="iam-update-assume-role-policy",
        reaches=Reach.ROLE,
        on=demand("iam:UpdateAssumeRolePolicy"),
        of="role",
        told="rewrites whom a role trusts, so that it trusts it, and takes the role",
        source=_PATHS + "iam-012",
    ),
    Rule(
        id="sts-assume-role",
        reaches=Reach.ROLE,
        on=demand("sts:AssumeRole"),
        of="trusting-role",
        told="takes a role that trusts it",
        source=_PATHS + "sts-001",
    ),
    _made(
        "iam-change-user-policy-new-credential",
        "iam:AttachUserPolicy|iam:PutUserPolicy",
        "iam:CreateAccessKey|iam:CreateLoginProfile|iam:UpdateLoginProfile",
        "user",
        "gives another user any right, and makes a credential of that user",
        _PATHS + "iam-018",
    ),
    _made(
        "iam-change-role-policy-change-trust",
        "iam:AttachRolePolicy|iam:PutRolePolicy",
        "iam:UpdateAssumeRolePolicy",
        "role",
        "gives a role any right, rewrites whom it trusts, and takes it",
        _PATHS + "iam-019",
    ),
    Rule(
        id="iam-create-role",
        reaches=Reach.OWN,
        on=demand("iam:CreateRole", "iam:AttachRolePolicy|iam:PutRolePolicy"),
        of="any-role",
        told="makes a new role that trusts it, gives it any right, and takes it",
        source=_HTC,
    ),
    Rule(
        id="iam-create-user",
        reaches=Reach.OWN,
        on=demand(
            "iam:CreateUser",
            "iam:AttachUserPolicy|iam:PutUserPolicy|iam:AddUserToGroup",
            "iam:CreateAccessKey|iam:CreateLoginProfile",
        ),
        of="any-user",
        told="makes a new user, gives it any right, and makes a credential of it",
        source=_HTC,
    ),
    _unbound(
        "iam-remove-role-boundary",
        "iam:DeleteRolePermissionsBoundary|iam:PutRolePermissionsBoundary",
        "role",
        "takes the boundary off its own role, or sets a wider one",
    ),
    _unbound(
        "iam-remove-user-boundary",
        "iam:DeleteUserPermissionsBoundary|iam:PutUserPermissionsBoundary",
        "user",
        "takes the boundary off its own user, or sets a wider one",
    ),
    _unbound(
        "iam-rewrite-boundary",
        "iam:CreatePolicyVersion",
        "boundary",
        "writes a new default version of the policy that is its own boundary",
        _HTC,
    ),
    _unbound(
        "iam-remove-role-deny",
        "iam:DetachRolePolicy|iam:DeleteRolePolicy",
        "role-policy",
        "takes a policy with a deny off its own role",
    ),
    _unbound(
        "iam-remove-user-deny",
        "iam:DetachUserPolicy|iam:DeleteUserPolicy",
        "user-policy",
        "takes a policy with a deny off its own user",
    ),
    Rule(
        id="sso-create-assignment",
        reaches=Reach.OWN,
        on=demand(
            "sso:CreateAccountAssignment",
            "sso:CreatePermissionSet",
            "sso:AttachManagedPolicyToPermissionSet|sso:PutInlinePolicyToPermissionSet",
        ),
        of="anything",
        told="makes a permission set with any right and assigns it to its own person",
        given="whoever holds it is a person of this IAM Identity Center",
        source=_PROWLER,
    ),
    Rule(
        id="sso-change-permission-set",
        reaches=Reach.OWN,
        on=demand(
            "sso:AttachManagedPolicyToPermissionSet|sso:PutInlinePolicyToPermissionSet"
            "|sso:AttachCustomerManagedPolicyReferenceToPermissionSet"
        ),
        of="anything",
        told="gives a permission set that is assigned to its own person any right",
        given="whoever holds it is a person of this IAM Identity Center",
        source="https://www.cloudquery.io/blog/aws-priv-esc-identity-center",
    ),
)
"""All rules of this kind. A role's name stands for users and roles alike where `of` begins with `any-`: it makes them new."""
