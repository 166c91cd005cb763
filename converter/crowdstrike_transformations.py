"""Transformations for pipelines of Falcon Data Replicator (FDR) events: accounts, addresses, several fields.

- ``well_known_accounts``: an account by its SID, where only the SID is stored.
- ``address_families``: an address that is kept in one of two fields, by its version.
- ``any_field``: a value that may be in any of several fields.
"""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass

from sigma.conditions import ConditionAND, ConditionOR
from sigma.processing.transformations.base import (
    DetectionItemTransformation,
    FieldMappingTransformationBase,
    Transformation,
)
from sigma.rule import SigmaDetectionItem
from sigma.types import (
    SigmaCIDRExpression,
    SigmaExists,
    SigmaNull,
    SigmaString,
    SigmaType,
    SpecialChars,
)

from converter import detection_items as common
from converter.detection_items import Part

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
class WellKnownAccounts(DetectionItemTransformation):
    """Replace accounts by their SIDs.

    Exact for the whole English name of an account that every Windows has. ``patterns``: also take parts
    of names and names of other languages, for which those accounts stand whose name fits: declare the
    item narrower. ``refuse_left`` refuses what is left: other accounts have other SIDs everywhere.
    """

    patterns: bool = False
    refuse_left: bool = False

    def apply_detection_item(self, detection_item: SigmaDetectionItem) -> Part | None:
        """Replace the values of one item; all of them or none.

        Raises:
            Refusal: SC201 if ``refuse_left`` and a value is no well-known account.
        """
        if all(common.plain(value) in _ACCOUNTS for value in detection_item.value):
            return None
        found = [self._sids(value) for value in detection_item.value]
        if all(found):
            return common.group(
                detection_item, [common.any_of(detection_item, sids) for sids in found if sids]
            )
        if self.refuse_left:
            left = detection_item.value[found.index([])]
            raise common.refuse(
                detection_item, left, "only the SID is stored, and this is no well-known account"
            )
        return None

    def _sids(self, value: SigmaType) -> list[SigmaType]:
        if isinstance(value, SigmaNull | SigmaExists):
            return [value]
        if not isinstance(value, SigmaString) or list(value.s) == []:
            return []
        if list(value.s) == [_MANY]:
            return [value]
        pattern = re.compile(
            "".join(
                ".*" if part is _MANY else "." if part is _ONE else re.escape(str(part)) for part in value.s
            ),
            re.IGNORECASE | re.DOTALL,
        )
        if not self.patterns and value.contains_special():
            return []
        return [
            common.string(SigmaString(), [sid])
            for sid, names in _ACCOUNTS.items()
            if any(map(pattern.fullmatch, names if self.patterns else names[:1]))
        ]


@dataclass
class AddressFamilies(DetectionItemTransformation):
    """Map an address to the field of its version: ``v4`` or ``v6``; what says neither may be in either.

    A whole IPv6 address is looked for in its short form and in the one without ``::``: samples show both.
    """

    v4: str
    v6: str

    def apply_detection_item(self, detection_item: SigmaDetectionItem) -> Part:
        """Map the values of one item.

        Raises:
            Refusal: SC201 for a part of an IPv6 address that the short form may not have.
        """
        return common.group(detection_item, [self._one(detection_item, one) for one in detection_item.value])

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
class AnyField(FieldMappingTransformationBase):
    """Map a field to several, any of which may hold the value; it is missing where all are.

    ``fields``: the fields. Unlike a mapping to several names, null is a condition on all of them.
    """

    fields: list[str]

    def apply_field_name(self, field: str | None) -> str | list[str] | None:  # noqa: D102
        return self.fields

    def apply_detection_item(self, detection_item: SigmaDetectionItem) -> Part | None:
        """Map the values of one item."""
        if self.processing_item is not None and not self.processing_item.match_field_name(
            detection_item.field
        ):
            return None
        parts = [_in_any(detection_item, value, self.fields) for value in detection_item.value]
        return common.group(detection_item, parts)


def _in_any(item: SigmaDetectionItem, value: SigmaType, fields: list[str]) -> Part:
    missing = isinstance(value, SigmaNull) or (isinstance(value, SigmaExists) and not value.exists)
    linking = ConditionAND if missing else ConditionOR
    return common.linked([common.item(item, field, value) for field in fields], linking)


TYPES: dict[str, type[Transformation]] = {
    "well_known_accounts": WellKnownAccounts,
    "address_families": AddressFamilies,
    "any_field": AnyField,
}
