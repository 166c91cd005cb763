"""Detection items as transformations make them: one value, several, or groups of several fields."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from sigma.conditions import ConditionAND, ConditionOR
from sigma.rule import SigmaDetection, SigmaDetectionItem
from sigma.types import (
    SigmaBool,
    SigmaFieldReference,
    SigmaNumber,
    SigmaString,
    SigmaType,
    SpecialChars,
)

from converter.errors import Refusal
from converter.pipelines.lowering import lowered_value
from converter.plan import conditions

Part = SigmaDetection | SigmaDetectionItem
Linking = type[ConditionAND] | type[ConditionOR]


def plain(value: SigmaType) -> str | None:
    """Return the text of a value that is no pattern, else None."""
    if isinstance(value, SigmaBool):
        return str(value.boolean)
    if isinstance(value, SigmaNumber):
        return str(value.number)
    if isinstance(value, SigmaString) and not value.contains_special():
        return "".join(map(str, value.s))
    return None


def value_text(value: SigmaType) -> str:
    """Return a value as a reader of Sigma knows it: wildcards as ``*`` and ``?``, others by name."""
    return conditions.value_text(lowered_value(value))


def names_no_folder(name: Sequence[object]) -> bool:
    """Tell whether a pattern for what follows a path's last written backslash is one for the file's name.

    A wildcard behind a part of it could be another backslash: ``a?b.exe`` is also ``b.exe`` in a folder
    ``a``. First, a star takes the folders in and the name's begin too; no path has two backslashes together,
    nor one at its end.
    """
    rest = list(name[1:])
    while rest and rest[-1] is SpecialChars.WILDCARD_SINGLE:
        rest.pop()
    return all(isinstance(part, str) for part in rest)


def typed(value: str | int | bool) -> SigmaType:
    """Return a stored value as a value of a rule."""
    if isinstance(value, bool):
        return SigmaBool(value)
    return SigmaNumber(value) if isinstance(value, int) else string(SigmaString(), [value])


def parts(value: SigmaString) -> list[str | SpecialChars]:
    """Return the texts and wildcards of a string."""
    return [part if isinstance(part, SpecialChars) else str(part) for part in value.s]


def string(like: SigmaString, parts: Sequence[object]) -> SigmaString:
    """Return a string of literal texts and wildcards, cased if ``like`` is; nothing in it is parsed."""
    made = type(like)("")
    made.s = [part for part in parts if part != ""]  # type: ignore[misc]
    made.original = str(made)
    return made


def item(like: SigmaDetectionItem, field: str, value: SigmaType) -> SigmaDetectionItem:
    """Return an item of one value that has been through what ``like`` has been through."""
    made = SigmaDetectionItem(field, [], [value], source=like.source, auto_modifiers=False)
    made.applied_processing_items = set(like.applied_processing_items)
    return made


def linked(items: Sequence[Part], linking: Linking) -> SigmaDetection:
    """Return parts joined by AND or OR."""
    return SigmaDetection(list(items), item_linking=linking)


def group(like: SigmaDetectionItem, parts: Sequence[Part]) -> Part:
    """Link what the values became as the values were linked; values of one field stay one list."""
    linking = like.value_linking
    merged: list[Part] = []
    lists: dict[tuple[str | None, bool], SigmaDetectionItem] = {}
    for part in flat(parts, linking):
        if isinstance(part, SigmaDetectionItem) and (len(part.value) == 1 or part.value_linking is linking):
            key = part.field, part.negated
            if key in lists and not part.negated:
                lists[key].value += part.value
                lists[key].applied_processing_items |= part.applied_processing_items
                continue
            part.value_linking = linking
            lists[key] = part
        merged.append(part)
    whole = merged[0] if len(merged) == 1 else linked(merged, linking)
    if like.negated:
        negate(whole)
    return whole


def negate(part: Part) -> None:
    """Turn a group into its opposite: `neq` negates an item as a whole."""
    if isinstance(part, SigmaDetectionItem):
        part.negated = True
        return
    part.item_linking = ConditionOR if part.item_linking is ConditionAND else ConditionAND
    for inner in part.detection_items:
        negate(inner)


def any_of(like: SigmaDetectionItem, values: Sequence[SigmaType]) -> Part:
    """Return an item of the field of ``like`` for which any of the values may hold."""
    parts = [item(like, str(like.field), value) for value in values]
    return parts[0] if len(parts) == 1 else linked(parts, ConditionOR)


def flat(parts: Sequence[Part], linking: Linking) -> Iterator[Part]:
    """Give the parts, those of inner groups of the same linking among them."""
    for part in parts:
        if isinstance(part, SigmaDetection) and part.item_linking is linking:
            yield from part.detection_items
        else:
            yield part


def refuse(like: SigmaDetectionItem, value: SigmaType, reason: str) -> Refusal:
    """Return the refusal of a value, naming field, value and reason."""
    shown = f"field {value.field}" if isinstance(value, SigmaFieldReference) else value_text(value)
    return Refusal("SC201", f"field {like.field} compared with {shown}: {reason}")
