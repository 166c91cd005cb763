"""Transformations for paths in Falcon Data Replicator (FDR) events.

- ``device_path``: ``C:\\...`` as the path of a numbered volume, ``\\\\server\\...`` as the redirector's.
- ``base_name``: a path where only the name of the file is stored.

CrowdStrike's events name volumes as the kernel does (``\\Device\\HarddiskVolume3\\``); the letters are
nowhere in the event. Sysmon names a volume so only if it has no letter.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import ClassVar

from sigma.conditions import ConditionAND, ConditionItem, ConditionNOT, ConditionOR
from sigma.correlations import SigmaCorrelationRule
from sigma.processing.transformations.base import FieldMappingTransformationBase
from sigma.rule import SigmaDetectionItem, SigmaRule
from sigma.types import (
    SigmaCasedString,
    SigmaExpansion,
    SigmaRegularExpression,
    SigmaRegularExpressionFlag,
    SigmaString,
    SigmaType,
    SpecialChars,
)

from converter.errors import PipelineError
from converter.pipelines.transformations import items as common
from converter.pipelines.transformations import patterns, regexes
from converter.pipelines.transformations.items import Part
from converter.pipelines.transformations.paths import finds_no_folder
from converter.pipelines.transformations.patterns import MANY, ONE, Parts
from converter.pipelines.transformations.rewriting import ABSENCE, PATTERNS, REGEXES, SCALARS, Form, Rewriting
from converter.pipelines.transformations.volume_regex import VolumeRegex
from converter.plan.volume_paths import DIGITS
from converter.plan.volume_paths import VOLUME as _VOLUME
from converter.rules import parsed as fresh

_REDIRECTOR = "\\Device\\Mup\\"
_DIGITS = "0123456789"
_KERNEL = re.compile(r"(?i)HarddiskVolume(?!ShadowCopy)|\\Device\\Mup")
_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"


_REGEX_DRIVE = re.compile(
    r"(?P<begin>\^?)(?:(?P<any>\.|\[(?:a-z|A-Z|a-zA-Z|A-Za-z)\])|[A-Za-z]|\[[A-Za-z]+\]):\\\\"
)


@dataclass
class DevicePath(Rewriting):
    """Write a path as the kernel does.

    What is left of a pattern behind a drive (``C:``) and behind a share's begin (``\\\\``) is looked for
    behind the number of a volume, of up to three digits, and behind the redirector's name. Exact where any
    drive will do, and for shares. ``letters``: ``any`` also takes drive letters, for which any volume is
    found: declare it broader. ``guarded`` takes only those that a rule excludes (``not``) beside a condition
    on the same field that demands the same letter: where that holds as the rule means it, the excluded
    paths are on that drive, so nothing is missed. ``named`` changes nothing and takes values that find the
    kernel's names themselves, which Sysmon gives to volumes without a letter and FDR to all: declare the item
    broader. Put it first. It does not take a list that has the same path on any drive (``?:\\``), which says
    as much. What stays has no drive to rewrite: folders and names are the same.
    """

    letters: str = "none"

    proven: ClassVar = PATTERNS | ABSENCE | SCALARS | REGEXES | {Form.CASED, Form.EMPTY, Form.FIELD}
    advice: ClassVar = "compare it with '*' and '?'"

    def __post_init__(self) -> None:
        """Check ``letters``.

        Raises:
            PipelineError: SC302 if it is none of the four.
        """
        if self.letters not in ("none", "guarded", "any", "named"):
            raise PipelineError(
                "SC302", f"device_path: 'letters' is guarded, any or named, not '{self.letters}'"
            )
        self._guarded: set[int] = set()

    def apply(self, rule: SigmaRule | SigmaCorrelationRule) -> None:
        """Apply to all items of a rule."""
        if self.letters == "guarded" and isinstance(rule, SigmaRule):
            self._guarded = _guarded(rule)
        super().apply(rule)

    def rewrite(self, item: SigmaDetectionItem) -> Part | None:
        """Rewrite the values of one item; None if there is nothing to rewrite.

        Raises:
            Refusal: SC201 for a regular expression that may find a drive or the kernel's name of a volume.
        """
        if self.letters == "named":
            return item if _named(item) else None
        if self.letters == "guarded" and not all(id(value) in self._guarded for value in item.value):
            return None
        found = [self._written(item, value) for value in item.value]
        if all(values is None for values in found):
            return None
        parts = [
            common.item(item, str(item.field), value) if made is None else made
            for made, value in zip(found, item.value, strict=True)
        ]
        return common.group(item, parts)

    def _written(self, item: SigmaDetectionItem, value: SigmaType) -> Part | None:
        if isinstance(value, SigmaExpansion):
            inner = [self._written(item, one) for one in value.values]
            if all(one is None for one in inner):
                return None
            pairs = zip(inner, value.values, strict=True)
            parts = [common.item(item, str(item.field), one) if made is None else made for made, one in pairs]
            return common.linked(parts, ConditionOR)
        if isinstance(value, SigmaRegularExpression):
            regexes_made = self._regex(item, value)
            return None if regexes_made is None else common.any_of(item, regexes_made)
        if not isinstance(value, SigmaString) or not value.s:
            return None
        seen = _Seen.of(value)
        if seen.pattern[0] == ":":
            raise common.refuse(item, value, "no path begins with a colon: begin the value with a star")
        if seen.letter and self.letters == "none":
            return None
        ways = list(seen.ways(cased=isinstance(value, SigmaCasedString)))
        if ways in ([], [common.parts(value)]):
            return None  # No path begins so: it finds nothing, here as with Sysmon.
        made = [way if isinstance(way, VolumeRegex) else common.string(value, way) for way in ways]
        parts = [common.item(item, str(item.field), one) for one in made]
        return (
            parts[0] if len(parts) == 1 else common.linked(list(common.flat(parts, ConditionOR)), ConditionOR)
        )

    def _regex(self, item: SigmaDetectionItem, value: SigmaRegularExpression) -> list[SigmaType] | None:
        text = str(value.regexp)
        if text.removeprefix("^").removeprefix("(?:").startswith(re.escape(_VOLUME)):
            return None  # Written so by the step before, or by the rule itself.
        found = _REGEX_DRIVE.match(text)
        rest = text[found.end() :] if found else text
        if re.search(r"\^|:|\\A", re.sub(r"\[\^|\(\?:|\\.", "", rest)):
            raise common.refuse(item, value, "the path begins with a volume and not with a drive")
        if found:
            # Windows has drives in capitals; small letters alone name none, unless case does not count.
            mixed = found["any"] in (".", "[a-zA-Z]", "[A-Za-z]", "[A-Z]")
            any_case = SigmaRegularExpressionFlag.IGNORECASE in value.flags
            if self.letters != "any" and not (found["any"] and (mixed or any_case)):
                return None
            volume = re.escape(_VOLUME) + DIGITS + "\\\\"
            return [SigmaRegularExpression(f"{found['begin']}{volume}{rest}", set(value.flags))]
        start = regexes.begin(value)
        if start and start[0] not in "\\:" and not start[0].isalnum():
            return None  # No drive and no kernel's name has such a character: both paths have it behind them.
        if not start or start[0] != "\\" or start[1:2] == "\\":
            # It may begin with the drive's letter, or in the middle of the kernel's name.
            raise common.refuse(item, value, "it may find a drive's letter: begin it with a backslash")
        if len(start) > 1 and not any(name.startswith(start[:12].lower()) for name in _KERNEL_BEGINS):
            return None
        beyond = f"(?:{re.escape(_VOLUME)}{DIGITS}|{re.escape(_REDIRECTOR[:-1])})"
        return [SigmaRegularExpression(f"^{beyond}.*(?:{text})", set(value.flags))]


_KERNEL_BEGINS = ("\\device\\harddi", "\\harddiskvol", "\\device\\mup\\", "\\mup\\")
"""What a match that begins in the kernel's name of a volume begins with, as far as it goes."""


