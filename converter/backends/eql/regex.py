"""Sigma's regular expressions in EQL: Lucene's flavour, over the whole value."""

from __future__ import annotations

from sigma.types import SigmaRegularExpression, SigmaRegularExpressionFlag

from converter.backends.eql import text
from converter.backends.eql.expression import Values
from converter.backends.lucene_regex import to_lucene
from converter.errors import Refusal

MAX_REGEX = 1000
"""Elasticsearch's default of index.max_regex_length, in UTF-16 units."""


def translate(name: str, value: SigmaRegularExpression) -> Values:
    """Return the condition of a regular expression on a string.

    Raises:
        Refusal: SC202 for what Lucene's flavour cannot say, SC203 for more than 1,000 characters,
            SC206 for a placeholder.
    """
    if value.contains_placeholder():
        raise Refusal(
            "SC206", f"the regular expression {value.regexp} has a placeholder that nothing expands"
        )
    caseless = SigmaRegularExpressionFlag.IGNORECASE in value.flags
    pattern = to_lucene(
        str(value.regexp),
        ignore_case=caseless,
        multiline=SigmaRegularExpressionFlag.MULTILINE in value.flags,
        dotall=SigmaRegularExpressionFlag.DOTALL in value.flags,
        fold="flag",
    )
    return condition(name, "regex~" if caseless else "regex", pattern)


def condition(name: str, operator: str, pattern: str) -> Values:
    """Return a condition whose pattern is in Lucene's flavour already.

    Raises:
        Refusal: SC203 for more than 1,000 characters.
    """
    length = len(pattern.encode("utf-16-le", "surrogatepass")) // 2
    if length > MAX_REGEX:
        raise Refusal("SC203", f"Elasticsearch takes regexes of {MAX_REGEX} characters; this has {length}")
    return Values(name, operator, (text.pattern(pattern),))
