"""temporal_ordered: chains of distinct entries in the order of the rules.

A chain takes entries for rules in ascending order, each beginning no earlier than the one before ends. Of
all chains with the same last rule and length only the one that begins latest matters for what comes.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from converter.matcher.correlation_section import Section
from converter.matcher.windows import Entry, Hit, compare


@dataclass(frozen=True, slots=True)
class _Chain:
    """A chain by its last link; the rest hangs behind."""

    rule: int
    length: int
    start: int
    end: int
    positions: tuple[int, ...]
    before: _Chain | None

    def all_positions(self) -> tuple[int, ...]:
        chain: _Chain | None = self
        links: list[tuple[int, ...]] = []
        while chain is not None:
            links.append(chain.positions)
            chain = chain.before
        return tuple(dict.fromkeys(position for link in reversed(links) for position in link))


@dataclass(slots=True)
class _Stairs:
    """Chains of one last rule and length, by end; each begins later than those that end before it."""

    ends: list[int] = field(default_factory=list)
    chains: list[_Chain] = field(default_factory=list)

    def best(self, until: int) -> _Chain | None:
        """The chain that ends no later than `until` and begins latest."""
        position = bisect_right(self.ends, until)
        return self.chains[position - 1] if position else None

    def push(self, chain: _Chain) -> None:
        if self.chains and self.chains[-1].start >= chain.start:
            return
        self.ends.append(chain.end)
        self.chains.append(chain)

    def forget(self, begin: int) -> None:
        """Drop chains that begin before the window."""
        drop = 0
        while drop < len(self.chains) and self.chains[drop].start < begin:
            drop += 1
        del self.ends[:drop], self.chains[:drop]


class Ordered:
    """One group of a temporal_ordered correlation."""

    def __init__(self, section: Section, *, points: bool) -> None:
        """Start empty.

        Args:
            section: the correlation.
            points: no member is a correlation: every entry begins where it ends, and of each kind of chain
                the newest is enough.
        """
        self.section = section
        self.points = points
        self.count = len(section.references)
        self.test = compare(section.thresholds)
        # With the usual condition every chain takes the rules from the first without a gap.
        self.whole = section.thresholds == (("gte", self.count),)
        self.stairs: dict[tuple[int, int], _Stairs] = {}

    def judge(self, time: int, entries: Sequence[Entry]) -> Hit | None:
        """See `Window.judge`."""
        begin = time - self.section.timespan_ms
        for key in list(self.stairs):
            self.stairs[key].forget(begin)
            if not self.stairs[key].chains:
                del self.stairs[key]
        best: dict[tuple[int, int], tuple[_Chain, Entry]] = {}
        for chain, entry in self._new_chains([entry for entry in entries if entry.start >= begin]):
            key = chain.rule, chain.length
            if key not in best or best[key][0].start < chain.start:
                best[key] = chain, entry
        for key, (chain, _) in best.items():
            stairs = self.stairs.setdefault(key, _Stairs())
            if self.points and stairs.chains and stairs.chains[-1].start < chain.start:
                stairs.ends.clear()
                stairs.chains.clear()
            stairs.push(chain)
        by_length: dict[int, tuple[_Chain, Entry]] = {}
        for (_, length), found in best.items():
            if length not in by_length or by_length[length][0].start < found[0].start:
                by_length[length] = found
        if not by_length or not self.test(max(by_length)):
            return None
        # The latest begin from which the longest chain is as long as the condition wants.
        chain, entry = max(
            (
                found
                for found in by_length.values()
                if self.test(max(n for n, one in by_length.items() if one[0].start >= found[0].start))
            ),
            key=lambda found: (found[0].start, found[0].length),
        )
        return Hit(lambda: chain.start, entry, chain.all_positions())

    def _follows(self, chain: _Chain | None, rule: int) -> bool:
        if self.whole:
            return rule == (0 if chain is None else chain.rule + 1)
        return chain is None or rule > chain.rule

    def _new_chains(self, entries: Sequence[Entry]) -> Iterator[tuple[_Chain, Entry]]:
        """Yield chains whose last link is one of the entries, which all end at one time."""
        kinds: dict[tuple[int, frozenset[int]], list[Entry]] = {}
        for entry in entries:
            kind = kinds.setdefault((entry.start, entry.members), [])
            # A chain takes at most one entry for each rule.
            if len(kind) < self.count:
                kind.append(entry)
        choices = [(members, kind) for (_, members), kind in kinds.items()]
        seen: dict[tuple[int, int, tuple[int, ...]], int] = {}
        unused = (0,) * len(choices)
        todo: list[tuple[_Chain, Entry, tuple[int, ...]]] = []
        for position, (members, kind) in enumerate(choices):
            entry = kind[0]
            used = _use(unused, position)
            for rule in members:
                before = [stairs.best(entry.start) for stairs in self.stairs.values()]
                for chain in (None, *before):
                    if self._follows(chain, rule):
                        todo.append((_link(chain, rule, entry), entry, used))
        while todo:
            chain, entry, used = todo.pop()
            key = chain.rule, chain.length, used
            if seen.get(key, chain.start - 1) >= chain.start:
                continue
            seen[key] = chain.start
            yield chain, entry
            for position, (members, kind) in enumerate(choices):
                # Only an entry without duration fits behind another of the same time.
                if used[position] < len(kind) and kind[0].start >= chain.end:
                    following = kind[used[position]]
                    todo.extend(
                        (_link(chain, rule, following), following, _use(used, position))
                        for rule in members
                        if self._follows(chain, rule)
                    )


def _use(used: tuple[int, ...], position: int) -> tuple[int, ...]:
    return (*used[:position], used[position] + 1, *used[position + 1 :])


def _link(chain: _Chain | None, rule: int, entry: Entry) -> _Chain:
    length = 1 if chain is None else chain.length + 1
    start = entry.start if chain is None else chain.start
    return _Chain(rule, length, start, entry.end, entry.positions, chain)
