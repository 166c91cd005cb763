"""The query of an import format: each alert in one run only, and the columns that alerts name.

A run reads more than it judges, and it judges what is new since the last run by the time at which events came
in, ``ingestion_time()``, as Microsoft's "Handle ingestion delay in scheduled analytics rules" does:

- single events: those that came in since the last run. The upper bound is there because a run may begin later
  than `now()`.
- correlations: the alerts of all events that are there now, without those of the events that were there at
  the last run. An alert is raised by the run after its last event came in, whichever of its events was late,
  and an event that comes in later does not raise it again.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from converter.exports.item import ExportItem, ExportQuery
from converter.exports.microsoft import facts

_UNITS = ((86_400, "d"), (3_600, "h"), (60, "m"), (1, "s"))
_PLAIN = re.compile(r"[A-Za-z_]\w*", re.ASCII)


@dataclass(frozen=True, slots=True)
class Rows:
    """What a query's rows hold."""

    columns: frozenset[str]
    extends: dict[str, str]
    """Further columns that a stage at the end can add -> the stage's expressions."""
    reads_xml: bool = False
    """Whether the expressions need the function `facts.XML_FIELD`, which the query lacks."""


def rows(item: ExportItem, query: ExportQuery) -> Rows:
    """Return the columns of a query's rows, as far as they are certain."""
    if query.alert is not None:
        alert = query.alert
        found = {alert.first, alert.last, alert.count, *alert.group, *item.shown}
        found |= {alert.values} if alert.values else set()
        if {"Timestamp", "DeviceId", "ReportId"} <= set(item.columns):
            found |= {"Timestamp", "DeviceId", "ReportId"}
        return Rows(frozenset(name for name in found if _PLAIN.fullmatch(name)), {})
    if len(item.tables) == 1 and item.tables[0] in facts.WHOLE_TABLES:
        real = {name for name, column in item.columns.items() if not column.via}
    elif item.tables and all(table in facts.TABLE_COLUMNS for table in item.tables):
        # A union has the columns of each of its tables; where one lacks a column it is empty.
        real = set().union(*(facts.TABLE_COLUMNS[table] for table in item.tables))
    else:
        real = set()
    read = re.split(r"\W+", query.body)
    used = {name for name in item.fields if name in read}
    held = frozenset(name for name in real | used if _PLAIN.fullmatch(name))
    further = dict(_further(item, held))
    xml = any(text.startswith("EventDataField(") for text in further.values())
    return Rows(held, further, xml and not re.search(r"^let EventDataField = ", query.body, re.MULTILINE))


def _further(item: ExportItem, held: frozenset[str]) -> Iterator[tuple[str, str]]:
    """Yield columns inside others: those that entities and details can want, and that the table has."""
    for name, column in item.columns.items():
        if name in held or not _PLAIN.fullmatch(name):
            continue
        if column.via == "eventdata_xml" and column.type == "string":
            yield name, f'EventDataField(EventData, "{name}")'
        elif column.via == "eventdata_dynamic" and column.type == "string":
            yield name, f"tostring(EventData.{name})"
        elif column.via and column.via.startswith("="):
            yield name, column.via[1:]


def in_one_run(item: ExportItem, query: ExportQuery, every: int, reach: int) -> str:
    """Return the query with what lets a run judge only what is its own.

    Args:
        item: the rule.
        query: its query.
        every: seconds between two runs.
        reach: seconds, for a correlation: alerts that were completed longer ago are left out, as a run does
            not read all of their windows.
    """
    if query.alert is None:
        came = f"ingestion_time() >= ago({span(every)}) and ingestion_time() < now()"
        return _reading(item, query.body, f"where {came}")
    functions, body = _without_functions(query.body)
    alerts, until = (_fresh(name, query.body) for name in ("Alerts", "until"))
    inside = _reading(item, body, f"where ingestion_time() < {until}").replace("\n", "\n    ")
    by = ", ".join(_quoted(name) for name in (*query.alert.group, query.alert.last))
    return (
        f"{functions}let {alerts} = ({until}: datetime) {{\n    {inside}\n}};\n"
        f"{alerts}(now())\n"
        f"| where {query.alert.last} >= ago({span(reach)})\n"
        f"| join kind=leftanti ({alerts}(ago({span(every)}))) on {by}"
    )


def _reading(item: ExportItem, body: str, stage: str) -> str:
    """Return a query with a stage right after each table: later, rows could be no longer a table's.

    In a union each table has its own.
    """
    texts = {}
    for state in item.states:
        table = state.get("table") or ()
        names = [table] if isinstance(table, str) else list(table)
        for spelled in ([_quoted(name) for name in names], names):
            texts["union " + ", ".join(spelled) if not isinstance(table, str) else spelled[0]] = spelled

    def filtered(found: re.Match[str]) -> str:
        indent, text = found.groups()
        names = texts[text]
        if len(names) == 1:
            return f"{indent}{names[0]}\n{indent}| {stage}"
        return f"{indent}union " + ", ".join(f"({name} | {stage})" for name in names)

    known = "|".join(re.escape(text) for text in sorted(texts, key=len, reverse=True))
    made, number = re.subn(rf"^( *)({known})$", filtered, body, flags=re.MULTILINE)
    assert number, "a query that reads no table that its rule names"
    return made


def _without_functions(body: str) -> tuple[str, str]:
    """Return the functions that a query defines at its beginning, and the rest."""
    found = re.match(r"(?:let \w+ = \([^)]*\) \{\n(?:.*\n)*?\};\n)+", body)
    end = found.end() if found else 0
    return body[:end], body[end:]


def _fresh(name: str, body: str) -> str:
    """Return a name that a query does not have."""
    while re.search(rf"\b{name}\b", body):
        name += "_"
    return name


def _quoted(name: str) -> str:
    if _PLAIN.fullmatch(name):
        return name
    return "['" + name.replace("\\", "\\\\").replace("'", "\\'") + "']"


def extended(body: str, rows: Rows, *stages: Sequence[tuple[str, str]]) -> str:
    """Return a query with columns added at its end; a stage can read those of the stage before."""
    for columns in stages:
        if not columns:
            continue
        if rows.reads_xml and any("EventDataField(" in text for _, text in columns):
            body = facts.XML_FIELD + body
        lines = ",\n    ".join(f"{name} = {text}" for name, text in columns)
        body += f"\n| extend\n    {lines}" if len(columns) > 1 else f"\n| extend {lines}"
    return body


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
