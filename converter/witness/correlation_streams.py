"""Witnesses of a correlation: streams around its threshold, its window, its order and its groups."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import Any

from converter.matcher.modifiers import Placeholders
from converter.witness import ANOTHER_WAY
from converter.witness.correlated_rules import Base, Chain, Node, World
from converter.witness.defaults import START, stamp
from converter.witness.moved_files import other_drive
from converter.witness.requirements import Part, parts, too_many, ways

MOST_EVENTS = 2600
_NEAR_MISSES = 12
_RANDOM_EVENTS = 40
_FEW_PARTS = 6
_MOST_HITS = 60
_MOST_PROBED = 90
_TOGETHER = 50


@dataclass(frozen=True, slots=True)
class Placed:
    """An event of a base rule at a time."""

    time: int
    """Milliseconds after `START`."""
    base: Base
    identity: int
    more: Mapping[str, Any] = field(default_factory=dict)
    drop: frozenset[str] = frozenset()
    """Fields to leave out."""
    instead: Mapping[str, Any] | None = None
    """An event to take in place of the base rule's own; it gets the keys and the time."""


Streams = Iterator[tuple[str, tuple[Mapping[str, Any], ...]]]


def correlation_streams(
    rules: Sequence[Mapping[str, Any]], rule: Mapping[str, Any], placeholders: Placeholders | None
) -> Streams:
    """Yield streams of a correlation, always the same: `MOST_EVENTS` events, more for high thresholds.

    Raises:
        RuleError: if a rule is not valid Sigma.
    """
    maker = _Maker(World(rules, rule, placeholders))
    total, seen = 0, set()
    for name, placed in maker.situations():
        events = tuple(maker.render(placed))
        token = json.dumps(events, sort_keys=True, default=str)
        if not events or token in seen:
            continue
        if total + len(events) > max(MOST_EVENTS, 8 * len(maker.parts)):
            continue
        seen.add(token)
        total += len(events)
        yield name, events


