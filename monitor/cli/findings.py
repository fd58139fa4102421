"""`monitor findings`: what is open, and the story of one finding."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from monitor.cli import exits
from monitor.cli.options import ConfigDir, OutputFormat, configuration
from monitor.cli.show import Format, clean, coloured, complain, moment, print_json, safe, say, table

if TYPE_CHECKING:
    from monitor.model import Result
    from monitor.settings import Config
    from monitor.store.store import Store
    from monitor.store.views import Finding

app = typer.Typer(help="Findings: the life of each failing (check, subject) over sweeps.", invoke_without_command=True)


@app.callback()
def default(context: typer.Context, config: ConfigDir = Path("config"), output: OutputFormat = Format.TABLE) -> None:
    """List the open findings when no command is given."""
    if context.invoked_subcommand is None:
        show_list(config, output=output)


@app.command("list")
def show_list(
    config: ConfigDir = Path("config"),
    everything: Annotated[bool, typer.Option("--all", help="Waived and resolved ones too.")] = False,
    waived: Annotated[bool, typer.Option("--waived", help="Only what is accepted under a waiver.")] = False,
    severity: Annotated[str | None, typer.Option(help="Only of this severity.")] = None,
    check: Annotated[str | None, typer.Option(help="Only of this check.")] = None,
    output: OutputFormat = Format.TABLE,
) -> None:
    """List open findings, most urgent first; what is waived is apart. Exits with 1 if any is open and not waived.

    Example: monitor findings list --severity critical --format json
    """
    from monitor.cli.sweep import name_of, print_finding
    from monitor.errors import ConfigError
    from monitor.model import Severity
    from monitor.store.store import Store
    from monitor.sweep import registry

    if severity and severity not in list(Severity):
        raise ConfigError(f"no severity is called {severity!r}", todo=f"choose from: {', '.join(Severity)}")
    if check:
        registry.chosen(registry.discover(), [check])
    loaded = configuration(config)
    names = loaded.expected.sections.production.name_of
    with Store.open(loaded.settings.database) as store:
        known = store.findings(severity=Severity(severity) if severity else None, check=check)
        apart = [f for f in known if f.standing == "waived"]
        found = apart if waived else [f for f in known if everything or (f.is_open and not f.waiver)]
        unknown = _unknown(loaded, store)
    if output is Format.JSON:
        print_json([_plain(f) for f in found])
    else:
        if not found:
            say("Nothing is waived." if waived else "No findings." if everything else "No open findings.")
        for f in found:
            urgency = (f.severity if f.outcome == "fail" else f.outcome).value if f.is_open else "resolved"
            where = f"{name_of(f.scope, names)}  since {f.first_seen:%Y-%m-%d}"
            print_finding(f.id, urgency, where, f.actor, f.reason)
            say(f"                {_standing(f)}")
        if apart and not waived and not everything:
            say(f"{len(apart)} more are accepted under a waiver: monitor findings list --waived")
        if found:
            say("The story of one: monitor findings show ID")
    if unknown:
        complain(unknown)
    needs = any(f.is_open and not f.waiver for f in found)
    raise typer.Exit(exits.verdict(findings=needs, incomplete=bool(unknown)))


def _plain(found: Finding) -> dict[str, Any]:
    """Return a finding as the stable JSON of docs/output.md: its fields, and where it stands."""
    import msgspec

    plain: dict[str, Any] = msgspec.to_builtins(found)
    return plain | {"standing": found.standing}


def _standing(found: Finding) -> str:
    """Return where a finding stands, whose it is, and how often it was seen, in one line."""
    times = "once" if found.times_seen == 1 else f"{found.times_seen} times"
    under = f" under {safe(found.waiver, 64)}" if found.standing == "waived" else ""
    parts = [
        f"{found.standing}{under}",
        f"owner {safe(found.owner, 80)}" if found.owner else "no owner",
        f"unknown since {moment(found.unknown_since)}" if found.unknown_since else "",
        f"first seen {moment(found.first_seen)}, last {moment(found.last_seen)}, {times}",
    ]
    return " · ".join(part for part in parts if part)


def _unknown(loaded: Config, store: Store) -> str:
    """Return why these findings may not be all there is; empty if the database knows the newest sealed sweep."""
    from monitor.evidence.history import last_manifest
    from monitor.evidence.reader import LogReader

    folder = loaded.settings.evidence.folder
    if not (folder / "checkpoint").exists():
        return "" if store.recorded_sweeps() else "no sweep was ever run here, so nothing is known: run `monitor sweep`"
    reader = LogReader.open(folder)
    newest = last_manifest(reader, reader.size)
    if newest is None or newest.predicate.sweep in store.recorded_sweeps():
        return "" if newest else "no sweep was ever sealed here, so nothing is known: run `monitor sweep`"
    return "the evidence holds sweeps that this database does not know: run `monitor sweep`, which records them"


@app.command("show")
def show_one(
    finding: Annotated[str, typer.Argument(metavar="ID", help="The finding, or the first letters of its id.")],
    config: ConfigDir = Path("config"),
    output: OutputFormat = Format.TABLE,
) -> None:
    """Tell the story of one finding: who, from where, with which credentials, what was changed, and the evidence.

    Example: monitor findings show F-4K2
    """
    from monitor.cli.finding_life import print_acknowledgements, print_life, print_waiver
    from monitor.errors import ConfigError
    from monitor.evidence.objects import ObjectStore
    from monitor.evidence.reader import LogReader
    from monitor.evidence.record import decode_result
    from monitor.store.acknowledging import Acknowledgements
    from monitor.store.store import Store

    loaded = configuration(config)
    with Store.open(loaded.settings.database) as store:
        found = store.finding(finding)
        if found is None:
            raise ConfigError(f"no finding is called {finding!r}", todo="list them with: monitor findings list --all")
        sightings = store.sightings(found.id)
        taken = Acknowledgements(store).of(found.id)
    folder = loaded.settings.evidence.folder
    result = decode_result(LogReader.open(folder).read(found.result_index), ObjectStore(folder).read).result
    if output is Format.JSON:
        waiver = loaded.waivers.get(found.waiver) if found.waiver else None
        whole = waiver.model_dump(mode="json", by_alias=True) if waiver else None
        print_json(
            {
                "finding": _plain(found),
                "result": result,
                "sightings": sightings,
                "waiver": whole,
                "acknowledgements": taken,
            }
        )
        return
    _story(found, result, len(sightings))
    if found.waiver:
        print_waiver(found.waiver, loaded.waivers.get(found.waiver))
    print_acknowledgements(taken)
    print_life(sightings)


def _story(found: Finding, result: Result, sightings: int) -> None:
    say(
        f"[bold]{found.id}[/] · {coloured(result.outcome.value)} · {coloured(found.severity.value)} · {found.standing} "
        f"· {found.check}"
    )
    say(safe(result.reason, 1000))
    say(f"Subject     {safe(found.subject)}")
    span = f"{moment(found.first_seen)} to {moment(found.last_seen)}"
    say(f"Seen        {span}, in {found.times_seen} of {sightings} sweeps that judged or moved it")
    if found.owner:
        say(f"Owner       {safe(found.owner, 200)}")
    if found.unknown_since:
        say(f"Unknown     since {moment(found.unknown_since)}: nobody could look at it")
    observed = result.observed
    if observed.get("actor"):
        _who(observed, result)
    writes = observed.get("writes", [])
    if writes:
        _writes(writes)
    rest = {k: v for k, v in observed.items() if k not in _TOLD}
    told = {"from": observed["from"], **rest} if isinstance(observed.get("from"), str) else rest
    for name, value in told.items():
        if value not in (None, "", [], {}, False):
            _value(name, value)
    if result.expected:
        _value("expected", result.expected)
    if result.remedy:
        say(f"Would do    {safe(result.remedy, 1000)}")
    entry = f"entry {found.result_index} of the evidence log, sha256 {found.result_sha256[:16]}…"
    say(f"Evidence    {entry} (monitor evidence show {found.result_index})")
    for ref in result.evidence[:10]:
        say(f"            {ref.kind} {safe(ref.name, 220)}")
    if len(result.evidence) > 10:
        say(f"            and {len(result.evidence) - 10} more")


_TOLD = (
    "actor",
    "person",
    "account",
    "from",
    "user_agents",
    "credentials",
    "credentials_unknown",
    "writes",
    "session_started",
    "classes",
)


def _who(observed: dict[str, Any], result: Result) -> None:
    actor = observed["actor"]
    say(f"Who         {safe(actor.get('name', 'unknown'), 300)} ({safe(actor.get('kind', ''))})")
    person = observed.get("person")
    if person:
        say(f"Person      {safe(person)}" + (f", {safe(actor['human'])}" if actor.get("human") else ""))
    elif result.outcome == "fail":
        say("Person      not told by the log")
    if "mfa" in actor:
        say(f"MFA         {'yes' if actor['mfa'] else 'no'}")
    if observed.get("session_started"):
        say(f"Session     began {safe(observed['session_started'])}")
    if observed.get("from"):
        say(f"From        {', '.join(safe(ip, 60) for ip in observed['from'][:6])}")
    for agent in observed.get("user_agents", [])[:4]:
        say(f"            {safe(agent, 110)}")
    say(
        "Credentials"
        + ("" if observed.get("credentials") else " " + safe(observed.get("credentials_unknown") or "of its own", 300))
    )
    for step in observed.get("credentials", []):
        token = f" for {safe(step['subject'], 150)} of {safe(step.get('issuer', ''))}" if step.get("subject") else ""
        say(f"            {safe(step['time'], 25)} {safe(step['kind'])}{token}, issued to {safe(step['by'], 150)}")
    if observed.get("credentials") and observed.get("credentials_unknown"):
        say(f"            before that: {safe(observed['credentials_unknown'], 300)}")


def _writes(writes: list[dict[str, Any]]) -> None:
    accused = [w for w in writes if w.get("accused")] or writes
    say(
        f"Changed     {len(accused)} of {len(writes)} writes are not explained, in order:"
        if accused is not writes
        else f"Changed     {len(writes)} writes, in order:"
    )
    table(
        ["when", "action", "region", "what"],
        [
            [
                clean(w["time"], 20),
                safe(w["action"], 60),
                safe(w["region"], 20),
                safe(", ".join(map(str, w["what"])), 120),
            ]
            for w in accused[:60]
        ],
        flexible=["what"],
    )
    if len(accused) > 60:
        say(f"            and {len(accused) - 60} more: --format json lists them all")


def _value(name: str, value: Any) -> None:
    from monitor.cli.show import to_json

    label = clean(name.replace("_", " "), 40).capitalize()
    if isinstance(value, list) and value and all(isinstance(one, dict) for one in value):
        say(f"{label:<11} {_pairs(value[0])}")
        for one in value[1:60]:
            say(f"            {_pairs(one)}")
        if len(value) > 60:
            say(f"            and {len(value) - 60} more: --format json lists them all")
        return
    if isinstance(value, list) and all(isinstance(one, str) for one in value):
        value = ", ".join(value)
    say(f"{label:<11} {safe(value if isinstance(value, str) else to_json(value), 600)}")


def _pairs(one: dict[str, Any]) -> str:
    """Return what an entry says, in one line: plain values as they are, what is nested as JSON."""
    from monitor.cli.show import to_json

    def text(value: Any) -> str:
        return value if isinstance(value, str) else to_json(value)

    said = [f"{key} {text(value)}" for key, value in one.items() if value not in (None, "", [], {})]
    return safe(" · ".join(said), 600)
