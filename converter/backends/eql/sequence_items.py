"""The items of a sequence: conditions with their join keys, and the text around them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from itertools import product

from converter.backends.eql import text
from converter.backends.eql.expression import And, Leaf, Node, Or, both, either, query
from converter.backends.eql.fields import Target, family
from converter.errors import Refusal
from converter.plan import conditions
from converter.plan.columns import Columns
from converter.plan.contradictions import clash
from converter.plan.model import (
    AlertColumns,
    BaseRule,
    CorrelationPlan,
    Draft,
    Fidelity,
    Member,
    Reason,
)

Maker = Callable[[BaseRule], tuple[str, Node, tuple[Reason, ...]]]
"""Converts a base rule into its category, its condition and what that loses."""
Keys = tuple[tuple[str, ...], ...]

_UNITS = ((86_400_000, "d"), (3_600_000, "h"), (60_000, "m"), (1_000, "s"), (1, "ms"))


@dataclass(frozen=True, slots=True)
class Item:
    """One item of a sequence."""

    category: str
    condition: Node
    keys: Keys
    """Join keys as EQL writes them: for each group-by key of the correlation its columns."""
    names: Keys
    """The same as the columns are called."""
    asked: tuple[conditions.Condition, ...] = ()
    """Of the base rules, any of which it is, to see whether an event can be two rules at once."""
    kinds: tuple[str, ...] = ()
    """The category of the log source of each of them."""
    types: tuple[str, ...] = ()
    """What the join keys' values are: text, number, date ..."""
    label: str = ""
    """The member that it stands for."""
    owner: int = 0
    """`id()` of the correlation whose member it is: members of one are distinct events."""
    runs: int = 1
    reasons: tuple[Reason, ...] = ()
    columns: Columns = field(default_factory=dict)
    """Of the cell."""

    def with_category(self) -> Node:
        """Return the condition with the category in it, for an item of events of any category."""
        if self.category == "any":
            return self.condition
        # event.category can hold several values; == holds if any does, as `category where` does.
        return both([Leaf(f"event.category == {text.string(self.category)}"), self.condition])


def single(member: Member, keys: Keys, make: Maker) -> Item:
    """Return the item of a member that is an event rule.

    Raises:
        Refusal: SC205 if it is a correlation, SC204 for a key that is not in the column list.
    """
    base = member.source
    if not isinstance(base, BaseRule):
        raise Refusal("SC205", "EQL cannot count alerts; KQL and SPL can")
    category, condition, reasons = make(base)
    guards: list[Node] = []
    shown = []
    for key in keys:
        columns = []
        for name in key:
            column = base.columns.get(name)
            if column is None:
                raise Refusal("SC204", f"the group-by field {name} is not in the column list")
            Target(name, column)  # Refuses what EQL cannot look at, such as analysed text.
            written = text.field(name, column.optional)
            columns.append(written)
            if column.optional:
                # EQL joins events whose `?key` is missing with each other; in Sigma they take no part.
                guards.append(Leaf(f"{written} != null", f"{written} == null"))
        shown.append(tuple(columns))
    return Item(
        category,
        both([condition, *guards]),
        tuple(shown),
        keys,
        (base.condition,),
        (base.category or "",),
        tuple(family(base.columns[name].type) for key in keys for name in key),
        member.name,
        reasons=reasons,
        columns=base.columns,
    )


def together(items: Sequence[Item]) -> Item:
    """Return the item of the events that are all of these rules at once.

    Raises:
        Refusal: SC205 if the rules join by different fields.
    """
    if len(items) == 1:
        return items[0]
    if len({item.keys for item in items}) > 1:
        why = "one event can be two of the rules, and EQL cannot compare the fields that they join by"
        raise Refusal("SC205", f"{why}; KQL and SPL can")
    condition = both([item.with_category() for item in items])
    reasons = tuple(reason for item in items for reason in item.reasons)
    return Item("any", condition, items[0].keys, items[0].names, types=items[0].types, reasons=reasons)


def disjoint(items: Sequence[Item]) -> bool:
    """Return whether no event can be all of these, whichever of its rules each is."""
    columns = {name: column for item in items for name, column in item.columns.items()}
    return all(
        _of_other_kinds([kind for _, kind in rules])
        or clash(conditions.And(tuple(condition for condition, _ in rules)), columns) is not None
        for rules in product(*(zip(item.asked, item.kinds, strict=True) for item in items))
    )


