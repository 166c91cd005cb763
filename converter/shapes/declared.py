"""Shapes that are data: a file ``shape.yml`` beside the pipelines of a source (docs/pipelines.md).

It says which record the source writes for what another log records, whose ingest stores it (a family of the
registry), and what that ingest does with the record's elements. It is written from the vendor's ingest, apart
from the field mapping.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from converter.errors import PipelineError
from converter.events.stored import Stored
from converter.files import yaml_source
from converter.shapes.sysmon import sentinel
from converter.shapes.windows import records as windows

FILE = "shape.yml"
_NUMBER = re.compile(r"0|0[xX][0-9A-Fa-f]+|[1-9]\d*", re.ASCII)
_CODES = re.compile(r"\s*(%%\d+\s*)+", re.ASCII)
_DATA = "winlog.event_data."
_KEYS = {
    "": {"family", "unnamed", "records", "stored"},
    "records": {"record", "becomes", "data"},
    "stored": {"elastic", "splunk", "kusto"},
    "elastic": {"index", "moved", "codes"},
    "moved": {"events", "set", "renamed", "filled", "numbers", "copied"},
    "kusto": {"table", "channel", "filled", "never", "header", "strings", "integers"},
}

Event = Mapping[str, Any]
Store = Callable[[Event, int], Stored]


def read(path: Path) -> Mapping[str, Any]:
    """Return the data of a shape.

    Raises:
        PipelineError: SC302 for a key that is not known.
    """
    name = f"{path.parent.name}/{path.name}"
    text = yaml_source.read_text(path, name, PipelineError)
    data: dict[str, Any] = yaml_source.parse(text, name, PipelineError)[0]
    stored = data.get("stored") or {}
    elastic, kusto = stored.get("elastic") or {}, stored.get("kusto") or {}
    parts = [("", data), ("stored", stored), ("elastic", elastic), ("kusto", kusto)]
    parts += [("records", one) for one in data.get("records") or ()]
    parts += [("moved", one) for one in elastic.get("moved") or ()]
    for kind, part in parts:
        for key in part:
            if key not in _KEYS[kind]:
                line, column = yaml_source.locate(text, 0, (key,)) or (1, 1)
                hint = ", ".join(sorted(_KEYS[kind]))
                raise PipelineError(
                    "SC302", f"unknown key '{key}'", file=name, line=line, column=column, hint=hint
                )
    return data


def store(data: Mapping[str, Any], platform: str, family: Store) -> Store:
    """Return what stores an event as the data says.

    Args:
        data: as read.
        platform: elastic, splunk or kusto.
        family: how the family's platform stores a record.
    """
    stored = (data.get("stored") or {}).get(platform) or {}

    def made(event: Event, id: int) -> Stored:  # noqa: A002
        if not event.get("Channel") and event.get("Provider_Name") != windows.SYSMON:
            event = {**(data.get("unnamed") or {}), **{key: one for key, one in event.items() if one != ""}}
        record = _record(event, data.get("records") or ())
        # Names of logs have no case (Windows); a collector may write `security`.
        if platform == "kusto" and windows.channel(record).lower() == str(stored.get("channel")).lower():
            return _row(record, id, stored)
        found = family(record, id)
        return _moved(found, record, stored) if platform == "elastic" else found

    return made


_HEADER = ("Computer", "EventRecordID")
"""What a record of another log keeps of the header."""


def view(data: Mapping[str, Any]) -> Callable[[Event], Event]:
    """Return what shows an event as the source has it, for the matcher.

    No platform keeps empty elements. Of another log's record only the elements are there that the source's
    own record has: a keyword is in none of the others.

    Args:
        data: as read.
    """

    def made(event: Event) -> Event:
        shown = windows.without(event, frozenset({""}))
        entry = _entry(event, data.get("records") or ())
        if entry is None:
            return shown
        kept = {*entry["record"], *_HEADER, *_TIMES, *(_field(how) for how in entry["data"].values())}
        return {name: value for name, value in shown.items() if name in kept}

    return made


_TIMES = ("UtcTime", "TimeCreated", "SystemTime", "@timestamp")


def _entry(event: Event, records: Any) -> Mapping[str, Any] | None:
    """Return what the data says of an event of another log, if it says anything."""
    for entry in records:
        if all(
            windows.text(event.get(key, "")) == windows.text(value) for key, value in entry["record"].items()
        ):
            return dict(entry)
    return None


def _field(how: Any) -> str:
    return str(how["field"] if isinstance(how, dict) else how)


def _record(event: Event, records: Any) -> Event:
    """Return the record that the source's own log has of what happened."""
    entry = _entry(event, records)
    if entry is None:
        return event
    made: dict[str, Any] = {"TimeCreated": windows.utc_time(event) or windows.record_time(event)}
    made |= {key: event[key] for key in _HEADER if event.get(key) is not None}
    made |= entry["becomes"]
    for name, how in entry["data"].items():
        if event.get(_field(how)) is not None:
            made[name] = _written(event[_field(how)], how)
    return made


