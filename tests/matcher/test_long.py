"""Rules too long for a table: the matcher says the same of 5,000 values as of five."""

from __future__ import annotations

from typing import Any

import pytest

from converter.matcher import compile_detection

COUNT = 5_000


def _matches(detection: dict[str, Any], events: list[dict[str, Any]]) -> list[int]:
    holds = compile_detection(detection)
    return [position for position, event in enumerate(events) if holds(event)]


@pytest.mark.parametrize(
    ("key", "value", "hit", "miss"),
    [
        ("F", "value{}", "VALUE{}", "value{}x"),
        ("F|cased", "Value{}", "Value{}", "value{}"),
        ("F|contains", "<{}>", "a <{}> b", "a <{} > b"),
        ("F|startswith", "{}:", "{}:x", "x{}:"),
        ("F|endswith", "\\{}.exe", "C:\\{}.EXE", "C:\\{}.exe.bak"),
        ("F", "a*-{}-?", "a--{}-z", "a-{}-"),
        ("F|re", "^x{}$", "x{}", "X{}"),
    ],
)
def test_many_values(key: str, value: str, hit: str, miss: str) -> None:
    detection = {"s": {key: [value.format(number) for number in range(COUNT)]}, "condition": "s"}
    events = [{"F": hit.format(number)} for number in (0, 17, COUNT - 1)]
    others = [
        {"F": miss.format(17)},
        {"F": hit.format(COUNT + 1)},
        {"F": ""},
        {"G": hit.format(17)},
        {"F": None},
    ]
    assert _matches(detection, events + others) == [0, 1, 2]
    assert _matches({**detection, "condition": "not s"}, events + others) == [3, 4, 5, 6, 7]


def test_many_numbers() -> None:
    detection = {"s": {"F": list(range(COUNT))}, "condition": "s"}
    events = [{"F": 0}, {"F": "4999"}, {"F": 5000}, {"F": -1}, {"G": 1}]
    assert _matches(detection, events) == [0, 1]


def test_all_of_many() -> None:
    detection = {"s": {"F|contains|all": [f"<{number}>" for number in range(COUNT)]}, "condition": "s"}
    whole = "".join(f"<{number}>" for number in range(COUNT))
    assert _matches(detection, [{"F": whole}, {"F": whole.replace("<17>", "")}, {"F": ""}]) == [0]


def test_many_selections() -> None:
    detection: dict[str, Any] = {f"s_{number}": {f"F{number}": "x"} for number in range(500)}
    detection["condition"] = "1 of s_*"
    assert _matches(detection, [{"F499": "x"}, {"F500": "x"}, {"F0": "X"}]) == [0, 2]


def test_long_value() -> None:
    text = "ab" * 5_000
    detection = {"s": {"F|contains": text}, "condition": "s"}
    assert _matches(detection, [{"F": f"x{text.upper()}y"}, {"F": text[:-1]}]) == [0]


def test_many_parentheses() -> None:
    condition = "(" * 1_000 + "s" + ")" * 1_000
    assert _matches({"s": {"F": "a"}, "condition": condition}, [{"F": "a"}, {"F": "b"}]) == [0]


@pytest.mark.parametrize(("nots", "match"), [(100, [0]), (101, [1])])
def test_many_nots(nots: int, match: list[int]) -> None:
    condition = "not (" * nots + "s" + ")" * nots
    assert _matches({"s": {"F": "a"}, "condition": condition}, [{"F": "a"}, {"F": "b"}]) == match
