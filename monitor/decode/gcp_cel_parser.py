"""Reads an expression of the Common Expression Language into a tree. Pure; bounded in length and depth.

https://github.com/google/cel-spec/blob/master/doc/langdef.md (syntax). What the tree's readers do not know is kept as a node
of its kind: reading says nothing about meaning.
"""

from __future__ import annotations

import re

import msgspec

LONGEST = 4096
"""Google takes no longer condition: …/iam/docs/reference/rest/v1/projects.locations.workloadIdentityPools.providers"""
DEEPEST = 50
_TOKEN = re.compile(
    r"""(?P<blank>(?:[ \t\r\n\f]+|//[^\r\n]*)+)"""
    r"""|(?P<text>(?:[rR][bB]?|[bB][rR]?)?(?:\"\"\"|'''|\"|'))"""
    r"""|(?P<number>(?:0[xX][0-9a-fA-F]+[uU]?)|(?:[0-9]+(?:\.[0-9]+)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?[uU]?)"""
    r"""|(?P<name>[A-Za-z_][A-Za-z0-9_]*)"""
    r"""|(?P<sign>&&|\|\||==|!=|<=|>=|[-+*/%<>!?:.,()\[\]{}])"""
)
_ESCAPES = {
    "a": "\a", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v",
    "\\": "\\", "'": "'", '"': '"', "`": "`", "?": "?",
}  # fmt: skip
_CODES = re.compile(r"[xX]([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|([0-3][0-7]{2})")
_OCTAL = 4
_RANKS = {
    sign: rank
    for rank, signs in enumerate(
        (("||",), ("&&",), ("==", "!=", "<", "<=", ">", ">=", "in"), ("+", "-"), ("*", "/", "%"))
    )
    for sign in signs
}
_WORDS = {"true": True, "false": False, "null": None}


class Unreadable(Exception):
    """The text is no expression, or is longer or deeper than what is read."""


class Literal(msgspec.Struct, frozen=True):
    """A text, true, false or null."""

    value: str | bool | None


class Name(msgspec.Struct, frozen=True):
    """A name and the fields after it: `assertion.repository` or `assertion['repository']` is ("assertion", "repository").

    `picked` tells that the last field was picked with a dot, which `has()` demands.
    """

    path: tuple[str, ...]
    picked: bool = True


class Items(msgspec.Struct, frozen=True):
    """A list."""

    items: tuple[Node, ...]


class Call(msgspec.Struct, frozen=True):
    """A function, or (with `target`) a method."""

    name: str
    target: Node | None
    arguments: tuple[Node, ...]


class Operation(msgspec.Struct, frozen=True):
    """An operator and what it works on. `&&` and `||` hold all operands of a chain; `?` holds condition, then, else."""

    sign: str
    parts: tuple[Node, ...]


class Other(msgspec.Struct, frozen=True):
    """Anything else: numbers, bytes, maps, fields of what is no name."""

    what: str


Node = Literal | Name | Items | Call | Operation | Other


def parse(expression: str) -> Node:
    """Return the tree of an expression. Raises Unreadable, and nothing else."""
    if len(expression) > LONGEST:
        raise Unreadable(f"it is longer than {LONGEST} characters")
    reader = _Reader(_tokens(expression))
    found = reader.whole()
    if reader.kind != "end":
        raise Unreadable("something follows its end")
    return found


def _tokens(text: str) -> list[tuple[str, str]]:
    found: list[tuple[str, str]] = []
    at = 0
    while at < len(text):
        match = _TOKEN.match(text, at)
        if match is None:
            raise Unreadable("it has a character that means nothing")
        kind, word, at = str(match.lastgroup), match.group(), match.end()
        if kind == "text":
            value, at = _text(text, at, word)
            found.append(("bytes" if "b" in word.lower() else "text", value))
        elif kind != "blank":
            found.append((kind, word))
    return [*found, ("end", "")]


def _text(text: str, at: int, opening: str) -> tuple[str, int]:
    """Return the text that starts after the opening quote, and where it ends."""
    quote = opening.lstrip("rRbB")
    raw = "r" in opening.lower()
    parts: list[str] = []
    while not text.startswith(quote, at):
        if at >= len(text):
            raise Unreadable("a text has no end")
        letter = text[at]
        if letter in "\r\n" and len(quote) == 1:
            raise Unreadable("a text runs over the end of its line")
        if letter == "\\" and not raw:
            value, at = _escape(text, at + 1)
            parts.append(value)
        else:
            parts.append(letter)
            at += 1
    return "".join(parts), at + len(quote)


