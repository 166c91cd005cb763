"""Transformations for pipelines where the platform writes a value otherwise, or where another field decides.

- ``by_case``: a field that is in one field of the event or another, depending on a third.
- ``map_alternatives``: like ``map_values``, but a value may become several, any of which may hold.
- ``hex_number``: ``0x3e7`` as the number 999.
- ``mapped_addresses``: an IPv4 address also in its IPv6 notation (``::ffff:10.1.2.3``).
- ``url_host``: a host name where a URL may be stored.
- ``null_text``: the platform stores a text (``null``) where there is no value.
- ``json_text``: a property of an object that is stored as its JSON text.
"""

from __future__ import annotations

import ipaddress
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from sigma.conditions import ConditionAND, ConditionOR
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
    SigmaExpansion,
    SigmaFieldReference,
    SigmaNull,
    SigmaNumber,
    SigmaRegularExpression,
    SigmaRegularExpressionFlag,
    SigmaString,
    SigmaType,
    SpecialChars,
)

from converter.errors import Refusal
from converter.pipelines.transformations import items as common
from converter.pipelines.transformations.items import Part
from converter.pipelines.transformations.rewriting import ABSENCE, PATTERNS, SCALARS, WHOLE, Form, Rewriting

_MANY = SpecialChars.WILDCARD_MULTI


@dataclass
class ByCase(FieldMappingTransformationBase):
    """Map a field to one of several, depending on the value of another field of the event.

    ``by``: the field that decides, as the rule calls it. ``cases``: value of that field to the field to
    look in; values of the same field are joined. Where the rule itself fixes the deciding field beside
    the item, only that case remains. ``key``: the field that stands for it in group-by and in field
    lists; without it the field is refused there, because no one field holds it.
    """

    by: str
    cases: dict[str, str]
    key: str | None = None

    def apply_field_name(self, field: str | None) -> str | list[str] | None:  # noqa: D102
        return [self.key or f"{field} (in one of {', '.join(dict.fromkeys(self.cases.values()))})"]

    def apply_detection(self, detection: SigmaDetection) -> None:
        """Replace the items of one group; an item beside one that fixes the case is only renamed."""
        fixed = self._fixed(detection)
        for position, part in enumerate(detection.detection_items):
            if isinstance(part, SigmaDetection):
                self.apply_detection(part)
                continue
            if self.processing_item is None or not self.processing_item.match_detection_item(part):
                continue
            made = self._made(part, fixed)
            detection.detection_items[position] = made
            self.processing_item_applied(made)

    def _fixed(self, detection: SigmaDetection) -> str | None:
        """Return the field that the group's own condition on the deciding field leaves, if it is one."""
        if detection.item_linking is not ConditionAND:
            return None
        for part in detection.detection_items:
            if isinstance(part, SigmaDetectionItem) and part.field == self.by and not part.negated:
                texts = [common.plain(value) for value in part.value]
                fields = {self._field(text) for text in texts}
                if len(fields) == 1 and None not in fields:
                    return fields.pop()
        return None

    def _field(self, text: str | None) -> str | None:
        return {key.lower(): name for key, name in self.cases.items()}.get(str(text).lower())

    def _made(self, part: SigmaDetectionItem, fixed: str | None) -> Part:
        if fixed is not None:
            part.field = fixed
            return part
        fields: dict[str, list[str]] = {}
        for value, name in self.cases.items():
            fields.setdefault(name, []).append(value)
        made: list[Part] = []
        for name, values in fields.items():
            here = SigmaDetectionItem(name, [], list(part.value), source=part.source, auto_modifiers=False)
            here.value_linking = part.value_linking
            here.applied_processing_items = set(part.applied_processing_items)
            texts: list[SigmaType] = [common.string(SigmaString(), [value]) for value in values]
            case = SigmaDetectionItem(self.by, [], texts, source=part.source, auto_modifiers=False)
            made.append(common.linked([case, here], ConditionAND))
        whole = common.linked(made, ConditionOR)
        if part.negated:
            common.negate(whole)
        return whole


