"""Sigma's regular expressions in EQL: Lucene's flavour, over the whole value."""

from __future__ import annotations

from converter.backends.common.regex_syntax import EVERY, Chars, Node, Repeat, Seq
from converter.backends.elastic.determinize_effort import too_complex
from converter.backends.elastic.regex import tree_of, write
from converter.backends.eql import text
from converter.backends.eql.expression import Values
from converter.errors import Refusal
from converter.plan.values import ANY, Regex, Text

MAX_REGEX = 1000
"""Elasticsearch's default of index.max_regex_length, in UTF-16 units."""


def translate(name: str, value: Regex) -> Values:
    """Return the condition of a regular expression on a string.

    Raises:
        Refusal: SC202 for what Lucene's flavour cannot say, SC203 for more than 1,000 characters,
            SC206 for a placeholder.
    """
    if value.has_placeholder:
        raise Refusal(
            "SC206", f"the regular expression {value.pattern} has a placeholder that nothing expands"
        )
    caseless = value.ignore_case
    tree = tree_of(
        value.pattern,
        ignore_case=caseless,
        multiline=value.multiline,
        dotall=value.dotall,
        fold="flag",
    )
    return condition(name, "regex~" if caseless else "regex", tree)


def parts(value: Text, fold: bool) -> Node:
    """Return the expression of a value with wildcards; ``fold``: the query ignores case."""
    found: list[Node] = []
    for part in value.parts:
        if isinstance(part, str):
            found += [Chars(((ord(char), ord(char)),), fold) for char in part]
        else:
            any_run = part is ANY
            found.append(Repeat(Chars(EVERY), 0, None) if any_run else Chars(EVERY))
    return Seq(tuple(found))


def condition(name: str, operator: str, tree: Node) -> Values:
    """Return a condition whose pattern is an expression of Lucene's flavour over the whole value.

    Raises:
        Refusal: SC203 for a pattern that Elasticsearch rejects as too long or too complex.
    """
    pattern = write(tree)
    length = len(pattern.encode("utf-16-le", "surrogatepass")) // 2
    if length > MAX_REGEX:
        raise Refusal("SC203", f"Elasticsearch takes regexes of {MAX_REGEX} characters; this has {length}")
    if too_complex(tree):
        raise Refusal(
            "SC203", "Elasticsearch rejects the pattern as too complex to determinise; KQL and SPL take it"
        )
    return Values(name, operator, (text.pattern(pattern),))


def checked(pattern: str, value: Text) -> str:
    """Return a pattern of ``:`` or ``like`` if Elasticsearch takes it.

    Raises:
        Refusal: SC203 as for `condition`.
    """
    # Without a single-character wildcard the work is less than the square of the length.
    risky = "?" in pattern or len(pattern) > 300
    if "*" in pattern and risky and too_complex(parts(value, True)):
        raise Refusal(
            "SC203", "Elasticsearch rejects the pattern as too complex to determinise; KQL and SPL take it"
        )
    return pattern
