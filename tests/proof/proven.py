"""What has been proven already: the outcome of each conversion over its events, kept in `.sigconv-proof/`.

An outcome counts as long as nothing changes that it follows from: the queries, what their label takes from
the rule, the rule, the pipeline, the events made from the rule, and the program's part that judges
(`proving`). A changed backend is proven anew only where it writes another query, and a changed note never.
"""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from contextlib import suppress
from functools import cache
from hashlib import sha256
from importlib import metadata
from pathlib import Path
from typing import Any

import converter
from converter.conversion.convert import Conversion, Options
from converter.plan.model import Fidelity
from converter.rules.ruleset import RuleSet
from converter.verify.prepared import relaxations_of
from converter.verify.stored import StoredStreams
from converter.verify.verify import Checked, Stream, check, unproven
from tests.support import ROOT

KEPT = ROOT / ".sigconv-proof"
_PROVING = ("engines", "events", "matcher", "shapes", "verify")
"""Packages below `converter` that judge a query."""
_APART = {
    "engines": ("eql", "kql", "kusto_analyser", "lucene", "spl"),
    "shapes": ("crowdstrike", "defender", "none", "sysmon"),
}
"""Parts of these that know nothing of each other: a folder, or files whose names begin so."""
_USED = {"kql": ("kql", "kusto_analyser"), "windows-security": ("sysmon",)}
"""The parts that a language or a source uses, if it is not the one of its name."""
_LIBRARIES = ("duckdb", "duckdb-kql", "jpype1")


@cache
def proving(source: str, target: str, *, relaxed: bool) -> str:
    """Return the SHA-256 of everything that judges a query of a cell.

    Args:
        source: of the cell.
        target: its language.
        relaxed: whether the query's label names relaxations.
    """
    digest = sha256()
    for library in _LIBRARIES:
        with suppress(metadata.PackageNotFoundError):
            digest.update(f"{library} {metadata.version(library)}\0".encode())
    used = {*_USED.get(source, (source,)), *_USED.get(target, (target,))}
    package = Path(converter.__file__).parent
    for path in sorted(path for name in _PROVING for path in (package / name).rglob("*")):
        folder, part, *_ = path.relative_to(package).parts
        other = [one for one in _APART.get(folder, ()) if part.startswith(one) and one not in used]
        other += ["relaxations"] if part == "relaxations" and not relaxed else []
        if path.suffix in (".py", ".json", ".yml", ".js") and "node_modules" not in path.parts and not other:
            digest.update(path.relative_to(package).as_posix().encode() + path.read_bytes() + b"\0")
    return digest.hexdigest()


class Proven:
    """Outcomes of earlier runs, and those of this process, which are added to a file of its own."""

    def __init__(self, folder: Path = KEPT) -> None:
        """Read what is there."""
        self._file = folder / f"{os.getpid()}.jsonl"
        self._known: dict[str, list[Any]] = {}
        for file in sorted(folder.glob("*.jsonl")):
            with file.open(encoding="utf-8") as lines:
                for line in lines:
                    with suppress(ValueError):  # The last line of a run that was killed.
                        key, *outcome = json.loads(line)
                        self._known[key] = outcome

    def check(
        self,
        rules: RuleSet,
        conversion: Conversion,
        streams: Sequence[Stream],
        options: Options,
        kept: StoredStreams,
    ) -> Checked:
        """Return the outcome that is known, or run the queries; the arguments are those of `check`."""
        key = _key(rules, conversion, streams)
        if key not in self._known:
            made = check(rules, conversion, streams, options, kept)
            problem = made.reason if made.status == "disagrees" else ""
            self._add(key, [made.status, made.events, made.hits, problem, made.detail[:3]])
        status, events, hits, problem, detail = self._known[key]
        reason = problem or "; ".join(one.text for one in conversion.reasons)
        return Checked(
            conversion.rule,
            conversion.cell,
            status,
            str(conversion.fidelity),
            events,
            hits,
            reason,
            tuple(detail),
        )

    def _add(self, key: str, outcome: list[Any]) -> None:
        self._known[key] = outcome
        self._file.parent.mkdir(exist_ok=True)
        with self._file.open("a", encoding="utf-8") as file:
            file.write(json.dumps([key, *outcome]) + "\n")


def _key(rules: RuleSet, conversion: Conversion, streams: Sequence[Stream]) -> str:
    label = (conversion.fidelity in (Fidelity.BROADER, Fidelity.NARROWER), relaxations_of(conversion))
    unknown = unproven(conversion)
    queries = [(one.body or one.text, repr(one.alert)) for one in conversion.queries]
    docs = [one.digest() for one in rules.closure(conversion.rule)]
    events = [(stream.name, [sorted(event.items()) for event in stream.events]) for stream in streams]
    cell = conversion.cell
    judges = proving(cell.source, cell.target, relaxed=label[0])
    all_of_it = (judges, str(cell), cell.variant, cell.version, queries, label, unknown, docs, events)
    return sha256(repr(all_of_it).encode("utf-8", "surrogatepass")).hexdigest()[:32]
