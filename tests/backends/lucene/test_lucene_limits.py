"""Elasticsearch's limits, checked at build time: within them a query runs, beyond them there is none."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Any

import pytest

from converter.plan.conditions import Not

pytest.importorskip("jpype", reason="the engine needs sigconv[verify]")

from converter.backends.lucene import LuceneBackend
from converter.engines.lucene import LuceneEngine
from converter.errors import EngineError, Refusal
from converter.events.stored import Stored
from converter.plan.columns import Column
from tests.support import none_base


def emitted(detection: dict[str, Any]) -> tuple[str, Any]:
    base = none_base({**detection, "condition": detection.get("condition", "s")}, "lucene")
    [draft] = LuceneBackend().event(base)
    return draft.text, base.columns


def selected(detection: dict[str, Any], events: list[dict[str, Any]]) -> list[int]:
    text, columns = emitted(detection)
    stored = [Stored(number, "Events", event) for number, event in enumerate(events)]
    return list(LuceneEngine().load(stored, {"Events": columns}).run(text).events)


@pytest.mark.parametrize("key", ["F", "F|contains", "F|cased", "F|endswith"])
def test_five_thousand_values(key: str) -> None:
    values = [f"host-{number:05}" for number in range(5000)]
    start = time.monotonic()
    text, _ = emitted({"s": {key: values}})
    assert time.monotonic() - start < 5
    assert text.count(" OR ") < 1024
    events = [
        {"F": "host-00000"},
        {"F": "host-04999"},
        {"F": "host-05000"},
        {"F": "HOST-00001"},
        {"F": "host"},
    ]
    assert selected({"s": {key: values}}, events) == ([0, 1] if "cased" in key else [0, 1, 3])


def test_a_list_at_the_limit_stays_a_list() -> None:
    assert emitted({"s": {"F": [f"{n}" for n in range(1024)]}})[0].count(" OR ") == 1023
    assert "/" not in emitted({"s": {"F": [f"{n}" for n in range(1024)]}})[0]
    assert "/0|1|2|3|" in emitted({"s": {"F": [f"{n}" for n in range(1025)]}})[0]


def test_packed_lists_under_not_and_beside_others() -> None:
    values = [f"v{number}" for number in range(1500)]
    detection = {"s": {"F": values}, "t": {"G|re": "x"}, "condition": "not s and t"}
    events = [{"F": "V7", "G": "x"}, {"F": "v1500", "G": "x"}, {"F": "v1500"}, {"G": "axb"}]
    assert selected(detection, events) == [1, 3]


def test_numbers_cannot_be_packed() -> None:
    with pytest.raises(Refusal, match="1025 clauses; Elasticsearch takes 1024") as caught:
        emitted({"s": {"F": list(range(1025))}})
    assert caught.value.code == "SC203"


def test_too_many_regexes() -> None:
    values = [f"{number:04}-" + "abcdefghij" * 20 for number in range(2000)]
    with pytest.raises(Refusal, match="clauses"):
        emitted({"s": {"F|contains": values}})


def test_the_dsl_has_the_limit_of_clauses() -> None:
    numbers = none_base({"s": {"F": list(range(1025))}, "condition": "s"}, "lucene")
    with pytest.raises(Refusal, match="1025 clauses"):
        LuceneBackend().event_dsl(numbers)
    texts = none_base({"s": {"F": [f"v{n}" for n in range(1025)]}, "condition": "s"}, "lucene")
    [draft] = LuceneBackend().event_dsl(texts)
    stored = [Stored(0, "Events", {"F": "V1024"}), Stored(1, "Events", {"F": "v1025"})]
    assert LuceneEngine().load(stored, {"Events": texts.columns}).run(draft.text).events == (0,)


@pytest.mark.parametrize(("length", "fits"), [(250, True), (251, False)])
def test_a_thousand_characters_of_regex(length: int, fits: bool) -> None:
    # Each letter takes four characters.
    detection = {"s": {"F": "z" * length}}
    if fits:
        assert selected(detection, [{"F": "Z" * length}, {"F": "z" * (length - 1)}]) == [0]
    else:
        with pytest.raises(Refusal, match="1004 characters"):
            emitted(detection)


def test_the_delimiter_counts() -> None:
    assert selected({"s": {"F|re": "a" + "/" * 494}}, [{"F": "a" + "/" * 494}, {"F": "/"}]) == [0]
    with pytest.raises(Refusal, match="1001 characters"):
        emitted({"s": {"F|re": "aa" + "/" * 497 + "b"}})


def test_a_long_value_without_letters_or_cased_needs_no_regex() -> None:
    for key, value in (("F", "1" * 5000), ("F|cased", "a" * 5000)):
        assert selected({"s": {key: value}}, [{"F": value}, {"F": value[:-1]}]) == [0]


@pytest.mark.parametrize(
    ("pattern", "refused"),
    [
        ("a.{11}b", False),
        ("a.{0,11}b", False),
        ("a.{16}b", True),
        ("a.{0,16}b", True),
        ("x{0,400}y", False),
        ("(xy?){0,250}z", False),
        ("(ab|a){200}c", True),
        ("[a-c]{60,}x[a-z]{60}y", False),
        ("(a.*){200}", True),
        (r"(\w+\s){30}x", False),
    ],
)
def test_complex_regexes_are_refused_where_lucene_gives_up(pattern: str, refused: bool) -> None:
    """What is emitted runs; what Lucene would throw at is refused here."""
    detection = {"s": {"F|re": pattern}}
    if refused:
        with pytest.raises(Refusal, match="too complex") as caught:
            emitted(detection)
        assert caught.value.code == "SC203"
        lucene = pattern.replace(".", "[^\n]")  # Lucene's dot is also a newline.
        with pytest.raises(EngineError, match="Determinizing"):
            LuceneEngine().load([], {"Events": {"F": Column("keyword")}}).run(f"F:/.*{lucene}.*/")
    else:
        selected(detection, [{"F": "a"}])


def test_deep_nesting_is_one_clear_refusal() -> None:
    base = none_base({"s": {"F": "a"}, "condition": "s"}, "lucene")
    condition: Any = base.condition
    for _ in range(3000):
        condition = Not(condition)
    deep = replace(base, condition=condition)
    with pytest.raises(Refusal, match="nested too deeply") as caught:
        LuceneBackend().event(deep)
    assert caught.value.code == "SC203"
