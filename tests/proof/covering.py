"""A fixed sample of the public rules that has every field and every form of comparison at least once."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from converter.conversion.convert import Options, convert
from converter.errors import SigconvError
from converter.pipelines import cells as cells_module
from converter.pipelines.cells import Cell
from converter.rules.emitted import emitted_rules
from converter.rules.rule import Rule
from converter.rules.ruleset import RuleSet

_NOT_SELECTIONS = ("condition", "timeframe")


def features(rule: Rule) -> frozenset[str]:
    """Return a rule's fields, and its forms of comparison: modifiers, the value's type, `*` and `?` in it."""
    found: set[str] = set()
    for name, part in (rule.doc.get("detection") or {}).items():
        if name not in _NOT_SELECTIONS:
            found.update(_features(part))
    return frozenset(found)


def _features(part: Any) -> Iterator[str]:
    if isinstance(part, Mapping):
        for key, value in part.items():
            field, *modifiers = str(key).split("|")
            yield f"field {field}"
            for one in value if isinstance(value, list) else [value]:
                yield f"form {'|'.join(modifiers)} {_kind(one)}"
    elif isinstance(part, list):
        for one in part:
            yield from _features(one)
    else:
        yield f"keyword {_kind(part)}"


def _kind(value: Any) -> str:
    if not isinstance(value, str):
        return type(value).__name__
    return "empty" if not value else "".join(sign for sign in "*?" if sign in value) or "text"


def served(rules: RuleSet, rule: Rule, cells: Sequence[Cell]) -> list[Cell]:
    """Return the cells that convert a rule."""
    found = []
    for cell in cells:
        try:
            convert(rules, rule, cell, Options("any"))
        except SigconvError:
            continue
        found.append(cell)
    return found


def cover(rules: RuleSet) -> list[Rule]:
    """Return rules that together have every feature of the rules that some cell with a pipeline converts.

    Each step takes the rule that brings most; of several the first.
    """
    probes = [cells_module.cell(source, "spl") for source in cells_module.sources()]
    given = [(rule, features(rule)) for rule in emitted_rules(rules) if rule.kind == "rule"]
    missing = set().union(*(some for _, some in given))
    found: list[Rule] = []
    while missing and given:
        best = max(range(len(given)), key=lambda number: len(given[number][1] & missing))
        rule, some = given.pop(best)
        if not some & missing:
            break
        if served(rules, rule, probes):
            found.append(rule)
            missing -= some
    return found


def spread(rules: RuleSet, some: Sequence[Rule], cells: Sequence[Cell]) -> Iterator[tuple[Rule, Cell]]:
    """Yield each rule with one cell that converts it, so that the cells take turns."""
    taken = dict.fromkeys(map(id, cells), 0)
    for rule in some:
        fitting = served(rules, rule, cells)
        if fitting:
            cell = min(fitting, key=lambda one: taken[id(one)])
            taken[id(cell)] += 1
            yield rule, cell
