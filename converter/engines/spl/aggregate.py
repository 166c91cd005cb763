"""Aggregations of `stats` and `streamstats`: count, sum, min, max, first, last, dc and values."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any
from zlib import crc32

from converter.engines.spl.failures import invalid, unknown
from converter.engines.spl.values import Row, each, number, ordered, text

MAX_STREAM_WINDOW = 10_000
"""limits.conf, [stats|sistats] max_stream_window: the most events that a window of streamstats holds."""


@dataclass(frozen=True, slots=True)
class Aggregation:
    """``function(field) as name``; count has no field."""

    function: str
    field: str | None
    name: str


def _numbers(values: Iterable[Any]) -> list[int | float]:
    return [found for value in values if (found := number(value)) is not None]


def _extreme(values: Sequence[Any], highest: bool) -> Any:
    """Numeric if all are numbers, else lexicographic (Search Reference, "max" and "min")."""
    if not values:
        return None
    numbers = _numbers(values)
    if len(numbers) == len(values):
        return max(numbers) if highest else min(numbers)
    texts = [text(value) for value in values]
    return max(texts) if highest else min(texts)


def _values(values: Sequence[Any]) -> Any:
    """The distinct values in lexicographic order; one value is no list."""
    distinct = sorted({text(value) for value in values})
    return (distinct if len(distinct) > 1 else distinct[0]) if distinct else None


_OF_LIST: dict[str, Callable[[Sequence[Any]], Any]] = {
    "sum": lambda values: sum(found) if (found := _numbers(values)) else None,
    "min": lambda values: _extreme(values, False),
    "max": lambda values: _extreme(values, True),
    "first": lambda values: values[0] if values else None,
    "last": lambda values: values[-1] if values else None,
    "dc": lambda values: len({text(value) for value in values}),
    "values": _values,
}
FUNCTIONS = frozenset({"count", *_OF_LIST})


def _of_rows(aggregation: Aggregation, rows: Iterable[Row]) -> Any:
    if aggregation.field is None:
        return sum(1 for _ in rows)
    found = [one for row in rows for one in each(row.get(aggregation.field))]
    return len(found) if aggregation.function == "count" else _OF_LIST[aggregation.function](found)


def _key(row: Row, by: Sequence[str]) -> tuple[str, ...] | None:
    """Return the group of a row, by the texts of its values, or None if it lacks a field."""
    values = [row.get(field) for field in by]
    if any(isinstance(value, list) for value in values):
        raise unknown("a group by a field of several values")
    return None if any(value is None for value in values) else tuple(map(text, values))


def stats(rows: Sequence[Row], aggregations: Sequence[Aggregation], by: Sequence[str]) -> list[Row]:
    """One row per group; events that lack a field of the group are left out (Search Reference, "stats")."""
    groups: dict[tuple[str, ...], list[Row]] = {}
    for row in rows:
        key = _key(row, by)
        if key is not None:
            groups.setdefault(key, []).append(row)
    out: list[Row] = []
    # In an order that nothing may rely on: the documentation promises none.
    for _, members in sorted(groups.items(), key=lambda item: crc32(repr(item[0]).encode())):
        result = {field: members[0][field] for field in by}
        for aggregation in aggregations:
            value = _of_rows(aggregation, members)
            if value is not None:
                result[aggregation.name] = value
        out.append(result)
    return out


@dataclass(frozen=True, slots=True)
class Stream:
    """The options of `streamstats`; ``window`` 0 is all events so far."""

    aggregations: tuple[Aggregation, ...]
    by: tuple[str, ...]
    window: int = 0
    current: bool = True
    each_group: bool = False
    """``global=false``: the window holds the events of one group."""

    def __post_init__(self) -> None:
        """Refuse what Splunk refuses, or does in a way that no query here relies on."""
        if self.window > MAX_STREAM_WINDOW:
            raise invalid(f"a window of streamstats holds at most {MAX_STREAM_WINDOW} events")
        if self.window and self.by and not self.each_group:
            raise unknown("streamstats with a window over all groups")


def streamstats(rows: Sequence[Row], stream: Stream) -> list[Row]:
    """Add running aggregations to each row, in the order of the rows.

    A row that lacks a field of the group keeps its place and gets nothing: the documentation is silent, so
    emitted queries keep such rows away or do not look at the result.
    """
    groups: dict[tuple[str, ...], _Group] = {}
    out = []
    for row in rows:
        key = _key(row, stream.by)
        if key is None:
            out.append(row)
            continue
        group = groups.get(key)
        if group is None:
            group = groups[key] = _Group(stream)
        # A null result leaves no older field of its name.
        out.append({key: one for key, one in {**row, **group.add(row)}.items() if one is not None})
    return out


class _Group:
    """The state of one group: a window of rows, or running results where the window is everything."""

    def __init__(self, stream: Stream) -> None:
        self.stream = stream
        # With current=false the window is of the rows before this one.
        self.rows: deque[Row] = deque(maxlen=stream.window)
        self.results: dict[str, Any] = {}

    def add(self, row: Row) -> Row:
        """Take a row in and return the results at it."""
        if not self.stream.current:
            before = self._results()
            self._take(row)
            return before
        self._take(row)
        return self._results()

    def _take(self, row: Row) -> None:
        if self.stream.window:
            self.rows.append(row)
            return
        for aggregation in self.stream.aggregations:
            self.results[aggregation.name] = _running(aggregation, self.results.get(aggregation.name), row)

    def _results(self) -> Row:
        found = (
            {one.name: _of_rows(one, self.rows) for one in self.stream.aggregations}
            if self.stream.window
            else {one.name: self.results.get(one.name) for one in self.stream.aggregations}
        )
        if not self.stream.window:
            found |= {
                n.name: 0 for n in self.stream.aggregations if n.function == "count" and found[n.name] is None
            }
        return found


def _running(aggregation: Aggregation, result: Any, row: Row) -> Any:
    """Return the result with one more row."""
    if aggregation.field is None:
        return (result or 0) + 1
    values = each(row.get(aggregation.field))
    if aggregation.function == "count":
        return (result or 0) + len(values)
    if aggregation.function == "dc":
        raise unknown("dc() over all events so far")
    if aggregation.function == "values":
        return _values([*each(result), *values])
    for value in values:
        if result is None or aggregation.function == "last":
            result = number(value) if aggregation.function == "sum" else value
        elif aggregation.function == "sum":
            result = result + (number(value) or 0)
        elif aggregation.function != "first":
            left, right = ordered(result, value)
            result = value if (right > left) == (aggregation.function == "max") and left != right else result
    return result
