"""Transformations of registry paths for pipelines: roots, control sets and default values.

- ``registry_roots``: the root of a path as the platform writes it.
- ``registry_classes``: marks values that find keys of HKCR by their other name.
- ``control_sets``: ``CurrentControlSet`` as the numbered control set behind it.
- ``registry_defaults``: a key alone where a key's default value has no path.
- ``as_sysmon``: a regular expression on a column that holds the path in Sysmon's spelling.

Sysmon abbreviates a path's begin: HKLM, HKU, HKCR (for ``HKLM\\SOFTWARE\\Classes``) and CurrentControlSet
(Microsoft Learn, Sysmon, "Event ID 12"); of 22,784 public records no other root is there but the hives of
applications (``\\REGISTRY\\A\\``), which are as the kernel names them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import ClassVar

from sigma.conditions import ConditionAND, ConditionOR
from sigma.processing.transformations.base import FieldMappingTransformationBase
from sigma.rule import SigmaDetectionItem
from sigma.types import (
    SigmaCasedString,
    SigmaExpansion,
    SigmaNull,
    SigmaRegularExpression,
    SigmaString,
    SigmaType,
)

from converter.pipelines.transformations import items as common
from converter.pipelines.transformations import patterns
from converter.pipelines.transformations.paths import SplitPath, clean
from converter.pipelines.transformations.patterns import MANY, ONE, Parts, Places, Tokens
from converter.pipelines.transformations.rewriting import ABSENCE, PATTERNS, SCALARS, Form, Rewriting

_TEXTS = PATTERNS | ABSENCE | SCALARS | {Form.CASED, Form.EMPTY, Form.FIELD}
"""Two fields with the same steps hold the same spelling, so they may be compared with each other."""
_SPELLED = (
    "write it with '*' and '?', from the root as Sysmon writes it (HKLM, HKU, HKCR), with CurrentControlSet"
)
_APPLICATIONS = "\\REGISTRY\\A\\"
# Sysmon's HKU has the user's SID behind it, where some platforms name the user's own root.
_OF_A_USER = {"HKEY_CURRENT_USER": "S-1-5-21-", "HKCU": "S-1-5-21-"}
_CLASSES = "HKCR"


@dataclass
class RegistryRoots(Rewriting):
    """Write the root of a registry path as the platform does.

    ``roots``: abbreviated root to how the platform writes it, or to several ways. ``default``: how the
    platform names a key's default value, which Sysmon calls ``(Default)``; several names are alternatives,
    ``''`` is no name. ``applications``: what the platform writes for ``\\REGISTRY\\A\\``.

    Proven for every pattern: what is left of it behind each root decides. A pattern that could find
    something in the platform's name of a root is written out, root by root.
    """

    roots: dict[str, str | list[str]]
    default: list[str] = field(default_factory=lambda: ["(Default)"])
    applications: str = _APPLICATIONS

    proven: ClassVar = _TEXTS
    advice: ClassVar = _SPELLED

    def rewrite(self, item: SigmaDetectionItem) -> common.Part | None:
        """Rewrite the values of one item; None if there is nothing to rewrite."""
        found = [self._alternatives(item, value) for value in item.value]
        if all(len(one) == 1 and one[0] is value for one, value in zip(found, item.value, strict=True)):
            return None
        return common.group(item, [common.any_of(item, one) for one in found])

    def _alternatives(self, item: SigmaDetectionItem, value: SigmaType) -> list[SigmaType]:
        if isinstance(value, SigmaExpansion):
            return [way for one in value.values for way in self._alternatives(item, one)]
        if not isinstance(value, SigmaString):
            return [value]
        parts = common.parts(value)
        if not parts:  # No path is empty: there is no root to write, and no default value to find.
            return [value]
        cased = isinstance(value, SigmaCasedString)
        ways = list(dict.fromkeys(map(tuple, self._rooted(item, value, cased))))
        if self.default != ["(Default)"]:
            ways = [tuple(one) for way in ways for one in self._with_defaults(list(way), cased)]
        if ways == [tuple(parts)]:
            return [value]
        return [common.string(value, way) for way in dict.fromkeys(ways)]

    def _rooted(self, item: SigmaDetectionItem, value: SigmaString, cased: bool) -> Iterator[Parts]:
        pattern = patterns.tokens(common.parts(value))
        pairs = [
            (root, way, *_behind(pattern, (root, way), cased), _finds_more(pattern, root, way, cased))
            for root, way in self._pairs()
        ]
        found = [(left, pair) for *pair, left, _, _ in pairs if left]
        # What a pattern may find in the platform's own text is no find of the rule's: say each root.
        told = any(more for *_, more in pairs)
        if not told and (not found or any(stored for *_, stored, _ in pairs)):
            yield common.parts(value)
        if told and not found:
            raise common.refuse(
                item, value, "Sysmon writes no such root (HKEY_LOCAL_MACHINE is HKLM, HKCU is HKU and a SID)"
            )
        for root, way, own, stored, _ in pairs:
            left = patterns.rests(pattern, own if told else own - stored)
            if left and cased and root == _CLASSES:
                raise common.refuse(item, value, "the platform may write the root of HKCR in another case")
            for rest in left:
                yield list(clean([f"{way}\\", *patterns.parts(rest)]))

    def _pairs(self) -> Iterator[tuple[str, str]]:
        """Yield each root of Sysmon's with each way in which the platform writes it."""
        for root, ways in self.roots.items():
            yield from ((root, way) for way in ([ways] if isinstance(ways, str) else ways))
        yield _APPLICATIONS[:-1], self.applications[:-1]

    def _with_defaults(self, parts: Parts, cased: bool) -> Iterator[Parts]:
        """Yield the patterns for default values as they are named, and the one for all other values."""
        for name in self.default:
            if name != "(Default)":
                for key in keys_of_default(parts, f"\\{name}", cased):
                    yield (
                        [*key[:-1], f"{key[-1]}\\{name}"] if isinstance(key[-1], str) else [*key, f"\\{name}"]
                    )
        only_default = isinstance(parts[-1], str) and parts[-1].lower().endswith("\\(default)")
        if "(Default)" in self.default or not only_default:
            yield parts


