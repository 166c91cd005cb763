"""Whether a query that looks for words which may be apart is held by anything else (docs/bounds.md).

Of `Get-System` an index of single words knows a word that ends in `get` and one that begins with `system`,
and not that they touch. A long script holds both by chance. Beside another demand that is no matter; where a
rule demands nothing else, in one of its alternatives, the query fires on ordinary scripts.
"""

from __future__ import annotations

from collections.abc import Collection
from collections.abc import Set as AbstractSet
from typing import Any

from sigma.conditions import ConditionAND, ConditionNOT, ConditionOR
from sigma.rule import SigmaDetection, SigmaDetectionItem
from sigma.types import SigmaExpansion

from converter.backends.lucene.expression import Node, Phrase, Text
from converter.plan.model import BaseRule


def apart(found: Collection[Node]) -> bool:
    """Tell whether what an analysed field must hold are parts of several words, in any place and order."""
    whole = any(isinstance(one, Phrase) or (isinstance(one, Text) and len(one.parts) == 1) for one in found)
    return len(found) > 1 and not whole


def loose(base: BaseRule, values: AbstractSet[int]) -> bool:
    """Tell whether an alternative of a rule demands nothing but values whose words may be apart.

    What only says which events the log source has demands nothing here.

    Args:
        base: the rule.
        values: the ``id()`` of such values.
    """
    chosen = _choosing(base)

    def demands_nothing(node: Any) -> bool:
        if isinstance(node, ConditionAND):
            return all(map(demands_nothing, node.args))
        if isinstance(node, ConditionOR):
            return any(map(demands_nothing, node.args))
        if isinstance(node, ConditionNOT) or getattr(node, "field", None) in chosen:
            return True
        value = getattr(node, "value", None)
        among = value.values if isinstance(value, SigmaExpansion) else [value]
        return any(id(one) in values for one in among)

    return bool(values) and demands_nothing(base.tree)


def _choosing(base: BaseRule) -> set[str]:
    """Return the fields by which the pipeline chooses the events of the log source."""
    found: set[str] = set()

    def walk(detection: SigmaDetection) -> None:
        for item in detection.detection_items:
            if isinstance(item, SigmaDetectionItem):
                found.add(str(item.field))
            else:
                walk(item)

    for name, detection in base.rule.detection.detections.items():
        if name.startswith("_"):  # As pipelines name what they add.
            walk(detection)
    return found
