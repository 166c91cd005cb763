"""The table of the language in EQL: each case converted, executed, and compared with its expected events."""

from __future__ import annotations

import pytest

pytest.importorskip("eql", reason="the engine needs sigconv[verify]")

from converter.backends.eql import EqlBackend
from converter.engines.eql import EqlEngine
from converter.errors import Refusal
from converter.shapes.none import store
from tests.language_table import Case, cases
from tests.support import none_base

# Elasticsearch stores a null as a missing field, and EQL reads it so.
CANNOT_TELL = {"null"}
# The codes with which EQL refuses a feature: limits of the language, each with its reason.
REFUSED_FEATURES: dict[str, str] = {}


@pytest.mark.parametrize("case", cases(), ids=lambda case: case.id)
def test_case(case: Case) -> None:
    if case.needs & CANNOT_TELL:
        pytest.skip("Elasticsearch stores null as missing")
    refusal = case.refused.get("eql") or REFUSED_FEATURES.get(case.feature)
    base = none_base(case.detection, "eql")
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
    assert sorted(found) == case.match, drafts[0].text
