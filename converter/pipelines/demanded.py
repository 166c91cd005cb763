"""What a rule demands of its events: fields that hold one value in each event that it selects."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sigma.conditions import ConditionAND, ConditionOR

from converter.pipelines.transformations import items as detection_items
from converter.rules import parsed as fresh
from converter.rules.rule import Rule

Demands = Mapping[str, str]
"""Field to the text that it must hold, in lower case."""


def of_rule(rule: Rule) -> Demands:
    """Return the fields that a rule compares with one value, whichever way it is satisfied.

    Args:
        rule: an event rule, as it is written.
    """
    trees = [fresh.parsed(condition) for condition in rule.sigma().detection.parsed_condition]
    found = [_of(tree) for tree in trees]
    return {
        name: text
        for name, text in (found[0] if found else {}).items()
        if all(one.get(name) == text for one in found)
    }


def _of(node: Any) -> dict[str, str]:
    if isinstance(node, ConditionAND):
        return {name: text for arg in node.args for name, text in _of(arg).items()}
    if isinstance(node, ConditionOR):
        first, *rest = [_of(arg) for arg in node.args]
        return {name: text for name, text in first.items() if all(one.get(name) == text for one in rest)}
    field, value = getattr(node, "field", None), getattr(node, "value", None)
    text = detection_items.plain(value) if field is not None and value is not None else None
    return {} if text is None else {str(field): text.lower()}


Values = frozenset[str] | None
"""The values that a field can have, in lower case; None if it can have any."""


def values_of(node: Any, name: str) -> Values:
    """Return the values that a field can have where a condition holds.

    Args:
        node: of a parsed condition.
        name: the field.
    """
    if isinstance(node, ConditionAND):
        found: Values = None
        for arg in node.args:
            found = both(found, values_of(arg, name))
        return found
    if isinstance(node, ConditionOR):
        several = [values_of(arg, name) for arg in node.args]
        known = [one for one in several if one is not None]
        return frozenset().union(*known) if len(known) == len(several) else None
    if getattr(node, "field", None) != name:
        return None
    text = detection_items.plain(node.value)
    return None if text is None else frozenset({text.lower()})


def both(one: Values, other: Values) -> Values:
    """Return the values that a field can have where it can have the ones and the others."""
    if one is None or other is None:
        return other if one is None else one
    return one & other


def values_of_rule(rule: Rule, name: str) -> Values:
    """Return the values that a field has in the events that a rule, as it is written, selects."""
    trees = [fresh.parsed(condition) for condition in rule.sigma().detection.parsed_condition]
    return values_of(ConditionOR(trees), name)


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
