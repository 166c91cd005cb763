"""Random correlations: type, operators, keys, aliases, base rules, filters, chains to depth 3."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from random import Random
from typing import Any

Doc = dict[str, Any]
TYPES = (
    "event_count",
    "value_count",
    "temporal",
    "temporal_ordered",
    "value_sum",
    "value_avg",
    "value_percentile",
    "value_median",
)
OPERATORS = ("gte", "gt", "lt", "lte", "eq", "neq")
LETTERS = "abcd"
SPANS = {"4s": 4_000, "10s": 10_000, "90s": 90_000, "7m": 420_000, "1h": 3_600_000}
_LONGER = {"4s": "10s", "10s": "90s", "90s": "7m", "7m": "1h", "1h": "1d"}
_TABLES = dict(zip(LETTERS, ("one", "two", "three", "one"), strict=True))
# Keys that only an alias leads to: of one type, of two types, of two columns.
_ALIASES = (("user", "peer"), ("p", "w"), ("host", "peer"), ("user", "user"))


@dataclass(frozen=True)
class Chain:
    """Rules that belong together; the correlation in question is called ``top``."""

    docs: tuple[Doc, ...]
    bases: str
    span_ms: int
    """Of the outermost window."""

    @property
    def top(self) -> Doc:
        return self.docs[-1]

    def correlations(self) -> list[Doc]:
        return [doc for doc in self.docs if "correlation" in doc]


def correlation(kind: str, rules: Sequence[str], timespan: str, condition: Any = None, **more: Any) -> Doc:
    """Return a correlation called ``top``."""
    section = {"type": kind, "rules": list(rules), "timespan": timespan, **more}
    if condition is not None:
        section["condition"] = condition
    return {"title": "top", "name": "top", "correlation": section}


def bases(random: Random, which: str) -> list[Doc]:
    """Return four base rules.

    ``apart``: no event matches two. ``flags``: an event may match several. ``mixed``: a and b exclude each
    other, c and d do not. ``tables``: of three log sources. ``wider``: with a wildcard that Splunk's search
    cannot say.
    """
    found = []
    for position, letter in enumerate(LETTERS):
        flag: Doc = {f"f{letter}": 1}
        kind: Doc = {"kind": letter}
        selection = {
            "apart": kind,
            "flags": flag,
            "mixed": kind if letter in "ab" else flag,
            "tables": {"src": _TABLES[letter], **(kind if letter in "ab" else flag)},
            "wider": {"kind": f"{letter}?"},
        }[which]
        if which in ("apart", "flags", "mixed"):
            selection = {**selection, "src": "one"}
        doc: Doc = {
            "title": letter,
            "name": letter,
            "logsource": {"category": _TABLES[letter] if which == "tables" else "one"},
            "detection": {"s": selection, "condition": "s"},
        }
        if random.random() < 0.3:
            doc["id"] = str(uuid.UUID(int=position + 1, version=4))
        found.append(doc)
    return found


def threshold(random: Random, kind: str, members: int) -> Doc:
    """Return one comparison, or a range."""
    value: float
    match kind:
        case "event_count":
            value = random.choice((1, 2, 2, 3, 3, 4, 5, 7, 2.5))
        case "value_count":
            value = random.choice((1, 2, 2, 3, 3, 4))
        case "value_sum":
            value = random.choice((-3, 0, 1, 2.5, 4, 7, 0.3, 10))
        case "temporal" | "temporal_ordered":
            value = random.randint(1, members)
        case _:
            value = random.choice((-1, 0, 0.5, 1, 1.5, 2, 3, 0.1))
    op = random.choice((*OPERATORS, "gte", "gte", "gt"))
    if random.random() < 0.25:
        low, high = random.choice(("gt", "gte")), random.choice(("lt", "lte", "neq"))
        return {low: value - 1, high: value + random.choice((1, 2, 3))}
    if op == "eq" and kind == "event_count":
        value = int(value)  # a count that equals 2.5 is refused: no stream raises that alert
    return {op: value}


class _Maker:
    def __init__(self, random: Random) -> None:
        self.random = random
        self.which = random.choice(("apart", "flags", "mixed", "tables", "wider"))
        self.docs = bases(random, self.which)
        self.refs = {doc["name"]: doc.get("id", doc["name"]) for doc in self.docs}
        self.correlations: list[Doc] = []

    def chain(self, kind: str) -> Chain:
        random = self.random
        depth = random.choice((1, 1, 1, 2, 2, 3))
        timespan = random.choice(list(SPANS)[depth - 1 :])
        filters = []
        if random.random() < 0.2:
            filters.append(self._filter())
        self._correlation(kind, "top", timespan, depth, None)
        return Chain((*self.docs, *filters, *self.correlations), self.which, SPANS[timespan])

    def _filter(self) -> Doc:
        named = self.random.choice((["a"], ["a", "b"], "any"))
        return {
            "title": "filter",
            "name": "filter",
            "logsource": {"category": "one"},
            "filter": {"rules": named, "selection": {"w": "2"}, "condition": "not selection"},
        }

    def _correlation(self, kind: str, name: str, timespan: str, depth: int, keys: list[str] | None) -> None:
        """Add a correlation after those that it refers to.

        Args:
            kind: its type.
            name: its name.
            timespan: its window.
            depth: how many correlations deep it is.
            keys: group-by keys that it must have, if another refers to it.
        """
        random = self.random
        temporal = kind in ("temporal", "temporal_ordered")
        count = random.choice((2, 2, 3, 4)) if temporal else random.choice((1, 1, 2, 3))
        letters = random.sample(LETTERS, count)
        aliases: Doc = {}
        if keys is None:
            keys = random.choice(([], ["host"], ["host"], ["host"], ["host", "user"], ["acct"], ["who"]))
        elif random.random() < 0.3:
            keys = [*keys, *(["user"] if "user" not in keys else [])]
        members = [self.refs[letter] for letter in letters]
        if "who" in keys:
            first, second = random.choice(_ALIASES)
            aliases["who"] = {m: random.choice((first, second)) for m in members}
        if depth > 1:
            place = random.randrange(count)
            inner = f"inner{depth}"
            self._inner(inner, timespan, depth - 1, keys)
            members[place] = inner
            if "who" in aliases:
                aliases["who"] = {m: aliases["who"].get(m, "who") for m in members}
        section: Doc = {"rules": members, "timespan": timespan}
        if keys:
            section["group-by"] = keys
        if aliases:
            section["aliases"] = aliases
        if random.random() < 0.2:
            section["generate"] = True
        condition = self._condition(kind, members, depth > 1, keys)
        if condition is not None:
            section["condition"] = condition
        self.correlations.append({"title": name, "name": name, "correlation": {"type": kind, **section}})

    def _inner(self, name: str, timespan: str, depth: int, keys: list[str]) -> None:
        kind = self.random.choice((*TYPES[:4], *TYPES[:4], *TYPES[4:]))
        spans = list(SPANS)
        near = max(depth - 1, spans.index(timespan) + self.random.choice((-2, -1, -1, 0)))
        self._correlation(kind, name, spans[min(near, len(spans) - 1)], depth, list(keys))

    def _condition(self, kind: str, members: list[str], chained: bool, keys: list[str]) -> Any:
        random = self.random
        if kind in ("temporal", "temporal_ordered"):
            chance = random.random()
            if chance < 0.5:
                return None
            if kind == "temporal" and chance < 0.75:
                return _boolean(random, members)
            return threshold(random, kind, len(members))
        condition = threshold(random, kind, len(members))
        if kind == "value_count":
            if chained:
                condition["field"] = random.choice(keys) if keys else "host"
            else:
                condition["field"] = random.choice(("w", "w", "user", ["w", "user"], ["user", "p"], "p", "t"))
        elif kind.startswith("value_"):
            fields = ("n", "n", "t", "p") if not chained else tuple(keys) * 4 or ("n",)
            condition["field"] = random.choice(fields)
            if kind == "value_percentile":
                condition["percentile"] = random.choice((1, 10, 25, 50, 75, 90, 95, 99, 99.5, 100))
        return condition


def _boolean(random: Random, members: list[str]) -> str:
    words = [f"not {one}" if random.random() < 0.3 else one for one in members]
    text = words[0]
    for position, word in enumerate(words[1:]):
        text = f"{text} {random.choice(('and', 'or'))} {word}"
        if position < len(words) - 2 and random.random() < 0.5:
            text = f"({text})"
    return f"not ({text})" if random.random() < 0.1 else text


def random_chain(random: Random, kind: str) -> Chain:
    """Return random rules whose top is a correlation of the type."""
    return _Maker(random).chain(kind)
