"""The `monitor` command: its groups, and what becomes of errors. Exit codes are in `monitor.cli.exits`."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from monitor import __version__
from monitor.cli import (
    adopt,
    alerts,
    changes,
    checks,
    config,
    db,
    doctor,
    evaluate,
    evidence,
    exits,
    findings,
    identities,
    init,
    prune,
    repositories,
    schedule,
    sweep,
    waivers,
)
from monitor.errors import MonitorError

app = typer.Typer(
    name="monitor",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Control monitor: is every production change traced to an approved change, and every control known to be on?\n\n"
    "Exit codes: 0 clean, 1 findings, 2 usage or configuration, 3 coverage incomplete, 4 evidence or ledger failure.",
)


def _version(asked: bool) -> None:
    if asked:
        typer.echo(__version__)
        raise typer.Exit


@app.callback()
def root(
    version: Annotated[
        bool, typer.Option("--version", help="Print the version.", is_eager=True, callback=_version)
    ] = False,
) -> None:
    """Hold what belongs to no command."""


app.command("init")(init.init)
app.command("sweep")(sweep.sweep)
app.command("evaluate")(evaluate.evaluate)
app.command("adopt")(adopt.adopt)
app.command("prune")(prune.prune)
app.command("doctor")(doctor.doctor)
app.command("checks")(checks.checks)
app.add_typer(schedule.app, name="schedule")
app.add_typer(alerts.app, name="alerts")
app.add_typer(changes.app, name="changes")
app.add_typer(findings.app, name="findings")
app.add_typer(waivers.app, name="waivers")
app.add_typer(repositories.app, name="repositories")
app.add_typer(identities.app, name="identities")
app.add_typer(evidence.app, name="evidence")
app.add_typer(config.app, name="config")
app.add_typer(db.app, name="db")


def main() -> None:
    """Run the command; an error that a person can mend is told in words, without a traceback."""
    try:
        app()
    except MonitorError as error:
        from monitor.cli.show import complain

        complain(error.diagnostics())
        sys.exit(exits.code_of(error))
    except OSError as refused:
        if isinstance(refused, BrokenPipeError):
            sys.stderr.close()
            sys.exit(exits.CLEAN)
        from monitor.cli.show import complain

        complain(
            f"{refused}\n  next: mend what the system says (disk, permissions), then run it again: nothing is half done"
        )
        sys.exit(exits.EVIDENCE)
    except KeyboardInterrupt:
        sys.stderr.write("interrupted: what was sealed stands, a sweep that was under way is on record as unfinished\n")
        sys.exit(130)
