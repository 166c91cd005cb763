"""The rules below a correlation, and values for the keys by which their events belong together."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

from converter.matcher.compiled_rules import Correlation, Rules
from converter.matcher.modifiers import Placeholders
from converter.witness import defaults
from converter.witness.event_rules import Single

Spot = tuple[int, str]
"""A field of a base rule: `id()` of the rule, and the field."""


@dataclass(frozen=True, slots=True, eq=False)
class Base:
    """A rule that looks at one event."""

    doc: Mapping[str, Any]
    single: Single


@dataclass(frozen=True, slots=True, eq=False)
class Chain:
    """A correlation and the rules it refers to."""

    correlation: Correlation
    members: tuple[Node, ...]


Node = Base | Chain

_IDENTITIES = 50


class World:
    """A correlation with everything below it, and events of its base rules for one of several identities."""

    def __init__(
        self,
        rules: Sequence[Mapping[str, Any]],
        rule: Mapping[str, Any],
        placeholders: Placeholders | None,
    ) -> None:
        self.rules = Rules(rules, placeholders)
        self.placeholders = placeholders
        self.bases: dict[int, Base] = {}
        node = self._node(rule)
        assert isinstance(node, Chain)
        self.top = node
        self.classes = self._classes()
        self.class_values = [self._values(spots) for spots in self.classes]
        self._cache: dict[Any, dict[str, Any]] = {}

    def _node(self, doc: Mapping[str, Any]) -> Node:
        if "correlation" in doc:
            correlation = self.rules.correlation(doc)
            return Chain(correlation, tuple(self._node(member) for member in correlation.members))
        if id(doc) not in self.bases:
            self.bases[id(doc)] = Base(doc, Single(doc, self.placeholders))
        return self.bases[id(doc)]

    def chains(self, node: Node | None = None) -> Iterator[Chain]:
        """Yield the correlation and those below it."""
        node = node or self.top
        if isinstance(node, Chain):
            yield node
            for member in node.members:
                if isinstance(member, Chain):
                    yield from self.chains(member)

    def spots(self, node: Node, field: str) -> Iterator[Spot]:
        """Yield the base rules' fields behind a field of a rule's events or alerts."""
        if isinstance(node, Base):
            yield id(node.doc), field
            return
        section = node.correlation.section
        for number, member in enumerate(node.members):
            if field in section.group_by:
                inner = node.correlation.group_fields[number][section.group_by.index(field)]
                yield from self.spots(member, inner)
            else:
                yield from self.spots(member, field)

    def _classes(self) -> list[set[Spot]]:
        """Join the fields that must agree for events to be of one group, at any level."""
        classes: list[set[Spot]] = []
        for chain in self.chains():
            for key in range(len(chain.correlation.section.group_by)):
                joined: set[Spot] = set()
                for number, member in enumerate(chain.members):
                    joined |= set(self.spots(member, chain.correlation.group_fields[number][key]))
                apart = [one for one in classes if not one & joined]
                classes = [*apart, joined.union(*(one for one in classes if one & joined))]
        return classes

    def _values(self, spots: set[Spot]) -> list[Any]:
        """Return values with which every rule that has the key still matches, one for each identity."""
        found: list[Any] = []
        ordered = sorted(spots, key=lambda spot: (list(self.bases).index(spot[0]), spot[1]))
        for value in islice(self._candidates(ordered), 400):
            if value not in found and all(self._accepts(rule, field, value) for rule, field in ordered):
                found.append(value)
            if len(found) == _IDENTITIES:
                break
        return found

    def _candidates(self, spots: Iterable[Spot]) -> Iterator[Any]:
        texts: dict[Any, None] = {}
        for rule, field in spots:
            single = self.bases[rule].single
            constrained = field in single.builder.by_field
            event = single.hit()
            if field in event and not constrained:
                yield from _variations(field, event[field])
            if constrained:
                texts.update(dict.fromkeys(_hashable(one.get(field)) for one in islice(single.hits(), 60)))
                texts.update(dict.fromkeys(_hashable(one.get(field)) for one in single.changes(event)))
            elif field not in event:
                yield from _variations(field, defaults.neutral(field))
        yield from (text for text in texts if text not in (None, ""))

    def _accepts(self, rule: int, field: str, value: Any) -> bool:
        single = self.bases[rule].single
        if not single.builder.storable(field, value) and field != "ProcessGuid":
            return False
        return single.holds(single.hit({field: value}))

    def identities(self) -> int:
        """How many identities there are: without keys only one."""
        return min((len(values) for values in self.class_values), default=1) or 1

    def keys(self, base: Base) -> list[str]:
        """Return the fields of a base rule's events that hold keys."""
        return [field for spots in self.classes for rule, field in sorted(spots) if rule == id(base.doc)]

    def event(self, base: Base, identity: int, more: Mapping[str, Any]) -> dict[str, Any]:
        """Return an event that matches a base rule, with the keys of an identity.

        Args:
            base: the rule.
            identity: from 0.
            more: further fields that are given.
        """
        token = id(base.doc), identity, tuple(more.items())
        if token not in self._cache:
            fixed: dict[str, Any] = {}
            for spots, values in zip(self.classes, self.class_values, strict=True):
                if values:
                    for rule, field in spots:
                        if rule == id(base.doc):
                            fixed[field] = values[identity % len(values)]
            self._cache[token] = base.single.hit({**fixed, **more})
        return dict(self._cache[token])


def _hashable(value: Any) -> Any:
    return value if isinstance(value, (str, int, float)) else None


def _variations(field: str, value: Any) -> Iterator[Any]:
    """Yield the plain value of a field that no rule looks at, and others of its kind."""
    yield value
    for number in range(1, _IDENTITIES):
        if isinstance(value, int):
            yield value + number
        elif field in defaults.ADDRESSES or field.lower().endswith("ip"):
            yield f"192.0.2.{100 + number}"
        elif isinstance(value, str) and value.startswith("{"):
            yield value[:1] + str(number) + value[2:]
        elif isinstance(value, str) and "." in value:
            stem, _, suffix = value.rpartition(".")
            yield f"{stem}{number}.{suffix}"
        elif isinstance(value, str) and value in ("true", "false"):
            yield "false" if value == "true" else "true"
        else:
            yield f"{value}{number}"
