"""A correlation's members as rows: time, group keys, and what the condition reads."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from converter.backends.kql import string_comparisons
from converter.backends.kql.comparisons import NUMERIC
from converter.backends.kql.conditions import Conditions, conjuncts, used_fields
from converter.backends.kql.event_query import AS_USUAL, Stages, Writing, select, table_of, where
from converter.backends.kql.expression import INDENT
from converter.backends.kql.let_statements import project
from converter.backends.kql.literals import name, string
from converter.errors import Refusal
from converter.plan.columns import Column, Columns
from converter.plan.conditions import And, Comparison, Condition, Or
from converter.plan.demanded import alternatives, one_of_few
from converter.plan.model import BaseRule, CorrelationPlan, Member
from converter.plan.values import Number, Text

_TIME = "TimeGenerated"


@dataclass(frozen=True, slots=True)
class Names:
    """The columns that every row of a correlation has, named so that none is a rule's."""

    time: str
    """Of the event; of an alert of another correlation its end."""
    start: str
    """Of an alert of another correlation its latest possible first event."""
    rule: str
    values: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Shape:
    """What rows are made of."""

    names: Names
    group_by: tuple[str, ...]
    as_text: tuple[bool, ...]
    """For each key, whether members hold it in columns of different types."""
    numeric: bool
    """Whether the condition's values are numbers."""
    whole: bool
    """Whether these are whole numbers in all members."""
    labelled: bool
    """Whether rows say which member they are."""
    fields: tuple[tuple[str, str], ...]
    """The rule's fields, of the completing event, with their types."""
    writing: Writing = AS_USUAL


@dataclass(frozen=True, slots=True)
class Numbered:
    """Events of one table with a number each, so that an event can be told from itself."""

    body: str
    column: str
    needs: frozenset[str]


def column_of(base: BaseRule, field: str) -> Column:
    """Return a column of a base rule.

    Raises:
        Refusal: SC204 if there is none.
    """
    column = base.columns.get(field)
    if column is None:
        if field == base.state.get("time_field", _TIME):
            return Column("datetime")
        # The source `none` knows the columns that the rule compares; a key is a string like the others.
        return Column("string")
    return column


def read_columns(member: Member, shape: Shape) -> list[str]:
    """Return the columns that a base rule's rows are made of."""
    assert isinstance(member.source, BaseRule)
    keys = [column for columns in (*member.group_by, *member.values) for column in columns]
    shown = [field for field, _ in shape.fields if field in member.source.columns]
    return list(dict.fromkeys([_time_field(member.source), *keys, *shown]))


def event_rows(
    member: Member,
    shape: Shape,
    conditions: Sequence[Condition] | None = None,
    *,
    with_fields: bool = True,
    with_check: bool = True,
    event: Numbered | None = None,
) -> Stages:
    """Return the stages that give a base rule's events as rows.

    Args:
        member: a member whose source is a base rule.
        shape: what rows are made of.
        conditions: select by these and not by the rule's.
        with_fields: whether rows have the rule's fields.
        with_check: whether events without a group key are left out here.
        event: read these numbered events and not the table.
    """
    base = member.source
    assert isinstance(base, BaseRule)
    if not with_fields:
        shape = replace(shape, fields=())
    trees = conjuncts(base.condition) if conditions is None else conditions
    if event:
        convert = Conditions(base.columns, alternation=shape.writing.alternation)
        operators = [*where([convert.expression(tree) for tree in trees])]
        table, needs = event.body, event.needs
    else:
        also = read_columns(member, shape)
        selected = select(table_of(base.state), base.columns, trees, also, shape.writing)
        operators, table, needs = list(selected.operators), selected.table, selected.needs
    present = [_present(base, column) for columns in member.group_by for column in columns]
    if not shape.numeric:
        present += [_present(base, column) for columns in member.values for column in columns]
    if present and with_check:
        operators.append("where " + " and ".join(dict.fromkeys(present)))
    row = _row(member, base, shape)
    operators.append(project([*row, (event.column, event.column)] if event else row))
    if shape.numeric:
        operators.append("where " + " and ".join(f"isnotnull({name(value)})" for value in shape.names.values))
    return Stages(table, tuple(operators), needs)


