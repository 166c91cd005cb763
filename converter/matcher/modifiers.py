"""Sigma's value modifiers, applied in the order in which the rule writes them.

Sigma specification 2.1, appendix "Sigma Modifiers". `all` and `neq` change how values are joined and
are handled by `detection`; here is what changes a value.
"""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from difflib import get_close_matches
from ipaddress import ip_network
from itertools import product

from converter.errors import RuleError
from converter.matcher.value import (
    Bool,
    Cidr,
    Exists,
    FieldRef,
    Null,
    Number,
    Part,
    Regex,
    Text,
    Value,
    Wild,
    decode,
    parse_text,
    plain_text,
)

Placeholders = Mapping[str, Sequence[str | int | float]]

LIST_MODIFIERS = frozenset({"all", "neq"})
TIME_PARTS = frozenset({"minute", "hour", "day", "week", "month", "year"})
_FLAGS = {"i": "i", "ignorecase": "i", "m": "m", "multiline": "m", "s": "s", "dotall": "s"}
_CODECS = {"wide": "utf-16-le", "utf16le": "utf-16-le", "utf16be": "utf-16-be", "utf16": "utf-16-le"}
_DASHES = "-/\u2013\u2014\u2015"
# A flag's dash: not inside a word, and a word follows. Dashes within words are no flags.
_FLAG_DASH = re.compile(rf"(?<!\w)[{_DASHES}](?=\w)")
# 5 to the power of this many strings.
_MAX_FLAGS = 5
_PLACEHOLDER = re.compile(r"(?<!\\)%([^%]+)%")


def apply(value: Value, modifiers: Sequence[str], placeholders: Placeholders | None) -> list[Value]:
    """Apply modifiers, in order, to one value; the result is joined as the rule's values are.

    Args:
        value: as `value.literal` gives it.
        modifiers: names without `all` and `neq`.
        placeholders: values of `%name%` for `expand`.

    Raises:
        RuleError: SC102 for an unknown modifier, SC113 where it does not fit the value, SC114 for a
            placeholder without values.
    """
    values = [value]
    for position, name in enumerate(modifiers):
        if name == "expand":
            values = [new for old in values for new in _expand(old, placeholders or {})]
            continue
        modify = _MODIFIERS.get(name)
        if modify is None:
            raise unknown(name)
        if name in ("re", "cidr", "exists") and any(other != "expand" for other in modifiers[:position]):
            raise RuleError("SC113", f"modifier '{name}' must come first")
        values = [new for old in values for new in modify(old, name)]
    return [decode(new) if isinstance(new, Text) else new for new in values]


def unknown(name: str) -> RuleError:
    """Return the error for a modifier that Sigma does not have."""
    near = get_close_matches(name, [*_MODIFIERS, *LIST_MODIFIERS, "expand"], 1)
    hint = f"did you mean '{near[0]}'?" if near else None
    return RuleError("SC102", f"unknown modifier '{name}'", hint=hint)


def _misfit(name: str, value: Value) -> RuleError:
    kind = {Null: "null", Bool: "a boolean", Number: "a number"}.get(type(value), "this value")
    return RuleError("SC113", f"modifier '{name}' does not apply to {kind}")


def _as_text(value: Value, name: str) -> Text:
    """Strings only: what the specification calls string modifiers."""
    if not isinstance(value, Text):
        raise _misfit(name, value)
    return value


def _around(value: Value, name: str) -> list[Value]:
    """`contains`, `startswith` and `endswith`: also on numbers, by their text."""
    before, after = name in ("contains", "endswith"), name in ("contains", "startswith")
    if isinstance(value, FieldRef):
        return [replace(value, before=value.before or before, after=value.after or after)]
    if isinstance(value, Regex):
        if name == "contains":
            return [value]  # As any regular expression.
        sign = "^" if name == "startswith" else "$"
        raise RuleError("SC113", f"modifier '{name}' does not apply to a regular expression: write {sign}")
    if isinstance(value, Number) and value.op == "eq" and value.part is None:
        value = Text((str(value.value),), original=str(value.value))
    value = _as_text(value, name)
    parts = value.parts
    if before and parts[:1] != (Wild.ANY,):
        parts = (Wild.ANY, *parts)
    if after and parts[-1:] != (Wild.ANY,):
        parts = (*parts, Wild.ANY)
    return [replace(value, parts=parts)]


def _cased(value: Value, name: str) -> list[Value]:
    if isinstance(value, FieldRef):
        raise _cased_reference()
    return [replace(_as_text(value, name), cased=True)]


def _regex(value: Value, name: str) -> list[Value]:
    if isinstance(value, Number):
        return [Regex(str(value.value))]
    return [Regex(_as_text(value, name).original)]


def _regex_flag(value: Value, name: str) -> list[Value]:
    if not isinstance(value, Regex):
        raise RuleError("SC113", f"modifier '{name}' needs 're' before it")
    return [replace(value, flags=value.flags | {_FLAGS[name]})]


def _compare(value: Value, name: str) -> list[Value]:
    if not isinstance(value, Number):
        raise _misfit(name, value)
    return [replace(value, op=name)]


def _time_part(value: Value, name: str) -> list[Value]:
    if not isinstance(value, Number):
        raise _misfit(name, value)
    if value.value != int(value.value):
        raise RuleError("SC113", f"modifier '{name}' needs a whole number, not {value.value}")
    return [replace(value, part=name)]


def _exists(value: Value, name: str) -> list[Value]:
    if not isinstance(value, Bool):
        raise RuleError("SC113", "modifier 'exists' needs true or false")
    return [Exists(value.value)]


