"""A source made for random streams: three tables, fields of several types, each language's way to store them.

Every rule's log source has its own table or index and its own time field; keys are text, whole numbers, or
split into two columns; values are numbers or text that may hold a number.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

from converter.events.stored import Stored
from converter.pipelines.cells import Cell
from converter.plan.columns import Column

LANGUAGES = ("kql", "spl", "eql", "lucene")
TABLES = ("one", "two", "three")
FLAGS = ("fa", "fb", "fc", "fd")
Event = Mapping[str, Any]
_START = datetime(1970, 1, 1, tzinfo=UTC)
_ELASTIC = {
    "src": ["event.module"],
    "kind": ["event.action"],
    "host": ["host.name"],
    "user": ["user.name"],
    "peer": ["related.name"],
    "acct": ["acct.domain", "acct.name"],
    "p": ["port"],
    "w": ["word"],
    "n": ["number"],
    "t": ["reading"],
    **{flag: [f"flag.{flag}"] for flag in FLAGS},
}
_SPLUNK = {"peer": ["peer.name"], "w": ["some word"]}
_CATEGORIES = {"one": "process", "two": "network"}
_KUSTO_TYPES = {"p": "long", "n": "real", **dict.fromkeys(FLAGS, "long")}
_ELASTIC_TYPES = {"port": "long", "number": "double", **{f"flag.{flag}": "long" for flag in FLAGS}}


def _state(category: str, values: Mapping[str, Any]) -> list[dict[str, Any]]:
    where = [{"type": "logsource", "category": category}]
    return [
        {"id": f"{category}_{key}", "type": "set_state", "key": key, "val": value, "rule_conditions": where}
        for key, value in values.items()
    ]


def _pipeline(mapping: Mapping[str, list[str]], states: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    fields = [{"id": "fields", "type": "field_name_mapping", "mapping": dict(mapping)}] if mapping else []
    return {
        "name": "streams",
        "priority": 20,
        "transformations": [*fields, *(item for name in states for item in _state(name, states[name]))],
    }


def _cell(language: str, pipeline: dict[str, Any], columns: Mapping[str, Column]) -> Cell:
    origins = ("streams.yml",) * len(pipeline["transformations"])
    return Cell("streams", language, pipeline, columns, "streams", origins=origins, own="streams.yml")


@cache
def stream_cell(language: str) -> Cell:
    """Return the cell of the source."""
    if language in ("eql", "lucene"):
        states: dict[str, dict[str, Any]] = {name: {"index": [f"logs-{name}-*"]} for name in TABLES}
        for name, category in _CATEGORIES.items():
            states[name]["eql_category"] = category
        columns = {
            one: Column(_ELASTIC_TYPES.get(one, "keyword")) for names in _ELASTIC.values() for one in names
        }
        columns |= {"@timestamp": Column("date"), "event.category": Column("keyword", multi=True)}
        # Not in every index.
        columns["related.name"] = Column("keyword", optional=True)
        return _cell(language, _pipeline(_ELASTIC, states), columns)
    if language == "spl":
        times = {
            "one": {"time_field": "_time"},
            "two": {"time_field": "UtcTime", "time_format": "%Y-%m-%d %H:%M:%S.%3N"},
            "three": {"time_field": "ms", "time_format": "epoch_ms"},
        }
        names = [one for field in _ELASTIC for one in _SPLUNK.get(field, [field])]
        columns = {one: Column("string") for one in (*names, "_time", "UtcTime", "ms")}
        return _cell(language, _pipeline(_SPLUNK, times), columns)
    tables = {
        "one": {"table": "One", "time_field": "Happened"},
        "two": {"table": "Two", "time_field": "UtcTime"},
        "three": {"table": "Three", "time_field": "TimeGenerated"},
    }
    columns = {field: Column(_KUSTO_TYPES.get(field, "string")) for field in _ELASTIC}
    columns |= {
        "Happened": Column("datetime"),
        "UtcTime": Column("string"),
        "TimeGenerated": Column("datetime"),
    }
    return _cell(language, _pipeline({}, tables), columns)


def tables(language: str) -> dict[str, Any]:
    """Return the columns of each table or index, as an engine takes them."""
    names = {"kql": "{}", "spl": "main-{}", "eql": "logs-{}-*", "lucene": "logs-{}-*"}
    columns = stream_cell(language).columns
    return {names[language].format(one.capitalize() if language == "kql" else one): columns for one in TABLES}


def view(events: Iterable[Event], language: str) -> list[Event]:
    """Return the events as the matcher must see them: Kusto cannot tell an empty text from none."""
    if language != "kql":
        return list(events)
    return [{key: value for key, value in event.items() if value != ""} for event in events]


def store(events: Iterable[Event], language: str) -> list[Stored]:
    """Return the events as the platform stores them; ``id`` is the position."""
    make = {"kql": _kusto, "spl": _splunk}.get(language, _elastic)
    return [make(position, event) for position, event in enumerate(events)]


def _kusto(position: int, event: Event) -> Stored:
    time, table = _moment(event), str(event["src"])
    doc = {key: value for key, value in event.items() if key != "timestamp"}
    if "n" in doc:
        doc["n"] = float(doc["n"])
    # Collected later, in another order: the event's own time counts.
    doc["TimeGenerated"] = time + timedelta(seconds=position % 7)
    if table == "one":
        doc["Happened"] = time
    elif table == "two":
        doc["UtcTime"] = _sysmon(time)
    else:
        doc["TimeGenerated"] = time
    return Stored(position, table.capitalize(), doc)


def _splunk(position: int, event: Event) -> Stored:
    time, table = _moment(event), str(event["src"])
    doc: dict[str, Any] = {
        one: str(value)
        for key, value in event.items()
        if key != "timestamp"
        for one in _SPLUNK.get(key, [key])
    }
    doc["_time"] = event["timestamp"] / 1000 + (0 if table == "one" else position % 7)
    if table == "two":
        doc["UtcTime"] = _sysmon(time)
    elif table == "three":
        doc["ms"] = str(event["timestamp"])
    return Stored(position, f"main-{table}", doc)


def _elastic(position: int, event: Event) -> Stored:
    table = str(event["src"])
    doc: dict[str, Any] = {"@timestamp": _moment(event).isoformat()}
    if table in _CATEGORIES:
        doc["event.category"] = [_CATEGORIES[table]]
    for key, value in event.items():
        if key == "acct":
            doc["acct.domain"], doc["acct.name"] = value.split("\\")
        elif key != "timestamp":
            doc[_ELASTIC[key][0]] = value
    return Stored(position, f"logs-{table}-*", doc)


def _moment(event: Event) -> datetime:
    return _START + timedelta(milliseconds=event["timestamp"])


def _sysmon(time: datetime) -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S.") + f"{time.microsecond // 1000:03}"
