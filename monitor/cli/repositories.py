"""`monitor repositories`: what sweeps know of repositories; the history of a branch's protection, drawn."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from monitor.cli import exits
from monitor.cli.options import ConfigDir, OutputFormat, configuration
from monitor.cli.show import Format, console, moment, print_json, safe, say, table

if TYPE_CHECKING:
    from monitor.facts.lapse import Lapse
    from monitor.facts.repository import Repository
    from monitor.settings import Config
    from monitor.store.store import Store

app = typer.Typer(
    help="Repositories: those that sweeps have seen, and the history of their protection.", no_args_is_help=True
)


@app.command("list")
def show_list(config: ConfigDir = Path("config"), output: OutputFormat = Format.TABLE) -> None:
    """List the repositories that sweeps have seen, as they were when they last changed.

    Example: monitor repositories list
    """
    from monitor.store.store import Store

    loaded = configuration(config)
    with Store.open(loaded.settings.database) as store:
        found = sorted(_states(store), key=lambda one: one.name)
    if output is Format.JSON:
        print_json(
            [
                {
                    "id": one.id,
                    "name": one.name,
                    "default_branch": one.default_branch,
                    "archived": one.archived,
                    "rules": one.rules,
                }
                for one in found
            ]
        )
        return
    if not found:
        say("No repositories: no sweep has read any yet. Run `monitor sweep`.")
        raise typer.Exit(exits.INCOMPLETE)
    rows = [
        [
            safe(one.name),
            safe(one.default_branch),
            ", ".join(safe(rule.name) for rule in one.rules) if isinstance(one.rules, tuple) else "unknown",
            "archived" if one.archived else one.visibility,
        ]
        for one in found
    ]
    table(["repository", "default", "rules", ""], rows, flexible=["rules"])


@app.command("timeline")
def timeline(
    repository: Annotated[str, typer.Argument(metavar="REPO", help="ORGANISATION/NAME, or the name alone.")],
    branch: Annotated[str | None, typer.Option(help="Another branch than the default one.")] = None,
    config: ConfigDir = Path("config"),
    output: OutputFormat = Format.TABLE,
) -> None:
    """Draw when the protection of a branch was on, weaker or off, who changed it, and what landed meanwhile.

    Example: monitor repositories timeline example-org/payments-api
    """
    from monitor.errors import ConfigError
    from monitor.expected.demands import demanded
    from monitor.expected.models import branch_expectation
    from monitor.facts.lapse import lapses
    from monitor.store.store import Store

    loaded = configuration(config)
    with Store.open(loaded.settings.database) as store:
        found = _named(store, repository)
        name = branch or found.default_branch
        wanted = branch_expectation(loaded.expected.sections.repositories, found.name, name, found.default_branch)
        if wanted is None:
            raise ConfigError(
                f"no expectation speaks of branch {name!r} of {found.name}",
                todo="declare it in `repositories` of expected state, or name another with --branch",
            )
        changes, bypasses, updates = _events(store, found)
        windows = lapses(found, name, changes, demanded(found, name, wanted))
        start, end = _covered(loaded, store, found)
    marks = _marks(found, name, windows, changes, bypasses, updates)
    if output is Format.JSON:
        rows = [{"at": at, "what": what, "why": why} for at, what, why in marks]
        spans = [{"from": one.start, "to": one.end, "weakened": one.aspects, "unclear": one.unclear} for one in windows]
        print_json(
            {"repository": found.name, "branch": name, "from": start, "to": end, "lapses": spans, "events": rows}
        )
        return
    say(f"[bold]{safe(name)}[/] of {safe(found.name)}, {moment(start)} to {moment(end)}")
    width = max(20, min(100, int(console().width) - 2))
    say(f"[bold]{_bar(windows, start, end, width)}[/]")
    say(
        "█ on   ▒ may have been weaker   ░ weaker or off   "
        + ("no lapse is known" if not windows else f"{len(windows)} lapses")
    )
    for at, what, why in marks:
        say(f"{at:%Y-%m-%d %H:%M}  {what:10} {safe(why, max(40, int(console().width) - 30))}")
    raise typer.Exit(exits.verdict(findings=bool(windows), incomplete=False))


def _states(store: Store) -> list[Repository]:
    import msgspec

    from monitor.facts.repository import Repository

    return [msgspec.json.decode(kept.body, type=Repository) for kept in store.latest("github.repository").values()]


def _named(store: Store, name: str) -> Repository:
    from monitor.errors import ConfigError
    from monitor.expected.mistakes import did_you_mean

    states = _states(store)
    found = [one for one in states if name.lower() in (one.name.lower(), one.name.lower().partition("/")[2])]
    if len(found) != 1:
        near = did_you_mean(name, [one.name for one in states])
        what = (
            f"several repositories are called {name!r}" if found else f"no sweep has seen a repository {name!r}{near}"
        )
        raise ConfigError(what, todo="write ORGANISATION/NAME; list them with: monitor repositories list")
    return found[0]


def _events(store: Store, repository: Repository) -> tuple[list[Any], list[Any], list[Any]]:
    import msgspec

    from monitor.facts.protection import BranchUpdate, ProtectionBypass, ProtectionChange

    def read(kind: str, fact: type[Any], *subjects: str) -> list[Any]:
        kept = [one for subject in subjects for one in store.remembered(kind, subject)]
        return [msgspec.json.decode(one.body, type=fact) for one in kept]

    mine, whole = repository.subject(), f"github:organisation:{repository.organisation}"
    return (
        read("github.change", ProtectionChange, mine, whole),
        read("github.bypass", ProtectionBypass, mine),
        read("github.update", BranchUpdate, mine),
    )


def _covered(config: Config, store: Store, repository: Repository) -> tuple[datetime, datetime]:
    """Return from when to when sweeps have looked at the history of this repository's organisation."""
    marks = [until for name, until in store.marks().items() if name.endswith(f"|github:{repository.organisation}")]
    start = config.settings.github.start if config.settings.github else repository.at
    return start, max([*marks, repository.at, start])