@dataclass
class RegistryClasses(RegistryRoots):
    """Change nothing, and take values that find keys of HKCR by their other name (declare them broader).

    Sysmon writes HKCR for ``HKLM\\SOFTWARE\\Classes``, and never the latter; the platform writes the latter.
    So ``HKLM\\SOFTWARE\\*`` finds them there, and not with Sysmon. A list that asks for both finds the same.
    Put it before `registry_roots`, with the same ``roots``.
    """

    def rewrite(self, item: SigmaDetectionItem) -> common.Part | None:
        """Return the item as it is if it is one of these."""
        texts = [one for one in _flat(item.value) if isinstance(one, SigmaString) and one.s]
        together = {rest for text in texts for rest in self._meant(text)}
        for text in texts:
            meant = together if item.value_linking is ConditionOR else self._meant(text)
            if self._found(item, text) - meant:
                return item
        return None

    @staticmethod
    def _meant(value: SigmaString) -> set[Tokens]:
        """Return what is left of a value behind Sysmon's name of the root."""
        pattern = patterns.tokens(common.parts(value))
        return set(patterns.rests(pattern, patterns.behind(pattern, f"{_CLASSES}\\")))

    def _found(self, item: SigmaDetectionItem, value: SigmaString) -> set[Tokens]:
        """Return what is left of a value, as it is rewritten, behind the platform's name of the root."""
        written = self.roots[_CLASSES]
        name = written if isinstance(written, str) else written[0]
        ways = [
            patterns.tokens(way) for way in self._rooted(item, value, isinstance(value, SigmaCasedString))
        ]
        return {rest for way in ways for rest in patterns.rests(way, patterns.behind(way, f"{name}\\"))}


def _behind(pattern: Tokens, pair: tuple[str, str], cased: bool) -> tuple[Places, Places]:
    """Return where a pattern may be behind a root, and behind the platform's name of it."""
    own, stored = (patterns.behind(pattern, f"{text}\\", cased) for text in pair)
    return own, stored


