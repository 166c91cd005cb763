"""Correlations as EQL sequences: which types and thresholds EQL can say, and in how many queries."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from itertools import combinations, permutations

from converter.backends.eql.expression import either
from converter.backends.eql.sequence_items import (
    Item,
    Maker,
    chain,
    check_types,
    disjoint,
    event,
    joined,
    single,
    together,
)
from converter.errors import Refusal
from converter.plan.model import BaseRule, CorrelationPlan, Draft, Fidelity, Reason, Threshold
from converter.plan.thresholds import lower_bound

MAX_RUNS = 100
"""Elasticsearch's limit of ``with runs``."""
MAX_FREE = 3
"""Rules whose order is free: three need six orders, four would need 24."""
MAX_MEETINGS = 3
"""Places where alerts that follow each other can share an event: each doubles the number of queries."""
FIRST_OF_BURST = Reason(
    Fidelity.EXACT,
    "first of burst: Elasticsearch uses events up, so what completes the same alert again raises it once",
)


def drafts(plan: CorrelationPlan, make: Maker) -> list[Draft]:
    """Return the sequences of a correlation.

    Args:
        plan: the correlation.
        make: converts base rules.

    Raises:
        Refusal: SC205 for what a sequence cannot say.
    """
    if plan.type == "event_count":
        return [_count(plan, make)]
    if plan.type == "temporal_ordered":
        return _ordered(plan, make)
    if plan.type == "temporal":
        return _free(plan, make)
    raise Refusal("SC205", f"EQL cannot compute {plan.type}; KQL and SPL can")


def at_least(plan: CorrelationPlan, thresholds: Sequence[Threshold]) -> int:
    """Return N where the thresholds say "N or more".

    Raises:
        Refusal: SC205 if they say anything else.
    """
    count = lower_bound(thresholds)
    if count is None:
        shown = ", ".join(f"{threshold.op} {threshold.value:g}" for threshold in thresholds)
        raise Refusal("SC205", f"EQL cannot count to '{shown}', only 'so many or more'; KQL and SPL can")
    return count


def runs(plan: CorrelationPlan) -> int:
    """Return how many events an event_count asks for.

    Raises:
        Refusal: SC205 if it is not "N or more" or more than EQL counts to.
    """
    count = at_least(plan, plan.thresholds)
    if count < 1:
        raise Refusal("SC205", "a count of none or more always holds; EQL sees events only")
    if count > MAX_RUNS:
        raise Refusal("SC205", f"EQL counts to {MAX_RUNS} events, not {count}; KQL and SPL can")
    return count


def counted(plan: CorrelationPlan, make: Maker) -> Item:
    """Return the item of an event_count: any of its rules, repeated.

    Raises:
        Refusal: SC205.
    """
    items = [single(member, member.group_by, make) for member in plan.members]
    if len({item.keys for item in items}) > 1:
        raise Refusal("SC205", "EQL cannot join rules by different fields in one count; KQL and SPL can")
    categories = {item.category for item in items}
    category = categories.pop() if len(categories) == 1 else "any"
    parts = [item.condition if category != "any" else item.with_category() for item in items]
    return replace(
        items[0],
        category=category,
        condition=either(parts),
        asked=tuple(condition for item in items for condition in item.asked),
        kinds=tuple(kind for item in items for kind in item.kinds),
        runs=runs(plan),
        reasons=tuple(reason for item in items for reason in item.reasons),
    )


def _count(plan: CorrelationPlan, make: Maker) -> Draft:
    item = counted(plan, make)
    if item.runs == 1:
        return event(item)
    return joined([item], plan.timespan_ms)


def _ordered(plan: CorrelationPlan, make: Maker) -> list[Draft]:
    if plan.expression is not None or not _all_members(plan):
        raise Refusal("SC205", "EQL says an order of all rules only, not of some of them; KQL and SPL can")
    items = chain(plan, make, counted)
    check_types(items)
    apart = _ordered_draft(items, plan)
    shared = [
        replace(_ordered_draft(found, plan), name="_then_".join(item.label for item in found))
        for found in _shared(items)
    ]
    return [replace(apart, name="apart"), *shared] if shared else [apart]


def _ordered_draft(items: Sequence[Item], plan: CorrelationPlan) -> Draft:
    if sum(item.runs for item in items) < 2:
        return event(items[0])
    return _noted(joined(items, plan.timespan_ms))


