"""`monitor identities`: what sweeps know of identities; what one can do, and who can become it."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from textwrap import wrap
from typing import TYPE_CHECKING, Annotated, Any

import typer

from monitor.cli import exits
from monitor.cli.options import ConfigDir, OutputFormat, configuration
from monitor.cli.show import Format, clean, coloured, console, moment, print_json, safe, say, table

if TYPE_CHECKING:
    from monitor.cli.identity_graph import Picture
    from monitor.expected.models import DeployIdentity
    from monitor.facts.access import Access
    from monitor.model import Result
    from monitor.settings import Config

app = typer.Typer(
    help="Identities: those that sweeps have seen, what they can do, and who can become them.", no_args_is_help=True
)
_CHECKS = ("deploy-trust", "deploy-privilege", "deploy-credentials")
_ORDER = ("fail", "error", "unknown", "pass", "not-applicable")
_MARKS = {"fail": "[bold red]✗[/]", "unknown": "[magenta]?[/]", "pass": "[green]✓[/]", "plain": "·"}
_STYLES = {"fail": "red", "unknown": "magenta", "pass": "green", "plain": "dim"}


@app.command("list")
def show_list(
    every: Annotated[bool, typer.Option("--all", help="Also those that no pipeline uses.")] = False,
    config: ConfigDir = Path("config"),
    output: OutputFormat = Format.TABLE,
) -> None:
    """List the deploy identities that sweeps have seen, with what today's expected state says of them.

    Example: monitor identities list --all
    """
    loaded = configuration(config)
    found = _judged(loaded)
    rows = [(access, results) for access, results in found if every or _is_deploy(loaded, access)]
    rows.sort(key=lambda row: (row[0].identity.scope, row[0].identity.short.lower(), row[0].identity.id))
    if output is Format.JSON:
        print_json([_plain(access, results) for access, results in rows])
        raise typer.Exit(_verdict(rows))
    if not found:
        say("No identities: no sweep has read any yet. Run `monitor sweep`.")
        raise typer.Exit(exits.INCOMPLETE)
    production = loaded.expected.sections.production
    table(
        ["identity", "account", "trust", "privilege", "credentials"],
        [
            [
                safe(access.identity.short.partition("@")[0]) + (" (user)" if access.identity.kind == "user" else ""),
                safe(production.name_of(access.identity.provider, access.identity.account)),
                *(coloured(_outcome(results, check)).replace("not-applicable", "-") for check in _CHECKS),
            ]
            for access, results in rows
        ],
        flexible=["identity", "account"],
    )
    hidden = len(found) - len(rows)
    say(f"{len(rows)} identities" + (f"; {hidden} that no pipeline uses with --all" if hidden else ""))
    say("One in full: monitor identities show NAME")
    raise typer.Exit(_verdict(rows))


@app.command("show")
def show(
    identity: Annotated[str, typer.Argument(metavar="ID", help="Its ARN, e-mail, permanent id, or name.")],
    graph: Annotated[
        Path | None, typer.Option(help="Write a picture (SVG) to this file; - is standard output.")
    ] = None,
    config: ConfigDir = Path("config"),
    output: OutputFormat = Format.TABLE,
) -> None:
    """Show what one identity can do in effect, and who can become it, as expected state judges it today.

    Example: monitor identities show payments-deploy --graph payments-deploy.svg
    """
    from monitor.cli.identity_graph import svg
    from monitor.errors import ConfigError

    loaded = configuration(config)
    access, results = _one(_judged(loaded), identity)
    if graph is not None:
        drawn = svg(_picture(loaded, access, results))
        if str(graph) == "-":
            sys.stdout.write(drawn)
            raise typer.Exit(_verdict([(access, results)]))
        try:
            graph.write_text(drawn, encoding="utf-8")
        except OSError as refused:
            raise ConfigError(
                f"cannot write {graph}: {refused.strerror}",
                todo="name a file in a folder that exists, or - to print it",
            ) from None
    if output is Format.JSON:
        print_json(_plain(access, results))
    else:
        _tell(loaded, access, results)
        if graph is not None:
            say(f"The picture is in {safe(graph)}")
    raise typer.Exit(_verdict([(access, results)]))


def _judged(loaded: Config) -> list[tuple[Access, list[Result]]]:
    """Return every identity that sweeps have seen, evaluated and judged as of its last reading."""
    import msgspec

    from monitor.facts.identity import IdentityList
    from monitor.facts.repository import Repository, RepositoryList
    from monitor.iam.analysis import analyse
    from monitor.model import Sweep, Window
    from monitor.sources.catalogue import aws_catalogue
    from monitor.store.store import Store
    from monitor.sweep import registry
    from monitor.sweep.evaluate import run
    from monitor.sweep.identities import remembered

    with Store.open(loaded.settings.database) as store:
        found = remembered(store)
        repositories = [
            msgspec.json.decode(one.body, type=Repository) for one in store.latest("github.repository").values()
        ]
        last = store.sweeps(1)
    if not found:
        return []
    at = last[0].at if last else max(one.at for one in found)
    accesses = analyse(found, {"aws": aws_catalogue()})
    accounts: dict[tuple[str, str], list[str]] = {}
    for one in found:
        accounts.setdefault((one.provider, one.account), []).append(one.id)
    lists: list[Any] = [
        IdentityList(provider=provider, account=account, at=at, ids=tuple(ids))
        for (provider, account), ids in accounts.items()
    ]
    organisations: dict[str, list[int]] = {}
    for repository in repositories:
        organisations.setdefault(repository.organisation, []).append(repository.id)
    lists += [RepositoryList(organisation=name, at=at, ids=tuple(ids)) for name, ids in organisations.items()]
    sweep = Sweep(id="identities", planned_for=at, at=at, window=Window(at, at))
    checks = registry.chosen(registry.discover(), _CHECKS)
    facts = [*accesses, *repositories, *lists]
    by_subject: dict[str, list[Result]] = {}
    for check in checks:
        for result in run(check, facts, loaded.expected, sweep):
            by_subject.setdefault(":".join(result.subject.split(":")[:4]), []).append(result)
    return [(access, by_subject.get(access.identity.subject(), [])) for access in accesses]


def _one(found: Iterable[tuple[Access, list[Result]]], name: str) -> tuple[Access, list[Result]]:
    from monitor.errors import ConfigError
    from monitor.expected.mistakes import did_you_mean

    known = list(found)
    fits = [
        pair
        for pair in known
        if name in (pair[0].identity.name, pair[0].identity.id, pair[0].identity.short, pair[0].identity.subject())
    ]
    if len(fits) == 1:
        return fits[0]
    if fits:
        raise ConfigError(
            f"{len(fits)} identities are called {name!r}",
            todo=f"give one in full: {', '.join(pair[0].identity.name for pair in fits)}",
        )
    near = did_you_mean(name, [pair[0].identity.short for pair in known])
    raise ConfigError(
        f"no sweep has seen an identity {name!r}{near}", todo="list them with: monitor identities list --all"
    )


def _is_deploy(loaded: Config, access: Access) -> bool:
    from monitor.facts.pipeline import concerned

    return bool(_declared(loaded, access)) or concerned(access)


def _declared(loaded: Config, access: Access) -> list[DeployIdentity]:
    return [one for one in loaded.expected.sections.deploy_identities if one.matches((access.identity.name,))]


def _outcome(results: Iterable[Result], check: str) -> str:
    mine = [result.outcome.value for result in results if result.check == check]
    return min(mine, key=_ORDER.index, default="-")


def _verdict(rows: Iterable[tuple[Access, list[Result]]]) -> int:
    seen = {result.outcome.value for _, results in rows for result in results}
    return exits.verdict(findings="fail" in seen, incomplete=bool(seen & {"unknown", "error"}))


def _plain(access: Access, results: Sequence[Result]) -> dict[str, Any]:
    identity = access.identity
    return {
        "id": identity.id,
        "name": identity.name,
        "provider": identity.provider,
        "account": identity.account,
        "kind": identity.kind,
        "read_at": identity.at,
        "outcomes": {check: _outcome(results, check) for check in _CHECKS},
        "results": [
            {
                "check": one.check,
                "subject": one.subject,
                "outcome": one.outcome,
                "severity": one.severity,
                "reason": one.reason,
            }
            for one in results
        ],
        "paths": access.paths,
        "powers": access.powers,
        "assumes": access.assumes,
        "credentials": identity.credentials,
        "uses": identity.uses,
    }


def _tell(loaded: Config, access: Access, results: Sequence[Result]) -> None:
    identity = access.identity
    declared = _declared(loaded, access)
    account = loaded.expected.sections.production.name_of(identity.provider, identity.account)
    named = f"declared as {', '.join(one.id for one in declared)}" if declared else "not declared"
    below(identity.short, "", 0, "bold")
    below(f"{identity.kind} in {account} ({identity.account}) · {named}", "", 0)
    below(f"{identity.name} · read {moment(identity.at)}", "", 0)
    picture = _picture(loaded, access, results)
    for title, boxes, nothing in (
        ("Who can become it", picture.ways_in, "nobody that is known"),
        ("What it can do", picture.rights, "nothing that is written"),
    ):
        say()
        say(f"[bold]{title}[/]")
        for box in boxes:
            below(box.title, f"  {_MARKS[box.verdict]} ", 4)
            below(box.detail, "    ", 4, "dim")
            below(box.why, "    ", 4, _STYLES[box.verdict])
        if not boxes:
            say(f"  {nothing}")
    say()
    say("[bold]As expected state judges it[/]")
    for result in sorted(results, key=lambda one: (_ORDER.index(one.outcome.value), one.subject)):
        outcome = result.outcome.value
        part = ", unused rights" if result.subject.endswith(":unused") else ""
        say(f"  {coloured(outcome)} {result.check}{part}")
        below(result.reason.removeprefix(f"{identity.short}: "), "    ", 4)
        if result.remedy and outcome not in ("pass", "not-applicable"):
            below(result.remedy, "    ", 4, "dim")


def below(text: object, first: str, indent: int, style: str = "") -> None:
    """Print text from outside in lines that fit the terminal, below one another; nothing for none."""
    room = max(40, int(console().width) - indent)
    for n, line in enumerate(wrap(clean(text, 2000), room, break_on_hyphens=False)):
        shown = safe(line, room)
        say((first if n == 0 else " " * indent) + (f"[{style}]{shown}[/]" if style else shown))


def _picture(loaded: Config, access: Access, results: Sequence[Result]) -> Picture:
    from monitor.cli.identity_boxes import boxes_of_rights, boxes_of_ways
    from monitor.cli.identity_graph import Picture

    worst = min((result.outcome.value for result in results), key=_ORDER.index, default="not-applicable")
    identity = access.identity
    account = loaded.expected.sections.production.name_of(identity.provider, identity.account)
    declared = ", ".join(one.id for one in _declared(loaded, access))
    return Picture(
        title=identity.short,
        subtitle=f"{identity.kind} in {account}",
        heading=identity.name,
        note=f"{f'Declared as {declared}' if declared else 'Not declared'} · account {identity.account} · "
        f"read {moment(identity.at)}",
        verdict={"error": "unknown", "not-applicable": "plain"}.get(worst, worst),
        ways_in=boxes_of_ways(access, results),
        rights=boxes_of_rights(access, results),
    )
