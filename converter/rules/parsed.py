"""Copies of what pySigma parsed, for pipelines to change: a fifth of the time of parsing it again.

A pipeline changes a rule in place: its detections and their items, the lists of values, `fields`, custom
attributes, the text of the condition. All of that is the copy's own, and so is every value, because what a
mapping loses is kept by the `id()` of values.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any, TypeVar

from sigma.conditions import (
    ConditionAND,
    ConditionFieldEqualsValueExpression,
    ConditionIdentifier,
    ConditionItem,
    ConditionNOT,
    ConditionOR,
    ConditionSelector,
    ConditionValueExpression,
    SigmaCondition,
)
from sigma.exceptions import SigmaConditionError
from sigma.rule import SigmaDetection, SigmaDetectionItem, SigmaDetections, SigmaRule
from sigma.types import SigmaExpansion, SigmaRegularExpression, SigmaString, SigmaType

_Made = TypeVar("_Made")
_CONTAINERS = (list, dict, set)
_NAME = r"(?!not|and|or|(?:1|any|all)\b)[A-Za-z0-9_-]+"
"""A selection that no grammar could take for an operator."""
_ADDED = re.compile(rf"(not )?({_NAME}) and \((.*)\)", re.DOTALL)
"""How pySigma's `add_condition` writes its selection before the condition."""


def rule(template: SigmaRule) -> SigmaRule:
    """Return a rule of its own.

    Args:
        template: as parsed; no pipeline has changed it and no condition of it was read.
    """
    made = _shallow(template)
    for name, value in made.__dict__.items():
        if type(value) in _CONTAINERS:
            made.__dict__[name] = value.copy()
    detection = made.detection = _shallow(template.detection)
    detection.detections = {name: _detection(one) for name, one in template.detection.detections.items()}
    detection.condition = list(template.detection.condition)
    detection.parsed_condition = [_condition(one, detection) for one in template.detection.parsed_condition]
    return made


def _shallow(one: _Made) -> _Made:
    made = object.__new__(type(one))
    made.__dict__.update(one.__dict__)
    return made


def _condition(one: SigmaCondition, detections: SigmaDetections) -> SigmaCondition:
    made = _shallow(one)
    made.detections = detections
    made.applied_processing_items = set(one.applied_processing_items)
    return made


def _detection(one: SigmaDetection) -> SigmaDetection:
    made = _shallow(one)
    made.detection_items = [
        _item(part) if isinstance(part, SigmaDetectionItem) else _detection(part)
        for part in one.detection_items
    ]
    return made


def _item(one: SigmaDetectionItem) -> SigmaDetectionItem:
    made = _shallow(one)
    made.value = [_value(value) for value in one.value]
    made.modifiers = list(one.modifiers)
    made.applied_processing_items = set(one.applied_processing_items)
    if one.original_value is not None:
        made.original_value = list(one.original_value)
    return made


def _value(one: SigmaType) -> SigmaType:
    if isinstance(one, SigmaString):
        text = _shallow(one)
        text.s = list(one.s)
        return text
    if isinstance(one, SigmaExpansion):
        several = _shallow(one)
        several.values = [_value(value) for value in one.values]
        return several
    if isinstance(one, SigmaRegularExpression):
        regex = _shallow(one)
        regex.regexp, regex.flags = _shallow(one.regexp), set(one.flags)
        regex.regexp.s = list(one.regexp.s)
        return regex
    return _shallow(one)


def parsed(condition: SigmaCondition) -> Any:
    """Return a condition's tree, as `SigmaCondition.parsed` does but without the nodes' parents.

    The text is read once, however many rules have it.

    Raises:
        sigma.exceptions.SigmaConditionError: if it is no condition.
    """
    read = _read(condition.condition)
    try:
        return _tree(read, condition.detections)
    except _Empty:
        return _copied(read).postprocess(condition.detections, source=condition.source)


def check(template: SigmaRule) -> None:
    """Read the conditions of a rule, and leave it as it is.

    Raises:
        sigma.exceptions.SigmaConditionError: if one is no condition.
    """
    for condition in template.detection.parsed_condition:
        try:
            _tree(_read(condition.condition), template.detection)
        except _Empty:
            for own in rule(template).detection.parsed_condition:
                parsed(own)


