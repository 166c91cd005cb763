"""Rewrite the comparisons of a rule's document, so that the relaxed rule is a Sigma rule too."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping, Sequence
from itertools import chain, permutations, product
from typing import Any

from converter.errors import InternalError
from converter.matcher.detection import as_keyword
from converter.matcher.modifiers import LIST_MODIFIERS, Placeholders, apply
from converter.matcher.value import (
    Bool,
    Cidr,
    Exists,
    FieldRef,
    Null,
    Number,
    Regex,
    Text,
    Value,
    Wild,
    literal,
    parse_text,
)
from converter.verify.relaxations.situation import Doc

Placed = tuple[str, Value]
"""A value of another field."""
Change = Callable[[Value], Sequence[Value | Placed]]
"""Returns the values of which one must hold in place of a value; the value alone if nothing changes."""
Item = tuple[str, Any]
KEYWORD = ""
"""The field of values that have none."""
_NOT_SELECTIONS = ("condition", "timeframe")


def rewritten(
    doc: Doc, fields: Collection[str], change: Change, placeholders: Placeholders | None = None
) -> Doc:
    """Return a rule with the values that it compares certain fields with changed; others as they are.

    Args:
        doc: a rule; a correlation is returned as it is.
        fields: their names; `KEYWORD` stands for values without a field.
        change: of a value after its modifiers.
        placeholders: values for the `expand` modifier.
    """
    if "detection" not in doc:
        return doc
    writer = _Writer(frozenset(fields), change, placeholders)
    detection = {
        name: item if name in _NOT_SELECTIONS else writer.selection(item)
        for name, item in doc["detection"].items()
    }
    return {**doc, "detection": detection}


def compared(doc: Doc) -> set[str]:
    """Return the fields that a rule compares; `KEYWORD` for values without one."""
    found: set[str] = set()

    def walk(item: Any) -> None:
        if isinstance(item, Mapping):
            for key in item:
                found.add(str(key).split("|")[0])
        elif isinstance(item, list):
            for one in item:
                walk(one)
        else:
            found.add(KEYWORD)

    for name, item in (doc.get("detection") or {}).items():
        if name not in _NOT_SELECTIONS:
            walk(item)
    return found


def demanding(doc: Doc, **fields: Any) -> Doc:
    """Return a rule that also demands values of fields."""
    if "detection" not in doc:
        return doc
    name = "only"
    while name in doc["detection"]:
        name += "_"
    given = doc["detection"]["condition"]
    conditions = [f"({one}) and {name}" for one in (given if isinstance(given, list) else [given])]
    return {**doc, "detection": {**doc["detection"], name: fields, "condition": conditions}}


class _Writer:
    def __init__(self, fields: frozenset[str], change: Change, placeholders: Placeholders | None) -> None:
        self.fields, self.change, self.placeholders = fields, change, placeholders

    def selection(self, item: Any) -> Any:
        if isinstance(item, Mapping):
            found = self._map(item)
            return found[0] if len(found) == 1 else found
        if isinstance(item, list) and any(isinstance(one, (Mapping, list)) for one in item):
            made: list[Any] = []
            for one in item:
                new = self.selection(one)
                made += new if isinstance(one, Mapping) and isinstance(new, list) else [new]
            return made
        if KEYWORD not in self.fields:
            return item
        found = self._map({KEYWORD: item})
        if found == [{KEYWORD: item}]:
            return item
        return found

    def _map(self, item: Mapping[Any, Any]) -> list[dict[str, Any]]:
        """Return the maps of which one must hold in place of a map."""
        ways: list[list[list[Item]]] = [self._item(str(key), given) for key, given in item.items()]
        return [_together(list(chain.from_iterable(way))) for way in product(*ways)]

    def _item(self, key: str, given: Any) -> list[list[Item]]:
        """Return the alternatives, each of items that must all hold."""
        field, *modifiers = key.split("|")
        if field not in self.fields:
            return [[(key, given)]]
        raw = given if isinstance(given, list) else [given]
        changing = [name for name in modifiers if name not in LIST_MODIFIERS]
        before = [apply(literal(one), changing, self.placeholders) for one in raw]
        if not field:
            anywhere = not {"startswith", "endswith", "contains"} & set(changing)
            before = [[as_keyword(value, anywhere=anywhere) for value in group] for group in before]
        after = [[new for value in group for new in self.change(value)] for group in before]
        if after == before:
            return [[(key, given)]]
        groups = after if "all" in modifiers else [list(chain.from_iterable(after))]
        written = [_written(field, group) for group in groups]
        if "neq" in modifiers:
            if "all" in modifiers and len(groups) > 1:
                raise InternalError("SC900", f"'{key}' has no relaxed form")
            return [[(f"{name}|neq", values) for name, values in chain.from_iterable(written)]]
        return [list(way) for way in product(*written)]


def _written(field: str, values: Sequence[Value | Placed]) -> list[Item]:
    """Return keys with values of which one must hold."""
    found: dict[str, list[Any]] = {}
    for value in values:
        key, raw = _raw(*value) if isinstance(value, tuple) else _raw(field, value)
        found.setdefault(key, []).append(raw)
    return list(found.items())


def _raw(field: str, value: Value) -> Item:
    match value:
        case Text(parts, cased):
            if not field:
                # A keyword's stars say where in the text it stands.
                inner = "".join(map(_shown, parts))
                return ("|re|i" if not cased else "|re") + "|s", _regex_of(parts) if inner else ""
            return field + ("|cased" if cased else ""), "".join(map(_shown, parts))
        case Regex(source, flags):
            return "|".join((field, "re", *sorted(flags))), source
        case Number(number, op, part):
            return "|".join((field, *([part] if part else []), *([op] if op != "eq" else []))), number
        case Bool(wanted):
            return field, wanted
        case Null():
            return field, None
        case Exists(wanted):
            return f"{field}|exists", wanted
        case Cidr(network):
            return f"{field}|cidr", str(network)
        case FieldRef(name, before, after):
            way = {(True, True): ["contains"], (True, False): ["endswith"], (False, True): ["startswith"]}
            return "|".join((field, "fieldref", *way.get((before, after), []))), name


def _shown(part: Any) -> str:
    if isinstance(part, Wild):
        return str(part.value)
    return re.sub(r"[\\*?]", r"\\\g<0>", str(part))


def _regex_of(parts: Sequence[Any]) -> str:
    return f"\\A{pattern(parts)}\\z"


def pattern(parts: Sequence[Any], *, many: str = ".*", single: str = ".") -> str:
    """Return the regular expression of a text with wildcards.

    Args:
        parts: texts and wildcards.
        many: what a star stands for.
        single: what a question mark stands for.
    """
    return "".join(
        many if part is Wild.ANY else single if part is Wild.ONE else re.escape(str(part)) for part in parts
    )


def regex(source: str, cased: bool = False) -> Regex:
    """Return a regular expression whose dot is any character, in any case if the text is so compared."""
    return Regex(source, frozenset("s" if cased else "is"))


def _together(items: Sequence[Item]) -> dict[str, Any]:
    """Return one map of items that must all hold; keys that are there already are written another way."""
    grouped: dict[str, list[Any]] = {}
    for key, given in items:
        held = grouped.setdefault(key, [])
        if given not in held:
            held.append(given)
    made: dict[str, Any] = {key: held[0] for key, held in grouped.items() if len(held) == 1}
    for key, held in grouped.items():
        if len(held) == 1:
            continue
        lists = [one if isinstance(one, list) else [one] for one in held]
        single = [one[0] for one in lists if len(one) == 1]
        if len(single) > 1 and f"{key}|all" not in made and "neq" not in key.split("|"):
            made[f"{key}|all"] = single
            lists = [one for one in lists if len(one) > 1]
        for one in lists:
            made |= _beside(key, one, made)
    return made


def _beside(key: str, given: list[Any], taken: Mapping[str, Any]) -> dict[str, Any]:
    """Return an item under a key that is not taken: of a regular expression its flags in another order."""
    if key not in taken:
        return {key: given}
    field, *modifiers = key.split("|")
    if "re" not in modifiers and all(isinstance(one, str) for one in given):
        # A text with wildcards is a regular expression as well.
        flags = ["s"] if "cased" in modifiers else ["i", "s"]
        given = [_regex_of(parse_text(one)) for one in given]
        modifiers = ["re", *flags, *(name for name in modifiers if name == "neq")]
    if "re" in modifiers:
        flags = [name for name in modifiers if name in ("i", "s", "m")] or ["s", "s"]
        rest = [name for name in modifiers if name not in ("re", "i", "s", "m")]
        for more in (flags, flags * 2, flags * 3):
            for order in permutations(more):
                other = "|".join((field, "re", *order, *rest))
                if other not in taken:
                    return {other: given}
    raise InternalError("SC900", f"a second '{key}' cannot be written beside the first")
