"""Transformations of accounts: split_user and well_known_accounts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from sigma.conditions import ConditionAND, ConditionOR
from sigma.processing.transformations.base import (
    FieldMappingTransformationBase,
)
from sigma.rule import SigmaDetection, SigmaDetectionItem
from sigma.types import (
    SigmaExists,
    SigmaNull,
    SigmaString,
    SigmaType,
)

from converter.pipelines.transformations import items as common
from converter.pipelines.transformations import (
    patterns,
)
from converter.pipelines.transformations.items import Part, group, linked, refuse, string
from converter.pipelines.transformations.items import item as made_item
from converter.pipelines.transformations.patterns import MANY, ONE
from converter.pipelines.transformations.rewriting import ABSENCE, PATTERNS, Form, Rewriting


@dataclass
class SplitUser(Rewriting, FieldMappingTransformationBase):
    """Map an account ``DOMAIN\\name`` to the fields that hold its halves.

    Exact for values with one backslash, and for prefixes, suffixes and parts without one, given that a
    stored account has exactly one (Elastic's ingest stores no other).
    """

    domain: str
    name: str

    proven: ClassVar = PATTERNS | ABSENCE | {Form.CASED}
    advice: ClassVar = "an account is stored as domain and name: compare it as 'DOMAIN\\\\name'"

    def apply_field_name(self, field: str | None) -> str | list[str] | None:
        """Return both fields: in group-by and in field lists an account is the pair."""
        return [self.domain, self.name]

    def rewrite(self, item: SigmaDetectionItem) -> Part | None:
        """Split the values of one item.

        Raises:
            Refusal: SC201 for a value that cannot be split.
        """
        return group(item, [self._split(item, value) for value in item.value])

    def _split(self, item: SigmaDetectionItem, value: SigmaType) -> Part:
        if isinstance(value, SigmaNull | SigmaExists):
            return made_item(item, self.name, value)
        if not isinstance(value, SigmaString):
            raise refuse(item, value, "an account is stored as domain and name")
        parts = list(value.s)
        cuts = [at for at, part in enumerate(parts) if isinstance(part, str) and "\\" in part]
        if len(cuts) == 1 and str(parts[cuts[0]]).count("\\") == 1:
            left, _, right = str(parts[cuts[0]]).partition("\\")
            domain = string(value, [*parts[: cuts[0]], left])
            name = string(value, [right, *parts[cuts[0] + 1 :]])
            both = [(self.domain, domain), (self.name, name)]
            wanted: list[Part] = [made_item(item, field, one) for field, one in both if list(one.s) != [MANY]]
            return (
                SigmaDetection(wanted, item_linking=ConditionAND)
                if wanted
                else made_item(item, self.name, domain)
            )
        if cuts or ONE in parts:
            raise refuse(item, value, "the pattern does not say where the domain ends")
        match parts:
            case [only] if only == MANY:
                return made_item(item, self.name, value)
            case [first, part, last] if first == MANY == last and isinstance(part, str):
                halves = [made_item(item, field, value) for field in (self.domain, self.name)]
                return linked(halves, ConditionOR)
            case [part, last] if last == MANY and isinstance(part, str):
                return made_item(item, self.domain, value)
            case [first, part] if first == MANY and isinstance(part, str):
                return made_item(item, self.name, value)
            case _:
                raise refuse(item, value, "an account is stored as domain and name, and this has no domain")


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
        return None if list(value.s) == [MANY] else []

    @staticmethod
    def _covered(value: SigmaType, sids: set[str]) -> bool:
        """Tell whether a value matches names, all of accounts that are asked for by their English ones."""
        named = _matching(value, slice(None)) or []
        return bool(named) and set(named) <= sids


def _matching(value: SigmaType, which: slice) -> list[str] | None:
    """Return the accounts with a name, of those chosen, that a value matches; None if it asks for none."""
    if not isinstance(value, SigmaString) or list(value.s) == [MANY]:
        return None
    pattern = patterns.tokens(common.parts(value))
    return [
        sid for sid, names in _ACCOUNTS.items() if any(patterns.matches(pattern, one) for one in names[which])
    ]
