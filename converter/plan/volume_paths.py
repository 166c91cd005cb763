"""A path as Windows' kernel writes it, on a volume of any number: one value, so each language says it once.

A number has up to three digits. Wildcards cannot say that: ``*`` would let folders in, and so would three
``?`` (``1\\A``). Languages without a pattern for digits take `VolumePath.wider` to look for paths first.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from converter.plan.values import ANY, ONE, Part, Regex, Text

VOLUME = "\\Device\\HarddiskVolume"
DIGITS = "[0-9]{1,3}"
_SPECIAL = re.compile(r"[\\.^$*+?{}\[\]|()]")


@dataclass(frozen=True, slots=True)
class VolumePath:
    """All paths of one pattern, on all volumes."""

    rest: tuple[Part, ...]
    """Texts and wildcards behind the number, from the backslash on."""
    cased: bool
    """Whether letters are compared as written."""

    @property
    def regex(self) -> Regex:
        """The paths as a regular expression."""
        open_end = self.rest[-1:] == (ANY,)
        rest = self.rest[:-1] if open_end else self.rest
        body = "".join(".*" if part is ANY else "." if part is ONE else literal(str(part)) for part in rest)
        # Without wildcards inside there is no dot whose meaning the flag could change.
        dots = "" if all(isinstance(part, str) for part in rest) else "s"
        end = "" if open_end else r"\z"
        return Regex(f"^{literal(VOLUME)}{DIGITS}{body}{end}", ("" if self.cased else "i") + dots)

    @property
    def plain(self) -> bool:
        """Whether it is one path, or all paths that begin so: without wildcards inside."""
        return all(isinstance(part, str) for part in self.rest[:-1]) and self.rest[-1:] != (ONE,)

    @property
    def wider(self) -> Text:
        """A text with wildcards that every path of the expression matches."""
        return self._text(VOLUME, ANY, *self.rest)

    @property
    def beyond(self) -> Text:
        """What `wider` says of the path behind the volume's number."""
        return self._text(ANY, *self.rest)

    @property
    def on_one(self) -> Text:
        """The paths on the volume of number 1."""
        return self._text(f"{VOLUME}1", *self.rest)

    def _text(self, *parts: Part) -> Text:
        joined: list[Part] = []
        for part in parts:
            if isinstance(part, str) and joined and isinstance(joined[-1], str):
                joined[-1] = f"{joined[-1]}{part}"
            elif part is not ANY or joined[-1:] != [ANY]:
                joined.append(part)
        return Text(tuple(joined), self.cased)

    @property
    def shown(self) -> str:
        """The path as a reader knows it."""
        rest = "".join("*" if one is ANY else "?" if one is ONE else str(one) for one in self.rest)
        return f"{VOLUME}{DIGITS}{rest}"


def literal(text: str) -> str:
    """Return a text as a regular expression of every language reads it."""
    return _SPECIAL.sub(r"\\\g<0>", text)
