"""Run one correlation, with those it refers to, over events in the order of their own time."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from heapq import heappop, heappush
from itertools import product
from typing import Any, cast

from converter.matcher.compiled_rules import Correlation
from converter.matcher.event import Event, number_of, text_of, values_of
from converter.matcher.temporal_ordered import Ordered
from converter.matcher.windows import Entry, Hit, Sliding, Window, exact

Group = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Raised:
    """A correlation's alert before it is given out."""

    time: int
    group: Group
    hit: Hit


@dataclass(slots=True)
class _Item:
    """What a correlation looks at: an event or another correlation's alert, and the rules it stands for."""

    start: int
    end: int
    fields: Event
    positions: tuple[int, ...]
    rules: frozenset[int]
    """`id()` of the rules as YAML gave them."""


class _Node:
    """One correlation of the chain: a window for each group, forgotten when its time is over."""

    def __init__(self, correlation: Correlation) -> None:
        self.correlation = correlation
        self.section = correlation.section
        self.members = [id(doc) for doc in correlation.members]
        self.alone = [frozenset((member,)) for member in range(len(self.members))]
        self.points = not any("correlation" in doc for doc in correlation.members)
        self.windows: OrderedDict[Group, tuple[int, Window]] = OrderedDict()

    def judge(self, time: int, items: Sequence[_Item]) -> list[Raised]:
        """Judge all groups that something of this time belongs to."""
        self._forget(time - self.section.timespan_ms)
        groups: dict[Group, list[Entry]] = {}
        for item in items:
            self._sort_in(item, groups)
        raised = []
        for group, entries in groups.items():
            known = self.windows.get(group)
            window = known[1] if known else self._window()
            self.windows[group] = time, window
            self.windows.move_to_end(group)
            hit = window.judge(time, entries)
            if hit:
                raised.append(Raised(time, group, hit))
        return raised

    def _window(self) -> Window:
        if self.section.type == "temporal_ordered":
            return Ordered(self.section, points=self.points)
        return Sliding(self.section)

    def _forget(self, begin: int) -> None:
        while self.windows:
            group, (last, _) = next(iter(self.windows.items()))
            if last >= begin:
                return
            del self.windows[group]

    def _sort_in(self, item: _Item, groups: dict[Group, list[Entry]]) -> None:
        """Make the entries of an item: one for each group, whichever of its rules put it there."""
        matched = [member for member, rule in enumerate(self.members) if rule in item.rules]
        if len(matched) == 1 and self._sort_in_plain(item, matched[0], groups):
            return
        found: dict[Group, tuple[set[int], dict[tuple[str, ...], None]]] = {}
        for member in matched:
            keys = [_texts(item.fields, field) for field in self.correlation.group_fields[member]]
            for group in product(*keys):
                members, fields = found.setdefault(group, (set(), {}))
                members.add(member)
                fields[self.correlation.value_fields[member]] = None
        for group, (members, fields) in found.items():
            values = self._values(item.fields, fields)
            if values or not self.section.fields:
                entry = Entry(item.start, item.end, frozenset(members), values, item.fields, item.positions)
                groups.setdefault(group, []).append(entry)

    def _sort_in_plain(self, item: _Item, member: int, groups: dict[Group, list[Entry]]) -> bool:
        """Do the same for an item of one rule whose keys are one text each; else return False."""
        fields = item.fields
        group = tuple([fields.get(name) for name in self.correlation.group_fields[member]])
        for key in group:
            if type(key) is not str:
                return False
        values: tuple[Hashable, ...] = ()
        if self.section.fields:
            values = self._values(fields, {self.correlation.value_fields[member]: None})
            if not values:
                return True
        entry = Entry(item.start, item.end, self.alone[member], values, fields, item.positions)
        groups.setdefault(cast("Group", group), []).append(entry)
        return True

    def _values(self, event: Event, fields: Mapping[tuple[str, ...], None]) -> tuple[Hashable, ...]:
        """The values that the condition looks at; an event without them takes no part."""
        if not self.section.fields:
            return ()
        if self.section.type == "value_count":
            found = (product(*(_texts(event, field) for field in names)) for names in fields)
            return tuple(dict.fromkeys(value for values in found for value in values))
        numbers = (number_of(value) for names in fields for value in values_of(event.get(names[0])))
        return tuple(exact(number) for number in numbers if number is not None)


def _texts(event: Event, field: str) -> list[str]:
    """The distinct texts of a field, verbatim; none if it is missing or null."""
    value = event.get(field)
    if isinstance(value, str):
        return [value]
    return list(dict.fromkeys(text_of(one) for one in values_of(value)))


class Engine:
    """A correlation that raises alerts, and below it those it refers to.

    Memory holds what matched a base rule within the windows and the lateness.
    """

    def __init__(self, chain: Sequence[Correlation], lateness_ms: int | None) -> None:
        """Start empty.

        Args:
            chain: the correlation, last, and before it those it refers to, each after those it refers to.
            lateness_ms: how far behind the newest event that matched one may come; None holds all until
                the end.
        """
        self.nodes = [_Node(correlation) for correlation in chain]
        self.nested = {
            id(doc) for node in self.nodes for doc in node.correlation.members if "correlation" in doc
        }
        self.base = {id(doc) for node in self.nodes for doc in node.correlation.members} - self.nested
        self.lateness_ms = lateness_ms
        self.waiting: list[tuple[int, int, int, Event, frozenset[int]]] = []
        self.received = 0
        self.newest: int | None = None
        self.judged: int | None = None
        self.late = 0
        """Events that came too late to be put in order, and were left out."""

    def feed(self, time: int, position: int, event: Event, rules: frozenset[int]) -> Iterator[Raised]:
        """Take an event that matched some of the base rules; yield the alerts that are now certain."""
        if self.judged is not None and time <= self.judged:
            self.late += 1
            return
        self.received += 1
        heappush(self.waiting, (time, position, self.received, event, rules))
        self.newest = time if self.newest is None else max(self.newest, time)
        if self.lateness_ms is not None:
            yield from self._until(self.newest - self.lateness_ms)

    def finish(self) -> Iterator[Raised]:
        """Judge what still waits."""
        yield from self._until(None)

    def _until(self, end: int | None) -> Iterator[Raised]:
        """Judge all times before `end`, each with all of its events."""
        waiting = self.waiting
        while waiting and (end is None or waiting[0][0] < end):
            time = waiting[0][0]
            items = []
            while waiting and waiting[0][0] == time:
                _, position, _, event, rules = heappop(waiting)
                items.append(_Item(time, time, event, (position,), rules))
            self.judged = time
            yield from self._judge(time, items)

    def _judge(self, time: int, items: list[_Item]) -> list[Raised]:
        raised: list[Raised] = []
        for node in self.nodes:
            raised = node.judge(time, items)
            doc = node.correlation.doc
            if id(doc) in self.nested:
                rules = frozenset((id(doc),))
                items.extend(
                    _Item(one.hit.start(), time, _fields(node, one), one.hit.positions, rules)
                    for one in raised
                )
        return raised


def _fields(node: _Node, raised: Raised) -> dict[str, Any]:
    """An alert's fields: those of the event that completes it, its group-by keys and aliases."""
    return {**raised.hit.completing.fields, **dict(zip(node.section.group_by, raised.group, strict=True))}
