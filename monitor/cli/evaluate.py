"""`monitor evaluate`: judge saved documents."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from monitor.cli import exits
from monitor.cli.options import ConfigDir
from monitor.cli.show import complain, to_json

_LARGEST = 1 << 30


def evaluate(
    files: Annotated[list[str], typer.Argument(metavar="FILE…", help="Documents; - is standard input.")],
    kind: Annotated[
        str,
        typer.Option(
            help="What the documents are: cloudtrail, github-branch-protection, github-ruleset, github-environment, "
            "github-audit, github-webhook, aws-iam-authorization, aws-iam-policy, aws-trust-policy, gcp-iam-policy, gcp-role "
            "or gcp-workload-identity-provider."
        ),
    ],
    expected: Annotated[
        Path | None, typer.Option(help="Folder of expected state; default: expected/ in the configuration.")
    ] = None,
    config: ConfigDir = Path("config"),
) -> None:
    """Judge saved documents against expected state; stores nothing. Prints one JSON line a document, in order.

    FILE holds one JSON document a line, one document, an array, or a CloudTrail file; .gz too.

    Example: monitor evaluate --kind cloudtrail events.jsonl
    """
    from monitor.cli.compose import catalogues
    from monitor.errors import ConfigError
    from monitor.expected.load import load
    from monitor.sweep import documents, documents_github, documents_identities, registry

    kinds = (*documents.KINDS, *documents_github.KINDS, *documents_identities.KINDS)
    if kind not in kinds:
        raise ConfigError(f"no kind is called {kind!r}", todo=f"choose from: {', '.join(kinds)}")
    state = load(expected or config / "expected")
    found = [document for name in files for document in documents.documents(_content(name))]
    if not found:
        complain(f"there is no document in {', '.join(files)}")
        raise typer.Exit(exits.INCOMPLETE)
    seen = set()
    checks = registry.discover()
    if kind in documents.KINDS:
        verdicts = documents.judge_events(found, documents.KINDS[kind], checks, state)
    elif kind in documents_identities.KINDS:
        verdicts = documents_identities.judge(kind, found, checks, state, catalogues())
    else:
        verdicts = documents_github.judge(kind, found, checks, state)
    for judged in verdicts:
        seen.add(judged.outcome.value)
        sys.stdout.write(to_json(judged) + "\n")
    raise typer.Exit(exits.verdict(findings="fail" in seen, incomplete=bool(seen & {"unknown", "error"})))


def _content(name: str) -> bytes | bytearray:
    from monitor.decode.inflate import MAGIC, inflate
    from monitor.errors import ConfigError, Malformed

    try:
        body = sys.stdin.buffer.read() if name == "-" else Path(name).read_bytes()
    except OSError as refused:
        raise ConfigError(
            f"cannot read {name}: {refused.strerror}", todo="name files that exist, or - for standard input"
        ) from None
    if not body.startswith(MAGIC):
        return body
    try:
        return inflate(body, _LARGEST)
    except Malformed as damaged:
        raise ConfigError(f"{name}: {damaged.what}", todo="give a whole file") from None
