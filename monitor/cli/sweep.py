"""`monitor sweep`: run a sweep now, and tell in ten seconds what came of it."""

from __future__ import annotations

import os
import re
import secrets
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from monitor.cli import clock, exits
from monitor.cli.options import ConfigDir, OutputFormat, configuration
from monitor.cli.show import Format, clean, coloured, console, moment, number, print_json, safe, say

if TYPE_CHECKING:
    from monitor.evidence.keys import SigningKey
    from monitor.model import Result, ScopeCoverage
    from monitor.settings import Config
    from monitor.sources.ports import Progress
    from monitor.sweep.run import Swept


def sweep(
    config: ConfigDir = Path("config"),
    since: Annotated[
        datetime | None, typer.Option(help="Begin here instead of where the last sweep ended (UTC).")
    ] = None,
    until: Annotated[datetime | None, typer.Option(help="End here instead of now (UTC).")] = None,
    check: Annotated[
        list[str] | None,
        typer.Option("--check", help="Show this check only; may be given again. All are run and sealed."),
    ] = None,
    replay: Annotated[
        Path | None,
        typer.Option(help="Judge captured material here (logs/ and api/) instead of the sources; as with --dry-run."),
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Judge, but seal and record nothing.")] = False,
    output: OutputFormat = Format.TABLE,
) -> None:
    """Run a sweep now: read what is new, judge it, seal the evidence, record the findings.

    Example: monitor sweep --until 2026-04-01
    """
    import msgspec

    from monitor.cli import compose
    from monitor.cli.telling import deliver
    from monitor.errors import ConfigError
    from monitor.sweep import registry
    from monitor.sweep.after import counts
    from monitor.sweep.run import Plan, run

    now = clock.now().replace(microsecond=0)
    since, until = _utc(since), _utc(until)
    if since and until and since >= until:
        raise ConfigError(f"--since {since.isoformat()} is not before --until {until.isoformat()}", todo="swap them")
    loaded = configuration(config)
    plan = Plan(
        id=f"{now:%Y%m%dT%H%M%SZ}-{secrets.token_hex(3)}",
        planned_for=now,
        at=now,
        since=since,
        until=until,
        # Captured material is not what the sources say today: it must not move their marks.
        dry_run=dry_run or replay is not None,
    )
    available = registry.discover()
    shown = {one.id for one in registry.chosen(available, check or ())}
    with compose.ports(loaded, available, replay, dry_run=plan.dry_run) as (ports, key), progress_bar() as progress:
        first = not ports.store.recorded_sweeps()
        swept = run(plan, ports, progress)
        if not plan.dry_run:
            deliver(loaded, ports.store)
        still_open = sum(1 for found in ports.store.open_findings() if not found.waiver)
    # What was read is read once, so every check must judge it now; which of them are shown is another matter.
    swept = msgspec.structs.replace(swept, results=tuple(r for r in swept.results if r.check in shown))
    if output is Format.JSON:
        print_json(report(swept, loaded, key))
    else:
        also = "" if config == Path("config") else f" --config {config}"
        _tell(swept, loaded, key, also, first=first, still_open=still_open)
    counted = counts(swept.results)
    incomplete = not swept.complete or counted.unknown > 0
    raise typer.Exit(exits.verdict(findings=counted.failing > 0, incomplete=incomplete))


def _utc(when: datetime | None) -> datetime | None:
    return when.replace(tzinfo=UTC) if when and when.tzinfo is None else when


@contextmanager
def progress_bar() -> Iterator[Progress]:
    """Yield what sources tell their progress to: a bar on a terminal, nothing elsewhere. It is on standard error."""
    if not sys.stderr.isatty():
        yield lambda step, done, total: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    with Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=Console(stderr=True),
        transient=True,
    ) as bar:
        tasks: dict[str, Any] = {}

        def tell(step: str, done: int, total: int) -> None:
            if step not in tasks:
                tasks[step] = bar.add_task(step, total=total or None)
            bar.update(tasks[step], completed=done, total=total or None)

        yield tell


