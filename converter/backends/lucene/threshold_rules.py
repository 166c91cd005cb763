"""Correlations as threshold rules of Elastic Security.

A threshold rule runs every few minutes, looks back over a fixed time, counts the events of a query per
group, and can count the distinct values of one field beside. So its groups are a superset of the
correlation's, and that is all it can be:

- the lookback is the timespan and the interval between two runs, so every sliding window lies within
  the lookback of some run; more events lie within it too;
- counting knows at-least only, and more events than the window's never unmake at-least;
- an order of rules is not seen. That several rules fired is seen as distinct values of a field that no two
  of them share, such as the event code; which rule an event came from, is not.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from converter.backends.lucene import dsl
from converter.backends.lucene.expression import And, Node, Or, Text, Value, either
from converter.backends.lucene.query import query
from converter.errors import Refusal
from converter.plan.demanded import one_of_few
from converter.plan.model import BaseRule, CorrelationPlan, Draft, Fidelity, Member, Reason
from converter.plan.thresholds import lower_bound

INTERVAL_MS = 300_000
"""Elastic's default interval between two runs of a rule."""
MAX_FIELDS = 5
"""Of a threshold's group, from Elastic 9.2 on."""
MAX_FIELDS_BEFORE = 3
_UNITS = ((86_400_000, "d"), (3_600_000, "h"), (60_000, "m"), (1_000, "s"))
_NOT_AGGREGATED = ("text", "match_only_text")
Make = Callable[[BaseRule], tuple[Node, tuple[Reason, ...]]]


@dataclass(frozen=True, slots=True)
class _Leaf:
    """An event rule of a correlation, at any depth, with the columns of the outermost's keys."""

    base: BaseRule
    condition: Node
    keys: tuple[str, ...]
    values: tuple[str, ...]


def draft(plan: CorrelationPlan, make: Make) -> Draft:
    """Return the threshold rule whose groups hold the correlation's.

    Args:
        plan: the correlation.
        make: converts an event rule into its condition and what it loses.

    Raises:
        Refusal: SC205 for what no threshold says, SC204 for a field that cannot be aggregated.
    """
    reasons: list[Reason] = []
    leaves = [leaf for member in plan.members for leaf in _leaves(member, make, reasons)]
    keys = _one([leaf.keys for leaf in leaves], "group-by fields")
    _check_fields(keys, leaves)
    threshold: dict[str, Any] = {"field": list(keys), "value": 1}
    if len(keys) > MAX_FIELDS_BEFORE:
        reasons.append(
            Reason(Fidelity.EXACT, f"groups of more than {MAX_FIELDS_BEFORE} fields need Elastic 9.2")
        )
    match plan.type:
        case "event_count":
            threshold["value"] = _events(plan)
        case "value_count":
            column = _one([leaf.values for leaf in leaves], "fields to count")
            if len(column) != 1:
                raise _cannot("count the distinct values of several fields together")
            _check_fields(column, leaves)
            threshold["cardinality"] = [{"field": column[0], "value": _at_least(plan)}]
        case "temporal" | "temporal_ordered":
            needed = _kinds(plan)
            if needed > 1:
                threshold["cardinality"] = [{"field": _telling(leaves), "value": needed}]
                told = f"told apart by a column: {threshold['cardinality'][0]['field']}"
                reasons.append(Reason(Fidelity.BROADER, _TOLD_APART, told))
        case _:
            raise _cannot(f"compute {plan.type}")
    if _has(plan, "temporal_ordered"):
        reasons.append(Reason(Fidelity.BROADER, "the order of the rules is not checked", "without order"))
    inner = any(isinstance(member.source, CorrelationPlan) for member in plan.members)
    if inner:
        reasons.append(_INNER)
    counts = [int(threshold["value"]), *(int(one["value"]) for one in threshold.get("cardinality", ()))]
    if inner or max(counts) > 1:  # One event needs no window.
        reasons.append(Reason(Fidelity.BROADER, _FIXED, f"any run of the schedule: {INTERVAL_MS // 1000}"))
    condition = either([leaf.condition for leaf in leaves])
    # What ignores case is in filters, as in the query rules of an export: it can be read there.
    text, filters = dsl.parted(condition) or (query(condition), [])
    rule = {
        "type": "threshold",
        "language": "lucene",
        "index": _indices(leaves),
        "query": text,
        **({"filters": filters} if filters else {}),
        "threshold": threshold,
        "window": _span(plan.timespan_ms),
        "from": f"now-{_span(plan.timespan_ms + INTERVAL_MS)}",
        "interval": _span(INTERVAL_MS),
    }
    written = json.dumps(rule, ensure_ascii=False, indent=2) + "\n"
    return Draft(written, reasons=tuple(dict.fromkeys(reasons)), extra=rule)


_TOLD_APART = "the rules are told apart by the distinct values of one field only"
# Of "the file that was created runs" any file that was created and any program that runs are left.
_INNER = Reason(
    Fidelity.BROADER,
    "the inner correlations are not checked, only their events",
    "inner correlations not checked",
    unbounded=True,
)
_FIXED = (
    "the window is the lookback of a scheduled rule (the timespan and the interval between two runs), "
    "not a sliding one"
)


def _cannot(what: str) -> Refusal:
    return Refusal("SC205", f"a threshold rule cannot {what}; KQL and SPL can")


