"""Comparisons of a string column with Sigma strings: plain, prefix, suffix, part, or wildcard."""

from __future__ import annotations

from collections.abc import Sequence

from converter.backends.kql.expression import Expr, atom
from converter.backends.kql.literals import has_case, regex_quoted, string
from converter.errors import Refusal
from converter.plan.values import ANY, ONE, Text

_WHOLE = {(False, False): "=~", (False, True): "!~", (True, False): "==", (True, True): "!="}


def plain(value: Text) -> str | None:
    """Return the text of a value without wildcards, else None.

    Raises:
        Refusal: SC206 for a placeholder that nothing has expanded.
    """
    if value.placeholder:
        raise Refusal("SC206", f"the placeholder %{value.placeholder.name}% has no value")
    return value.plain


def matches(column: str, value: Text, negated: bool = False) -> Expr:
    """Compare a string expression with a Sigma string.

    A missing string is the empty one in Kusto, and satisfies nothing: patterns that an empty string would
    satisfy ask for a string that is not empty.
    """
    whole = plain(value)
    cased = value.cased
    if whole == "":
        return empty(column, not negated)
    if whole is not None:
        cased = cased or not has_case(whole)
        return atom(f"{column} {_WHOLE[cased, negated]} {string(whole)}")
    if value.matches_any:
        return empty(column, negated)
    parts = {"contains": value.part, "endswith": value.suffix, "startswith": value.prefix}
    for operator, text in parts.items():
        if text is not None:
            return atom(f"{column} {'!' if negated else ''}{operator}{'_cs' if cased else ''} {string(text)}")
    before, inner, after = value.trimmed
    pattern = "".join(_regex(part) for part in inner)
    flags = "s" if cased else "is"
    return regex(column, f"(?{flags}){'' if before else '^'}{pattern}{'' if after else '$'}", negated)


def part(value: Text) -> tuple[str, bool] | None:
    """Return what a value looks for in a text, and whether that is at its end; None if it is no plain ASCII.

    Of other letters a regular expression folds the case, which `contains` and `endswith` do not.
    """
    match value.parts:
        case (first, str(middle)) if first is ANY:
            at_end = True
        case (first, str(middle), last) if first is ANY and last is ANY:
            at_end = False
        case _:
            return None
    return (middle, at_end) if middle.isascii() or not has_case(middle) else None


def one_of(column: str, parts: Sequence[str], at_end: bool, cased: bool) -> Expr:
    """Look for one of several parts of a text with one regular expression."""
    either = "|".join(map(regex_quoted, parts))
    return regex(column, ("" if cased else "(?i)") + (f"(?:{either})$" if at_end else either))


def regex(column: str, pattern: str, negated: bool = False) -> Expr:
    """Search for a regular expression in a string expression."""
    test = f"{column} matches regex {string(pattern)}"
    return atom(f"not({test})" if negated else test)


def empty(column: str, is_empty: bool = True) -> Expr:
    """Ask for a string that is missing or empty, which Kusto cannot tell apart; or for another."""
    return atom(f"{'isempty' if is_empty else 'isnotempty'}({column})")


def _regex(part: object) -> str:
    if part is ANY:
        return ".*"
    return "." if part is ONE else regex_quoted(str(part))
