"""How Defender's advanced hunting (and Microsoft Sentinel with its connector) stores what happened: rows.

Also the streaming API's record of a row, which Elastic and Splunk take in: the columns as ``properties``,
times as text of ISO 8601 with up to seven digits of a second, missing values as null
(``defender-endpoint/api/raw-data-export-event-hub.md`` and elastic/integrations' test-device.log).
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from converter.events.stored import Stored
from converter.shapes.defender import rows
from converter.shapes.windows import records

EMPTY = frozenset({""})
# The matcher sees these as Defender writes them; `defender_rows` says which are lower-cased.
_LOWER = (
    *("Computer", "User", "ParentUser", "ParentImage", "SourceImage", "SourceUser"),
    *("GrandParentImage", "SourceParentImage"),
)


def store(event: Mapping[str, Any], id: int) -> Stored:  # noqa: A002
    """Return the row of a record, in the table that Defender keeps it in."""
    table, row = rows.row_of(event, id)
    return Stored(id, table, row)


def view(event: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the record with Defender's spellings, and its processes by Defender's keys.

    Defender has no process GUID: device, process id and creation time stand for it, here as one text.
    """
    return seen(event, stamp)


def seen(event: Mapping[str, Any], written: Any) -> dict[str, Any]:
    """Return the record as `view` says; ``written`` gives the text of a creation time."""
    made = records.without(event, EMPTY)
    code = records.event_id(event)
    for name in (*_LOWER, *(() if code == 1 else ("Image",))):
        if name in made:
            made[name] = records.text(made[name]).lower()
    if code == 3:
        # Sysmon always says it; Defender's kinds of events do not leave it open either.
        made.setdefault("Initiated", "true")
    if code in (12, 13):
        made.pop("NewName", None)  # Only renames have it.
    data = records.event_data(event)
    device = rows.device_id(event)
    for prefix in ("", "Parent", "Source", "Target"):
        for name in (f"{prefix}ProcessGuid", f"{prefix}ProcessGUID"):
            if data.get(name):
                pid, created = rows.process_key(data[name], data.get(f"{prefix}ProcessId"))
                made[name] = f"{device}\\{pid}\\{written(created)}"
    return made


def stamp(moment: datetime) -> str:
    """Return a time as Microsoft writes it: seven digits of a second."""
    return moment.strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond:06d}0Z"


def streamed(event: Mapping[str, Any], position: int) -> tuple[str, dict[str, Any]]:
    """Return category and properties of the streaming API's record, without the missing properties."""
    table, row = rows.row_of(event, position)
    texts = {name: stamp(value) if isinstance(value, datetime) else value for name, value in row.items()}
    return f"AdvancedHunting-{table}", texts