def _finds_more(pattern: Tokens, root: str, way: str, cased: bool) -> bool:
    """Tell whether a pattern may find something in the platform's name of a root, and not in Sysmon's."""
    if root == _CLASSES:  # The key is known by both names.
        return False
    more = f"\\{_OF_A_USER.get(way, '')}"
    own, stored = (patterns.behind(pattern, text + more, cased) for text in (root, way))
    return bool(stored - own)


@dataclass
class ControlSets(Rewriting):
    """Write ``CurrentControlSet`` as ``ControlSet00?``, any numbered control set.

    That is what Sysmon's name stands for (Microsoft Learn, Sysmon, "Event ID 12"). ``machine``: the root of
    the machine as the platform writes it. A pattern that finds a part of the name only gets the whole name
    behind ``machine\\SYSTEM``; one that finds the number is refused.
    """

    machine: str = "HKLM"

    proven: ClassVar = _TEXTS
    advice: ClassVar = _SPELLED

    def rewrite(self, item: SigmaDetectionItem) -> common.Part | None:
        """Rewrite the values of one item; None if none names the control set."""
        texts = [one for one in _flat(item.value) if isinstance(one, SigmaString)]
        meant = (
            {rest for one in texts for rest in self._rests(one)}
            if item.value_linking is ConditionOR
            else set()
        )
        found = [self._alternatives(item, value, meant) for value in item.value]
        if all(len(one) == 1 and one[0] is value for one, value in zip(found, item.value, strict=True)):
            return None
        return common.group(item, [common.any_of(item, one) for one in found])

    def _rests(self, value: SigmaString) -> set[Tokens]:
        """Return what is left of a value behind Sysmon's name of the control set, as it is stored."""
        pattern = patterns.tokens(common.parts(value))
        places = patterns.behind(pattern, f"{self.machine}\\SYSTEM\\CurrentControlSet")
        return {_numbered(rest, value) for rest in patterns.rests(pattern, places)}

    def _alternatives(
        self, item: SigmaDetectionItem, value: SigmaType, meant: set[Tokens]
    ) -> list[SigmaType]:
        if isinstance(value, SigmaExpansion):
            return [way for one in value.values for way in self._alternatives(item, one, meant)]
        if not isinstance(value, SigmaString) or not value.s:
            return [value]
        pattern = patterns.tokens(common.parts(value))
        stored = _numbered(pattern, value)
        name = [*f"{self.machine}\\SYSTEM\\ControlSet00", "123456789"]
        own = self._rests(value)
        known = set(patterns.rests(stored, patterns.behind(stored, name)))
        if known - own - meant:
            raise common.refuse(
                item, value, "the platform writes a control set with its number: ask for CurrentControlSet"
            )
        more = own - known
        if more and isinstance(value, SigmaCasedString):
            raise common.refuse(item, value, "the platform may write the control set in another case")
        prefix = f"{self.machine}\\SYSTEM\\ControlSet00"
        ways = [patterns.parts(stored)]
        ways += [list(clean([prefix, ONE, *patterns.parts(rest)])) for rest in sorted(more, key=str)]
        if stored == pattern and not more:
            return [value]
        return [common.string(value, way) for way in ways]


def _numbered(pattern: Tokens, like: SigmaString) -> Tokens:
    """Return a pattern with each whole CurrentControlSet as a numbered one."""
    flags = "" if isinstance(like, SigmaCasedString) else "(?i)"
    made: Parts = []
    for part in patterns.parts(pattern):
        if not isinstance(part, str):
            made.append(part)
            continue
        for at, piece in enumerate(re.split(rf"{flags}(?<![^\\])CurrentControlSet(?![^\\])", part)):
            made += ["ControlSet00", ONE] if at else []
            made.append(piece)
    return patterns.tokens(made)


def _flat(values: Sequence[SigmaType]) -> Iterator[SigmaType]:
    for value in values:
        yield from _flat(value.values) if isinstance(value, SigmaExpansion) else [value]


