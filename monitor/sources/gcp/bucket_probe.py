"""What `monitor doctor` asks of the bucket that a sink fills: may it be listed, may a file be read, and are there any."""

from __future__ import annotations

from collections.abc import Iterator

from monitor.decode.gcp_catalogue import LOGS
from monitor.errors import SourceError
from monitor.sources.objects import Location, Objects
from monitor.sources.probe import Probed, State, failed


def bucket(location: Location, store: Objects) -> Iterator[Probed]:
    """Yield what own credentials may do there. Never raises for what Google Cloud does."""
    part = f"Google Cloud bucket {location.bucket}"
    asked = "storage.objects.list"
    try:
        logs = [log for log in LOGS if store.folders(f"{log}/")]
        yield Probed(part=part, asked=asked, state=State.GOOD)
        if not logs:
            yield Probed(
                part=part,
                asked="storage.objects.get",
                state=State.UNKNOWN,
                told=f"there is no file of the audit log under {location}, so that none could be read",
                todo="check gcp.logs.location, and the sink's destination: the first files take up to three hours",
            )
            return
        folder = f"{logs[0]}/"
        for _ in ("year", "month", "day"):
            folder += f"{max(store.folders(folder), default='')}/"
        newest = max(info.key for info in store.walk(folder))
        asked = "storage.objects.get"
        store.read(newest)
        yield Probed(part=part, asked=asked, state=State.GOOD, told=f"the newest file is {newest}")
    except SourceError as error:
        yield failed(part, asked, error)
    except ValueError:
        yield Probed(part=part, asked=asked, state=State.UNKNOWN, told=f"{folder} holds no file: no sink writes there")
