"""The public logs of ../shared/corpus, every event of them: what a plain day raises is counted on these.

Events that differ in times and ids alone are of one kind: a rule of single events says the same of all of
them, so it is asked once. Rules over several events get them all.
"""

from __future__ import annotations

import gzip
import json
import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from converter.events import flatten
from tests.support import SHARED

Event = Mapping[str, Any]
_CORPUS = SHARED / "corpus"
_VENDORS = ("panther_crowdstrike_fdr", "goldensaml_m365defender")
"""Rows of vendors and no events of Windows; the tests of the shapes have them."""
_VOLATILE = re.compile(
    r"time|guid|process_?id|thread_?id|record|handle_?id|activity|^opcode|severity|^@|^_|keywords|^message$"
    r"|^execution|^tags|^host$|pointer|sequence|^port$|^EventReceived",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Kind:
    """Events that differ in times and ids alone."""

    events: tuple[Event, ...]
    plain: tuple[bool, ...]
    """Of each event, whether it is of a log of ordinary work."""

    @property
    def one(self) -> Event:
        """Any of them."""
        return self.events[0]


def plain() -> set[str]:
    """Return the names of the files that count as benign logs.

    The manifest calls them "background", and the facts "large backgrounds for false positives": four fifths
    of all events. No public log is free of an attack. What an attack leaves in these the rules themselves
    mean or do not mean, so what is counted there is what a form raises and the rule does not mean. The other
    recordings are an attack and the minutes around it; they count for the ratio of alerts raised to alerts
    meant.
    """
    manifest = json.loads((_CORPUS / "MANIFEST.json").read_text())
    return {one["file"] for one in manifest if str(one.get("use", "")).startswith("background")}


def windows_logs() -> list[Path]:
    """Return the files with events of Windows."""
    return [one for one in sorted(_CORPUS.rglob("*.jsonl.gz")) if not one.name.startswith(_VENDORS)]


def kinds(files: Iterable[Path]) -> list[Kind]:
    """Return the events of files, those of one kind together."""
    benign = plain()
    found: dict[str, list[tuple[Event, bool]]] = defaultdict(list)
    for file in files:
        here = file.relative_to(_CORPUS).as_posix() in benign
        with gzip.open(file) as lines:
            for line in lines:
                try:
                    event = flatten(json.loads(line))
                except ValueError:  # One log ends in the bytes of another file.
                    continue
                lasting = sorted((key, str(one)) for key, one in event.items() if not _VOLATILE.search(key))
                found[json.dumps(lasting)].append((event, here))
    return [
        Kind(tuple(event for event, _ in some), tuple(here for _, here in some)) for some in found.values()
    ]