def numbered(members: Sequence[Member], shape: Shape, column: str) -> Numbered:
    """Return the events of all members, each with its number.

    Raises:
        Refusal: SC205 if the members are not all of one table.
    """
    bases = [member.source for member in members if isinstance(member.source, BaseRule)]
    if len({(table_of(base.state), _time_field(base)) for base in bases}) > 1:
        raise Refusal(
            "SC205",
            "KQL: an event can match two of the base rules, and another base rule reads another table",
            hint="make the base rules exclude each other",
        )
    columns = {field: held for base in bases for field, held in base.columns.items()}
    wanted = [one for member in members for one in read_columns(member, shape)]
    for base in bases:
        for tree in conjuncts(base.condition):
            fields, _ = used_fields(tree)
            wanted += fields
    either = Or(tuple(_all(conjuncts(base.condition)) for base in bases))
    selected = select(table_of(bases[0].state), columns, [either], wanted, shape.writing)
    operators = (*selected.operators, f"sort by {_time(bases[0])} asc", f"extend {column} = row_number()")
    return Numbered(replace(selected, operators=operators).text(INDENT), column, selected.needs)


def alert_row(
    member: Member, shape: Shape, inner: CorrelationPlan, columns: Sequence[str], shown: Columns
) -> str:
    """Return the operators that turn another correlation's alerts into rows.

    Args:
        member: whose source is the other correlation.
        shape: what rows are made of.
        inner: the other correlation.
        columns: its columns for first time, last time and group keys, in that order.
        shown: the columns of its completing events, of which its alerts carry the rule's fields.
    """
    first, last, *keys = columns
    held = dict(zip(inner.group_by, keys, strict=True))
    row = [(shape.names.start, first), (shape.names.time, last)]
    for key, as_text, (found,) in zip(shape.group_by, shape.as_text, member.group_by, strict=True):
        text = as_text and types_of(inner, found) != {"string"}
        row.append((key, f"tostring({name(held[found])})" if text else name(held[found])))
    # A key of the other correlation; it is there and not empty.
    values = [
        (value, name(held[found])) for value, (found,) in zip(shape.names.values, member.values, strict=True)
    ]
    if shape.numeric:
        for (found,) in member.values:
            _check_number(found, types_of(inner, found))
    row += [(value, f"toreal({held})" if shape.numeric else held) for value, held in values]
    if shape.labelled:
        row.append((shape.names.rule, string(member.name)))
    taken = {column for column, _ in row}
    row += [
        (field, name(field) if field in shown else _nothing(kind))
        for field, kind in shape.fields
        if field not in taken
    ]
    if not shape.numeric:
        return project(row)
    numbers = " and ".join(f"isnotnull({name(value)})" for value in shape.names.values)
    return f"{project(row)}\n| where {numbers}"


def types_of(plan: CorrelationPlan, key: str) -> set[str]:
    """Return the types of a group-by key in the members of a correlation; text where they differ."""
    position = plan.group_by.index(key)
    found: set[str] = set()
    for member in plan.members:
        columns = member.group_by[position]
        if isinstance(member.source, CorrelationPlan):
            found |= types_of(member.source, columns[0])
        else:
            types = {column_of(member.source, column).type for column in columns}
            found |= {"string"} if len(columns) > 1 or types & {"dynamic", "guid"} else types
    return found if len(found) == 1 else {"string"}


def _row(member: Member, base: BaseRule, shape: Shape) -> list[tuple[str, str]]:
    row = [(shape.names.time, _time(base))]
    keys = zip(shape.group_by, shape.as_text, member.group_by, strict=True)
    row += [(key, _key(base, columns, as_text)) for key, as_text, columns in keys]
    row += [
        (value, _number(base, columns) if shape.numeric else _key(base, columns, False))
        for value, columns in zip(shape.names.values, member.values, strict=True)
    ]
    if shape.labelled:
        row.append((shape.names.rule, string(member.name)))
    held = {column for column, _ in row}
    row += [
        (field, name(field) if field in base.columns else _nothing(kind))
        for field, kind in shape.fields
        if field not in held
    ]
    return row


def _nothing(kind: str) -> str:
    return '""' if kind == "string" else f"{kind}(null)"