def report(swept: Swept, config: Config, key: SigningKey) -> dict[str, Any]:
    """Return a sweep's outcome as the stable JSON that docs/output.md describes."""
    sweep = swept.sweep
    return {
        "sweep": sweep.id,
        "organisation": config.settings.organisation,
        "window": sweep.window,
        "complete": swept.complete,
        "outcomes": dict(sorted(Counter(r.outcome.value for r in swept.results).items())),
        "coverage": sweep.coverage,
        "findings": swept.findings,
        "recovered": swept.recovered,
        "notes": swept.record.notes,
        "results": [r for r in swept.results if r.outcome not in ("pass", "not-applicable")],
        "evidence": {
            "folder": str(config.settings.evidence.folder),
            "sealing": swept.sealing,
            "vkey": key.vkey,
        },
    }


def _tell(swept: Swept, config: Config, key: SigningKey, also: str, *, first: bool, still_open: int) -> None:
    from monitor.store.reconcile import finding_id
    from monitor.sweep import after
    from monitor.sweep.run import problems, worst

    sweep = swept.sweep
    logs = [c for c in sweep.coverage if c.source.endswith("logs")]
    counts: Counter[str] = Counter()
    for coverage in logs:
        counts.update(coverage.counts)
    production = config.expected.sections.production
    names = [production.name_of(*scope.split(":")[:2]) for scope in production.accounts()]
    watched = [production.name_of(*scope.split(":")[:2]) for scope in production.watched_accounts()]
    gaps = problems(sweep.coverage)
    outcomes = Counter(r.outcome.value for r in swept.results)
    window = f"{moment(sweep.window.start)} to {moment(sweep.window.end)}"
    say(f"[bold]{safe(config.settings.organisation)}[/] · sweep {sweep.id} · {window}")
    if swept.recovered:
        say(f"Recovered   {len(swept.recovered)} sealed sweep(s) that a crash had kept out of the database")
    besides = f", and for credentials and log settings {', '.join(map(safe, watched))}" if watched else ""
    projects = {c.scope for c in logs if c.scope.startswith("gcp:")}
    lead = "Watched     "
    if names:
        regions = len(logs) - len(projects)
        say(f"{lead}production {', '.join(map(safe, names))}{besides}: {regions} accounts × regions")
        lead = " " * len(lead)
    if projects:
        told = ", ".join(safe(production.name_of(*scope.split(":")[:2])) for scope in sorted(projects))
        say(f"{lead}{told}: {len(projects)} project{'s' if len(projects) > 1 else ''}")
        lead = " " * len(lead)
    for organisation in production.github.organizations if production.github else ():
        forge = next(
            (c for c in sweep.coverage if c.scope == f"github:{organisation}" and "repositories" in c.counts), None
        )
        seen = number(forge.counts["repositories"]) if forge else "no"
        say(f"{lead}GitHub {safe(organisation)}: {seen} repositories")
        lead = " " * len(lead)
    people = [c for c in sweep.coverage if "identities" in c.counts]
    if people:
        found = number(sum(c.counts["identities"] for c in people))
        say(f"            identities: {found} in {len(people)} accounts and projects")
    undeclared = swept.record.notes.get("undeclared_accounts", ())
    if undeclared:
        numbers = ", ".join(map(safe, undeclared[:8])) + " …" * (len(undeclared) > 8)
        say(f"            not declared, and not read: account {numbers}")
    say(
        f"Covered     {number(counts['events'])} events in {number(counts['objects'])} new log objects; "
        f"{len(sweep.coverage) - len(gaps)} of {len(sweep.coverage)} reads are whole"
    )
    _gaps(gaps)
    judged = " · ".join(f"{number(n)} {coloured(name)}" for name, n in sorted(outcomes.items()))
    say(f"Judged      {number(counts['writes'])} writes; {number(len(swept.results))} results: {judged or 'none'}")
    bad = worst(r for r in swept.results if not r.waiver)
    _findings(bad, swept, finding_id, production.name_of, still_open)
    if accepted := after.counts(swept.results).waived:
        say(f"Waived      {accepted} more, accepted under a waiver: monitor findings list --waived{safe(also)}")
    if swept.sealing:
        say(
            f"Evidence    {safe(config.settings.evidence.folder)}: log of {number(swept.sealing.log_size)} entries, "
            f"root {swept.sealing.root[:16]}…"
        )
        if first:
            say("            signed with a new key; hand its public half to your auditor, by another way than the log:")
            say(f"            {safe(key.vkey)}")
    else:
        say("Evidence    none: a dry run seals and records nothing")
    if key.warning:
        say(f"            [yellow]{safe(key.warning, 300)}[/]")
    story = f"findings show {finding_id(bad[0].check, bad[0].subject)}" if bad and swept.sealing else "findings list"
    say(
        "Next        " + " · ".join(f"monitor {c}{safe(also)}" for c in (story, "evidence coverage", "evidence verify"))
    )