def _leaves(member: Member, make: Make, reasons: list[Reason]) -> Iterator[_Leaf]:
    source = member.source
    if isinstance(source, BaseRule):
        condition, lost = make(source)
        reasons.extend(lost)
        yield _Leaf(source, condition, _flat(member.group_by), _flat(member.values))
        return
    # A correlation's alert has its group-by keys as fields: look them up in its own members.
    for inner in source.members:
        named = dict(zip(source.group_by, inner.group_by, strict=True))
        keys = tuple(_flat([named[name] for name in names]) for names in member.group_by)
        values = tuple(_flat([named[name] for name in names]) for names in member.values)
        yield from _leaves(Member(inner.name, inner.source, keys, values), make, reasons)


def _flat(groups: Sequence[Sequence[str]]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(column for group in groups for column in group))


def _one(found: Sequence[tuple[str, ...]], what: str) -> tuple[str, ...]:
    if len(set(found)) > 1:
        named = " and ".join(dict.fromkeys(", ".join(columns) for columns in found))
        raise _cannot(f"use different {what} ({named}) for the rules of a correlation")
    return found[0]


def _check_fields(names: Sequence[str], leaves: Sequence[_Leaf]) -> None:
    if len(names) > MAX_FIELDS:
        raise _cannot(f"group by {len(names)} fields; {MAX_FIELDS} are the most")
    for leaf in leaves:
        for name in names:
            column = leaf.base.columns.get(name)
            if column is not None and column.type in _NOT_AGGREGATED:
                raise Refusal(
                    "SC204",
                    f"the field {name} is of type {column.type}: Elasticsearch cannot group or count by it",
                )


def _at_least(plan: CorrelationPlan) -> int:
    """Return the least number that satisfies the plan's thresholds; none asks for less than one."""
    least = lower_bound(plan.thresholds)
    if least is None:
        wrong = next(threshold.op for threshold in plan.thresholds if threshold.op not in ("gt", "gte"))
        raise _cannot(f"compare a count with {wrong}, only with gte and gt")
    return max(1, least)


def _events(plan: CorrelationPlan) -> int:
    """Return how many events an event_count implies at least."""
    inner = sum(isinstance(member.source, CorrelationPlan) for member in plan.members)
    # Alerts of one correlation end at distinct events, but one event can end an alert of each.
    sharing = inner + (inner < len(plan.members)) if inner else 1
    return math.ceil(_at_least(plan) / sharing)


def _kinds(source: BaseRule | CorrelationPlan) -> int:
    """Return how many event rules must have fired at least for an alert of a temporal correlation."""
    if isinstance(source, BaseRule) or not source.type.startswith("temporal"):
        return 1
    by_name = {member.name: _kinds(member.source) for member in source.members}
    if source.expression is not None:
        return _least(source.expression, by_name)
    wanted = len(by_name)
    if source.thresholds:
        wanted = min(wanted, _at_least(source))
    return sum(sorted(by_name.values())[:wanted])


def _least(expression: Any, by_name: dict[str, int]) -> int:
    """Return the least number of kinds that satisfies a boolean condition over members."""
    return min(sum(by_name[name] for name in names) for names in _ways(expression))


def _ways(expression: Any) -> list[frozenset[str]]:
    if isinstance(expression, str):
        return [frozenset({expression})]
    operator, *operands = expression
    if operator == "not":
        raise _cannot("express that a rule did not fire")
    left, right = map(_ways, operands)
    return left + right if operator == "or" else [one | other for one in left for other in right]


def _has(plan: CorrelationPlan, kind: str) -> bool:
    return plan.type == kind or any(
        isinstance(member.source, CorrelationPlan) and _has(member.source, kind) for member in plan.members
    )


def _telling(leaves: Sequence[_Leaf]) -> str:
    """Return a field of which each rule demands values that no other rule demands.

    Raises:
        Refusal: SC205 if there is none: what fired could not be told apart.
    """
    found = [_demands(leaf.condition) for leaf in leaves]
    for name in sorted(found[0], key=lambda field: field != "event.code"):
        sets = [demands.get(name) for demands in found]
        if None in sets:
            continue
        values = [value for one in sets for value in one or ()]
        if len(values) == len(set(values)):
            return name
    raise _cannot(
        "tell which of the rules fired: no field, such as event.code, has its own values in each of them"
    )


def _demands(condition: Node) -> dict[str, frozenset[str]]:
    """Return the fields that a condition requires to have one of some values, values in lower case."""
    found: dict[str, frozenset[str]] = {}
    for item in condition.items if isinstance(condition, And) else (condition,):
        options = item.items if isinstance(item, Or) else (item,)
        if demanded := one_of_few(options, _pair):
            name, values = demanded
            found.setdefault(name, frozenset(values))
    return found


def _pair(node: Node) -> tuple[str, str] | None:
    if isinstance(node, Value) and node.field is not None and "/" not in node.text:
        return node.field, node.text.lower()
    if isinstance(node, Text) and node.field is not None and node.plain is not None:
        return node.field, node.plain.lower()
    return None


def _indices(leaves: Sequence[_Leaf]) -> list[str]:
    found: dict[str, None] = {}
    for leaf in leaves:
        index = leaf.base.state.get("index") or []
        found.update(dict.fromkeys([index] if isinstance(index, str) else index))
    return list(found)


def _span(milliseconds: int) -> str:
    """Return a time in Elasticsearch's largest fitting unit."""
    for size, unit in _UNITS:
        if milliseconds % size == 0:
            return f"{milliseconds // size}{unit}"
    raise _cannot(f"look back over {milliseconds} milliseconds: Elasticsearch's dates are in whole seconds")
