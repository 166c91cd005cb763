"""Work out whether Lucene would give up on a regex: it makes each deterministic, within a limit.

Lucene counts the sizes of the sets of states that it meets and throws TooComplexToDeterminizeException at
ten times its limit of 10,000. Here the same is done on an automaton of positions (Glushkov's), which is
about as large as Lucene's; refused is what comes to half of Lucene's limit.
"""

from __future__ import annotations

from collections.abc import Sequence

from converter.backends.lucene.expression import ANY, Part
from converter.backends.lucene_regex import ANYTHING
from converter.backends.regex_syntax import EVERY, LAST, Alt, Chars, Node, Ranges, Repeat, Seq
from converter.errors import Refusal

MAX_EFFORT = 50_000
MAX_POSITIONS = 5_000

_Link = tuple[frozenset[int], frozenset[int], bool]
"""First positions, last positions, and whether the part can be empty."""


def check(tree: Node, shown: str) -> None:
    """Refuse an expression that Lucene would not determinise.

    Args:
        tree: over the whole value, without anchors.
        shown: what to call it in the message.

    Raises:
        Refusal: SC203.
    """
    if _effort(tree) >= MAX_EFFORT:
        raise Refusal(
            "SC203",
            f"Elasticsearch would find {shown!r:.100} too complex to determinize (10,000 states); "
            "KQL and SPL have no such limit",
        )


def tree_of(parts: Sequence[Part]) -> Node:
    """Return the expression of text with wildcards."""
    items: list[Node] = []
    for part in parts:
        if isinstance(part, str):
            items.extend(Chars(((ord(char), ord(char)),)) for char in part)
        else:
            items.append(ANYTHING if part is ANY else Chars(EVERY))
    return Seq(tuple(items))


class _TooLarge(Exception):
    pass


def _effort(tree: Node) -> int:
    automaton = _Automaton()
    try:
        first = automaton.add(tree)[0]
    except _TooLarge:
        return MAX_EFFORT
    seen = {first}
    work = [first]
    spent = 0
    while work and spent < MAX_EFFORT:
        states = work.pop()
        spent += len(states) + 1
        for target in automaton.step(states):
            if target not in seen:
                seen.add(target)
                work.append(target)
    return spent


class _Automaton:
    def __init__(self) -> None:
        self.chars: list[Ranges] = []
        self.follow: list[set[int]] = []

    def add(self, node: Node) -> _Link:
        match node:
            case Chars():
                if len(self.chars) >= MAX_POSITIONS:
                    raise _TooLarge
                self.chars.append(node.ranges)
                self.follow.append(set())
                one = frozenset({len(self.chars) - 1})
                return one, one, False
            case Seq():
                return self.sequence(node.items)
            case Alt():
                links = [self.add(item) for item in node.items]
                return (
                    frozenset().union(*(link[0] for link in links)),
                    frozenset().union(*(link[1] for link in links)),
                    any(link[2] for link in links),
                )
            case Repeat():
                return self.repeat(node)
        raise AssertionError(node)

    def sequence(self, items: Sequence[Node]) -> _Link:
        first: frozenset[int] = frozenset()
        last: frozenset[int] = frozenset()
        empty = True
        for item in items:
            inner_first, inner_last, inner_empty = self.add(item)
            for position in last:
                self.follow[position] |= inner_first
            if empty:
                first |= inner_first
            last = last | inner_last if inner_empty else inner_last
            empty = empty and inner_empty
        return first, last, empty

    def repeat(self, node: Repeat) -> _Link:
        copies = max(node.low, node.high or 1)
        if copies > MAX_POSITIONS:
            raise _TooLarge
        required: list[Node] = [node.item] * node.low
        if node.high is not None:
            if (node.low, node.high) == (0, 1):
                first, last, _ = self.add(node.item)
                return first, last, True
            optional = Repeat(node.item, 0, 1)
            return self.sequence([*required, *[optional] * (node.high - node.low)])
        before, ends, empty = self.sequence(required[:-1])
        first, last, inner_empty = self.add(node.item)
        for position in ends | last:
            self.follow[position] |= first
        inner_empty = inner_empty or node.low == 0
        return (
            before | first if empty else before,
            ends | last if inner_empty else last,
            empty and inner_empty,
        )

    def step(self, states: frozenset[int]) -> set[frozenset[int]]:
        """Return the sets of states that one more character can lead to."""
        edges = sorted(
            {low for p in states for low, _ in self.chars[p]}
            | {high + 1 for p in states for _, high in self.chars[p]}
        )
        groups: set[frozenset[int]] = set()
        for edge in edges:
            if edge > LAST:
                continue
            hit = frozenset(p for p in states if any(low <= edge <= high for low, high in self.chars[p]))
            if hit:
                groups.add(hit)
        return {frozenset().union(*(self.follow[p] for p in hit)) for hit in groups} - {frozenset()}