class _Maker:
    def __init__(self, world: World) -> None:
        self.world = world
        self.top = world.top
        self.section = self.top.correlation.section
        self.span = self.section.timespan_ms
        start = int(START.timestamp() * 1000)
        # A boundary of fixed windows, with room before it.
        self.boundary = 2 * self.span + (-start) % self.span
        self.parts = parts(self.top.correlation)
        self.ways = ways(self.top.correlation)
        self.serial = 0

    def render(self, placed: Sequence[Placed]) -> Iterator[dict[str, Any]]:
        """Yield the events, in the order given."""
        for number, one in enumerate(placed):
            event = self.world.event(one.base, one.identity, one.more)
            if one.instead is not None:
                keys = {key: event[key] for key in self.world.keys(one.base) if key in event}
                event = {**one.instead, **keys, **one.more}
            event = {key: value for key, value in event.items() if key not in one.drop}
            sysmon = one.base.single.builder.sysmon
            if sysmon:
                event["EventRecordID"] = 7000 + number
            yield {**event, **stamp(one.time, sysmon=sysmon)}

    def place(
        self,
        node: Node,
        identity: int,
        start: int,
        end: int,
        *,
        chosen: Sequence[Part] | None = None,
        inner: int = 0,
    ) -> list[Placed]:
        """Place what makes a rule hold, the first event at `start` and the last at `end`.

        Args:
            node: the rule.
            identity: whose keys the events have.
            start: of the first event.
            end: of the last event.
            chosen: the parts, if not the usual ones.
            inner: how far the events of correlations below lie apart; 0 is as it fits.
        """
        if isinstance(node, Base):
            return [Placed(end, node, identity)]
        pieces = parts(node.correlation) if chosen is None else chosen
        placed: list[Placed] = []
        last = max(len(pieces) - 1, 1)
        gap = (end - start) // last
        for number, piece in enumerate(pieces):
            member = node.members[piece.member]
            point = end if len(pieces) == 1 else start + (end - start) * number // last
            span = member.correlation.section.timespan_ms if isinstance(member, Chain) else 0
            width = min(span, gap // 3 if len(pieces) > 1 else end - start)
            if inner and span:
                width = inner
            begin, finish = point - width, point
            if number == 0 and len(pieces) > 1:
                begin, finish = point, point + width
            made = self.place(member, identity, begin, finish)
            fields = self._value_fields(node, piece)
            placed += [replace(one, more={**one.more, **fields.get(id(one.base.doc), {})}) for one in made]
        return placed

    def _value_fields(self, node: Chain, piece: Part) -> dict[int, dict[str, Any]]:
        """For each base rule, the fields that hold the value of a part."""
        if piece.value is None:
            return {}
        found: dict[int, dict[str, Any]] = {}
        for name in node.correlation.value_fields[piece.member]:
            for rule, spot in self.world.spots(node.members[piece.member], name):
                found.setdefault(rule, {})[spot] = self._value(rule, spot, piece.value)
        return found

    def _value(self, rule: int, spot: str, value: Any) -> Any:
        """A text that the rule accepts in that field for the value with that number; numbers as they are."""
        if not isinstance(value, str):
            return value
        single = self.world.bases[rule].single
        number = int(value)
        if spot not in single.builder.by_field:
            plain = single.builder.plain.get(spot, "qz")
            return plain + number if isinstance(plain, int) else f"{plain}{number}"
        known: dict[Any, None] = {}
        for event in [*islice(single.hits(), 200), *islice(single.changes(single.hit()), 400)]:
            if spot in event and single.holds(event):
                known[event[spot]] = None
        texts = list(known) or ["qz"]
        return texts[number % len(texts)]

    def usual(
        self, identity: int = 0, at: int | None = None, chosen: Sequence[Part] | None = None
    ) -> list[Placed]:
        """What satisfies the correlation within half a window."""
        start = self.boundary + self.span // 8 if at is None else at
        return self.place(self.top, identity, start, start + self.span // 2, chosen=chosen)

    def situations(self) -> Iterator[tuple[str, list[Placed]]]:
        """Yield named streams, the most telling first."""
        yield "at the threshold", self.usual()
        yield from self._other_ways()
        yield from self._counts()
        yield from self._windows()
        yield from self._groups()
        yield from self._orders()
        if not too_many(self.parts):
            yield from self._values()
            yield from self._near_misses()
            yield from self._random()

    def _other_ways(self) -> Iterator[tuple[str, list[Placed]]]:
        """Other rules than the usual ones that satisfy the condition together."""
        low, span = self.boundary, self.span
        for number, chosen in enumerate(self.ways[1:], 2):
            name = f"{ANOTHER_WAY} ({number})"
            yield name, self.usual(chosen=chosen)
            yield f"on the edge in {name}", self.place(self.top, 0, low, low + span, chosen=chosen)
            reverse = self.place(self.top, 0, low, low + span, chosen=chosen[::-1])
            yield f"on the edge in the other order, in {name}", reverse
            outside = self.place(self.top, 0, low, low + span + 1, chosen=chosen)
            yield f"one millisecond outside in {name}", outside

    def _way_with(self, base: Base) -> list[Part]:
        """Return parts among whose events is one of a base rule."""
        for chosen in self.ways:
            if any(one.base is base for one in self.usual(chosen=chosen)):
                return chosen
        return self.parts

    def _counts(self) -> Iterator[tuple[str, list[Placed]]]:
        pieces = list(self.parts)
        for number in range(len(pieces))[: 1 if too_many(pieces) else 6]:
            yield f"without part {number + 1}", self.usual(chosen=pieces[:number] + pieces[number + 1 :])
        yield "one more", self.usual(chosen=[*pieces, pieces[0].another(len(pieces))])
        yield "one", self.usual(chosen=pieces[:1])
        yield "one part again and again", self.usual(chosen=pieces[:1] * (len(pieces) + 1))
        yield "the last part again and again", self.usual(chosen=pieces[-1:] * (len(pieces) + 1))

    def _windows(self) -> Iterator[tuple[str, list[Placed]]]:
        low, span = self.boundary, self.span
        yield "on the window's edge", self.place(self.top, 0, low, low + span)
        yield "one millisecond outside", self.place(self.top, 0, low, low + span + 1)
        reverse = self.parts[::-1]
        yield "on the edge in the other order", self.place(self.top, 0, low, low + span, chosen=reverse)
        yield "one millisecond inside", self.place(self.top, 0, low, low + span - 1)
        yield "across a fixed boundary", self.place(self.top, 0, low - span // 4, low + span // 4)
        yield "all at one time", self.place(self.top, 0, low, low)
        yield "again after a pause", [*self.usual(), *self.usual(at=low + 5 * span)]
        for chain in self.world.chains():
            if chain is not self.top:
                inner = chain.correlation.section.timespan_ms
                for extra, what in ((0, "on its edge"), (1, "one millisecond outside")):
                    name = chain.correlation.doc.get("name") or chain.correlation.doc.get("title")
                    placed = self.place(self.top, 0, low, low + max(span, 3 * inner), inner=inner + extra)
                    yield f"{name} {what}", sorted(placed, key=lambda one: one.time)
                    placed = self.place(self.top, 0, low, low + inner + extra, inner=inner + extra)
                    yield f"{name} {what}, from the start", placed

    def _groups(self) -> Iterator[tuple[str, list[Placed]]]:
        usual = self.usual()
        if self.world.identities() > 1:
            other = [replace(one, time=one.time + 7, identity=1) for one in usual]
            yield "two groups interleaved", sorted([*usual, *other], key=lambda one: one.time)
            for number in sorted({0, len(usual) - 1}):
                changed = list(usual)
                changed[number] = replace(usual[number], identity=1)
                yield f"event {number + 1} of another group", changed
            mixed = [replace(one, identity=number % 2) for number, one in enumerate(usual)]
            yield "events of two groups in turn", mixed
        yield from self._elsewhere(usual)
        for key in sorted({key for one in usual for key in self.world.keys(one.base)}):
            yield f"none with {key}", [replace(one, drop=frozenset({key})) for one in usual]
        for number in sorted({0, len(usual) - 1}):
            for key in self.world.keys(usual[number].base):
                yield f"event {number + 1} without {key}", self._with(usual, number, drop=frozenset({key}))
                yield from self._other_case(usual, number, key)

    def _elsewhere(self, usual: list[Placed]) -> Iterator[tuple[str, list[Placed]]]:
        """Keys that are paths, on another drive: not all sources know drives."""
        for spots, values in zip(self.world.classes, self.world.class_values, strict=True):
            path = other_drive(values[0]) if values and isinstance(values[0], str) else None
            if path:
                fields = dict(sorted(spots))
                there = [
                    replace(one, more={**one.more, fields[id(one.base.doc)]: path})
                    if id(one.base.doc) in fields
                    else one
                    for one in usual
                ]
                yield f"{', '.join(sorted(set(fields.values())))} on another drive", there

    def _other_case(self, usual: list[Placed], number: int, key: str) -> Iterator[tuple[str, list[Placed]]]:
        one = usual[number]
        single = one.base.single
        value = self.world.event(one.base, one.identity, one.more).get(key)
        if isinstance(value, str) and value.swapcase() != value and value.isascii():
            fixed = {**one.more, key: value.swapcase()}
            if single.builder.storable(key, value.swapcase()):
                yield f"event {number + 1} with {key} in another case", self._with(usual, number, more=fixed)

    def _with(self, placed: list[Placed], number: int, **changes: Any) -> list[Placed]:
        return [*placed[:number], replace(placed[number], **changes), *placed[number + 1 :]]

    def _orders(self) -> Iterator[tuple[str, list[Placed]]]:
        usual = self.usual()
        yield "arriving in reverse", usual[::-1]
        yield "in the other order", self.usual(chosen=list(self.parts)[::-1])
        yield "each twice", [twice for one in usual for twice in (one, replace(one, time=one.time + 1))]
        pieces = list(self.parts)
        if not too_many(self.parts):
            start = self.boundary
            long = self.place(self.top, 0, start, start + 3 * self.span // 2, chosen=pieces * 3)
            yield "a burst longer than the window", sorted(long, key=lambda one: one.time)
            yield "a dense burst", sorted(self.usual(chosen=pieces * 3), key=lambda one: one.time)
            rotated = self.usual(chosen=pieces[1:] + pieces)
            yield "beginning in the middle", sorted(rotated, key=lambda one: one.time)

    def _values(self) -> Iterator[tuple[str, list[Placed]]]:
        """For correlations that look at a value: the same value, other values, none."""
        if self.section.fields:
            pieces = list(self.parts)
            yield (
                "one value again and again",
                self.usual(chosen=[replace(p, value=pieces[0].value) for p in pieces]),
            )
            usual = self.usual()
            for name in usual[-1].more:
                if len(usual[-1].more) > 1:
                    first = {key: value for key, value in usual[0].more.items() if key != name}
                    only = [replace(one, more={**one.more, **first}) for one in usual]
                    yield f"only {name} differs", only
                yield f"the last without {name}", self._with(usual, len(usual) - 1, drop=frozenset({name}))
                value = usual[0].more.get(name)
                if isinstance(value, str) and value.swapcase() != value and value.isascii():
                    more = {**usual[-1].more, name: value.swapcase()}
                    yield f"{name} in another case", self._with(usual, len(usual) - 1, more=more)

    def _near_misses(self) -> Iterator[tuple[str, list[Placed]]]:
        """Each base rule's near misses, one after the other in its place, far apart."""
        for base in self.world.bases.values():
            single = base.single
            events = [*islice(single.near_misses(), 40), *single.changes(single.hit())]
            missing = [event for event in events if not single.holds(event)]
            chosen = self._way_with(base)
            step = max(len(missing) // _NEAR_MISSES, 1)
            placed: list[Placed] = []
            for number, event in enumerate(missing[::step][:_NEAR_MISSES]):
                for one in self.usual(at=self.boundary + 4 * number * self.span, chosen=chosen):
                    placed.append(replace(one, instead=event) if one.base is base else one)
            name = base.doc.get("name") or base.doc.get("title")
            yield f"near misses of {name}", placed
            yield from self._each_way(base, str(name))

    def _each_way(self, base: Base, name: str) -> Iterator[tuple[str, list[Placed]]]:
        """Each alternative of a base rule in its place, and values near those that it asks for."""
        if len(self.parts) > _FEW_PARTS:
            return
        events = [*islice(base.single.hits(), _MOST_HITS), *base.single.elsewhere(base.single.hit())]
        probed = list(base.single.probed())
        step = max(len(probed) // _MOST_PROBED, 1)
        events += probed[::step][:_MOST_PROBED]
        chosen, identities = self._way_with(base), self.world.identities()
        for first in range(0, len(events), _TOGETHER):
            placed: list[Placed] = []
            for number, event in enumerate(events[first : first + _TOGETHER]):
                # Each in a group of its own, as some queries tell groups and not times.
                at, who = self.boundary + 4 * number * self.span, number % identities
                for one in self.usual(who, at, chosen):
                    placed.append(replace(one, instead=event) if one.base is base else one)
            yield f"each way of {name}, from {first + 1}", placed

    def _random(self) -> Iterator[tuple[str, list[Placed]]]:
        """Events of all rules at random, some without a key; the seed is fixed."""
        spread = 3 * self.span
        for seed in range(4):
            chance = random.Random(seed)
            times = chance.sample(range(0, spread, max(spread // 400, 1)), _RANDOM_EVENTS)
            if seed == 3:
                # The only one with ties.
                times = [time - time % max(self.span // 6, 1) for time in times]
            placed: list[Placed] = []
            for time in sorted(times):
                base = chance.choice(list(self.world.bases.values()))
                identity = min(chance.choice((0, 0, 0, 1)), self.world.identities() - 1)
                keys = self.world.keys(base)
                drop = frozenset(chance.sample(keys, 1)) if keys and chance.random() < 0.05 else frozenset()
                more = self._random_value(base, chance)
                placed.append(Placed(self.boundary + time, base, identity, more, drop))
            yield f"random {seed + 1}", placed

    def _random_value(self, base: Base, chance: random.Random) -> dict[str, Any]:
        values = [piece.value for piece in self.parts if piece.value is not None]
        if not values:
            return {}
        fields = self._value_fields(self.top, replace(chance.choice(self.parts), value=chance.choice(values)))
        return fields.get(id(base.doc), {})
