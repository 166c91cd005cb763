"""What keywords, values without a field, lose when they are sought in the event's text."""

from __future__ import annotations

from sigma.conditions import ConditionItem, ConditionNOT, ConditionValueExpression
from sigma.types import SigmaString, SpecialChars

from converter.backends.spl.raw import in_xml
from converter.plan.columns import Columns
from converter.plan.model import Fidelity, Reason, Tree

KEYWORDS = Reason(
    Fidelity.EXACT,
    "keywords are sought in the event as it was indexed (_raw), which may hold more than its fields "
    "and writes some characters in the way of its format (XML, JSON)",
)


_WITHIN = "keywords within a line"
_LINES = "a wildcard inside a keyword does not reach over the end of a line"
# `.` stops at the end of a line, because fields are in lines of their own in the event's text: with (?s) a
# keyword could begin in one field and end in another.
_NARROWER = Reason(Fidelity.NARROWER, _LINES, _WITHIN)
_BROADER = Reason(Fidelity.BROADER, f"{_LINES}, under 'not'", _WITHIN)


def keyword_reasons(tree: Tree, columns: Columns) -> tuple[Reason, ...]:
    """Return how a condition's keywords must be read, and what they lose; nothing if it has none."""
    xml = in_xml(columns)
    found: dict[Reason, None] = {}
    stack: list[tuple[object, bool]] = [(tree, False)]
    while stack:
        node, negative = stack.pop()
        if isinstance(node, ConditionValueExpression):
            found[KEYWORDS] = None
            if not xml and isinstance(node.value, SigmaString) and _spans(node.value):
                found[_BROADER if negative else _NARROWER] = None
        elif isinstance(node, ConditionItem):
            inside = negative != isinstance(node, ConditionNOT)
            stack.extend((arg, inside) for arg in node.args)
    return tuple(found)


def _spans(value: SigmaString) -> bool:
    """Tell whether a wildcard is between two texts."""
    texts = [position for position, part in enumerate(value.s) if isinstance(part, str) and part]
    if not texts:
        return False
    return any(isinstance(part, SpecialChars) for part in value.s[texts[0] : texts[-1]])
