"""A real `monitor` process that dies (SIGKILL) before its n-th operation on files below a folder, or tells how many it made.

Run as `python -m tests.fakes.crashing FOLDER N ARGUMENT…`. N = 0 lets it live and prints the count on standard error.
The operations are those that Python audits: https://docs.python.org/3/library/audit_events.html
"""

from __future__ import annotations

import os
import signal
import sys

_CHANGES = frozenset({"os.rename", "os.remove", "os.mkdir", "os.link", "sqlite3.connect"})


def main() -> None:
    """Run the command that the arguments tell."""
    folder, fatal = sys.argv[1], int(sys.argv[2])
    made = 0

    def watch(event: str, arguments: tuple[object, ...]) -> None:
        nonlocal made
        if event == "open":
            mode, flags = arguments[1], arguments[2]
            if not (isinstance(flags, int) and flags & (os.O_WRONLY | os.O_RDWR)) and not (
                isinstance(mode, str) and set(mode) & set("wax+")
            ):
                return
        elif event not in _CHANGES:
            return
        if folder not in str(arguments[0]):
            return
        made += 1
        if made == fatal:
            os.kill(os.getpid(), signal.SIGKILL)

    from monitor.cli.app import main as monitor

    sys.addaudithook(watch)
    sys.argv = ["monitor", *sys.argv[3:]]
    try:
        monitor()
    finally:
        if not fatal:
            sys.stderr.write(f"operations: {made}\n")


if __name__ == "__main__":
    main()
