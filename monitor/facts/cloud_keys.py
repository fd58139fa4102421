"""Which names of secrets are those of long-lived cloud keys. A name is only a name: what is behind it is never read. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache

from monitor.facts.allowing import includes

# The names that the providers' tools read, and those that their guides for GitHub Actions write; with what people put
# before and after them. Names of what is no key (a role's ARN, a client's or project's id, an e-mail) are not among them.
# https://docs.aws.amazon.com/cli/v1/userguide/cli-configure-envvars.html
# https://github.com/google-github-actions/auth#service-account-key-json
# https://github.com/google-github-actions/setup-gcloud/blob/main/README.md
# https://registry.terraform.io/providers/hashicorp/google/latest/docs/guides/provider_reference#authentication
# https://github.com/Azure/login#login-with-a-service-principal-secret
# https://registry.terraform.io/providers/hashicorp/azurerm/latest/docs/guides/service_principal_client_secret
# https://kubernetes.io/docs/concepts/configuration/organize-cluster-access-kubeconfig/
NAMES = (
    "*AWS*ACCESS_KEY*",
    "*AWS*SECRET_KEY*",
    "*AWS_CREDENTIALS*",
    "*SECRET_ACCESS_KEY*",
    "*ACCESS_KEY_ID*",
    "AWS_KEY",
    "AWS_KEY_ID",
    "AWS_SECRET",
    "*GCP*SA_KEY*",
    "*GCP_KEY",
    "*GCP_CREDENTIALS*",
    "*GCP_CREDS*",
    "*GCP_SA_JSON*",
    "*GKE_KEY*",
    "*GKE_SA_KEY*",
    "*GOOGLE*CREDENTIALS*",
    "*GCLOUD*_KEY*",
    "*GCLOUD_CREDENTIALS*",
    "*SERVICE_ACCOUNT_KEY*",
    "*SERVICE_ACCOUNT_JSON*",
    "*SERVICE_KEY_JSON*",
    "SA_KEY",
    "*_SA_KEY",
    "*FIREBASE_SERVICE_ACCOUNT*",
    "*AZURE_CREDENTIALS*",
    "*AZURE*CLIENT_SECRET*",
    "*AZURE_STORAGE_KEY*",
    "*AZURE_STORAGE_CONNECTION_STRING*",
    "*AZURE*PUBLISH_PROFILE*",
    "*ARM_CLIENT_SECRET*",
    "*ARM_ACCESS_KEY*",
    "*KUBECONFIG*",
    "*KUBE_CONFIG*",
)


@lru_cache(maxsize=8192)
def is_cloud_key(name: str) -> bool:
    """Return whether a secret of this name is a long-lived cloud key, as far as a name tells. The case does not matter."""
    return may_stay(name, NAMES)


def may_stay(name: str, patterns: Iterable[str]) -> bool:
    """Return whether a name fits one of the patterns, in which `*` is any run of characters; the case does not matter."""
    return any(includes(pattern, name, cased=False) for pattern in patterns)
