"""Transformations of paths for pipelines: a path kept in two fields, or by its last part.

- ``split_path``: a path into the fields that hold what comes before and after one of its backslashes.
- ``file_name_only``: a path that is given by its file name, where only that name is stored.
- ``file_with_backslash``: a path that has a backslash before a file's name without a folder.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import ClassVar

from sigma.conditions import ConditionAND, ConditionOR
from sigma.processing.transformations.base import FieldMappingTransformationBase
from sigma.rule import SigmaDetectionItem
from sigma.types import (
    SigmaExists,
    SigmaExpansion,
    SigmaNull,
    SigmaRegularExpression,
    SigmaString,
    SigmaType,
    SpecialChars,
)

from converter.errors import PipelineError
from converter.pipelines.transformations import items as common
from converter.pipelines.transformations import patterns, regexes
from converter.pipelines.transformations.patterns import MANY, ONE, Parts
from converter.pipelines.transformations.rewriting import ABSENCE, PATTERNS, REGEXES, Form, Rewriting

_Pair = tuple[tuple[str | SpecialChars, ...], tuple[str | SpecialChars, ...]]
NO_FOLDER = (
    *("System", "Registry", "MemCompression", "Secure System", "vmmem", "vmmemWSL", "Idle"),
    *("<unknown process>", "-"),
)
"""What Sysmon writes for processes that the kernel makes and for those that it does not know: no path."""


@dataclass
class SplitPath(Rewriting, FieldMappingTransformationBase):
    """Map a path to the two fields that hold what is before and after one of its backslashes.

    ``before`` and ``after``: the fields. ``at``: which backslash parts them: ``last`` (a folder and a file
    name), ``first`` (a root and the rest) or ``any`` (a registry key and a value name, which may hold
    backslashes itself). Exact for every pattern: each literal backslash and each wildcard that can be
    for the one that parts the fields is an alternative. ``bare``: the path of a process that the kernel makes
    (``System``) has no folder and no backslash; it is in ``after`` alone.
    """

    before: str
    after: str
    at: str = "last"
    bare: bool = False

    proven: ClassVar = PATTERNS | ABSENCE | {Form.CASED}
    advice: ClassVar = "the path is stored in two fields: compare it with '*' and '?'"

    def __post_init__(self) -> None:
        """Check ``at``.

        Raises:
            PipelineError: SC302 if it is none of the three.
        """
        if self.at not in ("first", "last", "any"):
            raise PipelineError("SC302", f"split_path: 'at' is first, last or any, not '{self.at}'")

    def apply_field_name(self, field: str | None) -> str | list[str] | None:  # noqa: D102
        return [self.before, self.after]

    def rewrite(self, item: SigmaDetectionItem) -> common.Part | None:
        """Split the values of one item.

        Raises:
            Refusal: SC201 for a text without a backslash where every path has one.
        """
        return common.group(item, [self._one(item, one) for one in item.value])

    @property
    def _always(self) -> str:
        """The field that every path has: a file's name, and of the registry's the key."""
        return self.before if self.at == "any" else self.after

    def can(self, parts: Parts) -> bool:
        """Tell whether a pattern can match a path in two fields at all."""
        return next(self._cuts(parts), None) is not None

    def _one(self, item: SigmaDetectionItem, value: SigmaType) -> common.Part:
        if isinstance(value, SigmaExpansion):
            return common.linked([self._one(item, one) for one in value.values], ConditionOR)
        if isinstance(value, SigmaNull | SigmaExists):
            return common.item(item, self._always, value)
        assert isinstance(value, SigmaString)
        alternatives = list(dict.fromkeys(self._cuts(common.parts(value))))
        if self.bare:
            alternatives = [self._with_folder(before, after) for before, after in alternatives]
            if not _has_backslash(value.s):
                alternatives.append(((), clean(common.parts(value))))
        if not alternatives:
            raise common.refuse(item, value, "it holds no backslash, and the stored path has one")
        wanted: list[common.Part] = []
        for before, after in alternatives:
            sides = [
                self._side(item, name, value, parts)
                for name, parts in ((self.before, before), (self.after, after))
                # Nothing before a name that may be any: there is a name.
                if parts != (MANY,) or before == ()
            ] or [common.item(item, self._always, common.string(value, [MANY]))]
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

    def _cuts(self, parts: Parts) -> Iterator[_Pair]:
        for at, part in enumerate(parts):
            if isinstance(part, str):
                for found in re.finditer(r"\\", part):
                    left, right = part[: found.start()], part[found.end() :]
                    yield from self._allowed([*parts[:at], left], [right, *parts[at + 1 :]])
            elif part is MANY:
                yield from self._allowed(parts[: at + 1], parts[at:])
            elif part is ONE:
                yield from self._allowed(parts[:at], parts[at + 1 :])

    @staticmethod
    def _with_folder(before: tuple[str | SpecialChars, ...], after: tuple[str | SpecialChars, ...]) -> _Pair:
        """Return two patterns, the first for some folder where the second finds a name without one."""
        pattern = patterns.tokens(after)
        if before == (MANY,) and any(patterns.matches(pattern, name) for name in NO_FOLDER):
            return (ONE, MANY), after
        return before, after

    def _allowed(self, before: Parts, after: Parts) -> Iterator[_Pair]:
        if (self.at == "last" and _has_backslash(after)) or (self.at == "first" and _has_backslash(before)):
            return
        yield clean(before), clean(after)


@dataclass
class FileNameOnly(Rewriting):
    """Take a path that is given by its file name (``*\\\\name.exe``) where only the name is stored.

    Raises SC201 for a value that says more of the path: the fields cannot tell. So is a name that a process
    without a folder has (``*\\\\System``), as the fields do not tell whether there was a folder.
    """

    proven: ClassVar = PATTERNS | ABSENCE | {Form.CASED}
    advice: ClassVar = "only the name of the file is stored: compare it as '*\\\\name.exe'"

    def rewrite(self, item: SigmaDetectionItem) -> SigmaDetectionItem | None:
        """Cut the values of one item down to the file name."""
        item.value = [self._name(item, value) for value in item.value]
        return item

    @staticmethod
    def _name(item: SigmaDetectionItem, value: SigmaType) -> SigmaType:
        if not isinstance(value, SigmaString):
            return value
        parts = common.parts(value)
        match parts:
            case [only] if only is MANY:
                return value
            case [first, str() as text, *rest] if (
                first is MANY
                and text.startswith("\\")
                and not _has_backslash([text[1:], *rest])
                and common.names_no_folder(clean([text[1:], *rest]))
                and not finds_no_folder([text[1:], *rest])
            ):
                return common.string(value, [text[1:], *rest])
        raise common.refuse(item, value, "only the name of the file is stored")


def finds_no_folder(parts: Sequence[str | SpecialChars]) -> bool:
    """Tell whether a pattern matches the name of a process that has no folder."""
    pattern = patterns.tokens(parts)
    return any(patterns.matches(pattern, name) for name in NO_FOLDER)


@dataclass
class FileWithBackslash(Rewriting):
    """Write a path where the platform puts folder, backslash and name together, the folder empty or not.

    ``System`` is stored as ``\\System``. A pattern for a name in a folder (``*\\System``) asks for one.
    """

    proven: ClassVar = PATTERNS | ABSENCE | REGEXES | {Form.CASED, Form.EMPTY}
    advice: ClassVar = "compare it with '*' and '?'"

    def rewrite(self, item: SigmaDetectionItem) -> common.Part | None:
        """Rewrite the values of one item.

        Raises:
            Refusal: SC201 for a regular expression that may find the backslash.
        """
        found = [self._ways(item, value) for value in item.value]
        return common.group(item, [common.any_of(item, one) for one in found])

    def _ways(self, item: SigmaDetectionItem, value: SigmaType) -> list[SigmaType]:
        if isinstance(value, SigmaExpansion):
            return [way for one in value.values for way in self._ways(item, one)]
        if isinstance(value, SigmaRegularExpression):
            if any(regexes.finds(value, name) != regexes.finds(value, f"\\{name}") for name in NO_FOLDER):
                raise common.refuse(
                    item, value, f"a name without a folder is stored with a backslash: {self.advice}"
                )
            return [value]
        parts = common.parts(value) if isinstance(value, SigmaString) else []
        if parts == [MANY] or (isinstance(value, SigmaExists) and value.exists):
            return [common.string(SigmaString(), [ONE, ONE, MANY])]
        if isinstance(value, SigmaNull | SigmaExists):
            return [value, common.string(SigmaString(), ["\\"])]  # Neither folder nor name.
        if not isinstance(value, SigmaString) or not parts:
            return [value]
        if str(parts[0]).startswith("\\") and finds_no_folder([str(parts[0])[1:], *parts[1:]]):
            raise common.refuse(item, value, "no path begins so, but a name without a folder is stored so")
        if parts[0] is not MANY:
            # The drive's letter, or the name itself.
            whole = not _has_backslash(parts)
            begins = parts[0] is ONE or (isinstance(parts[0], str) and not parts[0].startswith("\\"))
            ways = [value] if not (whole and MANY not in parts) else []
            if whole and begins:
                ways.append(common.string(value, ["\\", *parts]))
            return list(ways)
        rest = parts[1:]
        if (
            rest
            and isinstance(rest[0], str)
            and rest[0].startswith("\\")
            and finds_no_folder([rest[0][1:], *rest[1:]])
        ):
            return [common.string(value, [ONE, *parts])]
        return [value]


def clean(parts: Parts) -> tuple[str | SpecialChars, ...]:
    """Return the parts without empty texts and repeated ``*``."""
    made: Parts = []
    for part in parts:
        if part != "" and not (part is MANY and made[-1:] == [MANY]):
            made.append(part)
    return tuple(made)


def _has_backslash(parts: Sequence[object]) -> bool:
    return any(isinstance(part, str) and "\\" in part for part in parts)


def _is_any(item: SigmaDetectionItem) -> bool:
    value = item.value[0]
    return isinstance(value, SigmaString) and list(value.s) == [MANY]
