"""Transformations for paths in Falcon Data Replicator (FDR) events.

- ``device_path``: ``C:\\...`` as the path of a numbered volume, ``\\\\server\\...`` as the redirector's.
- ``base_name``: a path where only the name of the file is stored.

CrowdStrike's events name volumes as the kernel does (``\\Device\\HarddiskVolume3\\``); the letters are
nowhere in the event. Sysmon names a volume so only if it has no letter.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from sigma.conditions import ConditionAND, ConditionItem, ConditionNOT, ConditionOR
from sigma.correlations import SigmaCorrelationRule
from sigma.processing.transformations.base import (
    DetectionItemTransformation,
    FieldMappingTransformationBase,
    Transformation,
)
from sigma.rule import SigmaDetectionItem, SigmaRule
from sigma.types import (
    SigmaExists,
    SigmaNull,
    SigmaRegularExpression,
    SigmaString,
    SigmaType,
    SpecialChars,
)

from converter import detection_items as common
from converter import fresh
from converter.detection_items import Part
from converter.errors import PipelineError

_MANY = SpecialChars.WILDCARD_MULTI
_ONE = SpecialChars.WILDCARD_SINGLE
_Parts = list[str | SpecialChars]

_VOLUME = "\\Device\\HarddiskVolume"
_REDIRECTOR = "\\Device\\Mup\\"
# Volumes have numbers of one or two digits: a pattern for each, because `*` would let folders in.
_KERNEL = re.compile(r"(?i)HarddiskVolume(?!ShadowCopy)|\\Device\\Mup")
_VOLUMES: tuple[_Parts, ...] = ([_VOLUME, _ONE], [_VOLUME, _ONE, _ONE])


_REGEX_DRIVE = re.compile(
    r"(?P<begin>\^?)(?:(?P<any>\.|\[(?:a-z|A-Z|a-zA-Z|A-Za-z)\])|[A-Za-z]|\[[A-Za-z]+\]):\\\\"
)


@dataclass
class DevicePath(DetectionItemTransformation):
    """Write a path as the kernel does.

    ``?:\\``, ``*:\\`` and shares (``\\\\server\\share\\``) are exact. ``letters``: ``any`` also takes drive
    letters, for which any volume is found: declare the item broader. ``guarded`` takes only those that a
    rule excludes (``not``) beside a condition on the same field that demands the same letter: where that
    condition holds as the rule means it, the excluded paths are on that drive, so nothing is missed.
    ``named`` changes nothing and takes values with the kernel's name of a volume or of the redirector, which
    Sysmon gives to volumes without a letter and FDR to all: declare the item broader. Put it first. It does
    not take a list that has the same path on any drive (``?:\\``), which says as much.
    Values without a drive at their begin pass: folders and names are the same, and no path has a drive
    elsewhere.
    """

    letters: str = "none"

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

    def apply_detection_item(self, detection_item: SigmaDetectionItem) -> Part | None:
        """Rewrite the values of one item; None if there is nothing to rewrite.

        Raises:
            Refusal: SC201 for a regular expression that says how the path begins, other than by a drive.
        """
        if self.letters == "named":
            return detection_item if _named(detection_item) else None
        if self.letters == "guarded" and not all(
            id(value) in self._guarded for value in detection_item.value
        ):
            return None
        found = [self._written(detection_item, value) for value in detection_item.value]
        if all(values is None for values in found):
            return None
        parts = [
            common.any_of(detection_item, [value] if values is None else values)
            for values, value in zip(found, detection_item.value, strict=True)
        ]
        return common.group(detection_item, parts)

    def _written(self, item: SigmaDetectionItem, value: SigmaType) -> list[SigmaType] | None:
        if isinstance(value, SigmaRegularExpression):
            return self._regex(item, value)
        if not isinstance(value, SigmaString):
            return None
        ways = self._ways(value)
        return None if ways is None else [common.string(value, list(way)) for way in ways]

    def _regex(self, item: SigmaDetectionItem, value: SigmaRegularExpression) -> list[SigmaType] | None:
        text = str(value.regexp)
        if text.removeprefix("^").startswith(re.escape(_VOLUME)):
            return None
        found = _REGEX_DRIVE.match(text)
        rest = text[found.end() :] if found else text
        if re.search(r"\^|:|\\A", re.sub(r"\[\^|\(\?:|\\.", "", rest)):
            raise common.refuse(item, value, "the path begins with a volume and not with a drive")
        if not found or (not found["any"] and self.letters != "any"):
            return None
        volume = re.escape(_VOLUME) + "[0-9]{1,2}\\\\"
        return [SigmaRegularExpression(f"{found['begin']}{volume}{rest}", set(value.flags))]

    def _ways(self, value: SigmaString) -> list[_Parts] | None:
        drive, rest = _drive(common.parts(value))
        if drive is None or (drive.isalpha() and self.letters == "none"):
            return None
        return [[_REDIRECTOR, *rest]] if drive == "\\" else [[*volume, *rest] for volume in _VOLUMES]


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
    return any(_KERNEL.search(_text(value)) and _beyond_volume(value) not in anywhere for value in item.value)


def _text(value: SigmaType) -> str:
    if isinstance(value, SigmaRegularExpression):
        return str(value.regexp).replace("\\\\", "\\")
    if not isinstance(value, SigmaString):
        return ""
    return "".join("\0" if isinstance(part, SpecialChars) else part for part in common.parts(value))


def _beyond_volume(value: SigmaType) -> _Parts | None:
    """Return what follows the name of a volume whose number has one or two places, from the backslash on."""
    parts = common.parts(value) if isinstance(value, SigmaString) else []
    for places in (1, 2):
        if parts[: 1 + places] == [_VOLUME, *[_ONE] * places]:
            rest = parts[1 + places :]
            return rest if rest and str(rest[0]).startswith("\\") else None
    found = re.match(r"(?i)\\Device\\HarddiskVolume[0-9]{1,2}(?=\\)", str(parts[0])) if parts else None
    return [str(parts[0])[found.end() :], *parts[1:]] if found else None


def _drive(parts: _Parts) -> tuple[str | None, _Parts]:
    """Return the drive that a pattern begins with, and the rest from the backslash on.

    The drive is a letter, ``?`` for any, a backslash for a share (the rest is then from the server on),
    or None.
    """
    at = 1 if len(parts) > 1 and parts[0] is _MANY else 0
    head, tail = (parts[at] if len(parts) > at else ""), parts[at + 1 :]
    if isinstance(head, str):
        if found := re.match(r"([A-Za-z]?):(?=\\|\Z)", head):
            letter, after = found[1], head[found.end() :]
            if (letter or at) and (after or tail[:1] == [_MANY]):
                return letter or "?", [after, *tail] if after else tail
        if not at and head.startswith("\\\\") and re.match(r"\\\\[^?.\\]", head + "x"):
            return "\\", [head[2:], *tail]
    elif head is _ONE and tail and isinstance(tail[0], str) and tail[0].startswith(":\\"):
        return "?", [tail[0][1:], *tail[1:]]
    return None, parts


@dataclass
class BaseName(FieldMappingTransformationBase):
    """Map a path to the field that holds the name of its file.

    ``to``: the field. ``loss``: ``none`` takes values that say nothing but the name (``*\\name.exe``);
    ``broader`` those that name the file by its whole path; ``narrower`` names with ``*``, which could also
    stand for folders, and parts of a path, which are looked for in the name only. What an item does not
    take is left to the next; ``refuse_left`` refuses it.
    """

    to: str
    loss: str = "none"
    refuse_left: bool = False

    def __post_init__(self) -> None:
        """Check ``loss``.

        Raises:
            PipelineError: SC302 if it is none of the three.
        """
        if self.loss not in ("none", "broader", "narrower"):
            raise PipelineError("SC302", f"base_name: 'loss' is none, broader or narrower, not '{self.loss}'")

    def apply_field_name(self, field: str | None) -> str | list[str] | None:  # noqa: D102
        return field

    def apply_detection_item(self, detection_item: SigmaDetectionItem) -> SigmaDetectionItem | None:
        """Cut the values of one item down to the name; all of them or none.

        Raises:
            Refusal: SC201 if ``refuse_left`` and a value says nothing of the name.
        """
        if self.processing_item is not None and not self.processing_item.match_field_name(
            detection_item.field
        ):
            return None
        values = [self._name(value) for value in detection_item.value]
        kept = [value for value in values if value is not None]
        if len(kept) < len(values):
            if self.refuse_left:
                left = next(
                    one for one, name in zip(detection_item.value, values, strict=True) if name is None
                )
                raise common.refuse(detection_item, left, "only the name of the file is stored")
            return None
        detection_item.value = kept
        detection_item.field = self.to
        return detection_item

    def _name(self, value: SigmaType) -> SigmaType | None:
        if isinstance(value, SigmaNull | SigmaExists):
            return value
        if not isinstance(value, SigmaString):
            return None
        parts = common.parts(value)
        if parts in ([], [_MANY]):
            return value
        last = max(
            (at for at, part in enumerate(parts) if isinstance(part, str) and "\\" in part), default=-1
        )
        if last < 0:
            if parts[0] is _MANY and common.names_no_folder(shown := _without_leading(parts)):
                return value if shown == parts else common.string(value, list(shown))
            return value if self.loss != "none" and self._takes_part(parts) else None
        before, _, text = str(parts[last]).rpartition("\\")
        name: _Parts = [part for part in (text, *parts[last + 1 :]) if part != ""]
        if not name or name == [_MANY]:
            return None
        if not common.names_no_folder(name) and self.loss != "narrower":
            return None
        whole = parts[:last] == [_MANY] and not before
        if not whole and self.loss == "none":
            return None
        return common.string(value, list(name))

    def _takes_part(self, parts: _Parts) -> bool:
        """Tell whether a pattern without a backslash is taken: a bare name, or a part of a path."""
        return not {_MANY, _ONE} & set(parts) if self.loss == "broader" else True


def _without_leading(parts: _Parts) -> _Parts:
    """Return a pattern that begins with a star without the single characters behind it.

    A drive or a server stands before every name: characters enough, and the last may be the backslash.
    """
    at = 1
    while at < len(parts) and parts[at] is _ONE and at <= 3:
        at += 1
    return [parts[0], *parts[at:]]


TYPES: dict[str, type[Transformation]] = {"device_path": DevicePath, "base_name": BaseName}
