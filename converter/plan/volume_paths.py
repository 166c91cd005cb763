"""A path as Windows' kernel writes it, on a volume of any number: one value, so each language says it once.

A number has up to three digits. Wildcards cannot say that: ``*`` would let folders in, and so would three
``?`` (``1\\A``). Languages without a pattern for digits take `VolumePath.wider` to look for paths first.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from sigma.types import (
    SigmaCasedString,
    SigmaRegularExpression,
    SigmaRegularExpressionFlag,
    SigmaString,
    SpecialChars,
)

VOLUME = "\\Device\\HarddiskVolume"
DIGITS = "[0-9]{1,3}"
_MANY, _ONE = SpecialChars.WILDCARD_MULTI, SpecialChars.WILDCARD_SINGLE
_SPECIAL = re.compile(r"[\\.^$*+?{}\[\]|()]")


class VolumePath(SigmaRegularExpression):
    """A regular expression of paths on a volume."""

    def __init__(self, rest: Sequence[str | SpecialChars], cased: bool) -> None:
        """Make the expression.

        Args:
            rest: texts and wildcards behind the number, from the backslash on.
            cased: whether letters are compared as written.
        """
        self.rest = tuple(rest)
        open_end = self.rest[-1:] == (_MANY,)
        body = [
            ".*" if part is _MANY else "." if part is _ONE else literal(str(part))
            for part in (self.rest[:-1] if open_end else self.rest)
        ]
        flags = set() if cased else {SigmaRegularExpressionFlag.IGNORECASE}
        if not all(isinstance(part, str) for part in self.rest[: -1 if open_end else None]):
            flags.add(SigmaRegularExpressionFlag.DOTALL)
        end = "" if open_end else r"\z"
        super().__init__(f"^{literal(VOLUME)}{DIGITS}{''.join(body)}{end}", flags)

    def compile(self) -> None:
        r"""Do nothing: it is right as it is made, and Python before 3.14 does not know ``\z``."""

    @property
    def cased(self) -> bool:
        """Whether letters are compared as written."""
        return SigmaRegularExpressionFlag.IGNORECASE not in self.flags

    @property
    def plain(self) -> bool:
        """Whether it is one path, or all paths that begin so: without wildcards inside."""
        return all(isinstance(part, str) for part in self.rest[:-1]) and self.rest[-1:] != (_ONE,)

    @property
    def wider(self) -> SigmaString:
        """A text with wildcards that every path of the expression matches."""
        return self._text([VOLUME, _MANY, *self.rest])

    @property
    def beyond(self) -> SigmaString:
        """What `wider` says of the path behind the volume's number."""
        return self._text([_MANY, *self.rest])

    @property
    def on_one(self) -> SigmaString:
        """The paths on the volume of number 1."""
        return self._text([f"{VOLUME}1", *self.rest])

    def _text(self, parts: list[str | SpecialChars]) -> SigmaString:
        made = SigmaCasedString("") if self.cased else SigmaString()
        joined: list[str | SpecialChars] = []
        for part in parts:
            if isinstance(part, str) and joined and isinstance(joined[-1], str):
                joined[-1] = f"{joined[-1]}{part}"
            elif part is not _MANY or joined[-1:] != [_MANY]:
                joined.append(part)
        made.s = list(joined)
        made.original = str(made)
        return made

    @property
    def shown(self) -> str:
        """The path as a reader knows it."""
        rest = "".join("*" if one is _MANY else "?" if one is _ONE else str(one) for one in self.rest)
        return f"{VOLUME}{DIGITS}{rest}"


def literal(text: str) -> str:
    """Return a text as a regular expression of every language reads it."""
    return _SPECIAL.sub(r"\\\g<0>", text)
