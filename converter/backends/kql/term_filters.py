"""Which terms a row must hold for a condition to hold: what lets Kusto skip rows before it reads them.

Kusto splits every string into terms, maximal runs of alphanumeric characters, and indexes those of three
characters or more; `has`, `has_any` and `hasprefix` look them up, while `contains`, `endswith`, regular
expressions, and everything taken out of XML or JSON, read every row. (Microsoft's "String operators", "What
is a term?"; "Query best practices": `DynamicColumn has "Rare value"` before a look inside; "has_any
operator": no index beyond 128 terms.)

The rule, of which each line only follows from what a text is:

- A run of ASCII letters and digits in a value of the rule is a whole term of the row if it is bounded on both
  sides: by an ASCII character that is neither letter, digit nor ``_``, or by the edge of the value where the
  comparison is anchored there. Bounded on the left alone it is the beginning of a term.
- ``_`` and what is not ASCII bound nothing: the documentation has said both "alphanumeric" and "ASCII
  alphanumeric", and a wildcard matches any text.
- XML leaves that as it is: a value is between ``>`` and ``<``, and an entity begins with ``&`` and ends
  with ``;``. JSON writes some characters as ``\\n`` or ``\\u0027``, whose last letters join the run on their
  right.
- A column that is several joined by a separator holds a term if one of these does.
- `and` needs what one of its parts needs, `or` what all need; `not`, numbers, null, networks and regular
  expressions need nothing.

A filter adds to the condition and never replaces it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from converter.backends.kql.common_terms import COMMON, EVERYWHERE
from converter.backends.kql.expression import WIDTH, Expr, any_of, atom, call
from converter.backends.kql.literals import name, string
from converter.backends.kql.string_comparisons import plain
from converter.backends.kql.text_sources import Source, sources
from converter.plan.columns import Columns
from converter.plan.conditions import Alternatives, And, Comparison, Condition, Or, Value
from converter.plan.values import Text
from converter.plan.volume_paths import VolumePath

TERMS_MAX = 128
"""Of one filter. Beyond that Kusto does not use its index ("has_any operator", Performance tips)."""
PREFIXES_MAX = 24
"""`hasprefix` takes one text, so that each needs a comparison of its own."""
SEVERAL = 2
"""Filters of a query, and comparisons of a filter on a column that is read as it is."""
RARE = 2
"""Rank of a term that is not known to be in many rows."""
KIND_COLUMNS = frozenset(
    {"ActionType", "Channel", "EventLog", "EventSourceName", "Provider", "Source"}
    | {"event_platform", "event_simpleName"}
)
"""What kind of event a row is: each value of these is in many rows."""
LEAST = 3
"""Characters of a term that is in the index."""
_RUN = re.compile(r"[A-Za-z0-9]+", re.ASCII)
_JSON_ESCAPED = frozenset("\"&'+<>`\x7f") | frozenset(map(chr, range(32)))
"""ASCII that some writer of JSON writes as an escape that ends in a letter or digit.

