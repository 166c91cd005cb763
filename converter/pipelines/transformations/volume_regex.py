"""A path on a numbered volume as pySigma's values hold it, between the pipeline and the lowering."""

from __future__ import annotations

from collections.abc import Sequence

from sigma.types import SigmaRegularExpression, SigmaRegularExpressionFlag, SpecialChars

from converter.plan.values import ANY, ONE
from converter.plan.volume_paths import VolumePath

_SIGNS = {SpecialChars.WILDCARD_MULTI: ANY, SpecialChars.WILDCARD_SINGLE: ONE}
_FLAGS = {"i": SigmaRegularExpressionFlag.IGNORECASE, "s": SigmaRegularExpressionFlag.DOTALL}


class VolumeRegex(SigmaRegularExpression):
    """A regular expression of paths on a volume, which knows the paths."""

    def __init__(self, rest: Sequence[str | SpecialChars], cased: bool) -> None:
        """Make the expression.

        Args:
            rest: texts and wildcards behind the number, from the backslash on.
            cased: whether letters are compared as written.
        """
        parts = tuple(_SIGNS[part] if isinstance(part, SpecialChars) else str(part) for part in rest)
        self.path = VolumePath(parts, cased)
        regex = self.path.regex
        super().__init__(regex.pattern, {_FLAGS[flag] for flag in regex.flags})

    def compile(self) -> None:
        r"""Do nothing: it is right as it is made, and Python before 3.14 does not know ``\z``."""