@dataclass
class AsSysmon(Rewriting, FieldMappingTransformationBase):
    """Look for regular expressions in ``to``, a column that holds the value in Sysmon's spelling.

    Other values stay with their field, for the steps that come after.
    """

    to: str

    proven: ClassVar = frozenset(Form)

    def apply_field_name(self, field: str | None) -> str | list[str] | None:  # noqa: D102
        return field

    def rewrite(self, item: SigmaDetectionItem) -> common.Part | None:
        """Rename the field of an item of regular expressions."""
        if not all(isinstance(value, SigmaRegularExpression) for value in item.value):
            return None
        item.field = self.to
        return item


@dataclass
class RegistryDefaults(Rewriting):
    """Also look for default values where these have no path: a key alone stands for ``key\\(Default)``.

    ``path``: the field with the path of other values. ``root`` and ``key``: the fields of a key without
    its first part, and of that part. A value that a default value's path cannot match passes.
    """

    path: str
    root: str
    key: str

    proven: ClassVar = _TEXTS
    advice: ClassVar = _SPELLED

    def rewrite(self, item: SigmaDetectionItem) -> common.Part | None:
        """Add the keys to the values of one item."""
        return common.group(item, [self._one(item, value) for value in item.value])

    def _one(self, item: SigmaDetectionItem, value: SigmaType) -> common.Part:
        if isinstance(value, SigmaExpansion):
            return common.linked([self._one(item, one) for one in value.values], ConditionOR)
        here = common.item(item, self.path, value)
        if not isinstance(value, SigmaString):
            return here
        splitting = SplitPath(self.root, self.key, "first")
        keys = [
            list(parts)
            for parts in keys_of_default(common.parts(value), None, isinstance(value, SigmaCasedString))
            if splitting.can(list(parts))
        ]
        if not keys:
            return here
        values: list[SigmaType] = [common.string(value, parts) for parts in keys]
        whole = SigmaDetectionItem(self.path, [], values, source=item.source, auto_modifiers=False)
        split = splitting.apply_detection_item(whole)
        assert split is not None
        alone = common.linked([common.item(item, self.path, SigmaNull()), split], ConditionAND)
        return common.linked([here, alone], ConditionOR)


_DEFAULT = "\\(default)"


def keys_of_default(parts: Parts, stored: str | None = None, cased: bool = False) -> Iterator[Tokens]:
    """Give the patterns for a key that a pattern matches with ``\\(Default)`` behind it.

    Args:
        parts: the pattern.
        stored: what the platform has behind the key; a pattern that takes this as well finds it itself.
        cased: whether the name is compared as written.
    """
    last = parts[-1] if parts else ""
    if isinstance(last, str) and not _DEFAULT.endswith(last[-len(_DEFAULT) :].lower()):
        return
    flags = re.DOTALL if cased else re.DOTALL | re.IGNORECASE
    cuts: list[tuple[Parts, Parts]] = []
    for at, part in enumerate(parts):
        if part is MANY:
            cuts.append((parts[: at + 1], parts[at:]))
        elif part is ONE:
            cuts.append((parts[:at], parts[at:]))
        elif isinstance(part, str):
            # What stands for the default value begins with a backslash, or with a wildcard.
            places = [*(found.start() for found in re.finditer(r"\\", part)), len(part)]
            cuts += [([*parts[:at], part[:cut]], [part[cut:], *parts[at + 1 :]]) for cut in places]
    found: dict[Tokens, None] = {}
    for left, right in cuts:
        pattern = "".join(
            re.escape(part) if isinstance(part, str) else ".*" if part is MANY else "." for part in right
        )
        key = clean(left)
        ends = key[-1] if key else ""
        if not re.fullmatch(pattern, "\\(Default)", flags) or str(ends).endswith("\\"):
            continue
        if stored is None or (key and not re.fullmatch(pattern, stored, flags)):
            found[key] = None
    # What a pattern with a star behind it matches needs no other.
    yield from (key for key in found if not key or key[-1] is MANY or (*key, MANY) not in found)
