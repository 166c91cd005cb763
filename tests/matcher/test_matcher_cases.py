"""The reference matcher says what the table of the language says."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
import yaml

from converter.matcher import compile_detection
from tests.language_table import FOLDER, KEYS, Case, cases

FILES = sorted(FOLDER.glob("*.yml"))


@pytest.mark.parametrize("case", cases(), ids=lambda case: case.id)
def test_case(case: Case) -> None:
    matches = compile_detection(case.detection, placeholders=case.placeholders)
    assert [position for position, event in enumerate(case.events) if matches(event)] == case.match, (
        case.title
    )


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_file_is_well_formed(path: Any) -> None:
    table = yaml.safe_load(path.read_text(encoding="utf-8"))
    assert set(table) == {"feature", "source", "cases"}
    assert table["feature"] == path.stem.replace("_", " ")
    assert (
        "Specification 2.1" in table["source"]
        or "Appendix 2.1" in table["source"]
        or "docs/semantics.md" in table["source"]
    )
    for name, times in Counter(row["id"] for row in table["cases"]).items():
        assert isinstance(name, str)
        assert times == 1, name
    for row in table["cases"]:
        assert set(row) <= KEYS, row["id"]
        assert {"id", "title", "detection", "events", "match"} <= set(row), row["id"]
        assert row["match"] == sorted(set(row["match"])), row["id"]
        assert set(row["match"]) <= set(range(len(row["events"]))), row["id"]
        assert set(row.get("needs", ())) <= {"empty", "null", "multi"}, row["id"]


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_every_case_selects_some_and_leaves_some(path: Any) -> None:
    for row in yaml.safe_load(path.read_text(encoding="utf-8"))["cases"]:
        assert 0 < len(row["match"]) < len(row["events"]), row["id"]
