"""What a rule demands of its events: fields that hold one value in each event that it selects."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from converter.pipelines.lowering import lowered
from converter.plan import demanded
from converter.plan.conditions import Condition, Or
from converter.plan.demanded import Values
from converter.rules import parsed as fresh
from converter.rules.rule import Rule

Demands = Mapping[str, str]
"""Field to the text that it must hold, in lower case."""


def of_rule(rule: Rule) -> Demands:
    """Return the fields that a rule compares with one value, whichever way it is satisfied.

    Args:
        rule: an event rule, as it is written.
    """
    return demanded.texts(_written(rule))


def values_of_rule(rule: Rule, name: str) -> Values:
    """Return the values that a field has in the events that a rule, as it is written, selects."""
    return demanded.values_of(_written(rule), name)


def _written(rule: Rule) -> Condition:
    """Return the conditions of a rule as alternatives, before any pipeline."""
    parsed = [fresh.parsed(condition) for condition in rule.sigma().detection.parsed_condition]
    return Or(tuple(found for one in parsed if (found := lowered(one)) is not None))


def of_event(known: Values, moved: frozenset[str], name: str, other: str) -> str | None:
    """Return the field that holds an element in the events of some ids; None if that is not one field.

    Args:
        known: the ids.
        moved: those of which the element is in ``name``; in the others it is in ``other``.
        name: a field.
        other: a field.
    """
    if known and known <= moved:
        return name
    return other if known is not None and not known & moved else None


def settled_by_event(item: Mapping[str, Any], known: Values) -> dict[str, Any] | None:
    """Return a ``by_event`` item as a plain mapping where events of some ids have one field, else None."""
    moved = frozenset(str(value).lower() for value in item["values"])
    name = of_event(known, moved, item["name"], item["other"]) or (
        item["other"] if item.get("anyway") else None
    )
    if name is None:
        return None
    kept = {key: value for key, value in item.items() if key in ("id", "field_name_conditions")}
    kept |= {key: value for key, value in item.items() if key.startswith("rule_cond")}
    return {
        **kept,
        "type": "field_name_mapping",
        "mapping": {one: name.replace("{}", one) for one in _fields(item)},
    }


def _fields(item: Mapping[str, Any]) -> list[str]:
    return [
        field
        for condition in item.get("field_name_conditions") or ()
        if condition.get("type") == "include_fields"
        for field in condition["fields"]
    ]


def settled(item: Mapping[str, Any], demands: Demands) -> dict[str, Any] | None:
    """Return a ``by_case`` item as a plain mapping where the rule demands one of its cases, else None.

    Args:
        item: of a pipeline's transformations.
        demands: what the rule demands.
    """
    cases = {str(value).lower(): name for value, name in item["cases"].items()}
    name = cases.get(demands.get(str(item["by"]), ""))
    fields = _fields(item)
    if name is None or not fields:
        return None
    kept = {key: value for key, value in item.items() if key not in ("by", "cases", "key")}
    return {**kept, "type": "field_name_mapping", "mapping": dict.fromkeys(fields, name)}
