"""What keywords, values without a field, lose when they are sought in the event's text."""

from __future__ import annotations

from converter.backends.spl.raw import in_xml
from converter.plan.columns import Columns
from converter.plan.conditions import Condition, Keyword, Not, children
from converter.plan.model import Fidelity, Reason
from converter.plan.values import Text, Wildcard

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


def keyword_reasons(condition: Condition, columns: Columns) -> tuple[Reason, ...]:
    """Return how a condition's keywords must be read, and what they lose; nothing if it has none."""
    xml = in_xml(columns)
    found: dict[Reason, None] = {}
    stack = [(condition, False)]
    while stack:
        node, negative = stack.pop()
        if isinstance(node, Keyword):
            found[KEYWORDS] = None
            if not xml and isinstance(node.value, Text) and _spans(node.value):
                found[_BROADER if negative else _NARROWER] = None
        else:
            inside = negative != isinstance(node, Not)
            stack.extend((item, inside) for item in children(node))
    return tuple(found)


def _spans(value: Text) -> bool:
    """Tell whether a wildcard is between two texts."""
    texts = [position for position, part in enumerate(value.parts) if isinstance(part, str) and part]
    if not texts:
        return False
    return any(isinstance(part, Wildcard) for part in value.parts[texts[0] : texts[-1]])
