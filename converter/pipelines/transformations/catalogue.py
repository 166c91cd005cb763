"""Value transformations that stock pySigma lacks, for pipelines; `register` adds them.

In YAML they are used like pySigma's own (``type: split_user`` ...). A value that the target cannot say is
refused, never dropped. A pipeline that uses one of them cannot be used by stock ``sigma convert``.

- ``require_fields``: refuses fields that the event does not have.
- ``map_values``: value by value by a table, numbers and booleans included; other values are refused.
- ``split_user``: ``DOMAIN\\name`` into two fields.
- ``whole_text``: texts that another field has whole.
- ``address_ranges``: an address prefix (``10.*``) into networks, for fields of type ip.
"""

from __future__ import annotations

import difflib
import ipaddress
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

from sigma.conditions import ConditionAND, ConditionOR
from sigma.processing.transformations import transformations
from sigma.processing.transformations.base import (
    DetectionItemTransformation,
    FieldMappingTransformationBase,
    Transformation,
)
from sigma.rule import SigmaDetection, SigmaDetectionItem
from sigma.types import (
    SigmaCasedString,
    SigmaCIDRExpression,
    SigmaExists,
    SigmaFieldReference,
    SigmaNull,
    SigmaString,
    SigmaType,
    SpecialChars,
)

from converter.errors import Refusal
from converter.pipelines import left_out
from converter.pipelines.transformations import (
    accounts_and_addresses,
    by_case,
    by_event,
    device_paths,
    hashes,
    paths,
    registry_data,
    registry_paths,
    registry_values,
    whole_text,
)
from converter.pipelines.transformations.items import Part, group, linked, plain, refuse, string, typed
from converter.pipelines.transformations.items import item as made_item
from converter.pipelines.transformations.rewriting import ABSENCE, PATTERNS, SCALARS, WHOLE, Form, Rewriting

_MANY = SpecialChars.WILDCARD_MULTI
_ONE = SpecialChars.WILDCARD_SINGLE


@dataclass
class RequireFields(DetectionItemTransformation):
    """Refuse every field that the events of a logsource do not have.

    ``fields``: the fields that there are. ``of``: what has them, for the message. ``keywords``: whether
    values without a field can be looked for.
    """

    fields: list[str]
    of: str
    keywords: bool = True

    def apply_detection_item(self, detection_item: SigmaDetectionItem) -> None:
        """Check the item's field and the fields that its values refer to.

        Raises:
            Refusal: SC204 for a field that is not in ``fields``, with the nearest that is; SC201 for a
                keyword where there is no text of the whole event.
        """
        if detection_item.field is None and not self.keywords:
            raise Refusal("SC201", f"keywords cannot be looked for in {self.of}")
        named = [value.field for value in detection_item.value if isinstance(value, SigmaFieldReference)]
        for field in (detection_item.field, *named):
            if field is not None and field not in self.fields:
                close = difflib.get_close_matches(field, self.fields, 1)
                hint = f"nearest: {close[0]}" if close else None
                raise Refusal("SC204", f"field '{field}' is not part of {self.of}", hint=hint)


@dataclass
class MapValues(Rewriting):
    """Replace each value by the table's, comparing texts without case; null and `exists` pass.

    ``mapping``: text of the rule's value to the stored value (text, number or boolean).
    ``verbatim``: the vendor stores these texts in this case only, so they are compared as written.
    """

    mapping: dict[str, str | int | bool]
    verbatim: bool = False

    proven: ClassVar = WHOLE | SCALARS | ABSENCE

    def refusal(self, item: SigmaDetectionItem, value: SigmaType, form: Form) -> Refusal:
        """Return the refusal of a value, which names those that there are."""
        return refuse(item, value, f"only {', '.join(self.mapping)} can be compared, each as a whole")

    def rewrite(self, item: SigmaDetectionItem) -> SigmaDetectionItem | None:
        """Map the values of one item.

        Raises:
            Refusal: SC201 for a value that is not in the table.
        """
        detection_item = item
        table = {str(key).lower(): value for key, value in self.mapping.items()}
        values: list[SigmaType] = []
        for value in detection_item.value:
            if isinstance(value, SigmaNull | SigmaExists):
                values.append(value)
                continue
            written = plain(value)
            if written is None or written.lower() not in table:
                raise refuse(detection_item, value, f"only {', '.join(self.mapping)} can be compared")
            stored = typed(table[written.lower()])
            if self.verbatim and isinstance(stored, SigmaString):
                stored = SigmaCasedString.from_sigma_string(stored)
            values.append(stored)
        detection_item.value = values
        return detection_item


