"""Transformations for pipelines of Falcon Data Replicator (FDR) events: accounts, addresses, several fields.

- ``well_known_accounts``: an account by its SID, where only the SID is stored.
- ``address_families``: an address that is kept in one of two fields, by its version.
- ``any_field``: a value that may be in any of several fields.
"""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from typing import ClassVar

from sigma.conditions import ConditionAND, ConditionOR
from sigma.processing.transformations.base import FieldMappingTransformationBase, Transformation
from sigma.rule import SigmaDetectionItem
from sigma.types import (
    SigmaCIDRExpression,
    SigmaExists,
    SigmaNull,
    SigmaString,
    SigmaType,
    SpecialChars,
)

from converter.pipelines.transformations import items as common
from converter.pipelines.transformations import patterns
from converter.pipelines.transformations.items import Part
from converter.pipelines.transformations.rewriting import ABSENCE, PATTERNS, Form, Rewriting

_MANY = SpecialChars.WILDCARD_MULTI
_ONE = SpecialChars.WILDCARD_SINGLE
_Parts = list[str | SpecialChars]

_ACCOUNTS = {
    "S-1-5-7": ("NT AUTHORITY\\ANONYMOUS LOGON",),
    "S-1-5-17": ("NT AUTHORITY\\IUSR", "NT-AUTORITÄT\\IUSR", "AUTORITE NT\\IUSR"),
    "S-1-5-18": ("NT AUTHORITY\\SYSTEM", "NT-AUTORITÄT\\SYSTEM", "AUTORITE NT\\Système"),
    "S-1-5-19": ("NT AUTHORITY\\LOCAL SERVICE", "NT-AUTORITÄT\\LOKALER DIENST", "AUTORITE NT\\SERVICE LOCAL"),
    "S-1-5-20": (
        "NT AUTHORITY\\NETWORK SERVICE",
        "NT-AUTORITÄT\\NETZWERKDIENST",
        "AUTORITE NT\\SERVICE RÉSEAU",
    ),
    "S-1-5-80-956008885-3418522649-1831038044-1853292631-2271478464": ("NT SERVICE\\TrustedInstaller",),
}
"""SIDs that are the same on every Windows (learn.microsoft.com, Well-known SIDs), with names of English,
German and French systems."""


@dataclass
class WellKnownAccounts(Rewriting):
    """Replace accounts by their SIDs.

    Exact for the whole English name of an account that every Windows has. ``patterns``: also take parts
    of names, for which those accounts stand whose English name fits: declare the item narrower, as other
    accounts have other SIDs everywhere. Names of other languages are taken beside the English ones: alone,
    they would also find the accounts of English systems. ``refuse_left`` refuses what is left.
    """

    patterns: bool = False
    refuse_left: bool = False

    # Sysmon writes the names as Windows shows them, in the case and language of the system.
    proven: ClassVar = PATTERNS | ABSENCE
    advice: ClassVar = "only the SID is stored: compare the whole name of an account that every Windows has"

    @property
    def last(self) -> bool:
        """Whether no other step takes what this one leaves."""
        return self.refuse_left

    def rewrite(self, item: SigmaDetectionItem) -> Part | None:
        """Replace the values of one item; all of them or none.

        Raises:
            Refusal: SC201 if ``refuse_left`` and a value is no well-known account.
        """
        if all(common.plain(value) in _ACCOUNTS for value in item.value):
            return None
        found = [self._sids(value) for value in item.value]
        if all(sids is None for sids in found):  # No name is asked for: nothing to write, nothing is lost.
            return None
        together = (
            {sid for sids in found for sid in sids or ()} if item.value_linking is ConditionOR else set()
        )
        whole = [
            sids is None or (bool(sids or self.patterns) and self._covered(value, together or set(sids)))
            for sids, value in zip(found, item.value, strict=True)
        ]
        if all(whole):
            pairs = zip(found, item.value, strict=True)
            made = [
                common.any_of(
                    item,
                    [common.string(SigmaString(), [sid]) for sid in sids] if sids is not None else [value],
                )
                for sids, value in pairs
                if sids != []
            ]
            return common.group(item, made)
        if self.refuse_left:
            left = item.value[whole.index(False)]
            raise common.refuse(item, left, "only the SID is stored, and this is no well-known account")
        return None

    def _sids(self, value: SigmaType) -> list[str] | None:
        """Return the accounts whose English name a value matches; None if it asks for no name."""
        if self.patterns or not isinstance(value, SigmaString) or not value.contains_special():
            return _matching(value, slice(1))
        return None if list(value.s) == [_MANY] else []

    @staticmethod
    def _covered(value: SigmaType, sids: set[str]) -> bool:
        """Tell whether a value matches names, all of accounts that are asked for by their English ones."""
        named = _matching(value, slice(None)) or []
        return bool(named) and set(named) <= sids


