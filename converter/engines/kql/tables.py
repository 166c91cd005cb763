"""Which of a table's declared columns are columns of the table."""

from __future__ import annotations

from converter.plan.columns import Columns

_CONTAINERS = {"eventdata_xml": "string", "eventdata_dynamic": "dynamic"}


def real_columns(columns: Columns) -> dict[str, str]:
    """Return the columns that the table has, with their types: those that are not inside another.

    ``EventData``, which holds the others, is added where the list leaves it out.
    """
    real = {name: column.type for name, column in columns.items() if not column.via}
    for column in columns.values():
        if column.via in _CONTAINERS:
            real.setdefault("EventData", _CONTAINERS[column.via])
    return real
