"""pySigma's condition tree becomes ours: kinds of value, order of alternatives, origin of values."""

from __future__ import annotations

import ipaddress
from typing import Any

import pytest
from sigma.rule import SigmaRule
from sigma.types import SigmaQueryExpression

from converter.pipelines.lowering import Lowering, lowered_value
from converter.plan import values
from converter.plan.conditions import Alternatives, And, Comparison, Condition, Keyword, Not, Or, leaves
from converter.plan.values import ANY, ONE, Text
from converter.plan.volume_paths import VolumePath
from converter.rules import modifiers


def rule_of(detection: dict[str, Any]) -> SigmaRule:
    modifiers.register()
    return SigmaRule.from_dict({"title": "t", "logsource": {"category": "c"}, "detection": detection})


def condition_of(detection: dict[str, Any]) -> Condition:
    (parsed,) = rule_of(detection).detection.parsed_condition
    found = Lowering().condition(parsed.parsed)
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("key", "value", "expected"),
    [
        ("F", "a*b?c", Text(("a", ANY, "b", ONE, "c"))),
        ("F", "a\\*b", Text(("a*b",))),
        ("F|contains|cased", "a", Text((ANY, "a", ANY), cased=True)),
        ("F", "", Text(())),
        ("F", 5, values.Number(5)),
        ("F", True, values.Flag(True)),
        ("F", None, values.Null()),
        ("F|exists", False, values.Exists(False)),
        ("F|re|i|s", "a.b", values.Regex("a.b", "is")),
        ("F|cidr", "10.0.0.0/8", values.Network("10.0.0.0/8", ipaddress.ip_network("10.0.0.0/8"))),
        ("F|gte", 5, values.Ordered(">=", values.Number(5))),
        ("F|hour", 7, values.TimePart("hour", 7)),
        ("F|fieldref|endswith", "G", values.FieldOf("G", ends_with=True)),
        ("F|windash", "-a b", Alternatives(tuple(Text((f"{dash}a b",)) for dash in "-/–—―"))),
        ("F|expand", "a%b%", Text(("a", values.Placeholder("b")))),
    ],
)
def test_each_kind_of_value(key: str, value: object, expected: object) -> None:
    assert condition_of({"s": {key: value}, "condition": "s"}) == Comparison("F", expected)  # type: ignore[arg-type]


def test_a_value_that_only_pysigmas_backends_say_keeps_its_kind() -> None:
    value = lowered_value(SigmaQueryExpression("{field} in list", "x"))
    assert value == values.Foreign("SigmaQueryExpression", "{field} in list")


def test_operators_and_the_order_of_what_they_join() -> None:
    detection = {
        "a": {"F": ["2", "1"]},
        "b": {"G|all": ["x", "y"]},
        "k": ["w"],
        "condition": "a and not (b or k)",
    }
    two, one, x, y, w = (Text((text,)) for text in ("2", "1", "x", "y", "w"))
    assert condition_of(detection) == And(
        (
            Or((Comparison("F", two), Comparison("F", one))),
            Not(Or((And((Comparison("G", x), Comparison("G", y))), Keyword(w)))),
        )
    )


def test_a_comparison_says_which_value_of_the_rule_it_comes_from() -> None:
    rule = rule_of({"a": {"F": "x", "G": "x"}, "condition": "a or not a"})
    lowering = Lowering()
    (parsed,) = rule.detection.parsed_condition
    found = lowering.condition(parsed.parsed)
    assert found is not None
    origins = [leaf.origin for leaf in leaves(found)]
    # Both values are equal, and each stands twice: two numbers, each twice.
    assert origins[:2] == origins[2:]
    assert origins[0] != origins[1]
    items = rule.detection.detections["a"].detection_items
    assert [lowering.value_of(origin) for origin in origins[:2]] == [item.value[0] for item in items]  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("text", "plain", "prefix", "suffix", "part"),
    [
        (Text(("a", "b")), "ab", None, None, None),
        (Text(("a", ANY)), None, "a", None, None),
        (Text((ANY, ANY, "a")), None, None, "a", None),
        (Text((ANY, "a", "b", ANY)), None, None, None, "ab"),
        (Text((ANY, "a", ONE, ANY)), None, None, None, None),
        (Text((ANY,)), None, None, None, None),
        (Text((values.Placeholder("a"),)), None, None, None, None),
    ],
)
def test_what_a_text_asks_for(
    text: Text, plain: str | None, prefix: str | None, suffix: str | None, part: str | None
) -> None:
    assert (text.plain, text.prefix, text.suffix, text.part) == (plain, prefix, suffix, part)


def test_only_stars_match_any_value() -> None:
    assert Text((ANY, ANY)).matches_any
    assert not any(text.matches_any for text in (Text(()), Text((ONE,)), Text((ANY, "a"))))


def test_a_text_is_shown_as_a_rule_writes_it() -> None:
    assert str(Text(("a*", ANY, "b", ONE, values.Placeholder("c")))) == "a\\**b?%c%"


def test_neighbours_of_a_text_are_joined() -> None:
    assert Text(("a", "", "b", ANY, "", ANY, "c")).joined == ("ab", ANY, "c")


def test_a_volume_path_finds_no_folder_in_the_place_of_the_number() -> None:
    path = VolumePath(("\\a", ANY), cased=True)
    assert path.regex == values.Regex(r"^\\Device\\HarddiskVolume[0-9]{1,3}\\a", "")
    assert path.wider == Text(("\\Device\\HarddiskVolume", ANY, "\\a", ANY), cased=True)
