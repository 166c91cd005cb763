"""`sigconv test`: the rules' own tests through the matcher, and through the queries of each cell."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from converter.conversion.convert import DEFAULT, Conversion, Options, convert
from converter.errors import Refusal, RuleError, SigconvError
from converter.pipelines.cells import Cell
from converter.plan.model import Fidelity
from converter.rules.emitted import emitted_rules
from converter.rules.rule import Rule
from converter.rules.ruleset import RuleSet
from converter.verify import test_files
from converter.verify.junit import Case
from converter.verify.test_files import RuleTest, RuleTestFile
from converter.verify.verify import compare

MATCHER = "matcher"


@dataclass(frozen=True, slots=True)
class Tested:
    """One test in one place: the matcher, or a cell's queries."""

    file: RuleTestFile
    test: RuleTest | None
    """None where the file as a whole is wrong, or the cell refuses its rule."""
    where: str
    """``matcher``, or the cell."""
    problem: str = ""
    refused: str = ""

    def line(self) -> str:
        """Return the one line that tells the problem."""
        name = f"'{self.test.name}': " if self.test else ""
        line = self.test.line if self.test else None
        where = "" if self.where == MATCHER else f" [{self.where}]"
        return str(SigconvError("SC701", f"{name}{self.problem}{where}", file=self.file.file, line=line))

    def case(self) -> Case:
        """Return the result for JUnit."""
        return Case(
            f"{self.file.rule} [{self.where}]",
            self.test.name if self.test else "all tests",
            self.problem or None,
            self.refused or None,
            self.file.file,
            self.test.line if self.test else None,
        )

    def entry(self) -> dict[str, Any]:
        """Return the result for JSON."""
        return {
            "file": self.file.file,
            "line": self.test.line if self.test else None,
            "rule": self.file.rule,
            "id": self.file.id,
            "test": self.test.name if self.test else None,
            "where": self.where,
            "status": "failed" if self.problem else "refused" if self.refused else "passed",
            "reason": self.problem or self.refused or None,
        }


def collect(
    paths: Sequence[Path], rules_root: Path, tests_root: Path
) -> tuple[list[RuleTestFile], list[RuleError]]:
    """Return the test files that the paths mean, and what is wrong with others.

    Args:
        paths: test files, rule files, or folders of either.
        rules_root: a path below it stands for the tests of the rules there.
        tests_root: where those are.
    """
    wanted: dict[Path, None] = {}
    errors: list[RuleError] = []
    for path in paths:
        mine = _tests_of(path, rules_root, tests_root)
        if mine is None:
            errors.append(RuleError("SC107", "does not exist", file=path.as_posix()))
        else:
            wanted.update(dict.fromkeys(mine))
    found = []
    for file in wanted:
        try:
            found.append(test_files.load(file))
        except RuleError as error:
            errors.append(error)
    return found, errors


def _tests_of(path: Path, rules_root: Path, tests_root: Path) -> list[Path] | None:
    if not path.exists():
        return None
    if not path.resolve().is_relative_to(rules_root.resolve()):
        return list(test_files.files(path))
    below = tests_root / path.resolve().relative_to(rules_root.resolve())
    if path.is_dir():
        return list(test_files.files(below)) if below.is_dir() else []
    # x.yml, and x.<name>.yml for each further rule of the file.
    return sorted({*below.parent.glob(f"{below.stem}.yml"), *below.parent.glob(f"{below.stem}.*.yml")})


def run(
    rules: RuleSet, files: Sequence[RuleTestFile], cells: Sequence[Cell] = (), options: Options = DEFAULT
) -> Iterator[Tested]:
    """Run tests through the matcher, and through the queries of each cell.

    Args:
        rules: as loaded, the whole rules root.
        files: the tests.
        cells: the cells whose queries are executed; none: only the matcher.
        options: what the user chose about queries.
    """
    for file in files:
        rule = _rule(rules, file)
        if rule is None:
            yield Tested(file, None, MATCHER, f"there is no rule with the id {file.id} in {file.rule}")
            continue
        docs = [one.doc for one in rules.closure(rule)]
        for test in file.tests:
            yield Tested(file, test, MATCHER, _difference(rule, docs, test, options))
        if rule not in emitted_rules(rules):
            continue  # A base rule that only serves its correlation has no query.
        for cell in cells:
            yield from _in_cell(rules, rule, file, cell, options)


def _rule(rules: RuleSet, file: RuleTestFile) -> Rule | None:
    of_file = [rule for rule in [*rules.rules, *rules.library] if rule.relative == file.rule]
    return next((rule for rule in of_file if file.id in (rule.id, rule.name)), None)


def _difference(rule: Rule, docs: Sequence[dict[str, Any]], test: RuleTest, options: Options) -> str:
    try:
        found = test_files.outcome(docs, rule.id or rule.name, test.events, options.placeholders)
    except SigconvError as error:
        return error.message
    return "" if found == list(test.alerts) else f"expected {_alerts(test.alerts)}, got {_alerts(found)}"


def _alerts(alerts: Sequence[Any]) -> str:
    if not alerts:
        return "nothing"
    if all(isinstance(alert, int) for alert in alerts):
        return f"event{'s' if len(alerts) > 1 else ''} {', '.join(map(str, alerts))}"
    return "; ".join(
        f"alert at {alert.get('time')} {alert.get('group')} on events {alert.get('events')}"
        if isinstance(alert, dict)
        else str(alert)
        for alert in alerts
    )


def _in_cell(
    rules: RuleSet, rule: Rule, file: RuleTestFile, cell: Cell, options: Options
) -> Iterator[Tested]:
    try:
        conversion = convert(rules, rule, cell.proof or cell, options)
    except Refusal as refusal:
        yield Tested(file, None, str(cell), refused=f"{refusal.code} {refusal.message}")
        return
    except SigconvError as error:
        yield Tested(file, None, str(cell), f"{error.code} {error.message}")
        return
    for test in file.tests:
        try:
            yield Tested(file, test, str(cell), _disagreement(rules, conversion, test, options))
        except SigconvError as error:
            yield Tested(file, test, str(cell), f"{error.code} {error.message}")


def _disagreement(rules: RuleSet, conversion: Conversion, test: RuleTest, options: Options) -> str:
    """Return what the queries of a cell select otherwise than their label lets them."""
    verdict = compare(rules, conversion, test.name, test.events, options)
    kinds = {reason.fidelity for reason in conversion.reasons}
    may_miss = Fidelity.NARROWER in kinds
    may_add = Fidelity.BROADER in kinds
    if verdict.missed and not may_miss:
        return f"the query misses {_count(len(verdict.missed))}"
    if verdict.extra and not may_add:
        return f"the query selects {_count(len(verdict.extra))} too many"
    return ""


def _count(number: int) -> str:
    return "one" if number == 1 else str(number)
