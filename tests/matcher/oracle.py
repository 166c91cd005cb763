"""Correlations by brute force, as docs/semantics.md defines them: every window, every choice of events.

Written apart from the matcher: no state, no order of arrival, nothing incremental.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise, permutations, product
from typing import Any


@dataclass(frozen=True)
class Thing:
    """An event (start == end), or an alert."""

    start: int
    end: int
    fields: tuple[tuple[str, Any], ...]
    rules: frozenset[str]
    positions: tuple[int, ...]

    def get(self, field: str) -> Any:
        return dict(self.fields).get(field)


OPERATORS = {
    "gt": lambda a, b: a > b,
    "gte": lambda a, b: a >= b,
    "lt": lambda a, b: a < b,
    "lte": lambda a, b: a <= b,
    "eq": lambda a, b: a == b,
    "neq": lambda a, b: a != b,
}


def groups_of(thing: Thing, rule: dict[str, Any]) -> dict[tuple[str, ...], set[str]]:
    """Group -> the correlation's rules that put the thing there."""
    section = rule["correlation"]
    found: dict[tuple[str, ...], set[str]] = {}
    for name in section["rules"]:
        if name not in thing.rules:
            continue
        fields = [
            section.get("aliases", {}).get(key, {}).get(name, key) for key in section.get("group-by", [])
        ]
        values = [thing.get(field) for field in fields]
        if all(value is not None for value in values):
            found.setdefault(tuple(str(value) for value in values), set()).add(name)
    return found


def satisfied(members: list[tuple[Thing, set[str]]], rule: dict[str, Any], end: int) -> bool:
    section = rule["correlation"]
    kind, names = section["type"], section["rules"]
    condition = section.get("condition", {"gte": len(names)})
    if not members:
        return False
    if kind == "temporal_ordered":
        best = 0
        for length in range(1, len(names) + 1):
            for chosen in permutations(members, length):
                things = [thing for thing, _ in chosen]
                if things[-1].end != end or any(a.end > b.start for a, b in pairwise(things)):
                    continue
                for indices in product(range(len(names)), repeat=length):
                    if list(indices) == sorted(set(indices)) and all(
                        names[i] in rules for i, (_, rules) in zip(indices, chosen, strict=True)
                    ):
                        best = max(best, length)
        measured: Any = best
        if best == 0:
            return False
    elif kind == "temporal":
        present = {name for _, rules in members for name in rules}
        if isinstance(condition, str):
            return bool(eval(condition, {}, {name: name in present for name in names}))
        measured = len(present)
    elif kind == "event_count":
        measured = len(members)
    elif kind == "value_count":
        fields = condition["field"] if isinstance(condition["field"], list) else [condition["field"]]
        measured = len({tuple(thing.get(field) for field in fields) for thing, _ in members})
    else:
        numbers = sorted(Fraction(thing.get(condition["field"])) for thing, _ in members)
        if kind == "value_sum":
            measured = sum(numbers)
        elif kind == "value_avg":
            measured = sum(numbers) / len(numbers)
        else:
            share = condition["percentile"] if kind == "value_percentile" else 50
            at_most = (n for n in numbers if 100 * sum(m <= n for m in numbers) >= share * len(numbers))
            measured = min(at_most)
    return all(OPERATORS[op](measured, Fraction(value)) for op, value in condition.items() if op in OPERATORS)


def alerts(rule: dict[str, Any], things: list[Thing]) -> list[tuple[tuple[str, ...], Thing]]:
    """Return (group, alert) for every group and time whose window satisfies the condition."""
    section = rule["correlation"]
    span = int(section["timespan"][:-1]) * 1000
    fields = section.get("condition", {}) if isinstance(section.get("condition", {}), dict) else {}
    needed = fields.get("field", [])
    needed = needed if isinstance(needed, list) else [needed]
    by_group: dict[tuple[str, ...], list[tuple[Thing, set[str]]]] = {}
    for thing in things:
        if any(thing.get(field) is None for field in needed):
            continue
        for group, rules in groups_of(thing, rule).items():
            by_group.setdefault(group, []).append((thing, rules))
    found = []
    for group, members in by_group.items():
        for end in sorted({thing.end for thing, _ in members}):
            window = [m for m in members if end - span <= m[0].start and m[0].end <= end]
            if not any(thing.end == end for thing, _ in window) or not satisfied(window, rule, end):
                continue
            start = max(
                begin
                for begin in {thing.start for thing, _ in window}
                if any(t.end == end and t.start >= begin for t, _ in window)
                and satisfied([m for m in window if m[0].start >= begin], rule, end)
            )
            last = max((t for t, _ in window if t.end == end), key=lambda t: t.positions)
            merged = {**dict(last.fields), **dict(zip(section.get("group-by", []), group, strict=True))}
            positions = tuple(sorted({p for t, _ in window for p in t.positions}))
            name = rule.get("name", rule["title"])
            found.append((group, Thing(start, end, tuple(merged.items()), frozenset({name}), positions)))
    return found
