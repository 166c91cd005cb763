"""Relaxations of values that are too long for Elasticsearch's keyword fields (``ignore_above``).

The argument is the longest length that is indexed, a comma, and the field of the platform.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from converter.matcher.value import Exists, Null, Regex, Text, Value, Wild
from converter.verify.relaxations.documents import pattern, regex, rewritten
from converter.verify.relaxations.situation import Relax, Relaxation, Situation

_DATA = "winlog.event_data."
Change = Callable[[Value, int], Sequence[Value]]


def _on_column(change: Change) -> Relax:
    def relax(situation: Situation, argument: str) -> Situation:
        limit, _, column = (one.strip() for one in argument.partition(","))
        fields = _behind(situation, column)
        return situation.with_docs(
            lambda doc: rewritten(
                doc, fields, lambda value: change(value, int(limit)), situation.placeholders
            )
        )

    return relax


def _behind(situation: Situation, column: str) -> set[str]:
    """Return the record's fields whose text a field of the platform holds, in every event that has it."""
    found = {column, column.removeprefix(_DATA)}
    held = [
        (event, stored[column])
        for event, stored in zip(situation.events, situation.stored, strict=True)
        if isinstance(stored.get(column), str)
    ]
    if column.startswith(_DATA) or not held:
        return found
    same = {
        name
        for name in held[0][0]
        if all(str(event.get(name)).lower() == str(text).lower() for event, text in held)
    }
    return found | same


def _long(limit: int) -> Regex:
    return regex(rf"\A.{{{limit + 1}}}")


def _unseen(value: Value, limit: int) -> Sequence[Value]:
    """Compare with values of up to the length only."""
    within = rf"\A(?![\s\S]{{{limit + 1}}})"
    if isinstance(value, Text):
        return [regex(f"{within}{pattern(value.parts)}\\z", value.cased)]
    if isinstance(value, Regex):
        return [Regex(rf"{within}[\s\S]*?(?:{value.source})", value.flags)]
    return [value]


def _missing(value: Value, limit: int) -> Sequence[Value]:
    """Compare with values of up to the length; longer ones count as missing."""
    match value:
        case Null() | Exists(False):
            return [value, _long(limit)]
        case Exists(True):
            return [regex(rf"\A(?!.{{{limit + 1}}})")]
    return _unseen(value, limit)


def _selected(value: Value, limit: int) -> Sequence[Value]:
    """Compare with any longer value too, if the value could be one."""
    if isinstance(value, Regex):
        return [value, _long(limit)]
    if isinstance(value, Text) and set(value.parts) != {Wild.ANY}:
        literal = sum(len(part) for part in value.parts if isinstance(part, str))
        if Wild.ANY in value.parts or literal > limit:
            return [value, _long(limit)]
    return [value]


RELAXATIONS = (
    Relaxation(
        "long values not indexed",
        "Comparisons see no value of more characters than the argument says.",
        _on_column(_unseen),
    ),
    Relaxation(
        "long values missing",
        "A value of more characters than the argument says counts as missing.",
        _on_column(_missing),
    ),
    Relaxation(
        "long values selected",
        "A value of more characters than the argument says satisfies every comparison that it could.",
        _on_column(_selected),
    ),
)