def _matching(value: SigmaType, which: slice) -> list[str] | None:
    """Return the accounts with a name, of those chosen, that a value matches; None if it asks for none."""
    if not isinstance(value, SigmaString) or list(value.s) == [_MANY]:
        return None
    pattern = patterns.tokens(common.parts(value))
    return [
        sid for sid, names in _ACCOUNTS.items() if any(patterns.matches(pattern, one) for one in names[which])
    ]


@dataclass
class AddressFamilies(Rewriting):
    """Map an address to the field of its version: ``v4`` or ``v6``; what says neither may be in either.

    A whole IPv6 address is looked for in its short form and in the one without ``::``: samples show both.
    """

    v4: str
    v6: str

    proven: ClassVar = PATTERNS | ABSENCE | {Form.NETWORK, Form.EMPTY, Form.CASED, Form.FIELD}
    advice: ClassVar = "each version's addresses have a field of their own: use '*', or give a network"

    def rewrite(self, item: SigmaDetectionItem) -> Part | None:
        """Map the values of one item.

        Raises:
            Refusal: SC201 for a part of an IPv6 address that the short form may not have.
        """
        return common.group(item, [self._one(item, one) for one in item.value])

    def _one(self, item: SigmaDetectionItem, value: SigmaType) -> Part:
        if isinstance(value, SigmaCIDRExpression):
            return common.item(item, self.v4 if value.network.version == 4 else self.v6, value)
        if not isinstance(value, SigmaString):
            return _in_any(item, value, [self.v4, self.v6])
        texts = [str(part) for part in value.s if isinstance(part, str)]
        joined = "".join(texts)
        if ":" not in joined:
            in_six = not texts or (value.s[0] is _MANY and "." not in joined)
            return _in_any(item, value, [self.v4, self.v6]) if in_six else common.item(item, self.v4, value)
        if len(value.s) == 1:
            try:
                address = ipaddress.IPv6Address(joined)
            except ValueError:
                return common.item(item, self.v6, value)
            long = ":".join(f"{int(group, 16):x}" for group in address.exploded.split(":"))
            forms: list[SigmaType] = [
                common.string(value, [form]) for form in dict.fromkeys((str(address), long))
            ]
            return common.any_of(common.item(item, self.v6, value), forms)
        if (
            len(value.s) == 2
            and value.s[1] is _MANY
            and re.fullmatch(r"([1-9a-f][0-9a-f]{0,3}:)+", joined.lower())
        ):
            return common.item(item, self.v6, value)
        raise common.refuse(item, value, "IPv6 addresses may be stored in their short form")


@dataclass
class AnyField(Rewriting, FieldMappingTransformationBase):
    """Map a list of answers to the fields that hold those of each kind; it is missing where all are.

    ``fields``: the fields, each a list with semicolons. A part of one answer is found where it is; other
    forms speak of the whole list, which no field has. Unlike a mapping to several names, null is a condition
    on all of them. ``absent``: take only questions for no answers at all, which answers of other kinds meet
    too (declare the item broader); ``blank``: only empty texts. Without either it takes all that is left.
    """

    fields: list[str]
    absent: bool = False
    blank: bool = False

    def apply_field_name(self, field: str | None) -> str | list[str] | None:  # noqa: D102
        return self.fields

    proven: ClassVar = ABSENCE | {Form.PART, Form.ANY, Form.CASED, Form.EMPTY, Form.NEGATED}
    advice: ClassVar = "the answers are stored by kind: ask for a part of one, with 'contains'"

    @property
    def last(self) -> bool:
        """Whether no other step takes what this one leaves."""
        return not self.absent and not self.blank

    def _takes(self, value: SigmaType) -> bool:
        return (self.absent and _is_missing(value)) or (self.blank and _is_blank(value))

    def rewrite(self, item: SigmaDetectionItem) -> Part | None:
        """Map the values of one item.

        Raises:
            Refusal: SC201 for a part of several answers.
        """
        if not self.last and not all(map(self._takes, item.value)):
            return None
        for value in item.value:
            if isinstance(value, SigmaString) and ";" in "".join(map(str, value.s)).strip("*").rstrip(";"):
                raise common.refuse(item, value, self.advice)
        return common.group(item, [_in_any(item, value, self.fields) for value in item.value])


def _is_missing(value: SigmaType) -> bool:
    return isinstance(value, SigmaNull) or (isinstance(value, SigmaExists) and not value.exists)


def _is_blank(value: SigmaType) -> bool:
    return isinstance(value, SigmaString) and not value.s


def _in_any(item: SigmaDetectionItem, value: SigmaType, fields: list[str]) -> Part:
    # Where an empty text is no value, it is missing only if all are.
    missing = _is_missing(value) or _is_blank(value)
    linking = ConditionAND if missing else ConditionOR
    return common.linked([common.item(item, field, value) for field in fields], linking)


TYPES: dict[str, type[Transformation]] = {
    "well_known_accounts": WellKnownAccounts,
    "address_families": AddressFamilies,
    "any_field": AnyField,
}
