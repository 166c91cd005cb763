"""How much work Elasticsearch has with a pattern: what makes it reject one as too complex to determinise.

Lucene determinises the automaton of a regexp or wildcard query and gives up when the sizes of the state
sets that it meets add up to more than 100,000 (Operations.determinize: a work limit of 10,000, times ten).
Here the same sum is taken over the positions of the pattern (Glushkov's automaton), which as good as
Lucene's states: over the public rules the two sums differ by less than 7 %, near the limit by 0.1 %.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import lru_cache

from converter.backends.common.regex_syntax import Alt, Anchor, Chars, Node, Ranges, Repeat, Seq

LIMIT = 100_000
"""Lucene's limit."""
MARGIN = 0.98
"""Lucene's automaton has a few states more than ours: what comes this near the limit counts as over it."""
_POSITIONS = 20_000


class _TooMany(Exception):
    pass


@dataclass(slots=True)
class _Positions:
    """The pattern's characters by position, and for each the set of those that may come next."""

    chars: list[Ranges] = field(default_factory=list)
    follow: list[int] = field(default_factory=list)

    def add(self, node: Node) -> tuple[bool, int, int]:
        """Add a part: return whether it can be empty, and its first and last positions as bit sets."""
        match node:
            case Chars():
                if len(self.chars) >= _POSITIONS:
                    raise _TooMany
                bit = 1 << len(self.chars)
                self.chars.append(_either_case(node.ranges) if node.folds else node.ranges)
                self.follow.append(0)
                return False, bit, bit
            case Seq(items):
                return self._sequence(items)
            case Alt(items):
                parts = [self.add(item) for item in items]
                return (
                    any(part[0] for part in parts),
                    _union(p[1] for p in parts),
                    _union(p[2] for p in parts),
                )
            case Repeat(item, low, high):
                return self._repeat(item, low, high)
            case Anchor():
                raise ValueError("an expression without anchors is expected")

    def _sequence(self, items: Iterable[Node]) -> tuple[bool, int, int]:
        empty, first, last = True, 0, 0
        for item in items:
            nullable, begin, end = self.add(item)
            self._link(last, begin)
            first |= begin if empty else 0
            last = end | (last if nullable else 0)
            empty = empty and nullable
        return empty, first, last

    def _repeat(self, item: Node, low: int, high: int | None) -> tuple[bool, int, int]:
        """Add copies in a chain that can be left after each of the optional ones, as Lucene does."""
        empty, first, last = self._sequence([item] * low)
        if high is None:
            inner, begin, end = self.add(item)
            self._link(end, begin)
            self._link(last, begin)
            return empty or inner, first or begin, last | end
        before, ends = last, last if low else 0
        for number in range(high - low):
            _, begin, end = self.add(item)
            self._link(before, begin)
            if not low and not number:
                first = begin
            before, ends = end, ends | end
        return empty, first, ends

    def _link(self, sources: int, targets: int) -> None:
        while sources:
            low = sources & -sources
            self.follow[low.bit_length() - 1] |= targets
            sources ^= low


def too_complex(node: Node) -> bool:
    """Return whether Elasticsearch is likely to reject the pattern as too complex to determinise."""
    try:
        return effort(node, round(LIMIT * MARGIN)) >= LIMIT * MARGIN
    except _TooMany:
        return True


def effort(node: Node, stop: int = LIMIT) -> int:
    """Return the sum of the sizes of the state sets, or ``stop`` or a little more if it is at least that."""
    positions = _Positions()
    _, first, _ = positions.add(node)
    return _spent(tuple(positions.chars), (*positions.follow, first), stop)


@lru_cache(maxsize=16)  # EQL and Lucene ask of the same pattern.
def _spent(chars: Sequence[Ranges], follow: Sequence[int], stop: int) -> int:
    steps = _masks(chars)
    start = 1 << len(chars)
    seen, queue, spent = {start}, [start], 0
    while queue:
        state = queue.pop()
        spent += state.bit_count()
        if spent >= stop:
            return spent
        reached, rest = 0, state
        while rest:
            low = rest & -rest
            reached |= follow[low.bit_length() - 1]
            rest ^= low
        for mask in steps:
            target = reached & mask
            if target and target not in seen:
                seen.add(target)
                queue.append(target)
    return spent


def _masks(chars: Sequence[Ranges]) -> list[int]:
    """Return, for each group of characters that no position tells apart, the positions that take them."""
    points = sorted({point for ranges in chars for low, high in ranges for point in (low, high + 1)})
    number = {point: index for index, point in enumerate(points)}
    masks = [0] * len(points)
    for position, ranges in enumerate(chars):
        for low, high in ranges:
            for index in range(number[low], number[high + 1]):
                masks[index] |= 1 << position
    return sorted(set(masks) - {0})


def _union(sets: Iterable[int]) -> int:
    found = 0
    for one in sets:
        found |= one
    return found


def _either_case(ranges: Ranges) -> Ranges:
    extra = {
        ord(chr(code).swapcase())
        for low, high in ranges
        for code in range(low, min(high, 127) + 1)
        if chr(code).isalpha()
    }
    return (*ranges, *((code, code) for code in sorted(extra)))
