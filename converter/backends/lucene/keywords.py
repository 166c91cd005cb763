"""What a search over all fields does not find."""

from __future__ import annotations

import re
from collections.abc import Callable

from converter.backends.lucene.fields import Scope
from converter.plan.model import Fidelity


def note(scope: Scope, keyword: str | None) -> None:
    """Note the types of fields in which a keyword (None: a regex) may be without being found.

    Analysed text is searched word by word, numbers and addresses not by their text.
    """
    # Every document has its time, whether or not the rule's columns name it.
    types = dict.fromkeys([*(column.type for column in scope.columns.values()), "date"])
    lost = [
        kind
        for kind in types
        if (could := _HOLDS.get(kind)) and (keyword is None or could(keyword.strip("*")))
    ]
    if lost:
        where = ", ".join(lost)
        scope.lose(
            Fidelity.NARROWER,
            f"keywords are found in fields of type keyword and wildcard, not in {where}",
            _found_in(scope),
        )
    limits = {limit for column in scope.columns.values() if (limit := column.cut(scope.category))}
    if limits and scope.category is None:  # A category's events have their long texts in wildcard fields.
        scope.lose(
            Fidelity.NARROWER,
            f"keywords are not found in values of more than {min(limits):,} characters in keyword fields",
            _found_in(scope),
        )


def _found_in(scope: Scope) -> str:
    """Return the relaxation: how each column is searched that is not searched as one text."""
    found = {TIME: "never"}
    for name, column in scope.columns.items():
        if column.type in _ANALYSED:
            found[name] = "pattern" if column.analyzer else "standard"
        elif column.type in _HOLDS:
            found[name] = "never"
        elif limit := column.cut(scope.category):
            found[name] = str(limit)
    return "keywords in stored texts: " + ", ".join(f"{name}={how}" for name, how in sorted(found.items()))


def _made_of(characters: str) -> Callable[[str], bool]:
    return lambda keyword: not keyword.lower().strip(characters + "*?")


def _several_words(keyword: str) -> bool:
    return re.fullmatch("[A-Za-z0-9]*", keyword) is None


TIME = "@timestamp"
_ANALYSED = ("text", "match_only_text")
# Types that an unfielded search reads in another way than as one text, and whether they can hold a keyword.
_HOLDS: dict[str, Callable[[str], bool]] = {
    **dict.fromkeys(_ANALYSED, _several_words),
    **dict.fromkeys(("long", "integer", "short", "byte", "unsigned_long"), _made_of("-0123456789")),
    **dict.fromkeys(("double", "float", "half_float", "scaled_float"), _made_of("-+.0123456789e")),
    "ip": _made_of(".:0123456789abcdef"),
    "date": _made_of("-:.tz 0123456789"),
    "boolean": lambda keyword: keyword.lower() in "true" or keyword.lower() in "false",
}
