"""docs/changed-queries.md: what `verify` notices of changed queries, from the last run of each cell.

``python -m tests.proof.changed_queries_page`` writes the page anew; `tests.proof.mutated_queries --write`
does so after a run.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.support import ROOT

NUMBERS = Path(__file__).parent / "changed_queries.json"
PAGE = ROOT / "docs" / "changed-queries.md"
WANTED = 0.98
COLUMNS = (
    "rules",
    "changes",
    "caught",
    "same",
    "survived",
    "rejected",
    "unsupported",
    "crashed",
    "disagrees",
)
_HEAD = """# Changed queries

Does `verify` notice a wrong query? `python -m tests.proof.mutated_queries --write` changes the text of
emitted queries, one place at a time: a letter, a star, an item of a list, an operator, a negation, an anchor,
a part of a regular expression, a number, a column, a stage. It runs each changed query over the rule's own
events, asks `verify`'s own comparison, and writes this page. `tests/proof/query_changes.py` has the changes,
`tests/proof/same_meaning.py` the reasons why some change no meaning, each with a test of the query's text.

The share is of the changes of meaning: caught and survived. Rejected: the language's parser or analyser
refuses the text. Unsupported: the engine does not run the text. Crashed: the engine breaks, which is a defect
of the engine. `verify` reports all three as errors.
"""


@dataclass(frozen=True, slots=True)
class Outcome:
    """One change of a rule's query in a cell, or the rule itself if its query disagrees unchanged."""

    source: str
    language: str
    rule: str
    kind: str
    result: str
    """caught, survived, same, rejected, unsupported, crashed or disagrees."""
    shown: str = ""
    """The change, if it was not caught."""
    reason: str = ""

    def __str__(self) -> str:
        """Return a line of a terminal."""
        reason = f"  ({self.reason})" if self.reason else ""
        where = f"{self.source}/{self.language} {self.rule}"
        return f"{self.result}: {where}: {self.kind}: {self.shown}{reason}"


def numbers(results: Iterable[Outcome]) -> dict[str, dict[str, Any]]:
    """Return what came of each cell."""
    cells: dict[str, list[Outcome]] = {}
    for one in results:
        cells.setdefault(f"{one.source}/{one.language}", []).append(one)
    made = {}
    for name, group in cells.items():
        counts = Counter(one.result for one in group)
        made[name] = {
            "rules": len({one.rule for one in group if one.kind}),
            "changes": sum(1 for one in group if one.kind),
            **{column: counts[column] for column in COLUMNS[2:]},
            "reasons": dict(Counter(one.reason for one in group if one.result == "same")),
            "survivors": [
                f"{one.rule}: {one.kind}: {one.shown}" for one in group if one.result == "survived"
            ],
        }
    return made


def share(cell: dict[str, Any]) -> float:
    """Return how many of the changes of meaning are caught, from 0 to 1."""
    return float(cell["caught"] / max(cell["caught"] + cell["survived"], 1))


def table(cells: dict[str, dict[str, Any]]) -> Iterator[str]:
    """Yield the lines of the table."""
    yield "| | " + " | ".join((*COLUMNS, "share caught")) + " |"
    yield "|---|" + "--:|" * (len(COLUMNS) + 1)
    for name, cell in cells.items():
        counts = " | ".join(f"{cell[column]:,}" for column in COLUMNS)
        yield f"| {name} | {counts} | {100 * share(cell):.1f} % |"


def write(fresh: dict[str, dict[str, Any]] | None = None) -> None:
    """Write the numbers, the fresh in place of those that were kept of the same cells, and the page."""
    kept = json.loads(NUMBERS.read_text(encoding="utf-8")) if NUMBERS.exists() else {}
    kept |= fresh or {}
    NUMBERS.write_text(json.dumps(kept, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    PAGE.write_text("\n".join(page(kept)) + "\n", encoding="utf-8")


def page(cells: dict[str, dict[str, Any]]) -> Iterator[str]:
    """Yield the lines of the page."""
    cells = dict(sorted(cells.items()))
    whole = {"all": {column: sum(cell[column] for cell in cells.values()) for column in COLUMNS}}
    yield _HEAD
    yield from table(cells | whole)
    yield "\n## What means the same\n\n| | Changes | Why |\n|---|--:|---|"
    for name, cell in cells.items():
        for reason, count in sorted(cell["reasons"].items()):
            yield f"| {name} | {count} | {reason} |"
    yield "\n## What survived\n"
    yield "No event of `verify` shows these changes, and no reason says that they mean the same."
    for name, cell in cells.items():
        if cell["survivors"]:
            yield f"\n{name}:\n"
            yield from (f"- `` {one} ``" for one in cell["survivors"])


if __name__ == "__main__":
    write()