@dataclass
class MapAlternatives(Rewriting):
    """Replace each value by the table's value or values, comparing texts without case.

    ``mapping``: text of the rule's value to the stored value, or to a list of which any may hold.
    ``cased``: compare the stored texts as written, which platforms say more simply.
    """

    mapping: dict[str, str | int | bool | list[str | int | bool]]
    cased: bool = False

    proven: ClassVar = WHOLE | SCALARS | ABSENCE

    def refusal(self, item: SigmaDetectionItem, value: SigmaType, form: Form) -> Refusal:
        """Return the refusal of a value, which names those that there are."""
        known = ", ".join(map(str, self.mapping))
        return common.refuse(item, value, f"only {known} can be compared, each as a whole")

    def rewrite(self, item: SigmaDetectionItem) -> Part | None:
        """Map the values of one item.

        Raises:
            Refusal: SC201 for a value that is not in the table.
        """
        detection_item = item
        table = {str(key).lower(): value for key, value in self.mapping.items()}
        parts: list[Part] = []
        for value in detection_item.value:
            if isinstance(value, SigmaNull | SigmaExists):
                parts.append(common.item(detection_item, str(detection_item.field), value))
                continue
            written = common.plain(value)
            if written is None or written.lower() not in table:
                known = ", ".join(map(str, self.mapping))
                raise common.refuse(detection_item, value, f"only {known} can be compared")
            found = table[written.lower()]
            many = found if isinstance(found, list) else [found]
            parts.append(common.any_of(detection_item, [self._stored(one) for one in many]))
        return common.group(detection_item, parts)

    def _stored(self, value: str | int | bool) -> SigmaType:
        typed = common.typed(value)
        return (
            common.string(SigmaCasedString(""), list(typed.s))
            if self.cased and isinstance(typed, SigmaString)
            else typed
        )


@dataclass
class HexNumber(Rewriting):
    """Turn hexadecimal texts (``0x3e7``) and decimal ones into the number that is stored."""

    proven: ClassVar = WHOLE | ABSENCE | {Form.NUMBER}
    advice: ClassVar = "a number is stored: compare it as a whole, in decimal or as 0x..."

    def rewrite(self, item: SigmaDetectionItem) -> SigmaDetectionItem | None:
        """Read the values of one item.

        Raises:
            Refusal: SC201 for what is no number, patterns included.
        """
        detection_item = item
        values: list[SigmaType] = []
        for value in detection_item.value:
            if isinstance(value, SigmaNull | SigmaExists | SigmaNumber):
                values.append(value)
                continue
            written = common.plain(value) or ""
            if not re.fullmatch(r"0[xX][0-9A-Fa-f]+|[0-9]+", written):
                raise common.refuse(detection_item, value, "a number is stored, and this is none")
            values.append(SigmaNumber(int(written, 16) if written[:2].lower() == "0x" else int(written)))
        detection_item.value = values
        return detection_item


_MAPPED = "::ffff:"


@dataclass
class MappedAddresses(Rewriting):
    """Add to each IPv4 address, prefix and network its IPv4-mapped IPv6 notation.

    For text fields of platforms that store the address of a dual-stack socket as ``::ffff:10.1.2.3``.
    An IPv6 address is written in its short form.
    """

    proven: ClassVar = PATTERNS | ABSENCE | {Form.NETWORK, Form.EMPTY, Form.CASED, Form.FIELD}
    advice: ClassVar = (
        "an IPv4 address may be stored as ::ffff:10.1.2.3: compare it with '*', or give a network"
    )

    def rewrite(self, item: SigmaDetectionItem) -> Part | None:
        """Add the notations to the values of one item."""
        detection_item = item
        found = [self._ways(value) for value in detection_item.value]
        pairs = zip(found, detection_item.value, strict=True)
        if all(len(one) == 1 and one[0] is value for one, value in pairs):
            return None
        return common.group(detection_item, [common.any_of(detection_item, one) for one in found])

    @staticmethod
    def _ways(value: SigmaType) -> list[SigmaType]:
        if isinstance(value, SigmaCIDRExpression):
            network = value.network
            if network.version == 6:
                return [value]
            mapped = f"{_MAPPED}{network.network_address}/{96 + network.prefixlen}"
            return [value, SigmaCIDRExpression(mapped)]
        if not isinstance(value, SigmaString) or not value.s or not isinstance(value.s[0], str):
            return [value]
        text = str(value.s[0])
        if re.match(r"[0-9]{1,3}(\.|\Z)", text):
            return [value, common.string(value, [_MAPPED + text, *value.s[1:]])]
        if len(value.s) == 1 and ":" in text:
            try:
                address = ipaddress.IPv6Address(text)
            except ValueError:
                return [value]
            four = address.ipv4_mapped
            return [common.string(value, [f"{_MAPPED}{four}" if four else str(address)])]
        return [value]


