"""What a report shows, worked out before anything is drawn."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from converter.attack import table
from converter.conversion.convert import DEFAULT, Options
from converter.conversion.explain import Explanation, explain
from converter.errors import RuleError, SigconvError
from converter.files.yaml_source import read_text
from converter.pipelines.cells import Cell
from converter.project.config import Accepted
from converter.report import testevents
from converter.report.results import Key, Verification
from converter.report.testevents import ShownTests
from converter.rules.emitted import emitted_rules
from converter.rules.rule import Rule
from converter.rules.ruleset import RuleSet
from converter.verify import test_files
from converter.verify.test_files import RuleTest

FIDELITIES = ("exact", "assumed", "broader", "narrower", "refused")
VERDICTS = ("agrees", "disagrees", "error", "refused", "outdated", "not verified")
_HEAT = (1, 2, 4, 8)
"""The least number of rules for each shade of the heat map."""


@dataclass(frozen=True, slots=True)
class CellView:
    """A rule in a cell."""

    name: str
    """``sysmon/kql``."""
    explanation: Explanation
    verification: Verification | None
    accepted: str = ""
    """Why the project accepts that the cell refuses the rule."""

    @property
    def anchor(self) -> str:
        """Its name as a part of an HTML id."""
        return self.name.replace("/", "-")

    @property
    def outcome(self) -> str:
        """One of `FIDELITIES`."""
        return self.explanation.fidelity or "refused"

    @property
    def verdict(self) -> str:
        """One of `VERDICTS`; ``outdated`` if the results are of another conversion than this one."""
        one = self.verification
        if one is None:
            return "not verified"
        if one.status == "error":
            return "error"
        same = one.status == "refused" if self.outcome == "refused" else one.fidelity == self.outcome
        return one.status if same else "outdated"

    @property
    def code(self) -> str:
        """Code of the refusal, or ""."""
        return self.explanation.refusal.partition(" ")[0]


@dataclass(frozen=True, slots=True)
class SourceFile:
    """A rule file as it is written."""

    file: str
    text: str


@dataclass(frozen=True, slots=True, eq=False)
class RuleView:
    """A rule in all cells."""

    anchor: str
    """Unique in the report; letters, digits and dashes."""
    rule: Rule
    cells: tuple[CellView, ...]
    sources: tuple[SourceFile, ...]
    """Its file, then those of the rules that it refers to."""
    tests: ShownTests
    tactics: tuple[table.Tactic, ...]

    @property
    def title(self) -> str:
        """The rule's title."""
        return self.rule.title or self.rule.name

    def text_of(self, key: str) -> str:
        """Return a scalar of the rule as text, "" if it is missing."""
        value = self.rule.doc.get(key)
        return "" if value is None or isinstance(value, dict | list) else str(value).strip()

    def list_of(self, key: str) -> list[str]:
        """Return a list of the rule as texts."""
        value = self.rule.doc.get(key) or []
        return [str(one) for one in (value if isinstance(value, list) else [value])]

    @property
    def search_text(self) -> str:
        """Return what the search box looks at."""
        names = [f"{one.id} {one.name}" for tactic in self.tactics for one in flat(tactic.techniques)]
        keys = (
            self.title,
            self.rule.id,
            self.rule.relative,
            self.text_of("description"),
            self.text_of("author"),
        )
        return " ".join([*keys, *self.list_of("tags"), *names]).lower()

    @property
    def techniques(self) -> list[table.Technique]:
        """Techniques and sub-techniques, each once."""
        found = {one.id: one for tactic in self.tactics for one in flat(tactic.techniques)}
        return [found[key] for key in sorted(found)]


@dataclass(frozen=True, slots=True)
class TechniqueCount:
    """A technique under a tactic, and the rules with its tag or with that of one of its sub-techniques."""

    technique: table.Technique
    rules: tuple[RuleView, ...]

    @property
    def heat(self) -> int:
        """The shade: 1 to 4."""
        return sum(len(self.rules) >= least for least in _HEAT)


@dataclass(frozen=True, slots=True)
class TacticColumn:
    """A tactic of the heat map."""

    tactic: table.Tactic
    techniques: tuple[TechniqueCount, ...]
    rules: tuple[RuleView, ...]
    known: int
    """How many techniques ATT&CK has under the tactic, without sub-techniques."""

    @property
    def covered(self) -> int:
        """How many of them have a rule."""
        return sum("." not in one.technique.id for one in self.techniques)


