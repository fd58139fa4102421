"""`monitor init`: a configuration of one's own, commented, valid at once, without the example's entries."""

from __future__ import annotations

import re
import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from monitor.cli.show import complain, safe, say

if TYPE_CHECKING:
    from monitor.cli.starting import Answers

_COPIED = ("controls.yaml", "access", "schema")
"""What a new configuration takes over from the packaged one as it is."""
_POLICY = "access/aws-read-only-policy.json"


def init(
    folder: Annotated[Path, typer.Argument(help="Where to write it; it is made if need be.")] = Path("config"),
    aws: Annotated[
        list[str] | None, typer.Option(metavar="ACCOUNT", help="A production account of AWS; may be given again.")
    ] = None,
    github: Annotated[str | None, typer.Option(metavar="ORG", help="Your organisation on GitHub.")] = None,
    gcp: Annotated[str | None, typer.Option(metavar="PROJECT", help="A production project of Google Cloud.")] = None,
    bucket: Annotated[str | None, typer.Option(help="The bucket that your trail delivers to, with its prefix.")] = None,
    name: Annotated[str | None, typer.Option(help="Your organisation's name, as reports show it.")] = None,
    force: Annotated[bool, typer.Option("--force", help="Write over files that are there.")] = False,
) -> None:
    """Write a commented configuration for your organisation. It asks only on a terminal, and only if it was told nothing.

    Example: monitor init config --aws 111122223333 --github example-org
    """
    from monitor.cli import clock, starting

    now = clock.now().replace(microsecond=0)
    answers = starting.Answers(
        at=now,
        organisation=_text(name),
        accounts=tuple(dict.fromkeys(aws or ())),
        bucket=(bucket or "").removeprefix("s3://").strip("/"),
        github=github or "",
        project=gcp or "",
    )
    if not (answers.accounts or answers.github or answers.project):
        answers = _asked(answers) if sys.stdin.isatty() and sys.stdout.isatty() else _both(answers)
    written = write(folder, answers, force=force)
    _tell(folder, answers, written)


def write(folder: Path, answers: Answers, *, force: bool) -> list[str]:
    """Write the configuration and return the paths of its files, sorted. Raises ConfigError.

    Either all of it is right and written, or nothing is touched: an answer that is none is told before.
    """
    from monitor.cli import starting
    from monitor.errors import ConfigError

    _examine(answers)
    texts = starting.files(answers)
    for path in _packaged():
        text = path.read_text()
        name = path.relative_to(packaged()).as_posix()
        texts[name] = starting.policy(text, answers) if name == _POLICY and answers.aws else text
    there = sorted(name for name in texts if (folder / name).exists())
    if there and not force:
        some = ", ".join(there[:3]) + (f" and {len(there) - 3} more" if len(there) > 3 else "")
        raise ConfigError(
            f"{folder} holds a configuration already: {some}",
            todo="name another folder, or give --force to write over it",
        )
    for name, text in sorted(texts.items()):
        place = folder / name
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(text)
    return sorted(texts)


def packaged() -> Path:
    """Return the folder of the packaged configuration: inside the package if installed from a wheel, else config/."""
    import monitor

    package = Path(monitor.__file__).parent
    installed = package / "_configuration"
    return installed if installed.is_dir() else package.parent / "config"


def _packaged() -> list[Path]:
    from monitor.errors import ConfigError

    found = [path for name in _COPIED for path in _below(packaged() / name)]
    if not found:
        raise ConfigError(f"the files to copy are not in {packaged()}", todo="install the monitor again")
    return found


def _below(path: Path) -> list[Path]:
    return sorted(one for one in path.rglob("*") if one.is_file()) if path.is_dir() else [path] * path.is_file()


def _examine(answers: Answers) -> None:
    """Raise ConfigError for an answer that the configuration would not take: before anything is written."""
    from monitor.errors import ConfigError

    wrong = [f"--aws {safe(one, 40)}: an account has 12 digits" for one in answers.accounts if not _ACCOUNT(one)]
    # https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html
    if answers.bucket and not _BUCKET(answers.bucket.partition("/")[0]):
        wrong.append(f"--bucket {safe(answers.bucket, 80)}: that is not the name of a bucket")
    if answers.github and not _ORGANISATION(answers.github):
        wrong.append(f"--github {safe(answers.github, 80)}: that is not the name of an organisation")
    if answers.project and not _PROJECT(answers.project):
        wrong.append(f"--gcp {safe(answers.project, 80)}: write the project's id, not its number or name")
    if wrong:
        raise ConfigError("this cannot be written", problems=tuple(wrong), todo="mend it; nothing was written")


_ACCOUNT = re.compile(r"\d{12}", re.ASCII).fullmatch
_BUCKET = re.compile(r"(?!.*\.\.)[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]").fullmatch
_ORGANISATION = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9_]|-(?=[A-Za-z0-9_])){0,38}").fullmatch
# https://cloud.google.com/resource-manager/docs/creating-managing-projects
_PROJECT = re.compile(r"[a-z][a-z0-9-]{4,28}[a-z0-9]").fullmatch


def _text(name: str | None) -> str:
    return "".join(c for c in name or "" if c.isprintable()).strip()[:200]


def _both(answers: Answers) -> Answers:
    import msgspec

    return msgspec.structs.replace(answers, aws_wanted=True, github_wanted=True)


def _asked(answers: Answers) -> Answers:
    """Return what the person at the terminal answers; an empty answer leaves a provider out."""
    import msgspec

    say("Four questions; an empty answer leaves it out. Nothing is asked of any provider, and nothing is sent.")
    organisation = answers.organisation or typer.prompt("Your organisation's name", default="", show_default=False)
    accounts = typer.prompt("AWS production accounts, with commas between", default="", show_default=False)
    numbers = tuple(dict.fromkeys(one for one in re.split(r"[,\s]+", accounts) if one))
    bucket = answers.bucket
    if numbers and not bucket:
        bucket = typer.prompt("The bucket of your CloudTrail", default="", show_default=False)
    github = typer.prompt("Your organisation on GitHub", default="", show_default=False)
    project = typer.prompt("A production project of Google Cloud (its id)", default="", show_default=False)
    told = msgspec.structs.replace(
        answers,
        organisation=_text(organisation),
        accounts=numbers,
        bucket=bucket.strip().removeprefix("s3://").strip("/"),
        github=github.strip(),
        project=project.strip(),
    )
    return told if told.accounts or told.github or told.project else _both(told)


def _tell(folder: Path, answers: Answers, written: list[str]) -> None:
    from monitor.cli import starting

    say(f"{len(written)} files were written to {safe(folder)}.")
    left = starting.marked({name: (folder / name).read_text() for name in written if name.endswith(".yaml")})
    if left:
        say(
            f"{len(left)} lines are placeholders, valid but not yours: {', '.join(map(safe, left[:6]))}"
            + " …" * (len(left) > 6)
        )
    if answers.aws:
        say(f"Grant:   {safe(folder / _POLICY)}, to the role {starting.ROLE} and to the monitor's own identity")
    if answers.forge:
        say(f"         {safe(folder / 'access/github-app-manifest.json')}: a GitHub App that only reads")
    if answers.project:
        say(f"         {safe(folder / 'access/gcp-read-only-role.yaml')}: a custom role of Google Cloud")
    also = "" if folder == Path("config") else f" --config {shlex.quote(str(folder))}"
    say("Next:")
    for command in ("config check", "doctor", "sweep --dry-run"):
        say(f"  monitor {command}{safe(also)}")
    complain("state (database, keys, evidence) will be kept beside the configuration, in var/: out of version control")
