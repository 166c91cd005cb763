"""Refuse a rule whose condition no event of a cell can satisfy, and say where the two places are."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from sigma.exceptions import SigmaError
from sigma.rule import SigmaDetection, SigmaDetectionItem, SigmaRule
from sigma.types import SigmaType

from converter.errors import Refusal
from converter.pipelines.lowering import Lowering, lowered_value
from converter.plan.columns import Columns
from converter.plan.conditions import Condition, Value, value_text
from converter.plan.contradictions import Clash, Literal, clash
from converter.plan.values import Text
from converter.rules.rule import Rule, safe_name

Place = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class Applied:
    """A rule after a pipeline, or before any, whose condition was looked at."""

    sigma: SigmaRule
    lowering: Lowering
    """Of its condition."""


@dataclass(frozen=True, slots=True)
class Explained:
    """Two places of a rule, or of a rule and a pipeline, that exclude each other."""

    message: str
    """Both comparisons, and where they are."""
    place: Place
    """In the rule's document: where to look."""
    hint: str


def refusal(
    rule: Rule,
    applied: Applied,
    condition: Condition,
    columns: Columns,
    *,
    several: bool,
    named: Callable[[], Mapping[str, str]],
) -> Refusal | None:
    """Return the refusal (SC211) of a rule whose condition can never hold; None if it may hold.

    Args:
        rule: as it is written.
        applied: the same after its pipeline.
        condition: its condition.
        columns: what is known of the columns; others can hold one value, or ``several``.
        several: see ``columns``.
        named: returns column to the rule's own field, where they are known to belong together.
    """
    wrong = clash(condition, columns, several=several)
    if wrong is None:
        return None
    found = explained(rule, applied, wrong, named())
    at = rule.error("SC211", "", *found.place)
    message = f"no event can satisfy the rule: {found.message}"
    return Refusal("SC211", message, file=rule.file, line=at.line, column=at.column, hint=found.hint)


def explained(
    rule: Rule, applied: Applied, wrong: Clash, own_names: Mapping[str, str] | None = None
) -> Explained:
    """Return a clash in words, with the rule's own names of fields.

    Args:
        rule: as it is written.
        applied: the same, whose condition was looked at.
        wrong: what excludes each other.
        own_names: column to the rule's own field, where they differ.
    """
    names = own_names or {}
    places = {literal: _place(rule, applied, literal, names) for literal in (wrong.first, wrong.second)}
    # The rule's own place is where to look; what the pipeline adds is in no file of the user.
    last = ([literal for literal, place in places.items() if place] or [wrong.second])[-1]
    message = " and ".join(
        f"{_shown(literal, names)} ({_origin(rule, applied, literal, place)})"
        for literal, place in places.items()
    )
    others = [place for literal, place in places.items() if literal is not last]
    return Explained(
        message, places[last] or ("logsource",), _hint(rule, others, names.get(last.field, last.field))
    )


_OTHER_ELEMENTS = {
    "Channel": "Channel is the log that holds the record; the one that event 104 tells of has no field"
}
"""The record's own elements whose names some events have again, with other values."""


def _hint(rule: Rule, others: Iterable[Place | None], field: str) -> str:
    if field in _OTHER_ELEMENTS:
        return _OTHER_ELEMENTS[field]
    for place in others:
        if place:
            line = rule.error("SC211", "", *place).line
            return f"the other place is line {line}: change one of the two" if line else "change one of them"
    return "change the value, or the log source"


def _shown(literal: Literal, fields: Mapping[str, str]) -> str:
    """Return a comparison in words, with the rule's own name of the field."""
    own = fields.get(literal.field, literal.field)
    name = own if own == literal.field else f"{own} ({literal.field})"
    value = literal.value
    text = f"'{value}'" if isinstance(value, Text) else value_text(value)
    return f"{name} is {'' if literal.holds else 'not '}{text}"


def _origin(rule: Rule, applied: Applied, literal: Literal, place: Place | None) -> str:
    if place:
        return f"selection '{place[1]}'"
    name = _selection(applied, literal)
    added = applied.sigma.detection.detections.get(name) if name is not None else None
    items = sorted(_applied(added)) if added is not None else []
    source = rule.doc.get("logsource") or {}
    given = ", ".join(f"{key} {source[key]}" for key in ("category", "product", "service") if source.get(key))
    item = f", item '{items[0]}' of the pipeline" if items else ", by the pipeline"
    return f"log source {given}{item}"


def _applied(part: SigmaDetection | SigmaDetectionItem) -> set[str]:
    """Return the ids of the pipeline's items that every comparison of a selection has been through."""
    if isinstance(part, SigmaDetectionItem):
        return set(part.applied_processing_items)
    return set.intersection(*map(_applied, part.detection_items)) if part.detection_items else set()


def _selection(applied: Applied, literal: Literal) -> str | None:
    """Return the selection that has the value from which a comparison comes."""
    whole = applied.lowering.value_of(literal.leaf.origin)
    for name, part in applied.sigma.detection.detections.items():
        if any(value is whole for value in _values(part)):
            return str(name)
    return None


def _values(part: SigmaDetection | SigmaDetectionItem) -> Iterator[SigmaType]:
    if isinstance(part, SigmaDetection):
        for item in part.detection_items:
            yield from _values(item)
        return
    yield from part.value


def _place(rule: Rule, applied: Applied, literal: Literal, fields: Mapping[str, str]) -> Place | None:
    """Return where a comparison is in the rule's document; None for what a pipeline added."""
    selection = _selection(applied, literal)
    detection = rule.doc.get("detection") or {}
    name = next((name for name in detection if safe_name(str(name)) == selection), None)
    if name is None:
        return None
    own = fields.get(literal.field, literal.field)
    paths = [(path, key, given) for path, key, given in _keys(detection[name]) if _field(key) == own]
    exact = (path for path, key, given in paths if _compares(key, given, literal.value))
    return ("detection", str(name), *next(exact, paths[0][0] if paths else ()))


def _compares(key: str, given: Any, value: Value) -> bool:
    """Tell whether an item of a rule compares with a value."""
    try:
        values = SigmaDetectionItem.from_mapping(key, given).value
    except SigmaError:
        return False
    return any(lowered_value(one) == value for one in values)


def fields(rule: Rule) -> list[str]:
    """Return the fields that a rule compares, in the order in which they stand."""
    detection = rule.doc["detection"]
    found = (
        field
        for name, part in detection.items()
        if name not in ("condition", "timeframe")
        for _, key, _ in _keys(part)
        if (field := _field(key))
    )
    return list(dict.fromkeys(found))


def _field(key: str) -> str:
    return key.split("|")[0]


def _keys(part: Any, *path: str | int) -> Iterator[tuple[Place, str, Any]]:
    """Yield the place, the key and the values of each item of a selection."""
    if isinstance(part, list):
        for position, inner in enumerate(part):
            yield from _keys(inner, *path, position)
    elif isinstance(part, dict):
        for key, inner in part.items():
            yield (*path, str(key)), str(key), inner
