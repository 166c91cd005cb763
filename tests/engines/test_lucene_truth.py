"""The engine against 162 queries that were run on Elasticsearch 7.0.0's own parser and mappers."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from converter.engines.lucene import LuceneEngine, LuceneSession
from converter.errors import EngineError
from converter.events.stored import Stored
from converter.plan.columns import Column

TRUTH: dict[str, Any] = json.loads(
    (Path(__file__).parent / "data/lucene_elasticsearch.json").read_text("utf-8")
)
ALL = list(range(14))
DIFFERS = {
    # 7.0.0 dropped the clause of an unmapped field; later versions make it match nothing.
    "NOT unmapped:x": ALL,
    # Lucene 8 threw for a fuzziness that is no number; Lucene 10's own parser takes it to be 2.
    "f:a@b&c<d>e~f#g": [],
}


def _columns() -> dict[str, Column]:
    columns = {}
    for name, field in TRUTH["mapping"]["properties"].items():
        caseless = f"{name}.caseless" if "caseless" in field.get("fields", {}) else None
        columns[name] = Column(field["type"], caseless=caseless)
        if "text" in field.get("fields", {}):
            columns[f"{name}.text"] = Column("text")
    return columns


def _document(doc: dict[str, Any]) -> dict[str, Any]:
    """A text sub-field holds what its field holds."""
    copies = {f"{name}.text": value for name, value in doc.items() if f"{name}.text" in _columns()}
    return {**doc, **copies}


@pytest.fixture(scope="module")
def session() -> LuceneSession:
    engine = LuceneEngine(lenient=True, ignore_above=1024)
    stored = [Stored(number, "i", _document(doc)) for number, doc in enumerate(TRUTH["documents"])]
    return engine.load(stored, {"i": _columns()})


def test_the_table_is_whole() -> None:
    assert len(TRUTH["cases"]) == 162


@pytest.mark.parametrize("case", TRUTH["cases"], ids=lambda case: repr(case["query"]))
def test_truth(session: LuceneSession, case: dict[str, Any]) -> None:
    expected = DIFFERS.get(case["query"], case["ids"])
    if expected == "error":
        with pytest.raises(EngineError):
            session.run(case["query"])
    else:
        assert list(session.run(case["query"]).events) == expected
