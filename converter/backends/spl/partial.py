"""temporal_ordered with a condition on how many of the rules are there, in order.

The condition is about the longest chain that ends at an instant. For each length, the latest begin of a
chain of that length is kept; the shorter the chain, the later it can begin.
"""

from __future__ import annotations

import operator
from collections.abc import Iterable, Iterator, Sequence
from itertools import combinations

from converter.backends.spl.lanes import Stage
from converter.backends.spl.script import Script

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
        stage: a correlation of event rules.
        good: what `lengths` gave.
        apart: whether no event matches two of the rules.
    """
    columns = [step.column for step in stage.steps]
    count = len(columns)
    if apart:
        script.merge()
    else:
        count_matches(script, columns)
    script.add("sort 0 time_us")
    for length in range(1, count + 1):
        # Of chains of this length that end here, with the rules up to `last`: the latest begin, 0 for none.
        assignments = []
        for last in range(length, count + 1):
            terms = [f"now_{length}_{last - 1}"] if last > length else []
            for chosen in _sets(last):
                rest = length - len(chosen)
                if chosen[-1] == last and 0 <= rest < max(chosen[0], 1):
                    begin = "time_us" if not rest else f"coalesce(before_{rest}_{chosen[0] - 1}, 0)"
                    here = _present(columns, chosen) if apart else distinct(chosen)
                    terms.append(f"if({here}, {begin}, 0)")
            assignments.append(f"now_{length}_{last}={_greatest(terms)}")
        script.add("eval " + ", ".join(assignments))
        if length < count:
            kept = range(length, count)
            running = " ".join(f"max(now_{length}_{last}) as before_{length}_{last}" for last in kept)
            script.add(f"streamstats current=f {running}{script.by()}")
    now = {length: f"now_{length}_{count}" for length in range(1, count + 1)}
    begin = f"time_us-{stage.span_us}"
    longest = ", ".join(f"{now[length]}>={begin}, {length}" for length in sorted(now, reverse=True))
    script.add(f"eval rule_count=case({longest})")
    script.add("where " + script.unless(stage, f"({_one_of('rule_count', good)})"))
    script.add(f"eval start_us={_start(now, good)}")


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
    for size in range(1, last + 1):
        yield from combinations(range(1, last + 1), size)


def count_matches(script: Script, columns: Sequence[str]) -> None:
    """Make one row of each instant with the number of events that match any rule of each set of rules."""
    sets = list(_sets(len(columns)))
    script.add("eval " + ", ".join(f"{_name(chosen)}=if({_any(columns, chosen)}, 1, 0)" for chosen in sets))
    script.merge(*(f"sum({_name(chosen)}) as {_name(chosen)}" for chosen in sets))


def distinct(numbers: Iterable[int]) -> str:
    """Return a test that an instant has a distinct event for each of the rules.

    By Hall's theorem it has if every set of the rules has as many events that match any of them.
    """
    rules = tuple(numbers)
    sets = [chosen for size in range(1, len(rules) + 1) for chosen in combinations(rules, size)]
    return " AND ".join(f"{_name(chosen)}>={len(chosen)}" for chosen in sets)


def _present(columns: Sequence[str], chosen: Sequence[int]) -> str:
    return " AND ".join(f"isnotnull({columns[number - 1]})" for number in chosen)


def _name(chosen: Sequence[int]) -> str:
    return "any_" + "_".join(map(str, chosen))


def _any(columns: Sequence[str], chosen: Sequence[int]) -> str:
    named = [columns[number - 1] for number in chosen]
    return f"isnotnull({named[0]})" if len(named) == 1 else f"isnotnull(coalesce({', '.join(named)}))"
