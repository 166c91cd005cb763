"""pySigma's modifiers, put right where they lose something, and `utf16le`, which pySigma 1.5 does not know.

Upstream `utf16` prepends the byte order mark of UTF-8 (the specification wants FF FE), `wide` refuses
letters outside ASCII, and `base64offset` counts characters where bytes are meant. Here text that was
encoded carries its bytes. Upstream also forgets `cased` when `windash`, an encoding or `fieldref` follows,
writes `re|startswith: a|b` as ``a|b.*``, and stumbles over a regular expression that YAML reads as a number.
Sigma specification 2.1, appendix "Sigma Modifiers".
"""

from __future__ import annotations

import re
import warnings
from base64 import b64encode
from collections.abc import Iterator
from typing import Any, ClassVar

from sigma.exceptions import SigmaTypeError, SigmaValueError
from sigma.modifiers import (
    SigmaCaseSensitiveModifier,
    SigmaContainsModifier,
    SigmaEndswithModifier,
    SigmaFieldReferenceModifier,
    SigmaModifier,
    SigmaRegularExpressionModifier,
    SigmaStartswithModifier,
    SigmaTimestampModifier,
    SigmaValueModifier,
    SigmaWindowsDashModifier,
)
from sigma.rule import SigmaDetection, SigmaDetections
from sigma.types import (
    Placeholder,
    SigmaCasedString,
    SigmaExpansion,
    SigmaFieldReference,
    SigmaNumber,
    SigmaRegularExpression,
    SigmaString,
    SigmaTimestampPart,
    SigmaType,
)

from sigma import modifiers

ADDED = ("utf16le",)
"""Modifiers of the specification that this module adds to pySigma's."""

_FLAG = re.compile(r"\B[-/]\b")
"""As pySigma's `windash` finds flags."""
_MAX_FLAGS = 5
"""Of five dashes each: 3,125 values."""
_FIELDREF_CASED = "'fieldref' compares in any case: 'cased' has no meaning with it"
_Around = SigmaString | SigmaRegularExpression | SigmaFieldReference


class EncodedString(SigmaString):
    """Text in an encoding other than UTF-8. Without a base64 modifier after it, it is its code points."""

    def __init__(self, data: bytes | str = b"") -> None:
        super().__init__()
        # Without an argument, as pySigma copies strings: it puts the parts in afterwards.
        self.data = data.encode() if isinstance(data, str) else data
        # As the matcher reads it: UTF-16 of ASCII is the same letters with NULs between.
        if self.data:
            self.s = [self.data.decode()] if _is_utf8(self.data) else [_Unreadable("bytes, no text")]


class EncodedCased(EncodedString, SigmaCasedString):
    """The same, compared as written."""


class _Unreadable(Placeholder):
    """Stands for bytes that no field can hold as text."""


def _is_utf8(data: bytes) -> bool:
    try:
        data.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


def _has_placeholder(value: SigmaString) -> bool:
    return any(isinstance(part, Placeholder) for part in value.s)


def _bytes(value: SigmaString, modifier: str) -> bytes:
    """Return the bytes of a value without wildcards."""
    if value.contains_special():
        raise SigmaValueError(f"'{modifier}' of a value with wildcards or placeholders has no meaning")
    if isinstance(value, EncodedString):
        return value.data
    if _has_placeholder(value):
        raise SigmaValueError(f"'{modifier}' of a value with wildcards or placeholders has no meaning")
    return "".join(map(str, value.s)).encode()


class _Encoding(SigmaValueModifier[SigmaString, SigmaString]):
    codec: ClassVar[str]
    mark: ClassVar[bytes] = b""
    identifier: ClassVar[str]

    def modify(self, val: SigmaString) -> SigmaString:
        if isinstance(val, EncodedString):
            raise SigmaValueError(f"'{self.identifier}' of a value that is encoded already has no meaning")
        text = _bytes(val, self.identifier).decode("utf-8")
        data = self.mark + text.encode(self.codec)
        return EncodedCased(data) if isinstance(val, SigmaCasedString) else EncodedString(data)


