"""Which texts a Sigma value stands for, as sets: do two of them exclude each other, is one within the other?

Both answers are sound: "no" is given wherever the answer depends on what platforms do differently.
"""

from __future__ import annotations

import ipaddress
import math
import re
from enum import Enum
from functools import lru_cache

from converter.plan.conditions import Value
from converter.plan.values import (
    ANY,
    ONE,
    Exists,
    Flag,
    Network,
    Null,
    Number,
    Ordered,
    Part,
    Regex,
    Text,
    TimePart,
    Wildcard,
)
from converter.plan.volume_paths import VolumePath

_Token = str | Wildcard
_Tokens = tuple[_Token, ...]
_Network = ipaddress.IPv4Network | ipaddress.IPv6Network


class Kind(Enum):
    """What is known of a column's values."""

    ANY = "any"
    """Nothing: a number may be stored as 5.0."""
    TEXT = "text"
    INTEGER = "integer"
    IP = "ip"
    BOOLEAN = "boolean"
    OTHER = "other"
    """Dates, fractions, GUIDs: one value is written in several ways."""

    @classmethod
    def of(cls, type: str) -> Kind:  # noqa: A002
        """Return the kind of a column's type, of any platform."""
        return _KINDS.get(type, cls.OTHER)


_KINDS = {
    **dict.fromkeys(("keyword", "wildcard", "constant_keyword", "text", "match_only_text"), Kind.TEXT),
    **dict.fromkeys(("flattened", "string"), Kind.TEXT),
    **dict.fromkeys(("long", "integer", "short", "byte", "unsigned_long", "int", "number"), Kind.INTEGER),
    **dict.fromkeys(("boolean", "bool"), Kind.BOOLEAN),
    "ip": Kind.IP,
}
_NO_VALUE = frozenset({"", "-", "null", "(null)", "none", "n/a", "(empty)"})
"""Texts that a platform may take for no value, or write in its place."""


def disjoint(one: Value, other: Value, kind: Kind, *, several: bool = False, null: str | None = None) -> bool:
    """Tell whether no field satisfies both values.

    Args:
        one: a value that the field is compared with.
        other: another.
        kind: of the field.
        several: the field can hold several values: each may satisfy one of the two.
        null: the text that the platform stores where there is no value.
    """
    one, other = (value.wider if isinstance(value, VolumePath) else value for value in (one, other))
    for left, right in ((one, other), (other, one)):
        if isinstance(left, Null) or (isinstance(left, Exists) and not left.exists):
            return _excludes_missing(right, isinstance(left, Exists), null)
    if several or isinstance(one, Exists) or isinstance(other, Exists):
        return False
    mine, theirs = _glob(one), _glob(other)
    if mine is not None and theirs is not None:
        return _texts_apart(one, other, mine, theirs, kind)
    for left, right in ((one, other), (other, one)):
        if isinstance(left, Ordered):
            return _range_apart(left, right)
        if isinstance(left, Network):
            return _network_apart(left, right)
        if isinstance(left, Regex):
            text = _plain(right)
            return kind is not Kind.OTHER and text is not None and _regex_finds(left, text) is False
    return False


def within(one: Value, other: Value, kind: Kind) -> bool:
    """Tell whether a field that satisfies one value satisfies the other one, too.

    Args:
        one: a value that the field is compared with.
        other: another.
        kind: of the field.
    """
    if isinstance(one, VolumePath):
        one, other = (one.on_one, other.on_one) if isinstance(other, VolumePath) else (one.wider, other)
    elif isinstance(other, VolumePath):
        other = other.regex
    if isinstance(one, Exists) or isinstance(other, Exists | Null):
        if isinstance(other, Null):
            return isinstance(one, Null) or (isinstance(one, Exists) and not one.exists)
        return isinstance(one, Exists) and isinstance(other, Exists) and one.exists == other.exists
    mine, theirs = _glob(one), _glob(other)
    if mine is not None and theirs is not None:
        if isinstance(one, Number) and not isinstance(other, Number) and kind not in _WRITTEN_ONCE:
            return ANY in theirs and set(theirs) == {ANY}
        return _covers(theirs, mine, other, one)
    if isinstance(other, Ordered):
        return _in_range(one, other)
    if isinstance(other, Network):
        network, address = _network(other), _address(one)
        if isinstance(one, Network):
            inner = _network(one)
            return inner is not None and network is not None and _subnet(inner, network)
        return network is not None and address is not None and address in network
    if isinstance(other, Regex):
        if isinstance(one, Regex):
            return one == other
        text = _plain(one)
        return text is not None and _regex_finds(other, text, cased=_cased(one)) is True
    return type(one) is type(other) and one == other


