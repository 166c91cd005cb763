"""Relaxations of what a user's pipeline takes out of a rule."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from converter.matcher import condition as conditions
from converter.verify.relaxations.situation import Doc, Relaxation, Situation

_GONE = object()


def _without_item(situation: Situation, argument: str) -> Situation:
    """Leave one item out: the argument is JSON, the rule's id or name and the place in its detection."""
    named, *place = json.loads(argument)

    def change(doc: Doc) -> Doc:
        return _pruned(doc, place) if named in (doc.get("id"), doc.get("name")) else doc

    return situation.with_docs(change)


def _pruned(doc: Doc, place: Sequence[str | int]) -> Doc:
    detection = dict(doc["detection"])
    name, *rest = place
    left = _removed(detection[name], rest)
    if left is not _GONE:
        return {**doc, "detection": {**detection, name: left}}
    del detection[name]
    names = [str(one) for one in doc["detection"] if one not in ("condition", "timeframe")]
    given = detection["condition"]
    texts = given if isinstance(given, list) else [given]
    trees = [_without(conditions.parse(str(text), names), str(name)) for text in texts]
    detection["condition"] = [_text(tree) for tree in trees if tree is not None]
    return {**doc, "detection": detection}


def _removed(item: Any, place: Sequence[str | int]) -> Any:
    """Return an item without what stands at a place; what is left empty is left out too."""
    if not place:
        return _GONE
    first, *rest = place
    if isinstance(item, Mapping):
        left = _removed(item[first], rest)
        made = {key: value for key, value in item.items() if str(key) != str(first)}
        return made if left is _GONE and made else _GONE if left is _GONE else {**item, first: left}
    left = _removed(item[first], rest)
    kept = [*item[:first], *([] if left is _GONE else [left]), *item[int(first) + 1 :]]
    # Of several items in a row the places are those of the rule as it is written.
    return kept or _GONE


def _without(tree: conditions.Tree, name: str) -> conditions.Tree | None:
    """Return a condition without a selection; of an AND the rest must hold, of an OR the rest may."""
    if isinstance(tree, conditions.Name):
        return None if tree.name == name else tree
    if isinstance(tree, conditions.Not):
        inner = _without(tree.item, name)
        return None if inner is None else conditions.Not(inner)
    items = [one for item in tree.items if (one := _without(item, name)) is not None]
    return conditions.junction(tree.op, items) if items else None


def _text(tree: conditions.Tree) -> str:
    if isinstance(tree, conditions.Name):
        return tree.name
    if isinstance(tree, conditions.Not):
        return f"not ({_text(tree.item)})"
    return f" {tree.op} ".join(f"({_text(item)})" for item in tree.items)


RELAXATIONS = (
    Relaxation(
        "without an item",
        "The item at a place of the rule's detection is left out; the argument names rule and place.",
        _without_item,
    ),
)
