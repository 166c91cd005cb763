"""Transformations for the registry as FDR keeps it: a key, the name of a value that may be empty, and data.

- ``registry_key_and_value``: a path of a key or value, where the default value has no name.
- ``registry_value_data``: Sysmon's text of a registry value in a field of its kind.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from sigma.conditions import ConditionAND, ConditionOR
from sigma.processing.transformations.base import (
    DetectionItemTransformation,
    FieldMappingTransformationBase,
    Transformation,
)
from sigma.rule import SigmaDetectionItem
from sigma.types import SigmaExists, SigmaNull, SigmaString, SigmaType, SpecialChars

from converter import detection_items as common
from converter.detection_items import Part
from converter.path_transformations import keys_of_default

_MANY = SpecialChars.WILDCARD_MULTI
_ONE = SpecialChars.WILDCARD_SINGLE
_Parts = list[str | SpecialChars]


@dataclass
class RegistryKeyAndValue(FieldMappingTransformationBase):
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

    def apply_field_name(self, field: str | None) -> str | list[str] | None:  # noqa: D102
        return self.key if self.joined else [self.key, self.name]

    def apply_detection_item(self, detection_item: SigmaDetectionItem) -> Part | None:
        """Map the values of one item.

        Raises:
            Refusal: SC201 for a value that is not a text or a pattern with wildcards.
        """
        if self.processing_item is not None and not self.processing_item.match_field_name(
            detection_item.field
        ):
            return None
        return common.group(detection_item, [self._one(detection_item, one) for one in detection_item.value])

    def _one(self, item: SigmaDetectionItem, value: SigmaType) -> Part:
        parts: _Parts = []
        if isinstance(value, SigmaString):
            parts = _joined(common.parts(value))
        elif not isinstance(value, SigmaNull | SigmaExists):
            raise common.refuse(
                item, value, "key and value are stored apart, the default value without a name"
            )
        if not isinstance(value, SigmaString) or parts in ([], [_MANY]):
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

    def ways(self, parts: _Parts) -> Iterator[Part]:
        open_end = parts[-1] is _MANY
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
        defaults = [key for key in map(list, keys_of_default(parts)) if key != parts]
        if not self.of.joined:
            for before, after in _cuts(parts):
                whole = list(after) == [_MANY]
                if whole and ((open_end and list(before) == parts) or list(before) in defaults):
                    continue  # Said already, or below together with the default value.
                yield self._all(self._leaf(self.of.key, list(before)), self._name(list(after)))
        for key in defaults:
            unnamed = [self._unnamed()] if self.of.joined or not _is_cut(key, parts) else []
            only = [self._operation(self.of.values)] if self.of.keys else []
            yield self._all(self._leaf(self.of.key, key), *unnamed, *only)

    def _leaf(self, name: str, parts: _Parts) -> SigmaDetectionItem | None:
        return (
            None if parts == [_MANY] else common.item(self.item, name, common.string(self.value, list(parts)))
        )

    def _name(self, parts: _Parts) -> SigmaDetectionItem:
        return self._leaf(self.of.name, parts) or self._named()

    def _named(self) -> SigmaDetectionItem:
        return common.item(self.item, self.of.name, common.string(SigmaString(), [_MANY]))

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


def _is_cut(key: _Parts, parts: _Parts) -> bool:
    """Tell whether a pattern is the other without ``\\*`` at its end: any name, or none, may follow."""
    return parts[-1] is _MANY and _joined([*key, "\\", _MANY]) == parts


def _joined(parts: _Parts) -> _Parts:
    """Return the parts without empty texts, neighbouring texts as one."""
    made: _Parts = []
    for part in parts:
        if isinstance(part, str) and made and isinstance(made[-1], str):
            made[-1] = str(made[-1]) + part
        elif part != "":
            made.append(part)
    return made


def _cuts(parts: _Parts) -> Iterator[tuple[_Parts, _Parts]]:
    """Give each way to cut a pattern in two at a backslash, which a wildcard can stand for."""
    seen: list[tuple[_Parts, _Parts]] = []
    for at, part in enumerate(parts):
        found: list[tuple[_Parts, _Parts]] = []
        if isinstance(part, str):
            found = [
                ([*parts[:at], part[: one.start()]], [part[one.end() :], *parts[at + 1 :]])
                for one in re.finditer(r"\\", part)
            ]
        elif part is _MANY:
            found = [(parts[: at + 1], parts[at:])]
        elif part is _ONE:
            found = [(parts[:at], parts[at + 1 :])]
        for before, after in found:
            pair = (_joined(before), _joined(after))
            if pair[0] and pair[1] and pair not in seen:
                seen.append(pair)
                yield pair


_NUMBER = re.compile(r"(?i)DWORD \(0x([0-9a-f]{8})\)|QWORD \(0x([0-9a-f]{8})-0x([0-9a-f]{8})\)")


@dataclass
class RegistryValueData(DetectionItemTransformation):
    """Map Sysmon's text of a registry value to the field of its kind.

    ``text``: the field with texts. ``number``: the field with numbers, in decimal. ``kind``: the field with
    the type of the value; ``binary``, ``strings``, ``dword`` and ``qword``: its texts for those. ``empty``:
    an empty text may be stored as such. ``largest``: the largest number that ``number`` can hold, if there is
    one below what the registry can.
    """

    text: str
    number: str
    kind: str
    binary: str
    strings: list[str]
    dword: str
    qword: str
    empty: bool = False
    largest: int | None = None

    def apply_detection_item(self, detection_item: SigmaDetectionItem) -> Part:
        """Map the values of one item.

        Raises:
            Refusal: SC201 for a part of what Sysmon writes for a number, or one larger than can be held.
        """
        return common.group(detection_item, [self._one(detection_item, one) for one in detection_item.value])

    def _one(self, item: SigmaDetectionItem, value: SigmaType) -> Part:
        if isinstance(value, SigmaNull | SigmaExists):
            absent = isinstance(value, SigmaNull) or not value.exists
            parts: list[Part] = [common.item(item, name, value) for name in (self.text, self.number)]
            return common.linked(parts, ConditionAND if absent else ConditionOR)
        if not isinstance(value, SigmaString):
            return common.item(item, self.text, value)
        inner = [part for part in value.s if part is not _MANY]
        text = str(inner[0]) if len(inner) == 1 and isinstance(inner[0], str) else ""
        if found := _NUMBER.fullmatch(text):
            dword, high, low = found.groups()
            number = int(dword, 16) if dword else (int(high, 16) << 32) + int(low, 16)
            if self.largest is not None and number > self.largest:
                raise common.refuse(item, value, f"numbers above {self.largest} are not kept")
            kind = common.string(SigmaString(), [self.dword if dword else self.qword])
            equal = common.item(item, self.number, common.string(SigmaString(), [str(number)]))
            return common.linked([equal, common.item(item, self.kind, kind)], ConditionAND)
        if text.lower() == "binary data":
            return common.item(item, self.kind, common.string(SigmaString(), [self.binary]))
        if text.lower() == "(empty)":
            kinds = [common.string(SigmaString(), [one]) for one in self.strings]
            of_strings = common.any_of(common.item(item, self.kind, kinds[0]), list(kinds))
            missing = common.item(item, self.text, SigmaNull())
            if self.empty:
                missing.value.append(common.string(SigmaString(), []))
                missing.value_linking = ConditionOR
            return common.linked([missing, of_strings], ConditionAND)
        if any(
            isinstance(part, str) and re.search(r"(?i)[dq]word \(|^\(?0x[0-9a-f]{4,}", part) for part in inner
        ):
            raise common.refuse(item, value, "a number is stored in decimal, without its type")
        return common.item(item, self.text, value)


TYPES: dict[str, type[Transformation]] = {
    "registry_key_and_value": RegistryKeyAndValue,
    "registry_value_data": RegistryValueData,
}
