"""Escalation in AWS by handing a role to what works on data, or calls other services. Data only.

Which service principal a role must trust is from each service's own documentation; what passing a role is, is told at
https://docs.aws.amazon.com/IAM/latest/UserGuide/id_roles_use_passrole.html.
"""

from __future__ import annotations

from monitor.iam.escalation_rule import Rule, passed

_PATHS = "https://pathfinding.cloud/paths/"
_PMAPPER = "https://github.com/nccgroup/PMapper/blob/master/principalmapper/graphing/"
_PROWLER = "https://github.com/prowler-cloud/prowler/blob/master/prowler/providers/aws/services/iam/lib/privilege_escalation.py"
_AGENTS = "https://www.beyondtrust.com/blog/entry/aws-agentcore-privilege-escalation"
_EC2, _GLUE, _SAGE = "ec2.amazonaws.com", "glue.amazonaws.com", "sagemaker.amazonaws.com"
_CORE, _STATES = "bedrock-agentcore.amazonaws.com", "states.amazonaws.com"


DATA_RULES: tuple[Rule, ...] = (
    # Data and learning
    passed(
        "glue-create-dev-endpoint",
        _GLUE,
        "glue:CreateDevEndpoint",
        "makes a development endpoint under the role and enters it",
        _PATHS + "glue-001",
    ),
    passed(
        "glue-create-job",
        _GLUE,
        "glue:CreateJob|glue:UpdateJob glue:StartJobRun|glue:CreateTrigger|glue:StartTrigger",
        "makes or changes a job to run its own script under the role",
        _PATHS + "glue-003",
    ),
    passed(
        "glue-create-session",
        _GLUE,
        "glue:CreateSession glue:RunStatement",
        "opens an interactive session under the role",
        _PATHS + "glue-007",
    ),
    passed(
        "datapipeline-create-pipeline",
        "datapipeline.amazonaws.com " + _EC2,
        "datapipeline:CreatePipeline datapipeline:PutPipelineDefinition datapipeline:ActivatePipeline",
        "makes a data pipeline that runs its own commands under the role",
        _PATHS + "datapipeline-001",
    ),
    passed(
        "emr-run-job-flow",
        "elasticmapreduce.amazonaws.com " + _EC2,
        "elasticmapreduce:RunJobFlow",
        "starts a cluster under the role with its own steps",
        _PATHS + "emr-001",
    ),
    passed(
        "emr-serverless-start-job",
        "emr-serverless.amazonaws.com",
        "emr-serverless:StartJobRun",
        "runs its own job under the role",
        _PATHS + "emrserverless-001",
    ),
    passed(
        "kinesisanalytics-create-application",
        "kinesisanalytics.amazonaws.com",
        "kinesisanalytics:CreateApplication|kinesisanalytics:UpdateApplication kinesisanalytics:StartApplication",
        "runs its own streaming application under the role",
        _PATHS + "kinesisanalytics-001",
    ),
    passed(
        "omics-start-run",
        "omics.amazonaws.com",
        "omics:CreateWorkflow omics:StartRun",
        "runs its own workflow under the role",
        _PATHS + "omics-001",
    ),
    passed(
        "braket-create-job",
        "braket.amazonaws.com",
        "braket:CreateJob",
        "runs its own job under the role",
        _PATHS + "braket-001",
    ),
    passed(
        "sagemaker-create-notebook",
        _SAGE,
        "sagemaker:CreateNotebookInstance",
        "makes a notebook under the role and opens it, or starts it with its own script",
        _PATHS + "sagemaker-001",
    ),
    passed(
        "sagemaker-create-training-job",
        _SAGE,
        "sagemaker:CreateTrainingJob|sagemaker:CreateHyperParameterTuningJob",
        "trains with its own container under the role",
        _PATHS + "sagemaker-002",
    ),
    passed(
        "sagemaker-create-processing-job",
        _SAGE,
        "sagemaker:CreateProcessingJob",
        "processes with its own container under the role",
        _PMAPPER + "sagemaker_edges.py",
    ),
    passed(
        "sagemaker-create-endpoint",
        _SAGE,
        "sagemaker:CreateModel sagemaker:CreateEndpoint|sagemaker:CreateTransformJob",
        "serves a model from its own container under the role",
        "https://docs.aws.amazon.com/sagemaker/latest/dg/sagemaker-roles.html",
    ),
    passed(
        "agentcore-create-code-interpreter",
        _CORE,
        "bedrock-agentcore:CreateCodeInterpreter bedrock-agentcore:InvokeCodeInterpreter",
        "makes a code interpreter under the role and runs code in it",
        _PATHS + "bedrock-001",
    ),
    passed(
        "agentcore-create-runtime",
        _CORE,
        "bedrock-agentcore:CreateAgentRuntime|bedrock-agentcore:UpdateAgentRuntime|bedrock-agentcore:CreateHarness "
        "bedrock-agentcore:InvokeAgentRuntimeCommand|bedrock-agentcore:InvokeAgentRuntime",
        "makes an agent's runtime under the role and runs commands in it",
        _AGENTS,
    ),
    passed(
        "agentcore-create-browser",
        _CORE,
        "bedrock-agentcore:CreateBrowser bedrock-agentcore:StartBrowserSession "
        "bedrock-agentcore:ConnectBrowserAutomationStream",
        "makes a browser under the role and steers it to the role's credentials",
        _AGENTS,
    ),
    # Orchestration, and identities by other ways
    passed(
        "ssm-start-automation",
        "ssm.amazonaws.com",
        "ssm:CreateDocument|ssm:UpdateDocument ssm:StartAutomationExecution|ssm:CreateAssociation",
        "writes an automation that calls what it likes under the role",
        _PROWLER,
    ),
    passed(
        "states-create-state-machine",
        _STATES,
        "states:CreateStateMachine states:StartExecution|states:StartSyncExecution",
        "makes a state machine that calls what it likes under the role",
        _PROWLER,
    ),
    passed(
        "states-change-state-machine-role",
        _STATES,
        "states:UpdateStateMachine",
        "puts a state machine under the role, and changes what it calls",
        "https://docs.aws.amazon.com/step-functions/latest/apireference/API_UpdateStateMachine.html",
    ),
    passed(
        "scheduler-create-schedule",
        "scheduler.amazonaws.com",
        "scheduler:CreateSchedule|scheduler:UpdateSchedule",
        "schedules a call of what it likes under the role",
        _PROWLER,
    ),
    passed(
        "cognito-set-identity-pool-roles",
        "cognito-identity.amazonaws.com",
        "cognito-identity:SetIdentityPoolRoles",
        "makes the role that of whoever signs in to an identity pool",
        _PATHS + "cognitoidentity-001",
    ),
    passed(
        "rolesanywhere-create-profile",
        "rolesanywhere.amazonaws.com",
        "rolesanywhere:CreateTrustAnchor rolesanywhere:CreateProfile|rolesanywhere:UpdateProfile",
        "trusts its own certificate authority, and gives its certificates the role",
        "https://unit42.paloaltonetworks.com/aws-roles-anywhere/",
    ),
    passed(
        "iot-create-role-alias",
        "credentials.iot.amazonaws.com",
        "iot:CreateRoleAlias|iot:UpdateRoleAlias "
        "iot:CreateKeysAndCertificate|iot:CreateCertificateFromCsr|iot:RegisterCertificate "
        "iot:AttachPolicy|iot:AttachPrincipalPolicy",
        "lets a certificate of its own take the role through an alias",
        "https://docs.aws.amazon.com/iot/latest/developerguide/authorizing-direct-aws.html",
    ),
)
"""All rules of this kind."""
