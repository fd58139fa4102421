"""The sinks of the section `alerts`: Slack, webhooks, e-mail. Secrets are in files, never in the settings."""

from __future__ import annotations

import re
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, model_validator

from monitor.expected.fields import Id, Text, shaped, shown
from monitor.settings.places import ApiAddress, Folder
from monitor.settings.section import Section

_LOCAL = ("127.0.0.1", "localhost", "[::1]")
_MAIL = r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@[A-Za-z0-9](?:[A-Za-z0-9.-]{0,250}[A-Za-z0-9])?"

Channel = Annotated[
    str,
    shaped(
        r"[CGD][A-Z0-9]{6,30}",
        "is no channel's id; write it as C0123456789: it stands at the bottom of the channel's details",
    ),
]
"""The id of a Slack channel, which a rename does not change."""
SlackPerson = Annotated[
    str, shaped(r"[UWS][A-Z0-9]{6,30}", "is no id of Slack's; write a user's (U…) or a group's (S…)")
]
MailAddress = Annotated[str, shaped(_MAIL, "is no e-mail address; write it as oncall@example.com")]
HostName = Annotated[str, shaped(r"[A-Za-z0-9](?:[A-Za-z0-9.-]{0,250}[A-Za-z0-9])?|\[?[0-9a-f:]+\]?", "is no host")]


def webhook_mistake(text: str) -> str:
    """Return what is wrong with the address of a webhook; empty when nothing is. It is not repeated: it may be a secret."""
    found = re.fullmatch(
        r"(https?)://([A-Za-z0-9.-]+|\[[0-9A-Fa-f:.]+\])(?::[0-9]{1,5})?(?:[/?][!-~]*)?", text, re.ASCII
    )
    if found is None or "#" in text:
        return "is no address of a webhook; write https://hooks.example.com/path"
    if found[1] == "http" and found[2] not in _LOCAL:
        return "is not encrypted; write https://"
    return ""


def _webhook(text: str) -> str:
    if wrong := webhook_mistake(text):
        raise ValueError(wrong)
    return text


def _edit(text: str) -> str:
    if not re.fullmatch(r"https?://[!-~]{3,2000}", text, re.ASCII):
        raise ValueError(
            f"{shown(text)} is no address; write https://host/organisation/repository/edit/main/config/waivers.yaml"
        )
    return text


class SlackSettings(Section):
    """How Slack is reached. The app's manifest, with what it needs, is in config/access/."""

    token_file: Folder = Field(description="File with the bot's token (xoxb-…)")
    app_token_file: Folder | None = Field(
        default=None, description="File with the app's token (xapp-…), for buttons over Socket Mode; absent: no buttons"
    )
    base_url: ApiAddress = Field(
        default="https://slack.com/api", description="Address of Slack's Web API; another for GovSlack or a proxy"
    )
    default_channel: Channel | None = Field(default=None, description="Where `slack` alone goes in routes")
    fallback_channel: Channel | None = Field(
        default=None, description="Where messages go whose channel is gone or archived"
    )
    users: dict[Text, SlackPerson] = Field(
        default={}, description="Slack ids by actor, owner or e-mail address, as maria@example.com: U0123456789"
    )
    edit_waivers: Annotated[str, AfterValidator(_edit)] | None = Field(
        default=None,
        description="Where config/waivers.yaml is edited, for the button that asks for a waiver; `{entry}` stands for the entry",
    )
    look_up: bool = Field(
        default=False, description="Whether e-mail addresses are looked up in Slack (scope users:read.email)"
    )


class EndpointSettings(Section):
    """One webhook. Its address may be a secret: then it is in a file."""

    url: Annotated[str, AfterValidator(_webhook)] | None = Field(
        default=None, repr=False, description="https:// address that takes JSON by POST"
    )
    url_file: Folder | None = Field(default=None, description="File with the address, where it is a secret")
    secret_file: Folder = Field(description="File with the secret that signs what is posted: 16 characters or more")

    @model_validator(mode="after")
    def _one(self) -> EndpointSettings:
        if (self.url is None) == (self.url_file is None):
            raise ValueError("write 'url:' or 'url_file:', one of the two")
        return self


class WebhookSettings(Section):
    """Webhooks, by the names that routes use."""

    endpoints: dict[Id, EndpointSettings] = Field(min_length=1, description="Endpoints by name")
    timeout_seconds: float = Field(default=10, gt=0, le=60, description="Patience with each step of a request")


class SmtpSettings(Section):
    """The server that takes e-mail."""

    host: HostName = Field(description="Name of the server")
    port: int = Field(default=587, strict=True, ge=1, le=65535, description="587 for starttls, 465 for tls")
    security: Literal["starttls", "tls", "none"] = Field(
        default="starttls", description="starttls, tls, or none (for this machine alone)"
    )
    sender: MailAddress = Field(description="Address that alerts come from")
    user: Text | None = Field(default=None, description="Name to sign in with")
    password_file: Folder | None = Field(default=None, description="File with the password")
    timeout_seconds: float = Field(default=20, gt=0, le=60, description="Patience with each step")

    @model_validator(mode="after")
    def _safe(self) -> SmtpSettings:
        if self.security == "none" and self.host not in _LOCAL:
            raise ValueError(f"mail to {shown(self.host)} would go in the clear; write 'security: starttls' or 'tls'")
        if (self.user is None) != (self.password_file is None):
            raise ValueError("'user:' and 'password_file:' belong together: one is missing")
        return self
