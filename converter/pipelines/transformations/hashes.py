"""Transformation of lists of hashes, as Sysmon writes them: ``split_hashes``.

In YAML it is used like pySigma's own (``type: split_hashes``).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, ClassVar

from sigma.conditions import ConditionAND, ConditionNOT, ConditionOR
from sigma.correlations import SigmaCorrelationRule
from sigma.rule import SigmaDetectionItem, SigmaRule
from sigma.types import SigmaExpansion, SigmaString, SigmaType

from converter.errors import Refusal
from converter.pipelines.transformations.items import Part, group, linked, refuse, string
from converter.pipelines.transformations.items import item as made_item
from converter.pipelines.transformations.patterns import MANY
from converter.pipelines.transformations.rewriting import PATTERNS, Form, Rewriting
from converter.rules import parsed as fresh

_HASH = re.compile(r"(?P<algorithm>[A-Za-z0-9]+)=(?P<digits>[0-9A-Fa-f]*)")
_BARE = re.compile(r"[0-9A-Fa-f]{8,}")
_DIGITS = {"MD5": 32, "SHA1": 40, "SHA256": 64, "IMPHASH": 32}


@dataclass
class SplitHashes(Rewriting):
    """Map a part of ``MD5=..,SHA256=..`` to the field of its algorithm.

    ``targets``: algorithm to field. ``anchored``: also take values that say where in the list the hash
    stands, which the fields cannot (declare the item broader). ``zeros``: also take hashes of zeros and
    a bare ``IMPHASH=``, where the platform stores no such hash (declare the item narrower). Where the rule
    itself excludes a hash of zeros, every item takes these: what is not stored is not missed. A value that
    an item does not take is left to the next one; `refuse_left` refuses what is left.
    """

    targets: dict[str, str]
    anchored: bool = False
    zeros: bool = False
    refuse_left: bool = False

    # Digits and names of algorithms are in upper case with Sysmon and in lower case elsewhere.
    proven: ClassVar = PATTERNS
    advice: ClassVar = "ask for one hash, as 'MD5=...', in any case"

    def __post_init__(self) -> None:
        """Begin with no hash of zeros that a rule excludes."""
        self._excluded: frozenset[tuple[str, str]] = frozenset()

    def apply(self, rule: SigmaRule | SigmaCorrelationRule) -> None:
        """Apply to all items of a rule."""
        if isinstance(rule, SigmaRule):
            self._excluded = _zeros_excluded(rule)
        super().apply(rule)

    def refusal(self, item: SigmaDetectionItem, value: SigmaType, form: Form) -> Refusal:
        """Return the refusal of a value, which names the algorithms."""
        return refuse(
            item, value, f"stored are {', '.join(self.targets)}, each in its own field: {self.advice}"
        )

    @property
    def last(self) -> bool:
        """Whether no other step takes what this one leaves."""
        return self.refuse_left

    def rewrite(self, item: SigmaDetectionItem) -> Part | None:
        """Split the values of one item; all of them or none.

        Raises:
            Refusal: SC201 if ``refuse_left`` and a value is not a hash of one of the algorithms.
        """
        parts = [self._part(item, value) for value in item.value]
        whole = [part for part in parts if part is not None]
        if len(whole) == len(parts):
            return group(item, whole)
        if self.refuse_left:
            left = item.value[parts.index(None)]
            raise refuse(item, left, f"stored are {', '.join(self.targets)}, each in its own field")
        return None

    def _part(self, item: SigmaDetectionItem, value: SigmaType) -> Part | None:
        if not isinstance(value, SigmaString):
            return None
        inner = [part for part in value.s if part is not MANY]
        if len(inner) != 1 or not isinstance(inner[0], str):
            return None
        starts_open, ends_open = value.s[0] == MANY, value.s[-1] == MANY
        if starts_open and ends_open and _BARE.fullmatch(inner[0]):
            size = len(inner[0])
            whole = {name for name, digits in _DIGITS.items() if digits == size}
            if not (whole or {name for name, digits in _DIGITS.items() if digits > size}) <= set(
                self.targets
            ):
                return None  # It may be a part of a hash that is not stored.
            wanted = string(value, [MANY, inner[0].lower(), MANY])
            fields = [made_item(item, field, wanted) for field in self.targets.values()]
            return linked(fields, ConditionOR)
        found = _HASH.fullmatch(inner[0])
        algorithm = found["algorithm"].upper() if found else ""
        if not found or algorithm not in self.targets:
            return None
        digits, size = found["digits"].lower(), _DIGITS.get(algorithm, 0)
        if not digits.strip("0") and not self.zeros and (str(item.field), algorithm) not in self._excluded:
            return None
        if not (starts_open and ends_open) and not self.anchored:
            return None
        if len(digits) == size or not ends_open:
            return made_item(item, self.targets[algorithm], string(value, [digits]))
        return made_item(item, self.targets[algorithm], string(value, [digits, MANY] if digits else [MANY]))


def _zeros_excluded(rule: SigmaRule) -> frozenset[tuple[str, str]]:
    """Return the fields and algorithms whose hash of zeros no event has that a rule selects."""
    found = [_barred(fresh.parsed(condition)) for condition in rule.detection.parsed_condition]
    return frozenset.intersection(*found) if found else frozenset()


def _barred(tree: Any) -> frozenset[tuple[str, str]]:
    """Return the same of one condition: what is under a `not` that it demands."""
    if isinstance(tree, ConditionAND):
        return frozenset().union(*map(_barred, tree.args))
    if not isinstance(tree, ConditionNOT):
        return frozenset()
    inner = tree.args[0]
    leaves = inner.args if isinstance(inner, ConditionOR) else [inner]
    pairs = ((getattr(leaf, "field", None), getattr(leaf, "value", None)) for leaf in leaves)
    return frozenset(
        (str(field), algorithm)
        for field, value in pairs
        for one in (value.values if isinstance(value, SigmaExpansion) else [value])
        if field and (algorithm := _algorithm_of_zeros(one)) is not None
    )


def _algorithm_of_zeros(value: Any) -> str | None:
    """Return the algorithm if a value is a whole hash of zeros, anywhere in the list."""
    if not isinstance(value, SigmaString) or len(value.s) != 3 or not value.s[0] == value.s[2] == MANY:
        return None
    found = _HASH.fullmatch(str(value.s[1]))
    if not found or found["digits"].strip("0"):
        return None
    algorithm = found["algorithm"].upper()
    return algorithm if len(found["digits"]) == _DIGITS.get(algorithm) else None