_WRITTEN_ONCE = frozenset({Kind.TEXT, Kind.INTEGER, Kind.BOOLEAN})
"""Kinds of fields in which a number is written in one way."""


def _excludes_missing(value: Value, absent: bool, null: str | None) -> bool:
    """Tell whether no field without a value satisfies a value."""
    if isinstance(value, Exists):
        return absent and value.exists
    glob = _glob(value)
    if glob is None or all(part in (ANY, ONE) for part in glob):
        return False
    text = _plain(value)
    if text is not None:
        return text.lower() not in _NO_VALUE and text.lower() != (null or "").lower()
    return not any(_meet(glob, tuple(word)) for word in {*_NO_VALUE, (null or "").lower()})


def _glob(value: Value) -> _Tokens | None:
    """Return the characters and wildcards of a text, number or boolean; None for other values."""
    match value:
        case Flag():
            return tuple(value.word)
        case Number(number):
            return tuple(str(number))
        case Text():
            return _tokens(value.parts)
    return None


@lru_cache(maxsize=4096)
def _tokens(parts: tuple[Part, ...]) -> _Tokens | None:
    tokens: list[_Token] = []
    for part in parts:
        if isinstance(part, str):
            tokens.extend(part)
        elif not isinstance(part, Wildcard):
            return None  # A placeholder.
        elif not (part is ANY and tokens and tokens[-1] is ANY):
            tokens.append(part)
    return tuple(tokens)


def _cased(value: Value) -> bool:
    return isinstance(value, Text) and value.cased


def _plain(value: Value) -> str | None:
    glob = _glob(value)
    if glob is None or ANY in glob or ONE in glob:
        return None
    return "".join(map(str, glob))


def _texts_apart(one: Value, other: Value, mine: _Tokens, theirs: _Tokens, kind: Kind) -> bool:
    if kind is Kind.OTHER:
        return False
    left, right = _plain(one), _plain(other)
    if left is None or right is None:
        # Numbers and addresses are stored in one form and written in several.
        return kind in (Kind.TEXT, Kind.ANY) and not _meet(mine, theirs)
    if kind is Kind.BOOLEAN or isinstance(one, Flag) or isinstance(other, Flag):
        return {left.lower(), right.lower()} == {"true", "false"}
    for read in (_number, _address_of):
        found = [read(left), read(right)]
        if None not in found:
            return found[0] != found[1]
    return not _meet(mine, theirs)


def _same(one: str, other: str) -> bool:
    """Tell whether two characters may be equal for a platform that ignores case."""
    return one == other or one.casefold() == other.casefold() or one.upper() == other.upper()


def _may_be(one: _Token, other: _Token) -> bool:
    return ONE in (one, other) or (isinstance(one, str) and isinstance(other, str) and _same(one, other))


def _meet(one: _Tokens, other: _Tokens) -> bool:
    """Tell whether some text may fit both patterns."""
    if ANY in one and ANY in other:
        # What is between the first and the last star fits into the other's star.
        begins = zip(_until_star(one), _until_star(other), strict=False)
        ends = zip(_until_star(one[::-1]), _until_star(other[::-1]), strict=False)
        return all(_may_be(*pair) for pair in (*begins, *ends))
    pattern, text = (one, other) if ANY in one else (other, one)
    return _fits(pattern, text, _may_be)


def _until_star(tokens: _Tokens) -> _Tokens:
    return tokens[: tokens.index(ANY)]


def _fits(pattern: _Tokens, text: _Tokens, equal: object) -> bool:
    """Tell whether a pattern takes a sequence of tokens: its stars any of them, `equal` decides others."""
    assert callable(equal)
    at = place = 0
    star, resumed = -1, 0
    while place < len(text):
        if at < len(pattern) and pattern[at] is ANY:
            star, resumed = at, place
            at += 1
        elif at < len(pattern) and equal(pattern[at], text[place]):
            at += 1
            place += 1
        elif star >= 0:
            resumed += 1
            at, place = star + 1, resumed
        else:
            return False
    return all(token is ANY for token in pattern[at:])


def _covers(pattern: _Tokens, tokens: _Tokens, wide: Value, narrow: Value) -> bool:
    """Tell whether every text of one pattern fits another."""
    wide_cased, narrow_cased = _cased(wide), _cased(narrow)
    if wide_cased and not narrow_cased and any(isinstance(one, str) and one.isalpha() for one in pattern):
        return False

    def takes(one: _Token, other: _Token) -> bool:
        if one is ONE:
            return other is not ANY
        if not (isinstance(one, str) and isinstance(other, str)):
            return False
        return one == other or (not wide_cased and (one + other).isascii() and one.lower() == other.lower())

    return _fits(pattern, tokens, takes)


