"""What a rule compares fields with: each kind of value as frozen data, the same for all languages."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from enum import Enum
from typing import Literal


class Wildcard(Enum):
    """A wildcard of a text."""

    ANY = "*"
    """Any text, the empty one too."""
    ONE = "?"
    """One character."""


ANY, ONE = Wildcard.ANY, Wildcard.ONE


@dataclass(frozen=True, slots=True)
class Placeholder:
    """A part of a text that `expand` should have replaced, and that nothing gave a value."""

    name: str


Part = str | Wildcard | Placeholder


@dataclass(frozen=True, slots=True)
class Text:
    """A text with wildcards."""

    parts: tuple[Part, ...]
    """Neighbours may both be texts; none is parsed any further."""
    cased: bool = False
    """Whether letters are compared as written."""

    @property
    def plain(self) -> str | None:
        """The text itself where it has neither wildcards nor placeholders, else None."""
        parts = self.parts
        if len(parts) == 1 and isinstance(parts[0], str):
            return parts[0]
        texts = [part for part in parts if isinstance(part, str)]
        return "".join(texts) if len(texts) == len(parts) else None

    @property
    def placeholder(self) -> Placeholder | None:
        """The first placeholder."""
        for part in self.parts:
            if isinstance(part, Placeholder):
                return part
        return None

    @property
    def matches_any(self) -> bool:
        """Whether it is nothing but stars: every value that is there matches."""
        return bool(self.parts) and all(part is ANY for part in self.parts)

    @property
    def trimmed(self) -> tuple[bool, tuple[Part, ...], bool]:
        """Whether it begins with a star, what is between the outer stars, and whether it ends with one."""
        parts = self.parts
        first, last = 0, len(parts)
        while first < last and parts[first] is ANY:
            first += 1
        while first < last and parts[last - 1] is ANY:
            last -= 1
        return parts[:1] == (ANY,), parts[first:last], parts[-1:] == (ANY,)

    @property
    def prefix(self) -> str | None:
        """The text with which values must begin, where that is all that is asked."""
        return self._only(False, True)

    @property
    def suffix(self) -> str | None:
        """The text with which values must end, where that is all that is asked."""
        return self._only(True, False)

    @property
    def part(self) -> str | None:
        """The text that values must contain, where that is all that is asked."""
        return self._only(True, True)

    def _only(self, before: bool, after: bool) -> str | None:
        begins, inner, ends = self.trimmed
        if (begins, ends) != (before, after) or not inner:
            return None
        return Text(inner).plain

    @property
    def joined(self) -> tuple[Part, ...]:
        """The parts, neither texts nor stars side by side, and none that is empty."""
        parts: list[Part] = []
        for part in self.parts:
            if isinstance(part, str) and parts and isinstance(parts[-1], str):
                parts[-1] += part
            elif part != "" and not (part is ANY and parts[-1:] == [ANY]):
                parts.append(part)
        return tuple(parts)

    def __str__(self) -> str:
        """Return the text as a rule writes it: literal ``*`` and ``?`` behind a backslash."""
        return "".join(map(_written, self.parts))


def _written(part: Part) -> str:
    if isinstance(part, str):
        return part.replace("*", "\\*").replace("?", "\\?")
    return part.value if isinstance(part, Wildcard) else f"%{part.name}%"


@dataclass(frozen=True, slots=True)
class Number:
    """A whole number or a fraction."""

    number: int | float


@dataclass(frozen=True, slots=True)
class Flag:
    """True or false."""

    boolean: bool

    @property
    def word(self) -> str:
        """The word for it."""
        return "true" if self.boolean else "false"


@dataclass(frozen=True, slots=True)
class Null:
    """No value."""


@dataclass(frozen=True, slots=True)
class Exists:
    """Whether there is a value."""

    exists: bool


@dataclass(frozen=True, slots=True)
class Regex:
    """A regular expression that is searched for in a value."""

    pattern: str
    flags: str = ""
    """Of ``i``, ``m`` and ``s``, in this order."""
    has_placeholder: bool = False

    @property
    def ignore_case(self) -> bool:
        """Whether it has flag ``i``."""
        return "i" in self.flags

    @property
    def multiline(self) -> bool:
        """Whether it has flag ``m``."""
        return "m" in self.flags

    @property
    def dotall(self) -> bool:
        """Whether it has flag ``s``."""
        return "s" in self.flags


@dataclass(frozen=True, slots=True)
class Network:
    """The addresses of a network."""

    written: str
    """As the rule writes it."""
    network: ipaddress.IPv4Network | ipaddress.IPv6Network


TimeUnit = Literal["minute", "hour", "day", "week", "month", "year"]


@dataclass(frozen=True, slots=True)
class TimePart:
    """The minute, hour, day ... of a time."""

    unit: TimeUnit
    number: int | float


Operator = Literal["<", "<=", ">", ">=", "!="]


@dataclass(frozen=True, slots=True)
class Ordered:
    """What is less than a number, or more, or not the number."""

    operator: Operator
    number: Number | TimePart


@dataclass(frozen=True, slots=True)
class FieldOf:
    """The value of another field of the event."""

    field: str
    starts_with: bool = False
    ends_with: bool = False
    """With both, the other field's value is anywhere in this one's."""


@dataclass(frozen=True, slots=True)
class Foreign:
    """A value of a kind that no language here says, such as a query expression of a user's pipeline."""

    kind: str
    """The kind's name in pySigma."""
    text: str
