"""A rule's events as a platform stores them, and what the rule and both converters' queries mean of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from converter.conversion.convert import Conversion, Options
from converter.engines import ENGINES
from converter.engines.base import Result
from converter.errors import RuleError
from converter.events.stored import Stored
from converter.pipelines import cells as cells_module
from converter.pipelines.cells import Cell
from converter.plan.columns import Column, Columns
from converter.platforms import platform_of
from converter.rules.rule import Rule
from converter.rules.ruleset import RuleSet
from converter.upstream.ask import Answer
from converter.upstream.cased import cased
from converter.upstream.judge import Hit, Judgement, Outcome, Sample, check, events_of, judge
from converter.upstream.natural import Natural
from converter.upstream.verdict import RAN, Decider
from converter.verify.alerts import alerts_of
from converter.verify.expected import expected_marks, milliseconds_of, texts
from converter.verify.judge import Mark
from converter.verify.relaxations import Situation
from converter.verify.stored import stored_in, tables_of

_TYPES = {"boolean": "bool", "": "dynamic"}
"""Types of upstream's tables of columns that Kusto calls otherwise."""

Event = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Ours:
    """What our program makes of a rule in a cell."""

    conversion: Conversion | None
    refusal: str
    """Why there is none."""
    columns: Columns
    """Of the rule's events, as far as they are known without a conversion."""


class Scene:
    """A rule's streams as a cell's platform stores them, and what the rule means of them."""

    def __init__(
        self,
        rules: RuleSet,
        rule: Rule,
        cell: Cell,
        options: Options,
        ours: Ours,
        streams: Sequence[tuple[str, tuple[Event, ...]]],
    ) -> None:
        self._rule, self._cell, self._conversion = rule, cell, ours.conversion
        correlates = rule.kind == "correlation"
        self._streams = streams
        if correlates and not ENGINES[cell.target].orders_ties:
            # Events of equal time have no order there.
            self._streams = [stream for stream in streams if not _has_ties(stream[1])]
        self._placed = [
            stored_in(events, cell, ours.columns, timed=correlates) for _, events in self._streams
        ]
        self._situations = [
            Situation(
                tuple(found.doc for found in rules.closure(rule)),
                tuple(seen),
                tuple(one.doc for one in stored),
                options.placeholders,
            )
            for seen, stored in self._placed
        ]
        everything = [one for _, stored in self._placed for one in stored]
        if self._conversion is not None:
            self._tables = tables_of(self._conversion, everything)
        else:
            self._tables = dict.fromkeys({one.index for one in everything}, ours.columns)

    @cached_property
    def meant(self) -> frozenset[Hit]:
        """What the rule means."""
        return self._meant()

    def _meant(self, *, as_cased: bool = False) -> frozenset[Hit]:
        hits = set()
        for number, situation in enumerate(self._situations):
            meant = situation.with_docs(cased) if as_cased else situation
            hits |= {_hit(number, mark) for mark in expected_marks(self._rule, meant, self._cell)}
        return frozenset(hits)

    def ours(self) -> Judgement:
        """Run our queries."""
        conversion = self._conversion
        assert conversion is not None

        def read(number: int, results: Sequence[Result]) -> frozenset[Hit]:
            seen, stored = self._placed[number]
            return frozenset(_hit(number, mark) for mark in alerts_of(conversion, seen, stored, results))

        texts = [query.text for query in conversion.queries]
        if rejected := check(self._cell.target, texts, self._tables):
            return rejected
        streams = tuple(tuple(stored) for _, stored in self._placed)
        return judge(Sample(self._cell.target, streams, self._tables, self.meant), texts, read)

    def upstream(self, entry: Natural, answer: Answer) -> Judgement:
        """Run upstream's queries in the reading that is best for them."""
        known = answer.tables or {}
        tables = {
            name: self._granted(columns, entry, answer, strict=bool(known))
            for name, columns in self._tables.items()
        }
        checked = dict(tables)
        for name, types in known.items():
            columns = {column: Column(_TYPES.get(kind, kind)) for column, kind in types.items()}
            checked[name] = columns
            tables[name] = {**columns, **tables.get(name, {})}
        if rejected := check(self._cell.target, answer.queries, checked):
            return rejected
        copies = _sub_fields(entry, answer)
        streams = tuple(
            tuple(_renamed(_copied(event, copies), entry) for event in stored) for _, stored in self._placed
        )

        def groups_of(number: int, results: Sequence[Result]) -> frozenset[Hit]:
            rows = [row for result in results for row in result.rows]
            groups = [row["keys"] if "keys" in row else map(row.get, answer.group) for row in rows]
            return frozenset(Hit(number, group=texts(group)) for group in groups)

        read = groups_of if self._rule.kind == "correlation" else events_of
        return judge(Sample(self._cell.target, streams, tables, self.meant), answer.queries, read)

    def _granted(self, columns: Columns, entry: Natural, answer: Answer, *, strict: bool) -> Columns:
        """Return the columns of an index in which every field of upstream's query is mapped."""
        granted = {name: replace(column, optional=False) for name, column in columns.items()}
        if strict or self._cell.source == cells_module.NONE:
            return granted
        text = replace(platform_of(self._cell.target).inferred["string"], optional=False)
        for base, field in _sub_fields(entry, answer).items():
            granted[field] = text
            if base in granted and not granted[base].caseless:
                granted[base] = replace(granted[base], caseless=field)
        for field in answer.fields:
            granted.setdefault(field, text)
        return granted

    def by_case_alone(self, upstream: Judgement) -> bool:
        """Tell whether all that upstream misses or adds is so too with the rule if its texts were `cased`.

        Upstream may compare some fields with regard to letter case and others without.
        """
        try:
            as_cased = self._meant(as_cased=True)
        except RuleError:
            return False
        return upstream.missed <= self.meant - as_cased and upstream.added <= as_cased - self.meant

    def deciders(self, upstream: Judgement, ours: Judgement | None) -> Iterator[Decider]:
        """Yield something that upstream misses, and something that it adds; else the same of ours."""
        wrong = upstream if ours is None or upstream.outcome is Outcome.DIFFERS else ours
        for hits in (wrong.missed, wrong.added):
            if not hits:
                continue
            hit = min(hits)
            name, events = self._streams[hit.stream]
            rule = hit in self.meant
            theirs, our = _selects(hit, self.meant, upstream), _selects(hit, self.meant, ours)
            if hit.event < 0:
                yield Decider(rule, theirs, our, name, hit.group)
                continue
            placed = self._placed[hit.stream][1][hit.event]
            yield Decider(
                rule,
                theirs,
                our,
                event=dict(events[hit.event]),
                index=placed.index,
                stored=dict(placed.doc),
            )


