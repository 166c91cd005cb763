"""Read the `correlation` of a rule.

Sigma correlation rules specification 2.1, with what pySigma adds to it: value_sum, value_avg,
value_percentile, value_median, neq, and boolean conditions of temporal correlations.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from converter.errors import RuleError
from converter.matcher import condition as conditions

TYPES = (
    "event_count",
    "value_count",
    "temporal",
    "temporal_ordered",
    "value_sum",
    "value_avg",
    "value_percentile",
    "value_median",
)
OPERATORS = ("gt", "gte", "lt", "lte", "eq", "neq")
_UNITS_MS = {"s": 1_000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}
_WORD = re.compile(r"[^\s()]+")


@dataclass(frozen=True, slots=True)
class Section:
    """What a correlation says, checked."""

    type: str
    references: tuple[str, ...]
    """Names or ids of rules, in order."""
    group_by: tuple[str, ...]
    aliases: Mapping[str, Mapping[str, str]]
    """alias -> reference -> field."""
    timespan_ms: int
    thresholds: tuple[tuple[str, float], ...]
    """Operator and number; all must hold."""
    fields: tuple[str, ...]
    """What value_count and the like look at."""
    percentile: float | None
    expression: conditions.Tree | None
    generate: bool


def read(rule: Mapping[str, Any]) -> Section:
    """Read and check the `correlation` of a rule as YAML gives it.

    Raises:
        RuleError: SC112 for what is no valid correlation.
    """
    given = rule.get("correlation")
    if not isinstance(given, Mapping):
        raise _wrong("'correlation' must be a map")
    kind = given.get("type")
    if kind not in TYPES:
        raise _wrong(f"'{kind}' is no correlation type", f"one of {', '.join(TYPES)}")
    temporal = kind in ("temporal", "temporal_ordered")
    condition = given.get("condition")
    references = _references(given.get("rules"), condition)
    expression = None
    thresholds: tuple[tuple[str, float], ...] = ()
    if isinstance(condition, str):
        if kind != "temporal":
            raise _wrong(f"a {kind} correlation takes no boolean condition", "use type: temporal")
        expression = conditions.parse(condition, references)
    elif condition is None and temporal:
        thresholds = (("gte", len(references)),)
    elif isinstance(condition, Mapping):
        thresholds = _thresholds(condition)
    else:
        raise _wrong(f"a {kind} correlation needs a condition such as 'gte: 5'")
    details = condition if isinstance(condition, Mapping) else {}
    fields = tuple(map(str, _list(details.get("field"))))
    if kind.startswith("value_") and not fields:
        raise _wrong(f"a {kind} correlation needs 'field' in its condition")
    if len(fields) > 1 and kind != "value_count":
        raise _wrong(f"a {kind} correlation looks at one field")
    return Section(
        type="value_percentile" if kind == "value_median" else str(kind),
        references=references,
        group_by=tuple(dict.fromkeys(map(str, _list(given.get("group-by"))))),
        aliases=_aliases(given.get("aliases")),
        timespan_ms=_timespan(given.get("timespan")),
        thresholds=thresholds,
        fields=fields,
        percentile=_percentile(str(kind), details.get("percentile")),
        expression=expression,
        # The published schema has it beside `correlation`, pySigma inside it.
        generate=given.get("generate") is True or rule.get("generate") is True,
    )


def _wrong(message: str, hint: str | None = None) -> RuleError:
    return RuleError("SC112", message, hint=hint)


def _list(given: Any) -> list[Any]:
    if given is None:
        return []
    return given if isinstance(given, list) else [given]


def _references(rules: Any, condition: Any) -> tuple[str, ...]:
    names = [str(one) for one in _list(rules)]
    if not names and isinstance(condition, str):
        names = list(
            dict.fromkeys(word for word in _WORD.findall(condition) if word not in ("and", "or", "not"))
        )
    if not names:
        raise _wrong("the correlation refers to no rules")
    if len(set(names)) < len(names):
        raise _wrong("the correlation refers to one rule twice")
    return tuple(names)


def _thresholds(condition: Mapping[Any, Any]) -> tuple[tuple[str, float], ...]:
    unknown = [str(key) for key in condition if key not in (*OPERATORS, "field", "percentile")]
    if unknown:
        raise _wrong(f"unknown key '{unknown[0]}' in the condition")
    found = tuple((op, _number(condition[op])) for op in OPERATORS if op in condition)
    if not found:
        raise _wrong("the condition compares with nothing", f"one of {', '.join(OPERATORS)}")
    return found


def _number(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or value != value:
        raise _wrong(f"{value!r:.60} is no number")
    return value


def _percentile(kind: str, given: Any) -> float | None:
    if kind == "value_median":
        return 50
    if kind != "value_percentile":
        return None
    percentile = _number(95 if given is None else given)
    if not 0 < percentile <= 100:
        raise _wrong("a percentile is more than 0 and at most 100")
    return percentile


def _timespan(given: Any) -> int:
    found = re.fullmatch(r"([0-9]+)([smhd])", str(given), re.ASCII)
    if found is None or int(found[1]) == 0:
        raise _wrong(f"'{given}' is no timespan", "a number and s, m, h or d, such as 10m")
    return int(found[1]) * _UNITS_MS[found[2]]


def _aliases(given: Any) -> Mapping[str, Mapping[str, str]]:
    aliases: dict[str, Mapping[str, str]] = {}
    for alias, fields in (given or {}).items() if isinstance(given or {}, Mapping) else [(given, None)]:
        if not isinstance(fields, Mapping):
            raise _wrong(f"alias '{alias}' must map rules to fields")
        aliases[str(alias)] = {str(rule): str(field) for rule, field in fields.items()}
    return aliases
