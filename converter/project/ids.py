"""UUIDs are ids and no texts: how one is written makes no other id (RFC 9562, sections 4 and 5.9).

The Sigma specification 2.1 ("id", "related", correlation "rules", filter "rules") says that ids are UUIDs, so
hexadecimal digits of either case, with or without dashes, as ``urn:uuid:...`` or in braces are one id.
"""

from __future__ import annotations

import re
from typing import Any
from uuid import UUID

_HEX = "[0-9a-fA-F]"
_DASHED = f"{_HEX}{{8}}-{_HEX}{{4}}-{_HEX}{{4}}-{_HEX}{{4}}-{_HEX}{{12}}"
_FORM = re.compile(rf"(?:urn:uuid:)?(?:{_DASHED}|{_HEX}{{32}}|\{{{_DASHED}\}})", re.IGNORECASE)
_WRITTEN = re.compile(r"[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}")
_IN_TEXT = re.compile(rf"(?<![\w:-])(?:urn:uuid:)?(?:{_DASHED}|{_HEX}{{32}})(?![\w-])", re.IGNORECASE)


def canonical(text: str) -> str:
    """Return a UUID as it is usually written, in lower case with dashes; another text as it is."""
    if _WRITTEN.fullmatch(text) or not _FORM.fullmatch(text):
        return text
    return str(UUID(text.lower()))


def normalise(doc: dict[str, Any]) -> None:
    """Write the ids of a rule as `canonical` does: its own, and those of rules that it refers to.

    Args:
        doc: a rule as read, changed in place; it need not be valid.
    """
    for key in ("id", "name"):
        if isinstance(doc.get(key), str):
            doc[key] = canonical(doc[key])
    for other in _list(doc.get("related")):
        if isinstance(other, dict) and isinstance(other.get("id"), str):
            other["id"] = canonical(other["id"])
    for section in ("correlation", "filter"):
        body = doc.get(section)
        if not isinstance(body, dict):
            continue
        if "rules" in body:
            body["rules"] = _names(body["rules"])
        aliases: Any = body.get("aliases") if section == "correlation" else None
        for name, fields in list(aliases.items()) if isinstance(aliases, dict) else ():
            if isinstance(fields, dict):
                aliases[name] = {_name(rule): field for rule, field in fields.items()}
        if section == "correlation" and isinstance(body.get("condition"), str):
            body["condition"] = _IN_TEXT.sub(lambda found: canonical(found[0]), body["condition"])


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _names(value: Any) -> Any:
    return [_name(one) for one in value] if isinstance(value, list) else _name(value)


def _name(value: Any) -> Any:
    return canonical(value) if isinstance(value, str) else value
