"""Escalation in AWS by handing a role to what computes, builds or deploys. Data only.

Which service principal a role must trust is from each service's own documentation; what passing a role is, is told at
https://docs.aws.amazon.com/IAM/latest/UserGuide/id_roles_use_passrole.html.
"""

from __future__ import annotations

from monitor.iam.escalation_rule import Rule, passed

_PATHS = "https://pathfinding.cloud/paths/"
_PMAPPER = "https://github.com/nccgroup/PMapper/blob/master/principalmapper/graphing/"
_HTC = "https://hackingthe.cloud/aws/exploitation/iam_privilege_escalation/"
_RHINO_2 = "https://rhinosecuritylabs.com/aws/aws-privilege-escalation-methods-mitigation-part-2/"
_EC2, _LAMBDA, _TASKS = "ec2.amazonaws.com", "lambda.amazonaws.com", "ecs-tasks.amazonaws.com"
_STACKS, _BUILDS = "cloudformation.amazonaws.com", "codebuild.amazonaws.com"


COMPUTE_RULES: tuple[Rule, ...] = (
    # Compute
    passed("ec2-run-instances", _EC2, "ec2:RunInstances", "starts an instance under the role", _PATHS + "ec2-001"),
    passed(
        "ec2-request-spot-instances",
        _EC2,
        "ec2:RequestSpotInstances",
        "asks for a spot instance under the role",
        _PATHS + "ec2-004",
    ),
    passed(
        "ec2-create-fleet",
        _EC2,
        "ec2:CreateFleet ec2:CreateLaunchTemplate|ec2:CreateLaunchTemplateVersion",
        "starts a fleet from a launch template that names the role",
        "https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/ec2-fleet-prerequisites.html",
    ),
    passed(
        "ec2-associate-instance-profile",
        _EC2,
        "ec2:AssociateIamInstanceProfile|ec2:ReplaceIamInstanceProfileAssociation "
        "ssm:StartSession|ssm:SendCommand|ec2-instance-connect:SendSSHPublicKey|ec2-instance-connect:SendSerialConsoleSSHPublicKey",
        "puts the role on an instance that it can enter",
        _PMAPPER + "ec2_edges.py",
    ),
    passed(
        "autoscaling-launch",
        _EC2,
        "autoscaling:CreateAutoScalingGroup|autoscaling:UpdateAutoScalingGroup "
        "autoscaling:CreateLaunchConfiguration|ec2:CreateLaunchTemplate|ec2:CreateLaunchTemplateVersion",
        "lets a scaling group start instances under the role",
        _PMAPPER + "autoscaling_edges.py",
    ),
    passed(
        "imagebuilder-create-image",
        _EC2,
        "imagebuilder:CreateInfrastructureConfiguration imagebuilder:CreateComponent "
        "imagebuilder:CreateImageRecipe|imagebuilder:CreateContainerRecipe imagebuilder:CreateImage",
        "builds an image with its own script, on an instance under the role",
        _PATHS + "imagebuilder-001",
    ),
    passed(
        "gamelift-create-fleet",
        "gamelift.amazonaws.com",
        "gamelift:CreateFleet gamelift:CreateBuild gamelift:RequestUploadCredentials",
        "uploads a build that runs in a fleet under the role",
        _PATHS + "gamelift-001",
    ),
    # Functions and containers
    passed(
        "lambda-create-function",
        _LAMBDA,
        "lambda:CreateFunction lambda:InvokeFunction|lambda:InvokeAsync|lambda:AddPermission"
        "|lambda:CreateEventSourceMapping|lambda:UpdateEventSourceMapping",
        "makes a function under the role and sets it off",
        _PATHS + "lambda-001",
    ),
    passed(
        "lambda-change-function-role",
        _LAMBDA,
        "lambda:UpdateFunctionConfiguration lambda:UpdateFunctionCode",
        "puts a function that runs anyway under the role, and changes its code",
        _HTC,
    ),
    passed(
        "ecs-register-task",
        _TASKS,
        "ecs:RegisterTaskDefinition ecs:RunTask|ecs:StartTask|ecs:CreateService|ecs:UpdateService|ecs:CreateTaskSet",
        "describes a task under the role and runs it",
        _PATHS + "ecs-004",
    ),
    passed(
        "ecs-run-task-override",
        _TASKS,
        "ecs:RunTask|ecs:StartTask",
        "runs a task that is there with another command and the role in its stead",
        "https://labs.reversec.com/posts/2025/08/another-ecs-privilege-escalation-path",
    ),
    passed(
        "apprunner-create-service",
        "tasks.apprunner.amazonaws.com",
        "apprunner:CreateService",
        "runs its own container as a service under the role",
        _PATHS + "apprunner-001",
    ),
    passed(
        "batch-submit-job",
        _TASKS,
        "batch:RegisterJobDefinition batch:SubmitJob",
        "describes a job under the role and submits it",
        _PATHS + "batch-001",
    ),
    passed(
        "eks-pod-identity",
        "pods.eks.amazonaws.com",
        "eks:CreatePodIdentityAssociation|eks:UpdatePodIdentityAssociation "
        "eks:CreateAccessEntry|eks:AssociateAccessPolicy|eks:AccessKubernetesApi",
        "gives the role to pods of a cluster that it can use",
        "https://docs.aws.amazon.com/eks/latest/userguide/pod-id-association.html",
    ),
    # Deployment and build
    passed(
        "cloudformation-create-stack",
        _STACKS,
        "cloudformation:CreateStack",
        "creates a stack whose resources the role makes",
        _PATHS + "cloudformation-001",
    ),
    passed(
        "cloudformation-pass-role-to-stack",
        _STACKS,
        "cloudformation:UpdateStack|cloudformation:ExecuteChangeSet",
        "changes a stack, and hands it the role to do so",
        "https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/using-iam-servicerole.html",
    ),
    passed(
        "cloudformation-create-stack-set",
        _STACKS,
        "cloudformation:CreateStackSet cloudformation:CreateStackInstances",
        "creates a stack set whose resources the role makes",
        _PATHS + "cloudformation-003",
    ),
    passed(
        "cloudformation-update-stack-set",
        _STACKS,
        "cloudformation:UpdateStackSet",
        "changes a stack set whose resources the role makes",
        _PATHS + "cloudformation-004",
    ),
    passed(
        "cloudcontrol-create-resource",
        _STACKS,
        "cloudformation:CreateResource|cloudformation:UpdateResource",
        "has a resource made by the role through Cloud Control",
        "https://docs.aws.amazon.com/cloudcontrolapi/latest/APIReference/API_CreateResource.html",
    ),
    passed(
        "codebuild-create-project",
        _BUILDS,
        "codebuild:CreateProject codebuild:StartBuild|codebuild:StartBuildBatch",
        "makes a build project under the role and runs its own commands",
        _PATHS + "codebuild-001",
    ),
    passed(
        "codebuild-update-project",
        _BUILDS,
        "codebuild:UpdateProject codebuild:StartBuild|codebuild:StartBuildBatch",
        "puts a build project under the role and runs its own commands",
        _PMAPPER + "codebuild_edges.py",
    ),
    passed(
        "codepipeline-create-pipeline",
        "codepipeline.amazonaws.com",
        "codepipeline:CreatePipeline|codepipeline:UpdatePipeline",
        "makes a pipeline whose commands run under the role",
        "https://docs.aws.amazon.com/codepipeline/latest/userguide/action-reference-Commands.html",
    ),
    passed(
        "codestar-create-project",
        "codestar.amazonaws.com",
        "codestar:CreateProject",
        "makes a project whose resources the role makes",
        _RHINO_2,
    ),
    passed(
        "amplify-create-app",
        "amplify.amazonaws.com",
        "amplify:CreateApp|amplify:UpdateApp amplify:CreateBranch|amplify:UpdateBranch amplify:StartJob",
        "builds an application under the role with its own commands",
        _PATHS + "amplify-001",
    ),
)
"""All rules of this kind."""