class Wide(_Encoding):
    """`wide`: UTF-16, little-endian, without a byte order mark."""

    codec, identifier = "utf-16-le", "wide"


class Utf16Le(_Encoding):
    """`utf16le`: the same as `wide`."""

    codec, identifier = "utf-16-le", "utf16le"


class Utf16Be(_Encoding):
    """`utf16be`: UTF-16, big-endian, without a byte order mark."""

    codec, identifier = "utf-16-be", "utf16be"


class Utf16(_Encoding):
    """`utf16`: UTF-16, little-endian, behind the byte order mark FF FE."""

    codec, mark, identifier = "utf-16-le", b"\xff\xfe", "utf16"


class Base64(SigmaValueModifier[SigmaString, SigmaString]):
    """`base64` of the bytes."""

    def modify(self, val: SigmaString) -> SigmaString:  # noqa: D102
        return _verbatim(b64encode(_bytes(val, "base64")).decode(), val)


class Base64Offset(SigmaValueModifier[SigmaString, SigmaExpansion]):
    """`base64offset`: what stays the same of the text's base64 at each of three offsets."""

    def modify(self, val: SigmaString) -> SigmaExpansion:  # noqa: D102
        data = _bytes(val, "base64offset")
        if len(data) < 2:
            raise SigmaValueError(
                f"'base64offset' of '{val}': at one offset no character of it stays the same, and every "
                "text contains nothing; give two bytes or more"
            )
        # Cut the characters that also hold bits of what comes before and after.
        starts, ends = (0, 2, 3), (None, -3, -2)
        return SigmaExpansion(
            [
                _verbatim(b64encode(b" " * i + data)[starts[i] : ends[(len(data) + i) % 3]].decode(), val)
                for i in range(3)
            ]
        )


def _verbatim(text: str, like: SigmaString) -> SigmaString:
    # Base64 has no characters that Sigma escapes.
    return SigmaCasedString(text) if isinstance(like, SigmaCasedString) else SigmaString(text)


class WindowsDash(SigmaWindowsDashModifier):
    """`windash`, also of a value that is compared as written."""

    def modify(self, val: SigmaString) -> SigmaExpansion:  # noqa: D102
        flags = sum(len(_FLAG.findall(part)) for part in val.s if isinstance(part, str))
        if flags > _MAX_FLAGS:
            raise SigmaValueError(f"'windash' has {flags} dashes to vary: more than {_MAX_FLAGS}")
        made = super().modify(val)
        if isinstance(val, SigmaCasedString):
            made.values = [
                SigmaCasedString.from_sigma_string(one) if isinstance(one, SigmaString) else one
                for one in made.values
            ]
        return made


class Cased(SigmaCaseSensitiveModifier):
    """`cased`, which leaves encoded text its bytes."""

    def modify(self, val: SigmaString | SigmaFieldReference) -> SigmaCasedString:  # noqa: D102
        if isinstance(val, SigmaFieldReference):
            raise SigmaValueError(_FIELDREF_CASED)
        if not isinstance(val, EncodedString):
            return super().modify(val)
        made = EncodedCased(val.data)
        made.s = val.s
        return made


class FieldReference(SigmaFieldReferenceModifier):
    """`fieldref` to a field that is named outright; its text is compared in any case."""

    def modify(self, val: SigmaString) -> SigmaFieldReference:  # noqa: D102
        if isinstance(val, SigmaCasedString):
            raise SigmaValueError(_FIELDREF_CASED)
        if isinstance(val, EncodedString) or _has_placeholder(val) or not val.to_plain():
            raise SigmaValueError(f"'fieldref' needs the name of a field, not '{val}'")
        return super().modify(val)


def _regular_expression(self: SigmaRegularExpressionModifier, val: SigmaString) -> SigmaRegularExpression:
    """`re`, also of what YAML reads as a number."""
    written: Any = val.original
    if written is None or isinstance(written, bool):
        raise SigmaTypeError("'re' needs a regular expression: put the value into quotes")
    val.original = str(written)
    with warnings.catch_warnings():
        # Of `[[`, as in `[[:alpha:]]`: Python would read it in another way some day. The rule's is PCRE.
        warnings.simplefilter("ignore", FutureWarning)
        return _read_regex(self, val)


