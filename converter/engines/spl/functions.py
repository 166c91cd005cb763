"""Functions of expressions: Search Reference, "Evaluation functions". Only those that sigconv emits."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Sequence
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from converter.engines.spl import times
from converter.engines.spl.failures import invalid, unknown
from converter.engines.spl.pcre import compile_pcre
from converter.engines.spl.values import Row, each, network, number, text, within

Expression = Callable[[Row], Any]
Truth = Callable[[Any], bool | None]


def function(name: str, arguments: Sequence[Expression], literals: Sequence[Any]) -> Expression:
    """Compile a call whose arguments are all evaluated first.

    Args:
        name: of the function.
        arguments: compiled.
        literals: each argument's value where it is a literal, else None.

    Raises:
        EngineError: SC403 for a function that is not emitted, SC402 for a wrong number of arguments.
    """
    if name == "match":
        return _match(arguments, literals)
    if name == "cidrmatch":
        return _cidrmatch(arguments, literals)
    if name == "replace":
        return _replace(arguments, literals)
    if name not in _PLAIN:
        raise unknown(f"the function {name}()")
    body, least, most = _PLAIN[name]
    if not least <= len(arguments) <= most:
        raise invalid(f"{name}() does not take {len(arguments)} arguments")
    if len(arguments) == 1:
        only = arguments[0]
        return lambda row: body(only(row))
    return lambda row: body(*(argument(row) for argument in arguments))


def _literal_text(name: str, literals: Sequence[Any], position: int, count: int) -> str:
    if len(literals) != count:
        raise invalid(f"{name}() does not take {len(literals)} arguments")
    if not isinstance(literals[position], str):
        raise unknown(f"{name}() whose argument {position + 1} is not a quoted text")
    return str(literals[position])


def _match(arguments: Sequence[Expression], literals: Sequence[Any]) -> Expression:
    """match(subject, regex): TRUE if the regex is found anywhere; of several values, in any."""
    search = compile_pcre(_literal_text("match", literals, 1, 2)).search
    subject = arguments[0]

    def run(row: Row) -> bool | None:
        value = subject(row)
        if value is None:
            return None
        if isinstance(value, list):
            return any(search(text(one)) is not None for one in value)
        return search(value if isinstance(value, str) else text(value)) is not None

    return run


def _cidrmatch(arguments: Sequence[Expression], literals: Sequence[Any]) -> Expression:
    """cidrmatch(cidr, ip): TRUE if the address, IPv4 or IPv6, is of the subnet."""
    written = _literal_text("cidrmatch", literals, 0, 2)
    net = network(written)
    if net is None:
        raise invalid(f"cidrmatch() of '{written}', which is no subnet")
    subject = arguments[1]

    def run(row: Row) -> bool | None:
        value = subject(row)
        return None if value is None else any(within(text(one), net) for one in each(value))

    return run


def _mapped(body: Callable[[str], Any]) -> Callable[[Any], Any]:
    """Apply to a text; to each of several values; null stays null."""

    def run(value: Any) -> Any:
        if value is None:
            return None
        if isinstance(value, list):
            return [body(text(one)) for one in value]
        return body(text(value))

    return run


def _single(name: str, value: Any) -> Any:
    if isinstance(value, list):
        raise unknown(f"{name}() of several values")
    return value


def _substr(value: Any, start: Any, length: Any = None) -> Any:
    """substr(text, start[, length]): counts from 1; a negative start counts from the end."""
    value, first = _single("substr", value), number(start)
    if value is None or first is None:
        return None
    whole, first = text(value), int(first)
    if first == 0:
        raise unknown("substr() from 0")
    begin = first - 1 if first > 0 else max(len(whole) + first, 0)
    if length is None:
        return whole[begin:]
    size = number(length)
    return None if size is None else whole[begin : begin + int(size)]


def _round(value: Any, digits: Any = 0) -> Any:
    found, places = number(_single("round", value)), number(digits)
    if found is None or places is None:
        return None
    exact = Decimal(found).quantize(Decimal(1).scaleb(-int(places)), ROUND_HALF_UP)
    return int(exact) if places == 0 else float(exact)


def _tonumber(value: Any) -> Any:
    """The number, null if it is none; of several values those that are."""
    if isinstance(value, list):
        return [found for one in value if (found := number(one)) is not None] or None
    return number(value)


def _tostring(value: Any) -> Any:
    value = _single("tostring", value)
    return None if value is None else text(value)


def _trim(value: Any, chars: Any = " \t") -> Any:
    """trim(text, characters): without these on both sides; blanks and tabs if none are given."""
    value = _single("trim", value)
    return None if value is None or chars is None else text(value).strip(text(chars))


def _json_extract(value: Any, path: Any) -> Any:
    """json_extract(json, path): the value at a path of names; null where there is none, or no JSON.

    Search Reference, "JSON functions": a native value. Objects and lists are no matter of emitted queries.
    """
    value = _single("json_extract", value)
    if value is None or path is None:
        return None
    try:
        found = json.loads(text(value))
    except ValueError:
        return None
    for name in text(path).split("."):
        if not isinstance(found, dict) or name not in found:
            return None
        found = found[name]
    if isinstance(found, dict | list):
        raise unknown("json_extract() of an object or a list")
    return text(found).lower() if isinstance(found, bool) else found


def _mvcount(value: Any) -> Any:
    return len(each(value)) or None


def _mvappend(*values: Any) -> Any:
    found = [one for value in values for one in each(value)]
    return found or None


def _split(value: Any, separator: Any) -> Any:
    value = _single("split", value)
    if value is None or separator is None:
        return None
    if text(separator) == "":
        return list(text(value)) or None
    return text(value).split(text(separator))


def _mvindex(value: Any, position: Any) -> Any:
    """mvindex(values, position): counts from 0, from the end if negative; null beyond."""
    place, found = number(position), each(value)
    if place is None or not -len(found) <= place < len(found):
        return None
    return found[int(place)]


def _replace(arguments: Sequence[Expression], literals: Sequence[Any]) -> Expression:
    """replace(subject, regex, text): each match of the regex becomes the text."""
    pattern = compile_pcre(_literal_text("replace", literals, 1, 3))
    into = _literal_text("replace", literals, 2, 3)
    if "\\" in into:
        raise unknown("replace() with a reference to a group")
    subject = arguments[0]

    def run(row: Row) -> Any:
        value = _single("replace", subject(row))
        return None if value is None else pattern.sub(lambda _: into, text(value))

    return run


def _whole(name: str, body: Callable[[float], int]) -> Callable[[Any], Any]:
    def run(value: Any) -> Any:
        found = number(_single(name, value))
        return None if found is None else body(found)

    return run


def _extreme(name: str, pick: Callable[[list[Any]], Any]) -> Callable[..., Any]:
    """max() and min(): of numbers here; nulls among them are refused, the documentation is silent on them."""

    def run(*values: Any) -> Any:
        found = [number(_single(name, value)) for value in values]
        return None if any(one is None for one in found) else pick(found)

    return run


def _strptime(value: Any, form: Any) -> Any:
    value = _single("strptime", value)
    return None if value is None or form is None else times.strptime(text(value), text(form))


def _strftime(value: Any, form: Any) -> Any:
    seconds = number(_single("strftime", value))
    return None if seconds is None or form is None else times.strftime(seconds, text(form))


_PLAIN: dict[str, tuple[Callable[..., Any], int, int]] = {
    "lower": (_mapped(str.lower), 1, 1),
    "len": (_mapped(len), 1, 1),
    "isnull": (lambda value: value is None, 1, 1),
    "isnotnull": (lambda value: value is not None, 1, 1),
    "null": (lambda: None, 0, 0),
    "true": (lambda: True, 0, 0),
    "false": (lambda: False, 0, 0),
    "tonumber": (_tonumber, 1, 1),
    "tostring": (_tostring, 1, 1),
    "substr": (_substr, 2, 3),
    "trim": (_trim, 1, 2),
    "json_extract": (_json_extract, 2, 2),
    "round": (_round, 1, 2),
    "ceiling": (_whole("ceiling", math.ceil), 1, 1),
    "floor": (_whole("floor", math.floor), 1, 1),
    "min": (_extreme("min", min), 1, 99),
    "max": (_extreme("max", max), 1, 99),
    "mvcount": (_mvcount, 1, 1),
    "mvappend": (_mvappend, 1, 9999),
    "mvindex": (_mvindex, 2, 2),
    "split": (_split, 2, 2),
    "strptime": (_strptime, 2, 2),
    "strftime": (_strftime, 2, 2),
}


def _if(arguments: Sequence[Expression], literals: Sequence[Any], truth: Truth) -> Expression:
    """if(condition, then, else): else where the condition is not TRUE."""
    if len(arguments) != 3:
        raise invalid(f"if() does not take {len(arguments)} arguments")
    test, then, other = arguments
    return lambda row: then(row) if truth(test(row)) is True else other(row)


def _case(arguments: Sequence[Expression], literals: Sequence[Any], truth: Truth) -> Expression:
    """case(condition, value, ...): the value of the first condition that is TRUE, else null."""
    if not arguments or len(arguments) % 2:
        raise invalid("case() takes pairs of condition and value")
    pairs = list(zip(arguments[::2], arguments[1::2], strict=True))

    def run(row: Row) -> Any:
        for test, value in pairs:
            if truth(test(row)) is True:
                return value(row)
        return None

    return run


def _coalesce(arguments: Sequence[Expression], literals: Sequence[Any], truth: Truth) -> Expression:
    """coalesce(values): the first that is not null."""

    def run(row: Row) -> Any:
        for argument in arguments:
            value = argument(row)
            if value is not None:
                return value
        return None

    return run


def _in(arguments: Sequence[Expression], literals: Sequence[Any], truth: Truth) -> Expression:
    """in(value, texts): TRUE if one of the texts equals the value, case-sensitive; no wildcards."""
    listed = literals[1:]
    if not listed or not all(isinstance(one, str) and number(one) is None for one in listed):
        raise unknown("in() with anything but quoted texts that are no numbers")
    wanted, subject = frozenset(listed), arguments[0]

    def run(row: Row) -> bool | None:
        value = subject(row)
        return None if value is None else any(text(one) in wanted for one in each(value))

    return run


Special = Callable[[Sequence[Expression], Sequence[Any], Truth], Expression]
SPECIAL: dict[str, Special] = {"if": _if, "case": _case, "coalesce": _coalesce, "in": _in}
