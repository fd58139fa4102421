"""`monitor waivers`: which exceptions there are, what each covers now, and whether their file is right."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from monitor.cli.options import ConfigDir, OutputFormat, configuration, known_checks
from monitor.cli.show import Format, clean, complain, print_json, safe, say, table

if TYPE_CHECKING:
    from datetime import datetime

    from monitor.expected.waivers import Waiver
    from monitor.settings import Config
    from monitor.store.views import Finding

app = typer.Typer(help="Waivers: approved exceptions, and what they cover.", no_args_is_help=True)


@app.command("list")
def show_list(config: ConfigDir = Path("config"), output: OutputFormat = Format.TABLE) -> None:
    """List the waivers: until when each counts, and which open findings it covers now.

    Example: monitor waivers list --format json
    """
    from monitor.cli.clock import now

    loaded = configuration(config)
    at = now().replace(microsecond=0)
    opened, recorded = _open_findings(loaded)
    warning = loaded.settings.findings.waiver_warning_days
    told = [_told(one, opened, at, warning) for one in loaded.waivers]
    if output is Format.JSON:
        print_json(told)
    elif not told:
        say("No waivers. docs/waivers.md tells how one is asked for.")
    else:
        table(
            ["id", "state", "until", "days left", "covers", "reach"],
            [
                [
                    safe(one["id"], 64),
                    one["state"],
                    clean(one["until"][:16].replace("T", " ") + "Z"),
                    str(one["days_left"]),
                    str(len(one["covers"])),
                    safe(f"{', '.join(one['checks'])} on {one['kind']} {', '.join(one['patterns'])}", 400),
                ]
                for one in told
            ],
            flexible=["reach"],
        )
        for one in told:
            if one["covers"]:
                say(f"{safe(one['id'], 64)} covers {', '.join(one['covers'][:12])}" + " …" * (len(one["covers"]) > 12))
        say("What is waived: monitor findings list --waived")
    if not recorded:
        complain("no sweep was ever recorded here, so it is not known what they cover: run `monitor sweep`")


@app.command()
def check(config: ConfigDir = Path("config"), output: OutputFormat = Format.TABLE) -> None:
    """Check config/waivers.yaml alone; every mistake is told with its line and what would be right. Exits with 2 then.

    Example: monitor waivers check --config config
    """
    import os

    from monitor.cli.clock import now
    from monitor.errors import ConfigError
    from monitor.expected.waivers import FILE, load_waivers
    from monitor.settings import load_settings

    if not (config / FILE).exists():
        raise ConfigError(
            f"there is no {FILE} in {config}", todo="write it as docs/waivers.md shows; without it none count"
        )
    days = load_settings(config, os.environ).findings.waiver_max_days
    waivers = load_waivers(config, days, known_checks())
    at = now()
    counts = {
        "waivers": len(waivers.all),
        "in_force": sum(one.in_force(at) for one in waivers),
        "expired": sum(one.until <= at for one in waivers),
        "max_days": days,
    }
    if output is Format.JSON:
        print_json({"sha256": waivers.sha256, **counts})
        return
    say(
        f"The waivers in {safe(config / FILE)} are right: {counts['waivers']}, of which {counts['in_force']} in force and "
        f"{counts['expired']} expired; each may last {days} days."
    )


def state_of(waiver: Waiver, at: datetime, warning_days: int) -> str:
    """Return where a waiver stands at a moment (UTC) in one word: future, in-force, expiring or expired."""
    from datetime import timedelta

    if at < waiver.from_:
        return "future"
    if waiver.until <= at:
        return "expired"
    return "expiring" if waiver.until <= at + timedelta(days=warning_days) else "in-force"


def _told(one: Waiver, opened: list[Finding], at: datetime, warning_days: int) -> dict[str, Any]:
    from datetime import timedelta

    from monitor.sweep.standing import as_result

    # What the last sweep put under it, and what it will cover from the next one on.
    covers = [
        found.id for found in opened if found.waiver == one.id or (one.in_force(at) and one.reaches(as_result(found)))
    ]
    return {
        "id": one.id,
        "state": state_of(one, at, warning_days),
        "checks": list(one.checks),
        "kind": one.kind,
        "patterns": list(one.patterns),
        "severity_at_most": one.severity_at_most,
        "reason": one.reason,
        "ticket": one.ticket,
        "requester": one.requester,
        "approver": one.approver,
        "from": one.from_.isoformat(),
        "until": one.until.isoformat(),
        "days_left": (one.until - at) // timedelta(days=1),
        "covers": sorted(covers),
    }


def _open_findings(loaded: Config) -> tuple[list[Finding], bool]:
    """Return the open findings, and whether any sweep is recorded."""
    from monitor.errors import LedgerError
    from monitor.store.migrate import state
    from monitor.store.store import Store

    url = loaded.settings.database
    try:
        with Store.open(url) as store:
            return store.open_findings(), bool(store.recorded_sweeps())
    except LedgerError:
        if not url.startswith("sqlite:") or state(url)[0] is not None:
            raise
        return [], False
