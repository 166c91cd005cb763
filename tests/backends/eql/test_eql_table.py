"""The table of the language in EQL: each case converted, executed, and compared with its expected events."""

from __future__ import annotations

import pytest

pytest.importorskip("eql", reason="the engine needs sigconv[verify]")

from converter.backends.eql import EqlBackend
from converter.engines.eql import EqlEngine
from converter.errors import Refusal
from converter.plan import Fidelity
from converter.shapes.none import store
from tests.language_table import Case, cases
from tests.support import none_base

# Elasticsearch stores a null as a missing field, and EQL reads it so.
CANNOT_TELL = {"null"}
# The codes with which EQL refuses a feature: limits of the language.
REFUSED_FEATURES = {
    "fieldref": "SC201",  # "Comparisons against fields are not (currently) supported"
    "time": "SC201",  # no functions of dates
}
# What pySigma 1.5.1 gets wrong before the backend sees the rule.
UPSTREAM = {"numbers/large-neighbours": "numbers over 2**53 go through float"}


@pytest.mark.parametrize("case", cases(), ids=lambda case: case.id)
def test_case(case: Case, request: pytest.FixtureRequest) -> None:
    if reason := UPSTREAM.get(case.id.removesuffix("/not")):
        request.applymarker(pytest.mark.xfail(reason=f"pySigma: {reason}"))
    if case.placeholders:
        pytest.skip("placeholders are expanded before the backend")
    if case.needs & CANNOT_TELL:
        pytest.skip("Elasticsearch stores null as missing")
    refusal = case.refused.get("eql") or REFUSED_FEATURES.get(case.feature)
    base = none_base(case.detection, "eql")
    if case.feature == "keywords" and not base.columns:
        refusal = "SC201"  # there is no field to expand the keywords over
    if case.beyond and refusal is None:
        try:
            EqlBackend().event(base)
        except Refusal as error:
            refusal = error.code
    if refusal:
        with pytest.raises(Refusal) as error:
            EqlBackend().event(base)
        assert error.value.code == refusal
        return
    drafts = EqlBackend().event(base)
    tables = {"Events": base.columns}
    found = set()
    for draft in drafts:
        EqlEngine().validate(draft.text, tables)
        found.update(EqlEngine().load(store(case.events, base.columns, "eql"), tables).run(draft.text).events)
    losses = {reason.fidelity for draft in drafts for reason in draft.reasons}
    if Fidelity.NARROWER in losses:
        assert found <= set(case.match), drafts[0].text
    elif Fidelity.BROADER in losses:
        assert found >= set(case.match), drafts[0].text
    else:
        assert sorted(found) == case.match, drafts[0].text
