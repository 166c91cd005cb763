"""Whether a query that looks for words which may be apart is held by anything else (docs/bounds.md).

Of `Get-System` an index of single words knows a word that ends in `get` and one that begins with `system`,
and not that they touch. A long script holds both by chance. Beside another demand that is no matter; where a
rule demands nothing else, in one of its alternatives, the query fires on ordinary scripts.
"""

from __future__ import annotations

from collections.abc import Collection

from converter.backends.lucene.expression import Node, Phrase, Text
from converter.plan.conditions import And, Comparison, Condition, Not, Or, Value, values_of
from converter.plan.model import BaseRule


def apart(found: Collection[Node]) -> bool:
    """Tell whether what an analysed field must hold are parts of several words, in any place and order."""
    whole = any(isinstance(one, Phrase) or (isinstance(one, Text) and len(one.parts) == 1) for one in found)
    return len(found) > 1 and not whole


def loose(base: BaseRule, values: Collection[tuple[str, Value]]) -> bool:
    """Tell whether an alternative of a rule demands nothing but values whose words may be apart.

    What only says which events the log source has demands nothing here.

    Args:
        base: the rule.
        values: such values, each with its field.
    """

    def demands_nothing(node: Condition) -> bool:
        match node:
            case And(items):
                return all(map(demands_nothing, items))
            case Or(items):
                return any(map(demands_nothing, items))
            case Not():
                return True
            case Comparison(field):
                return field in base.choosing or any((field, value) in values for value in values_of(node))
        return False

    return bool(values) and demands_nothing(base.condition)
