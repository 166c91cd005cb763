"""Comparisons of a string column with Sigma strings: plain, prefix, suffix, part, or wildcard."""

from __future__ import annotations

from collections.abc import Sequence

from sigma.types import Placeholder, SigmaCasedString, SigmaString, SpecialChars

from converter.backends.kql.expression import Expr, atom
from converter.backends.kql.literals import has_case, regex_quoted, string
from converter.errors import Refusal

_MANY = SpecialChars.WILDCARD_MULTI
_ONE = SpecialChars.WILDCARD_SINGLE
_WHOLE = {(False, False): "=~", (False, True): "!~", (True, False): "==", (True, True): "!="}


def plain(value: SigmaString) -> str | None:
    """Return the text of a value without wildcards, else None.

    Raises:
        Refusal: SC206 for a placeholder that nothing has expanded.
    """
    whole = True
    for part in value.s:
        if isinstance(part, Placeholder):
            raise Refusal("SC206", f"the placeholder %{part.name}% has no value")
        whole = whole and isinstance(part, str)
    return "".join(map(str, value.s)) if whole else None


def matches(column: str, value: SigmaString, negated: bool = False) -> Expr:
    """Compare a string expression with a Sigma string.

    A missing string is the empty one in Kusto, and satisfies nothing: patterns that an empty string would
    satisfy ask for a string that is not empty.
    """
    whole = plain(value)
    cased = isinstance(value, SigmaCasedString)
    if whole == "":
        return empty(column, not negated)
    if whole is not None:
        cased = cased or not has_case(whole)
        return atom(f"{column} {_WHOLE[cased, negated]} {string(whole)}")
    parts = list(value.s)
    before, after = parts[0] is _MANY, parts[-1] is _MANY
    while parts and parts[0] is _MANY:
        del parts[0]
    while parts and parts[-1] is _MANY:
        del parts[-1]
    if not parts:
        return empty(column, negated)
    if all(isinstance(part, str) for part in parts):
        operator = "contains" if before and after else "endswith" if before else "startswith"
        mark = "!" if negated else ""
        suffix = "_cs" if cased else ""
        return atom(f"{column} {mark}{operator}{suffix} {string(''.join(map(str, parts)))}")
    pattern = "".join(_regex(part) for part in parts)
    flags = "s" if cased else "is"
    return regex(column, f"(?{flags}){'' if before else '^'}{pattern}{'' if after else '$'}", negated)


def part(value: SigmaString) -> tuple[str, bool] | None:
    """Return what a value looks for in a text, and whether that is at its end; None if it is no plain ASCII.

    Of other letters a regular expression folds the case, which `contains` and `endswith` do not.
    """
    match list(value.s):
        case [first, str(middle)] if first is _MANY:
            at_end = True
        case [first, str(middle), last] if first is _MANY and last is _MANY:
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
    if part is _MANY:
        return ".*"
    return "." if part is _ONE else regex_quoted(str(part))