class _Empty(Exception):
    """A part is empty, because a pipeline dropped what was in it: pySigma's own way of leaving it out."""


def _tree(node: Any, detections: SigmaDetections) -> Any:
    """Return what a node of a condition's text says with the detections that it names."""
    kind = type(node)
    if kind is ConditionIdentifier:
        return _of_detection(_named(node, detections))
    if kind is ConditionSelector:
        named = [_named(one, detections) for one in node.resolve_referenced_detections(detections)]
        args, kind = [_of_detection(one) for one in named], node.cond_class
    elif kind in _OPERATORS:
        args = [_tree(arg, detections) for arg in node.args]
    else:
        raise _Empty
    if not args:
        raise _Empty
    return args[0] if len(args) == 1 and kind is not ConditionNOT else kind(args)


_OPERATORS = (ConditionAND, ConditionOR, ConditionNOT)


def _named(node: ConditionIdentifier, detections: SigmaDetections) -> SigmaDetection:
    try:
        return detections.detections[node.identifier]
    except KeyError:
        text = f"Detection '{node.identifier}' not defined in detections"
        raise SigmaConditionError(text) from None


def _of_detection(detection: SigmaDetection) -> Any:
    parts = [
        _of_item(part) if isinstance(part, SigmaDetectionItem) else _of_detection(part)
        for part in detection.detection_items
    ]
    if len(parts) == 1:
        return parts[0]
    if not parts or detection.item_linking is None:
        raise _Empty
    return detection.item_linking(parts)


def _of_item(item: SigmaDetectionItem) -> Any:
    field = item.field
    if not item.value:
        raise _Empty
    leaves: list[Any] = (
        [ConditionValueExpression(value) for value in item.value]
        if field is None
        else [ConditionFieldEqualsValueExpression(field, value) for value in item.value]
    )
    whole = leaves[0] if len(leaves) == 1 else item.value_linking(leaves)
    return ConditionNOT([whole]) if item.negated else whole


@lru_cache(maxsize=4096)
def _read(text: str) -> Any:
    """Return the tree of a condition before its selections are looked up; not to be changed."""
    found = _ADDED.fullmatch(text)
    if found and _closes_last(found[3]):
        added: Any = ConditionIdentifier([found[2]])
        return ConditionAND([ConditionNOT([added]) if found[1] else added, _read(found[3])])
    if _FLAT.fullmatch(text):
        return _flat(text)
    return SigmaCondition(text, None).parse(postprocess=False)  # type: ignore[arg-type]


_TERM = rf"(?:not )?(?:(?:1|any|all) of [A-Za-z0-9*_]+|{_NAME})"
_FLAT = re.compile(f"{_TERM}(?:(?: and {_TERM})+|(?: or {_TERM})+)?")


def _flat(text: str) -> Any:
    """Return the tree of a condition without parentheses and of one operator, as nine of ten are.

    It is what pySigma's grammar makes of it (`tests/pipelines/test_reuse.py`), in a hundredth of the time.
    """
    kind, word = (ConditionAND, " and ") if " and " in text else (ConditionOR, " or ")
    terms: list[Any] = []
    for said in text.split(word):
        term = said.removeprefix("not ")
        quantifier, of, pattern = term.partition(" of ")
        node: Any = ConditionSelector([quantifier, pattern]) if of else ConditionIdentifier([term])
        terms.append(node if term == said else ConditionNOT([node]))
    return terms[0] if len(terms) == 1 else kind(terms)


def _closes_last(inner: str) -> bool:
    """Tell whether a parenthesis before a text closes behind it, and not somewhere inside."""
    depth = 0
    for char in inner:
        depth += (char == "(") - (char == ")")
        if depth < 0:
            return False
    return depth == 0


def _copied(node: Any) -> Any:
    """Return a tree of its own: pySigma changes the one that it looks selections up for."""
    if not isinstance(node, ConditionItem):
        return node
    made = _shallow(node)
    made.args = [_copied(arg) for arg in node.args]
    return made