def _marks(
    repository: Repository,
    branch: str,
    windows: Sequence[Lapse],
    changes: Sequence[Any],
    bypasses: Sequence[Any],
    updates: Sequence[Any],
) -> list[tuple[datetime, str, str]]:
    """Return what is to be told, in the order of time: lapses with what landed inside, bypasses, and stricter edits."""
    from monitor.facts.lapse_words import told, who

    found: dict[tuple[datetime, str], tuple[datetime, str, str]] = {}
    for one in windows:
        off = "maybe weaker" if one.unclear else "off" if "*" in one.aspects else "weaker"
        found[(one.start, one.opened.id)] = (
            one.start,
            off,
            f"{one.opened.action} by {who(one.opened.actor)}: {', '.join(one.aspects)}",
        )
        if one.end:
            last = one.edits[-1] if one.edits[-1] is not one.opened else None
            why = f"{last.action} by {who(last.actor)}" if last else "seen to be on again"
            found[(one.end, f"{one.opened.id}~")] = (one.end, "on", why)
        for update in updates:
            if update.branch == branch and one.start <= update.at and (one.end is None or update.at < one.end):
                found[(update.at, update.id)] = (update.at, "landed", told(update))
    for passed in bypasses:
        if passed.branch == branch:
            found[(passed.at, passed.id)] = (
                passed.at,
                "passed by",
                f"{who(passed.actor)}: {', '.join(passed.demands) or 'rules'}",
            )
    told_of = {edit.id for one in windows for edit in one.edits}
    for change in changes:
        if change.id not in told_of:
            edits = ", ".join(f"{edit.demand} {edit.direction}" for edit in change.changes)
            found[(change.at, change.id)] = (change.at, "edited", f"{change.action} by {who(change.actor)}: {edits}")
    return [found[key] for key in sorted(found)]


def _bar(windows: Sequence[Lapse], start: datetime, end: datetime, width: int) -> str:
    """Return the time between as a row of cells; a cell in which protection was off for a moment shows it."""
    step = (end - start) / width
    if not step:
        return "█" * width
    cells = []
    for n in range(width):
        low, high = start + n * step, start + (n + 1) * step
        here = [one for one in windows if one.start < high and (one.end is None or one.end > low)]
        cells.append("█" if not here else "▒" if all(one.unclear for one in here) else "░")
    return "".join(cells)
