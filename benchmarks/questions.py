"""What both converters are asked: rules on their own field names, events, and which events must match."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from converter.errors import RuleError
from converter.matcher import compile_detection
from converter.pipelines import cells
from converter.plan.columns import Columns
from converter.platforms import LANGUAGES
from converter.rules import loading
from converter.rules.rule import Rule
from converter.shapes import inferred as none_shape
from converter.upstream.ask import Answer, Asked, ask
from converter.upstream.cased import cased
from converter.upstream.compare import way_of
from converter.witness import witnesses
from tests.language_table import cases

CORPUS = Path(__file__).parents[2] / "shared" / "sigmahq"


@dataclass(frozen=True)
class Question:
    """One rule with its events."""

    name: str
    rule: Rule
    events: list[dict[str, Any]]
    placeholders: dict[str, list[Any]] = field(default_factory=dict)
    match: list[int] | None = None
    """The ids worked out by hand; None: the reference matcher says."""

    def storable(self, language: str) -> bool:
        """A Kusto column holds one value: events with several have no meaning there."""
        several = any(isinstance(value, list) for event in self.events for value in event.values())
        return language != "kql" or not several

    def means(self, language: str, columns: Columns) -> set[int]:
        """Return the ids that the rule means, as the language's platform stores the events."""
        if self.match is not None and none_shape.view(self.events, language, columns) == self.events:
            return set(self.match)
        return self._matched(self.rule.doc["detection"], language, columns)

    def cased(self, language: str, columns: Columns) -> set[int] | None:
        """Return the ids that the rule would mean if every text were `cased`; None if that is no rule."""
        try:
            return self._matched(cased(self.rule.doc)["detection"], language, columns)
        except RuleError:
            return None

    def _matched(self, detection: dict[str, Any], language: str, columns: Columns) -> set[int]:
        seen = none_shape.view(self.events, language, columns)
        matches = compile_detection(
            detection, placeholders=self.placeholders, empty_is_missing=language == "kql"
        )
        return {position for position, event in enumerate(seen) if matches(event)}


def of_table() -> list[Question]:
    """Return the table of the language: ids worked out by hand from the specification."""
    found = []
    for case in cases(negated=False):
        # A log source that no pipeline knows: nothing is mapped, on either side.
        doc = {"title": case.id, "logsource": {"category": "none"}, "detection": case.detection}
        rule = Rule(doc, f"{case.id}.yml", Path(f"{case.id}.yml"), f"{case.id}.yml", 0)
        found.append(Question(case.id, rule, case.events, case.placeholders, case.match))
    return found


def of_corpus(every: int = 1, folder: Path = CORPUS) -> list[Question]:
    """Return public rules (each ``every``-th) with witnesses; none where the folder is absent."""
    if not folder.is_dir():
        return []
    found = []
    for rule in loading.load([folder]).rules[::every]:
        events = [dict(event) for made in witnesses([rule.doc], rule.doc) for event in made.events]
        found.append(Question(rule.relative, rule, events))
    return found


def ask_upstream(questions: Sequence[Question]) -> tuple[dict[str, str], list[dict[str, Answer]]]:
    """Return upstream's versions and, for each question, its answer by language, without a mapping."""
    ways = {language: way_of(cells.cell(cells.NONE, language)) for language in LANGUAGES}
    asked = [Asked((question.rule.doc,), question.placeholders) for question in questions]
    versions, answers = ask(asked, [way for way in ways.values() if way is not None])
    return versions, [dict(zip(ways, each, strict=True)) for each in answers]
