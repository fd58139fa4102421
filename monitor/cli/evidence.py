"""`monitor evidence`: what an auditor asks of it."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from monitor.cli import exits
from monitor.cli.options import ConfigDir, OutputFormat, configuration
from monitor.cli.show import Format, coloured, moment, number, print_json, safe, say

if TYPE_CHECKING:
    from monitor.model import ScopeCoverage
    from monitor.settings import Config

app = typer.Typer(help="Evidence: verify it, what it covers, and one record of it.", no_args_is_help=True)


@app.command()
def verify(
    config: ConfigDir = Path("config"),
    vkey: Annotated[
        list[str] | None, typer.Option(help="The log's public key, as it was handed over; may be given again.")
    ] = None,
    checkpoint: Annotated[
        Path | None, typer.Option(help="A checkpoint that was kept elsewhere: proves that the log was not rolled back.")
    ] = None,
    since: Annotated[
        datetime | None, typer.Option("--from", help="Begin of the period that must be covered (UTC).")
    ] = None,
    until: Annotated[datetime | None, typer.Option("--to", help="End of the period (UTC).")] = None,
    evidence: Annotated[
        Path | None, typer.Option(help="The evidence folder alone, where the monitor's configuration is not at hand.")
    ] = None,
    output: OutputFormat = Format.TABLE,
) -> None:
    """Verify bytes, log, signatures, consistency and coverage, each with its own verdict. A gap is a failure.

    Exits with 4 if the evidence does not hold, with 3 if it holds and its coverage has a gap.

    Example: monitor evidence verify --evidence evidence/ --vkey "$(cat handed-over.vkey)" --from 2026-03-01 --to 2026-04-01
    """
    from contextlib import AbstractContextManager, nullcontext

    from monitor.cli import compose
    from monitor.errors import ConfigError, EvidenceError
    from monitor.evidence.note import Verifier
    from monitor.evidence.verify import verify as judge
    from monitor.model import Window

    if (since is None) != (until is None):
        raise ConfigError("--from and --to belong together", todo="give both, or neither")
    period = Window(_utc(since), _utc(until)) if since and until else None
    if period and period.start >= period.end:
        raise ConfigError("--from is not before --to", todo="swap them")
    keys = tuple(vkey or ())
    outside = bool(keys)
    for key in keys:
        try:
            Verifier.parse(key)
        except (EvidenceError, ValueError) as wrong:
            raise ConfigError(f"--vkey is no key: {wrong}", todo="give it whole, as NAME+KEYID+BASE64") from None
    known = _kept(checkpoint) if checkpoint else None
    events: AbstractContextManager[Path | None]
    if evidence:
        folder, events = evidence, nullcontext(evidence / "events")
        if not folder.is_dir():
            raise ConfigError(f"there is no folder {folder}", todo="name the folder that holds `checkpoint`")
    else:
        loaded = configuration(config)
        folder, events = _folder(loaded), compose.retained_folder(loaded, _folder(loaded))
        if not keys and loaded.settings.evidence.signing_key.exists():
            keys = (compose.key_of(loaded).vkey,)
        known = _recorded(loaded) if known is None else known
    with events as retained:
        levels = judge(folder, keys, retained, period, known)
    if output is Format.JSON:
        print_json(levels)
    else:
        for level in levels:
            word = coloured(level.outcome.value) + " " * (8 - len(level.outcome.value))
            say(f"{word} [bold]{level.name:<12}[/] {safe(level.summary, 300)}")
            for problem in level.problems:
                say(f"             {safe(problem, 300)}")
        if not keys:
            say(
                "No key was given, and the one beside the log proves nothing: give the one that was handed over, --vkey"
            )
        elif not outside:
            say("The key that was used lies beside the monitor. An auditor gives the one that was handed over: --vkey")
    broken = [level for level in levels if level.outcome != "pass"]
    if any(level.name != "coverage" for level in broken):
        raise typer.Exit(exits.EVIDENCE)
    raise typer.Exit(exits.INCOMPLETE if broken else exits.CLEAN)


def _folder(loaded: Config) -> Path:
    from monitor.errors import ConfigError

    folder = loaded.settings.evidence.folder
    if not folder.is_dir() or not any(folder.iterdir()):
        raise ConfigError(
            f"there is no evidence in {folder}", todo="run `monitor sweep` first, or name the right --config"
        )
    return folder


def _kept(checkpoint: Path) -> str:
    """Return the checkpoint that was kept elsewhere."""
    from monitor.errors import ConfigError

    try:
        return checkpoint.read_bytes()[: 1 << 20].decode("utf-8", "replace")
    except OSError as refused:
        raise ConfigError(f"cannot read {checkpoint}: {refused.strerror}", todo="name a copy of a checkpoint") from None


def _recorded(loaded: Config) -> str | None:
    """Return the newest checkpoint that the database knows; None if there is none."""
    from monitor.errors import LedgerError
    from monitor.store.store import Store

    try:
        with Store.open(loaded.settings.database) as store:
            sealing = store.last_sealing()
            return sealing.checkpoint if sealing else None
    except LedgerError:
        return None


def _utc(when: datetime) -> datetime:
    return when.replace(tzinfo=UTC) if when.tzinfo is None else when.astimezone(UTC)


@app.command()
def coverage(
    config: ConfigDir = Path("config"),
    sweeps: Annotated[
        int | None,
        typer.Option(
            min=0, help="So many sweeps, newest first; 0 is all. Default: the newest, and all that have a gap."
        ),
    ] = None,
    output: OutputFormat = Format.TABLE,
) -> None:
    """Show what each sweep was to read against what it read to the end, from the evidence log itself.

    Example: monitor evidence coverage --sweeps 7
    """
    from monitor.evidence.history import history
    from monitor.store.record import SweepRecord
    from monitor.sweep.run import LEDGER

    folder = _folder(configuration(config))
    manifests = list(history(folder))[::-1]
    if sweeps is None:
        manifests = manifests[:1] + [m for m in manifests[1:] if any(c.status != "complete" for c in m.coverage())]
    elif sweeps:
        manifests = manifests[:sweeps]
    rows: list[dict[str, Any]] = [
        {"sweep": m.predicate.sweep, "manifest": m.index, "coverage": c} for m in manifests for c in m.coverage()
    ]
    incomplete = any(row["coverage"].status != "complete" for row in rows)
    if output is Format.JSON:
        print_json(rows)
        raise typer.Exit(exits.verdict(findings=False, incomplete=incomplete))
    for manifest in manifests:
        say(f"[bold]sweep {safe(manifest.predicate.sweep)}[/], sealed as entry {manifest.index}")
        undeclared = SweepRecord.decode(manifest.attachment(LEDGER)).notes.get("undeclared_accounts", ())
        if undeclared:
            say(f"  not declared, and not read: account {', '.join(safe(account, 20) for account in undeclared)}")
        _covered([row["coverage"] for row in rows if row["manifest"] == manifest.index])
    raise typer.Exit(exits.verdict(findings=False, incomplete=incomplete))


def _covered(coverage: list[ScopeCoverage]) -> None:
    """Print the reads of a sweep by window, each in a line of at most 80 characters, with its gaps below it."""
    last = ""
    for one in sorted(coverage, key=lambda c: (c.window is None, c.window and c.window.start, c.source, c.scope)):
        window = f"{moment(one.window.start)} to {moment(one.window.end)}" if one.window else "as it is now"
        if window != last:
            say(f"  {window}")
            last = window
        status = coloured(one.status.value) + " " * (9 - len(one.status.value))
        say(f"    {status} {safe(one.scope):<27} {safe(one.source):<19} {_read(one.counts)}")
        if one.reason:
            say(f"              {safe(one.reason, 300)}")
        for gap in one.gaps[:20]:
            say(f"              {safe(gap, 400)}")
        if len(one.gaps) > 20:
            say(f"              and {len(one.gaps) - 20} more: --format json lists them all")
        if one.grant:
            say(f"              grant or mend: {safe(one.grant, 300)}")


def _read(counts: dict[str, int]) -> str:
    if "events" in counts:
        return f"{number(counts['events'])} events"
    if "digests" in counts:
        return f"{number(counts['digests'])} digests"
    return ", ".join(f"{number(n)} {name}" for name, n in list(counts.items())[:2])


@app.command()
def show(
    entry: Annotated[int, typer.Argument(metavar="INDEX", help="The record's index in the evidence log.")],
    config: ConfigDir = Path("config"),
    raw: Annotated[
        bool, typer.Option("--raw", help="The record's exact bytes, to hash or to verify elsewhere.")
    ] = False,
) -> None:
    """Show one record of the evidence log.

    Example: monitor evidence show 12 --raw | sha256sum
    """
    import base64
    import sys

    import msgspec

    from monitor.errors import ConfigError
    from monitor.evidence.reader import LogReader

    reader = LogReader.open(_folder(configuration(config)))
    if not 0 <= entry < reader.size:
        raise ConfigError(
            f"the log has entries 0 to {reader.size - 1}, not {entry}", todo="take the index that a finding names"
        )
    body = reader.read(entry)
    if raw:
        sys.stdout.buffer.write(body)
        return
    record = msgspec.json.decode(body)
    if isinstance(record, dict) and "payloadType" in record:
        # A signed envelope: what it says is of more use than its base64. --raw gives the envelope.
        signed = [one.get("keyid", "") for one in record.get("signatures", [])]
        record = {"signed_by": signed, **msgspec.json.decode(base64.b64decode(record["payload"]))}
    print_json(record)


@app.command()
def key(config: ConfigDir = Path("config")) -> None:
    """Print the log's public key, to hand to an auditor by another way than the evidence.

    Example: monitor evidence key > handed-over.vkey
    """
    from monitor.cli import compose

    loaded = configuration(config)
    _folder(loaded)
    say(safe(compose.key_of(loaded).vkey, 500))
