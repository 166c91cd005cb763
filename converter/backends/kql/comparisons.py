"""One field against one value, by the type of the column."""

from __future__ import annotations

import ipaddress
import re
import warnings
from collections.abc import Sequence
from datetime import datetime

from converter.backends.common.numbers import numeral, whole
from converter.backends.kql import literals, string_comparisons
from converter.backends.kql.expression import Expr, all_of, atom, call, negation
from converter.backends.kql.regex import translate
from converter.errors import Refusal
from converter.plan.columns import Column, Columns
from converter.plan.conditions import Alternatives, Value
from converter.plan.values import (
    Exists,
    FieldOf,
    Flag,
    Foreign,
    Network,
    Null,
    Number,
    Ordered,
    Regex,
    Text,
    TimePart,
    TimeUnit,
)
from converter.plan.volume_paths import VolumePath

NUMERIC = frozenset({"int", "long", "real"})
_PARTS: dict[TimeUnit, str] = {
    "minute": 'datetime_part("minute", {})',
    "hour": "hourofday({})",
    "day": "dayofmonth({})",
    "week": "week_of_year({})",
    "month": "monthofyear({})",
    "year": "getyear({})",
}
_FLAGS = {"i": re.IGNORECASE, "m": re.MULTILINE, "s": re.DOTALL}
_REFERENCE = {
    (False, False): "=~",
    (True, False): "startswith",
    (False, True): "endswith",
    (True, True): "contains",
}
_MAPPED = ipaddress.IPv6Network("::ffff:0:0/96")
_WHOLE_NUMBER = re.compile(r"0|-?[1-9][0-9]{0,17}", re.ASCII)
_ISO = re.compile(r"\d{4}-\d\d-\d\dT", re.ASCII)
# As in `[[:alpha:]]`, which Python does not know.
_NAMED_CLASS = re.compile(r"\[:\^?[a-z]+:\]")


