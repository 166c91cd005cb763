"""Events in DuckDB, and KQL run over them through duckdb-kql."""

from __future__ import annotations

import json
import weakref
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from functools import lru_cache
from itertools import islice
from typing import Any

import duckdb
import duckdb_kql
from duckdb_kql.lower import lower
from duckdb_kql.translate import to_sql

from converter.engines.base import Result
from converter.engines.kql import functions
from converter.engines.kql.literals import respelled
from converter.engines.kql.rewrite import EVENT, HIDDEN, rewrite
from converter.engines.kql.tables import real_columns
from converter.errors import EngineError
from converter.events.stored import Stored
from converter.plan.columns import Columns

_TYPES = {
    # Kusto's strings have no null.
    "string": "VARCHAR NOT NULL DEFAULT ''",
    "guid": "VARCHAR NOT NULL DEFAULT ''",
    "int": "INTEGER",
    "long": "BIGINT",
    "real": "DOUBLE",
    "bool": "BOOLEAN",
    "datetime": "TIMESTAMP",
    "dynamic": "JSON",
}
_LISTED = {"string": "VARCHAR", "guid": "VARCHAR", "dynamic": "VARCHAR"}
"""What a column's values are bound as, where that is not its own type."""
_BATCH = 1000


class KqlSession:
    """Events of one or more tables; many queries run over them."""

    def __init__(self, events: Sequence[Stored], tables: Mapping[str, Columns]) -> None:
        functions.extend_registry()
        # One thread: results come in the same order every time, and starting is cheap.
        self._connection = duckdb_kql.connect(config={"threads": 1})
        weakref.finalize(self, self._connection.close)
        functions.register(self._connection)
        self._schema: dict[str, list[str]] = {}
        for table, columns in tables.items():
            rows = [event for event in events if event.index == table]
            self._create(table, real_columns(columns), rows)
        unknown = {event.index for event in events} - set(tables)
        if unknown:
            raise EngineError("SC404", f"events of tables that have no columns: {', '.join(sorted(unknown))}")

    def _create(self, table: str, columns: dict[str, str], events: Iterable[Stored]) -> None:
        for name, kind in columns.items():
            if kind not in _TYPES:
                raise EngineError("SC404", f"column {name} of {table}: the KQL engine has no type {kind}")
        declared = ", ".join(f"{_quoted(name)} {_TYPES[kind]}" for name, kind in columns.items())
        try:
            self._connection.execute(
                f"CREATE TABLE {_quoted(table)} ({_quoted(EVENT)} BIGINT, {declared})".replace(", )", ")")
            )
        except duckdb.Error as error:
            raise EngineError("SC404", f"table {table}: {error}") from None
        self._schema[table] = [EVENT, *columns]
        # A list for each column: binding values one by one takes most of the time of a load.
        kinds = ["BIGINT", *(_LISTED.get(kind) or _TYPES[kind] for kind in columns.values())]
        lists = ", ".join(f"unnest(CAST(? AS {kind}[]))" for kind in kinds)
        pending = iter(events)
        while batch := list(islice(pending, _BATCH)):
            values = [list(column) for column in zip(*(_row(event, columns) for event in batch), strict=True)]
            self._connection.execute(f"INSERT INTO {_quoted(table)} SELECT {lists}", values)

    def run(self, text: str) -> Result:
        """Execute a query.

        Raises:
            EngineError: SC402 for what is not KQL, SC403 for what this engine does not have.
        """
        try:
            cursor = self._connection.execute(_translated(text, json.dumps(self._schema)))
            names = [column[0] for column in cursor.description]
            kinds = [str(column[1]) for column in cursor.description]
            rows = cursor.fetchall()
        except duckdb_kql.KqlUnsupportedError as error:
            raise EngineError("SC403", f"the KQL engine cannot run this: {error}") from None
        except duckdb_kql.KqlError as error:
            raise EngineError("SC402", str(error)) from None
        except (duckdb.Error, ValueError, RecursionError) as error:
            raise EngineError("SC403", f"the KQL engine failed: {error}") from None
        events = tuple(row[names.index(EVENT)] for row in rows) if EVENT in names else ()
        shown = [i for i, name in enumerate(names) if not name.startswith(HIDDEN)]
        return Result(
            events=events,
            rows=tuple({names[i]: _value(row[i], kinds[i]) for i in shown} for row in rows),
        )


@lru_cache(maxsize=256)
def _translated(text: str, schema: str) -> str:
    """Return DuckDB's SQL of a query; ``schema`` is JSON of the columns of each table.

    Parsing takes most of the time of a small query, and one query is run over many streams.
    """
    columns: dict[str, list[str]] = json.loads(schema)
    return str(to_sql(rewrite(lower(respelled(text)), columns), columns))


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _row(event: Stored, columns: Mapping[str, str]) -> list[Any]:
    return [event.id, *(_cell(event.doc.get(name), kind) for name, kind in columns.items())]


def _cell(value: Any, kind: str) -> Any:
    if value is None:
        return "" if kind in {"string", "guid"} else None
    if kind == "dynamic":
        return json.dumps(value)
    if kind == "datetime":
        moment = value if isinstance(value, datetime) else datetime.fromisoformat(str(value))
        return moment.astimezone(UTC).replace(tzinfo=None) if moment.tzinfo else moment
    return value


def _value(value: Any, kind: str) -> Any:
    """Return a cell as Kusto shows it: a time in UTC, no null string."""
    if isinstance(value, datetime):
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)
    if value is None and kind in {"VARCHAR", "STRING"}:
        return ""
    return value