def _selects(hit: Hit, meant: frozenset[Hit], judgement: Judgement | None) -> bool | None:
    if judgement is None or judgement.outcome not in RAN:
        return None
    return hit in judgement.added or (hit in meant and hit not in judgement.missed)


def _hit(number: int, mark: Mark) -> Hit:
    return Hit(number, group=mark.group) if mark.event is None else Hit(number, mark.event)


def _sub_fields(entry: Natural, answer: Answer) -> dict[str, str]:
    """Return the sub-fields that upstream's query asks for and no template has: field -> sub-field."""
    if not entry.sub_field:
        return {}
    return {
        name.removesuffix(entry.sub_field): name for name in answer.fields if name.endswith(entry.sub_field)
    }


def _copied(stored: Stored, copies: Mapping[str, str]) -> Stored:
    """Return a stored event with the sub-fields, in lower case as their normalizer leaves it."""
    added = {
        sub_field: _lower(stored.doc[field]) for field, sub_field in copies.items() if field in stored.doc
    }
    return replace(stored, doc={**stored.doc, **added}) if added else stored


def _renamed(stored: Stored, entry: Natural) -> Stored:
    """Return a stored event with the value that upstream expects of a field."""
    if entry.renamed is None:
        return stored
    field, old, new = entry.renamed
    value = stored.doc.get(field)
    if not isinstance(value, str) or not value.startswith(old):
        return stored
    return replace(stored, doc={**stored.doc, field: new + value.removeprefix(old)})


def _lower(value: Any) -> Any:
    if isinstance(value, list):
        return [_lower(item) for item in value]
    return value.lower() if isinstance(value, str) else value


def _has_ties(events: Sequence[Event]) -> bool:
    times = [milliseconds_of(event) for event in events]
    return len(set(times)) < len(times)