def _contains(self: SigmaContainsModifier, val: _Around) -> _Around:
    """`contains`; a regular expression is found anywhere as it is."""
    return val if isinstance(val, SigmaRegularExpression) else _put_around(self, val)


def _startswith(self: SigmaStartswithModifier, val: _Around) -> _Around:
    if isinstance(val, SigmaRegularExpression):
        raise SigmaValueError("'startswith' does not apply to a regular expression: begin it with ^")
    return _put_after(self, val)


def _endswith(self: SigmaEndswithModifier, val: _Around) -> _Around:
    if isinstance(val, SigmaRegularExpression):
        raise SigmaValueError("'endswith' does not apply to a regular expression: end it with $")
    return _put_before(self, val)


def readable(detections: SigmaDetections) -> None:
    """Check that what encoding modifiers left is text that a field can hold.

    Raises:
        SigmaValueError: if it is not, as UTF-16 of letters outside ASCII or behind a byte order mark.
    """
    for detection in detections.detections.values():
        for value in _values(detection):
            if isinstance(value, SigmaString) and any(isinstance(part, _Unreadable) for part in value.s):
                raise SigmaValueError(
                    "the UTF-16 bytes of a value are no text that a field can hold: follow the modifier "
                    "by base64 or base64offset"
                )


def _values(detection: SigmaDetection) -> Iterator[SigmaType]:
    """Yield the values of items with an encoding modifier."""
    for item in detection.detection_items:
        if isinstance(item, SigmaDetection):
            yield from _values(item)
            continue
        for value in item.value if any(issubclass(one, _Encoding) for one in item.modifiers) else ():
            yield from value.values if isinstance(value, SigmaExpansion) else (value,)


def _time_part(self: SigmaTimestampModifier, val: SigmaNumber) -> SigmaTimestampPart:
    """`minute` to `year`: pySigma cuts 2.5 to 2."""
    if not isinstance(val.number, int):
        raise SigmaValueError(f"a part of a time is a whole number, not {val.number}")
    return SigmaTimestampPart(self.time_part_unit, val.number)


_read_number = SigmaNumber.__post_init__
_read_regex = SigmaRegularExpressionModifier.modify
_put_around = SigmaContainsModifier.modify
_put_after = SigmaStartswithModifier.modify
_put_before = SigmaEndswithModifier.modify


def _exact_number(self: SigmaNumber, init_number: Any) -> None:
    """Keep whole numbers whole: pySigma compares them as floats first and loses digits beyond 2^53."""
    _read_number(self, init_number)
    if isinstance(init_number, int):
        self.number = int(init_number)


def register() -> None:
    """Put these in the place of pySigma's own; calling it twice changes nothing."""
    SigmaNumber.__post_init__ = _exact_number  # type: ignore[method-assign]
    # In place: pySigma asks for these classes by name.
    SigmaRegularExpressionModifier.modify = _regular_expression  # type: ignore[method-assign]
    SigmaContainsModifier.modify = _contains  # type: ignore[method-assign]
    SigmaStartswithModifier.modify = _startswith  # type: ignore[method-assign]
    SigmaEndswithModifier.modify = _endswith  # type: ignore[method-assign]
    SigmaTimestampModifier.modify = _time_part  # type: ignore[method-assign]
    ours: dict[str, type[SigmaModifier[Any, Any]]] = {
        "wide": Wide,
        "utf16le": Utf16Le,
        "utf16be": Utf16Be,
        "utf16": Utf16,
        "base64": Base64,
        "base64offset": Base64Offset,
        "windash": WindowsDash,
        "cased": Cased,
        "fieldref": FieldReference,
    }
    for name, modifier in ours.items():
        modifiers.modifier_mapping[name] = modifier
        modifiers.reverse_modifier_mapping[modifier.__name__] = name
