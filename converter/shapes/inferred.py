"""How events of the source `none` are stored: as they are, each value in its column's type."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from math import isfinite
from typing import Any

from converter.events import time_of
from converter.events.stored import Stored
from converter.plan.columns import Column, Columns
from converter.plan.model import CorrelationPlan

INDEX = "Events"
"""The one index or table of the source."""
_TIMES = {"kql": Column("datetime"), "spl": Column("double"), "eql": Column("date"), "lucene": Column("date")}
_TIME_NAMES = {"kql": "TimeGenerated", "spl": "_time", "eql": "@timestamp", "lucene": "@timestamp"}
_NUMBERS = {"long", "int", "double", "real"}
_OTHERS = {"boolean", "bool", "date", "datetime"}
_WHOLE = re.compile(r"[+-]?\d+", re.ASCII)
_DECIMAL = re.compile(r"[+-]?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?", re.ASCII)
_LONG = 2**63
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def store(events: Iterable[Mapping[str, Any]], columns: Columns, language: str) -> list[Stored]:
    """Return the events as the platform stores them; ``id`` is the position.

    A null is a missing field (JSON null on Elastic, an absent field on Splunk). A value that its
    column cannot hold is missing, as with Elasticsearch's ``ignore_malformed``.

    Raises:
        ValueError: for a list in KQL, whose scalar columns hold one value.
    """
    stored = []
    for position, event in enumerate(events):
        doc = {}
        for field, value in event.items():
            column = columns.get(field) or Column("keyword")
            if isinstance(value, list) and language == "kql":
                raise ValueError(f"field {field}: a Kusto column holds one value")
            kept = [_cast(one, column.type) for one in (value if isinstance(value, list) else [value])]
            kept = [one for one in kept if one is not None]
            if kept:
                doc[field] = kept if isinstance(value, list) else kept[0]
        stored.append(Stored(position, _index(event, language), doc))
    return stored


def _index(event: Mapping[str, Any], language: str) -> str:
    """Return where an event is: Splunk's field ``index`` names the index that holds it, whatever is in it."""
    given = event.get("index")
    return given if language == "spl" and isinstance(given, str) and given else INDEX


def with_times(stored: Iterable[Stored], events: Sequence[Mapping[str, Any]], language: str) -> list[Stored]:
    """Return the stored events with their own time where the language's correlations look for it."""
    timed = []
    for one in stored:
        milliseconds = time_of(events[one.id])
        doc = {key: value for key, value in one.doc.items() if key != _TIME_NAMES[language]}
        if milliseconds is not None:
            moment = _EPOCH + timedelta(milliseconds=milliseconds)
            value = {"kql": moment, "spl": milliseconds / 1000}.get(language, moment.isoformat())
            doc[_TIME_NAMES[language]] = value
        timed.append(Stored(one.id, one.index, doc))
    return timed


def correlation_columns(plan: CorrelationPlan, language: str) -> Columns:
    """Return the columns that a correlation reads and no detection tells of: keys, values and the time."""
    text = Column("string") if language == "kql" else Column("keyword")
    found: dict[str, Column] = {}
    for member in plan.members:
        if isinstance(member.source, CorrelationPlan):
            found |= correlation_columns(member.source, language)
        else:
            found |= {name: text for names in (*member.group_by, *member.values) for name in names}
            found |= member.source.columns
    return {**found, _TIME_NAMES[language]: _TIMES[language]}


def view(
    events: Iterable[Mapping[str, Any]], language: str, columns: Columns | None = None
) -> list[Mapping[str, Any]]:
    """Return the events as the matcher must see them: no platform stores a null, Kusto no empty string.

    A column of numbers holds a number and not the text that it came as (``05``); what is no number, or too
    large for the column, is missing there, as is what is no boolean or no time in a column of these.
    """
    lost = (None, "") if language == "kql" else (None,)
    kinds = {name: one.type for name, one in (columns or {}).items() if one.type in _NUMBERS | _OTHERS}
    seen: list[Mapping[str, Any]] = []
    for event in events:
        held = {key: _held(value, kinds.get(key)) for key, value in event.items() if value not in lost}
        seen.append({key: value for key, value in held.items() if value is not None})
    return seen


def _held(value: Any, kind: str | None) -> Any:
    if kind is None or value is None:
        return value
    if isinstance(value, list):
        held = [_held(one, kind) for one in value]
        return [one for one in held if one is not None] or None
    number = _cast(value, kind)
    if kind in _OTHERS:
        return None if number is None else value
    return value if isinstance(value, str) and str(number) == value else number


def _cast(value: Any, kind: str) -> Any:
    if value is None:
        return None
    try:
        if kind in {"long", "int"}:
            whole = isinstance(value, float) and value.is_integer()
            number = int(value) if whole or _WHOLE.fullmatch(str(value)) else None
            return number if number is not None and -_LONG <= number < _LONG else None
        if kind in {"double", "real"}:
            real = float(value) if _DECIMAL.fullmatch(str(value)) else None
            return real if real is not None and isfinite(real) else None
        if kind in {"date", "datetime"}:
            moment = datetime.fromisoformat(str(value))
            moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
            return moment if kind == "datetime" else moment.isoformat()
    except ValueError:
        return None
    if kind in {"boolean", "bool"}:
        return {"true": True, "false": False}.get(str(value).lower())
    return str(value).lower() if isinstance(value, bool) else str(value)
