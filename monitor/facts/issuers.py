"""Who signs tokens for the jobs of a pipeline, and which subjects each of them makes. Pure.

Slots carry the name of the claim that tells the same value, so that a test on that claim narrows the subject too.
"""

from __future__ import annotations

from functools import lru_cache

import msgspec

from monitor.facts.language import Pattern, literal


class Slot(msgspec.Struct, frozen=True, kw_only=True):
    """A part of a subject that varies: at least `least` characters, none of `stops`.

    `claim` is the name under which a token tells the same value by itself, if it does.
    """

    claim: str = ""
    stops: str = ":"
    least: int = 1


Form = tuple[str | Slot, ...]
"""How subjects are made: literal pieces and slots, one after the other."""


@lru_cache(maxsize=16384)
def pattern_of(form: Form) -> Pattern:
    """Return the pattern of the subjects that are made in this form."""
    found: Pattern = ()
    for piece in form:
        if isinstance(piece, str):
            found += literal(piece)
        else:
            found += (*(("1", piece.stops),) * piece.least, ("*", piece.stops))
    return found


GITHUB, GITHUB_SERVER = "github", "github-server"
GITLAB, BUILDKITE, CIRCLECI, TERRAFORM, BITBUCKET = "gitlab", "buildkite", "circleci", "terraform", "bitbucket"
ANY_SUBJECT: tuple[Form, ...] = ((Slot(stops=""),),)
"""What an issuer can make of which nothing is known."""
_GITHUB_HOST = "token.actions.githubusercontent.com"


def name_of(issuer: str) -> str:
    """Return an issuer as it is compared: without scheme and last slash, with its host in lower case."""
    host, slash, path = issuer.removeprefix("https://").rstrip("/").partition("/")
    return host.lower() + slash + path


def kind_of(issuer: str) -> str:
    """Return which of the known makers of tokens an issuer is; empty for others."""
    name = name_of(issuer)
    host, _, path = name.partition("/")
    if host == _GITHUB_HOST or (host.startswith("token.actions.") and host.endswith(".ghe.com")):
        return GITHUB
    if path == "_services/token":
        return GITHUB_SERVER
    if host == "gitlab.com" or host.startswith("gitlab."):
        return GITLAB
    if name == "agent.buildkite.com":
        return BUILDKITE
    if name == "app.terraform.io":
        return TERRAFORM
    if host == "oidc.circleci.com":
        return CIRCLECI
    return BITBUCKET if host == "api.bitbucket.org" and path.endswith("/pipelines-config/identity/oidc") else ""


def forms_of(issuer: str) -> tuple[Form, ...]:
    """Return the forms of the subjects that an issuer makes. GitHub's are in `monitor.facts.subjects`."""
    kind = kind_of(issuer)
    if kind == GITLAB:
        return _GITLAB
    if kind == BUILDKITE:
        return _BUILDKITE
    if kind == TERRAFORM:
        return _TERRAFORM
    if kind == CIRCLECI:
        return _circleci(name_of(issuer).partition("/")[2].removeprefix("org/"))
    return _BITBUCKET if kind == BITBUCKET else ANY_SUBJECT


# https://docs.gitlab.com/ci/secrets/id_token_authentication/#token-payload
# A project may choose other claims behind project_path; those only add to what the subject tells.
# https://docs.gitlab.com/api/projects/#edit-a-project (ci_id_token_sub_claim_components)
_GITLAB: tuple[Form, ...] = tuple(
    ("project_path:", Slot(claim="project_path"), f":ref_type:{kind}:ref:", Slot(claim="ref"))
    for kind in ("branch", "tag")
)
# https://buildkite.com/docs/agent/cli/reference/oidc: a job may ask for one claim as the subject instead (--subject-claim),
# an id, which never holds a colon.
_BUILDKITE: tuple[Form, ...] = (
    (
        "organization:",
        Slot(claim="organization_slug"),
        ":pipeline:",
        Slot(claim="pipeline_slug"),
        ":ref:",
        Slot(),
        ":commit:",
        Slot(claim="build_commit"),
        ":step:",
        Slot(claim="step_key", least=0),
    ),
    (Slot(),),
)
# https://developer.hashicorp.com/terraform/cloud-docs/workspaces/dynamic-provider-credentials/workload-identity-tokens
# The form without a project is the one before projects: https://support.hashicorp.com/hc/en-us/articles/13138701895699
_TERRAFORM: tuple[Form, ...] = (
    (
        "organization:",
        Slot(claim="terraform_organization_name"),
        ":project:",
        Slot(claim="terraform_project_name"),
        ":workspace:",
        Slot(claim="terraform_workspace_name"),
        ":run_phase:",
        Slot(claim="terraform_run_phase"),
    ),
    (
        "organization:",
        Slot(claim="terraform_organization_name"),
        ":workspace:",
        Slot(claim="terraform_workspace_name"),
        ":run_phase:",
        Slot(claim="terraform_run_phase"),
    ),
    # https://developer.hashicorp.com/terraform/language/stacks/deploy/authenticate
    (
        "organization:",
        Slot(claim="terraform_organization_name"),
        ":project:",
        Slot(claim="terraform_project_name"),
        ":stack:",
        Slot(claim="terraform_stack_name"),
        ":deployment:",
        Slot(claim="terraform_stack_deployment_name"),
        ":operation:",
        Slot(claim="terraform_operation"),
    ),
)
# https://support.atlassian.com/bitbucket-cloud/docs/integrate-pipelines-with-resource-servers-using-oidc/
_BITBUCKET: tuple[Form, ...] = (
    (Slot(claim="repositoryUuid"), ":", Slot(claim="stepUuid")),
    (Slot(claim="repositoryUuid"), ":", Slot(claim="deploymentEnvironmentUuid"), ":", Slot(claim="stepUuid")),
)


def _circleci(organisation: str) -> tuple[Form, ...]:
    # https://circleci.com/docs/guides/permissions-authentication/openid-connect-tokens/
    # The organisation is in the issuer too; the second form is that of CIRCLE_OIDC_TOKEN_V2.
    # Ids, addresses without their scheme, and names of branches and tags: none of them holds a colon.
    owner: str | Slot = organisation or Slot(stops=":/")
    start: Form = ("org/", owner, "/project/", Slot(stops=":/"), "/user/", Slot(stops=":/"))
    return (start, (*start, "/vcs-origin/", Slot(), "/vcs-ref/", Slot(least=0)))
