"""What a rule would mean if each of its texts were `cased`: is letter case all that differs?"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_OTHERS = {"re", "i", "cidr", "exists", "fieldref", "lt", "lte", "gt", "gte", "cased", "expand"}
"""Modifiers beside which `cased` has no meaning, or that have it."""


def cased(doc: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return a rule with the modifier `cased` on every comparison of texts; keywords have no place for it."""
    if "detection" not in doc:
        return doc
    detection = doc["detection"]
    return {
        **doc,
        "detection": {
            name: part if name == "condition" else _selection(part) for name, part in detection.items()
        },
    }


def _selection(part: Any) -> Any:
    if isinstance(part, list):
        return [_selection(item) for item in part]
    if not isinstance(part, dict):
        return part
    return {f"{key}|cased" if _is_text(str(key), value) else key: value for key, value in part.items()}


def _is_text(key: str, value: Any) -> bool:
    values = value if isinstance(value, list) else [value]
    texts = all(isinstance(item, str) for item in values)
    return texts and bool(values) and _OTHERS.isdisjoint(key.split("|")[1:])
