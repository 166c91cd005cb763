"""The parts of a detection as YAML gives them: what pySigma would stumble over or read as something else."""

from __future__ import annotations

from collections.abc import Iterator
from math import isfinite
from typing import Any

from converter.errors import RuleError
from converter.rules.rule import Rule

_QUOTES = "put it into quotes"
_KINDS = {"date": "a date", "datetime": "a time", "bytes": "binary data", "set": "a set"}


def wrong_parts(rule: Rule, detection: dict[str, Any], section: str) -> Iterator[RuleError]:
    """Yield keys and values that are no Sigma, each with its place.

    pySigma takes an empty list for null, so that the rule would mean events without the field.
    """
    for name, part in detection.items():
        if name == "condition":
            yield from _condition(rule, part, section, name)
        elif name != "timeframe":
            yield from _selection(rule, part, str(name), section, name)


def _condition(rule: Rule, given: Any, *path: str | int) -> Iterator[RuleError]:
    conditions = given if isinstance(given, list) else [given]
    if not conditions:
        yield rule.error("SC105", "the condition is empty", *path)
    for position, one in enumerate(conditions):
        place = (*path, position) if isinstance(given, list) else path
        if not isinstance(one, str):
            yield rule.error("SC105", f"a condition is text, not {_shown(one)}", *place, hint=_QUOTES)
        elif not one.strip():
            yield rule.error("SC105", "the condition is empty", *place)


def _selection(rule: Rule, part: Any, name: str, *path: str | int) -> Iterator[RuleError]:
    if part is None or (isinstance(part, (dict, list)) and not part):
        yield rule.error("SC103", f"'{name}' is empty", *path, hint="write fields and values, or remove it")
    elif isinstance(part, dict):
        for key, value in part.items():
            if not isinstance(key, str):
                message = f"the name of a field is text, not {_shown(key)}"
                yield rule.error("SC103", message, *path, hint=_QUOTES)
                continue
            yield from _values(rule, key, value, *path, key)
    elif isinstance(part, list):
        for position, one in enumerate(part):
            if isinstance(one, (dict, list)):
                yield from _selection(rule, one, f"{name}, item {position + 1},", *path, position)
            else:
                yield from _value(rule, name, one, *path, position)
                if one is None:
                    yield rule.error("SC103", f"null in '{name}' needs a field", *path, position)
    else:
        yield from _value(rule, name, part, *path)


def _values(rule: Rule, key: str, value: Any, *path: str | int) -> Iterator[RuleError]:
    if not isinstance(value, list):
        yield from _value(rule, key, value, *path)
        return
    if not value:
        yield rule.error("SC103", f"'{key}' has no value", *path, hint="write a value, or null")
    for position, one in enumerate(value):
        yield from _value(rule, key, one, *path, position)


def _value(rule: Rule, key: str, value: Any, *path: str | int) -> Iterator[RuleError]:
    if isinstance(value, str) or value is None:
        return
    if not isinstance(value, (int, float)) or not isfinite(value):
        hint = "write a list of texts or numbers" if isinstance(value, (dict, list)) else _QUOTES
        yield rule.error("SC113", f"a value of '{key}' cannot be {_shown(value)}", *path, hint=hint)


def _shown(value: Any) -> str:
    if isinstance(value, dict):
        return "a mapping"
    if isinstance(value, list):
        return "a list"
    return _KINDS.get(type(value).__name__) or f"{value}".lower()