def _escape(text: str, at: int) -> tuple[str, int]:
    letter = text[at : at + 1]
    if letter in _ESCAPES:
        return _ESCAPES[letter], at + 1
    match = _CODES.match(text, at)
    if match is None or match.lastindex is None:
        raise Unreadable("a text has an escape that means nothing")
    code = int(match.group(match.lastindex), 8 if match.lastindex == _OCTAL else 16)
    if code > 0x10FFFF or 0xD800 <= code <= 0xDFFF:
        raise Unreadable("a text has an escape that means nothing")
    return chr(code), match.end()


class _Reader:
    """Walks over the tokens once. Every way down into itself counts as a level."""

    def __init__(self, tokens: list[tuple[str, str]]) -> None:
        self.tokens = tokens
        self.at = 0
        self.depth = 0

    @property
    def kind(self) -> str:
        return self.tokens[self.at][0]

    def sees(self, *words: str) -> bool:
        """Return whether a sign (or the word `in`) is next."""
        kind, word = self.tokens[self.at]
        return word in words and kind in ("sign", "name")

    def take(self, word: str) -> bool:
        if not self.sees(word):
            return False
        self.at += 1
        return True

    def demand(self, word: str) -> None:
        if not self.take(word):
            raise Unreadable(f"it lacks a {word}")

    def deeper(self, levels: int) -> None:
        self.depth += levels
        if self.depth > DEEPEST:
            raise Unreadable(f"it is nested deeper than {DEEPEST}")

    def whole(self) -> Node:
        self.deeper(1)
        found = self.chain(0)
        if self.take("?"):
            then = self.chain(0)
            self.demand(":")
            found = Operation("?", (found, then, self.whole()))
        self.deeper(-1)
        return found

    def chain(self, loosest: int) -> Node:
        """Read operands that operators hold together, none looser than this rank."""
        found = self.single()
        while True:
            kind, sign = self.tokens[self.at]
            rank = _RANKS.get(sign) if kind in ("sign", "name") else None
            if rank is None or rank < loosest:
                return found
            self.at += 1
            right = self.chain(rank + 1)
            if sign in ("&&", "||") and isinstance(found, Operation) and found.sign == sign:
                found = Operation(sign, (*found.parts, right))
            else:
                found = Operation(sign, (found, right))

    def single(self) -> Node:
        """Read what has no operator but `!` and `-` before it."""
        signs: list[str] = []
        while self.sees("!", "-"):
            signs.append(self.tokens[self.at][1])
            self.at += 1
        self.deeper(len(signs))
        found = self.member()
        self.deeper(-len(signs))
        for sign in reversed(signs):
            found = Operation(sign, (found,)) if sign == "!" else Other("a negative")
        return found

    def member(self) -> Node:
        found = self.primary()
        while self.sees(".", "["):
            if self.take("."):
                name = self.word()
                if self.sees("("):
                    found = Call(name, found, self.arguments("(", ")"))
                else:
                    found = Name((*found.path, name)) if isinstance(found, Name) else Other("a field")
            else:
                self.demand("[")
                index = self.whole()
                self.demand("]")
                if isinstance(found, Name) and isinstance(index, Literal) and isinstance(index.value, str):
                    found = Name((*found.path, index.value), picked=False)
                else:
                    found = Other("an index")
        return found

    def word(self) -> str:
        kind, word = self.tokens[self.at]
        if kind != "name" or word in _WORDS or word == "in":
            raise Unreadable("a name is missing")
        self.at += 1
        return word

    def arguments(self, opening: str, closing: str) -> tuple[Node, ...]:
        self.demand(opening)
        found: list[Node] = []
        while not self.take(closing):
            found.append(self.whole())
            if not self.sees(closing):
                self.demand(",")
        return tuple(found)

    def primary(self) -> Node:
        kind, word = self.tokens[self.at]
        if kind == "text":
            self.at += 1
            return Literal(word)
        if kind in ("number", "bytes"):
            self.at += 1
            return Other(kind)
        if kind == "name":
            return self.named(word)
        if self.sees("["):
            return Items(self.arguments("[", "]"))
        if self.take("("):
            found = self.whole()
            self.demand(")")
            return found
        raise Unreadable("it cannot be read, or uses maps")

    def named(self, word: str) -> Node:
        if word in _WORDS:
            self.at += 1
            return Literal(_WORDS[word])
        name = self.word()
        if self.sees("("):
            return Call(name, None, self.arguments("(", ")"))
        return Name((name,))
