"""The first commands of a correlation: the base search, the time, who saw what, and the group-by keys."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from converter.backends.spl import condition, search_text, where_text
from converter.backends.spl.correlation.stages import Stage, Step, base_rules, discriminators
from converter.backends.spl.held import held
from converter.backends.spl.nodes import Leaf, Node, join
from converter.backends.spl.text import quoted
from converter.backends.spl.tidy import conjuncts
from converter.plan.columns import Columns
from converter.plan.model import BaseRule, CorrelationPlan


class Rows:
    """The base rules of a correlation, as expressions over the rows of the one base search."""

    def __init__(self, stages: Sequence[Stage]) -> None:
        """Read the rules of all stages."""
        self.stages = list(stages)
        self.rules = base_rules(self.stages)
        self.trees = [tree for _, tree in self.rules.values()]
        self.parts = discriminators(self.trees)
        """For each base rule what tells it from all others, or None."""
        self.exact = all(map(search_text.exact, self.trees))
        shared = conjuncts(self.trees[0])
        self.said = [part for part in shared if search_text.exact(part) and all(map(_has(part), self.trees))]
        """What the base search says of all rules just as they do: no expression says it again."""

    def search(self) -> str:
        """Return the base search: the rules joined by OR, within their index; what all need comes first."""
        states = [source.state for source, _ in self.rules.values()]
        if len({state.get("term") for state in states}) > 1:
            states = [{key: one for key, one in state.items() if key != "term"} for state in states]
        indices = [condition.index_term(state) for state in states]
        if len(set(indices)) > 1:
            trees = [
                join("and", [Leaf("", "", search=index), tree]) if index else tree
                for index, tree in zip(indices, self.trees, strict=True)
            ]
            return condition.narrowed(join("or", trees), {})
        shared = [part for part in conjuncts(self.trees[0]) if all(map(_has(part), self.trees))]
        rest = [[part for part in conjuncts(tree) if part not in shared] for tree in self.trees]
        if not shared or not all(rest):
            return condition.narrowed(join("or", self.trees), states[0])
        either = join("or", [join("and", parts) for parts in rest])
        return condition.narrowed(join("and", [*shared, either]), states[0])

    def filter(self) -> list[str]:
        """Return what completes the base search where it is wider than the rules."""
        rest = [self._rest(tree) for tree in self.trees]
        if self.exact or None in rest:
            return []
        return ["where " + where_text.render(join("or", [one for one in rest if one is not None]))]

    def _rest(self, tree: Node) -> Node | None:
        """Return what is left of a condition after what all have in common; None if that is all of it."""
        left = [part for part in conjuncts(tree) if part not in self.said]
        return join("and", left) if left else None

    def condition(self, step: Step) -> str:
        """Return the expression that tells a rule's events from those of the others among the rows."""
        position = list(self.rules).index(_source(step).name)
        tree = self.trees[position]
        if self.parts is None:
            rest = self._rest(tree)
            return "true()" if rest is None else where_text.render(rest)
        # The part that no other rule's events satisfy: with it, the search has already said the rest but for
        # what it could not say.
        inexact = [part for part in conjuncts(tree) if not search_text.exact(part)]
        return " AND ".join(map(where_text.conjunct, [self.parts[position], *inexact]))

    def time(self) -> str:
        """Return the expression of an event's own time, in whole milliseconds: sums of them are exact."""
        sources = [source for source, _ in self.rules.values()]
        times = {_milliseconds(source): source for source in sources}
        if len(times) == 1:
            return next(iter(times))
        pairs = [
            f"{where_text.render(tree)}, {_milliseconds(source)}" for source, tree in self.rules.values()
        ]
        return f"case({', '.join(pairs)})"

    def timed(self) -> bool:
        """Tell whether some rule's time is read from a field that may hold none."""
        return any(source.state.get("time_field", "_time") != "_time" for source, _ in self.rules.values())


def _has(part: Node) -> Callable[[Node], bool]:
    return lambda tree: part in conjuncts(tree)


def _source(step: Step) -> BaseRule:
    source = step.member.source
    if isinstance(source, CorrelationPlan):
        raise TypeError("a correlation has no events")
    return source


def _milliseconds(base: BaseRule) -> str:
    """Return a time in milliseconds: of `_time`, or the state's time field read by its format.

    Texts without a zone are UTC: the zone is named, or strptime() would read them in the user's.
    ``epoch_ms`` is milliseconds since 1970. Finer parts of `_time` are cut, what a double adds is rounded.
    """
    name = str(base.state.get("time_field") or "_time")
    form = base.state.get("time_format")
    subject = held(name, base.columns).subject
    if form == "epoch_ms":
        return f"tonumber({subject})"
    if name == "_time" and not form:
        return f"floor(round({subject}*1000, 3))"
    if not form:
        return f"floor(round(tonumber({subject})*1000, 3))"
    if "%z" in str(form) or "%:z" in str(form) or str(form).startswith("%s"):
        return f"floor(round(strptime({subject}, {quoted(str(form))})*1000, 3))"
    return f'floor(round(strptime({subject}." +0000", {quoted(f"{form} %z")})*1000, 3))'


def key(columns: tuple[str, ...], known: Columns) -> str:
    """Return a group-by key as an expression; several columns are joined as a domain and a name are."""
    return '."\\\\".'.join(_held(name, known) for name in columns)


def _held(name: str, known: Columns) -> str:
    """Return a field as an expression that is null where the field has no value."""
    subject, column = held(name, known).subject, known.get(name)
    if column is None or column.null is None:
        return subject
    return f"if({subject}={quoted(column.null)}, null(), {subject})"


def value(columns: Sequence[tuple[str, ...]], number: bool, known: Columns) -> str:
    """Return the value that a condition looks at; of several fields, a text that no other values give."""
    flat = [name for names in columns for name in names]
    if number:
        return f"tonumber({held(flat[0], known).subject})"
    parts = [_held(name, known) for name in flat]
    return ".".join([*(f'len({part}).":".{part}' for part in parts[:-1]), parts[-1]])
