"""Transformations of paths for pipelines: a path kept in two fields, or by its last part, and registry paths.

- ``split_path``: a path into the fields that hold what stands before and after one of its backslashes.
- ``file_name_only``: a path that is given by its file name, where only that name is stored.
- ``registry_roots``: abbreviated roots (``HKLM\\``) written as the platform writes them.
- ``registry_defaults``: a key alone where a key's default value has no path.
- ``control_sets``: ``CurrentControlSet`` as the numbered control set behind it.
- ``registry_data``: Sysmon's text of a registry value (``DWORD (0x00000001)``) as data and type.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from sigma.conditions import ConditionAND, ConditionOR
from sigma.processing.transformations.base import (
    DetectionItemTransformation,
    FieldMappingTransformationBase,
    Transformation,
)
from sigma.rule import SigmaDetectionItem
from sigma.types import SigmaExists, SigmaExpansion, SigmaNull, SigmaString, SigmaType, SpecialChars

from converter import detection_items as common
from converter.errors import PipelineError

_MANY = SpecialChars.WILDCARD_MULTI
_ONE = SpecialChars.WILDCARD_SINGLE
_Parts = list[str | SpecialChars]


@dataclass
class SplitPath(FieldMappingTransformationBase):
    """Map a path to the two fields that hold what is before and after one of its backslashes.

    ``before`` and ``after``: the fields. ``at``: which backslash parts them: ``last`` (a folder and a file
    name), ``first`` (a root and the rest) or ``any`` (a registry key and a value name, which may hold
    backslashes itself). Exact for every pattern: each literal backslash and each wildcard that can stand
    for the one that parts the fields is an alternative.
    """

    before: str
    after: str
    at: str = "last"

    def __post_init__(self) -> None:
        """Check ``at``.

        Raises:
            PipelineError: SC302 if it is none of the three.
        """
        if self.at not in ("first", "last", "any"):
            raise PipelineError("SC302", f"split_path: 'at' is first, last or any, not '{self.at}'")

    def apply_field_name(self, field: str | None) -> str | list[str] | None:  # noqa: D102
        return [self.before, self.after]

    def apply_detection_item(self, detection_item: SigmaDetectionItem) -> common.Part | None:
        """Split the values of one item.

        Raises:
            Refusal: SC201 for a value that is not a text or a pattern with wildcards.
        """
        if self.processing_item is not None and not self.processing_item.match_field_name(
            detection_item.field
        ):
            return None
        return common.group(detection_item, [self._one(detection_item, one) for one in detection_item.value])

    def can(self, parts: _Parts) -> bool:
        """Tell whether a pattern can match a path in two fields at all."""
        return next(self._cuts(parts), None) is not None

    def _one(self, item: SigmaDetectionItem, value: SigmaType) -> common.Part:
        if isinstance(value, SigmaExpansion):
            return common.linked([self._one(item, one) for one in value.values], ConditionOR)
        if isinstance(value, SigmaNull | SigmaExists):
            return common.item(item, self.before, value)
        if not isinstance(value, SigmaString):
            raise common.refuse(item, value, "the path is stored in two fields")
        alternatives = list(dict.fromkeys(self._cuts(common.parts(value))))
        if not alternatives:
            raise common.refuse(item, value, "it holds no backslash, and the stored path has one")
        wanted: list[common.Part] = []
        for before, after in alternatives:
            sides = [
                self._side(item, name, value, parts)
                for name, parts in ((self.before, before), (self.after, after))
                if parts != (_MANY,)
            ] or [common.item(item, self.before, common.string(value, [_MANY]))]
            wanted.append(sides[0] if len(sides) == 1 else common.linked(sides, ConditionAND))
        if any(isinstance(one, SigmaDetectionItem) and _is_any(one) for one in wanted):
            return next(one for one in wanted if isinstance(one, SigmaDetectionItem) and _is_any(one))
        return wanted[0] if len(wanted) == 1 else common.linked(wanted, ConditionOR)

    def _side(
        self, item: SigmaDetectionItem, name: str, value: SigmaString, parts: tuple[str | SpecialChars, ...]
    ) -> common.Part:
        here = common.item(item, name, common.string(value, list(parts)))
        if parts:
            return here
        # Nothing before or after: some platforms store that as an empty text, some as no value.
        return common.linked([here, common.item(item, name, SigmaNull())], ConditionOR)

    def _cuts(self, parts: _Parts) -> Iterator[tuple[tuple[str | SpecialChars, ...], ...]]:
        for at, part in enumerate(parts):
            if isinstance(part, str):
                for found in re.finditer(r"\\", part):
                    left, right = part[: found.start()], part[found.end() :]
                    yield from self._allowed([*parts[:at], left], [right, *parts[at + 1 :]])
            elif part is _MANY:
                yield from self._allowed(parts[: at + 1], parts[at:])
            elif part is _ONE:
                yield from self._allowed(parts[:at], parts[at + 1 :])

    def _allowed(self, before: _Parts, after: _Parts) -> Iterator[tuple[tuple[str | SpecialChars, ...], ...]]:
        if (self.at == "last" and _has_backslash(after)) or (self.at == "first" and _has_backslash(before)):
            return
        yield _clean(before), _clean(after)


@dataclass
class FileNameOnly(DetectionItemTransformation):
    """Take a path that is given by its file name (``*\\\\name.exe``) where only the name is stored.

    Raises SC201 for a value that says more of the path: the fields cannot tell.
    """

    def apply_detection_item(self, detection_item: SigmaDetectionItem) -> SigmaDetectionItem | None:
        """Cut the values of one item down to the file name."""
        values: list[SigmaType] = []
        for value in detection_item.value:
            if isinstance(value, SigmaNull | SigmaExists):
                values.append(value)
                continue
            parts = common.parts(value) if isinstance(value, SigmaString) else []
            match parts:
                case [only] if only is _MANY:
                    values.append(value)
                case [first, str() as text, *rest] if (
                    first is _MANY
                    and text.startswith("\\")
                    and not _has_backslash([text[1:], *rest])
                    and common.names_no_folder(_clean([text[1:], *rest]))
                    and isinstance(value, SigmaString)
                ):
                    values.append(common.string(value, [text[1:], *rest]))
                case _:
                    raise common.refuse(detection_item, value, "only the name of the file is stored")
        detection_item.value = values
        return detection_item


@dataclass
class RegistryRoots(DetectionItemTransformation):
    """Write the root of a registry path as the platform does.

    ``roots``: abbreviated root to how the platform writes it, or to several ways. A root is looked for at
    the begin of a value, also after a leading ``*``. ``default``: how the platform names a key's default
    value, which Sysmon calls ``(Default)``; several names are alternatives, ``''`` is no name.
    """

    roots: dict[str, str | list[str]]
    default: list[str] = field(default_factory=lambda: ["(Default)"])

    def apply_detection_item(self, detection_item: SigmaDetectionItem) -> common.Part | None:
        """Rewrite the values of one item; None if there is nothing to rewrite."""
        found = [self._alternatives(value) for value in detection_item.value]
        if all(len(one) == 1 and one[0] is value for one, value in _pairs(found, detection_item)):
            return None
        return common.group(detection_item, [common.any_of(detection_item, one) for one in found])

    def _alternatives(self, value: SigmaType) -> list[SigmaType]:
        if isinstance(value, SigmaExpansion):
            return [way for one in value.values for way in self._alternatives(one)]
        if not isinstance(value, SigmaString):
            return [value]
        parts = common.parts(value)
        if not parts:  # No path is empty: there is no root to write, and no default value to find.
            return [value]
        at = 1 if len(parts) > 1 and parts[0] is _MANY else 0
        ways: list[_Parts] = [parts]
        if isinstance(parts[at], str):
            root, backslash, rest = str(parts[at]).partition("\\")
            written = self.roots.get(root.upper()) if backslash else None
            if written is not None:
                many = [written] if isinstance(written, str) else written
                ways = [[*parts[:at], f"{one}\\{rest}", *parts[at + 1 :]] for one in many]
        if self.default != ["(Default)"]:
            ways = [one for way in ways for one in self._with_defaults(way)]
        if ways == [parts]:
            return [value]
        return [common.string(value, way) for way in ways]

    def _with_defaults(self, parts: _Parts) -> Iterator[_Parts]:
        """Yield the patterns for default values as they are named, and the one for all other values."""
        for name in self.default:
            if name != "(Default)":
                for key in keys_of_default(parts, f"\\{name}"):
                    yield (
                        [*key[:-1], f"{key[-1]}\\{name}"] if isinstance(key[-1], str) else [*key, f"\\{name}"]
                    )
        only_default = isinstance(parts[-1], str) and parts[-1].lower().endswith("\\(default)")
        if "(Default)" in self.default or not only_default:
            yield parts


@dataclass
class RegistryDefaults(DetectionItemTransformation):
    """Also look for default values where these have no path: a key alone stands for ``key\\(Default)``.

    ``path``: the field with the path of other values. ``root`` and ``key``: the fields of a key without
    its first part, and of that part. A value that a default value's path cannot match passes.
    """

    path: str
    root: str
    key: str

    def apply_detection_item(self, detection_item: SigmaDetectionItem) -> common.Part | None:
        """Add the keys to the values of one item."""
        parts = [self._one(detection_item, value) for value in detection_item.value]
        return common.group(detection_item, parts)

    def _one(self, item: SigmaDetectionItem, value: SigmaType) -> common.Part:
        if isinstance(value, SigmaExpansion):
            return common.linked([self._one(item, one) for one in value.values], ConditionOR)
        here = common.item(item, self.path, value)
        if not isinstance(value, SigmaString):
            return here
        splitting = SplitPath(self.root, self.key, "first")
        keys = [list(parts) for parts in keys_of_default(common.parts(value)) if splitting.can(list(parts))]
        if not keys:
            return here
        values: list[SigmaType] = [common.string(value, parts) for parts in keys]
        whole = SigmaDetectionItem(self.path, [], values, source=item.source, auto_modifiers=False)
        split = splitting.apply_detection_item(whole)
        assert split is not None
        alone = common.linked([common.item(item, self.path, SigmaNull()), split], ConditionAND)
        return common.linked([here, alone], ConditionOR)


_DEFAULT = "\\(default)"


def keys_of_default(parts: _Parts, stored: str | None = None) -> Iterator[tuple[str | SpecialChars, ...]]:
    """Give the patterns for a key that a pattern matches with ``\\(Default)`` behind it.

    Args:
        parts: the pattern.
        stored: what the platform has behind the key; a pattern that takes this as well finds it itself.
    """
    last = parts[-1] if parts else ""
    if isinstance(last, str) and not _DEFAULT.endswith(last[-len(_DEFAULT) :].lower()):
        return
    cuts: list[tuple[_Parts, _Parts]] = []
    for at, part in enumerate(parts):
        if part is _MANY:
            cuts.append((parts[: at + 1], parts[at:]))
        elif isinstance(part, str):
            # What stands for the default value begins with a backslash, or with a wildcard.
            places = [*(found.start() for found in re.finditer(r"\\", part)), len(part)]
            cuts += [([*parts[:at], part[:cut]], [part[cut:], *parts[at + 1 :]]) for cut in places]
    found: dict[tuple[str | SpecialChars, ...], None] = {}
    for left, right in cuts:
        pattern = "".join(
            re.escape(part) if isinstance(part, str) else ".*" if part is _MANY else "." for part in right
        )
        key = _clean(left)
        ends = key[-1] if key else ""
        if not re.fullmatch(pattern, "\\(Default)", re.IGNORECASE) or str(ends).endswith("\\"):
            continue
        if stored is None or (key and not re.fullmatch(pattern, stored, re.IGNORECASE)):
            found[key] = None
    # What a pattern with a star behind it matches needs no other.
    yield from (key for key in found if not key or key[-1] is _MANY or (*key, _MANY) not in found)


@dataclass
class ControlSets(DetectionItemTransformation):
    """Write ``CurrentControlSet`` as ``ControlSet00?``, any numbered control set.

    That is what Sysmon's name stands for (Microsoft Learn, Sysmon, "Event ID 12").
    """

    def apply_detection_item(self, detection_item: SigmaDetectionItem) -> SigmaDetectionItem | None:
        """Rewrite the values of one item; None if none names the control set."""
        values = [self._one(value) for value in detection_item.value]
        if all(new is old for new, old in zip(values, detection_item.value, strict=True)):
            return None
        detection_item.value = values
        return detection_item

    def _one(self, value: SigmaType) -> SigmaType:
        if not isinstance(value, SigmaString):
            return value
        made: _Parts = []
        for part in value.s:
            if not isinstance(part, str):
                made.append(part if isinstance(part, SpecialChars) else str(part))
                continue
            for at, piece in enumerate(re.split(r"(?i)(?<![^\\])CurrentControlSet(?![^\\])", part)):
                made += ["ControlSet00", _ONE] if at else []
                made.append(piece)
        return common.string(value, made) if len(made) > len(value.s) else value


_NUMBER = re.compile(r"(?i)DWORD \(0x([0-9a-f]{8})\)|QWORD \(0x([0-9a-f]{8})-0x([0-9a-f]{8})\)")
_BARE = re.compile(r"(?i)\(?0x([0-9a-f]{8})\)?")


@dataclass
class RegistryData(DetectionItemTransformation):
    """Map Sysmon's text of a registry value to the platform's data, where that is the bare value.

    ``number``: ``DWORD (0x0000000N)`` and QWORD become decimal text of that type; ``binary``: ``Binary Data``
    asks for the type alone; ``empty``: ``(Empty)`` and null are missing data of another type than binary,
    whose data is never kept. Other texts pass. ``type_field``: the field with the type. ``take``: which of
    the three this item is for, as they may lose different things.
    """

    type_field: str
    take: list[str] = field(default_factory=lambda: ["number", "binary", "empty"])
    dword: str = "Dword"
    qword: str = "Qword"
    binary: str = "Binary"

    def apply_detection_item(self, detection_item: SigmaDetectionItem) -> common.Part | None:
        """Map the values of one item; None if none is one of Sysmon's texts.

        Raises:
            Refusal: SC201 for a part of such a text.
        """
        parts = [self._one(detection_item, value) for value in detection_item.value]
        if all(part is None for part in parts):
            return None
        kept = [
            part if part is not None else common.item(detection_item, str(detection_item.field), value)
            for part, value in zip(parts, detection_item.value, strict=True)
        ]
        return common.group(detection_item, kept)

    def _one(self, item: SigmaDetectionItem, value: SigmaType) -> common.Part | None:
        if isinstance(value, SigmaNull):
            return self._no_data(item) if "empty" in self.take else None
        if not isinstance(value, SigmaString):
            return None
        inner = [part for part in common.parts(value) if part is not _MANY]
        text = inner[0] if len(inner) == 1 and isinstance(inner[0], str) else ""
        if "number" in self.take:
            if found := _NUMBER.fullmatch(text):
                dword, high, low = found.groups()
                if dword:
                    return self._of_type(item, str(int(dword, 16)), self.dword)
                return self._of_type(item, str((int(high, 16) << 32) + int(low, 16)), self.qword)
            if (found := _BARE.fullmatch(text)) and len(value.s) == 3:
                # A part of a number's text, or of any text.
                here = common.item(item, str(item.field), value)
                number = self._of_type(item, str(int(found[1], 16)), self.dword)
                return common.linked([here, number], ConditionOR)
            if re.search(r"(?i)[dq]word \(|^\(?0x[0-9a-f]{4,}", text):
                raise common.refuse(item, value, "a number is stored in decimal, without its type")
        if text.lower() == "binary data" and "binary" in self.take:
            return self._typed(item, self.binary)
        if text.lower() == "(empty)" and "empty" in self.take:
            # Changes of keys have no data either, and no type.
            typed = common.item(item, self.type_field, common.string(SigmaString(), [_MANY]))
            return common.linked([self._no_data(item), typed], ConditionAND)
        return None

    def _of_type(self, item: SigmaDetectionItem, data: str, kind: str) -> common.Part:
        here = common.item(item, str(item.field), common.string(SigmaString(), [data]))
        return common.linked([here, self._typed(item, kind)], ConditionAND)

    def _typed(self, item: SigmaDetectionItem, kind: str) -> SigmaDetectionItem:
        return common.item(item, self.type_field, common.string(SigmaString(), [kind]))

    def _no_data(self, item: SigmaDetectionItem) -> common.Part:
        other = self._typed(item, self.binary)
        other.negated = True
        return common.linked([common.item(item, str(item.field), SigmaNull()), other], ConditionAND)


def _pairs(
    found: Sequence[list[SigmaType]], item: SigmaDetectionItem
) -> Iterator[tuple[list[SigmaType], SigmaType]]:
    yield from zip(found, item.value, strict=True)


def _clean(parts: _Parts) -> tuple[str | SpecialChars, ...]:
    """Return the parts without empty texts and repeated ``*``."""
    made: _Parts = []
    for part in parts:
        if part != "" and not (part is _MANY and made[-1:] == [_MANY]):
            made.append(part)
    return tuple(made)


def _has_backslash(parts: Sequence[object]) -> bool:
    return any(isinstance(part, str) and "\\" in part for part in parts)


def _is_any(item: SigmaDetectionItem) -> bool:
    value = item.value[0]
    return isinstance(value, SigmaString) and list(value.s) == [_MANY]


TYPES: dict[str, type[Transformation]] = {
    "split_path": SplitPath,
    "file_name_only": FileNameOnly,
    "registry_roots": RegistryRoots,
    "registry_defaults": RegistryDefaults,
    "control_sets": ControlSets,
    "registry_data": RegistryData,
}
