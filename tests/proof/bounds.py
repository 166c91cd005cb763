"""How many alerts a broader form raises on the public logs, beside those that the rule means.

``python -m tests.proof.bounds [-s SOURCE] [-t TARGET] [--match TEXT]``: every public and shipped rule that a
cell labels `broader` is asked twice by the reference matcher, as it is and relaxed as its label says
(`verify` proves that the query selects what the relaxed rule means), over each event of ../shared/corpus.

A form has no bound for a rule if it raises more than 20 times the alerts that the rule means, or if the rule
is of level high or critical and it raises an alert on the benign logs (tests/proof/logs.py) that the rule
does not mean. Such a form must not be the default; the exit code is 1 if one is. A run of everything writes
``tests/proof/bounds.json`` and ``docs/bounds.md``.
"""

from __future__ import annotations

import json
import sys
from argparse import ArgumentParser
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from converter.conversion.convert import Conversion, Options, convert
from converter.errors import Refusal, SigconvError
from converter.events import time_of
from converter.matcher import compile_detection
from converter.matcher.logsource import fits, identity, needs
from converter.pipelines import cells as cells_module
from converter.pipelines.cells import Cell
from converter.plan.model import Fidelity
from converter.project import stock_pipelines
from converter.rules.rule import Rule
from converter.rules.ruleset import RuleSet
from converter.shapes import inferred as none_shape
from converter.shapes import shape_for
from converter.verify.expected import expected_marks
from converter.verify.prepared import relaxations_of
from converter.verify.relaxations import Situation, relaxed
from tests.proof import bounds_page
from tests.proof.everything import SOURCES, TARGETS, cells, chosen, folders, name_of, ruleset
from tests.proof.logs import Event, Kind, kinds, windows_logs
from tests.support import ROOT

MOST = 20
"""Times the alerts that the rule means; fewer alerts than that are no flood."""
NUMBERS = ROOT / "tests" / "proof" / "bounds.json"
PAGE = ROOT / "docs" / "bounds.md"
_Doc = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Measured:
    """What a rule's broader form raises in a cell."""

    rule: str
    level: str
    cell: str
    form: str
    """The relaxations of the label."""
    given: bool
    """Whether it is the default."""
    meant: int
    raised: int
    benign: int
    """Alerts on the benign logs that the rule does not mean."""

    @property
    def beyond(self) -> bool:
        """Whether the form has no bound for this rule."""
        flood = self.raised > MOST * max(self.meant, 1)
        return flood or (self.level in ("high", "critical") and self.benign > 0)


class Days:
    """The events of the logs in a cell's shape."""

    def __init__(self, cell: Cell, some: Sequence[Kind]) -> None:
        """Keep the cell and the events; they are stored when they are first asked for."""
        self.cell, self.kinds = cell, some

    @cached_property
    def _all(self) -> tuple[list[Event], list[Event]]:
        """One event of each kind, as the matcher sees it and as it is stored."""
        return self.shaped([kind.one for kind in self.kinds])

    @cached_property
    def _places(self) -> Mapping[tuple[str, str, str, str], list[int]]:
        found: dict[tuple[str, str, str, str], list[int]] = defaultdict(list)
        for number, view in enumerate(self._all[0]):
            found[identity(view)].append(number)
        return found

    def shaped(self, events: Sequence[Event]) -> tuple[list[Event], list[Event]]:
        """Return events as the matcher sees them here, and as they are stored."""
        if self.cell.source == cells_module.NONE:
            seen = none_shape.view(events, self.cell.target)
            return seen, seen
        shape = shape_for(self.cell.source, self.cell.stem, stock_pipelines.folder())
        stored = [shape.store(event, number).doc for number, event in enumerate(shape.history(events))]
        return [shape.view(event) for event in events], stored

    def measure(self, conversion: Conversion, docs: Sequence[_Doc]) -> tuple[int, int, int]:
        """Return the alerts that a rule means, that its form raises, and that are too many of benign logs.

        Args:
            conversion: the rule in the cell, labelled broader.
            docs: the rule and what it refers to; the rule itself is the last.
        """
        names = relaxations_of(conversion)
        if conversion.rule.kind == "rule":
            return self._of_events(names, docs)
        return self._of_correlation(conversion.rule, names, docs)

    def _of_events(self, names: Sequence[str], docs: Sequence[_Doc]) -> tuple[int, int, int]:
        loose = relaxed(names, Situation(tuple(docs), ()))
        among = sorted({*self._of_log(docs[-1]), *self._of_log(loose.rule)})
        plain = self._situation(docs, among)
        hits = [
            {among[at] for at in self._matching(one.rule, one.events)}
            for one in (plain, relaxed(names, plain))
        ]
        meant, raised = (sum(len(self.kinds[at].events) for at in some) for some in hits)
        return meant, raised, sum(sum(self.kinds[at].plain) for at in hits[1] - hits[0])

    def _situation(self, docs: Sequence[_Doc], among: Sequence[int]) -> Situation:
        views, stored = (tuple(some[at] for at in among) for some in self._all)
        return Situation(tuple(docs), views, stored)

    def _of_log(self, doc: _Doc) -> list[int]:
        need = needs(doc.get("logsource") or {})
        return [number for one, some in self._places.items() if fits(need, one) for number in some]

    def _matching(self, doc: _Doc, events: Sequence[Event]) -> Iterator[int]:
        matches = compile_detection(doc["detection"], empty_is_missing=self.cell.target == "kql")
        need = needs(doc.get("logsource") or {})
        yield from (at for at, one in enumerate(events) if fits(need, identity(one)) and matches(one))

    def _of_correlation(self, rule: Rule, names: Sequence[str], docs: Sequence[_Doc]) -> tuple[int, int, int]:
        """Only events that a base rule matches, relaxed or not, take part; they come in their own order."""
        loose = relaxed(names, Situation(tuple(docs), ()))
        among = {
            at
            for doc in (*docs, *loose.docs)
            if "detection" in doc
            for at in self._matching(doc, self._all[0])
        }
        pairs = [
            pair
            for at in sorted(among)
            for pair in zip(self.kinds[at].events, self.kinds[at].plain, strict=True)
        ]
        pairs.sort(key=lambda pair: time_of(pair[0]) or 0)
        meant, raised = self._alerts(rule, names, docs, [event for event, _ in pairs])
        own, more = self._alerts(rule, names, docs, [event for event, plain in pairs if plain])
        return len(meant), len(raised), len(more - own)

    def _alerts(
        self, rule: Rule, names: Sequence[str], docs: Sequence[_Doc], events: Sequence[Event]
    ) -> tuple[set[Any], set[Any]]:
        seen, stored = self.shaped(events)
        plain = Situation(tuple(docs), tuple(seen), tuple(stored))
        strict = set(expected_marks(rule, plain, self.cell))
        return strict, set(expected_marks(rule, relaxed(names, plain), self.cell))


