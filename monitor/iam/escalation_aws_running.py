"""Escalation in AWS through a workload that already runs under a role: nothing is passed, only misused. Data only.

Which role a workload runs under is not told by policies. So these lead to every role that the service may hold, on the
condition that such a workload is there.
"""

from __future__ import annotations

from monitor.iam.escalation_rule import Reach, Rule, demand

_PATHS = "https://pathfinding.cloud/paths/"
_PROWLER = "https://github.com/prowler-cloud/prowler/blob/master/prowler/providers/aws/services/iam/lib/privilege_escalation.py"
_EC2, _LAMBDA, _TASKS = "ec2.amazonaws.com", "lambda.amazonaws.com", "ecs-tasks.amazonaws.com"
_STACKS, _SAGE, _CORE = "cloudformation.amazonaws.com", "sagemaker.amazonaws.com", "bedrock-agentcore.amazonaws.com"


def _running(name: str, services: str, needs: str, thing: str, told: str, source: str) -> Rule:
    return Rule(
        id=name,
        reaches=Reach.RUNNING,
        needs=demand(*needs.split()),
        of="role",
        services=tuple(services.split()),
        given=f"{thing} runs as it",
        told=told,
        source=source,
    )


RUNNING_RULES: tuple[Rule, ...] = (
    _running(
        "lambda-update-function-code",
        _LAMBDA,
        "lambda:UpdateFunctionCode",
        "a function",
        "changes the code of a function",
        _PATHS + "lambda-003",
    ),
    _running(
        "lambda-update-function-configuration",
        _LAMBDA,
        "lambda:UpdateFunctionConfiguration",
        "a function",
        "puts its own layer, which is loaded first, into a function",
        "https://rhinosecuritylabs.com/aws/aws-privilege-escalation-methods-mitigation-part-2/",
    ),
    _running(
        "cloudformation-update-stack",
        _STACKS,
        "cloudformation:UpdateStack",
        "a stack",
        "changes a stack, whose role makes the resources",
        _PATHS + "cloudformation-002",
    ),
    _running(
        "cloudformation-change-set",
        _STACKS,
        "cloudformation:CreateChangeSet cloudformation:ExecuteChangeSet",
        "a stack",
        "changes a stack by a change set, whose role makes the resources",
        _PATHS + "cloudformation-005",
    ),
    _running(
        "ec2-modify-user-data",
        _EC2,
        "ec2:ModifyInstanceAttribute ec2:StopInstances ec2:StartInstances",
        "an instance",
        "gives an instance another start script and restarts it",
        _PATHS + "ec2-002",
    ),
    _running(
        "ec2-modify-launch-template",
        _EC2,
        "ec2:CreateLaunchTemplateVersion ec2:ModifyLaunchTemplate",
        "an instance",
        "changes the template from which instances are started",
        _PATHS + "ec2-005",
    ),
    _running(
        "ec2-instance-connect",
        _EC2,
        "ec2-instance-connect:SendSSHPublicKey|ec2-instance-connect:SendSerialConsoleSSHPublicKey",
        "an instance",
        "enters an instance with a key of its own",
        _PATHS + "ec2-003",
    ),
    _running(
        "ssm-start-session",
        f"{_EC2} {_TASKS} ssm.amazonaws.com",
        "ssm:StartSession|ssm:ResumeSession",
        "an instance",
        "opens a shell on an instance",
        _PATHS + "ssm-001",
    ),
    _running(
        "ssm-send-command",
        f"{_EC2} ssm.amazonaws.com",
        "ssm:SendCommand|ssm:CreateAssociation",
        "an instance",
        "runs commands on an instance",
        _PATHS + "ssm-002",
    ),
    _running(
        "codedeploy-create-deployment",
        _EC2,
        "codedeploy:CreateDeployment codedeploy:RegisterApplicationRevision codedeploy:GetDeploymentConfig",
        "an instance",
        "deploys its own scripts to instances",
        _PATHS + "codedeploy-001",
    ),
    _running(
        "ecs-execute-command",
        _TASKS,
        "ecs:ExecuteCommand",
        "a task",
        "opens a shell in a running task",
        _PATHS + "ecs-006",
    ),
    _running(
        "batch-submit-existing-job",
        _TASKS,
        "batch:SubmitJob",
        "a job",
        "submits a job that is described with another command",
        _PATHS + "batch-002",
    ),
    _running(
        "apprunner-update-service",
        "tasks.apprunner.amazonaws.com",
        "apprunner:UpdateService",
        "a service",
        "has a service run its own container",
        _PATHS + "apprunner-002",
    ),
    _running(
        "codebuild-start-build",
        "codebuild.amazonaws.com",
        "codebuild:StartBuild|codebuild:StartBuildBatch",
        "a build project",
        "starts a build with commands of its own in their stead",
        _PATHS + "codebuild-002",
    ),
    _running(
        "glue-update-dev-endpoint",
        "glue.amazonaws.com",
        "glue:UpdateDevEndpoint",
        "a development endpoint",
        "puts a key of its own into a development endpoint",
        _PATHS + "glue-002",
    ),
    _running(
        "sagemaker-presigned-notebook",
        _SAGE,
        "sagemaker:CreatePresignedNotebookInstanceUrl",
        "a notebook",
        "opens a notebook",
        _PATHS + "sagemaker-004",
    ),
    _running(
        "sagemaker-notebook-lifecycle",
        _SAGE,
        "sagemaker:CreateNotebookInstanceLifecycleConfig|sagemaker:UpdateNotebookInstanceLifecycleConfig "
        "sagemaker:StopNotebookInstance sagemaker:UpdateNotebookInstance sagemaker:StartNotebookInstance",
        "a notebook",
        "has a notebook start with its own script",
        _PATHS + "sagemaker-005",
    ),
    _running(
        "sagemaker-presigned-domain",
        _SAGE,
        "sagemaker:CreatePresignedDomainUrl",
        "a profile of a SageMaker domain",
        "opens the studio as another profile",
        "https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_CreatePresignedDomainUrl.html",
    ),
    _running(
        "states-update-state-machine",
        "states.amazonaws.com",
        "states:UpdateStateMachine states:StartExecution|states:StartSyncExecution",
        "a state machine",
        "changes what a state machine calls, and starts it",
        _PROWLER,
    ),
    _running(
        "agentcore-use-code-interpreter",
        _CORE,
        "bedrock-agentcore:StartCodeInterpreterSession bedrock-agentcore:InvokeCodeInterpreter",
        "a code interpreter",
        "runs code in a code interpreter",
        _PATHS + "bedrock-002",
    ),
    _running(
        "agentcore-invoke-runtime-command",
        _CORE,
        "bedrock-agentcore:InvokeAgentRuntimeCommand",
        "an agent's runtime",
        "runs commands in an agent's runtime",
        _PATHS + "bedrock-004",
    ),
    _running(
        "agentcore-use-browser",
        _CORE,
        "bedrock-agentcore:StartBrowserSession bedrock-agentcore:ConnectBrowserAutomationStream",
        "an agent's browser",
        "steers a browser to the credentials that it runs with",
        _PROWLER,
    ),
    _running(
        "codestar-join-project",
        "codestar.amazonaws.com " + _STACKS,
        "codestar:CreateProject codestar:AssociateTeamMember",
        "the project",
        "makes itself an owner of a project that the service's own role builds",
        "https://rhinosecuritylabs.com/aws/aws-privilege-escalation-methods-mitigation-part-2/",
    ),
    _running(
        "eks-access-entry",
        "pods.eks.amazonaws.com",
        "eks:CreateAccessEntry|eks:UpdateAccessEntry eks:AssociateAccessPolicy",
        "a pod",
        "makes itself an administrator of a cluster, and so of its pods",
        "https://docs.aws.amazon.com/eks/latest/userguide/access-entries.html",
    ),
    _running(
        "rolesanywhere-create-trust-anchor",
        "rolesanywhere.amazonaws.com",
        "rolesanywhere:CreateTrustAnchor|rolesanywhere:UpdateTrustAnchor",
        "a profile of Roles Anywhere",
        "trusts its own certificate authority, whose certificates take the roles of profiles that are there",
        "https://unit42.paloaltonetworks.com/aws-roles-anywhere/",
    ),
)
"""All rules of this kind."""
