"""Sigma values: strings with wildcards and escapes, and what a rule's values turn into.

Sigma specification 2.1, "String Wildcard", "Escaping" and "Special Field Values".
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from enum import Enum
from ipaddress import IPv4Network, IPv6Network
from typing import Any

from converter.errors import RuleError


class Wild(Enum):
    """The wildcards of a string."""

    ANY = "*"
    ONE = "?"


Part = str | bytes | Wild
"""Plain text; bytes after an encoding modifier; or a wildcard."""


@dataclass(frozen=True, slots=True)
class Text:
    """A string that the whole value must equal, with wildcards."""

    parts: tuple[Part, ...]
    cased: bool = False
    original: str = ""
    """As the rule writes it: `re` and `expand` read it without Sigma's escapes."""


@dataclass(frozen=True, slots=True)
class Regex:
    """A PCRE that is found anywhere in the value, case-sensitive unless flagged."""

    source: str
    flags: frozenset[str] = field(default_factory=frozenset)
    """Of i, m and s."""


@dataclass(frozen=True, slots=True)
class Number:
    """A number to compare with, or with a part of a time."""

    value: int | float
    op: str = "eq"
    """eq, lt, lte, gt or gte."""
    part: str | None = None
    """minute, hour, day, week, month or year: of the field's time, in UTC."""


@dataclass(frozen=True, slots=True)
class Bool:
    """A boolean; text of an event matches it if it reads true or false."""

    value: bool


@dataclass(frozen=True, slots=True)
class Null:
    """A missing or null field."""


@dataclass(frozen=True, slots=True)
class Exists:
    """Presence of the field, whatever it holds."""

    value: bool


@dataclass(frozen=True, slots=True)
class Cidr:
    """An address within a network."""

    network: IPv4Network | IPv6Network


@dataclass(frozen=True, slots=True)
class FieldRef:
    """Another field of the same event."""

    name: str
    before: bool = False
    """The other field's text may have text before it (endswith, contains)."""
    after: bool = False


Value = Text | Regex | Number | Bool | Null | Exists | Cidr | FieldRef

_SPECIAL = {"*": Wild.ANY, "?": Wild.ONE}


def parse_text(text: str) -> tuple[Part, ...]:
    r"""Split a Sigma string into text and wildcards.

    A backslash escapes ``*``, ``?`` and a backslash; before anything else it is itself.
    """
    parts: list[Part] = []
    plain: list[str] = []
    position = 0
    while position < len(text):
        char = text[position]
        if char == "\\" and text[position + 1 : position + 2] in ("*", "?", "\\"):
            position += 1
            plain.append(text[position])
        elif char in _SPECIAL:
            if plain:
                parts.append("".join(plain))
                plain.clear()
            parts.append(_SPECIAL[char])
        else:
            plain.append(char)
        position += 1
    if plain:
        parts.append("".join(plain))
    return tuple(parts)


def plain_text(value: Text, modifier: str) -> str:
    """Return the text of a value without wildcards.

    Raises:
        RuleError: SC113 if it has wildcards or was encoded.
    """
    if not all(isinstance(part, str) for part in value.parts):
        raise RuleError("SC113", f"modifier '{modifier}' needs a value without wildcards: {value.original!r}")
    return "".join(part for part in value.parts if isinstance(part, str))


def decode(value: Text) -> Text:
    """Turn what encoding modifiers left as bytes into the text that an event can hold.

    Raises:
        RuleError: SC113 if the bytes are no text (UTF-16 of what is not ASCII, or with its mark).
    """
    try:
        parts = tuple(part.decode() if isinstance(part, bytes) else part for part in value.parts if part)
    except UnicodeDecodeError:
        raise RuleError(
            "SC113",
            f"the UTF-16 bytes of {value.original!r} are no text that a field can hold",
            hint="follow the modifier by base64 or base64offset",
        ) from None
    return replace(value, parts=parts)


def literal(raw: Any) -> Value:
    """Turn a value as YAML gives it into a Sigma value.

    Raises:
        RuleError: SC103 if it is a list or a map.
    """
    if raw is None:
        return Null()
    if isinstance(raw, bool):
        return Bool(raw)
    if isinstance(raw, (int, float)):
        return Number(raw)
    if isinstance(raw, (list, dict)):
        raise RuleError("SC103", f"a value must be text, a number, a boolean or null, not {raw!r:.60}")
    # YAML reads unquoted dates as dates; Sigma means the text.
    return Text(parse_text(str(raw)), original=str(raw))
