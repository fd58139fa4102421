"""Randomness that is the same on every Python: only `random()` and `getrandbits()` of a generator seeded by SHA-256."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Sequence
from itertools import accumulate
from typing import TypeVar

T = TypeVar("T")

BASE32 = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"
ALNUM = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"


def letters(text: str, length: int, alphabet: str = BASE32) -> str:
    """Return `length` letters that depend on nothing but the text: stable ids for roles and users."""
    number = int.from_bytes(hashlib.sha512(text.encode()).digest(), "big")
    out = []
    for _ in range(length):
        number, rest = divmod(number, len(alphabet))
        out.append(alphabet[rest])
    return "".join(out)


def principal(prefix: str, name: str) -> str:
    """Return a principal id such as AROA… (role) or AIDA… (user) that belongs to the name."""
    return prefix + letters(name, 17)


class Chance:
    """A stream of choices that depends on nothing but its seed's parts."""

    def __init__(self, *seed: object) -> None:
        digest = hashlib.sha256("\x1f".join(str(part) for part in seed).encode()).digest()
        self._random = random.Random(int.from_bytes(digest, "big"))
        self.bits = self._random.getrandbits
        self.fraction = self._random.random

    def below(self, limit: int) -> int:
        """Return a whole number in [0, limit)."""
        return int(self.fraction() * limit)

    def between(self, low: int, high: int) -> int:
        """Return a whole number in [low, high]."""
        return low + self.below(high - low + 1)

    def pick(self, items: Sequence[T]) -> T:
        """Return one of the items, each as likely."""
        return items[self.below(len(items))]

    def chosen(self, weights: Sequence[float]) -> int:
        """Return an index, as likely as its weight."""
        point = self.fraction() * sum(weights)
        for index, edge in enumerate(accumulate(weights)):
            if point < edge:
                return index
        return len(weights) - 1

    def normal(self) -> float:
        """Return a number that is about normal(0, 1): twelve uniform ones added up, so no platform's libm matters."""
        return sum(self.fraction() for _ in range(12)) - 6.0

    def text(self, length: int, alphabet: str = ALNUM) -> str:
        """Return `length` letters of the alphabet."""
        return "".join(self.pick(alphabet) for _ in range(length))

    def uuid(self) -> str:
        """Return a version 4 UUID."""
        h = f"{self.bits(128):032x}"
        return f"{h[:8]}-{h[8:12]}-4{h[13:16]}-a{h[17:20]}-{h[20:]}"

    def hex(self, length: int) -> str:
        """Return lower-case hex digits, as resource ids have them."""
        return f"{self.bits(length * 4):0{length}x}"

    def access_key(self, prefix: str = "ASIA") -> str:
        """Return an access key id: ASIA… for temporary, AKIA… for long-lived credentials."""
        return prefix + self.text(16, BASE32)
