"""Nothing is in a correlation query that it does not need: without any stage some stream disagrees."""

from __future__ import annotations

import re
from dataclasses import replace
from random import Random
from typing import Any

import pytest

from converter.errors import EngineError
from tests.backends.kql.streams import EPOCH, base, correlation, expected, query, run

KA, KB, KC = (base(f"k{name}", {"kind": name}) for name in "abc")
A, B = base("a"), base("b")
INNER = correlation("temporal_ordered", name="inner", rules=["ka", "kb"], **{"group-by": ["host", "w"]})
DOCS = [KA, KB, KC, A, B, INNER]
_STAGE = re.compile(r"^ *\| .*\n?", re.MULTILINE)


def _streams() -> list[list[dict[str, Any]]]:
    random = Random(7)
    streams = []
    for size in (10, 10, 10, 20, 20, 20, 20, 40, 40, 40, 40, 60, 60, 60):
        stream = []
        for _ in range(size):
            event: dict[str, Any] = {
                "timestamp": EPOCH + random.randrange(40) * 500,
                "kind": random.choice("aabbccd"),
            }
            event |= dict.fromkeys(random.choice(["a", "b", "ab", ""]), 1)
            for field, values in (("host", ["x", "x", "y"]), ("w", ["1", "2"]), ("v", [-1, 0, 1, 2])):
                if random.random() < 0.75:
                    event[field] = random.choice(values)
            stream.append(event)
        streams.append(stream)
    return streams


STREAMS = _streams()
RULES = {
    "count": correlation("event_count", {"gte": 3}, rules=["ka", "kb"]),
    "count below": correlation("event_count", {"lt": 3}, rules=["ka", "kb"]),
    "distinct": correlation("value_count", {"field": "w", "gte": 2}, rules=["ka"]),
    "sum": correlation("value_sum", {"field": "v", "gte": 1}, rules=["ka"]),
    "percentile": correlation(
        "value_percentile", {"field": "v", "gte": 1, "percentile": 60}, rules=["ka", "kb"]
    ),
    "temporal": correlation("temporal", rules=["ka", "kb", "kc"]),
    "ordered": correlation("temporal_ordered", rules=["ka", "kb", "kc"]),
    "ordered, one event in both": correlation("temporal_ordered", rules=["a", "b"]),
    "ordered, no keys": correlation("temporal_ordered", rules=["ka", "kb"], **{"group-by": []}),
    "chained": correlation("temporal_ordered", rules=["kc", "inner"]),
}


NARROWING = {"| where a == 1 or b == 1"}
"""Reads fewer rows before they are sorted and numbered; each step selects again."""


@pytest.mark.parametrize("name", RULES)
def test_every_stage_is_needed(name: str) -> None:
    rule = RULES[name]
    draft = query(rule, DOCS)
    truth = [expected(rule, DOCS, stream) for stream in STREAMS]
    assert any(truth)
    assert [run(draft, stream) for stream in STREAMS] == truth
    stages = list(_STAGE.finditer(draft.text))
    assert len(stages) > 5
    for stage in stages:
        if stage[0].strip() in NARROWING:
            continue
        without = replace(draft, text=draft.text[: stage.start()] + draft.text[stage.end() :].lstrip("\n"))
        assert _disagrees(without, truth), f"not needed: {stage[0]}"


def _disagrees(draft: Any, truth: list[Any]) -> bool:
    for stream, alerts in zip(STREAMS, truth, strict=True):
        try:
            if run(draft, stream) != alerts:
                return True
        except (EngineError, KeyError, TypeError, AssertionError):
            return True
    return False
