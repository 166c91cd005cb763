"""The registry's paths as FDR keeps them: a key, and the name of a value that may be empty.

- ``registry_key_and_value``: a path of a key or value, where the default value has no name.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import ClassVar

from sigma.conditions import ConditionAND, ConditionOR
from sigma.processing.transformations.base import FieldMappingTransformationBase
from sigma.rule import SigmaDetectionItem
from sigma.types import SigmaCasedString, SigmaNull, SigmaString, SigmaType

from converter.pipelines.transformations import items as common
from converter.pipelines.transformations.items import Part
from converter.pipelines.transformations.patterns import MANY, ONE, Parts
from converter.pipelines.transformations.registry_paths import keys_of_default
from converter.pipelines.transformations.rewriting import ABSENCE, PATTERNS, SCALARS, Form, Rewriting


@dataclass
class RegistryKeyAndValue(Rewriting, FieldMappingTransformationBase):
    """Map a path, as Sysmon writes it, of a registry key or value.

    ``key``: the field with the key's path. ``name``: the field with the value's name, missing or empty for
    keys and for default values, which Sysmon calls ``(Default)``. ``joined``: ``key`` also has the name,
    if there is one. ``operation`` and ``keys``: the field and its texts by which events of keys differ from
    ``values``, those of values; leave one of the two empty where the events are all of one sort.
    """

    key: str
    name: str
    operation: str
    keys: list[str] = field(default_factory=list)
    values: list[str] = field(default_factory=list)
    joined: bool = False

    proven: ClassVar = PATTERNS | ABSENCE | SCALARS | {Form.CASED, Form.EMPTY}
    advice: ClassVar = "key and value are stored apart, the default value without a name: use '*' and '?'"

    def apply_field_name(self, field: str | None) -> str | list[str] | None:  # noqa: D102
        return self.key if self.joined else [self.key, self.name]

    def rewrite(self, item: SigmaDetectionItem) -> Part | None:
        """Map the values of one item."""
        return common.group(item, [self._one(item, one) for one in item.value])

    def _one(self, item: SigmaDetectionItem, value: SigmaType) -> Part:
        parts: Parts = []
        if isinstance(value, SigmaString):
            parts = _joined(common.parts(value))
        if not isinstance(value, SigmaString) or parts in ([], [MANY]):
            return common.item(item, self.key, value)
        make = _Maker(self, item, value)
        ways = list(make.ways(parts))
        return ways[0] if len(ways) == 1 else common.linked(ways, ConditionOR)


@dataclass
class _Maker:
    """Makes the alternatives for one value of a rule."""

    of: RegistryKeyAndValue
    item: SigmaDetectionItem
    value: SigmaString

    def ways(self, parts: Parts) -> Iterator[Part]:
        open_end = parts[-1] is MANY
        if not self.of.values:
            yield self._all(self._leaf(self.of.key, parts))
            return
        if open_end:  # What comes after may be a name, "\(Default)", or nothing: all of them hold.
            yield self._all(self._leaf(self.of.key, parts))
        else:
            if self.of.joined:
                yield self._all(self._leaf(self.of.key, parts), self._named())
            if self.of.keys:
                yield self._all(self._leaf(self.of.key, parts), self._operation(self.of.keys))
        cased = isinstance(self.value, SigmaCasedString)
        defaults = [key for key in map(list, keys_of_default(parts, None, cased)) if key != parts]
        if not self.of.joined:
            for before, after in _cuts(parts):
                whole = list(after) == [MANY]
                if whole and ((open_end and list(before) == parts) or list(before) in defaults):
                    continue  # Said already, or below together with the default value.
                yield self._all(self._leaf(self.of.key, list(before)), self._name(list(after)))
        for key in defaults:
            unnamed = [self._unnamed()] if self.of.joined or not _is_cut(key, parts) else []
            only = [self._operation(self.of.values)] if self.of.keys else []
            yield self._all(self._leaf(self.of.key, key), *unnamed, *only)

    def _leaf(self, name: str, parts: Parts) -> SigmaDetectionItem | None:
        return (
            None if parts == [MANY] else common.item(self.item, name, common.string(self.value, list(parts)))
        )

    def _name(self, parts: Parts) -> SigmaDetectionItem:
        return self._leaf(self.of.name, parts) or self._named()

    def _named(self) -> SigmaDetectionItem:
        return common.item(self.item, self.of.name, common.string(SigmaString(), [MANY]))

    def _unnamed(self) -> SigmaDetectionItem:
        made = common.item(self.item, self.of.name, SigmaNull())
        if not self.of.joined:
            made.value.append(common.string(SigmaString(), []))
            made.value_linking = ConditionOR
        return made

    def _operation(self, texts: list[str]) -> SigmaDetectionItem:
        values: list[SigmaType] = [common.string(SigmaString(), [text]) for text in texts]
        made = SigmaDetectionItem(
            self.of.operation, [], values, source=self.item.source, auto_modifiers=False
        )
        made.applied_processing_items = set(self.item.applied_processing_items)
        return made

    def _all(self, *items: SigmaDetectionItem | None) -> Part:
        kept = [one for one in items if one is not None]
        return kept[0] if len(kept) == 1 else common.linked(kept, ConditionAND)


def _is_cut(key: Parts, parts: Parts) -> bool:
    """Tell whether a pattern is the other without ``\\*`` at its end: any name, or none, may follow."""
    return parts[-1] is MANY and _joined([*key, "\\", MANY]) == parts


def _joined(parts: Parts) -> Parts:
    """Return the parts without empty texts, neighbouring texts as one."""
    made: Parts = []
    for part in parts:
        if isinstance(part, str) and made and isinstance(made[-1], str):
            made[-1] = str(made[-1]) + part
        elif part != "":
            made.append(part)
    return made


def _cuts(parts: Parts) -> Iterator[tuple[Parts, Parts]]:
    """Give each way to cut a pattern in two at a backslash, which a wildcard can stand for."""
    seen: list[tuple[Parts, Parts]] = []
    for at, part in enumerate(parts):
        found: list[tuple[Parts, Parts]] = []
        if isinstance(part, str):
            found = [
                ([*parts[:at], part[: one.start()]], [part[one.end() :], *parts[at + 1 :]])
                for one in re.finditer(r"\\", part)
            ]
        elif part is MANY:
            found = [(parts[: at + 1], parts[at:])]
        elif part is ONE:
            found = [(parts[:at], parts[at + 1 :])]
        for before, after in found:
            pair = (_joined(before), _joined(after))
            if pair[0] and pair[1] and pair not in seen:
                seen.append(pair)
                yield pair