@dataclass(frozen=True, slots=True)
class _Seen:
    """What a pattern says of the begin of a path."""

    pattern: patterns.Tokens
    stored: frozenset[int]
    """Places behind any volume's number."""
    drives: Mapping[str, frozenset[int]]
    """Places behind a drive's letter and the colon."""
    share: frozenset[int]
    """Places behind the two backslashes of a share."""
    redirector: frozenset[int]

    @classmethod
    def of(cls, value: SigmaString) -> _Seen:
        """Return what a text or pattern says."""
        cased = isinstance(value, SigmaCasedString)
        pattern = patterns.tokens(common.parts(value))
        numbers = [patterns.behind(pattern, [*_VOLUME, *[_DIGITS] * places], cased) for places in (1, 2, 3)]
        letters = _LETTERS + _LETTERS.lower() if cased else _LETTERS
        drives = {letter: patterns.behind(pattern, f"{letter}:", cased) for letter in letters}
        share = patterns.behind(pattern, "\\\\", cased)
        return cls(
            pattern, frozenset().union(*numbers), drives, share, patterns.behind(pattern, _REDIRECTOR, cased)
        )

    @property
    def letter(self) -> bool:
        """Whether the pattern tells one drive from another."""
        return len(set(self.drives.values())) > 1

    @property
    def named(self) -> bool:
        """Whether the pattern finds something in the kernel's names that it does not find in Sysmon's."""
        drives = frozenset.intersection(*self.drives.values())
        volume = any(map(self._goes_on, self.stored - drives))
        return (volume or bool(self.redirector - self.share)) and not self._tells_drives()

    def _goes_on(self, place: int) -> bool:
        """Tell whether the pattern's next token can follow a volume's number: a backslash or the end."""
        return place == len(self.pattern) or self.pattern[place] in (MANY, ONE, "\\")

    def _tells_drives(self) -> bool:
        return not self.stored and self.letter

    def ways(self, cased: bool) -> Iterator[Parts | VolumeRegex]:
        """Yield the patterns for the path as the kernel writes it."""
        behind_drive = frozenset().union(*self.drives.values()) - self.stored
        behind_share = self.share - self.redirector
        if self._elsewhere():
            yield patterns.parts(self.pattern)
        for rest in patterns.rests(self.pattern, behind_drive):
            if rest and rest[0] is MANY:
                yield [_VOLUME, *patterns.parts(rest)]
            elif not rest or rest[0] is ONE or rest[0] == "\\":
                beyond = ["\\", *patterns.parts(rest[1:])] if rest else []
                yield VolumeRegex(beyond, cased)
        for rest in patterns.rests(self.pattern, behind_share):
            if not rest or rest[0] not in ("\\", "?", "."):  # `\\\\?\\` and `\\\\.\\` are no shares.
                yield list(joined([_REDIRECTOR, *patterns.parts(rest)]))

    def _elsewhere(self) -> bool:
        """Tell whether the pattern itself may find a path as the kernel writes it, or a name alone."""
        text = [token for token in self.pattern if isinstance(token, str)]
        if self.stored or self.redirector:
            # No path has a drive or two backslashes but at its begin.
            return (":" not in text and "\\\\" not in "".join(text)) or self.pattern[0] == "\\"
        return (
            ":" not in text and ("\\" not in text or self.pattern[0] == "\\") and "".join(text[:2]) != "\\\\"
        )


