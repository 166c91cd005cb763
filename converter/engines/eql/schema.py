"""What Elasticsearch knows of the fields: which are mapped, of what type, and what their values are."""

from __future__ import annotations

import ipaddress
from collections.abc import Container, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from converter.engines.eql.nodes import Field
from converter.engines.eql.syntax import invalid
from converter.plan.columns import Columns

_NUMBERS = (
    "long",
    "integer",
    "short",
    "byte",
    "unsigned_long",
    "double",
    "float",
    "half_float",
    "scaled_float",
)
FAMILIES: dict[str, str] = {
    **dict.fromkeys(("keyword", "wildcard", "constant_keyword"), "string"),
    **dict.fromkeys(_NUMBERS, "number"),
    **dict.fromkeys(("date", "date_nanos"), "date"),
    "boolean": "boolean",
    "ip": "ip",
}
"""Elasticsearch's field types by how EQL compares them. What is not here EQL cannot query:
``text`` and ``match_only_text`` (eql, Limitations), ``flattened`` and other types unknown to it."""

# EQL search needs a timestamp and an event category field in the index; `sequence` is the usual tiebreaker.
_ALWAYS = {"@timestamp": "date", "event.category": "keyword", "event.sequence": "long"}
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

Doc = Mapping[str, Any]


class Schema:
    """The fields of all indices that a query runs over.

    Args:
        tables: the columns of each index.
        carried: fields that some event of these indices has; None: all. A field that an index is given by
            the first event that carries it (``Column.optional``) is not mapped without one.
    """

    def __init__(self, tables: Mapping[str, Columns], carried: Container[str] | None = None) -> None:
        self._carried = carried
        self._limits: dict[str, int] = {}
        self._types: dict[str, set[str]] = {name: {kind} for name, kind in _ALWAYS.items()}
        self._optional: set[str] = set()
        for columns in tables.values():
            for name, column in columns.items():
                self._types.setdefault(name, set()).add(column.type)
                if column.ignore_above and column.type == "keyword":
                    self._limits[name] = column.ignore_above
                if column.optional and name not in _ALWAYS:
                    self._optional.add(name)

    def family(self, field: Field) -> str | None:
        """Return how the field compares: a value of `FAMILIES`, or None for ``?field`` that no index maps.

        Raises:
            EngineError: SC402 for an unmapped field without ``?``, one that some index of the cell does
                not map (``Column.optional``) without ``?``, or a type that EQL cannot query.
        """
        types = self._types.get(field.name)
        if types is None:
            if field.optional:
                return None
            raise invalid(f"unknown column [{field.name}]")
        if field.name in self._optional and not field.optional:
            raise invalid(f"unknown column [{field.name}]: not in every index, write ?{field.name}")
        if field.name in self._optional and self._carried is not None and field.name not in self._carried:
            return None
        families = {FAMILIES.get(kind) for kind in types}
        if len(families) > 1:
            raise invalid(f"cannot use field [{field.name}]: mapped as several types, {sorted(types)}")
        family = families.pop()
        if family is None:
            raise invalid(f"cannot use field [{field.name}] of type {sorted(types)[0]}")
        return family

    def indexed(self, doc: Doc) -> Doc:
        """Return a document without what its keyword fields do not index (``ignore_above``).

        EQL compares what is indexed: a value that is in ``_source`` alone is missing.
        """
        cut = {name: _within(doc[name], limit) for name, limit in self._limits.items() if name in doc}
        return doc if all(cut[name] is doc[name] for name in cut) else {**doc, **cut}

    def known(self, field: Field) -> None:
        """Check that the column list has the field at all, even if it is written with ``?``.

        Raises:
            EngineError: SC402.
        """
        if field.name not in self._types:
            raise invalid(f"unknown column [{field.name}]: not in the column list")


def _within(value: Any, limit: int) -> Any:
    if isinstance(value, list | tuple):
        kept = [one for one in value if not isinstance(one, str) or len(one) <= limit]
        return value if len(kept) == len(value) else kept
    return None if isinstance(value, str) and len(value) > limit else value


def values(doc: Doc, name: str, family: str) -> list[Any]:
    """Return a field's values as its type indexes them: none, one or several.

    A value that the type cannot hold is absent, as with ``ignore_malformed`` (the default of Elastic's
    data streams).
    """
    raw = doc.get(name)
    found = raw if isinstance(raw, list | tuple) else [raw]
    return [value for value in (_indexed(one, family) for one in found) if value is not None]


def _indexed(value: Any, family: str) -> Any:
    if value is None:
        return None
    try:
        if family == "number":
            return None if isinstance(value, bool) else _number(value)
        if family == "ip":
            return ipaddress.ip_address(str(value))
        if family == "date":
            return milliseconds(value)
    except ValueError:
        return None
    if family == "boolean":
        return {"true": True, "false": False}.get(str(value).lower())
    return str(value).lower() if isinstance(value, bool) else str(value)


def _number(value: Any) -> int | float:
    if isinstance(value, int | float):
        return value
    text = str(value).strip()
    try:
        return int(text)
    except ValueError:
        return float(text)


def milliseconds(value: Any) -> int:
    """Return a stored date in milliseconds since 1970, the resolution of the type ``date``.

    Args:
        value: ISO 8601 text (without an offset: UTC), ``datetime``, or epoch milliseconds.

    Raises:
        ValueError: if it is none of these.
    """
    if isinstance(value, bool):
        raise ValueError(f"not a date: {value}")
    if isinstance(value, int | float):
        return int(value)
    text = str(value)
    if text.lstrip("-").isdigit() and len(text) != 4:
        return int(text)
    moment = value if isinstance(value, datetime) else datetime.fromisoformat(text)
    return ((moment if moment.tzinfo else moment.replace(tzinfo=UTC)) - _EPOCH) // timedelta(milliseconds=1)
