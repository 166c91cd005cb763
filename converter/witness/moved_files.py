"""Copies of an event with a file elsewhere: sources that keep a part of a path cannot tell these apart."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

FIELDS = ("Image", "ParentImage", "TargetFilename", "ImageLoaded")


def other_drive(path: str) -> str | None:
    """Return a path with another drive's letter, or None if it has none."""
    drive = re.search(r"(?<![A-Za-z])[A-Za-z](?=:\\)", path)
    if not drive:
        return None
    # J is the tenth volume: no number of one digit.
    letter = "J" if drive[0] not in "jJ" else "F"
    return path[: drive.start()] + letter + path[drive.end() :]


def moved(event: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield copies with one file on another drive, in another folder, or with its name made a folder's."""
    for field in FIELDS:
        path = event.get(field)
        if not isinstance(path, str) or not path:
            continue
        if elsewhere := other_drive(path):
            yield {**event, field: elsewhere}
        folder, _, name = path.rpartition("\\")
        if folder and name:
            yield {**event, field: f"D:\\Depot\\Quartz\\{name}"}
        yield {**event, field: f"{path}\\qz7.exe"}
