"""What `sigconv verify --format json` said, by rule and cell."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from converter.errors import UsageError

Key = tuple[str, str, str]
"""Rule's id or name, source, target."""
STATUSES = ("agrees", "disagrees", "refused", "error")


@dataclass(frozen=True, slots=True)
class Verification:
    """What one rule's queries did in one cell."""

    status: str
    """One of `STATUSES`."""
    fidelity: str = ""
    events: int = 0
    """How many events were searched."""
    hits: int = 0
    """How many of them the rule selects, or how many alerts it raises."""
    reason: str = ""
    disagreements: tuple[str, ...] = ()


def read(path: Path) -> dict[Key, Verification]:
    """Return the results in a file.

    Raises:
        UsageError: SC614 if it cannot be read or is not what `verify --format json` prints.
    """
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except OSError as problem:
        raise UsageError("SC614", f"cannot be read: {problem.strerror}", file=path.as_posix()) from problem
    except ValueError as problem:
        raise UsageError("SC614", f"is not JSON: {problem}", file=path.as_posix()) from problem
    found = document.get("results") if isinstance(document, dict) else None
    try:
        if not isinstance(found, list):
            raise TypeError
        return collect(found)
    except (AttributeError, KeyError, TypeError, ValueError) as problem:
        hint = "sigconv verify --format json > FILE"
        raise UsageError("SC614", "holds no results of verify", file=path.as_posix(), hint=hint) from problem


def collect(results: Iterable[Mapping[str, Any]]) -> dict[Key, Verification]:
    """Return the entries of `verify`'s JSON by rule and cell."""
    found = {}
    for one in results:
        if one["status"] not in STATUSES:
            raise ValueError(one["status"])
        found[str(one["rule"]), str(one["source"]), str(one["target"])] = Verification(
            str(one["status"]),
            str(one.get("fidelity") or ""),
            int(one.get("events") or 0),
            int(one.get("hits") or 0),
            str(one.get("reason") or ""),
            tuple(str(line) for line in one.get("disagreements") or ()),
        )
    return found