def joined(parts: Parts) -> Iterator[str | SpecialChars]:
    """Yield the parts, neighbouring texts as one."""
    yield from patterns.parts(patterns.tokens(parts))


def _guarded(rule: SigmaRule) -> set[int]:
    """Return the ids of values that stand only under ``not``, beside a demand for their drive's letter."""
    guarded: set[int] = set()
    other: set[int] = set()

    def walk(node: object, demands: dict[str | None, str], negative: bool) -> None:
        if isinstance(node, ConditionAND) and not negative:
            demands = {**demands, **{field: letter for arg in node.args for field, letter in _demand(arg)}}
        if isinstance(node, ConditionItem):
            for arg in node.args:
                walk(arg, demands, negative != isinstance(node, ConditionNOT))
            return
        value = getattr(node, "value", None)
        letter = _letter(value)
        safe = negative and letter is not None and letter == demands.get(getattr(node, "field", None))
        (guarded if safe else other).add(id(value))

    for condition in rule.detection.parsed_condition:
        walk(fresh.parsed(condition), {}, False)
    return guarded - other


def _demand(node: object) -> list[tuple[str | None, str]]:
    """Return field and letter if a condition demands of the field one letter."""
    leaves = node.args if isinstance(node, ConditionOR) else [node]
    found = {(getattr(leaf, "field", None), _letter(getattr(leaf, "value", None))) for leaf in leaves}
    field, letter = next(iter(found))
    return [(field, letter)] if len(found) == 1 and letter is not None else []


