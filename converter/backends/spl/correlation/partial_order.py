"""temporal_ordered with a condition on how many of the rules are there, in order.

The condition is about the longest chain that ends at an instant. For each length, the latest begin of a
chain of that length is kept; the shorter the chain, the later it can begin.
"""

from __future__ import annotations

import operator
from collections.abc import Iterable, Iterator, Sequence
from itertools import combinations

from converter.backends.spl.correlation import begin_markers
from converter.backends.spl.correlation.commands import Script
from converter.backends.spl.correlation.stages import Stage

_TESTS = {
    "gt": operator.gt,
    "gte": operator.ge,
    "lt": operator.lt,
    "lte": operator.le,
    "eq": operator.eq,
    "neq": operator.ne,
}


def lengths(stage: Stage) -> list[int]:
    """Return the lengths of the longest chain that satisfy the condition."""
    count, thresholds = len(stage.steps), stage.plan.thresholds
    if not thresholds:
        return [count]
    return [
        length
        for length in range(1, count + 1)
        if all(_TESTS[one.op](length, one.value) for one in thresholds)
    ]


def judge(script: Script, stage: Stage, good: Sequence[int], *, apart: bool) -> None:
    """Emit the commands.

    Args:
        script: the search.
        stage: a correlation.
        good: what `lengths` gave.
        apart: whether no event matches two of the rules.
    """
    columns = [step.column for step in stage.steps]
    count = len(columns)
    events = [number for number, step in enumerate(stage.steps, 1) if step.tree is not None]
    counted = [] if apart else [_name(chosen) for chosen in _subsets(events)]
    if apart:
        script.merge()
    else:
        count_matches(script, stage, columns, events)
    late = [number for number in range(2, count + 1) if number not in events]
    if late:
        begin_markers.add(script, stage, [stage.steps[number - 1] for number in late], counted)
    script.add("sort 0 time_ms" + (" role" if late else ""))
    for length in range(1, count + 1):
        # Of chains of this length that end here, with the rules up to `last`: the latest begin, 0 for none.
        assignments = []
        for last in range(length, count + 1):
            terms = [f"now_{length}_{last - 1}"] if last > length else []
            for chosen in _sets(last):
                rest = length - len(chosen)
                if chosen[-1] == last and 0 <= rest < max(chosen[0], 1):
                    terms += _terms(columns, events, chosen, rest, apart=apart)
            assignments.append(f"now_{length}_{last}={_greatest(terms)}")
        script.add("eval " + ", ".join(assignments))
        if length < count:
            kept = range(length, count)
            running = " ".join(f"max(now_{length}_{last}) as before_{length}_{last}" for last in kept)
            script.add(f"streamstats current=f {running}{script.by()}")
            for number in (number for number in late if number > length):
                # What had begun when the alert began: seen at its mark, found again by the alert's begin.
                seen = f"seen_{number}_{length}"
                script.add(
                    f"eval {seen}=if(role={number}, before_{length}_{number - 1}, null())",
                    f"streamstats max({seen}) as {seen}{script.by(f'mark_{number}')}",
                )
    now = {length: f"now_{length}_{count}" for length in range(1, count + 1)}
    begin = f"time_ms-{stage.span_ms}"
    longest = ", ".join(f"{now[length]}>={begin}, {length}" for length in sorted(now, reverse=True))
    script.add(f"eval rule_count=case({longest})")
    script.add("where " + script.unless(stage, f"({_one_of('rule_count', good)})"))
    script.add(f"eval start_ms={_start(now, good)}")


def _terms(
    columns: Sequence[str], events: Sequence[int], chosen: tuple[int, ...], rest: int, *, apart: bool
) -> list[str]:
    """Return the begin of a chain whose last rules, ``chosen``, all end at this instant, 0 if they do not.

    An alert that began earlier can only be the first of them.
    """
    first = chosen[0]
    before = f"before_{rest}_{first - 1}"
    points = [number for number in chosen if number in events]
    if apart:
        here = [f"isnotnull({columns[number - 1]})" for number in points]
    else:
        here = [distinct(points)] if points else []
    alerts = [number for number in chosen if number not in events]
    at_once = [*here, *(f"{columns[number - 1]}=time_ms" for number in alerts)]
    begin = "time_ms" if not rest else f"coalesce({before}, 0)"
    terms = [f"if({' AND '.join(at_once)}, {begin}, 0)"]
    if first in alerts:
        column = columns[first - 1]
        others = [*here, *(f"{columns[number - 1]}=time_ms" for number in alerts[1:])]
        begin = column if not rest else f"coalesce(seen_{first}_{rest}, 0)"
        terms.append(f"if({' AND '.join([f'{column}<time_ms', *others])}, {begin}, 0)")
    return terms


def _greatest(terms: Sequence[str]) -> str:
    return terms[0] if len(terms) == 1 else f"max({', '.join(terms)})"


def _one_of(name: str, values: Sequence[int]) -> str:
    return " OR ".join(f"{name}={value}" for value in values)


def _start(now: dict[int, str], good: Sequence[int]) -> str:
    """Return the latest begin from which on the longest chain is as long as the condition wants."""
    count = len(now)
    if list(good) == list(range(good[0], count + 1)):
        return now[good[0]]
    cases = []
    for length in range(1, count + 1):
        ways = [
            " AND ".join(
                [
                    *([f"{now[longest]}={now[length]}"] if longest > length else []),
                    *([f"{now[longest + 1]}<{now[length]}"] if longest < count else []),
                ]
            )
            or "true()"
            for longest in good
            if longest >= length
        ]
        if ways:
            cases.append(f"{' OR '.join(ways)}, {now[length]}")
    return f"case({', '.join(cases)})"


def _sets(last: int) -> Iterator[tuple[int, ...]]:
    return _subsets(range(1, last + 1))


def _subsets(numbers: Sequence[int]) -> Iterator[tuple[int, ...]]:
    for size in range(1, len(numbers) + 1):
        yield from combinations(numbers, size)


def count_matches(script: Script, stage: Stage, columns: Sequence[str], events: Sequence[int]) -> None:
    """Make one row of each instant with the number of events that match any rule of each set of rules.

    Args:
        script: the search.
        stage: a correlation.
        columns: of all rules.
        events: the numbers of those that are event rules, from 1.
    """
    script.unnumber_kept(stage)
    sets = list(_subsets(events))
    script.add("eval " + ", ".join(f"{_name(chosen)}=if({_any(columns, chosen)}, 1, 0)" for chosen in sets))
    script.merge(*(f"sum({_name(chosen)}) as {_name(chosen)}" for chosen in sets))


def distinct(numbers: Iterable[int]) -> str:
    """Return a test that an instant has a distinct event for each of the rules.

    By Hall's theorem it has if every set of the rules has as many events that match any of them.
    """
    return " AND ".join(f"{_name(chosen)}>={len(chosen)}" for chosen in _subsets(tuple(numbers)))


def _name(chosen: Sequence[int]) -> str:
    return "any_" + "_".join(map(str, chosen))


def _any(columns: Sequence[str], chosen: Sequence[int]) -> str:
    named = [columns[number - 1] for number in chosen]
    return f"isnotnull({named[0]})" if len(named) == 1 else f"isnotnull(coalesce({', '.join(named)}))"
