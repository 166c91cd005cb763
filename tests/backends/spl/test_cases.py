"""The table of the language (tests/cases) in SPL: each query is run and must select the expected events."""

from __future__ import annotations

import pytest
from sigma.conditions import ConditionOR
from sigma.processing.pipeline import ProcessingItem, ProcessingPipeline
from sigma.processing.transformations import ValueListPlaceholderTransformation
from sigma.rule import SigmaRule

from converter.backends.spl import SplBackend
from converter.engines.spl import SplEngine
from converter.errors import Refusal
from converter.inference import infer_columns
from converter.matcher import compile_detection
from converter.plan import BaseRule
from converter.shapes import none
from tests.language_table import Case, cases

# Splunk stores no null: such a field is missing.
NO_NULL = "null"
REFUSED = {
    "numbers/large-neighbours": "SC203",
    # Quotes and backslashes in field names: no documented way to write them.
    "field_names/parentheses": "SC201",
    "field_names/backslash": "SC201",
}
PYSIGMA = {
    "conditions/name": "pySigma reads a name that begins with an operator as that operator",
    "expand/all": "pySigma joins a placeholder's values by AND under all",
    "utf16/": "pySigma 1.5 writes UTF-16 with a UTF-8 byte order mark and lacks utf16le",
}
"""What pySigma hands over wrong, by the beginning of a case's id: not the backend's to put right."""


def base(case: Case) -> BaseRule:
    rule = SigmaRule.from_dict({"title": "t", "logsource": {"category": "none"}, "detection": case.detection})
    values = {name: list(map(str, found)) for name, found in case.placeholders.items()}
    replace = ProcessingItem(ValueListPlaceholderTransformation())
    ProcessingPipeline([replace], vars=values).apply(rule)
    trees = [condition.parsed for condition in rule.detection.parsed_condition]
    tree = trees[0] if len(trees) == 1 else ConditionOR(trees)
    return BaseRule(rule, "t", tree, {"index": ["Events"]}, infer_columns(tree, "spl"))


def stored(case: Case) -> list[dict[str, object]]:
    return [{name: one for name, one in event.items() if one is not None} for event in case.events]


@pytest.mark.parametrize("case", cases(), ids=lambda case: case.id)
def test_selects_what_the_table_says(case: Case) -> None:
    for start, why in PYSIGMA.items():
        if case.id.startswith(start):
            pytest.skip(why)
    code = case.refused.get("spl", REFUSED.get(case.id.removesuffix("/not")))
    if code:
        with pytest.raises(Refusal, match=code):
            SplBackend().event(base(case))
        return
    (draft,) = SplBackend().event(base(case))
    events = stored(case)
    expected = case.match
    if NO_NULL in case.needs:
        matches = compile_detection(case.detection, placeholders=case.placeholders)
        expected = [position for position, event in enumerate(events) if matches(event)]
    engine = SplEngine()
    session = engine.load(none.store(events, infer_columns(base(case).tree, "spl"), "spl"), {})
    engine.validate(draft.text, {})
    assert sorted(session.run(draft.text).events) == expected, draft.text
