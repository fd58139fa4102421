"""`monitor doctor`: what the monitor works with, what it may see, what each check is blind to, and what to grant."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from monitor.cli import exits
from monitor.cli.options import ConfigDir, OutputFormat, configuration
from monitor.cli.show import Format, coloured, moment, print_json, safe, say

if TYPE_CHECKING:
    from monitor.model import ScopeCoverage
    from monitor.settings import Config


def doctor(
    needs: Annotated[bool, typer.Option("--needs", help="Also list what each check needs to see.")] = False,
    offline: Annotated[bool, typer.Option("--offline", help="Ask no provider.")] = False,
    config: ConfigDir = Path("config"),
    output: OutputFormat = Format.TABLE,
) -> None:
    """Say what the monitor works with, what it may see now, what the last sweep could not see, and what to grant.

    It asks each provider a few questions, changes nothing, and shows no secret. Exits with 3 if anything is missing.

    Example: monitor doctor --needs
    """
    from monitor.cli.clock import now

    loaded = configuration(config)
    found = examined(loaded, config, now, needs=needs, offline=offline)
    if output is Format.JSON:
        print_json(found)
    else:
        _tell(found, offline=offline)
    bad = any(one["state"] != "good" for one in (*found["parts"], *found["asked"]))
    raise typer.Exit(exits.verdict(findings=False, incomplete=bad or bool(found["unseen"])))


def examined(
    loaded: Config, folder: Path, clock: Callable[[], datetime], *, needs: bool, offline: bool
) -> dict[str, Any]:
    """Return the report as the stable JSON that docs/output.md describes."""
    from monitor.cli import doctor_live, doctor_parts, doctor_slack
    from monitor.sweep import registry

    swept, coverage = _last(loaded)
    unseen = [
        {"scope": one.scope, "source": one.source, "status": one.status, "reason": one.reason, "grant": one.grant}
        for one in coverage
        if one.status.value != "complete"
    ]
    found: dict[str, Any] = {
        "parts": [
            doctor_parts.placeholders(folder),
            doctor_parts.catalogue(clock().date()),
            *doctor_parts.database(loaded),
            doctor_parts.evidence(loaded),
            *doctor_parts.sources(loaded),
            *doctor_slack.looked(loaded, offline=offline),
        ],
        "asked": [] if offline else doctor_live.looked(loaded, clock),
        "last_sweep": swept,
        "scopes": len(coverage),
        "unseen": unseen,
    }
    if needs:
        found["needs"] = {check.id: check.needs for check in registry.discover()}
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
    "good": "[green]good[/]   ",
    "old": "[yellow]old[/]    ",
    "unknown": "[magenta]unknown[/]",
    "bad": "[bold red]bad[/]    ",
}


def _tell(found: dict[str, Any], *, offline: bool) -> None:
    for one in found["parts"]:
        say(f"{_LOOKS[one['state']]}  {safe(one['part'])}: {safe(one['told'], 400)}")
        if one["next"]:
            say(f"         [dim]next: {safe(one['next'], 300)}[/]")
    _tell_asked(found["asked"])
    say()
    _tell_last(found)
    for check, what in found.get("needs", {}).items():
        say()
        say(f"[bold]{check}[/] is blind without:")
        for need in what:
            say(f"  {safe(need, 300)}")
    if offline:
        say("\nNobody was asked (--offline): what may be seen now is not known.")
    say("\nWhat to grant is in the configuration's access/README.md.")


def _tell_asked(asked: list[dict[str, Any]]) -> None:
    """Print what is held in one line a source, and each thing that lacks with what to grant and what is blind without it."""
    for name in dict.fromkeys(one["part"] for one in asked):
        mine = [one for one in asked if one["part"] == name]
        held = [one["asked"] + (f" ({one['told']})" if one["told"] else "") for one in mine if one["state"] == "good"]
        if held:
            say(f"{_LOOKS['good']}  {safe(name)}: {safe(', '.join(held), 1000)}")
        for one in mine:
            if one["state"] == "good":
                continue
            say(f"{_LOOKS[one['state']]}  {safe(name)}: {safe(one['asked'])}: {safe(one['told'], 300)}")
            if one["grant"]:
                say(f"         [dim]grant: {safe(one['grant'], 300)}[/]")
            if one["next"] and one["next"] != f"grant {one['grant']}":
                say(f"         [dim]next: {safe(one['next'], 300)}[/]")
            if one["blind"]:
                say(f"         [dim]blind without it: {safe(', '.join(one['blind']), 300)}[/]")


def _tell_last(found: dict[str, Any]) -> None:
    last = found["last_sweep"]
    if last is None:
        say("Nothing was swept yet: what could not be seen is told after the first sweep.")
        return
    unseen = found["unseen"]
    say(
        f"[bold]The last sweep[/] ({moment(last['at'])}) read {found['scopes']} scopes, {len(unseen)} of them not whole."
    )
    for one in unseen:
        say(
            f"  {coloured(one['status'].value)}  {safe(one['scope'])} · {safe(one['source'])}: {safe(one['reason'], 300)}"
        )
        if one["grant"]:
            say(f"      [dim]grant: {safe(one['grant'], 300)}[/]")
