"""`expand`: a placeholder's values are alternatives, also where the rule says `all`.

pySigma's `value_placeholders` puts the values among the item's own, so that `all` wants every one of them in
the event. Sigma specification 2.1, "Placeholders": the values are linked by OR.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sigma.processing.pipeline import ProcessingPipeline
from sigma.processing.transformations import transformations
from sigma.processing.transformations.placeholder import ValueListPlaceholderTransformation
from sigma.rule import SigmaRule
from sigma.types import SigmaExpansion, SigmaType

from converter.errors import UsageError
from converter.files import yaml_source


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


def expand(rule: SigmaRule, values: Mapping[str, Any]) -> None:
    """Put values in the place of the rule's placeholders; those without values stay, and are refused later.

    Args:
        rule: changed in place.
        values: name -> one value or a list.
    """
    item = {"id": "placeholders", "type": "value_placeholders", "include": sorted(values)}
    ProcessingPipeline.from_dict({"vars": dict(values), "transformations": [item]}).apply(rule)


def read(path: Path) -> dict[str, list[str | int | float]]:
    """Return the placeholders of a YAML file: a mapping of names to a value or a list of values.

    Raises:
        UsageError: SC107 to SC109 if it cannot be read, SC601 if it is not such a mapping.
    """
    name = path.as_posix()
    documents = yaml_source.parse(yaml_source.read_text(path, name, UsageError), name, UsageError)
    found = documents[0] if documents else None
    if not isinstance(found, dict):
        raise UsageError("SC601", "placeholders are a mapping of names to values", file=name)
    lists = {str(key): value if isinstance(value, list) else [value] for key, value in found.items()}
    for key, values in lists.items():
        if not values or not all(isinstance(one, str | int | float) for one in values):
            raise UsageError("SC601", f"placeholder '{key}' needs texts or numbers", file=name)
    return lists


def register() -> None:
    """Put it in the place of pySigma's own; calling it twice changes nothing."""
    transformations["value_placeholders"] = ValueListPlaceholders
