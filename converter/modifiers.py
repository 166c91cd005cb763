"""pySigma's modifiers that encode text, put right, and `utf16le`, which pySigma 1.5 does not know.

Upstream `utf16` prepends the byte order mark of UTF-8 (the specification wants FF FE), `wide` refuses
letters outside ASCII, and `base64offset` counts characters where bytes are meant. Here text that was
encoded carries its bytes. Sigma specification 2.1, appendix "Sigma Modifiers".
"""

from __future__ import annotations

from base64 import b64encode
from typing import Any, ClassVar

from sigma.exceptions import SigmaValueError
from sigma.modifiers import SigmaModifier, SigmaValueModifier
from sigma.types import Placeholder, SigmaExpansion, SigmaNumber, SigmaString

from sigma import modifiers

ADDED = ("utf16le",)
"""Modifiers of the specification that this module adds to pySigma's."""


class EncodedString(SigmaString):
    """Text in an encoding other than UTF-8. Without a base64 modifier after it, it is its code points."""

    def __init__(self, data: bytes) -> None:
        super().__init__()
        self.data = data
        # As the matcher reads it: UTF-16 of ASCII is the same letters with NULs between.
        self.s = [data.decode("utf-8") if _is_utf8(data) else data.decode("latin-1")]


def _is_utf8(data: bytes) -> bool:
    try:
        data.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


def _bytes(value: SigmaString, modifier: str) -> bytes:
    """Return the bytes of a value without wildcards."""
    if isinstance(value, EncodedString):
        return value.data
    if value.contains_special() or any(isinstance(part, Placeholder) for part in value.s):
        raise SigmaValueError(f"'{modifier}' of a value with wildcards or placeholders has no meaning")
    return "".join(map(str, value.s)).encode()


class _Encoding(SigmaValueModifier[SigmaString, SigmaString]):
    codec: ClassVar[str]
    mark: ClassVar[bytes] = b""
    identifier: ClassVar[str]

    def modify(self, val: SigmaString) -> SigmaString:
        text = _bytes(val, self.identifier).decode("utf-8")
        return EncodedString(self.mark + text.encode(self.codec))


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
        return _verbatim(b64encode(_bytes(val, "base64")).decode())


class Base64Offset(SigmaValueModifier[SigmaString, SigmaExpansion]):
    """`base64offset`: what stays the same of the text's base64 at each of three offsets."""

    def modify(self, val: SigmaString) -> SigmaExpansion:  # noqa: D102
        data = _bytes(val, "base64offset")
        # Cut the characters that also hold bits of what stands before and after.
        starts, ends = (0, 2, 3), (None, -3, -2)
        return SigmaExpansion(
            [
                _verbatim(b64encode(b" " * i + data)[starts[i] : ends[(len(data) + i) % 3]].decode())
                for i in range(3)
            ]
        )


def _verbatim(text: str) -> SigmaString:
    return SigmaString(text)  # Base64 has no characters that Sigma escapes.


_read_number = SigmaNumber.__post_init__


def _exact_number(self: SigmaNumber, init_number: Any) -> None:
    """Keep whole numbers whole: pySigma compares them as floats first and loses digits beyond 2^53."""
    _read_number(self, init_number)
    if isinstance(init_number, int):
        self.number = int(init_number)


def register() -> None:
    """Put these in the place of pySigma's own; calling it twice changes nothing."""
    SigmaNumber.__post_init__ = _exact_number  # type: ignore[method-assign]
    ours: dict[str, type[SigmaModifier[Any, Any]]] = {
        "wide": Wide,
        "utf16le": Utf16Le,
        "utf16be": Utf16Be,
        "utf16": Utf16,
        "base64": Base64,
        "base64offset": Base64Offset,
    }
    for name, modifier in ours.items():
        modifiers.modifier_mapping[name] = modifier
        modifiers.reverse_modifier_mapping[modifier.__name__] = name
