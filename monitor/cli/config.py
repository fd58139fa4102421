"""`monitor config`: is the configuration right, and what may it hold."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from monitor.cli.options import ConfigDir, OutputFormat, configuration
from monitor.cli.show import Format, complain, print_json, safe, say

_EXAMPLE = "Example Organisation"
app = typer.Typer(help="Settings and expected state.", no_args_is_help=True)


@app.command()
def check(config: ConfigDir = Path("config"), output: OutputFormat = Format.TABLE) -> None:
    """Check settings and expected state as a whole; every mistake is told with file, line and what would be right.

    Example: monitor config check --config config
    """
    from monitor.sweep import registry

    loaded = configuration(config)
    sections = loaded.expected.sections
    if loaded.settings.evidence.origin.startswith("evidence.example.com/") and loaded.settings.organisation != _EXAMPLE:
        complain(
            "warning: evidence.origin is still the example's; it is part of every signature for ever: name a host of yours"
        )
    for one in registry.discover():
        loaded.expected.build(one.expects)
    counts = {
        "production accounts": len(sections.production.accounts()),
        "watched accounts": len(sections.production.watched_accounts()),
        "deploy identities": len(sections.deploy_identities),
        "trusted services": len(sections.trusted_services),
        "break-glass identities": len(sections.break_glass),
        "emergency changes": len(sections.emergency_changes),
        "standard changes": len(sections.standard_changes),
        "waivers": len(loaded.waivers.all),
    }
    if output is Format.JSON:
        print_json({"sha256": loaded.sha256, "counts": counts, "warnings": loaded.warnings})
        return
    say(
        f"The configuration in {safe(config)} is right: " + ", ".join(f"{n} {name}" for name, n in counts.items()) + "."
    )
    say(f"sha256 {loaded.sha256}")


@app.command()
def schema(
    name: Annotated[
        str | None, typer.Argument(help="expected, settings, controls or waivers; all if not given.")
    ] = None,
    config: ConfigDir = Path("config"),
) -> None:
    """Print the JSON Schema of the YAML files, with which an editor completes and checks them.

    Example: monitor config schema expected > config/schema/expected.json
    """
    from monitor.errors import ConfigError
    from monitor.expected.schema import written
    from monitor.settings import schemas

    known = schemas()
    if name is not None and name not in known:
        raise ConfigError(f"no schema is called {name!r}", todo=f"choose from: {', '.join(sorted(known))}")
    if name is None:
        print_json(known)
    else:
        # The very bytes of the file: what it says is our own text, nothing of it comes from outside.
        typer.echo(written(known[name]), nl=False)