def measured(days: Days, rules: RuleSet, rule: Rule, name: str) -> Measured | None:
    """Return what a rule's form raises in a cell, or None if the cell does not label it broader."""
    try:
        conversion = convert(rules, rule, days.cell, Options("any"))
    except SigconvError:
        return None
    if conversion.fidelity != Fidelity.BROADER:
        return None
    form = " + ".join(sorted({one.partition(":")[0] for one in relaxations_of(conversion)}))
    counts = days.measure(conversion, [one.doc for one in rules.closure(rule)])
    level = str(rule.doc.get("level") or "")
    return Measured(name, level, name_of(days.cell), form, _is_given(rules, rule, days.cell), *counts)


def _is_given(rules: RuleSet, rule: Rule, cell: Cell) -> bool:
    try:
        convert(rules, rule, cell, Options("broader"))
    except Refusal:
        return False
    return True


def run(names: Sequence[str], some: Sequence[Kind], match: str = "") -> Iterator[Measured]:
    """Yield what each broader form of all rules raises in cells.

    The source `none` has no shape: its rules are asked once, in the first language that labels them broader,
    and over each tenth kind of event, as no decision hangs on it.
    """
    seen: set[str] = set()
    for cell in cells():
        if name_of(cell) not in names:
            continue
        days = Days(cell, some if cell.source != cells_module.NONE else some[::10])
        for name, rules, rule in every_rule():
            if match not in name or (cell.source == cells_module.NONE and name in seen):
                continue
            found = measured(days, rules, rule, name)
            if found is not None:
                if cell.source == cells_module.NONE:
                    seen.add(name)
                yield found


def every_rule() -> Iterator[tuple[str, RuleSet, Rule]]:
    """Yield the rules of all folders, correlations too."""
    for folder in folders():
        for rule in chosen(str(folder)):
            number = f"#{rule.document}" if rule.document else ""
            yield f"{folder.name}/{rule.relative}{number}", ruleset(str(folder)), rule


def judged(found: Iterable[Measured]) -> list[Measured]:
    """Return forms without a bound that are given by default; what `none` looks at, its user says."""
    return [one for one in found if one.beyond and one.given and not one.cell.startswith(cells_module.NONE)]


def numbers(found: Sequence[Measured], some: Sequence[Kind]) -> dict[str, Any]:
    """Return what is recorded of each form in each cell, with the rules for which it has no bound."""
    forms: dict[tuple[str, str, bool], list[Measured]] = defaultdict(list)
    for one in found:
        forms[one.cell, one.form, one.given].append(one)
    rows = [
        {
            "cell": cell,
            "form": form,
            "default": given,
            "rules": len(of),
            "firing": sum(one.raised > 0 for one in of),
            "meant": sum(one.meant for one in of),
            "raised": sum(one.raised for one in of),
            "benign": sum(one.benign for one in of),
            "beyond": sorted(one.rule for one in of if one.beyond),
        }
        for (cell, form, given), of in forms.items()
    ]
    plain = sum(sum(kind.plain) for kind in some)
    return {"events": sum(len(kind.events) for kind in some), "benign": plain, "forms": rows}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run, print a line for each form that has no bound, and return the exit code."""
    parser = ArgumentParser(prog="python -m tests.proof.bounds", description=__doc__)
    parser.add_argument("-s", "--source", action="append", choices=SOURCES)
    parser.add_argument("-t", "--target", action="append", choices=TARGETS)
    parser.add_argument("--match", default="", help="only rules whose path has this text")
    given = parser.parse_args(arguments)
    some = kinds(windows_logs())
    names = [
        name_of(one)
        for one in cells()
        if one.source in (given.source or SOURCES) and one.target in (given.target or TARGETS)
    ]
    found = []
    for one in run(names, some, given.match):
        found.append(one)
        if one.beyond and not one.cell.startswith(cells_module.NONE):
            how = "by default" if one.given else "refused by default"
            print(
                f"{one.cell} {one.rule} ({one.level}): {one.raised} alerts, {one.meant} meant, "
                f"{one.benign} too many on benign logs: {one.form}, {how}",
                flush=True,
            )
    made = numbers(found, some)
    if (given.source, given.target, given.match) == (None, None, ""):
        NUMBERS.write_text(json.dumps(made, indent=1) + "\n")
        PAGE.write_text(bounds_page.render(made))
    print(f"{len(found)} broader forms, {made['events']} events", file=sys.stderr)
    return int(bool(judged(found)))


if __name__ == "__main__":
    sys.exit(main())
