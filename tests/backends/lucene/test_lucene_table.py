"""The table of the language as JSON of the query DSL, on Lucene (query strings: tests/test_language.py)."""

from __future__ import annotations

import pytest

pytest.importorskip("jpype", reason="the engine needs sigconv[verify]")

from converter.backends.lucene import LuceneBackend
from converter.engines.lucene import LuceneEngine
from converter.errors import Refusal
from converter.matcher import compile_detection
from converter.plan.model import Fidelity
from converter.shapes.inferred import store, view
from tests.language_table import Case, cases
from tests.support import none_base

# Elasticsearch stores a null as a missing field, and Lucene reads it so.
CANNOT_TELL = {"null"}
# The codes with which Lucene refuses a feature: limits of the language.
REFUSED_FEATURES = {
    "fieldref": "SC201",  # a query knows no values but its own
    "time": "SC201",  # no functions of dates
}
ENGINE = LuceneEngine()


@pytest.mark.parametrize("case", cases(), ids=lambda case: case.id)
def test_case(case: Case) -> None:
    if case.needs & CANNOT_TELL:
        pytest.skip("Elasticsearch stores null as missing")
    refusal = case.refused.get("lucene") or REFUSED_FEATURES.get(case.feature)
    base = none_base(case.detection, "lucene", case.placeholders)
    if case.beyond and refusal is None:
        try:
            LuceneBackend().event(base)
        except Refusal as error:
            refusal = error.code
    if refusal:
        with pytest.raises(Refusal) as error:
            LuceneBackend().event(base)
        assert error.value.code == refusal
        return
    tables = {"Events": base.columns}
    session = ENGINE.load(store(case.events, base.columns, "lucene"), tables)
    means = case.match
    held = view(case.events, "lucene", base.columns)
    if held != case.events:  # A column of numbers holds `05` as 5.
        matches = compile_detection(case.detection, placeholders=case.placeholders)
        means = [position for position, event in enumerate(held) if matches(event)]
    for draft in LuceneBackend().event_dsl(base):
        ENGINE.validate(draft.text, tables)
        found = session.run(draft.text).events
        losses = {reason.fidelity for reason in draft.reasons}
        if Fidelity.NARROWER in losses:
            assert set(found) <= set(means), draft.text
        else:
            assert list(found) == means, draft.text
