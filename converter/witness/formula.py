"""A rule's detection as a formula, and which parts of it to make true or false.

A choice is a list of leaves with the truth that each shall have.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

from converter.matcher import condition as conditions
from converter.matcher.detection import as_keyword, field_predicate, keyword_predicate
from converter.matcher.event import Event
from converter.matcher.modifiers import LIST_MODIFIERS, Placeholders, apply
from converter.matcher.value import Value, literal


@dataclass(frozen=True, slots=True, eq=False)
class Leaf:
    """One field (none: a keyword) against one value."""

    field: str
    value: Value
    holds: Callable[[Event], bool]


@dataclass(frozen=True, slots=True, eq=False)
class Joint:
    """All of the items, or one of them."""

    every: bool
    items: tuple[Formula, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Opposite:
    """Not the item."""

    item: Formula


Formula = Leaf | Joint | Opposite
Choice = list[tuple[Leaf, bool]]

# Of longer lists some values, evenly: the first and the last are among them.
_MOST_ALTERNATIVES = 300
# Of what shall only stay false, it is enough to keep clear of some.
_MOST_FALSE = 60
# Of the ways in which one filter holds: some, evenly.
_MOST_EXCEPTIONS = 30


def formula(detection: Mapping[str, Any], placeholders: Placeholders | None = None) -> Formula:
    """Read a detection that `compile_detection` accepts."""
    selections = {
        str(name): item for name, item in detection.items() if name not in ("condition", "timeframe")
    }
    given = detection["condition"]
    texts = given if isinstance(given, list) else [given]
    read = {name: _selection(item, placeholders) for name, item in selections.items()}
    return _joint(False, [_tree(conditions.parse(str(text), list(selections)), read) for text in texts])


def leaves(node: Formula) -> Iterator[Leaf]:
    """Yield all leaves, left to right."""
    if isinstance(node, Leaf):
        yield node
    elif isinstance(node, Opposite):
        yield from leaves(node.item)
    else:
        for item in node.items:
            yield from leaves(item)


def _tree(tree: conditions.Tree, read: Mapping[str, Formula]) -> Formula:
    if isinstance(tree, conditions.Name):
        return read[tree.name]
    if isinstance(tree, conditions.Not):
        return Opposite(_tree(tree.item, read))
    return _joint(tree.op == "and", [_tree(item, read) for item in tree.items])


def _joint(every: bool, items: Sequence[Formula]) -> Formula:
    return items[0] if len(items) == 1 else Joint(every, tuple(items))


def _selection(item: Any, placeholders: Placeholders | None) -> Formula:
    if isinstance(item, Mapping):
        return _joint(True, [_item(str(key), value, placeholders) for key, value in item.items()])
    if isinstance(item, list) and any(isinstance(one, (Mapping, list)) for one in item):
        return _joint(False, [_selection(one, placeholders) for one in item])
    return _item("", item, placeholders)


def _item(key: str, given: Any, placeholders: Placeholders | None) -> Formula:
    field, *modifiers = key.split("|")
    changing = [name for name in modifiers if name not in LIST_MODIFIERS]
    anywhere = not {"startswith", "endswith", "contains"} & set(changing)
    values = []
    for raw in given if isinstance(given, list) else [given]:
        forms = [_leaf(field, value, anywhere) for value in apply(literal(raw), changing, placeholders)]
        values.append(_joint(False, forms))
    joined = _joint("all" in modifiers, values)
    return Opposite(joined) if "neq" in modifiers else joined


def _leaf(field: str, value: Value, anywhere: bool) -> Leaf:
    if field:
        return Leaf(field, value, field_predicate(field, [value]))
    return Leaf("", as_keyword(value, anywhere=anywhere), keyword_predicate([value], anywhere=anywhere))


def plain(node: Formula, want: bool = True) -> Choice:
    """Return the simplest choice: of alternatives the first; what shall be false is false throughout."""
    if isinstance(node, Leaf):
        return [(node, want)]
    if isinstance(node, Opposite):
        return plain(node.item, not want)
    if want and not node.every:
        return plain(node.items[0]) + [
            one for item in node.items[1:_MOST_FALSE] for one in plain(item, False)
        ]
    items = node.items if want else node.items[:_MOST_FALSE]
    return [one for item in items for one in plain(item, want)]


def alternatives(node: Formula, want: bool = True) -> Iterator[Choice]:
    """Yield one choice for each alternative anywhere in the formula; all else stays simple."""
    if isinstance(node, Leaf):
        yield [(node, want)]
    elif isinstance(node, Opposite):
        yield from alternatives(node.item, not want)
    elif not want:
        yield plain(node, False)
        for position, _ in _some(node.items):
            # Some true, and still false: all but one of what must hold together.
            if node.every:
                yield _with(node, position, plain(node.items[position], False), True)
    elif node.every:
        for position, item in _some(node.items):
            for choice in alternatives(item):
                yield _with(node, position, choice, True)
    else:
        for position, item in _some(node.items):
            for choice in alternatives(item):
                yield _with(node, position, choice, False)


def near_misses(node: Formula, want: bool = True) -> Iterator[Choice]:
    """Yield choices that make the formula the opposite by one change: a clause broken, a filter met."""
    if isinstance(node, Leaf):
        yield [(node, not want)]
    elif isinstance(node, Opposite):
        yield from near_misses(node.item, not want)
    elif want and node.every:
        for position, item in _some(node.items):
            for choice in near_misses(item):
                yield _with(node, position, choice, True)
    elif want:
        yield plain(node, False)
        for position, item in _some(node.items):
            for choice in near_misses(item):
                yield _with(node, position, choice, False)
    else:
        yield from alternatives(node, True)


def _with(node: Joint, position: int, choice: Choice, others: bool) -> Choice:
    """Return `choice` for one item and the plain truth of `others` for the rest."""
    items = node.items if others else node.items[:_MOST_FALSE]
    rest = [one for number, item in enumerate(items) if number != position for one in plain(item, others)]
    return choice + rest


def _some(items: Sequence[Formula]) -> Iterator[tuple[int, Formula]]:
    last, most = len(items) - 1, _MOST_ALTERNATIVES - 1
    chosen = range(len(items)) if last <= most else {last * step // most for step in range(most + 1)}
    for position in sorted(chosen):
        yield position, items[position]


def exceptions(node: Formula) -> Iterator[tuple[Choice, list[Formula]]]:
    """Yield each way in which a filter holds, and the formulas beside it that a hit satisfies."""
    if isinstance(node, Joint):
        for position, item in _some(node.items):
            rest = [one for number, one in enumerate(node.items) if node.every and number != position]
            if not isinstance(item, Opposite):
                yield from ((choice, [*inner, *rest]) for choice, inner in exceptions(item))
            elif rest:
                ways = list(islice(alternatives(item.item), _MOST_ALTERNATIVES))
                step = -(-len(ways) // _MOST_EXCEPTIONS)
                yield from ((choice, rest) for choice in ways[::step])


def nearest(node: Formula, event: Event, want: bool = True) -> Choice:
    """Return a choice with, of alternatives, the one that an event comes nearest to."""
    if isinstance(node, Leaf):
        return [(node, want)]
    if isinstance(node, Opposite):
        return nearest(node.item, event, not want)
    if not want:
        return plain(node, False)
    if node.every:
        return [one for item in node.items for one in nearest(item, event)]
    return nearest(max(node.items, key=lambda item: _share(item, event)), event)


def truth(node: Formula, event: Event) -> bool:
    """Tell whether an event satisfies a formula."""
    if isinstance(node, Leaf):
        return node.holds(event)
    if isinstance(node, Opposite):
        return not truth(node.item, event)
    return (all if node.every else any)(truth(item, event) for item in node.items)


def _share(node: Formula, event: Event) -> float:
    """Return how much of a formula an event satisfies, from 0 to 1."""
    if isinstance(node, Leaf):
        return float(node.holds(event))
    if isinstance(node, Opposite):
        return 1 - _share(node.item, event)
    shares = [_share(item, event) for item in node.items]
    return sum(shares) / len(shares) if node.every else max(shares)
