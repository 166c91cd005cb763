"""Bring a column list up to date with what a platform exports about itself.

Read are: Kusto ``.show table T schema as json`` and the CSV of ``T | getschema``; Elastic
``GET index/_mapping``; Splunk the CSV of ``fieldsummary``. Only columns and types change; comments, sources
and everything else that is said about a column stay.
"""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from converter.errors import UsageError

# .NET's names in Kusto's schemas -> the column list's.
_KUSTO = {
    "system.string": "string",
    "system.int32": "int",
    "system.int64": "long",
    "system.double": "real",
    "system.sbyte": "bool",
    "system.boolean": "bool",
    "system.datetime": "datetime",
    "system.object": "dynamic",
    "system.guid": "guid",
    "system.timespan": "timespan",
    "system.data.sqltypes.sqldecimal": "decimal",
}
_KUSTO_TYPES = {*_KUSTO.values()}
_PLAIN_KEY = re.compile(r"[A-Za-z_][\w.]*", re.ASCII)


@dataclass(frozen=True, slots=True)
class Change:
    """One line of what changed."""

    column: str
    was: str
    """The old type; "" if the column is new."""
    now: str

    def __str__(self) -> str:
        return f"{self.column}: {self.was} -> {self.now}" if self.was else f"{self.column}: {self.now} (new)"


def read(path: Path) -> dict[str, str]:
    """Return the columns and types of an export.

    Raises:
        UsageError: SC609 if it cannot be read or is none of the known kinds.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as problem:
        raise UsageError("SC609", f"cannot be read: {problem}", file=path.as_posix()) from problem
    stripped = text.lstrip()
    try:
        found = _json(json.loads(stripped)) if stripped[:1] in ("{", "[") else _csv(stripped)
    except (ValueError, KeyError, TypeError, AttributeError) as problem:
        raise UsageError("SC609", f"is no export of columns: {problem}", file=path.as_posix()) from problem
    if not found:
        raise UsageError("SC609", "is no export of columns", file=path.as_posix())
    return found


def _json(data: Any) -> dict[str, str]:
    if isinstance(data, dict) and "OrderedColumns" in data:
        return {one["Name"]: _kusto(str(one.get("CslType") or one["Type"])) for one in data["OrderedColumns"]}
    if isinstance(data, dict) and "Tables" in data:  # A management command's whole answer, v1.
        table = data["Tables"][0]
        names = [one["ColumnName"] for one in table["Columns"]]
        row = dict(zip(names, table["Rows"][0], strict=True))
        return _json(json.loads(row["Schema"]))
    if isinstance(data, dict):
        found: dict[str, str] = {}
        for index in data.values():
            for name, kind in _elastic(index["mappings"].get("properties", {}), ""):
                if found.setdefault(name, kind) != kind:
                    raise ValueError(f"'{name}' is {found[name]} in one index and {kind} in another")
        return found
    return {}


def _elastic(properties: Mapping[str, Any], prefix: str) -> Iterator[tuple[str, str]]:
    for name, one in properties.items():
        if one.get("type") not in (None, "object", "nested", "alias"):
            yield prefix + name, str(one["type"])
        if "properties" in one:
            yield from _elastic(one["properties"], f"{prefix}{name}.")


def _csv(text: str) -> dict[str, str]:
    rows = list(csv.DictReader(io.StringIO(text)))
    names = set(rows[0]) if rows else set()
    if "ColumnName" in names:  # getschema; ColumnType is Kusto's own name, DataType is .NET's.
        return {row["ColumnName"]: _kusto(row.get("ColumnType") or row["DataType"]) for row in rows}
    if {"field", "numeric_count", "count"} <= names:  # fieldsummary
        return {
            row["field"]: "number"
            if row["count"] not in ("", "0") and row["numeric_count"] == row["count"]
            else "string"
            for row in rows
        }
    return {}


def _kusto(name: str) -> str:
    found = _KUSTO.get(name.lower(), name.lower())
    if found not in _KUSTO_TYPES:
        raise ValueError(f"unknown type {name}")
    return found


def refresh(text: str, found: Mapping[str, str], only: Sequence[str] = ()) -> tuple[str, list[Change]]:
    """Return a column list's text with the exported types, and what changed.

    Columns that the export does not have stay: an export is one table's or index's, a list a cell's. New
    ones are added at the end, all or those of ``only``. A Splunk column that is text here stays text: that
    a sample holds only digits does not make the field a number.

    Raises:
        UsageError: SC609 if the text is no column list.
    """
    data = yaml.safe_load(text)
    known = data.get("columns") if isinstance(data, dict) else None
    if not isinstance(known, dict):
        raise UsageError("SC609", "a column list has the key 'columns'")
    changes: list[Change] = []
    for name, kind in found.items():
        if name in known:
            entry = known[name]
            was = entry if isinstance(entry, str) else str(entry.get("type"))
            computed = isinstance(entry, dict) and entry.get("via")
            if was != kind and not computed and not (was == "string" and kind == "number"):
                text = _retyped(text, name, was, kind)
                changes.append(Change(name, was, kind))
        elif not only or name in only:
            text = f"{text.rstrip()}\n  {_key(name)}: {kind}\n"
            changes.append(Change(name, "", kind))
    return text, changes


def _key(name: str) -> str:
    return name if _PLAIN_KEY.fullmatch(name) else "'" + name.replace("'", "''") + "'"


def _retyped(text: str, name: str, was: str, kind: str) -> str:
    """Replace the type on the column's own line, which keeps its comment and its other keys."""
    line = re.compile(
        rf"^(  (?:{re.escape(name)}|{re.escape(_key(name))}|'{re.escape(name)}'|\"{re.escape(name)}\"):"
        rf"\s+(?:\{{.*?type:\s*)?){re.escape(was)}\b",
        re.MULTILINE,
    )
    made, count = line.subn(rf"\g<1>{kind}", text, count=1)
    if not count:
        raise UsageError("SC609", f"column '{name}' is written in a way that cannot be changed in place")
    return made
