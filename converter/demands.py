"""What a rule demands of its events: fields that hold one value in each event that it selects."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sigma.conditions import ConditionAND, ConditionOR

from converter import detection_items, fresh
from converter.rule import Rule

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


def settled(item: Mapping[str, Any], demands: Demands) -> dict[str, Any] | None:
    """Return a ``by_case`` item as a plain mapping where the rule demands one of its cases, else None.

    Args:
        item: of a pipeline's transformations.
        demands: what the rule demands.
    """
    cases = {str(value).lower(): name for value, name in item["cases"].items()}
    name = cases.get(demands.get(str(item["by"]), ""))
    fields = [
        field
        for condition in item.get("field_name_conditions") or ()
        if condition.get("type") == "include_fields"
        for field in condition["fields"]
    ]
    if name is None or not fields:
        return None
    kept = {key: value for key, value in item.items() if key not in ("by", "cases", "key")}
    return {**kept, "type": "field_name_mapping", "mapping": dict.fromkeys(fields, name)}
