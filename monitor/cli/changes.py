"""`monitor changes`: what was written to production, session by session, over all clouds; from the sealed evidence."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from monitor.cli.options import ConfigDir, configuration
from monitor.cli.show import clean, coloured, complain, moment, print_json, safe, say, table

if TYPE_CHECKING:
    from monitor.model import Result

app = typer.Typer(help="Changes: every session that wrote to production, and what explains it.", no_args_is_help=True)
_JUDGES = ("direct-production-change", "pipeline-session-proof")
_SHOWN = 100


class Form(StrEnum):
    """How the list is printed."""

    TABLE = "table"
    JSON = "json"
    CSV = "csv"


@app.command("list")
def show_list(
    since: Annotated[datetime | None, typer.Option("--from", help="Writes from then on (UTC).")] = None,
    until: Annotated[datetime | None, typer.Option("--to", help="Writes before then (UTC).")] = None,
    provider: Annotated[str | None, typer.Option(help="Only of this cloud: aws or gcp.")] = None,
    account: Annotated[str | None, typer.Option(help="Only of this account or project, by its id or name.")] = None,
    kind: Annotated[
        str | None, typer.Option("--class", help="Only of this class: normal, standard, emergency, direct, unknown.")
    ] = None,
    config: ConfigDir = Path("config"),
    output: Annotated[Form, typer.Option("--format", help="table, json, or csv.")] = Form.TABLE,
) -> None:
    """List the sessions that wrote to production, oldest first, as they were judged last; writes of services are not changes.

    Example: monitor changes list --class direct --from 2026-03-01 --format csv
    """
    loaded = configuration(config)
    names = loaded.expected.sections.production.name_of
    rows = [
        row | {"account_name": names(row["provider"], row["account"])} for row in _rows(loaded.settings.evidence.folder)
    ]
    start, end = _utc(since), _utc(until)
    found = [
        row
        for row in rows
        if (start is None or row["last"] >= start)
        and (end is None or row["first"] < end)
        and (provider is None or row["provider"] == provider)
        and (account is None or account in (row["account"], row["account_name"]))
        and (kind is None or row["class"] == kind)
    ]
    found.sort(key=lambda row: (row["first"], row["session"]))
    if output is Form.JSON:
        print_json(found)
    elif output is Form.CSV:
        _csv(found)
    else:
        _table(found)


def _rows(folder: Path) -> Iterator[dict[str, Any]]:
    """Yield each session as it was judged last; of the two checks that judge it, the one that does not pass."""
    from monitor.evidence.history import history
    from monitor.model import Outcome

    latest: dict[str, dict[str, Result]] = {}
    writes: dict[str, dict[str, Any]] = {}
    if not (folder / "checkpoint").exists():
        complain("no sweep was ever sealed here, so nothing is known: run `monitor sweep`")
        return
    for manifest in history(folder):
        judged: dict[str, dict[str, Result]] = {}
        for result, _, _ in manifest.results():
            if result.check in _JUDGES and result.observed.get("writes"):
                judged.setdefault(result.subject, {})[result.check] = result
                # A session that passes is judged by what is new of it: its earlier writes stand in earlier sweeps.
                writes.setdefault(result.subject, {}).update({w["id"]: w for w in result.observed["writes"]})
        latest |= judged
    for session, results in latest.items():
        worst = next((r for r in results.values() if r.outcome is not Outcome.PASS), None)
        yield _row(session, worst or next(iter(results.values())), list(writes[session].values()))


def _row(session: str, result: Result, writes: list[dict[str, Any]]) -> dict[str, Any]:
    from monitor.model import Outcome

    times = sorted(datetime.fromisoformat(str(write["time"])) for write in writes)
    provider, _, account = result.scope.partition(":")
    return {
        "session": session,
        "provider": provider,
        "account": account,
        "first": times[0],
        "last": times[-1],
        "class": result.change_class.value if result.change_class else "unknown",
        "outcome": result.outcome.value,
        "waived": bool(result.waiver) and result.outcome is not Outcome.PASS,
        "actor": result.actor,
        "person": str(result.observed.get("person", "")),
        "writes": len(writes),
        "actions": sorted({str(write["action"]) for write in writes}),
        "reason": result.reason,
    }


def _utc(given: datetime | None) -> datetime | None:
    from datetime import UTC

    return given.replace(tzinfo=UTC) if given and given.tzinfo is None else given


def _table(found: list[dict[str, Any]]) -> None:
    table(
        ("when", "where", "class", "who", "what"),
        [
            (
                moment(row["first"]),
                safe(row["account_name"], 14),
                coloured(row["outcome"]).replace(row["outcome"], row["class"]),
                safe((row["person"] or row["actor"].rpartition("/")[2]).partition("@")[0], 22),
                safe(f"{row['writes']} × " + ", ".join(dict.fromkeys(map(_short, row["actions"]))), 100),
            )
            for row in found[-_SHOWN:]
        ],
        flexible=("what",),
    )
    counts: dict[str, int] = {}
    for row in found:
        counts[row["class"]] = counts.get(row["class"], 0) + 1
    say(f"{len(found)} sessions wrote: " + (" · ".join(f"{n} {name}" for name, n in sorted(counts.items())) or "none"))
    if len(found) > _SHOWN:
        say(f"the last {_SHOWN} are shown: --from, --to, or --format csv give the others")


def _short(action: str) -> str:
    service, _, name = action.partition(":")
    return f"{service}:{name.rpartition('.')[2]}"


def _csv(found: list[dict[str, Any]]) -> None:
    import csv
    import sys

    columns = ("first", "last", "provider", "account", "account_name", "class", "outcome", "waived", "actor", "person")
    written = csv.writer(sys.stdout, lineterminator="\n")
    written.writerow([*columns, "writes", "actions", "reason", "session"])
    for row in found:
        told = [row[name] for name in columns]
        rest = [row["writes"], " ".join(row["actions"]), row["reason"], row["session"]]
        written.writerow([_cell(value) for value in (*told, *rest)])


def _cell(value: object) -> str:
    """Return a cell as text. What a spreadsheet would take for a formula is quoted: https://owasp.org/www-community/attacks/CSV_Injection."""
    text = f"{value:%Y-%m-%dT%H:%M:%SZ}" if isinstance(value, datetime) else clean(str(value), 2000)
    return f"'{text}" if text.lstrip().startswith(tuple("=+-@＝＋－＠\t\r")) else text
