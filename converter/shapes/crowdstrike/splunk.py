"""How Splunk stores FDR events: the Splunk Add-on for CrowdStrike FDR, sourcetype crowdstrike:events:sensor.

The event is JSON; each property is a field with the property's text. An empty text is kept here as an empty
field: public material does not say whether it is one, so queries must take both.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from converter.events.stored import Stored
from converter.shapes.crowdstrike import sensor
from converter.shapes.windows import splunk_extraction

SOURCETYPE = "crowdstrike:events:sensor"
EMPTY = frozenset({""})


def store(event: Mapping[str, Any], id: int) -> Stored:  # noqa: A002
    """Return the fields that a search sees for a record; ``_time`` is epoch seconds as float."""
    return Stored(id, SOURCETYPE, fields(sensor.event_of(event)))


def fields(raw: Mapping[str, str]) -> dict[str, Any]:
    """Return the fields of an FDR event: those within the first 5,000 bytes of its JSON."""
    written = json.dumps(raw, separators=(",", ":"), ensure_ascii=False)
    made = {"_raw": written, "_time": int(raw["timestamp"]) / 1000, "sourcetype": SOURCETYPE}
    return {**splunk_extraction.of_json(written), **made}


def view(event: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the record with CrowdStrike's names of host and processes, without empty elements."""
    return sensor.seen(event, EMPTY)