@dataclass
class OtherCase(Rewriting):
    """Take texts that are compared in any case, where the platform writes them in another than Sysmon.

    Nothing is changed; a text compared as written, which none there is, is refused.
    """

    proven: ClassVar = PATTERNS | ABSENCE | SCALARS | {Form.EMPTY, Form.FIELD, Form.REGEX_ANY_CASE}
    advice: ClassVar = "it is stored in another case: compare it in any case"

    def rewrite(self, item: SigmaDetectionItem) -> Part | None:
        """Leave the item as it is."""
        return None


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
            wanted: list[Part] = [
                made_item(item, field, one) for field, one in both if list(one.s) != [_MANY]
            ]
            return (
                SigmaDetection(wanted, item_linking=ConditionAND)
                if wanted
                else made_item(item, self.name, domain)
            )
        if cuts or _ONE in parts:
            raise refuse(item, value, "the pattern does not say where the domain ends")
        match parts:
            case [only] if only == _MANY:
                return made_item(item, self.name, value)
            case [first, part, last] if first == _MANY == last and isinstance(part, str):
                halves = [made_item(item, field, value) for field in (self.domain, self.name)]
                return linked(halves, ConditionOR)
            case [part, last] if last == _MANY and isinstance(part, str):
                return made_item(item, self.domain, value)
            case [first, part] if first == _MANY and isinstance(part, str):
                return made_item(item, self.name, value)
            case _:
                raise refuse(item, value, "an account is stored as domain and name, and this has no domain")


@dataclass
class AddressRanges(Rewriting):
    """Turn the prefix of an address (``10.*``, ``192.168.1*``, ``fe80:*``) into the networks it covers.

    For fields of type ip, which have no wildcards. IPv6 as Sysmon writes it: groups without leading
    zeros, nothing abbreviated. Other values pass; the column's type decides about them.
    """

    # The field is of type ip, which has no other patterns: the backend refuses them by the column's type.
    proven: ClassVar = frozenset(Form)

    def rewrite(self, item: SigmaDetectionItem) -> SigmaDetectionItem | None:
        """Replace the prefixes among an item's values; None if there are none."""
        detection_item = item
        found = [list(_networks(value)) for value in item.value]
        # Several networks are alternatives: under `all` they would be demanded together.
        together = detection_item.value_linking is ConditionAND and len(found) > 1
        if not any(found) or (together and any(len(networks) > 1 for networks in found)):
            return None
        pairs = zip(found, detection_item.value, strict=True)
        detection_item.value = [one for networks, value in pairs for one in (networks or [value])]
        return detection_item


def _networks(value: SigmaType) -> Iterator[SigmaType]:
    if not isinstance(value, SigmaString) or len(value.s) != 2 or value.s[1] != _MANY:
        return
    prefix = str(value.s[0])
    if re.fullmatch(r"(\d{1,3}\.){0,3}\d{0,3}", prefix):
        *fixed, last = prefix.split(".")
        octets = [octet for octet in range(256) if str(octet).startswith(last)]
        texts = [".".join([*fixed, *([str(octet)] if last else [])]) for octet in (octets if last else [0])]
        bits = 8 * len([*fixed, *([last] if last else [])])
        addresses = [f"{text}{'.0' * (3 - text.count('.'))}/{bits}" for text in texts]
    elif re.fullmatch(r"([0-9a-f]{1,4}:){1,7}", prefix.lower()):
        groups = prefix.lower().rstrip(":").split(":")
        addresses = [f"{':'.join(groups)}::/{16 * len(groups)}"]
    else:
        return
    try:
        found = [ipaddress.ip_network(address) for address in addresses]
    except ValueError:
        return
    four = [one for one in found if isinstance(one, ipaddress.IPv4Network)]
    six = [one for one in found if isinstance(one, ipaddress.IPv6Network)]
    for network in (*ipaddress.collapse_addresses(four), *ipaddress.collapse_addresses(six)):
        yield SigmaCIDRExpression(str(network))


_TYPES: dict[str, type[Transformation]] = {
    "require_fields": RequireFields,
    "map_values": MapValues,
    "other_case": OtherCase,
    "split_user": SplitUser,
    "address_ranges": AddressRanges,
    **whole_text.TYPES,
    **paths.TYPES,
    **by_case.TYPES,
    **by_event.TYPES,
    **hashes.TYPES,
    **device_paths.TYPES,
    **accounts_and_addresses.TYPES,
    **registry_values.TYPES,
    **registry_data.TYPES,
    **registry_paths.TYPES,
}


def register() -> None:
    """Make the types known to pySigma's pipelines; calling it again changes nothing."""
    transformations.update(_TYPES | left_out.TYPES)
