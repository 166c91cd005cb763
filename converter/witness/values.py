"""Texts, numbers and addresses that satisfy a rule's values, and such that just do not."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Any

from converter.events import datetime_of
from converter.matcher.detection import TIME_PART
from converter.matcher.pcre import compile_regex
from converter.matcher.value import Bool, Cidr, FieldRef, Number, Part, Regex, Text, Value, Wild
from converter.witness import regexes

FILLERS = ("", "x", " and more ", "1", "1.1", "1.1.1", "1.2.3.4", ":1", "12", "é\t\n", "a\\b")
"""What a star stands for, in the order tried: parts of paths, addresses and command lines."""


def instances(value: Value) -> Iterator[Any]:
    """Yield values that satisfy one value of a rule, the plainest first."""
    match value:
        case Text():
            # An empty text is missing in Kusto: what may be anything is something first.
            fillers = FILLERS if set(value.parts) != {Wild.ANY} else (*FILLERS[1:], *FILLERS[:1])
            yield from dict.fromkeys(_fill(value.parts, filler) for filler in fillers)
        case Regex():
            yield from regexes.texts(compile_regex(value))
        case Number(_, _, str()):
            yield from _times(value)
        case Number(number, op, None):
            step = 1 if isinstance(number, int) else 0.5
            yield {"lt": number - step, "gt": number + step}.get(op, number)
        case Bool(wanted):
            yield "true" if wanted else "false"
            yield wanted
        case Cidr(network):
            yield str(network[min(1, network.num_addresses - 1)])
            yield str(network[0])
            yield str(network[-1])


# For each part of a time, steps that pass through all of its values.
_STEPS = {
    "minute": (timedelta(minutes=1), 60),
    "hour": (timedelta(hours=1), 24),
    "day": (timedelta(days=1), 31),
    "week": (timedelta(days=7), 53),
    "month": (timedelta(days=28), 14),
    "year": (timedelta(days=365), 80),
}


def _times(value: Number) -> Iterator[str]:
    """Yield times with each value of the part that the rule looks at."""
    step, count = _STEPS[value.part or "minute"]
    start = datetime(2024 if value.part != "year" else 1980, 3, 5, 10, 20, 30, tzinfo=UTC)
    for number in range(count):
        yield _iso(start + step * number)


def _other_times(value: Number, present: Any) -> Iterator[str]:
    """Yield times just before, in and after the rule's value, and near `present`."""
    for text in _times(value):
        time = datetime_of(text)
        if time and abs(TIME_PART[value.part or "minute"](time) - value.value) <= 1:
            yield text
    time = datetime_of(present)
    if time:
        # The last moment of an hour, of a day and of a year, and the first of the next.
        for end in (
            time.replace(minute=59, second=59),
            time.replace(hour=23, minute=59, second=59),
            time.replace(month=12, day=31, hour=23, minute=59, second=59),
        ):
            yield _iso(end)
            yield _iso(end + timedelta(seconds=1))


def _iso(time: datetime) -> str:
    return f"{time:%Y-%m-%dT%H:%M:%S}.000Z"


def _fill(parts: Sequence[Part], filler: str) -> str:
    return "".join(filler if p is Wild.ANY else "x" if p is Wild.ONE else str(p) for p in parts)


def together(values: Sequence[Value], *, filled: bool = False) -> Iterator[Any]:
    """Yield values that should satisfy all values at once; the caller checks.

    Args:
        values: of a rule, on one field.
        filled: whether the first value has some text for each wildcard.
    """
    if len(values) == 1:
        if filled and isinstance(values[0], Text):
            yield _fill(values[0].parts, "x")
        yield from instances(values[0])
        return
    texts = [value for value in values if isinstance(value, Text)]
    for value in values:
        if not isinstance(value, Text) or not {Wild.ANY, Wild.ONE} & set(value.parts):
            yield from islice(instances(value), 3)
    found = [next(instances(value), "") for value in values if isinstance(value, Regex)]
    heads = sorted((_edge(value.parts) for value in texts), key=len)
    tails = sorted((_edge(value.parts[::-1], backwards=True) for value in texts), key=len)
    inner = [text for value in texts for text in _inner(value.parts)] + [str(text) for text in found]
    head, tail = heads[-1] if heads else "", tails[-1] if tails else ""
    for filler in (" ", "", ",", "x"):
        yield head + filler + filler.join(dict.fromkeys(inner)) + filler + tail
        yield head + filler.join(dict.fromkeys(inner)) + tail
        yield head + filler.join(reversed(dict.fromkeys(inner))) + tail
    for value in values:
        yield from islice(instances(value), 4)


