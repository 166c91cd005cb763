"""The query of an import format: each alert in one run only, and the columns that alerts name.

A run reads more than it judges. What it judges begins where the last run's ended, so none is raised twice:

- single events by the time at which they came in: ``ingestion_time()``, as in Microsoft's "Handle ingestion
  delay in scheduled analytics rules". The upper bound is there because a run may begin later than `now()`.
- correlations by the time of the completing event, `late` seconds ago, so that its events are all there.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from converter.exports.item import ExportItem, ExportQuery
from converter.exports.sentinel import facts

_UNITS = ((86_400, "d"), (3_600, "h"), (60, "m"), (1, "s"))
_PLAIN = re.compile(r"[A-Za-z_]\w*", re.ASCII)


@dataclass(frozen=True, slots=True)
class Rows:
    """What a query's rows hold."""

    columns: frozenset[str]
    extends: dict[str, str]
    """Further columns that a stage at the end can add -> the stage's expressions."""


def rows(item: ExportItem, query: ExportQuery) -> Rows:
    """Return the columns of a query's rows, as far as they are certain."""
    if query.alert is not None:
        alert = query.alert
        found = {alert.first, alert.last, alert.count, *alert.group, *item.shown}
        if {"Timestamp", "DeviceId", "ReportId"} <= set(item.columns):
            found |= {"Timestamp", "DeviceId", "ReportId"}
        return Rows(frozenset(name for name in found if _PLAIN.fullmatch(name)), {})
    if len(item.tables) == 1 and item.tables[0] in facts.WHOLE_TABLES:
        real = {name for name, column in item.columns.items() if not column.via}
    elif item.tables and all(table in facts.DEVICE_COLUMNS for table in item.tables):
        real = set.intersection(*(set(facts.DEVICE_COLUMNS[table]) for table in item.tables))
    else:
        real = set()
    read = re.split(r"\W+", query.body)
    used = {name for name in item.fields if name in read}
    held = frozenset(name for name in real | used if _PLAIN.fullmatch(name))
    return Rows(held, dict(_further(item, query, held)))


def _further(item: ExportItem, query: ExportQuery, held: frozenset[str]) -> list[tuple[str, str]]:
    """Return columns inside others: those that entities and details want, and that the table has."""
    if len(item.tables) != 1 or item.tables[0] not in facts.WHOLE_TABLES:
        return [
            (name, column.via[1:])
            for name in item.shown
            if name not in held and (column := item.columns.get(name)) and column.via and column.via[0] == "="
        ]
    found = []
    for name, column in item.columns.items():
        if name in held or not _PLAIN.fullmatch(name) or column.type != "string":
            continue
        if column.via == "eventdata_xml" and query.body.startswith("let EventDataField ="):
            found.append((name, f'EventDataField(EventData, "{name}")'))
        elif column.via == "eventdata_dynamic":
            found.append((name, f"tostring(EventData.{name})"))
    return found


def in_one_run(item: ExportItem, query: ExportQuery, every: int, late: int) -> str:
    """Return the query with the stage that lets a run judge only what is its own.

    Args:
        item: the rule.
        query: its query.
        every: seconds between two runs.
        late: seconds, for a correlation.
    """
    if query.alert is None:
        stage = f"where ingestion_time() >= ago({span(every)}) and ingestion_time() < now()"
        # Right after the table: later, rows could be no longer the table's.
        table, pipe, rest = query.body.partition("\n| ")
        return f"{table}\n| {stage}{pipe}{rest}"
    last = query.alert.last
    return f"{query.body}\n| where {last} >= ago({span(every + late)}) and {last} < ago({span(late)})"


def extended(body: str, columns: Sequence[tuple[str, str]]) -> str:
    """Return a query with columns added at its end."""
    if not columns:
        return body
    return f"{body}\n| extend\n    " + ",\n    ".join(f"{name} = {text}" for name, text in columns)


def span(seconds: int) -> str:
    """Return a time in its largest whole unit, as KQL and Sentinel's YAML write it: 5m, 3h, 90s."""
    size, unit = next(pair for pair in _UNITS if seconds % pair[0] == 0)
    return f"{seconds // size}{unit}"


def duration(seconds: int) -> str:
    """Return an ISO 8601 duration: PT5M, PT1H15M, P1D, P1DT5M; PT0S for none."""
    days, rest = divmod(seconds, 86_400)
    hours, rest = divmod(rest, 3_600)
    minutes, rest = divmod(rest, 60)
    time = "".join(
        f"{number}{unit}" for number, unit in ((hours, "H"), (minutes, "M"), (rest, "S")) if number
    )
    if not days and not time:
        return "PT0S"
    return "P" + (f"{days}D" if days else "") + (f"T{time}" if time else "")
