"""What a person or a program meets at the terminal: help, exit codes, output that is harmless, errors in words."""

from __future__ import annotations

import gzip
import hashlib
import json
import re
import resource
import shlex
import shutil
import sqlite3
import subprocess
import sys
import unicodedata
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import typer.main

from monitor.cli.app import app
from tests.fakes import trail
from tests.fakes.installation import ROOT, Installation, environment
from tests.fakes.terminal import Ran, monitor

AT = datetime(2026, 3, 14, 12, tzinfo=UTC)
HEAVY = ("sqlmodel", "boto3", "botocore", "pyarrow", "rich.progress", "cryptography", "sqlalchemy", "pydantic")
HOSTILE = (
    "[red]x[/]",
    "[link=https://example.com]y[/link]",
    "\x1b[31mred\x1b]8;;https://example.com\x07",
    "\u202egnp.exe\u2066",
    "=1+cmd|' /C calc'!A0",
    "<script>alert(1)</script>",
    "a\nb\r\x08c\x00\x9b2J",
    "\U000e0041\u200bz\u2028",
    "[/]",
    "\\[bold]",
)


def commands() -> Iterator[tuple[tuple[str, ...], Any]]:
    """Yield every command with its words; a group too."""
    todo: list[tuple[tuple[str, ...], Any]] = [((), typer.main.get_command(app))]
    while todo:
        words, command = todo.pop()
        yield words, command
        todo += [((*words, name), one) for name, one in getattr(command, "commands", {}).items()]


COMMANDS = dict(commands())
LEAVES = {words: command for words, command in COMMANDS.items() if not getattr(command, "commands", {})}


def logs_of(folder: Path, *records: dict[str, Any]) -> Path:
    """Write a trail of a payments account with one object of these records; return the folder to capture from."""
    path = folder / "logs" / trail.key(AT + timedelta(minutes=5))
    path.parent.mkdir(parents=True)
    path.write_bytes(trail.body(records))
    return folder


@pytest.fixture
def captured(tmp_path: Path, organisation: Path) -> Path:
    """A folder of captured material without any log yet: only the settings of the trail."""
    (tmp_path / "captured").mkdir()
    (tmp_path / "captured" / "api").symlink_to(organisation / "api", target_is_directory=True)
    return tmp_path / "captured"


def around(of: Installation) -> Installation:
    """Return the installation, made to sweep the hours around AT."""
    of.edit("monitor.yaml", "start: 2026-03-01T00:00:00Z", "start: 2026-03-14T11:00:00Z")
    of.edit("monitor.yaml", "end: 2026-04-01T01:00:00Z", "end: 2026-03-14T12:30:00Z")
    return of


@pytest.fixture
def hostile(install: Callable[[Path | None], Installation], captured: Path) -> Installation:
    """Swept: one session for each hostile text, which stands wherever a session lets its holder write."""
    records = [
        trail.event(
            AT + timedelta(seconds=number),
            session=text,
            userAgent=text,
            sourceIPAddress=text,
            requestParameters={"name": text, text: text},
        )
        for number, text in enumerate(HOSTILE)
    ]
    here = around(install(logs_of(captured, *records)))
    here.sweep()
    return here


@pytest.fixture(scope="module")
def swept(tmp_path_factory: pytest.TempPathFactory, organisation: Path) -> Installation:
    """A few days of the example: it has findings, and no gap. Nobody may change it."""
    made = Installation(tmp_path_factory.mktemp("swept") / "installation", organisation)
    made.edit("monitor.yaml", "start: 2026-03-01T", "start: 2026-03-13T")
    made.edit("monitor.yaml", "overlap_days: 3", "overlap_days: 1")
    assert made.sweep("--until", "2026-03-16").code == 1
    return made


# Help.


@pytest.mark.parametrize("words", sorted(LEAVES), ids=" ".join)
def test_help_of_every_command_shows_an_example(words: tuple[str, ...]) -> None:
    ran = monitor(*words, "--help")
    assert ran.code == 0
    assert f"Example: monitor {' '.join(words)}" in " ".join(re.sub("[│╭╮╰╯─]", " ", ran.text).split())


