"""Registry values whose name has a backslash.

Names of keys cannot include a backslash, names of values can (Microsoft Learn, "Structure of the Registry").
Sysmon's TargetObject is one text either way, so the records of two such values may be the same, where sources
with a column for each part tell them apart.
"""

from __future__ import annotations

from dataclasses import replace

from converter.events.stored import Stored

_COLUMNS = (
    ("RegistryKey", "RegistryValueName"),
    ("properties.RegistryKey", "properties.RegistryValueName"),
    ("registry.key", "registry.value"),
    ("RegObjectName", "RegValueName"),
)
"""The columns of key and of name, in each source that keeps them apart."""
_NO_NAME = ("", "null")
"""What is stored where there is no name; Splunk extracts JSON's null as a text."""
_LEAST = 2
"""Parts that a key keeps."""


def longer(event: Stored) -> Stored | None:
    """Return an event with half of its key in the value's name, or None if it has no such columns."""
    for key, name in _COLUMNS:
        held, called = event.doc.get(key), event.doc.get(name)
        if not isinstance(held, str) or not isinstance(called, str) or called in _NO_NAME:
            continue
        parts = held.split("\\")
        keep = max(len(parts) // 2, _LEAST)
        if keep < len(parts):
            moved = {key: "\\".join(parts[:keep]), name: "\\".join([*parts[keep:], called])}
            return replace(event, doc={**event.doc, **moved})
    return None
