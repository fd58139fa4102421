"""The actions of one provider as bits: a set of actions is one integer, and a pattern is evaluated once. Pure.

Names are kept in the order of their letters, so that what begins alike lies together: `s3:Get*` is one run of bits, found by
two searches. An action that no catalogue knows can be added (`extended`), and counts as a write.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Hashable, Iterable, Mapping
from itertools import compress, groupby
from typing import Any

from monitor.iam.wildcards import compiled, includes, wild

AWS, GCP = "aws", "gcp"
# What a catalogue remembers is bounded, so that no input fills the machine.
_MOST_PATTERNS = 8_192
_MOST_NAMES = 2_000_000
_MOST_EXTENDED = 16
_READS = frozenset({"read", "list"})
_LAST = "\U0010ffff"
_DENSE = 512
_ONES = bytes.maketrans(b"01", b"\0\1")
_BITS = tuple(tuple(bit for bit in range(8) if byte >> bit & 1) for byte in range(256))
_SOME = re.compile(rb"[^\0]")
# Permissions of GCP have no published levels; the verb at their end tells, but for those that hand something out.
# https://cloud.google.com/iam/docs/roles-overview#permissions
_LOOKS = re.compile(r"(?:get|list|aggregatedList|search|query|lookup|fetch)(?:[A-Z].*)?")
_READING = re.compile(r"[a-z0-9-]+:(?:Get|List|Describe|BatchGet)\w*\*", re.IGNORECASE)
_HANDS_OUT = re.compile(r"Token|Credential|Key|Secret|Password|Jwt", re.IGNORECASE)


class Catalogue:
    """All actions of one provider, each with a bit. It never changes; what is derived from it is remembered in `memory`.

    `names` are the actions as documented (the index is the bit), `reads` the bits of those that only read or list, and
    `everything` all bits.
    """

    def __init__(
        self, provider: str, version: str, names: tuple[str, ...], reads: int, index: dict[str, int], keys: list[str]
    ) -> None:
        """Make one of names of which `index` and `keys` know the first, sorted; `of` and `extended` call it."""
        self.provider = provider
        self.version = version
        self.names = names
        self.reads = reads
        self.everything = (1 << len(names)) - 1
        self._index = index
        self._keys = keys
        self._more = {self._key(names[bit]): bit for bit in range(len(keys), len(names))}
        self._patterns: dict[str, int] = {}
        self._names: dict[int, tuple[str, ...]] = {}
        self._room = _MOST_NAMES
        self._extended: dict[tuple[str, ...], Catalogue] = {}
        self._services: dict[str, int] | None = None
        self.memory: dict[Hashable, Any] = {}

    @classmethod
    def of(cls, provider: str, version: str, levels: Mapping[str, str]) -> Catalogue:
        """Return the catalogue of these actions with their access levels (Read, List, Write …; for GCP may be empty)."""
        fold = str.lower if provider == AWS else str
        unique = {fold(name): name for name in sorted(levels, reverse=True)}
        keys = sorted(unique)
        names = tuple(unique[key] for key in keys)
        reads = 0
        for bit, name in enumerate(names):
            if levels[name].lower() in _READS or (provider == GCP and not levels[name] and only_looks(name)):
                reads |= 1 << bit
        return cls(provider, version, names, reads, {key: bit for bit, key in enumerate(keys)}, keys)

    def _key(self, text: str) -> str:
        return text.lower() if self.provider == AWS else text

    def bits(self, pattern: str) -> int:
        """Return the bits of all actions that a pattern stands for; 0 if there are none."""
        found = self._patterns.get(pattern)
        if found is None:
            found = self._expanded(self._key(pattern))
            if len(self._patterns) >= _MOST_PATTERNS:
                self._patterns.clear()
            self._patterns[pattern] = found
        return found

    def _expanded(self, key: str) -> int:
        if not wild(key):
            return self._single(key)
        start = re.split(r"[*?]", key, maxsplit=1)[0]
        low = bisect_left(self._keys, start)
        high = bisect_left(self._keys, start + _LAST)
        rest = key[len(start) :]
        if high <= low:
            found = 0
        elif not rest.strip("*"):
            found = ((1 << (high - low)) - 1) << low
        else:
            match = compiled(key).fullmatch
            told = "".join("1" if match(self._keys[bit]) else "0" for bit in range(high - 1, low - 1, -1))
            found = int(told, 2) << low
        for more, bit in self._more.items():
            if includes(key, more):
                found |= 1 << bit
        return found

    def _single(self, key: str) -> int:
        bit = self._index.get(key, self._more.get(key))
        return 0 if bit is None else 1 << bit

    def bit(self, action: str) -> int:
        """Return the bit of one action by its name (any case for AWS), or 0 if it is not known."""
        return self._single(self._key(action))

    def named(self, bits: int) -> tuple[str, ...]:
        """Return the names of the actions in a set, sorted. The same set gives the same tuple."""
        found = self._names.get(bits)
        if found is None:
            found = tuple(sorted(self._spelt(bits & self.everything)))
            if len(found) > self._room:
                self._names.clear()
                self._room = _MOST_NAMES
            self._room -= len(found) + 1
            self._names[bits] = found
        return found

    def _spelt(self, bits: int) -> Iterable[str]:
        if bits.bit_count() > _DENSE:
            return compress(self.names, format(bits, "b")[::-1].encode().translate(_ONES))
        data = bits.to_bytes((bits.bit_length() + 7) // 8, "little")
        return [self.names[8 * at.start() + bit] for at in _SOME.finditer(data) for bit in _BITS[data[at.start()]]]

    @property
    def services(self) -> Mapping[str, int]:
        """Return each service (the part before the first `:`, or `.` for GCP) with the bits of its actions."""
        if self._services is None:
            found: dict[str, int] = {}
            low = 0
            # Actions of a service lie together, but for those that were added.
            for service, members in groupby(self.names, lambda name: service_of(name, self.provider)):
                high = low + sum(1 for _ in members)
                found[service] = found.get(service, 0) | ((1 << (high - low)) - 1) << low
                low = high
            self._services = dict(sorted(found.items()))
        return self._services

    def served(self, bits: int) -> tuple[str, ...]:
        """Return the services of which a set has any action, sorted."""
        if bits.bit_count() <= _DENSE:
            return tuple(sorted({service_of(name, self.provider) for name in self.named(bits)}))
        return tuple(service for service, mask in self.services.items() if bits & mask)

    def extended(self, patterns: Iterable[str]) -> Catalogue:
        """Return a catalogue that also knows those of the patterns that stand for no action here.

        Each counts as a write. A wildcard pattern becomes one action, named as it was written; of a service that is known,
        one such as `rds:Get*`, that could only ever read, counts as a read.
        """
        missing: dict[str, str] = {}
        for pattern in sorted({one for one in patterns if one and not self.bits(one)}):
            missing.setdefault(self._key(pattern), pattern)
        if not missing:
            return self
        names = tuple(missing[key] for key in sorted(missing))
        more = self._extended.get(names)
        if more is None:
            reads = self.reads
            for bit, name in enumerate(names, len(self.names)):
                if _READING.fullmatch(name) and service_of(name, self.provider) in self.services:
                    reads |= 1 << bit
            more = Catalogue(self.provider, self.version, self.names + names, reads, self._index, self._keys)
            if len(self._extended) >= _MOST_EXTENDED:
                self._extended.clear()
            self._extended[names] = more
        return more


def service_of(action: str, provider: str = AWS) -> str:
    """Return the service of an action or pattern: what stands before the first `:`, or `.` for GCP; in lower case for AWS."""
    return action.partition(":")[0].lower() if provider == AWS else action.partition(".")[0]


def only_looks(permission: str) -> bool:
    """Return whether a permission of GCP only reads or lists, as far as its name tells; if not, it counts as a write."""
    verb = permission.rpartition(".")[2]
    return _LOOKS.fullmatch(verb) is not None and _HANDS_OUT.search(verb) is None
