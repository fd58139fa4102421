"""The life of one finding for a person: the sweeps that judged or moved it, and the waiver that it is under."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from monitor.cli.show import clean, coloured, moment, safe, say, table

if TYPE_CHECKING:
    from monitor.expected.waivers import Waiver
    from monitor.store.acknowledging import Acknowledgement
    from monitor.store.views import Sighting

_SHOWN = 20


def print_waiver(name: str, waiver: Waiver | None) -> None:
    """Print a waiver whole; one that is no longer in the file, by its name."""
    if waiver is None:
        say(
            f"Waiver      {safe(name, 64)}, which is no longer in config/waivers.yaml: the next sweep reopens the finding"
        )
        return
    say(f"Waiver      {safe(waiver.id, 64)} from {moment(waiver.from_)} until {moment(waiver.until)}")
    say(f"            asked for by {safe(waiver.requester, 100)}, approved by {safe(waiver.approver, 100)}")
    say(f"            ticket {safe(waiver.ticket, 200)}: {safe(waiver.reason, 600)}")
    most = f", up to severity {waiver.severity_at_most.value}" if waiver.severity_at_most else ""
    reach = f"{', '.join(waiver.checks)} on {waiver.kind} {', '.join(waiver.patterns)}"
    say(f"            covers {safe(reach, 600)}{most}")


def print_acknowledgements(taken: Sequence[Acknowledgement]) -> None:
    """Print who has taken a finding up."""
    for one in taken:
        since = ", before it was reopened" if one.reopened_since else ""
        say(f"Taken up    by {safe(one.who, 80)}, {moment(one.at)}{since}")


def print_life(sightings: Sequence[Sighting]) -> None:
    """Print what each sweep did to a finding, newest last; of many the last ones."""
    table(
        ["sweep", "judged at", "did", "outcome", "entry"],
        [
            [clean(one.sweep, 60), moment(one.at), one.step.value, coloured(one.outcome.value), str(one.result_index)]
            for one in sightings[-_SHOWN:]
        ],
    )
    if len(sightings) > _SHOWN:
        say(f"and {len(sightings) - _SHOWN} before them: --format json lists them all")
