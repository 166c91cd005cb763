"""Relaxations of correlations: their order, their keys, their windows, and the correlations inside them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from converter.matcher import condition as conditions
from converter.matcher.compiled_rules import Rules, label
from converter.matcher.correlation_section import Section, read
from converter.verify.relaxations.situation import Doc, Relaxation, Situation

_UNITS = ((86_400_000, "d"), (3_600_000, "h"), (60_000, "m"), (1_000, "s"))


def _changed(doc: Doc, **keys: Any) -> Doc:
    """Return a correlation with keys of its section changed; None takes a key away."""
    section = {**doc["correlation"], **keys}
    return {**doc, "correlation": {key: value for key, value in section.items() if value is not None}}


def _unordered(situation: Situation, _: str) -> Situation:
    def change(doc: Doc) -> Doc:
        ordered = (doc.get("correlation") or {}).get("type") == "temporal_ordered"
        return _changed(doc, type="temporal") if ordered else doc

    return situation.with_docs(change)


def _one_span(situation: Situation, argument: str) -> Situation:
    """The named correlations (all: no argument) may take as long as the one that refers to them."""
    span = situation.rule["correlation"]["timespan"]
    names = _names(argument)

    def change(doc: Doc) -> Doc:
        if "correlation" not in doc or doc is situation.rule or (names and not names & _called(doc)):
            return doc
        return _changed(doc, timespan=span)

    return situation.with_docs(change)


def _not_joined(situation: Situation, argument: str) -> Situation:
    """The correlation that the argument names first is not grouped by the keys that it names after it."""
    name, _, keys = argument.partition(":")
    dropped = _names(keys)

    def change(doc: Doc) -> Doc:
        if "correlation" not in doc or name.strip() not in _called(doc):
            return doc
        given = doc["correlation"].get("group-by") or []
        kept = [key for key in (given if isinstance(given, list) else [given]) if key not in dropped]
        return _changed(doc, **{"group-by": kept or None})

    return situation.with_docs(change)


def _told_apart(situation: Situation, argument: str) -> Situation:
    """Which rules fired is told by the distinct values of one column: so many, and the condition holds."""
    rules = Rules(situation.docs)
    needed = _kinds(situation.rule, rules)
    if not argument or needed < 2:
        changed = _changed(situation.rule, type="event_count", condition={"gte": 1})
        return replace(situation, docs=(*situation.docs[:-1], changed))
    condition = {"gte": needed, "field": argument}
    changed = _changed(situation.rule, type="value_count", condition=condition)
    events = tuple(
        {**event, argument: stored[argument]} if argument in stored else event
        for event, stored in zip(situation.events, situation.stored, strict=True)
    )
    return replace(situation, docs=(*situation.docs[:-1], changed), events=events)


def _kinds(doc: Doc, rules: Rules) -> int:
    """Return how many event rules must have fired at least where a temporal correlation holds."""
    if "correlation" not in doc:
        return 1
    section = read(doc)
    if not section.type.startswith("temporal"):
        return 1
    each = {name: _kinds(rules.find(name), rules) for name in section.references}
    if section.expression is not None:
        return _least(section.expression, each)
    wanted = min(_at_least(section), len(each))
    return sum(sorted(each.values())[:wanted])


def _at_least(section: Section) -> int:
    least = 1
    for op, value in section.thresholds:
        least = max(least, math.floor(value) + 1 if op == "gt" else math.ceil(value))
    return least


def _least(tree: conditions.Tree, each: Mapping[str, int]) -> int:
    """Return the least number of kinds that satisfies a condition of rules."""
    ways = _ways(tree)
    return min(sum(each[name] for name in names) for names in ways)


def _ways(tree: conditions.Tree) -> list[frozenset[str]]:
    if isinstance(tree, conditions.Name):
        return [frozenset({tree.name})]
    if isinstance(tree, conditions.Not):
        return [frozenset()]
    found: list[frozenset[str]] = [] if tree.op == "or" else [frozenset()]
    for item in tree.items:
        below = _ways(item)
        found = [*found, *below] if tree.op == "or" else [one | other for one in found for other in below]
    return found


def _inner_unchecked(situation: Situation, _: str) -> Situation:
    """The events of the event rules below count, whatever the correlations between ask for."""
    rules = Rules(situation.docs)
    top = situation.rule
    section = read(top)
    fields = tuple(dict.fromkeys((*section.group_by, *section.fields)))
    found = [
        (base, names)
        for reference in section.references
        for base, names in _bases(
            rules.find(reference), [_behind(section, reference, one) for one in fields], rules
        )
    ]
    aliases = {
        name: {label(base): behind[number] for base, behind in found} for number, name in enumerate(fields)
    }
    if section.type == "event_count":
        inner = sum("correlation" in rules.find(one) for one in section.references)
        # Alerts of one correlation end at different events, but an event can end an alert of each.
        sharing = inner + (inner < len(section.references)) if inner else 1
        condition: Any = {"gte": math.ceil(_at_least(section) / sharing)}
    else:
        condition = top["correlation"]["condition"]
    keyed = {name: by for name, by in aliases.items() if name in section.group_by}
    value = aliases.get(section.fields[0]) if section.fields else None
    if section.fields and value and set(value.values()) != {section.fields[0]}:
        keyed[section.fields[0]] = value
    plain = {name: by for name, by in keyed.items() if set(by.values()) != {name}}
    changed = _changed(
        top,
        rules=list(dict.fromkeys(label(base) for base, _ in found)),
        condition=condition,
        aliases=plain or None,
    )
    bases = tuple(doc for doc in situation.docs if "correlation" not in doc)
    return replace(situation, docs=(*bases, changed))


def _behind(section: Section, reference: str, name: str) -> str:
    return section.aliases.get(name, {}).get(reference, name)


def _bases(doc: Doc, names: Sequence[str], rules: Rules) -> list[tuple[Doc, list[str]]]:
    """Return the event rules below a rule, each with its fields behind the names."""
    if "correlation" not in doc:
        return [(doc, list(names))]
    section = read(doc)
    return [
        found
        for reference in section.references
        for found in _bases(
            rules.find(reference), [_behind(section, reference, name) for name in names], rules
        )
    ]


def _scheduled(situation: Situation, argument: str) -> Situation:
    """A rule runs each so many seconds and looks at the timespan and the time since its last run."""
    interval = int(argument or 300) * 1000
    span = read(situation.rule).timespan_ms + interval
    size, unit = next(pair for pair in _UNITS if span % pair[0] == 0)
    changed = _changed(situation.rule, timespan=f"{span // size}{unit}")
    return replace(situation, docs=(*situation.docs[:-1], changed), interval_ms=interval)


def _called(doc: Doc) -> set[str]:
    return {str(doc[key]) for key in ("name", "id", "title") if doc.get(key)}


def _names(text: str) -> set[str]:
    return {one.strip() for one in text.split(",") if one.strip()}


RELAXATIONS = (
    Relaxation("without order", "The rules may fire in any order.", _unordered),
    Relaxation(
        "one maxspan",
        "A correlation inside may take as long as the one that refers to it.",
        _one_span,
    ),
    Relaxation(
        "not joined",
        "A correlation inside is not grouped by some of its keys.",
        _not_joined,
    ),
    Relaxation(
        "told apart by a column",
        "Which rules fired is told by the number of distinct values of a column.",
        _told_apart,
    ),
    Relaxation(
        "inner correlations not checked",
        "The events of the event rules below count, whatever the correlations between ask for.",
        _inner_unchecked,
    ),
    Relaxation(
        "any run of the schedule",
        "Events count together that some run of a scheduled rule sees together, sliding or not.",
        _scheduled,
    ),
)