@dataclass(slots=True)
class Report:
    """All that the pages show."""

    title: str
    cells: list[str]
    rules: list[RuleView]
    errors: list[str] = field(default_factory=list)
    """Rules and test files that could not be read."""

    def counts(self, cell: str | None = None) -> tuple[Counter[str], Counter[str]]:
        """Return how many conversions are of each fidelity and of each verdict, in a cell or in all."""
        found = [one for rule in self.rules for one in rule.cells if cell in (None, one.name)]
        return Counter(one.outcome for one in found), Counter(one.verdict for one in found)

    @property
    def verified(self) -> bool:
        """Whether there are results of `verify` for anything shown."""
        return any(one.verification for rule in self.rules for one in rule.cells)

    @property
    def coverage(self) -> list[TacticColumn]:
        """The heat map: every tactic of ATT&CK in its order, with the techniques that rules have."""
        columns = []
        for tactic in table.matrix():
            mine = [(rule, own) for rule in self.rules for own in rule.tactics if own.id == tactic.id]
            by_id: dict[str, list[RuleView]] = {}
            names: dict[str, table.Technique] = {}
            for rule, own in mine:
                for one in flat(own.techniques):
                    by_id.setdefault(one.id, []).append(rule)
                    names[one.id] = one
            found = tuple(TechniqueCount(names[key], tuple(by_id[key])) for key in sorted(by_id))
            rules = tuple(rule for rule, _ in mine)
            columns.append(TacticColumn(tactic, found, rules, len(tactic.techniques)))
        return columns

    def values(self, key: str) -> list[str]:
        """Return the values of a key that the rules have, for a filter."""
        order = {"level": ("critical", "high", "medium", "low", "informational")}.get(key, ())
        found = {rule.text_of(key).lower() for rule in self.rules} - {""}
        return sorted(found, key=lambda one: (order.index(one) if one in order else len(order), one))


def flat(techniques: Sequence[table.Technique]) -> Iterator[table.Technique]:
    """Yield techniques, each followed by its sub-techniques."""
    for one in techniques:
        yield one
        yield from one.subtechniques


def collect(
    rules: RuleSet,
    cells: Sequence[Cell],
    tests: Path,
    verified: Mapping[Key, Verification],
    options: Options = DEFAULT,
    accepted: Sequence[Accepted] = (),
    title: str = "Detection rules",
) -> Report:
    """Convert and explain every emitted rule in every cell, and gather what is shown with it.

    Args:
        rules: as loaded; what is wrong with others is listed.
        cells: the cells.
        tests: folder of the rules' own test files.
        verified: results of `verify`; {} for none.
        options: what the user chose about queries.
        accepted: refusals that the project accepts, with reasons.
        title: of the page.
    """
    report = Report(title, [str(cell) for cell in cells], [], [str(error) for error in rules.errors])
    tested = _tests(tests, report.errors)
    anchors: Counter[str] = Counter()
    emitted = emitted_rules(rules)
    per_file = Counter(rule.relative for rule in emitted)
    texts: dict[Path, str] = {}
    for rule in emitted:
        views = []
        for cell in cells:
            shown = explain(rules, rule, cell, options)
            code = shown.refusal.partition(" ")[0]
            keys = (rule.id, str(rule.doc.get("name") or ""), rule.relative)
            taken = next((a for a in accepted if a.covers(keys, cell.source, cell.target, code)), None)
            result = verified.get((rule.id or rule.name, cell.source, cell.target))
            reason = taken.reason if taken and shown.status == "refused" else ""
            views.append(CellView(str(cell), shown, result, reason))
        name = rule.relative.rpartition(".")[0] + (f"-{rule.name}" if per_file[rule.relative] > 1 else "")
        anchor = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-") or "rule"
        anchors[anchor] += 1
        if anchors[anchor] > 1:
            anchor = f"{anchor}-{anchors[anchor]}"
        tags = [str(tag) for tag in rule.doc.get("tags") or []]
        own = testevents.shown(tested.get((rule.relative, rule.id or rule.name), ()))
        sources = tuple(_sources(rules, rule, texts))
        report.rules.append(RuleView(anchor, rule, tuple(views), sources, own, table.threat(tags)))
    return report


def _tests(folder: Path, errors: list[str]) -> dict[tuple[str, str], list[RuleTest]]:
    """Return the tests by the rule's file below the rules root and its id."""
    found: dict[tuple[str, str], list[RuleTest]] = {}
    for path in test_files.files(folder) if folder.is_dir() else ():
        try:
            file = test_files.load(path)
        except RuleError as error:
            errors.append(str(error))
        else:
            found.setdefault((file.rule, file.id), []).extend(file.tests)
    return found


def _sources(rules: RuleSet, rule: Rule, texts: dict[Path, str]) -> Iterator[SourceFile]:
    closure = [rule]
    with suppress(SigconvError):  # A reference to no rule: each cell says so.
        closure += [one for one in rules.closure(rule) if one is not rule]
    for path, name in {one.path: one.file for one in closure}.items():
        if path not in texts:
            try:
                texts[path] = read_text(path, name)
            except SigconvError as error:
                texts[path] = f"# {error}"
        yield SourceFile(name, texts[path])


def plain(value: Any) -> str:
    """Return a value of an event as text."""
    return "null" if value is None else str(value).lower() if isinstance(value, bool) else str(value)