def _edge(parts: Sequence[Part], *, backwards: bool = False) -> str:
    """The text before the first star; of parts from last to first, the text after the last star."""
    if Wild.ANY not in parts:
        return ""
    edge = ["x" if part is Wild.ONE else str(part) for part in parts[: list(parts).index(Wild.ANY)]]
    return "".join(reversed(edge) if backwards else edge)


def _inner(parts: Sequence[Part]) -> Iterable[str]:
    """The texts between stars."""
    if Wild.ANY not in parts:
        return
    first = list(parts).index(Wild.ANY)
    last = len(parts) - 1 - list(parts)[::-1].index(Wild.ANY)
    current = ""
    for part in parts[first + 1 : last + 1]:
        if part is Wild.ANY:
            if current:
                yield current
            current = ""
        else:
            current += "x" if part is Wild.ONE else str(part)


def changed(value: Value, present: Any) -> Iterator[Any]:
    """Yield values a little different from `present`, which satisfies `value`: what a wrong query confuses.

    Whether they still satisfy it is for the matcher to say.
    """
    match value:
        case Number(number, _, None):
            yield from (number - 1, number, number + 1, -number, number * 10)
            return
        case Number():
            yield from _other_times(value, present)
            return
        case Cidr(network):
            first, last = int(network[0]), int(network[-1])
            for address in (first - 1, first, last, last + 1):
                if 0 <= address < 2**network.max_prefixlen:
                    yield str(type(network[0])(address))
            return
        case Bool(wanted):
            yield "false" if wanted else "true"
            return
    if not isinstance(present, str) or not present:
        return
    yield from _recased(present)
    yield present + "x"
    yield "x" + present
    yield present[:-1]
    yield present[1:]
    if isinstance(value, (Text, FieldRef)):
        yield from _confused(present)
    if isinstance(value, Text):
        yield from _wildcards(value.parts)


def _recased(text: str) -> Iterator[str]:
    """Other cases of ASCII letters only: platforms differ on the others (docs/semantics.md)."""
    for change in (str.upper, str.lower):
        yield "".join(change(char) if char.isascii() else char for char in text)
    yield swap_case(text)


def swap_case(text: str) -> str:
    """Return the text with the other case of its ASCII letters."""
    return "".join(char.swapcase() if char.isascii() else char for char in text)


def _confused(text: str) -> Iterator[str]:
    """Characters that some language reads as more than themselves, replaced or doubled."""
    for char in dict.fromkeys(char for char in text if not char.isalnum() and char.isascii()):
        yield text.replace(char, "x")
        if char in "\\\"'`":
            yield text.replace(char, char * 2)
        if char == " ":
            yield text.replace(" ", "  ")


def _wildcards(parts: Sequence[Part]) -> Iterator[str]:
    """Other lengths for each wildcard, and the pieces between stars in the other order."""
    for position, part in enumerate(parts):
        if part is Wild.ONE:
            for filler in ("", "xy", "\\"):
                yield _fill((*parts[:position], filler, *parts[position + 1 :]), "")
        elif part is Wild.ANY and 0 < position < len(parts) - 1:
            for filler in ("", "x", "two words", "a\nb", "\\"):
                yield _fill((*parts[:position], filler, *parts[position + 1 :]), "")
    if Wild.ANY in parts[1:-1]:
        yield _fill(parts[::-1], "")
