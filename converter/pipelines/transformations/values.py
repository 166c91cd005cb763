"""Transformations of single values, for platforms that write a value otherwise."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from sigma.conditions import ConditionAND, ConditionOR
from sigma.processing.transformations.base import (
    DetectionItemTransformation,
    FieldMappingTransformationBase,
)
from sigma.rule import SigmaDetectionItem
from sigma.types import (
    SigmaCasedString,
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
from converter.pipelines.transformations.items import Part, plain, refuse, typed
from converter.pipelines.transformations.patterns import MANY
from converter.pipelines.transformations.rewriting import ABSENCE, PATTERNS, SCALARS, WHOLE, Form, Rewriting


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
            return common.item(item, self.field, common.string(value, [MANY, _json(str(parts[1])), MANY]))
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
        if len(parts) != 3 or parts[0] is not MANY or parts[2] is not MANY:
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
        return _JSON_MANY if part is MANY else _JSON_ONE
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
        f"{any_one}*" if part is MANY else any_one if isinstance(part, SpecialChars) else _escaped(str(part))
        for part in parts
    )


def _escaped(text: str) -> str:
    return re.sub(r"([\\.^$|?*+()\[\]{}])", r"\\\1", text)
