"""Alternatives of a list that another one covers: `smb3query*` beside `smb*` selects nothing more.

A list of values is an OR (Sigma specification 2.1, "Lists"), so such a value changes no meaning. It makes a
query longer, and no event can show whether the query has it right.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from sigma.conditions import ConditionOR
from sigma.rule import SigmaDetection, SigmaDetectionItem, SigmaRule
from sigma.types import SigmaCasedString, SigmaString, SigmaType

from converter.pipelines.lowering import lowered_value
from converter.plan.value_sets import Kind, within


def drop(rule: SigmaRule) -> None:
    """Take the values out of a rule's lists that another value of the list covers."""
    for item in _items(rule.detection.detections.values()):
        if len(item.value) > 1 and item.value_linking is ConditionOR:
            item.value = _uncovered(item.value)


def _items(parts: Iterable[SigmaDetection | SigmaDetectionItem]) -> Iterator[SigmaDetectionItem]:
    for part in parts:
        if isinstance(part, SigmaDetection):
            yield from _items(part.detection_items)
        else:
            yield part


def _uncovered(values: Sequence[SigmaType]) -> list[SigmaType]:
    """Return the values that no other covers; of two that cover each other, the first."""
    texts = {position: _literals(value) for position, value in enumerate(values) if type(value) in _TEXTS}
    whole = {position: "".join(parts) for position, parts in texts.items()}
    # Lists can be long: what is in no other value covers none.
    together = "\n".join(whole.values())
    patterns = {
        position: longest
        for position, parts in texts.items()
        if _is_pattern(values[position])
        # A lone star covers nothing: platforms differ on which texts are no value.
        and (longest := max(parts, key=len, default=""))
        and together.count(longest) > 1
    }

    def is_covered(position: int, value: SigmaType) -> bool:
        return position in texts and any(
            at != position
            and longest in whole[position]
            and _within(value, values[at])
            and (at < position or not _within(values[at], value))
            for at, longest in patterns.items()
        )

    if not patterns:
        return list(values)
    return [value for position, value in enumerate(values) if not is_covered(position, value)]


def _within(one: SigmaType, other: SigmaType) -> bool:
    return within(lowered_value(one), lowered_value(other), Kind.TEXT)


def _is_pattern(value: SigmaType) -> bool:
    return isinstance(value, SigmaString) and value.contains_special()


_TEXTS = (SigmaString, SigmaCasedString)


def _literals(value: SigmaType) -> list[str]:
    assert isinstance(value, SigmaString)
    return [part.lower() for part in value.s if isinstance(part, str)]