@dataclass
class UrlHost(Rewriting):
    """Compare a host name with a field that holds a host name or a URL of that host.

    After a name's end may come a port or a path, before its begin a scheme.
    """

    # Where the platform has no name, the connection may still have one.
    proven: ClassVar = PATTERNS | {Form.CASED}
    advice: ClassVar = "a name or a URL is stored, if it was seen: compare it with a text"

    def rewrite(self, item: SigmaDetectionItem) -> Part | None:
        """Add the URLs to the values of one item."""
        detection_item = item
        return common.group(
            detection_item,
            [common.any_of(detection_item, self._ways(value)) for value in detection_item.value],
        )

    @staticmethod
    def _ways(value: SigmaType) -> list[SigmaType]:
        if isinstance(value, SigmaExpansion):
            return [way for one in value.values for way in UrlHost._ways(one)]
        if not isinstance(value, SigmaString) or not value.s:
            return [value]
        parts = list(value.s)
        begins = [parts] if parts[0] is _MANY else [parts, [_MANY, "://", *parts]]
        ways = [
            way
            for begin in begins
            for way in (
                [begin] if parts[-1] is _MANY else [begin, [*begin, "/", _MANY], [*begin, ":", _MANY]]
            )
        ]
        return [common.string(value, way) for way in ways]


@dataclass
class NullText(DetectionItemTransformation):
    """Tell a missing value, for which the platform stores a text, from one of that text's letters.

    ``text``: what is stored. A comparison with null also takes the text; a pattern that the text would
    match does not take it, nor does a comparison with another field.
    """

    text: str = "null"

    def apply_detection_item(self, detection_item: SigmaDetectionItem) -> Part | None:
        """Exclude or add the text; None if no value meets it."""
        if detection_item.field is None or not any(map(self._meets, detection_item.value)):
            return None
        return common.group(
            detection_item, [self._one(detection_item, value) for value in detection_item.value]
        )

    def _one(self, item: SigmaDetectionItem, value: SigmaType) -> Part:
        if isinstance(value, SigmaExpansion):
            return common.linked([self._one(item, one) for one in value.values], ConditionOR)
        field = str(item.field)
        here = common.item(item, field, value)
        if not self._meets(value):
            return here
        stored = common.item(item, field, common.string(SigmaString(), [self.text]))
        if isinstance(value, SigmaNull) or (isinstance(value, SigmaExists) and not value.exists):
            return common.linked([here, stored], ConditionOR)
        stored.negated = True
        parts = [here, stored]
        if isinstance(value, SigmaFieldReference):  # Two fields without a value are not equal.
            other = common.item(item, value.field, common.string(SigmaString(), [self.text]))
            other.negated = True
            parts.append(other)
            for one in (stored, other):  # What a renaming loses, it loses in the comparison.
                one.applied_processing_items = set()
        return common.linked(parts, ConditionAND)

    def _meets(self, value: SigmaType) -> bool:
        if isinstance(value, SigmaNull | SigmaExists | SigmaFieldReference):
            return True
        if isinstance(value, SigmaExpansion):
            return any(map(self._meets, value.values))
        if isinstance(value, SigmaRegularExpression):
            return re.search(str(value.regexp), self.text, re.IGNORECASE) is not None
        if not isinstance(value, SigmaString):
            return False
        if sum(len(part) for part in value.s if isinstance(part, str)) > len(self.text):
            return False
        return re.fullmatch(_regex(value.s, "."), self.text, re.IGNORECASE | re.DOTALL) is not None


