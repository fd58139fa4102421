"""Patterns of branches: the forge's, which are Ruby's `File.fnmatch` with path rules, and the plainer ones of expected state.

A pattern becomes a row of tokens that walks over the name once, all places that it can be in at the same time (one bit
each). So the time is at most the product of the two lengths, whatever the pattern, and nothing here raises on any text.
"""

from __future__ import annotations

from functools import lru_cache

_RUN, _ANY, _FOLDERS = "run", "any", "folders"


class Glob:
    """A pattern that was read. `fnmatch`: sets in brackets and escapes are read too, as the forge does.

    `*` and `?` never match a `/`. `**/` at the start of a segment is any number of whole segments, or none. Any other `**`
    is a `*` with `fnmatch` (as in Ruby), else a run that crosses `/`.
    """

    def __init__(self, pattern: str, *, fnmatch: bool) -> None:
        self.literal = ""
        """The text that every match begins with."""
        self._singles: dict[str, int] = {}
        """Bits of the tokens that match this very character."""
        self._sets: list[tuple[int, bool, tuple[tuple[str, str], ...]]] = []
        self._runs = self._anys = self._folders = self._wild = 0
        bit, at, plain = 1, 0, True
        while at < len(pattern):
            letter, rest = pattern[at], at + 1
            if letter == "*":
                while rest < len(pattern) and pattern[rest] == "*":
                    rest += 1
                kind = _RUN if fnmatch or rest - at == 1 else _ANY
                if rest - at == 2 and pattern[rest : rest + 1] == "/" and (at == 0 or pattern[at - 1] == "/"):
                    kind, rest = _FOLDERS, rest + 1
                    while pattern.startswith("**/", rest):
                        rest += 3
                self._runs |= bit if kind == _RUN else 0
                self._anys |= bit if kind == _ANY else 0
                self._folders |= bit if kind == _FOLDERS else 0
                plain = False
            elif letter == "?":
                self._wild |= bit
                plain = False
            elif letter == "[" and fnmatch:
                rest = self._read_set(pattern, rest, bit)
                plain = False
            else:
                if letter == "\\" and fnmatch and rest < len(pattern):
                    letter, rest = pattern[rest], rest + 1
                self._singles[letter] = self._singles.get(letter, 0) | bit
                self.literal += letter if plain else ""
            bit, at = bit << 1, rest
        self._end = bit

    def _read_set(self, pattern: str, at: int, bit: int) -> int:
        """Read `abc]` or `^a-z]`, and return where it ends. A set without its end matches nothing, as in Ruby."""
        refuses = pattern[at : at + 1] in ("!", "^")
        at += refuses
        spans: list[tuple[str, str]] = []
        while at < len(pattern) and pattern[at] != "]":
            at += pattern[at] == "\\"
            low = high = pattern[at : at + 1]
            at += 1
            if pattern[at : at + 1] == "-" and pattern[at + 1 : at + 2] not in ("", "]"):
                at += 2 if pattern[at + 1] == "\\" else 1
                high = pattern[at : at + 1]
                at += 1
            spans.append((low, high))
        if at < len(pattern):
            self._sets.append((bit, refuses, tuple(spans)))
        return at + 1

    def matches(self, name: str) -> bool:
        """Return whether the pattern stands for the whole name."""
        if not name.startswith(self.literal):
            return False
        places = self._spread(1, boundary=True)
        takers = {letter: self._takers(letter) for letter in set(name)}
        for letter in name:
            one, stay = takers[letter]
            places = self._spread(((places & one) << 1) | (places & stay), boundary=letter == "/")
            if not places:
                return False
        return bool(places & self._end)

    def _takers(self, letter: str) -> tuple[int, int]:
        """Return the tokens that take the letter and are done, and those that take it and stay."""
        one, stay = self._singles.get(letter, 0), self._anys | self._folders
        if letter != "/":
            one, stay = one | self._wild, stay | self._runs
            for bit, refuses, spans in self._sets:
                if any(low <= letter <= high for low, high in spans) is not refuses:
                    one |= bit
        return one, stay

    def _spread(self, places: int, *, boundary: bool) -> int:
        """Add the places that are reached without a letter: a run may be empty, folders may end where a segment does."""
        free = self._runs | self._anys | (self._folders if boundary else 0)
        while more := ((places & free) << 1) & ~places:
            places |= more
        return places


@lru_cache(maxsize=4096)
def _read(pattern: str, fnmatch: bool) -> Glob:
    return Glob(pattern, fnmatch=fnmatch)


def fnmatches(pattern: str, branch: str) -> bool:
    """Return whether a pattern of a protection rule stands for the branch, as GitHub matches it.

    https://docs.github.com/en/repositories/configuring-branches-and-merges-in-your-repository/managing-rulesets/creating-rulesets-for-a-repository
    """
    return _read(pattern, True).matches(branch)


def glob_matches(pattern: str, name: str) -> bool:
    """Return whether a pattern of expected state stands for the name: `*` and `?` never cross a `/`, `**` does."""
    return _read(pattern, False).matches(name)


def covers(allowed: str, pattern: str) -> bool:
    """Return whether a pattern of expected state stands for all that a forge's pattern does; False where that is not plain."""
    if not set(pattern) & set("*?[\\"):
        return glob_matches(allowed, pattern)
    start, star, rest = allowed.partition("*")
    if not star or set(start) & set("?[\\") or not pattern.startswith(start):
        return False
    return rest == "*" or (not rest and "/" not in pattern[len(start) :])


def pattern_matches(pattern: str, branch: str, default_branch: str) -> bool:
    """Return whether a pattern of expected state, or `~DEFAULT_BRANCH`, stands for the branch."""
    if pattern == "~DEFAULT_BRANCH":
        return bool(branch) and branch == default_branch
    return glob_matches(pattern, branch)


def environment_matches(pattern: str, environment: str) -> bool:
    """Return whether a pattern of environments stands for the name; case is all one to the forge, and `*` crosses all.

    https://docs.github.com/en/actions/reference/workflows-and-actions/deployments-and-environments
    """
    return glob_matches(pattern.lower().replace("/", "\0").replace("*", "**"), environment.lower().replace("/", "\0"))
