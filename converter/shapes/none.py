"""How events of the source `none` are stored: as they are, each value in its column's type."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from converter.columns import Column, Columns
from converter.engines.base import Stored

INDEX = "Events"
"""The one index or table of the source."""


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
        stored.append(Stored(position, INDEX, doc))
    return stored


def view(events: Iterable[Mapping[str, Any]], language: str) -> list[Mapping[str, Any]]:
    """Return the events as the matcher must see them: no platform stores a null, Kusto no empty string."""
    lost = (None, "") if language == "kql" else (None,)
    return [{key: value for key, value in event.items() if value not in lost} for event in events]


def _cast(value: Any, kind: str) -> Any:
    if value is None:
        return None
    try:
        if kind in {"long", "int"}:
            return None if isinstance(value, bool) else int(str(value))
        if kind in {"double", "real"}:
            return None if isinstance(value, bool) else float(value)
        if kind in {"date", "datetime"}:
            moment = datetime.fromisoformat(str(value))
            moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
            return moment if kind == "datetime" else moment.isoformat()
    except ValueError:
        return None
    if kind in {"boolean", "bool"}:
        return {"true": True, "false": False}.get(str(value).lower())
    return str(value).lower() if isinstance(value, bool) else str(value)
