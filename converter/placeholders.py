"""`expand`: a placeholder's values are alternatives, also where the rule says `all`.

pySigma's `value_placeholders` puts the values among the item's own, so that `all` wants every one of them in
the event. Sigma specification 2.1, "Placeholders": the values are linked by OR.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from sigma.processing.transformations import transformations
from sigma.processing.transformations.placeholder import ValueListPlaceholderTransformation
from sigma.types import SigmaExpansion, SigmaType


@dataclass
class ValueListPlaceholders(ValueListPlaceholderTransformation):
    """pySigma's `value_placeholders`, with the values kept together."""

    def apply_value(self, field: str | None, val: SigmaType) -> Any:
        """Return the value with its placeholders replaced; several results are one alternative."""
        found = super().apply_value(field, val)
        if found is None or not isinstance(found, Iterable) or isinstance(found, SigmaType):
            return found
        values = list(found)
        return values[0] if len(values) == 1 else SigmaExpansion(list(values))


def register() -> None:
    """Put it in the place of pySigma's own; calling it twice changes nothing."""
    transformations["value_placeholders"] = ValueListPlaceholders
