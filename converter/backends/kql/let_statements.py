"""The `let` statements of a correlation query, and names that collide with nothing."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from converter.backends.kql.expression import INDENT, WIDTH
from converter.backends.kql.literals import name

_UNITS = ((86_400_000, "d"), (3_600_000, "h"), (60_000, "m"), (1_000, "s"), (1, "ms"))


def timespan(milliseconds: int) -> str:
    """Return a timespan literal: ``90s``, ``5m``, ``1d``."""
    size, unit = next(pair for pair in _UNITS if milliseconds % pair[0] == 0)
    return f"{milliseconds // size}{unit}"


class Script:
    """Collects statements; hands out names that no column, table or other statement has."""

    def __init__(self, taken: Iterable[str]) -> None:
        # DuckDB folds the case of names where Kusto does not: two names never differ in case only.
        self._reserved = frozenset(one.lower() for one in taken)
        self._taken = set(self._reserved)
        self._timespans: dict[int, str] = {}
        self._lets: dict[str, str] = {}
        self._once: set[str] = set()
        self.needs: set[str] = set()

    def fresh(self, hint: str) -> str:
        """Return an identifier like the hint, and keep it from others.

        Kusto appends 1 to a column that both sides of a join have: that name is kept free as well.
        """
        base = re.sub(r"\W", "_", hint, flags=re.ASCII)
        if not base or base[0].isdigit() or name(base) != base:
            base = f"rule_{base}"
        found, number = base, 1
        while found.lower() in self._taken or f"{found}1".lower() in self._taken:
            number += 1
            found = f"{base}_{number}"
        self._taken.add(found.lower())
        return found

    def timespan(self, milliseconds: int) -> str:
        """Return the name of a timespan; equal ones share it."""
        if milliseconds not in self._timespans:
            self._timespans[milliseconds] = self.let("Timespan", timespan(milliseconds))
        return self._timespans[milliseconds]

    def columns(self) -> Script:
        """Return a script that hands out names of columns, which other tables may have as well."""
        return Script(self._reserved)

    def let(self, hint: str, body: str, *, once: bool = False) -> str:
        """Add ``let hint = body;`` and return the name that it got.

        ``once``: materialize it, as it is read more than once.
        """
        chosen = self.fresh(hint)
        self._lets[chosen] = body
        if once:
            self._once.add(chosen)
        return chosen

    def read_again(self, chosen: str) -> None:
        """Materialize a statement: Kusto works out what is not so at each place that reads it."""
        self._once.add(chosen)

    def text(self, final: str) -> str:
        """Return the whole query."""
        return "".join([*sorted(self.needs), *map(self._statement, self._lets), final])

    def _statement(self, chosen: str) -> str:
        body = self._lets[chosen]
        before, after = (f"\n{INDENT}", "\n") if "\n" in body else ("", "")
        if chosen in self._once:
            return f"let {chosen} = materialize({before}{body}{after});\n"
        return f"let {chosen} ={before or ' '}{body};\n"


def piped(source: str, operators: Sequence[str], indent: str = "") -> str:
    """Return a source and its operators, one a line."""
    return f"\n{indent}| ".join([source, *(one.replace("\n", f"\n{indent}") for one in operators)])


def project(columns: Sequence[tuple[str, str]]) -> str:
    """Return ``project`` of columns given as name and expression."""
    return "project " + assignments(columns)


def summarize(columns: Sequence[tuple[str, str]], by: str) -> str:
    """Return ``summarize`` of columns, one a line where they do not fit on one.

    Columns that are taken of any row are taken of one: Microsoft's page on ``take_any`` says that the values
    of one call are of one record, and several calls need not meet the same.
    """
    taken = [name(column) for column, expression in columns if expression == f"take_any({name(column)})"]
    parts: list[str] = []
    for column, expression in columns:
        if name(column) not in taken:
            parts.append(assignments([(column, expression)]))
        elif name(column) == taken[0]:
            parts.append(f"take_any({', '.join(dict.fromkeys(taken))})")
    line = f"summarize {', '.join(parts)}{' ' if parts else ''}by {by}"
    if len(line) <= WIDTH - len(INDENT):
        return line
    each = ",\n    ".join(parts)
    return f"summarize\n    {each}\n    by {by}"


def taken(columns: Sequence[str]) -> list[tuple[str, str]]:
    """Return, for `summarize`, columns of some row, all of the same one.

    Several `take_any` may each take another row (Microsoft's page of it); one of several columns takes one.
    """
    return [("", f"take_any({', '.join(map(name, columns))})")] if columns else []


def assignments(columns: Sequence[tuple[str, str]]) -> str:
    """Return ``name = expression`` for each column; the expression alone where it names the column."""
    pairs = ((name(column) if column else "", expression) for column, expression in columns)
    return ", ".join(right if left in ("", right) else f"{left} = {right}" for left, right in pairs)