def _letter(value: object) -> str | None:
    if not isinstance(value, SigmaString):
        return None
    drive, _ = _drive(common.parts(value))
    return drive.lower() if drive is not None and drive.isalpha() else None


def _named(item: SigmaDetectionItem) -> bool:
    """Tell whether a value names a volume as the kernel does, and no other stands for it on any drive."""
    drives = [_drive(common.parts(value)) for value in item.value if isinstance(value, SigmaString)]
    anywhere = [rest for drive, rest in drives if drive == "?" and item.value_linking is not ConditionAND]
    for value in item.value:
        if _KERNEL.search(_text(value)):
            if _beyond_volume(value) not in anywhere:
                return True
        elif isinstance(value, SigmaString) and value.s and _Seen.of(value).named:
            return True
    return False


def _text(value: SigmaType) -> str:
    if isinstance(value, SigmaRegularExpression):
        return str(value.regexp).replace("\\\\", "\\")
    if not isinstance(value, SigmaString):
        return ""
    return "".join("\0" if isinstance(part, SpecialChars) else part for part in common.parts(value))


def _beyond_volume(value: SigmaType) -> Parts | None:
    """Return what follows the name of a volume whose number has one or two places, from the backslash on."""
    parts = common.parts(value) if isinstance(value, SigmaString) else []
    for places in (1, 2, 3):
        if parts[: 1 + places] == [_VOLUME, *[ONE] * places]:
            rest = parts[1 + places :]
            return rest if rest and str(rest[0]).startswith("\\") else None
    found = re.match(r"(?i)\\Device\\HarddiskVolume[0-9]{1,3}(?=\\)", str(parts[0])) if parts else None
    return [str(parts[0])[found.end() :], *parts[1:]] if found else None


def _drive(parts: Parts) -> tuple[str | None, Parts]:
    """Return the drive that a pattern begins with, and the rest from the backslash on.

    The drive is a letter, ``?`` for any, a backslash for a share (the rest is then from the server on),
    or None.
    """
    at = 1 if len(parts) > 1 and parts[0] is MANY else 0
    head, tail = (parts[at] if len(parts) > at else ""), parts[at + 1 :]
    if isinstance(head, str):
        if found := re.match(r"([A-Za-z]?):(?=\\|\Z)", head):
            letter, after = found[1], head[found.end() :]
            if (letter or at) and (after or tail[:1] == [MANY]):
                return letter or "?", [after, *tail] if after else tail
        if not at and head.startswith("\\\\") and re.match(r"\\\\[^?.\\]", head + "x"):
            return "\\", [head[2:], *tail]
    elif head is ONE and tail and isinstance(tail[0], str) and tail[0].startswith(":\\"):
        return "?", [tail[0][1:], *tail[1:]]
    return None, parts


