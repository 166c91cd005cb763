"""What the results of a rule's queries say: events selected, or alerts with their groups and times."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, cast

from converter.conversion.convert import Conversion
from converter.engines import ENGINES
from converter.engines.base import Result
from converter.errors import EngineError
from converter.events.stored import Stored
from converter.plan.model import BaseRule, CorrelationPlan
from converter.verify.expected import milliseconds_of, texts
from converter.verify.judge import Mark

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

Event = Mapping[str, Any]


def alerts_of(
    conversion: Conversion, events: Sequence[Event], stored: Sequence[Stored], results: Sequence[Result]
) -> set[Mark]:
    """Return what the queries of a rule selected: events, or alerts (a threshold's without their time).

    Args:
        conversion: the rule in a cell.
        events: the events that were searched, by position.
        stored: the same as the platform stores them.
        results: of each of the conversion's queries, in order.

    Raises:
        EngineError: SC404 if a query does not say which columns carry its alerts.
    """
    plan = conversion.plan
    if isinstance(plan, BaseRule):
        return {
            Mark((), milliseconds_of(events[e]) if e < len(events) else 0, e)
            for result in results
            for e in result.events
        }
    rows = [
        (query, row) for query, result in zip(conversion.queries, results, strict=True) for row in result.rows
    ]
    form = ENGINES[conversion.cell.target].alerts
    if form == "sequences":
        marks = {
            Mark(_joined(plan, row["keys"]), milliseconds_of(events[row["events"][-1]])) for _, row in rows
        }
        # An event that is an alert by itself: its group is in its own fields.
        for query, result in zip(conversion.queries, results, strict=True):
            columns = query.alert.group if query.alert else ()
            for one in result.events:
                keys = [stored[one].doc.get(column) for column in columns]
                marks.add(Mark(_joined(plan, keys), milliseconds_of(events[one])))
        return marks
    if form == "groups":
        return {Mark(_joined(plan, list(row["group"].values())), 0) for _, row in rows}
    found = set()
    for query, row in rows:
        if query.alert is None:
            raise EngineError("SC404", "the backend does not say which columns carry the alert")
        for column in (*query.alert.group, query.alert.last):
            if column not in row:
                raise EngineError("SC404", f"the query's rows have no column '{column}'")
        group = texts(row[column] for column in query.alert.group)
        found.add(Mark(group, _milliseconds(row[query.alert.last])))
    return found


def _joined(plan: CorrelationPlan, values: Sequence[Any]) -> tuple[str, ...]:
    """Return one text for each group-by key; of several columns joined as a domain and a name are."""
    held = [_held(plan, position) for position in range(len(plan.group_by))]
    if sum(map(len, held)) != len(values):
        return texts(values)
    rest = iter(values)
    return tuple("\\".join(_text(next(rest), kind) for kind in kinds) for kinds in held)


def _held(plan: CorrelationPlan, position: int) -> list[str]:
    """Return the types of the columns that hold a group-by key."""
    member = plan.members[0]
    names, source = member.group_by[position], member.source
    if isinstance(source, CorrelationPlan):
        return _held(source, source.group_by.index(names[0]))
    return [source.columns[name].type if name in source.columns else "" for name in names]


def _text(value: Any, kind: str) -> str:
    """Return a key's text; EQL gives times in epoch milliseconds."""
    if kind == "date" and isinstance(value, int):
        moment = _EPOCH + timedelta(milliseconds=value)
        return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return "" if value is None else str(value)


def keyed(plan: CorrelationPlan) -> set[str]:
    """Return the columns by which a correlation groups, and those whose values it looks at."""
    found: set[str] = set()
    for member in plan.members:
        found.update(name for names in (*member.group_by, *member.values) for name in names)
        if isinstance(member.source, CorrelationPlan):
            found |= keyed(member.source)
    return found


def _is_known(plan: CorrelationPlan, column: str) -> bool:
    """Tell whether the cell has a column, as far as the rules of a correlation say."""
    return any(
        _is_known(member.source, column)
        if isinstance(member.source, CorrelationPlan)
        else column in member.source.columns
        for member in plan.members
    )


def shown_wrongly(plan: CorrelationPlan, results: Sequence[Result], stored: Sequence[Stored]) -> list[str]:
    """Return what is wrong with the columns that alerts show: each value is one of the events'."""
    wrong: list[str] = []
    for column in plan.fields:
        if column in keyed(plan):
            continue  # Keys and counted values have columns of their own; other columns may be empty.
        held = {str(one.doc[column]) for one in stored if one.doc.get(column) not in (None, "")}
        if any(isinstance(one.doc.get(column), (list, datetime)) for one in stored):
            continue
        rows = [row for result in results for row in result.rows if "keys" not in row and "group" not in row]
        if not any(column in row for row in rows) and not _is_known(plan, column):
            continue  # Columns that nobody has declared are not shown in Kusto.
        everywhere = all(one.doc.get(column) not in (None, "") for one in stored)
        for row in rows:
            # A list function of SPL gives no field where no event has a value.
            shown = row.get(column)
            given = shown if isinstance(shown, list) else [shown]
            texts = [str(one) for one in given if one not in (None, "")]
            if everywhere and not texts:
                wrong.append(f"the alert shows no value of {column}")
            wrong += [
                f"the alert shows {text!r:.60} as {column}, which no event has"
                for text in texts
                if held and text not in held
            ]
    return wrong


def _milliseconds(value: Any) -> int:
    """Return epoch milliseconds of a row's time: a datetime (KQL) or epoch seconds (SPL)."""
    if isinstance(value, datetime):
        moment = value if value.tzinfo else value.replace(tzinfo=UTC)
        return (moment - _EPOCH) // timedelta(milliseconds=1)
    return round(float(cast(str, value)) * 1000)