def _time_field(base: BaseRule) -> str:
    return str(base.state.get("time_field") or _TIME)


def _time(base: BaseRule) -> str:
    field = _time_field(base)
    return name(field) if column_of(base, field).type == "datetime" else f"todatetime({name(field)})"


def _present(base: BaseRule, field: str) -> str:
    kind = column_of(base, field).type
    if kind in ("dynamic", "guid"):
        return f"isnotempty(tostring({name(field)}))"
    return f"isnotempty({name(field)})" if kind == "string" else f"isnotnull({name(field)})"


def _key(base: BaseRule, columns: Sequence[str], as_text: bool) -> str:
    if len(columns) > 1:
        return f"strcat({f', {string(chr(92))}, '.join(map(name, columns))})"
    (column,) = columns
    kind = column_of(base, column).type
    return f"tostring({name(column)})" if as_text or kind in ("dynamic", "guid") else name(column)


def _number(base: BaseRule, columns: Sequence[str]) -> str:
    if len(columns) != 1:
        raise Refusal("SC204", f"{' and '.join(columns)} together are no number")
    (column,) = columns
    kind = column_of(base, column).type
    _check_number(column, {kind})
    return name(column) if kind in NUMERIC else f"toreal({name(column)})"


def _check_number(column: str, types: set[str]) -> None:
    """Refuse what `toreal` makes a number of that an event does not have: true would be 1.

    Raises:
        Refusal: SC204.
    """
    if wrong := types & {"bool", "datetime"}:
        raise Refusal(
            "SC204", f"{column!r} is of type {min(wrong)}, and so has no sum, average or percentile"
        )


def merged(members: Sequence[Member]) -> tuple[Member, list[Condition]] | None:
    """Return a member and the conditions of one scan that selects the events of all members, once each.

    None if the members read different tables or columns.
    """
    bases = [member.source for member in members if isinstance(member.source, BaseRule)]
    first, one = bases[0], members[0]
    for member, base in zip(members, bases, strict=True):
        same_rows = (member.group_by, member.values) == (one.group_by, one.values)
        same_table = table_of(base.state) == table_of(first.state) and _time_field(base) == _time_field(first)
        if not (same_rows and same_table and _agree(base, first)):
            return None
    columns = {field: column for base in bases for field, column in base.columns.items()}
    convert = Conditions(columns)
    parts = [{str(convert.expression(tree)): tree for tree in conjuncts(base.condition)} for base in bases]
    common = [key for key in parts[0] if all(key in part for part in parts)]
    rest = [[tree for key, tree in part.items() if key not in common] for part in parts]
    conditions: list[Condition] = [parts[0][key] for key in common]
    if all(rest):
        conditions.append(Or(tuple(_all(trees) for trees in rest)))
    return replace(one, source=replace(first, columns=columns)), conditions


def _agree(one: BaseRule, other: BaseRule) -> bool:
    return all(other.columns[name] == column for name, column in one.columns.items() if name in other.columns)


def _all(trees: Sequence[Condition]) -> Condition:
    return trees[0] if len(trees) == 1 else And(tuple(trees))


def overlap(one: Member, other: Member) -> bool:
    """Tell whether an event could match both base rules; False only if that is certain."""
    a, b = one.source, other.source
    if not isinstance(a, BaseRule) or not isinstance(b, BaseRule):
        return False
    if table_of(a.state) != table_of(b.state):
        return False
    fixed = _fixed(a)
    return not any(values.isdisjoint(fixed.get(field, values)) for field, values in _fixed(b).items())


def _fixed(base: BaseRule) -> dict[str, set[str]]:
    """Return the fields that must have one of a few values, with these."""
    found: dict[str, set[str]] = {}
    for tree in conjuncts(base.condition):
        if demanded := one_of_few(alternatives(tree), _equality):
            field, values = demanded
            found[field] = found.get(field, set(values)) & set(values)
    return found


def _equality(leaf: Condition) -> tuple[str, str] | None:
    """Return the field of a comparison with one text or number, and its text in lower case."""
    match leaf:
        case Comparison(field, Text() as value) if (plain := string_comparisons.plain(value)) is not None:
            return field, plain.lower()
        case Comparison(field, Number(number)):
            return field, str(number)
    return None
