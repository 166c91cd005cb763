"""Parse the regular expressions of Sigma (the PCRE subset of its specification) into a tree.

Written by hand: Python's own parser is private, and reads some PCRE as something else (POSIX classes,
``\\Z``). Like PCRE without its UTF mode, classes and case know ASCII only.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import NoReturn

from converter.errors import Refusal

LAST = 0x10FFFF
Ranges = tuple[tuple[int, int], ...]
"""Sorted, disjoint, inclusive ranges of code points."""


@dataclass(frozen=True, slots=True)
class Chars:
    """One character of a set. ``folds``: a literal whose case the query's own flag is to ignore."""

    ranges: Ranges
    folds: bool = False


@dataclass(frozen=True, slots=True)
class Seq:
    """One after the other; empty matches the empty string."""

    items: tuple[Node, ...] = ()


@dataclass(frozen=True, slots=True)
class Alt:
    """One of them."""

    items: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Repeat:
    """At least ``low`` and at most ``high`` (None: any number) times."""

    item: Node
    low: int
    high: int | None


@dataclass(frozen=True, slots=True)
class Anchor:
    r"""A place between characters."""

    kind: str
    r"""``start``, ``end``, ``last`` (the end, or before a newline there), ``line start``, ``line end``,
    ``boundary`` (``\b``)."""


Node = Chars | Seq | Alt | Repeat | Anchor


def ranges(pairs: Iterable[tuple[int, int]]) -> Ranges:
    """Return the union of ranges, normalised."""
    merged: list[tuple[int, int]] = []
    for low, high in sorted(pairs):
        if merged and low <= merged[-1][1] + 1:
            merged[-1] = (merged[-1][0], max(high, merged[-1][1]))
        else:
            merged.append((low, high))
    return tuple(merged)


def complement(given: Ranges) -> Ranges:
    """Return all other code points."""
    result, start = [], 0
    for low, high in given:
        if low > start:
            result.append((start, low - 1))
        start = high + 1
    if start <= LAST:
        result.append((start, LAST))
    return tuple(result)


def folded(given: Ranges) -> Ranges:
    """Add the other case of each ASCII letter."""
    extra = []
    for first, last, shift in ((65, 90, 32), (97, 122, -32)):
        for low, high in given:
            if low <= last and high >= first:
                extra.append((max(low, first) + shift, min(high, last) + shift))
    return ranges([*given, *extra])


def _set(text: str) -> Ranges:
    return ranges((ord(char), ord(char)) for char in text)


DIGIT: Ranges = ((48, 57),)
WORD: Ranges = ((48, 57), (65, 90), (95, 95), (97, 122))
SPACE: Ranges = ((9, 13), (32, 32))
NEWLINE: Ranges = ((10, 10),)
EVERY: Ranges = ((0, LAST),)
_CLASSES = {"d": DIGIT, "w": WORD, "s": SPACE, "h": _set("\t \xa0")}
_CLASSES |= {name.upper(): complement(value) for name, value in _CLASSES.items()}
_CONTROL = {"n": "\n", "t": "\t", "r": "\r", "f": "\f", "a": "\a", "e": "\x1b"}
_ANCHORS = {"A": "start", "z": "end", "Z": "last", "b": "boundary"}
_POSIX: dict[str, Ranges] = {
    "alpha": ((65, 90), (97, 122)),
    "digit": DIGIT,
    "alnum": ((48, 57), (65, 90), (97, 122)),
    "upper": ((65, 90),),
    "lower": ((97, 122),),
    "space": SPACE,
    "blank": ((9, 9), (32, 32)),
    "punct": ((33, 47), (58, 64), (91, 96), (123, 126)),
    "xdigit": ((48, 57), (65, 70), (97, 102)),
    "word": WORD,
    "cntrl": ((0, 31), (127, 127)),
    "print": ((32, 126),),
    "graph": ((33, 126),),
}
_GROUPS = {
    "?=": "lookahead",
    "?!": "lookahead",
    "?<=": "lookbehind",
    "?<!": "lookbehind",
    "?>": "atomic groups",
    "?(": "conditions",
    "?|": "branch reset",
    "?P=": "backreferences",
    "?P>": "subroutines",
    "?R": "recursion",
    "?&": "subroutines",
    "*": "verbs",
}
_FLAGS = re.compile(r"\?([imsx]*)(?:-([imsx]+))?([:)])")
_NAME = re.compile(r"\?P?<\w+>|\?'\w+'")
_COUNT = re.compile(r"\{([0-9]+)(?:(,)([0-9]*))?\}")
_HEX = re.compile(r"x\{([0-9A-Fa-f]{1,6})\}|x([0-9A-Fa-f]{2})|u([0-9A-Fa-f]{4})")