def _written(value: Any, how: Any) -> str:
    text = windows.text(value)
    if not isinstance(how, dict):
        return text
    if how.get("as") == "hex":
        return hex(int(text)) if text.isdigit() else text
    return str(how.get("table", {}).get(text, text))


def _moved(found: Stored, record: Event, stored: Mapping[str, Any]) -> Stored:
    """Return an Elastic document with elements where the ingest pipeline puts them."""
    doc = dict(found.doc)
    for rule in stored.get("moved") or ():
        if windows.event_id(record) not in rule["events"]:
            continue
        doc |= rule.get("set") or {}
        for name, target in (rule.get("renamed") or {}).items():
            if _DATA + name in doc:
                doc[target] = doc.pop(_DATA + name)
        for name, target in (rule.get("filled") or {}).items():
            if doc.get(_DATA + name, "-") != "-":
                doc[target] = doc.pop(_DATA + name)
        for name, target in (rule.get("numbers") or {}).items():
            if _NUMBER.fullmatch(doc.get(_DATA + name, "")):
                doc[target] = int(doc.pop(_DATA + name), 0)
        for name, target in (rule.get("copied") or {}).items():
            if _DATA + name in doc:
                doc[target] = doc[_DATA + name]
    for name in stored.get("codes") or ():
        if _DATA + name in doc:
            # Codes such as `%%1538` stand on a line each; a mask in hexadecimal is one text.
            text = doc[_DATA + name]
            codes = [one.removeprefix("%%") for one in text.split()]
            doc[_DATA + name] = codes if _CODES.fullmatch(text) else [text]
    index = (stored.get("index") or {}).get(windows.channel(record), found.index)
    return Stored(found.id, index, doc)


def _row(record: Event, id: int, stored: Mapping[str, Any]) -> Stored:  # noqa: A002
    """Return a row of a table that has the record's elements as columns, or in EventData as XML."""
    data = windows.event_data(record)
    doc: dict[str, Any] = {
        "TimeGenerated": windows.record_time(record),
        "EventID": windows.event_id(record) or 0,
        "Computer": windows.text(record.get("Computer") or ""),
    }
    for column, key in (stored.get("header") or {}).items():
        # Microsoft's agent reads the log by its name; another collector's spelling does not reach the table.
        doc[column] = windows.provider(record) if key == "Provider_Name" else str(stored["channel"])
    filled = windows.event_id(record) in (stored.get("filled") or ())
    if filled or id % 2 or "filled" not in stored:
        never = stored.get("never") or ()
        doc |= {
            name: data[name] for name in stored.get("strings") or () if name in data and name not in never
        }
        for name in stored.get("integers") or ():
            if data.get(name, "").isdigit():
                doc[name] = int(data[name])
    rest = {name: value for name, value in data.items() if not filled or name not in doc}
    if rest and "filled" in stored:
        doc["EventData"] = sentinel.event_data(rest, id)
    return Stored(id, str(stored["table"]), doc)