_DECIMAL = re.compile(r"[+-]?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?", re.ASCII)
_HEX = re.compile(r"0[xX][0-9a-fA-F]+", re.ASCII)


def _number(text: str) -> float | int | None:
    if _HEX.fullmatch(text):
        return int(text, 16)
    if not _DECIMAL.fullmatch(text):
        return None
    return float(text) if set(text) & set(".eE") else int(text)


def _address_of(text: str) -> object:
    try:
        found = ipaddress.ip_address(text)
    except ValueError:
        return None
    mapped = found.ipv4_mapped if isinstance(found, ipaddress.IPv6Address) else None
    return mapped or found


def _address(value: Value) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    text = _plain(value)
    if text is None:
        return None
    try:
        return ipaddress.ip_address(text)
    except ValueError:
        return None


def _network(value: Network) -> _Network | None:
    try:
        return ipaddress.ip_network(value.written, strict=False)
    except ValueError:
        return None


def _subnet(inner: _Network, outer: _Network) -> bool:
    if isinstance(inner, ipaddress.IPv4Network) and isinstance(outer, ipaddress.IPv4Network):
        return inner.subnet_of(outer)
    if isinstance(inner, ipaddress.IPv6Network) and isinstance(outer, ipaddress.IPv6Network):
        return inner.subnet_of(outer)
    return False


def _network_apart(network: Network, other: Value) -> bool:
    mine = _network(network)
    if mine is None:
        return False
    if isinstance(other, Network):
        theirs = _network(other)
        return theirs is not None and mine.version == theirs.version and not mine.overlaps(theirs)
    address = _address(other)
    return address is not None and address.version == mine.version and address not in mine


_Bounds = tuple[float, bool, float, bool]
"""Lower bound, whether it is itself in, upper bound, whether it is itself in."""


def _bounds(value: Value) -> _Bounds | None:
    """Return the numbers that satisfy a comparison or a number."""
    if isinstance(value, Ordered):
        if isinstance(value.number, TimePart):
            return None
        number = value.number.number
        if value.operator in ("<", "<="):
            return -math.inf, False, number, value.operator == "<="
        return (number, value.operator == ">=", math.inf, False) if value.operator != "!=" else None
    text = _plain(value)
    found = _number(text) if text is not None and _DECIMAL.fullmatch(text) else None
    return None if found is None else (found, True, found, True)


def _range_apart(one: Ordered, other: Value) -> bool:
    mine, theirs = _bounds(one), _bounds(other)
    if mine is None or theirs is None:
        return False
    return _ends_before(mine, theirs) or _ends_before(theirs, mine)


def _ends_before(one: _Bounds, other: _Bounds) -> bool:
    return one[2] < other[0] or (one[2] == other[0] and not (one[3] and other[1]))


def _in_range(one: Value, other: Ordered) -> bool:
    inner, outer = _bounds(one), _bounds(other)
    if inner is None or outer is None:
        return type(one) is type(other) and one == other
    low = inner[0] > outer[0] or (inner[0] == outer[0] and (outer[1] or not inner[1]))
    high = inner[2] < outer[2] or (inner[2] == outer[2] and (outer[3] or not inner[3]))
    return low and high


_BY_CASE = re.compile(
    r"\[\^|\(\?[!<]|\\[WDSB]|\\[pPXhHvVRKGQEZzC]|\(\?\w|\\[0-9x]|\{,|\[[^\]]*(?:\[|--|&&|~~|\|\|)"
)
"""Parts of a regular expression after which case, or the dialect, decides more than a search by Python."""


def _regex_finds(regex: Regex, text: str, *, cased: bool = False) -> bool | None:
    """Tell whether a regular expression is found in each spelling of a text (True), or in none (False).

    None if that is not certain.
    """
    source = regex.pattern
    letters = any(char.isalpha() for char in text)
    if not text.isascii() or not text.isprintable() or not source.isascii() or _BY_CASE.search(source):
        return None
    ignores = regex.ignore_case
    try:
        found = re.search(source, text, re.ASCII | (re.IGNORECASE if ignores or not cased else 0))
    except (re.error, RecursionError, OverflowError):
        return None
    if found is None:
        return False
    return True if ignores or cased or not letters else None
