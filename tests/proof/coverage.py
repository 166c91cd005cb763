"""How many public rules each cell converts, and why not the others: docs/coverage.md.

``python -m tests.proof.coverage`` writes the file, ``--check`` says whether it is up to date. Both need the
folder ../shared: the rules (sigmahq) and the shares that its facts give as reachable (facts/coverage.json).
The source `none` takes the rules of every product, the others those for Windows. Each refusal must have a
reason in coverage_reasons.yml, with its source; each reason there must be needed.
"""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import cache
from pathlib import Path
from re import search, sub

import yaml

from converter.conversion.convert import Conversion, Options, convert
from converter.errors import SigconvError
from converter.pipelines import cells as cells_module
from converter.plan.model import Fidelity
from converter.project import config
from converter.rules import loading
from converter.rules.emitted import emitted_rules
from converter.rules.rule import Rule
from converter.rules.ruleset import RuleSet
from tests.support import ROOT, SHARED

TWELVE = ("sysmon", "defender", "crowdstrike")
"""The sources of the twelve cells."""
SOURCES = (*TWELVE, "windows-security", cells_module.NONE)
TARGETS = ("eql", "lucene", "spl", "kql")
REASONS = Path(__file__).parent / "coverage_reasons.yml"
CONVERTED = ("exact", "assumed", "broader", "narrower")


@dataclass(frozen=True, slots=True)
class Outcome:
    """One public rule in one cell."""

    category: str
    """Of the source `none` the product."""
    cell: str
    result: str
    """exact, broader, narrower or refused."""
    why: str = ""
    """Code and message of a refusal."""
    losses: tuple[str, ...] = ()
    """Of a query that is not exact: why, without names of fields and values."""


@dataclass(frozen=True, slots=True)
class Reason:
    """Why refusals of some cells and categories are true ones."""

    cells: str
    """Pattern of ``source/target``."""
    category: str
    """Pattern."""
    refusal: str
    """Regular expression, searched in code and message."""
    reason: str
    source: str


@cache
def public() -> RuleSet:
    """Return the rules of every product."""
    return loading.load([SHARED / "sigmahq"])


@cache
def corpus() -> RuleSet:
    """Return the rules for Windows."""
    found = public()
    return RuleSet([rule for rule in found.rules if _windows(rule)], [], [], found.rules)


def _windows(rule: Rule) -> bool:
    logsource = rule.doc.get("logsource")
    return isinstance(logsource, dict) and logsource.get("product") == "windows"


def category(rule: Rule) -> str:
    """Return the rule's category, else its service, as the facts name them."""
    logsource = rule.doc["logsource"]
    return str(logsource.get("category") or f"service:{logsource.get('service')}")


def product(rule: Rule) -> str:
    """Return the rule's product."""
    return str(rule.doc["logsource"].get("product") or "any product")


def outcomes(part: slice, sources: Sequence[str] = SOURCES) -> list[Outcome]:
    """Convert some of the rules for all cells of the sources."""
    found = []
    for source in sources:
        among, kind = (public(), product) if source == cells_module.NONE else (corpus(), category)
        cells = [cells_module.cell(source, target) for target in TARGETS]
        for rule in among.rules[part]:
            for cell in cells:
                try:
                    made = convert(among, rule, cell, Options("any"))
                    found.append(Outcome(kind(rule), str(cell), str(made.fidelity), losses=losses(made)))
                except SigconvError as error:
                    why = f"{error.code} {error.message}"
                    found.append(Outcome(kind(rule), str(cell), "refused", why))
    return found


def losses(conversion: Conversion) -> tuple[str, ...]:
    """Return why a query is not exact, each kind of reason once."""
    texts = (one.text for one in conversion.reasons if one.fidelity != Fidelity.EXACT)
    return tuple(dict.fromkeys(sub(_NAMES, "...", text.replace("'not'", "not")) for text in texts))


_NAMES = r"(?<!\w)'[^']*'(?!\w)|\b[a-z@][\w@]*(?:\.\w+)+\b|(?<=^log source not checked).*"
"""Values in quotes, names with dots and log sources, in the reason of a label."""