@dataclass
class BaseName(Rewriting, FieldMappingTransformationBase):
    """Map a path to the field that holds the name of its file.

    ``to``: the field. ``loss``: ``none`` takes values that say nothing but the name (``*\\name.exe``);
    ``broader`` those that name the file by its whole path, and names that processes without a folder have;
    ``narrower`` parts of a path and names with ``*``, which could also stand for folders: they are looked for
    in the name only. What an item does not take is left to the next; ``refuse_left`` refuses it, a folder
    without the whole name above all: the query would both miss and find too much.
    """

    to: str
    loss: str = "none"
    refuse_left: bool = False

    proven: ClassVar = PATTERNS | ABSENCE | {Form.CASED, Form.EMPTY}
    advice: ClassVar = "only the name of the file is stored: compare it as '*\\\\name.exe'"

    @property
    def last(self) -> bool:
        """Whether no other step takes what this one leaves."""
        return self.refuse_left

    def __post_init__(self) -> None:
        """Check ``loss``.

        Raises:
            PipelineError: SC302 if it is none of the three.
        """
        if self.loss not in ("none", "broader", "narrower"):
            raise PipelineError("SC302", f"base_name: 'loss' is none, broader or narrower, not '{self.loss}'")

    def apply_field_name(self, field: str | None) -> str | list[str] | None:  # noqa: D102
        return field

    def rewrite(self, item: SigmaDetectionItem) -> SigmaDetectionItem | None:
        """Cut the values of one item down to the name; all of them or none.

        Raises:
            Refusal: SC201 if ``refuse_left`` and a value does not say the name.
        """
        values = [self._name(value) for value in item.value]
        kept = [value for value in values if value is not None]
        if len(kept) < len(values):
            if self.refuse_left:
                left = next(one for one, name in zip(item.value, values, strict=True) if name is None)
                raise common.refuse(
                    item, left, "only the name of the file is stored, and nothing of its folder"
                )
            return None
        item.value = kept
        item.field = self.to
        return item

    def _name(self, value: SigmaType) -> SigmaType | None:
        if isinstance(value, SigmaExpansion):
            inner = [self._name(one) for one in value.values]
            known = [one for one in inner if one is not None]
            return SigmaExpansion(known) if len(known) == len(inner) else None
        if not isinstance(value, SigmaString):
            return value
        parts = common.parts(value)
        if parts in ([], [MANY]):
            return value
        last = max(
            (at for at, part in enumerate(parts) if isinstance(part, str) and "\\" in part), default=-1
        )
        if last < 0:
            return self._without_backslash(value, parts)
        before, _, text = str(parts[last]).rpartition("\\")
        name: Parts = [part for part in (text, *parts[last + 1 :]) if part != ""]
        if not name or name == [MANY]:
            return None
        whole = parts[:last] == [MANY] and not before
        if common.names_no_folder(name):
            exact = whole and not finds_no_folder(name)
            taken = exact or self.loss == "broader" or (self.loss == "narrower" and exact)
        else:
            taken = whole and self.loss == "narrower"
        return common.string(value, list(name)) if taken else None

    def _without_backslash(self, value: SigmaString, parts: Parts) -> SigmaString | None:
        if parts[0] is MANY:
            if common.names_no_folder(shown := _without_leading(parts)):
                return value if shown == parts else common.string(value, list(shown))
            return value if self.loss == "narrower" else None
        # The name of a process without a folder; a drive's letter and a colon begin every path.
        bare = not {MANY, ONE} & set(parts) and ":" not in "".join(map(str, parts))
        return value if bare and self.loss == "broader" else None


def _without_leading(parts: Parts) -> Parts:
    """Return a pattern that begins with a star without the single characters behind it.

    A drive or a server comes before every name: characters enough, and the last may be the backslash.
    """
    at = 1
    while at < len(parts) and parts[at] is ONE and at <= 3:
        at += 1
    return [parts[0], *parts[at:]]
