"""Rules with one clause less, or one clause changed: some test of the rule must notice each."""

from __future__ import annotations

import re
from collections.abc import Iterator
from copy import deepcopy
from typing import Any

Document = dict[str, Any]
Mutation = tuple[str, list[Document]]


def mutations(docs: list[Document]) -> Iterator[Mutation]:
    """Yield a description and the changed rules of a file."""
    for number, doc in enumerate(docs):
        if "filter" in doc:
            yield from _filter(docs, number)
            continue
        label = doc.get("name") or doc["title"]
        for text, changed in _correlation(doc) if "correlation" in doc else _event_rule(doc):
            yield f"{label}: {text}", [*docs[:number], changed, *docs[number + 1 :]]


def _event_rule(doc: Document) -> Iterator[tuple[str, Document]]:
    for key in doc["logsource"]:
        if key == "category":
            changed = deepcopy(doc)
            del changed["logsource"][key]
            yield f"without logsource {key}", changed
    for name, selection in doc["detection"].items():
        if name == "condition":
            continue
        yield from _without_selection(doc, name)
        maps = selection if isinstance(selection, list) else [selection]
        for index, items in enumerate(maps):
            if len(maps) > 1:
                changed = deepcopy(doc)
                del changed["detection"][name][index]
                yield f"without {name}[{index}]", changed
            for key, value in items.items():
                for text, less in _items(items, key, value):
                    changed = deepcopy(doc)
                    if isinstance(selection, list):
                        changed["detection"][name][index] = less
                    else:
                        changed["detection"][name] = less
                    yield f"{name}: {text}", changed
    yield from _conditions(doc)


def _items(items: Document, key: str, value: Any) -> Iterator[tuple[str, Document]]:
    """Yield a map without a field, without a value of it, and with a modifier less."""
    if len(items) > 1:
        yield f"without {key}", {one: two for one, two in items.items() if one != key}
    if isinstance(value, list) and len(value) > 1:
        for one in value:
            yield f"{key} without {one!r}", {**items, key: [two for two in value if two != one]}
    field, *modifiers = key.split("|")
    for number, modifier in enumerate(modifiers):
        rest = modifiers[:number] + modifiers[number + 1 :]
        yield f"{key} without {modifier}", _renamed(items, key, "|".join([field, *rest]))
        if modifier in ("startswith", "endswith"):
            looser = [*modifiers[:number], "contains", *modifiers[number + 1 :]]
            yield f"{key} with contains", _renamed(items, key, "|".join([field, *looser]))


def _renamed(items: Document, old: str, new: str) -> Document:
    return {new if key == old else key: value for key, value in items.items()}


def _without_selection(doc: Document, name: str) -> Iterator[tuple[str, Document]]:
    condition = doc["detection"]["condition"]
    names = [one for one in doc["detection"] if one != "condition"]
    if len(names) == 1:
        return
    changed = deepcopy(doc)
    del changed["detection"][name]
    if name not in re.split(r"[\s()]+", condition):
        alike = [one for one in names if one != name and one.split("_")[0] == name.split("_")[0]]
        if not alike:
            pattern = rf" and (not )?(1|all) of {name.split('_')[0]}_\*"
            condition, times = re.subn(pattern, "", condition)
            assert times == 1, condition
    else:
        condition, times = re.subn(rf"( and (not )?{name}\b)|(^{name} and )", "", condition)
        assert times == 1, condition
    changed["detection"]["condition"] = condition
    yield f"without selection {name}", changed


def _conditions(doc: Document) -> Iterator[tuple[str, Document]]:
    condition = doc["detection"]["condition"]
    for old, new in ((" and ", " or "), ("not ", ""), ("1 of ", "all of ")):
        for found in re.finditer(re.escape(old), condition):
            text = condition[: found.start()] + new + condition[found.end() :]
            changed = deepcopy(doc)
            changed["detection"]["condition"] = text
            yield f"condition {text!r}", changed


_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
_OTHER_TYPES = {
    "temporal": ["temporal_ordered"],
    "temporal_ordered": ["temporal"],
    "value_count": ["event_count"],
    "value_sum": ["value_avg", "value_median"],
    "value_avg": ["value_sum", "value_median"],
    "value_median": ["value_sum", "value_avg"],
}


def _correlation(doc: Document) -> Iterator[tuple[str, Document]]:
    section = doc["correlation"]

    def changed(**keys: Any) -> Document:
        return {**doc, "correlation": {**deepcopy(section), **keys}}

    condition = section.get("condition")
    if not isinstance(condition, str):
        for kind in _OTHER_TYPES.get(section["type"], ()):
            less = {key: value for key, value in (condition or {}).items() if key != "field"}
            yield (
                f"as {kind}",
                changed(type=kind, condition=less) if kind == "event_count" else changed(type=kind),
            )
    if section["type"] == "temporal_ordered":
        yield "rules in the other order", changed(rules=section["rules"][::-1])
    span = int(section["timespan"][:-1]) * _SECONDS[section["timespan"][-1]]
    yield f"timespan {span + 1}s", changed(timespan=f"{span + 1}s")
    yield f"timespan {span - 1}s", changed(timespan=f"{span - 1}s")
    if isinstance(condition, str):
        for text in _expressions(condition):
            yield f"condition {text!r}", changed(condition=text)
    elif condition:
        for text, other in _thresholds(condition):
            yield f"condition {text}", changed(condition=other)
    if not isinstance(condition, str) and len(section["rules"]) > 1:
        for rule in section["rules"]:
            less = changed(rules=[one for one in section["rules"] if one != rule])
            for fields in less["correlation"].get("aliases", {}).values():
                fields.pop(rule, None)
            yield f"without {rule}", less
    for key in section.get("group-by", ()):
        yield (
            f"without group-by {key}",
            changed(**{"group-by": [one for one in section["group-by"] if one != key]}),
        )


def _thresholds(condition: Document) -> Iterator[tuple[str, Document]]:
    """Yield a condition with a number that is one more or less, without one, and with a field less."""
    operators = [key for key in condition if key not in ("field", "percentile")]
    for key in operators:
        for number in (condition[key] - 1, condition[key] + 1):
            yield f"{key}: {number}", {**condition, key: number}
        if len(operators) > 1:
            yield f"without {key}", {one: two for one, two in condition.items() if one != key}
    if isinstance(condition.get("field"), list):
        for field in condition["field"]:
            yield (
                f"without field {field}",
                {**condition, "field": [one for one in condition["field"] if one != field]},
            )


def _expressions(text: str) -> Iterator[str]:
    """Yield a boolean condition with another operator, and with one name in place of each other."""
    for old, new in ((" and ", " or "), (" or ", " and "), ("not ", "")):
        for found in re.finditer(re.escape(old), text):
            yield text[: found.start()] + new + text[found.end() :]
    names = re.findall(r"\w+", text)
    names = [name for name in dict.fromkeys(names) if name not in ("and", "or", "not")]
    for name, other in zip(names, names[1:] + names[:1], strict=True):
        yield re.sub(rf"\b{name}\b", other, text)


def _filter(docs: list[Document], number: int) -> Iterator[Mutation]:
    """Yield the rules without a filter, and with a filter that has a value less."""
    doc = docs[number]
    yield f"without {doc['title']}", [*docs[:number], *docs[number + 1 :]]
    for name, selection in doc["filter"].items():
        if name in ("rules", "condition"):
            continue
        for key, value in selection.items():
            for text, less in _items(selection, key, value):
                changed = {**doc, "filter": {**doc["filter"], name: less}}
                yield f"{doc['title']}: {name}: {text}", [*docs[:number], changed, *docs[number + 1 :]]
