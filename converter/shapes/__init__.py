"""How each platform stores an event, from what the vendor's ingest does, apart from our field mapping.

`shape_for` is the registry. A pipeline that maps a field wrongly is found out because the stored event is
made here without knowing it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from converter.errors import UsageError
from converter.events.stored import Stored
from converter.shapes import declared
from converter.shapes.crowdstrike import elastic as crowdstrike_elastic
from converter.shapes.crowdstrike import sensor as crowdstrike_sensor
from converter.shapes.crowdstrike import sentinel as crowdstrike_sentinel
from converter.shapes.crowdstrike import splunk as crowdstrike_splunk
from converter.shapes.defender import elastic as defender_elastic
from converter.shapes.defender import kusto as defender_kusto
from converter.shapes.defender import rows as defender_rows
from converter.shapes.defender import splunk as defender_splunk
from converter.shapes.sysmon import elastic as sysmon_elastic
from converter.shapes.sysmon import sentinel as sysmon_sentinel
from converter.shapes.sysmon import splunk as sysmon_splunk

Event = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Shape:
    """One source on one platform."""

    store: Callable[[Event, int], Stored]
    """Turns a flat raw event and its position in the input into the event as it is stored."""
    view: Callable[[Event], Event]
    """The event as the matcher must see it, where the platform loses a distinction that docs/semantics.md
    allows it to lose (an empty text that is stored as missing); nothing else changes."""
    key: Callable[[str, str], str] = lambda field, value: value
    """Field and value of a group to the text by which the platform knows it, one for one."""
    history: Callable[[Sequence[Event]], Sequence[Event]] = lambda events: events
    """Adds to the events of a stream what the platform records of the ones before, for ``store``."""


_SHAPES: dict[tuple[str, str], Shape] = {
    ("crowdstrike", "elastic"): Shape(
        crowdstrike_elastic.store, crowdstrike_elastic.view, crowdstrike_sensor.key
    ),
    ("crowdstrike", "splunk"): Shape(
        crowdstrike_splunk.store, crowdstrike_splunk.view, crowdstrike_sensor.key
    ),
    ("crowdstrike", "kusto"): Shape(
        crowdstrike_sentinel.store, crowdstrike_sentinel.view, crowdstrike_sensor.key
    ),
    ("defender", "elastic"): Shape(
        defender_elastic.store, defender_elastic.view, history=defender_rows.with_history
    ),
    ("defender", "splunk"): Shape(
        defender_splunk.store, defender_splunk.view, history=defender_rows.with_history
    ),
    ("defender", "kusto"): Shape(
        defender_kusto.store, defender_kusto.view, history=defender_rows.with_history
    ),
    ("sysmon", "elastic"): Shape(sysmon_elastic.store, sysmon_elastic.view),
    ("sysmon", "elastic-winlogbeat"): Shape(sysmon_elastic.store_winlogbeat, sysmon_elastic.view),
    ("sysmon", "splunk"): Shape(sysmon_splunk.store, sysmon_splunk.view, sysmon_splunk.key),
    ("sysmon", "kusto"): Shape(sysmon_sentinel.store, sysmon_sentinel.view),
    ("sysmon", "kusto-windowsevent"): Shape(sysmon_sentinel.store_windows_event, sysmon_sentinel.view),
}


def shape_for(source: str, target: str, pipelines: Path | None = None) -> Shape:
    """Return the shape of a source on a platform.

    Args:
        source: sysmon, defender or crowdstrike.
        target: the stem of the pipeline file: elastic, splunk, kusto, or an option such as
            kusto-windowsevent.
        pipelines: the folder of the pipelines, where a source that is not in the registry may have a
            ``shape.yml``.

    Raises:
        UsageError: SC604 if there is none.
    """
    if (source, target) in _SHAPES:
        return _SHAPES[source, target]
    file = pipelines / source / declared.FILE if pipelines is not None else None
    if file is not None and file.is_file():
        return _declared(file, target)
    raise UsageError("SC604", f"no shape of stored events for source {source} on {target}")


@cache
def _declared(file: Path, target: str) -> Shape:
    data = declared.read(file)
    family = shape_for(str(data["family"]), target)
    return Shape(declared.store(data, target.split("-")[0], family.store), declared.view(data), family.key)