@dataclass
class JsonText(Rewriting, FieldMappingTransformationBase):
    """Look for a property of an object that is stored as its JSON text, without blanks outside texts.

    ``field``: the field with the text. ``property``: the property, a text or a number. ``prefix``: what the
    stored value has before the rule's. ``alone``: the object has no other property, so that a part of the
    value may be looked for anywhere in the text, where it cannot be mistaken.

    A text's characters are those of JSON (RFC 8259): one outside ASCII may be as it is or as ``\\uXXXX``.
    """

    field: str
    property: str
    prefix: str = ""
    alone: bool = False

    def apply_field_name(self, field: str | None) -> str | list[str] | None:  # noqa: D102
        return [f"{field} (inside {self.field})"]

    proven: ClassVar = PATTERNS | {Form.CASED, Form.EMPTY, Form.NUMBER}
    advice: ClassVar = "it is a part of a larger text: compare it with '*'"

    def rewrite(self, item: SigmaDetectionItem) -> Part | None:
        """Turn the values of one item into patterns of the text.

        Raises:
            Refusal: SC201 for what is not a text or a pattern with wildcards.
        """
        return common.group(item, [self._one(item, one) for one in item.value])

    def _one(self, item: SigmaDetectionItem, value: SigmaType) -> Part:
        if isinstance(value, SigmaExpansion):
            return common.linked([self._one(item, one) for one in value.values], ConditionOR)
        if type(value) is SigmaNumber:
            number = rf'"{re.escape(self.property)}":{value.number}\b'
            return common.item(item, self.field, SigmaRegularExpression(number))
        if not isinstance(value, SigmaString):
            raise common.refuse(item, value, f"it is a part of the text {self.field}")
        parts = list(value.s)
        if self.prefix:
            parts.insert(0, self.prefix)
        if self.alone and self._found_anywhere(parts):
            return common.item(item, self.field, common.string(value, [_MANY, _json(str(parts[1])), _MANY]))
        pattern = "".join(map(_json_regex, parts))
        source = f'"{re.escape(self.property)}":"{pattern}"'.removesuffix(f'{_JSON_MANY}"')
        regex = SigmaRegularExpression(source)
        if not isinstance(value, SigmaCasedString):
            regex.flags.add(SigmaRegularExpressionFlag.IGNORECASE)
        return common.item(item, self.field, regex)

    def _found_anywhere(self, parts: Sequence[object]) -> bool:
        """Whether a part of the value is in the text of the object only where the value has it.

        What follows a backslash in JSON is one of ``"\\/bfnrtu`` or four hexadecimal digits.
        """
        if len(parts) != 3 or parts[0] is not _MANY or parts[2] is not _MANY:
            return False
        text = str(parts[1]).lower() if isinstance(parts[1], str) else ""
        if not text.isascii() or text in self.property.lower():
            return False
        return text[0] not in '"\\/bfnrtu0123456789acde'


_JSON_ESCAPE = r"\\(?:u[0-9a-fA-F]{4}|[^u])"
_JSON_ONE = rf'(?:[^"\\]|{_JSON_ESCAPE})'
_JSON_MANY = rf'(?:[^"\\]*{_JSON_ESCAPE})*[^"\\]*'
"""Any characters of a JSON text, by runs: few steps back where a text is long."""


def _json(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)[1:-1]


def _json_regex(part: object) -> str:
    """Return a pattern of a part of a value in JSON."""
    if isinstance(part, SpecialChars):
        return _JSON_MANY if part is _MANY else _JSON_ONE
    return "".join(_json_letter(letter) for letter in str(part))


def _json_letter(letter: str) -> str:
    """Return a pattern of the ways in which JSON writes a character."""
    if letter.isascii():
        return _escaped(_json(letter))
    units = letter.encode("utf-16-be")
    codes = [units[start : start + 2].hex() for start in range(0, len(units), 2)]
    escape = "".join(rf"\\u{re.sub('[a-f]', _either, code)}" for code in codes)
    return f"(?:{letter}|{escape})"


def _either(digit: re.Match[str]) -> str:
    return f"[{digit[0]}{digit[0].upper()}]"


def _regex(parts: Sequence[object], any_one: str) -> str:
    """Return a regular expression of texts and wildcards."""
    return "".join(
        f"{any_one}*" if part is _MANY else any_one if isinstance(part, SpecialChars) else _escaped(str(part))
        for part in parts
    )


def _escaped(text: str) -> str:
    return re.sub(r"([\\.^$|?*+()\[\]{}])", r"\\\1", text)


TYPES: dict[str, type[Transformation]] = {
    "by_case": ByCase,
    "map_alternatives": MapAlternatives,
    "hex_number": HexNumber,
    "mapped_addresses": MappedAddresses,
    "url_host": UrlHost,
    "null_text": NullText,
    "json_text": JsonText,
}