def _shared(items: Sequence[Item]) -> list[list[Item]]:
    """Return the chains in which one event ends an alert and is the next rule, or begins the next alert.

    An alert and an event of one time follow each other, and the event may be the alert's own: only members
    of one correlation are distinct events.

    Raises:
        Refusal: SC205 if that can happen at too many places.
    """
    units = [replace(item, runs=1) for item in items for _ in range(item.runs)]
    meeting = [
        place
        for place in range(len(units) - 1)
        if units[place].owner != units[place + 1].owner and not disjoint(units[place : place + 2])
    ]
    if len(meeting) > MAX_MEETINGS:
        raise Refusal(
            "SC205",
            f"an event can belong to two alerts that follow each other, at {len(meeting)} places, and EQL"
            " needs a query for each choice of them; KQL and SPL can",
        )
    found = []
    for chosen in (set(some) for size in range(1, len(meeting) + 1) for some in combinations(meeting, size)):
        blocks = [[units[0]]]
        for place, unit in enumerate(units[1:]):
            if place in chosen:
                blocks[-1].append(unit)
            else:
                blocks.append([unit])
        if all(len(block) == 1 or _can_be_one(block) for block in blocks):
            found.append(_in_runs([_merged(block) for block in blocks]))
    return found


def _can_be_one(block: Sequence[Item]) -> bool:
    return len({unit.owner for unit in block}) == len(block) and not disjoint(block)


def _merged(block: Sequence[Item]) -> Item:
    return replace(together(block), label="_with_".join(unit.label for unit in block))


def _in_runs(units: Sequence[Item]) -> list[Item]:
    """Return the items with equal neighbours put together."""
    items: list[Item] = []
    for unit in units:
        if items and replace(items[-1], runs=1) == unit:
            items[-1] = replace(items[-1], runs=items[-1].runs + 1)
        else:
            items.append(unit)
    return items


def _all_members(plan: CorrelationPlan) -> bool:
    return not plan.thresholds or at_least(plan, plan.thresholds) == len(plan.members)


def _free(plan: CorrelationPlan, make: Maker) -> list[Draft]:
    """Return one sequence per order, and the events that are several of the rules at once."""
    items = []
    for member in plan.members:
        if not isinstance(member.source, BaseRule):
            raise Refusal("SC205", "EQL cannot correlate alerts without order; KQL and SPL can")
        items.append(single(member, member.group_by, make))
    found: dict[tuple[frozenset[int], ...], None] = {}
    for chosen in _choices(plan):
        if len(chosen) > MAX_FREE:
            raise Refusal(
                "SC205",
                f"EQL needs a query for each order; {len(chosen)} rules have too many; KQL and SPL can",
            )
        for blocks in _arrangements(chosen):
            if not any(disjoint([items[number] for number in block]) for block in blocks):
                found.setdefault(blocks)
    result = []
    for blocks in found:
        parts = [together([items[number] for number in sorted(block)]) for block in blocks]
        name = "_then_".join("_with_".join(plan.members[n].name for n in sorted(block)) for block in blocks)
        draft = event(parts[0]) if len(parts) == 1 else _noted(joined(parts, plan.timespan_ms))
        result.append(replace(draft, name=name))
    return result


def _choices(plan: CorrelationPlan) -> list[tuple[int, ...]]:
    """Return the sets of members that suffice.

    Raises:
        Refusal: SC205 for a boolean condition with `not`, and for counts other than "so many or more".
    """
    names = [member.name for member in plan.members]
    if plan.expression is not None:
        sets = sorted({tuple(sorted(names.index(name) for name in one)) for one in _sets(plan.expression)})
        return [one for one in sets if not any(set(other) < set(one) for other in sets)]
    count = at_least(plan, plan.thresholds) if plan.thresholds else len(names)
    if not 1 <= count <= len(names):
        raise Refusal("SC205", f"{count} of {len(names)} rules can never hold")
    return sorted({tuple(sorted(one)) for one in permutations(range(len(names)), count)})


def _sets(expression: object) -> set[frozenset[str]]:
    if isinstance(expression, str):
        return {frozenset({expression})}
    assert isinstance(expression, tuple)
    word, *args = expression
    if word == "not":
        raise Refusal(
            "SC205", "EQL cannot say that no such event came without knowing after which; KQL and SPL can"
        )
    parts = [_sets(arg) for arg in args]
    if word == "or":
        return set().union(*parts)
    found = {frozenset[str]()}
    for part in parts:
        found = {one | other for one in found for other in part}
    return found


def _arrangements(chosen: tuple[int, ...]) -> Iterable[tuple[frozenset[int], ...]]:
    """Yield every order of the rules, first one event for each, then with events that are several."""
    if not chosen:
        yield ()
        return
    found = {tuple(frozenset({number}) for number in order) for order in permutations(chosen)}
    queue = list(found)
    while queue:
        blocks = queue.pop()
        for at in range(len(blocks) - 1):
            merged = (*blocks[:at], blocks[at] | blocks[at + 1], *blocks[at + 2 :])
            if merged not in found:
                found.add(merged)
                queue.append(merged)
    yield from sorted(found, key=lambda blocks: (-len(blocks), [sorted(block) for block in blocks]))


def _noted(draft: Draft) -> Draft:
    return replace(draft, reasons=(*draft.reasons, FIRST_OF_BURST))
