"""A sweep of some of the sources: which checks it can judge, and whether it would take something from the others. Pure.

A check is judged only where every configured source that gives it facts is read: with a part of them it would say unknown,
or worse, nothing, of what nobody asked it about. Those that are left out are not run and not reported.
"""

from __future__ import annotations

from collections.abc import Sequence

from monitor.errors import ConfigError
from monitor.facts.access import Access
from monitor.facts.change import ChangeEvent, ChangeSession
from monitor.facts.identity import Identity
from monitor.model import Check
from monitor.sources.ports import Source

_MADE_OF: dict[type, type] = {ChangeEvent: ChangeSession, Identity: Access}
"""What a sweep makes of facts before it judges them."""


def subset(
    sources: Sequence[Source], checks: Sequence[Check], names: Sequence[str]
) -> tuple[tuple[Source, ...], tuple[Check, ...]]:
    """Return the sources of these names, and the checks that they suffice for; without names, all of both.

    Raises ConfigError for a name that is no source's, where no check can be judged, and where a fact that is read only once
    would not be judged by all checks that it is for.
    """
    if not names:
        return tuple(sources), tuple(checks)
    known = [source.name for source in sources]
    strange = sorted({name for name in names if name not in known})
    if strange:
        raise ConfigError(f"no source is called {', '.join(strange)}", todo=f"choose from: {', '.join(known)}")
    chosen = tuple(source for source in sources if source.name in names)
    lacking = {check.id: [s.name for s in givers(check, sources) if s.name not in names] for check in checks}
    for check in checks:
        for source in chosen:
            if lacking[check.id] and _gives(source.once, check):
                raise ConfigError(
                    f"what {source.name} reads it reads once, and {check.id} would not judge it, for it needs "
                    f"{', '.join(lacking[check.id])} too",
                    todo=f"add {', '.join(lacking[check.id])} to the schedule's sources, or take {source.name} out",
                )
    judged = tuple(check for check in checks if givers(check, chosen) and not lacking[check.id])
    if not judged:
        raise ConfigError(
            f"no check can be judged with {', '.join(names)} alone", todo="add the sources that their checks need too"
        )
    return chosen, judged


def givers(check: Check, sources: Sequence[Source]) -> list[Source]:
    """Return the sources that give a check facts."""
    return [source for source in sources if _gives(source.provides, check)]


def _gives(kinds: Sequence[type], check: Check) -> bool:
    return any(issubclass(kind, check.facts) or issubclass(_MADE_OF.get(kind, kind), check.facts) for kind in kinds)