class Leaves:
    """Comparisons over the columns of one cell."""

    def __init__(self, columns: Columns) -> None:
        self._columns = columns

    def column(self, field: str) -> Column:
        """Return a column.

        Raises:
            Refusal: SC204 if the list does not have it.
        """
        try:
            return self._columns[field]
        except KeyError:
            raise Refusal("SC204", f"the table has no column {field!r}") from None

    def field(self, field: str) -> str:
        """Return the field's name in the query."""
        self.column(field)
        return literals.name(field)

    def as_text(self, field: str) -> str:
        """Return the field as a string expression.

        Raises:
            Refusal: SC204 for a time, whose text is Kusto's own.
        """
        kind = self.column(field).type
        if kind == "datetime":
            raise Refusal("SC204", f"{field!r} is a datetime: Kusto's text of it is not the event's")
        return literals.name(field) if kind == "string" else f"tostring({literals.name(field)})"

    def listable(self, field: str, value: Value) -> tuple[str, str] | None:
        """Return operator and literal if ``field operator (literal, ...)`` says the comparison, else None."""
        kind = self.column(field).type
        if isinstance(value, Text) and (plain := string_comparisons.plain(value)):
            if kind == "string":
                return "in" if value.cased else "in~", literals.string(plain)
            whole_number = kind in ("int", "long") and _WHOLE_NUMBER.fullmatch(plain)
            return ("in", str(whole(int(plain)))) if whole_number else None
        if isinstance(value, Number):
            if kind in NUMERIC:
                return "in", _exact(value)
            return ("in~", literals.string(numeral(value.number))) if kind == "string" else None
        return None

    def compare(self, field: str, value: Value, negated: bool, in_not: bool) -> Expr:
        """Compare a field with a value.

        Args:
            field: a column.
            value: of the rule.
            negated: return the complement, which a missing field satisfies.
            in_not: the result is inside a `not(...)`: it must not be null.

        Raises:
            Refusal: for what Kusto or the column cannot say.
        """
        match value:
            case Null():
                return self._missing(field, not negated)
            case Exists():
                return self._missing(field, value.exists == negated)
            case TimePart():
                return self._time_part(field, value, "==", negated, in_not)
            case Ordered():
                return self._ordered(field, value, negated, in_not)
            case Number() | Flag():
                return self._scalar(field, value, negated)
            case Text():
                return self._string(field, value, negated)
            case Regex() | VolumePath():
                return self._regex(field, value, negated)
            case Network():
                return self.ranges(field, [value], negated, in_not)
            case FieldOf():
                return self._reference(field, value, negated, in_not)
            case Foreign():
                raise Refusal("SC201", f"KQL: values of type {value.kind} are not supported")
            case Alternatives():
                raise AssertionError("alternatives are compared one by one")

    def ranges(self, field: str, values: Sequence[Network], negated: bool, in_not: bool) -> Expr:
        """Ask for an address within any of networks of one IP version."""
        networks = [value.network for value in values]
        column = self.as_text(field)
        function = f"ipv{networks[0].version}_is_in_{'any_' if len(networks) > 1 else ''}range"
        test = call(function, [column, *(literals.string(str(network)) for network in networks)])
        if any(isinstance(one, ipaddress.IPv6Network) and one.overlaps(_MAPPED) for one in networks):
            # Kusto reads an IPv4 address as the mapped IPv6 one; Sigma does not.
            test = all_of([atom(f'{column} contains ":"'), test])
        return _complete(test, negated, in_not)

    def _missing(self, field: str, missing: bool) -> Expr:
        kind = self.column(field).type
        column = literals.name(field)
        if kind == "string":
            return string_comparisons.empty(column, missing)
        if kind in ("dynamic", "guid"):
            return string_comparisons.empty(f"tostring({column})", missing)
        return atom(f"{'isnull' if missing else 'isnotnull'}({column})")

    def _scalar(self, field: str, value: Number | Flag, negated: bool) -> Expr:
        kind = self.column(field).type
        column = literals.name(field)
        operator = "!=" if negated else "=="
        if isinstance(value, Flag):
            word = value.word
            if kind == "bool":
                return atom(f"{column} {operator} {word}")
            return atom(f'{self.as_text(field)} {"!~" if negated else "=~"} "{word}"')
        if kind in NUMERIC:
            return atom(f"{column} {operator} {_exact(value)}")
        return atom(f"{self.as_text(field)} {operator} {literals.string(numeral(value.number))}")

    def _string(self, field: str, value: Text, negated: bool) -> Expr:
        kind = self.column(field).type
        column = literals.name(field)
        operator = "!=" if negated else "=="
        plain = string_comparisons.plain(value)
        if plain == "":
            return self._missing(field, not negated)
        if plain is not None:
            if kind in ("int", "long") and _WHOLE_NUMBER.fullmatch(plain):
                return atom(f"{column} {operator} {whole(int(plain))}")
            if kind == "bool" and plain.lower() in ("true", "false"):
                return atom(f"{column} {operator} {plain.lower()}")
            if kind == "datetime" and (moment := _moment(plain)):
                return atom(f"{column} {operator} datetime({moment})")
        return string_comparisons.matches(self.as_text(field), value, negated)

    def _regex(self, field: str, value: Regex | VolumePath, negated: bool) -> Expr:
        regex = value.regex if isinstance(value, VolumePath) else value
        source, letters = regex.pattern, regex.flags
        column = self.as_text(field)
        test = string_comparisons.regex(
            column, (f"(?{letters})" if letters else "") + translate(source, letters)
        )
        flags = sum(_FLAGS[letter] for letter in letters)
        if not isinstance(value, VolumePath) and _finds_nothing(source, flags):
            # It finds the empty string, which a missing one is in Kusto.
            test = all_of([string_comparisons.empty(column, False), test])
        return negation(test) if negated else test

    def _ordered(self, field: str, value: Ordered, negated: bool, in_not: bool) -> Expr:
        if isinstance(value.number, TimePart):
            return self._time_part(field, value.number, value.operator, negated, in_not)
        kind = self.column(field).type
        if kind in ("datetime", "bool"):
            raise Refusal("SC204", f"{field!r} is a {kind} and has no order among numbers")
        column = literals.name(field) if kind in NUMERIC else f"toreal({literals.name(field)})"
        return _complete(atom(f"{column} {value.operator} {_exact(value.number)}"), negated, in_not)

    def _time_part(self, field: str, value: TimePart, operator: str, negated: bool, in_not: bool) -> Expr:
        column = literals.name(field)
        if self.column(field).type != "datetime":
            column = f"todatetime({column})"
        part = _PARTS[value.unit].format(column)
        return _complete(atom(f"{part} {operator} {_exact(value)}"), negated, in_not)

    def _reference(self, field: str, value: FieldOf, negated: bool, in_not: bool) -> Expr:
        kinds = {self.column(field).type, self.column(value.field).type}
        partial = value.starts_with or value.ends_with
        if not partial and (kinds <= NUMERIC or kinds == {"datetime"} or kinds == {"bool"}):
            test = atom(f"{literals.name(field)} == {literals.name(value.field)}")
            return _complete(test, negated, in_not)
        this, other = self.as_text(field), self.as_text(value.field)
        operator = _REFERENCE[value.starts_with, value.ends_with]
        # Two missing fields are equal in Kusto, and every text contains an empty one.
        test = all_of([string_comparisons.empty(other, False), atom(f"{this} {operator} {other}")])
        return negation(test) if negated else test


def _complete(test: Expr, negated: bool, in_not: bool) -> Expr:
    """Negate a test that is null where the field is missing; a row whose `not` is null is dropped."""
    if not (negated or in_not):
        return test
    sure = atom(f"coalesce({test}, false)")
    return negation(sure) if negated else sure


def _finds_nothing(source: str, flags: int) -> bool:
    """Tell whether a regular expression finds the empty string."""
    with warnings.catch_warnings():
        # `[[` and the like: Python warns of a meaning that they may get.
        warnings.simplefilter("ignore", FutureWarning)
        return re.search(_NAMED_CLASS.sub("a", source), "", flags) is not None


def _exact(value: Number | TimePart) -> str:
    """Return a number's literal.

    Raises:
        Refusal: SC203 for a whole number that a long cannot hold.
    """
    return literals.number(whole(value.number))


def _moment(value: str) -> str | None:
    """Return ISO 8601 as Kusto reads it in ``datetime(...)``, if the value is that."""
    try:
        return datetime.fromisoformat(value).isoformat() if _ISO.match(value) else None
    except ValueError:
        return None