def _gaps(gaps: list[ScopeCoverage]) -> None:
    """Print what could not be read, and what to grant: one line for all scopes that lack the same for the same reason."""
    alike: dict[tuple[str, str, str, str], list[str]] = {}
    for gap in gaps:
        alike.setdefault((gap.status.value, gap.source, gap.reason, gap.grant), []).append(gap.scope)
    for (status, source, reason, grant), scopes in list(alike.items())[:10]:
        where = safe(scopes[0]) + (f" and {len(scopes) - 1} more" if len(scopes) > 1 else "")
        say(f"            {coloured(status)} {where} {safe(source)}: {safe(reason, 200)}")
        if grant:
            say(f"                    grant or mend: {safe(grant, 200)}")
    if len(alike) > 10:
        say(f"            and {len(alike) - 10} more: monitor evidence coverage")


def _findings(
    bad: list[Result],
    swept: Swept,
    finding_id: Callable[[str, str], str],
    names: Callable[[str, str], str],
    still_open: int,
) -> None:
    if not bad:
        say("Found       nothing that needs a person")
        return
    opened = len(swept.findings.opened) if swept.findings else 0
    resolved = len(swept.findings.resolved) if swept.findings else 0
    change = f", {opened} new, {resolved} resolved; {still_open} open in all" if swept.findings else ""
    say(f"Found       {len(bad)} that need a person{change}")
    shown = bad[: _shown()]
    for r in shown:
        urgency = r.severity.value if r.outcome == "fail" else r.outcome.value
        print_finding(finding_id(r.check, r.subject), urgency, name_of(r.scope, names), r.actor, r.reason)
    if len(bad) > len(shown):
        say(f"and {len(bad) - len(shown)} more: monitor findings")


def _shown() -> int:
    return max(6, min(12, (int(console().height) - 16) // 2))


def name_of(scope: str, names: Callable[[str, str], str]) -> str:
    """Return what people call the account of a scope, with its region where the scope has one."""
    provider, _, rest = scope.partition(":")
    account, _, region = rest.partition(":")
    return f"{names(provider, account)} {region}".strip() if account else scope


def print_finding(identity: str, urgency: str, where: str, actor: str, reason: str) -> None:
    """Print a finding in two lines: what it is, how urgent, where and who; and what happened."""
    width = max(60, int(console().width)) if console().is_terminal or "COLUMNS" in os.environ else 240
    who = clean(short_actor(actor), width - 44)
    say(f"  {identity}  {coloured(urgency)}{' ' * (9 - len(urgency))} {safe(where, 44)}  [bold]{safe(who)}[/]")
    say(f"                {safe(reason, width - 17)}")


def short_actor(name: str) -> str:
    """Return the part of an actor's name that tells people apart: user, or session and role."""
    tail = clean(name, 500).split(":")[-1]
    kind, _, rest = tail.partition("/")
    if kind != "assumed-role":
        return rest if kind in ("user", "role", "federated-user") else tail
    role, _, session = rest.partition("/")
    single_sign_on = re.fullmatch(r"AWSReservedSSO_(.+)_[0-9a-f]{16}", role)
    return f"{session} as {single_sign_on[1] if single_sign_on else role}"
