"""An event as a platform stores it: what shapes make and engines load."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Stored:
    """One event as a platform stores it."""

    id: int
    """Position of the event in the input."""
    index: str
    """Index, table or sourcetype that it is stored in."""
    doc: Mapping[str, Any]
    """Elastic: flat dotted field names to value or list of values. Splunk: field to string (or list),
    ``_time`` in epoch seconds as float. Kusto: column to value."""
