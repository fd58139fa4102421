"""The `monitor` command as a person runs it, within this process: what it prints, and its exit code."""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from typing import Any, NamedTuple

from monitor.cli.app import main


class Ran(NamedTuple):
    """What a command came to. An error without words for a person (a traceback) is never caught here."""

    code: int
    output: bytes
    errors: str

    @property
    def text(self) -> str:
        """Return standard output as text."""
        return self.output.decode()

    @property
    def json(self) -> Any:
        """Return standard output as the one JSON document that it must be."""
        return json.loads(self.output)


def monitor(*arguments: str, stdin: bytes = b"") -> Ran:
    """Run `monitor` with these arguments; a traceback would fail the test that runs it."""
    output = io.TextIOWrapper(io.BytesIO(), encoding="utf-8", write_through=True)
    errors = io.StringIO()
    given = io.TextIOWrapper(io.BytesIO(stdin), encoding="utf-8")
    code: object = 0
    with (
        _asked(["monitor", *arguments], given),
        redirect_stdout(output),
        redirect_stderr(errors),
    ):
        try:
            main()
        except SystemExit as ended:
            code = ended.code or 0
    assert isinstance(code, int), code
    buffer = output.buffer
    assert isinstance(buffer, io.BytesIO)
    return Ran(code, buffer.getvalue(), errors.getvalue())


@contextmanager
def _asked(arguments: list[str], given: io.TextIOWrapper) -> Iterator[None]:
    before = sys.argv, sys.stdin
    sys.argv, sys.stdin = arguments, given
    try:
        yield
    finally:
        sys.argv, sys.stdin = before