@dataclass(frozen=True, slots=True)
class Flags:
    """Modifiers in force. ``by_flag``: the case of literals is left to the query's own flag."""

    ignore_case: bool = False
    multiline: bool = False
    dotall: bool = False
    by_flag: bool = False


def parse(pattern: str, flags: Flags) -> Node:
    """Parse a regular expression.

    Raises:
        Refusal: SC202 for what is no regular expression, or has no equivalent in a finite automaton.
    """
    parser = _Parser(pattern, flags)
    tree = parser.alternatives()
    if parser.position < len(pattern):
        parser.broken("unbalanced parenthesis")
    return tree


class _Parser:
    def __init__(self, text: str, flags: Flags) -> None:
        self.text = text
        self.flags = flags
        self.position = 0

    def broken(self, why: str) -> NoReturn:
        raise Refusal(
            "SC202", f"bad regular expression at character {self.position + 1}: {why}: {self.text!r:.200}"
        )

    def lacks(self, what: str, other: str = "SPL") -> NoReturn:
        raise Refusal("SC202", f"Lucene's regular expressions have no {what}; {other} can say it")

    def peek(self, count: int = 1) -> str:
        return self.text[self.position : self.position + count]

    def take(self) -> str:
        if self.position >= len(self.text):
            self.broken("it ends too early")
        char = self.text[self.position]
        self.position += 1
        return char

    def alternatives(self) -> Node:
        # Flags set inside a group hold to its end, also across its alternatives.
        before = self.flags
        branches = [self.sequence()]
        while self.peek() == "|":
            self.position += 1
            branches.append(self.sequence())
        self.flags = before
        if len(branches) == 1:
            return branches[0]
        full = tuple(branch for branch in branches if branch != Seq())
        if len(full) == len(branches):
            return Alt(full)
        # Lucene has no empty branch: what can be nothing is optional.
        inner = full[0] if len(full) == 1 else Alt(full)
        return Repeat(inner, 0, 1) if full else Seq()

    def sequence(self) -> Node:
        items: list[Node] = []
        while self.peek() not in ("", "|", ")"):
            atom = self.atom()
            if atom is not None:
                items.append(self.quantified(atom))
        return items[0] if len(items) == 1 else Seq(tuple(items))

    def quantified(self, atom: Node) -> Node:
        while self.peek(3) == "(?#":
            self.atom()
        char = self.peek()
        counted = _COUNT.match(self.text, self.position)
        if counted:
            low = int(counted[1])
            high = low if not counted[2] else int(counted[3]) if counted[3] else None
            self.position = counted.end()
        elif char and char in "*+?":
            low, high = {"*": (0, None), "+": (1, None), "?": (0, 1)}[char]
            self.position += 1
        else:
            return atom
        if isinstance(atom, Anchor):
            self.broken("an anchor cannot be repeated")
        if high is not None and high < low:
            self.broken("the repetition's limits are reversed")
        if self.peek() == "?":
            # Lazy or greedy decides what is captured, not whether there is a match.
            self.position += 1
        elif self.peek() == "+":
            self.lacks("possessive quantifiers")
        if self.peek() and (self.peek() in "*+?" or _COUNT.match(self.text, self.position)):
            self.broken("repeated twice")
        return Repeat(atom, low, high)

    def atom(self) -> Node | None:
        char = self.take()
        match char:
            case "(":
                return self.group()
            case "[":
                return Chars(self.char_class())
            case "\\":
                return self.escape()
            case ".":
                return Chars(EVERY if self.flags.dotall else complement(NEWLINE))
            case "^":
                return Anchor("line start" if self.flags.multiline else "start")
            case "$":
                return Anchor("line end" if self.flags.multiline else "last")
            case "*" | "+" | "?":
                self.broken("nothing to repeat")
            case "{" if re.match(r",[0-9]+\}", self.text[self.position : self.position + 12]):
                self.broken("write {0,n}: engines read {,n} in two ways")
            case "{" if _COUNT.match(self.text, self.position - 1):
                self.broken("nothing to repeat")
        return self.literal(char)

    def literal(self, char: str) -> Node:
        code = ord(char)
        if 0xD800 <= code <= 0xDFFF:
            self.broken("half a surrogate pair")
        given: Ranges = ((code, code),)
        if self.flags.ignore_case and char.isascii() and char.isalpha():
            return Chars(given, folds=True) if self.flags.by_flag else Chars(folded(given))
        return Chars(given)

    def group(self) -> Node | None:
        rest = self.text[self.position :]
        if rest.startswith("?#"):
            end = self.text.find(")", self.position)
            if end < 0:
                self.broken("the comment does not end")
            self.position = end + 1
            return None
        before = self.flags
        flags = _FLAGS.match(rest)
        name = _NAME.match(rest)
        if flags:
            self.position += flags.end()
            self.set_flags(flags[1], flags[2] or "")
            if flags[3] == ")":
                return None
        elif name:
            self.position += name.end()
        elif rest[:1] in ("?", "*"):
            for mark, what in sorted(_GROUPS.items(), key=lambda item: -len(item[0])):
                if rest.startswith(mark):
                    self.lacks(what)
            self.lacks(f"groups that begin with '({rest[:2]}'")
        tree = self.alternatives()
        if self.peek() != ")":
            self.broken("unbalanced parenthesis")
        self.position += 1
        self.flags = before
        return tree

    def set_flags(self, on: str, off: str) -> None:
        if "x" in on:
            self.lacks("free spacing (?x)")
        flags = self.flags
        if "i" in off and flags.by_flag and flags.ignore_case:
            self.lacks("(?-i) where the whole comparison ignores case")
        if "i" in on and not flags.ignore_case:
            flags = replace(flags, ignore_case=True, by_flag=False)
        elif "i" in off:
            flags = replace(flags, ignore_case=False)
        self.flags = replace(
            flags,
            multiline=("m" in on or flags.multiline) and "m" not in off,
            dotall=("s" in on or flags.dotall) and "s" not in off,
        )

    def escape(self) -> Node:
        char = self.take()
        if char in _CLASSES:
            return Chars(_CLASSES[char])
        if char in _ANCHORS:
            return Anchor(_ANCHORS[char])
        if char in "123456789kg":
            self.lacks("backreferences")
        if char == "B":
            self.lacks(r"\B", "KQL and SPL")
        return self.literal(self.character(char))

    def character(self, char: str) -> str:
        """Return the character that an escape stands for; ``char`` follows the backslash."""
        if char in _CONTROL:
            return _CONTROL[char]
        self.position -= 1
        code = _HEX.match(self.text, self.position) or re.compile("0[0-7]{0,2}").match(
            self.text, self.position
        )
        if code:
            self.position = code.end()
            digits = next((group for group in code.groups() if group), None)
            value = int(digits, 16) if digits else int(code[0], 8)
            if value > LAST:
                self.broken("no such character")
            return chr(value)
        self.position += 1
        if char.isalnum():
            self.lacks(f"escape '\\{char}'")
        return char

    def char_class(self) -> Ranges:
        negated = self.peek() == "^"
        self.position += negated
        found: list[tuple[int, int]] = []
        first = True
        while first or self.peek() != "]":
            first = False
            low = self.class_item()
            if isinstance(low, tuple):
                found.extend(low)
                continue
            high = low
            if self.peek() == "-" and self.peek(2) not in ("-]", "-"):
                self.position += 1
                end = self.class_item()
                if isinstance(end, tuple) or end < low:
                    self.broken("bad range in a class")
                high = end
            found.append((ord(low), ord(high)))
        self.position += 1
        given = ranges(found)
        if self.flags.ignore_case:
            given = folded(given)
        given = complement(given) if negated else given
        if not given:
            self.broken("a class without characters")
        return given

    def class_item(self) -> str | Ranges:
        posix = re.compile(r"\[:(\^?)(\w+):\]").match(self.text, self.position)
        if posix:
            if posix[2] not in _POSIX:
                self.broken(f"no class [:{posix[2]}:]")
            self.position = posix.end()
            return complement(_POSIX[posix[2]]) if posix[1] else _POSIX[posix[2]]
        char = self.take()
        if char != "\\":
            return char
        char = self.take()
        if char in _CLASSES:
            return _CLASSES[char]
        return "\b" if char == "b" else self.character(char)