def _cidr(value: Value, name: str) -> list[Value]:
    text = plain_text(_as_text(value, name), name)
    try:
        return [Cidr(ip_network(text))]
    except ValueError as error:
        raise RuleError("SC113", f"modifier 'cidr': {error}") from None


def _fieldref(value: Value, name: str) -> list[Value]:
    value = _as_text(value, name)
    if value.cased:
        raise _cased_reference()
    named = plain_text(value, name)
    if not named:
        raise RuleError("SC113", "modifier 'fieldref' needs the name of a field")
    return [FieldRef(named)]


def _cased_reference() -> RuleError:
    return RuleError("SC113", "'fieldref' compares in any case: 'cased' has no meaning with it")


def _to_bytes(value: Text, name: str) -> bytes:
    if Wild.ANY in value.parts or Wild.ONE in value.parts:
        raise RuleError("SC113", f"modifier '{name}' needs a value without wildcards: {value.original!r}")
    return b"".join(part if isinstance(part, bytes) else str(part).encode() for part in value.parts)


def _utf16(value: Value, name: str) -> list[Value]:
    value = _as_text(value, name)
    if any(isinstance(part, bytes) for part in value.parts):
        raise RuleError("SC113", f"modifier '{name}' of a value that is encoded already has no meaning")
    parts: list[Part] = [
        part.encode(_CODECS[name]) if isinstance(part, str) else part for part in value.parts
    ]
    if name == "utf16":
        parts.insert(0, b"\xff\xfe")
    return [replace(value, parts=tuple(parts))]


def _base64(value: Value, name: str) -> list[Value]:
    value = _as_text(value, name)
    return [replace(value, parts=(b64encode(_to_bytes(value, name)).decode(),))]


def _base64offset(value: Value, name: str) -> list[Value]:
    """The three forms of the value inside Base64, without the characters that its neighbours change.

    A character carries 6 bits. With `shift` bytes before, the first 8 * shift bits are foreign, so
    the first ceil(8 * shift / 6) characters go; at the end, those that hold bits of what follows.
    """
    value = _as_text(value, name)
    data = _to_bytes(value, name)
    if len(data) < 2:
        # One byte fills no character of its own when one byte stands before it.
        raise RuleError("SC113", f"modifier 'base64offset' needs two bytes or more: {value.original!r}")
    forms: list[Value] = []
    for shift in range(3):
        characters = b64encode(b"\0" * shift + data).decode().rstrip("=")
        first = -(-8 * shift // 6)
        last = 8 * (shift + len(data)) // 6
        forms.append(replace(value, parts=(characters[first:last],)))
    return forms


def _windash(value: Value, name: str) -> list[Value]:
    """Every combination of the five dashes wherever a dash begins a flag."""
    value = _as_text(value, name)
    choices: list[list[Part]] = []
    for part in value.parts:
        if not isinstance(part, str):
            choices.append([part])
            continue
        position = 0
        for dash in _FLAG_DASH.finditer(part):
            choices += [[part[position : dash.start()]], list(_DASHES)]
            position = dash.end()
        choices.append([part[position:]])
    if sum(len(options) > 1 for options in choices) > _MAX_FLAGS:
        raise RuleError("SC113", f"modifier 'windash' has more than {_MAX_FLAGS} dashes to vary")
    return [replace(value, parts=_joined(parts)) for parts in product(*choices)]


def _joined(parts: Sequence[Part]) -> tuple[Part, ...]:
    joined: list[Part] = []
    for part in parts:
        if isinstance(part, str) and joined and isinstance(joined[-1], str):
            joined[-1] += part
        elif part != "":
            joined.append(part)
    return tuple(joined)


def _expand(value: Value, placeholders: Placeholders) -> list[Value]:
    r"""Replace `%name%`; `\%` is a plain percent. Replacements are Sigma strings: they may have wildcards.

    In a regex they are put in as they are.
    """
    if not isinstance(value, (Text, Regex)):
        raise _misfit("expand", value)
    written = value.parts if isinstance(value, Text) else (value.source,)
    choices: list[list[tuple[Part, ...]]] = []
    for part in written:
        if not isinstance(part, str):
            choices.append([(part,)])
            continue
        for index, piece in enumerate(_PLACEHOLDER.split(part)):
            if index % 2 == 0:
                choices.append([(piece.replace("\\%", "%"),)])
            elif piece not in placeholders:
                raise RuleError("SC114", f"no values are given for the placeholder %{piece}%")
            elif isinstance(value, Regex):
                choices.append([(str(item),) for item in placeholders[piece]])
            else:
                choices.append([parse_text(str(item)) for item in placeholders[piece]])
    expanded = [_joined([part for parts in chosen for part in parts]) for chosen in product(*choices)]
    if isinstance(value, Regex):
        return [replace(value, source="".join(map(str, parts))) for parts in expanded]
    return [replace(value, parts=parts) for parts in expanded]


_MODIFIERS: Mapping[str, Callable[[Value, str], list[Value]]] = {
    **dict.fromkeys(("contains", "startswith", "endswith"), _around),
    **dict.fromkeys(_FLAGS, _regex_flag),
    **dict.fromkeys(("lt", "lte", "gt", "gte"), _compare),
    **dict.fromkeys(TIME_PARTS, _time_part),
    **dict.fromkeys(_CODECS, _utf16),
    "cased": _cased,
    "re": _regex,
    "exists": _exists,
    "cidr": _cidr,
    "fieldref": _fieldref,
    "base64": _base64,
    "base64offset": _base64offset,
    "windash": _windash,
}
