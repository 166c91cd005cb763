"""manifest.json: its entries as text, read and joined."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from operator import itemgetter
from pathlib import Path
from typing import Any

MANIFEST = "manifest.json"
Key = tuple[str, str, str, str]
"""What identifies an entry: file, rule, target and source."""


_quoted = json.encoder.encode_basestring


_LITERAL = {True: "true", False: "false"}


SCHEMA_VERSION = 1
"""Of the manifest; raised when a key changes its meaning or goes (converter/schemas)."""


def read_manifest(folder: Path) -> dict[str, Any]:
    """Return the folder's manifest; an empty one if it is missing, broken or of another schema."""
    try:
        manifest = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {"entries": []}
    if not isinstance(manifest, dict) or manifest.get("schema_version") != SCHEMA_VERSION:
        return {"entries": []}
    entries = manifest.get("entries")
    if not isinstance(entries, list) or not all(map(_is_entry, entries)):
        return {"entries": []}
    return manifest


def _is_entry(entry: object) -> bool:
    return (  # Not a loop: there are thousands.
        isinstance(entry, dict)
        and isinstance(entry.get("file"), str)
        and isinstance(entry.get("rule"), str)
        and isinstance(entry.get("target"), str)
        and isinstance(entry.get("source"), str)
    )


def manifest_data(
    entries: Iterable[tuple[Key, str]],
    exports: Sequence[Mapping[str, Any]],
    pipelines: Mapping[str, str],
    version: str,
) -> bytes:
    """Return the manifest: sorted, without a clock, so that equal input gives equal bytes.

    Args:
        entries: key and text of each (`entry_key`, `entry_text`).
        exports: entries of import files, in their order.
        pipelines: cell -> version of its pipeline.
        version: of the program.
    """
    entries_at = "\0entries\0"
    manifest: dict[str, Any] = {
        "schema_version": SCHEMA_VERSION,
        "sigconv": version,
        "pipelines": dict(sorted(pipelines.items())),
        "entries": entries_at,
    }
    if exports:
        manifest["exports"] = list(exports)
    around = json.dumps(manifest, indent=2, ensure_ascii=False)
    before, _, after = around.partition(json.dumps(entries_at))
    ordered = sorted(entries, key=itemgetter(0))
    if not ordered:
        return f"{before}[]{after}\n".encode()
    # Bytes of all its parts, and no other copy: there may be tens of megabytes.
    data = bytearray(f"{before}[\n    ".encode())
    for number, (_, text) in enumerate(ordered):
        if number:
            data += b",\n    "
        data += text.encode()
    data += f"\n  ]{after}\n".encode()
    return bytes(data)


_HEAD = ("rule", "title", "file", "source_sha256", "target", "source", "status")


_REFUSED = ((*_HEAD, "refusal"), ("code", "message", "accepted"))


_CONVERTED = (*_HEAD, "fidelity", "reasons", "schedule", "queries")


_QUERY = ("name", "file", "sha256")


_REASON = ("fidelity", "text")


def entry_text(entry: Mapping[str, Any]) -> str:
    """Return an entry as `json.dumps` indents it: there are thousands, and this takes a third of its time."""
    try:
        body = _refused(entry) or _converted(entry)
    except (AttributeError, KeyError, TypeError):  # Of a manifest that someone edited.
        body = None
    if body is None:
        return json.dumps(entry, indent=2, ensure_ascii=False).replace("\n", "\n    ")
    head = "".join(f'      "{name}": {_quoted(entry[name])},\n' for name in _HEAD)
    return f"{{\n{head}{body}    }}"


def _refused(entry: Mapping[str, Any]) -> str | None:
    if tuple(entry) != _REFUSED[0] or tuple(entry["refusal"]) != _REFUSED[1]:
        return None
    said = entry["refusal"]
    return (
        f'      "refusal": {{\n        "code": {_quoted(said["code"])},\n'
        f'        "message": {_quoted(said["message"])},\n'
        f'        "accepted": {_LITERAL[said["accepted"]]}\n      }}\n'
    )


def _converted(entry: Mapping[str, Any]) -> str | None:
    if tuple(entry) != _CONVERTED or tuple(entry["schedule"]) != ("interval_seconds", "lookback_seconds"):
        return None
    when = entry["schedule"]
    if not entry["queries"] or not all(type(seconds) is int for seconds in when.values()):
        return None
    parts = []
    for name, keys in (("reasons", _REASON), ("queries", _QUERY)):
        texts = []
        for one in entry[name]:
            if tuple(one) != keys:
                return None
            said = ",\n".join(
                f'          "{key}": {"null" if one[key] is None else _quoted(one[key])}' for key in keys
            )
            texts.append(f"        {{\n{said}\n        }}")
        listed = ",\n".join(texts)
        parts.append(f'      "{name}": [\n{listed}\n      ]' if texts else f'      "{name}": []')
    return (
        f'      "fidelity": {_quoted(entry["fidelity"])},\n{parts[0]},\n      "schedule": {{\n'
        f'        "interval_seconds": {when["interval_seconds"]},\n'
        f'        "lookback_seconds": {when["lookback_seconds"]}\n      }},\n{parts[1]}\n'
    )


def entry_key(entry: Mapping[str, Any]) -> Key:
    """Return the key of an entry."""
    return (entry["file"], entry["rule"], entry["target"], entry["source"])
