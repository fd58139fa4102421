"""Paths, buckets, databases and addresses as settings write them: what is right, and what to write instead."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, ValidationInfo

from monitor.expected.fields import Text, bucket_mistake, shaped, shown

STATE = "../var"
"""Where state is kept when the settings do not say."""


@dataclass(frozen=True)
class Folders:
    """What relative paths and `{state}` stand for."""

    config: Path
    state: Path


def _expanded(text: str, info: ValidationInfo) -> str:
    folders = info.context if isinstance(info.context, Folders) else None
    for name in re.findall(r"\{[^{}]*\}?|\}", text):
        if name != "{state}":
            raise ValueError(f"{shown(text)} has {shown(name)}; only {{state}}, the state folder, is known")
    return text.replace("{state}", str(folders.state)) if folders else text


def _absolute(text: str, info: ValidationInfo) -> str:
    folders = info.context if isinstance(info.context, Folders) else None
    return str((folders.config / text).resolve()) if folders else text


def _folder(value: object, info: ValidationInfo) -> object:
    if not isinstance(value, (str, Path)):
        return value
    text = str(value)
    if not text.strip() or "://" in text:
        raise ValueError(f"{shown(text)} is no path; write a folder or file of this machine here")
    return Path(_absolute(_expanded(text, info), info))


def _location(text: str, info: ValidationInfo, schemes: tuple[str, ...] = ("s3",)) -> str:
    if "://" not in text:
        return _absolute(_expanded(text, info), info)
    scheme, _, rest = text.partition("://")
    bucket, _, prefix = rest.partition("/")
    if scheme not in schemes:
        right = " or ".join(f"{one}://bucket/prefix" for one in schemes)
        raise ValueError(f"{shown(text)} is neither a folder nor a bucket; write a path, or {right}")
    if wrong := bucket_mistake(bucket):
        raise ValueError(f"{shown(text)} names the bucket {shown(bucket)}, which {wrong}")
    return f"{scheme}://{bucket}/{prefix}".rstrip("/")


def _google(text: str, info: ValidationInfo) -> str:
    return _location(text, info, ("gs",))


def database_address(text: str, info: ValidationInfo) -> str:
    """Return the address of a database, its file absolute; raises ValueError saying what would be right."""
    # The address may hold a password, so that no message repeats it.
    scheme, separator, rest = text.partition("://")
    if scheme in ("postgresql", "postgresql+psycopg") and separator and rest.strip("/"):
        return text
    if scheme in ("postgres", "psql"):
        raise ValueError(f"begins with {scheme}://; write postgresql://")
    if scheme != "sqlite" or not rest.startswith("/"):
        raise ValueError("is no database; write sqlite:///{state}/monitor.db or postgresql://user@host/database")
    path = rest[1:].partition("?")[0]
    if not path or ":memory:" in path:
        raise ValueError("is a database in memory, which forgets; write sqlite:///{state}/monitor.db")
    return "sqlite:///" + _absolute(_expanded(path, info), info) + rest[1 + len(path) :]


Folder = Annotated[Path, BeforeValidator(_folder, json_schema_input_type=str)]
"""A path of this machine, absolute once loaded."""
Location = Annotated[Text, AfterValidator(_location)]
"""A folder (absolute once loaded) or `s3://bucket/prefix`, without a slash at its end."""
GoogleLocation = Annotated[Text, AfterValidator(_google)]
"""A folder (absolute once loaded) or `gs://bucket/prefix`, without a slash at its end."""
RoleName = Annotated[
    str,
    shaped(r"[A-Za-z0-9_+=,.@-]{1,64}", "is not the name of a role; write the name alone: it is taken in each account"),
]
# No blanks and no plus in the name of a log; an address without its scheme is recommended: https://c2sp.org/signed-note
Origin = Annotated[
    str, shaped(r"[A-Za-z0-9][A-Za-z0-9./_-]{2,199}", "is no origin; write it as evidence.example.com/controls")
]


def _api_mistake(text: str) -> str:
    scheme, _, rest = text.partition("://")
    host = rest.partition("/")[0].rpartition(":")[0] or rest.partition("/")[0]
    if "@" in rest:
        raise ValueError("holds credentials; give the token in MONITOR_GITHUB_TOKEN instead")
    if scheme == "http" and host not in ("127.0.0.1", "localhost", "[::1]"):
        raise ValueError(f"{shown(text)} is not encrypted; write https://")
    if scheme not in ("http", "https") or not rest or rest.startswith("/") or "?" in rest or "#" in rest:
        raise ValueError(f"{shown(text)} is no address; write https://api.github.com or https://HOST/api/v3")
    return text.rstrip("/")


def _google_mistake(text: str) -> str:
    if text.count("{service}") > 1 or set("{}") & set(text.replace("{service}", "")):
        raise ValueError(f"{shown(text)} is no address; write https://{{service}}.googleapis.com")
    _api_mistake(text.replace("{service}", "iam"))
    return text.rstrip("/")


GoogleAddress = Annotated[Text, AfterValidator(_google_mistake)]
"""The address of Google's APIs: `{service}` stands for the service's name; without, all are at one address."""
ApiAddress = Annotated[Text, AfterValidator(_api_mistake)]
"""The address of an API, encrypted unless it is this machine; without a slash at its end."""
