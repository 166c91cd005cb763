"""The table of the language, run as KQL: what is emitted, executed, selects what the rule means."""

from __future__ import annotations

from typing import Any

import pytest
from sigma.exceptions import SigmaError

from converter.backends.kql import KqlBackend
from converter.engines.kql import KqlEngine
from converter.errors import Refusal
from converter.matcher import compile_detection
from converter.shapes.none import store
from tests.language_table import Case, cases
from tests.support import none_base

REFUSED = {
    "keywords/": "SC201",  # The source `none` declares no columns to search.
    "regex_beyond/lookahead": "SC202",
}
"""Cases that KQL refuses, by the beginning of their id."""


DIFFERS = {
    "cidr/not-an-address": "Kusto may read `10.0.0.0/8` in a field as the address 10.0.0.0",
    "expand/all": "pySigma joins the values of a placeholder by `all`; the backend sees only that",
}
"""Cases that are known to differ, by id, with the reason."""


def _one_state(section: Any) -> Any:
    """'' in a rule asks for what null asks for: in Kusto they are one state (DESIGN.md)."""
    if isinstance(section, dict):
        return {key: _one_state(value) for key, value in section.items()}
    if isinstance(section, list):
        return [_one_state(value) for value in section]
    return None if section == "" else section


def _expected(case: Case) -> list[int]:
    """What the matcher selects of the events as Kusto stores them: '' and null are no value."""
    if not case.needs & {"empty", "null"}:
        return case.match
    detection = {name: _one_state(section) for name, section in case.detection.items()}
    matches = compile_detection(detection, placeholders=case.placeholders)
    stored = [{k: v for k, v in event.items() if v not in ("", None)} for event in case.events]
    return [position for position, event in enumerate(stored) if matches(event)]


@pytest.mark.parametrize(
    "case", [case for case in cases() if "multi" not in case.needs], ids=lambda case: case.id
)
def test_case(case: Case) -> None:
    if why := DIFFERS.get(case.id.removesuffix("/not")):
        pytest.skip(why)
    try:
        base = none_base(case.detection, "kql", case.placeholders)
    except SigmaError as error:
        pytest.skip(f"pySigma cannot read it: {error}")
    code = next((code for start, code in REFUSED.items() if case.id.startswith(start)), None)
    code = case.refused.get("kql", code)
    if code:
        with pytest.raises(Refusal, match=code):
            KqlBackend().event(base)
        return
    (draft,) = KqlBackend().event(base)
    if "kql" in case.queries:
        assert draft.text.strip() == case.queries["kql"].strip()
    tables = {"Events": base.columns}
    KqlEngine().validate(draft.text, tables)
    session = KqlEngine().load(store(case.events, base.columns, "kql"), tables)
    assert list(session.run(draft.text).events) == _expected(case), draft.text