_KINDS = frozenset(
    (
        *("process_creation", "network_connection", "file_event", "file_change", "sysmon_status"),
        *("process_termination", "driver_load", "image_load", "create_remote_thread", "raw_access_thread"),
        *("process_access", "registry_add", "registry_delete", "registry_set", "registry_rename"),
        *("create_stream_hash", "pipe_created", "wmi_event", "dns_query", "file_delete", "sysmon_error"),
        *("clipboard_capture", "process_tampering", "file_delete_detected", "file_block_executable"),
        *("file_block_shredding", "file_executable_detected", "file_rename", "file_access", "ps_script"),
        *("ps_module", "ps_classic_start", "ps_classic_provider_start", "ps_classic_script"),
    )
)
"""Categories that share no event (Sigma specification 2.1, Taxonomy, folder Windows: an event id each)."""


def _of_other_kinds(kinds: Sequence[str]) -> bool:
    """Tell whether rules are of kinds of event that no event is at once."""
    known = {kind for kind in kinds if kind in _KINDS}
    other = any(not kind.startswith("registry_") for kind in known)
    return len(known) > 1 or (other and "registry_event" in kinds)


def chain(
    plan: CorrelationPlan, make: Maker, counted: Callable[[CorrelationPlan, Maker], Item]
) -> list[Item]:
    """Return the items of an ordered correlation; those of ordered or counted members are put in place.

    The members' alerts follow each other, so their events do; one span then holds all of them.
    What cannot be kept is a member's own shorter window and its own further keys: broader.

    Raises:
        Refusal: SC205 for members that are other correlations.
    """
    items: list[Item] = []
    for member in plan.members:
        inner = member.source
        if isinstance(inner, BaseRule):
            items.append(replace(single(member, member.group_by, make), owner=id(plan)))
            continue
        if inner.type == "temporal_ordered":
            found = _ordered_members(inner, make, counted)
        elif inner.type == "event_count":
            found = [replace(counted(inner, make), label=member.name, owner=id(inner))]
        else:
            raise Refusal(
                "SC205", f"EQL cannot use alerts of type {inner.type} in a sequence; KQL and SPL can"
            )
        kept = [_number_of(name, inner) for key in member.group_by for name in key]
        lost = _losses(plan, inner, kept) if sum(item.runs for item in found) > 1 else []
        for item in found:
            keys, names = (tuple(one[number] for number in kept) for one in (item.keys, item.names))
            types = tuple(kind for number in kept for kind in _types_of(item, number))
            reasons = (*item.reasons, *lost)
            condition = item.condition if lost else both([item.condition, *_present(item, kept)])
            items.append(
                replace(item, condition=condition, keys=keys, names=names, types=types, reasons=reasons)
            )
    return items


def _present(item: Item, kept: Sequence[int]) -> list[Node]:
    """Ask for the keys that are not joined by: an event that lacks one takes no part, even alone.

    Optional ones are asked for already (`single`).
    """
    columns = [name for number, key in enumerate(item.keys) if number not in kept for name in key]
    return [Leaf(f"{name} != null", f"{name} == null") for name in columns if not name.startswith("?")]


def _types_of(item: Item, number: int) -> tuple[str, ...]:
    """Return the types of the columns of one join key."""
    begin = sum(map(len, item.names[:number]))
    return item.types[begin : begin + len(item.names[number])]


def _ordered_members(
    inner: CorrelationPlan, make: Maker, counted: Callable[[CorrelationPlan, Maker], Item]
) -> list[Item]:
    if inner.expression is not None or any(
        t.op != "gte" or t.value != len(inner.members) for t in inner.thresholds
    ):
        raise Refusal("SC205", "EQL says an order of all rules only, not of some of them; KQL and SPL can")
    return chain(inner, make, counted)


def _number_of(name: str, inner: CorrelationPlan) -> int:
    if name not in inner.group_by:
        raise Refusal("SC205", f"'{name}' is no group-by key of {inner.name}, so EQL cannot join by it")
    return inner.group_by.index(name)