RFC 8259 asks for that of control characters; System.Text.Json's default encoder does it to the others.
"""


@dataclass(frozen=True, slots=True)
class Term:
    """What a row holds: a term, or where ``whole`` is false the beginning of one; in lower case."""

    text: str
    whole: bool

    def rank(self) -> float:
        """Tell how rare it is likely to be, from 0: below 1 it is in most rows, below 2 in many."""
        if self.text in EVERYWHERE:
            return 0.0
        if self.text in COMMON:
            return 1.5 if self.whole else 1.0
        if len(self.text) == LEAST and not self.whole:
            return 1.2
        length = min(len(self.text), 12) / 12
        return (2.3 if self.whole else 2.0) + length


@dataclass(frozen=True, slots=True)
class Filter:
    """What one row must hold: in one of the columns one of its terms."""

    terms: Mapping[str, tuple[Term, ...]]
    rank: float
    """Of its most common term."""

    def pieces(self) -> int:
        """Return how many comparisons it takes."""
        return sum(
            any(term.whole for term in held) + sum(not term.whole for term in held)
            for held in self.terms.values()
        )


def implied(condition: Condition, columns: Columns) -> Filter | None:
    """Return what every row holds on which the condition holds, the rarest of what is known; or None."""
    match condition:
        case And(items):
            return _best(found for item in items if (found := implied(item, columns)))
        case Or(items):
            return _either([implied(item, columns) for item in items])
        case Comparison(field, value):
            return _comparison(field, value, columns)
    return None


def _best(filters: Iterable[Filter]) -> Filter | None:
    """Return the filter that is likely to keep the fewest rows; of equals the shortest, then the first."""
    return max(filters, key=lambda one: (one.rank, -one.pieces()), default=None)


def _comparison(field: str, value: Value, columns: Columns) -> Filter | None:
    if isinstance(value, Alternatives):
        return _either([_comparison(field, one, columns) for one in value.values])
    if isinstance(value, VolumePath):
        value = value.beyond  # Of the volume's name each path has the words.
    if not isinstance(value, Text):
        return None
    source = sources(columns, field)
    if source is None or field in KIND_COLUMNS:
        return None
    found = max(terms(value, source), key=Term.rank, default=None)
    return Filter(dict.fromkeys(source.columns, (found,)), found.rank()) if found else None


def _either(filters: Sequence[Filter | None]) -> Filter | None:
    held: dict[str, dict[Term, None]] = {}
    for one in filters:
        if one is None:
            return None
        for column, found in one.terms.items():
            held.setdefault(column, {}).update(dict.fromkeys(found))
    if not held:
        return None
    joined = {column: _fewest(list(found)) for column, found in held.items()}
    filter_ = Filter(joined, min(one.rank for one in filters if one))
    every = [term for found in joined.values() for term in found]
    prefixes = sum(not term.whole for term in every)
    return filter_ if len(every) <= TERMS_MAX and prefixes <= PREFIXES_MAX else None


def _fewest(found: Sequence[Term]) -> tuple[Term, ...]:
    """Leave out terms that begin with another that is the beginning of a term."""
    begins = [term.text for term in found if not term.whole]
    return tuple(
        term
        for term in found
        if not any(term.text.startswith(begin) and (term.whole or term.text != begin) for begin in begins)
    )


def terms(value: Text, source: Source) -> Iterator[Term]:
    """Yield the terms, and beginnings of terms, of every text that matches a value."""
    parts = value.parts
    for position, part in enumerate(parts):
        if not isinstance(part, str):
            continue
        first, last = position == 0, position == len(parts) - 1
        for run in _RUN.finditer(part):
            if len(run[0]) < LEAST or run[0].lower() in source.constants:
                continue
            left = first if run.start() == 0 else _bounds(part[run.start() - 1], source.json)
            if not left:
                continue
            after = part[run.end() : run.end() + 1]
            if after and not after.isascii():
                continue
            yield Term(run[0].lower(), last if not after else after != "_")


def _bounds(char: str, json: bool) -> bool:
    """Tell whether a character ends a run on its left and lets one begin on its right."""
    return char.isascii() and not char.isalnum() and char != "_" and not (json and char in _JSON_ESCAPED)


def expression(found: Filter) -> Expr:
    """Return the filter in KQL."""
    return any_of(piece for column, held in found.terms.items() for piece in _pieces(name(column), held))


def _pieces(column: str, held: Sequence[Term]) -> Iterator[Expr]:
    whole = [string(term.text) for term in held if term.whole]
    if len(whole) == 1:
        yield atom(f"{column} has {whole[0]}")
    elif whole:
        yield call(f"{column} has_any ", whole)
    for term in held:
        if not term.whole:
            yield atom(f"{column} hasprefix {string(term.text)}")


def before_reading(conditions: Sequence[Condition], columns: Columns) -> list[Expr]:
    """Return filters for conditions on values that are taken out of other columns, the two rarest in order.

    What is most likely in most rows is left out: it would be one more thing to read and keep nothing away.
    """
    found = [one for tree in conditions if (one := implied(tree, columns)) and one.rank >= 1]
    found.sort(key=lambda one: -one.rank)
    rare = [one for one in found if one.rank >= RARE] or found[:1]
    chosen = rare[:SEVERAL]
    return [expression(one) for one in chosen]


def before_scanning(conditions: Sequence[Condition], columns: Columns) -> tuple[int, Expr] | None:
    """Return a filter for one of some conditions on columns of the table, and its place among them.

    None if Kusto looks one of them up as it is, or no filter is worth its line.
    """
    if any(_is_indexed(tree, columns) for tree in conditions):
        return None
    found = [one for tree in conditions if (one := implied(tree, columns)) and one.rank >= RARE]
    for one in sorted(found, key=lambda one: -one.rank):
        filter_ = expression(one)
        if one.pieces() <= SEVERAL and len(filter_) <= WIDTH - len("| where "):
            place = next(i for i, tree in enumerate(conditions) if implied(tree, columns))
            return place, filter_
    return None


def _is_indexed(condition: Condition, columns: Columns) -> bool:
    """Tell whether Kusto looks a condition up as it is: whole texts, compared for equality."""
    match condition:
        case And(items):
            return any(_is_indexed(item, columns) for item in items)
        case Or(items):
            return all(_is_indexed(item, columns) for item in items)
        case Comparison(field) if field in KIND_COLUMNS:
            return False
        case Comparison(_, Alternatives(values)):
            return all(isinstance(value, Text) and plain(value) for value in values)
        case Comparison(field, Text() as value):
            column = columns.get(field)
            is_text = column is not None and column.type == "string" and column.via is None
            return is_text and bool(plain(value))
    return False
