"""`monitor checks`: which checks there are, and one in full."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from monitor.cli.options import ConfigDir, OutputFormat
from monitor.cli.show import Format, coloured, print_json, safe, say, table


def checks(
    check: Annotated[str | None, typer.Argument(metavar="[ID]", help="One check in full.")] = None,
    config: ConfigDir = Path("config"),
    output: OutputFormat = Format.TABLE,
) -> None:
    """List the checks, their controls, the facts they judge, and what they need to see; or show one in full.

    Example: monitor checks direct-production-change
    """
    from monitor.expected.controls import load_controls
    from monitor.sweep import registry

    found = registry.chosen(registry.discover(), [check] if check else [])
    if output is Format.JSON:
        print_json(
            [
                {
                    "id": c.id,
                    "title": c.title,
                    "severity": c.severity,
                    "controls": c.controls,
                    "facts": [fact.__name__ for fact in c.facts],
                    "expects": list(c.expects.model_fields),
                    "needs": c.needs,
                    "remedy": c.remedy,
                    "statement": registry.control_statement(c),
                }
                for c in found
            ]
        )
        return
    if check:
        (one,) = found
        say(f"[bold]{one.id}[/] · {safe(one.title)} · {coloured(one.severity.value)}")
        say()
        for line in registry.control_statement(one).split("\n"):
            say(safe(line, 500))
        say()
        known = load_controls(config) if (config / "controls.yaml").exists() else None
        for name in one.controls:
            control = known.get(name) if known else None
            say(f"Control   {name}" + (f" · {safe(control.title)}: {safe(control.text, 500)}" if control else ""))
            for framework, clauses in control.references.model_dump().items() if control else ():
                if clauses:
                    say(f"          {framework}: {safe('; '.join(clauses), 500)}")
        say(f"Facts     {', '.join(fact.__name__ for fact in one.facts)}")
        say(f"Expects   {', '.join(one.expects.model_fields)} (sections of expected state)")
        for need in one.needs:
            say(f"Needs     {safe(need, 500)}")
        say(f"Remedy    {safe(one.remedy, 500)}")
        return
    table(
        ["check", "severity", "controls", "title"],
        [[c.id, coloured(c.severity.value), ", ".join(c.controls), safe(c.title)] for c in found],
        flexible=["title"],
    )
    say("One in full: monitor checks ID")