def _losses(plan: CorrelationPlan, inner: CorrelationPlan, kept: Sequence[int]) -> list[Reason]:
    found = []
    lost = [name for number, name in enumerate(inner.group_by) if number not in kept]
    if lost:
        found.append(
            Reason(
                Fidelity.BROADER,
                f"EQL joins all items by the same keys: {inner.name} is not joined by {', '.join(lost)}",
                f"not joined: {inner.name}: {', '.join(lost)}",
            )
        )
    if inner.timespan_ms < plan.timespan_ms:
        times = f"{span(plan.timespan_ms)}, not {span(inner.timespan_ms)}"
        why = f"EQL has one maxspan: {inner.name} may take {times}"
        found.append(Reason(Fidelity.BROADER, why, f"one maxspan: {inner.name}"))
    return found


def joined(items: Sequence[Item], timespan_ms: int) -> Draft:
    """Return the sequence of the items.

    Raises:
        Refusal: SC205 if the items join by different numbers of columns.
    """
    flat = [tuple(column for key in item.keys for column in key) for item in items]
    if len({len(keys) for keys in flat}) > 1:
        raise Refusal("SC205", "EQL needs as many join keys on every item; KQL and SPL can join these rules")
    check_types(items)
    shared = 0
    while shared < len(flat[0]) and len({keys[shared] for keys in flat}) == 1:
        shared += 1
    head = "sequence"
    if shared:
        head += f" by {', '.join(flat[0][:shared])}"
    lines = [f"{head} with maxspan={span(timespan_ms)}"]
    for item, keys, needless in zip(items, flat, _needless(flat), strict=True):
        asked = replace(item, condition=_without(item.condition, needless))
        lines.append(_item(asked, keys[shared:]))
    reasons = tuple(dict.fromkeys(reason for item in items for reason in item.reasons))
    return Draft("\n".join(lines), reasons=reasons)


def _needless(flat: Sequence[Sequence[str]]) -> list[set[str]]:
    """Return for each item the conditions that its optional keys are there, where the join says so.

    EQL drops events without a key, but not without a `?key` (Elasticsearch pull request 79677). All items of
    a sequence have equal keys: one that is there is there in all.
    """
    found: list[set[str]] = [set() for _ in flat]
    for column in zip(*flat, strict=True):
        certain = not all(key.startswith("?") for key in column)
        for place, key in enumerate(column):
            if key.startswith("?") and (certain or place):
                found[place].add(f"{key} != null")
    return found


def _without(node: Node, needless: set[str]) -> Node:
    """Return a condition without some of its parts; what is nothing else stays."""
    if isinstance(node, And):
        kept = [arg for arg in node.args if not (isinstance(arg, Leaf) and arg.text in needless)]
        return both([_without(arg, needless) for arg in kept]) if kept else node
    if isinstance(node, Or):
        return either([_without(arg, needless) for arg in node.args])
    return node


def check_types(items: Sequence[Item]) -> None:
    """Refuse join keys of different types, as Elasticsearch does since 7.11 (pull request 66183).

    Raises:
        Refusal: SC204.
    """
    for column, types in enumerate(zip(*(item.types for item in items), strict=False)):
        if len(set(types)) > 1:
            named = [[name for key in item.names for name in key][column] for item in items]
            fields = " and ".join(dict.fromkeys(named))
            raise Refusal(
                "SC204",
                f"EQL cannot join {fields}: their types ({', '.join(dict.fromkeys(types))}) differ; "
                "KQL and SPL can",
            )


def _item(item: Item, own: Sequence[str]) -> str:
    body = query(item.category, item.condition, "  ")
    closed = f"  [{body}]" if "\n" not in body else f"  [{body}\n  ]"
    if own:
        closed += f" by {', '.join(own)}"
    return closed + (f" with runs={item.runs}" if item.runs > 1 else "")


def event(item: Item) -> Draft:
    """Return the query of single events that are alerts by themselves.

    An event that lacks a join key takes no part. The alert's group is in the event's own fields.
    """
    guards = [Leaf(f"{column} != null", f"{column} == null") for key in item.keys for column in key]
    condition = both([item.condition, *guards])
    group = tuple(name for key in item.names for name in key)
    alert = AlertColumns(first="@timestamp", last="@timestamp", group=group, count="")
    return Draft(query(item.category, condition), reasons=tuple(dict.fromkeys(item.reasons)), alert=alert)


def span(milliseconds: int) -> str:
    """Return a time span in the largest unit that it is a whole number of."""
    for size, unit in _UNITS:
        if milliseconds % size == 0:
            return f"{milliseconds // size}{unit}"
    raise AssertionError("one millisecond divides every span")