def every_outcome(processes: int = 2) -> list[Outcome]:
    parts = [slice(start, None, processes * 4) for start in range(processes * 4)]
    with ProcessPoolExecutor(processes) as pool:
        return [one for found in pool.map(outcomes, parts) for one in found]


def reachable() -> dict[tuple[str, str], float]:
    """Return (category, cell) -> share of the public rules that the facts give as reachable."""
    facts = json.loads((SHARED / "facts" / "coverage.json").read_text())
    found = {}
    for key, value in facts.items():
        name, source, target = key.split("|")
        share = value["exact_or_lossy"] / value["n"]
        found[name, f"{source}/{target}"] = share
        # The facts count the Security log to Sysmon's hosts; here it is a source of its own.
        if (name, source) == ("service:security", "sysmon"):
            found[name, f"windows-security/{target}"] = share
    return found


def reasons() -> list[Reason]:
    return [Reason(**one) for one in yaml.safe_load(REASONS.read_text())]


def explain(one: Outcome, among: Sequence[Reason]) -> Reason | None:
    """Return the first reason that holds for a refusal."""
    for reason in among:
        if (
            fnmatchcase(one.cell, reason.cells)
            and fnmatchcase(one.category, reason.category)
            and search(reason.refusal, one.why)
        ):
            return reason
    return None


def subject(one: Outcome) -> str:
    """Return what a refusal is about: a field, or the kind of value or log."""
    if field := search(r"(?:fields? '|field )([A-Z]\w*|[a-z]+\.[\w.]+)", one.why):
        return field[1]
    return one.category


def unexplained(found: Sequence[Outcome], among: Sequence[Reason]) -> Iterator[str]:
    """Yield what is wrong: refusals without a reason, and reasons without a refusal."""
    used: set[Reason] = set()
    for one in found:
        if one.result == "refused":
            reason = explain(one, among)
            if reason is None:
                yield f"{one.cell} {one.category}: {one.why}"
            else:
                used.add(reason)
    for reason in among:
        if reason not in used:
            yield f"reason without a refusal: {reason}"


@dataclass(frozen=True, slots=True)
class Shipped:
    """One of the project's own rules in one cell."""

    title: str
    cell: str
    result: str
    why: str = ""
    source: str = ""
    """Why the refusal is a true one: the configuration's accept-refusals."""


def shipped() -> list[Shipped]:
    """Convert the project's own rules for all cells, as `sigconv build` does."""
    found = []
    own = loading.load([ROOT / "sigma"])
    accepted = config.load(ROOT / "pyproject.toml").accepted
    for source in TWELVE:
        for target in TARGETS:
            cell = cells_module.cell(source, target)
            for rule in emitted_rules(own):
                try:
                    made = str(convert(own, rule, cell).fidelity)
                    found.append(Shipped(rule.title, str(cell), made))
                except SigconvError as error:
                    keys = (rule.id, rule.name, rule.relative)
                    taken = (one for one in accepted if one.covers(keys, source, target, error.code))
                    reason = next((one.reason for one in taken), "")
                    why = f"{error.code} {error.message}"
                    found.append(Shipped(rule.title, str(cell), "refused", why, reason))
    return found


def main(arguments: Sequence[str]) -> int:
    from tests.proof import coverage_page

    found = every_outcome()
    wrong = Counter(unexplained(found, reasons()))
    own = shipped()
    wrong.update(
        f"no reason in pyproject.toml's accept-refusals: {one.title} in {one.cell}: {one.why}"
        for one in own
        if one.result == "refused" and not one.source
    )
    for line, count in sorted(wrong.items()):
        print(f"{count} x {line}", file=sys.stderr)
    page = ROOT / "docs" / "coverage.md"
    text = coverage_page.render(found, own)
    if "--check" in arguments:
        stale = not page.is_file() or page.read_text() != text
        print("docs/coverage.md is stale" if stale else "docs/coverage.md is up to date", file=sys.stderr)
        return int(stale or bool(wrong))
    page.write_text(text)
    return int(bool(wrong))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