@pytest.mark.parametrize("words", sorted(set(COMMANDS) - set(LEAVES)), ids=lambda words: " ".join(words) or "monitor")
def test_help_of_every_group_lists_its_commands(words: tuple[str, ...]) -> None:
    ran = monitor(*words, "--help")
    assert ran.code == 0
    for name in COMMANDS[words].commands:
        assert name in ran.text


@pytest.mark.parametrize("words", sorted(set(LEAVES) - {("checks",), ("config", "schema"), ("init",)}), ids=" ".join)
def test_every_command_takes_config(words: tuple[str, ...]) -> None:
    assert "--config" in {option for parameter in LEAVES[words].params for option in parameter.opts}


def test_a_group_that_lists_by_default_takes_the_options_of_the_list(swept: Installation) -> None:
    ran = swept("findings", "--format", "json")
    assert ran.code == 1, ran.errors
    assert ran.json == swept("findings", "list", "--format", "json").json


def test_help_is_instant_and_loads_nothing_heavy() -> None:
    program = "import sys; sys.argv = ['monitor', '--help']; from monitor.cli.app import main\ntry: main()\nfinally: "
    loaded = f"sys.stderr.write(' '.join(m for m in {HEAVY!r} if m in sys.modules))"
    best = 9.0
    for _ in range(6):  # the first one compiles
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        ran = subprocess.run(
            [sys.executable, "-c", program + loaded],
            env=environment(),
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=True,
        )
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        best = min(best, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    assert best < 0.5
    assert set(ran.stderr.split()) & {"sqlmodel", "boto3", "botocore", "pyarrow", "rich.progress"} == set()


def test_commands_of_the_readme_exist() -> None:
    text = (ROOT / "README.md").read_text()
    blocks = re.findall(r"^```\w*\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    whole = [block.replace("\\\n", " ") for block in blocks]
    lines = [line.removeprefix("$ ").strip() for block in whole for line in block.splitlines()]
    told = [line.partition("  #")[0] for line in lines if line.startswith("monitor ")]
    assert told
    for line in told:
        words: list[str] = []
        options: list[str] = []
        for word in shlex.split(line)[1:]:
            if word.startswith("--"):
                options.append(word.partition("=")[0])
            elif not options and (*words, word) in COMMANDS:
                words.append(word)
        command = COMMANDS[tuple(words)]
        assert words, line
        known = {option for parameter in command.params for option in parameter.opts}
        assert set(options) <= known, line


# Exit codes.


def test_exit_codes_of_a_sweep(install: Callable[[Path | None], Installation], organisation: Path) -> None:
    here = install(organisation)
    here.edit("monitor.yaml", "start: 2026-03-01T", "start: 2026-03-13T")
    here.edit("monitor.yaml", "overlap_days: 3", "overlap_days: 1")
    dry = ("sweep", "--dry-run", "--until", "2026-03-16")
    assert here(*dry, "--check", "audit-log-integrity").code == 0
    assert here(*dry).code == 1
    assert here(*dry, "--check", "no-such-check").code == 2
    assert here("sweep", "--dry-run").code == 3, "what could not be seen outranks what was found"
    assert not here.key.exists(), "a dry run makes no key"
    here.key.parent.mkdir(parents=True)
    here.key.write_text("no key")
    assert here("sweep", "--until", "2026-03-16").code == 4


def test_exit_codes_of_lists(swept: Installation) -> None:
    assert swept("findings", "list").code == 1
    assert swept("findings", "list", "--severity", "low").code == 0
    assert swept("evidence", "coverage").code == 0
    assert swept("evidence", "verify").code == 0
    assert swept("config", "check").code == 0
    assert swept("db", "upgrade").code == 0
    assert monitor("checks").code == 0


def test_a_check_that_was_left_out_judges_later_what_was_read_without_it(
    install: Callable[[Path | None], Installation], captured: Path
) -> None:
    event = trail.event(AT)
    here = around(install(logs_of(captured, event)))
    here.sweep("--check", "audit-log-integrity")
    here.sweep()
    accused = [r for r in here.results() if event["eventID"] in {w["id"] for w in r.observed.get("writes", ())}]
    assert [(r.check, r.outcome) for r in accused] == [("direct-production-change", "fail")]


# Output.


def harmless(ran: Ran) -> str:
    """Return what was printed, and require that nothing in it can move, colour or turn a terminal's text."""
    text = ran.text
    bad = {char for char in text if unicodedata.category(char) in ("Cc", "Cf", "Cs", "Co", "Zl", "Zp") and char != "\n"}
    assert bad == set(), sorted(map(ascii, bad))
    return text


def test_json_is_ascii_and_brings_hostile_text_whole(hostile: Installation, tmp_path: Path) -> None:
    found = hostile("findings", "list", "--format", "json")
    assert found.output.isascii()
    agents = set()
    for finding in found.json:
        shown = hostile("findings", "show", finding["id"], "--format", "json")
        assert shown.output.isascii()
        agents |= set(shown.json["result"]["observed"].get("user_agents", ()))
        assert hostile("evidence", "show", str(finding["result_index"])).output.isascii()
    assert agents == set(HOSTILE)
    assert hostile("sweep", "--format", "json", "--dry-run").output.isascii()
    saved = tmp_path / "events.jsonl"
    saved.write_text("\n".join(json.dumps(trail.event(AT, session=text, eventName=text)) for text in HOSTILE))
    judged = hostile("evaluate", "--kind", "cloudtrail", str(saved))
    assert judged.output.isascii()
    assert [json.loads(line)["n"] for line in judged.output.splitlines()] == list(range(1, len(HOSTILE) + 1))


@pytest.mark.parametrize("width", [80, 200])
def test_tables_show_hostile_text_as_it_is_and_harmless(
    hostile: Installation, monkeypatch: pytest.MonkeyPatch, width: int
) -> None:
    monkeypatch.setenv("COLUMNS", str(width))
    told = harmless(hostile("sweep", "--dry-run")) + harmless(hostile("findings", "list"))
    harmless(hostile("evidence", "coverage"))
    story = ""
    for finding in hostile("findings", "list", "--format", "json").json:
        story += harmless(hostile("findings", "show", finding["id"]))
    for text in ("[red]x[/]", "[/]", "\\[bold]", "<script>", "[link=https://example.com]y[/link]"):
        assert text in story, text
    assert "\\u202e" in story
    assert "[red]x[/]" in told


@pytest.mark.parametrize("where", [("findings", "list"), ("sweep", "--dry-run")])
def test_a_table_in_eighty_columns_is_read_along_lines(
    swept: Installation, monkeypatch: pytest.MonkeyPatch, where: tuple[str, ...]
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    lines = [line for line in swept(*where).text.splitlines() if line.strip()]
    crammed = [line for line in lines if len(line.strip()) < 4]
    assert len(crammed) < 3, "columns of two letters cannot be read"


def test_the_story_of_a_finding_is_whole(swept: Installation) -> None:
    (finding, *_) = swept("findings", "list", "--format", "json").json
    story = swept("findings", "show", finding["id"][:6].lower()).text
    for said in ("Who", "From", "Credentials", "Changed", "Evidence", finding["result_sha256"][:16]):
        assert said in story


def test_raw_bytes_of_a_record_have_the_digest_that_its_finding_names(swept: Installation) -> None:
    found = swept("findings", "list", "--format", "json").json
    assert len(found) > 1
    for finding in found:
        raw = swept("evidence", "show", str(finding["result_index"]), "--raw")
        assert hashlib.sha256(raw.output).hexdigest() == finding["result_sha256"]
        assert json.loads(raw.output) == swept("evidence", "show", str(finding["result_index"])).json


# Evaluate.


def test_evaluate_reads_every_form_and_keeps_order(swept: Installation, tmp_path: Path) -> None:
    records = [
        trail.event(AT, session="first"),
        trail.event(AT, eventName="DescribeInstances", readOnly=True),
        trail.event(AT, session="third", account="999988887777"),
    ]
    lines = b"\n".join(json.dumps(record).encode() for record in records)
    whole = json.dumps({"Records": records}).encode()
    forms = {
        "lines.jsonl": lines,
        "array.json": json.dumps(records, indent=1).encode(),
        "file.json": whole,
        "file.json.gz": gzip.compress(whole),
        "lines.jsonl.gz": gzip.compress(lines),
    }
    answers = []
    for name, content in forms.items():
        (tmp_path / name).write_bytes(content)
        answers.append(swept("evaluate", "--kind", "cloudtrail", str(tmp_path / name)))
    answers += [swept("evaluate", "--kind", "cloudtrail", "-", stdin=content) for content in forms.values()]
    assert {ran.output for ran in answers} == {answers[0].output}
    assert {ran.code for ran in answers} == {1}
    judged = [json.loads(line) for line in answers[0].output.splitlines()]
    assert [(j["n"], j["outcome"]) for j in judged] == [(1, "fail"), (2, "not-applicable"), (3, "not-applicable")]
    assert list(judged[0]) == [
        "n", "outcome", "check", "subject", "class", "actor", "reason", "expected", "observed",
    ]  # fmt: skip
    assert "first" in judged[0]["actor"]
    both = swept("evaluate", "--kind", "cloudtrail", str(tmp_path / "lines.jsonl"), str(tmp_path / "array.json"))
    assert [json.loads(line)["n"] for line in both.output.splitlines()] == [1, 2, 3, 4, 5, 6]


def test_evaluate_goes_on_after_a_bad_line(swept: Installation) -> None:
    good = json.dumps(trail.event(AT)).encode()
    lines = [good, b"{", b'"text"', b"\xff\xfe", b"[" * 5000, b"null", b'{"eventName": 7}', good]
    ran = swept("evaluate", "--kind", "cloudtrail", "-", stdin=b"\n".join(lines))
    judged = [json.loads(line) for line in ran.output.splitlines()]
    assert [(j["n"], j["outcome"]) for j in judged][0] == (1, "fail")
    assert [(j["n"], j["outcome"]) for j in judged][-1] == (len(lines), "fail")
    assert {j["outcome"] for j in judged[1:-1]} == {"error"}
    assert all(j["reason"] for j in judged)
    assert ran.code == 3


# Errors in words.


def told(ran: Ran, code: int, *words: str) -> None:
    """Require that a command ended with this code, and told on standard error why and what to do next."""
    assert (ran.code, ran.output) == (code, b""), ran
    assert "Traceback" not in ran.errors
    for word in words:
        assert word in ran.errors, ran.errors
    assert ran.errors.strip()


def test_every_mistake_of_a_configuration_is_told_with_file_and_line(
    install: Callable[[Path | None], Installation],
) -> None:
    here = install(None)
    places = [
        ("monitor.yaml", here.edit("monitor.yaml", "settle_minutes: 20", "settle_minutes: soon")),
        ("monitor.yaml", here.edit("monitor.yaml", "workers: 0", "wrokers: 0")),
        (
            "production.yaml",
            here.edit("expected/production.yaml", '- id: "444455556666"', '- id: "44445555666"'),
        ),
        (
            "identities.yaml",
            here.edit(
                "expected/identities.yaml",
                "- arn:aws:iam::111122223333:role/log-forwarder",
                "- arn:aws:iam::*:role/log-forwarder",
            ),
        ),
        ("changes.yaml", here.edit("expected/changes.yaml", "approver: release-manager", "aprover: release-manager")),
    ]
    for command in (("config", "check"), ("sweep",), ("findings", "list"), ("evidence", "verify")):
        told(here(*command), 2, *(f"{file}:{line}" for file, line in places))
    assert not here.state.exists(), "nothing was made before the configuration was right"


@pytest.mark.parametrize("words", sorted(set(LEAVES) - {("checks",), ("config", "schema"), ("init",)}), ids=" ".join)
def test_a_configuration_that_is_not_there(words: tuple[str, ...], tmp_path: Path) -> None:
    given = {
        ("evaluate",): ("--kind", "cloudtrail", "-"),
        ("findings", "show"): ("F-AAA",),
        ("evidence", "show"): ("1",),
        ("adopt",): ("--repositories",),
        ("repositories", "timeline"): ("payments",),
        ("identities", "show"): ("payments-deploy",),
        ("alerts", "retry"): ("--failed",),
    }
    told(monitor(*words, *given.get(words, ()), "--config", str(tmp_path / "none")), 2, str(tmp_path / "none"), "next:")


def test_words_that_are_not_known(swept: Installation, tmp_path: Path) -> None:
    told(swept("evaluate", "--kind", "cloudtrial", "-"), 2, "cloudtrial", "cloudtrail")
    told(swept("evaluate", "--kind", "cloudtrail", str(tmp_path / "none.json")), 2, "none.json")
    told(swept("evaluate", "--kind", "cloudtrail", str(tmp_path)), 2, str(tmp_path))
    (tmp_path / "cut.gz").write_bytes(gzip.compress(b"{}" * 99)[:20])
    told(swept("evaluate", "--kind", "cloudtrail", str(tmp_path / "cut.gz")), 2, "cut.gz")
    told(monitor("checks", "direct"), 2, "direct", "direct-production-change")
    told(swept("sweep", "--check", "direct"), 2, "direct-production-change")
    told(swept("findings", "show", "F-AAAAAAAAAA"), 2, "F-AAAAAAAAAA", "next:")
    told(swept("findings", "show", "\x1b[31m"), 2)
    told(swept("findings", "list", "--severity", "urgent"), 2, "urgent", "critical")
    told(monitor("config", "schema", "monitor"), 2, "settings")
    told(swept("evidence", "show", "99999"), 2, "99999")
    told(swept("sweep", "--replay", str(tmp_path / "nowhere")), 2, "nowhere")
    told(swept("sweep", "--since", "yesterday"), 2, "--since")
    told(monitor("swep"), 2, "sweep")


def test_a_check_that_is_not_known_is_no_empty_list(swept: Installation) -> None:
    # Else a slip of the pen reads as "No open findings" and exits with 0.
    told(swept("findings", "list", "--check", "direct"), 2, "direct-production-change")


def test_a_sweep_that_ends_before_it_begins(swept: Installation) -> None:
    told(swept("sweep", "--since", "2026-03-15", "--until", "2026-03-14", "--dry-run"), 2, "2026-03-15")


def test_a_period_that_ends_before_it_begins(swept: Installation) -> None:
    told(swept("evidence", "verify", "--from", "2026-03-15", "--to", "2026-03-14"), 2, "--from")


def test_a_checkpoint_that_is_not_there(swept: Installation, tmp_path: Path) -> None:
    told(swept("evidence", "verify", "--checkpoint", str(tmp_path / "none")), 2, str(tmp_path / "none"))


@pytest.mark.parametrize("content", [bytes(range(256)), b"", b"no checkpoint\n"], ids=["bytes", "empty", "text"])
def test_a_checkpoint_that_cannot_be_understood(swept: Installation, tmp_path: Path, content: bytes) -> None:
    garbage = tmp_path / "garbage"
    garbage.write_bytes(content)
    assert swept("evidence", "verify", "--checkpoint", str(garbage)).code in (2, 4)


def test_a_public_key_that_cannot_be_understood(swept: Installation) -> None:
    assert swept("evidence", "verify", "--vkey", "\x00garbage").code in (2, 4)


def test_before_the_first_sweep(install: Callable[[Path | None], Installation]) -> None:
    here = install(None)
    told(here("findings", "list"), 4, "next:")
    told(here("findings", "show", "F-AAA"), 4, "next:")
    told(here("evidence", "coverage"), 2, "monitor sweep")
    told(here("evidence", "verify"), 2, "monitor sweep")
    assert not here.evidence.exists(), "looking makes nothing"
    assert not here.key.exists(), "looking makes no key"


def test_a_record_of_a_log_that_is_not_there(install: Callable[[Path | None], Installation]) -> None:
    told(install(None)("evidence", "show", "1"), 2, "monitor sweep")


def test_a_database_of_an_older_schema_or_no_database(swept: Installation, tmp_path: Path) -> None:
    here = moved(swept, tmp_path)
    with sqlite3.connect(here.database) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '0000'")
    connection.close()
    for command in (("sweep", "--dry-run"), ("findings", "list"), ("findings", "show", "F-AAA")):
        told(here(*command), 4, "monitor db upgrade")
    for file in here.state.glob("monitor.db*"):
        file.unlink()
    here.database.write_bytes(b"this is no database, and never was one" * 100)
    for command in (("sweep", "--dry-run"), ("findings", "list"), ("db", "upgrade")):
        told(here(*command), 4, "monitor.db")


def moved(swept: Installation, folder: Path) -> Installation:
    """Return a copy of a swept installation that a test may spoil."""
    shutil.copytree(swept.folder, folder / "copy", symlinks=True)
    copy = Installation.__new__(Installation)
    copy.__dict__.update(
        {
            name: folder / "copy" / path.relative_to(swept.folder)
            for name, path in vars(swept).items()
            if name != "folder"
        }
    )
    copy.folder = folder / "copy"
    return copy


def test_an_evidence_folder_that_another_process_writes(swept: Installation, tmp_path: Path) -> None:
    here = moved(swept, tmp_path)
    holder = (
        "import fcntl, sys; f = open(sys.argv[1]); fcntl.flock(f, fcntl.LOCK_EX); "
        "print('held', flush=True); sys.stdin.read()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", holder, str(here.evidence / ".lock")], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as holding:
        assert holding.stdout is not None
        assert holding.stdout.readline() == b"held\n"
        told(here("sweep"), 4, "another sweep is running", "next:")
        assert here("evidence", "verify").code == 0, "reading needs no lock"
        assert here("findings", "list").code == 1
        holding.communicate()


def test_a_signing_key_that_cannot_be_read(swept: Installation, tmp_path: Path) -> None:
    here = moved(swept, tmp_path)
    good = here.key.read_bytes()
    for content in (b"", b"no key", bytes(range(256)), good.replace(b"PRIVATE", b"PUBLIC")):
        here.key.write_bytes(content)
        told(here("sweep", "--dry-run"), 4, str(here.key), "next:")
    here.key.unlink()
    here.key.mkdir()
    told(here("sweep", "--dry-run"), 4, str(here.key))


def test_evidence_is_looked_at_without_the_signing_key(swept: Installation, tmp_path: Path) -> None:
    # An auditor gets the evidence and the public key, never the private one.
    here = moved(swept, tmp_path)
    own = (here.evidence / "log.vkey").read_text().strip()
    here.key.unlink()
    assert here("evidence", "verify", "--vkey", own).code == 0
    assert here("evidence", "coverage").code == 0
    assert here("evidence", "show", "0").code == 0
    assert here("findings", "list").code == 1
    here("evidence", "verify")
    assert not here.key.exists(), "looking makes no key"


def test_output_that_nobody_reads_to_the_end(swept: Installation) -> None:
    program = [sys.executable, "-c", "from monitor.cli.app import main; main()", "config", "schema"]
    with subprocess.Popen(
        program, env=environment(), cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as running:
        assert running.stdout is not None
        assert running.stderr is not None
        running.stdout.read(1)
        running.stdout.close()
        assert b"Traceback" not in running.stderr.read()
        assert running.wait() in (0, 1, 141)


def test_captured_material_that_is_damaged(swept: Installation, tmp_path: Path, organisation: Path) -> None:
    broken = tmp_path / "captured"
    shutil.copytree(organisation / "api", broken / "api")
    (broken / "logs").mkdir()
    index = broken / "api" / "index.jsonl"
    good = index.read_bytes()
    index.write_bytes(b"{\n" + good)
    assert swept("sweep", "--dry-run", "--replay", str(broken)).code in (2, 3, 4)
    index.write_bytes(good)
    victim = next(path for path in (broken / "api" / "objects").rglob("*") if path.is_file())
    victim.write_bytes(b"altered")
    assert swept("sweep", "--dry-run", "--replay", str(broken)).code in (2, 3, 4)
