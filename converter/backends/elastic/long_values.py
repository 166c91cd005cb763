"""Values that an Elasticsearch keyword field does not index: those longer than its ``ignore_above``.

They are in ``_source`` and nowhere else: neither query_string nor EQL finds them. Which fields can have any
is in the column lists (``long``).
"""

from __future__ import annotations

import math

from converter.backends.common.regex_syntax import Alt, Chars, Node, Repeat, Seq
from converter.backends.elastic.regex import tree_of
from converter.plan.values import ANY, Regex, Text


def possible(value: Text, limit: int | None) -> bool:
    """Tell whether a value beyond the limit could be one that a Sigma string describes."""
    literal = sum(len(part) for part in value.parts if isinstance(part, str))
    return ANY in value.parts or literal > (limit or literal)


def matched(value: Regex, limit: int | None) -> bool:
    """Tell whether a value beyond the limit could be one that a regular expression finds.

    Raises:
        Refusal: SC202 for what Lucene's flavour cannot say.
    """
    tree = tree_of(
        value.pattern,
        ignore_case=value.ignore_case,
        multiline=value.multiline,
        dotall=value.dotall,
        fold="flag",
    )
    return limit is None or _longest(tree) > limit


def _longest(node: Node) -> float:
    """Return the length of the longest text that an expression over a whole value describes."""
    match node:
        case Chars():
            return 1
        case Seq(items):
            return sum(map(_longest, items))
        case Alt(items):
            return max(map(_longest, items), default=0)
        case Repeat(item, _, high):
            inner = _longest(item)
            return inner * (math.inf if high is None else high) if inner else 0
    return 0


def missing(field: str, limit: int) -> str:
    """Return the reason of a query that does not see long values."""
    return f"values of {field} of more than {limit:,} characters are not indexed and count as missing"


def missing_as(field: str, limit: int, absent: bool = False) -> str:
    """Return the relaxation of `missing`; ``absent``: the language takes the field as not there, too."""
    return f"long values {'missing' if absent else 'not indexed'}:{limit},{field}"


def matching_as(field: str, limit: int) -> str:
    """Return the relaxation of `matching`."""
    return f"long values selected:{limit},{field}"


def matching(field: str, limit: int) -> str:
    """Return the reason of a query that selects every long value."""
    return (
        f"values of {field} of more than {limit:,} characters are not indexed: every such record is selected"
    )
