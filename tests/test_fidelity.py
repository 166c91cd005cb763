"""A loss turns round under `not`, and in correlations where more events can unmake an alert."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from sigma.rule import SigmaRule

from converter.pipelines import mapping_losses
from converter.pipelines.lowering import Lowering
from converter.plan import fidelity
from converter.plan.conditions import Comparison
from converter.plan.model import BaseRule, CorrelationPlan, Fidelity, Member, Reason, Threshold
from converter.plan.values import Text

BROADER = Reason(Fidelity.BROADER, "b")
NARROWER = Reason(Fidelity.NARROWER, "n")


def label(condition: str, *lossy: str, several: Sequence[str] = ()) -> str:
    """Return the label of a condition over selections a, b and c; ``lossy`` such as "a:broader"."""
    rule = SigmaRule.from_dict(
        {
            "title": "t",
            "logsource": {"category": "c"},
            "detection": {
                **{name: {name.upper(): name, "G": ["x", "y"]} for name in "abc"},
                "never": {"A|startswith": "x", "B": "b"},
                "ever": {"A|startswith": "A", "B": "b"},
                "condition": condition,
            },
        }
    )
    lowering = Lowering()
    tree = lowering.condition(rule.detection.parsed_condition[0].parsed)
    assert tree is not None
    losses = {}
    for one in lossy:
        name, _, kind = one.partition(":")
        item = rule.detection.detections[name].detection_items[0]
        losses[lowering.origin_of(item.value[0])] = (Reason(Fidelity(kind), kind),)
    return str(fidelity.combine(fidelity.of_condition(tree, losses, several)))


@pytest.mark.parametrize(
    ("condition", "lossy", "expected"),
    [
        ("a and b", (), "exact"),
        ("a and b", ("a:broader",), "broader"),
        ("a and not b", ("b:broader",), "narrower"),
        ("a and not b", ("b:narrower",), "broader"),
        ("not (a and not b)", ("b:broader",), "broader"),
        ("not (a and not b)", ("a:broader",), "narrower"),
        ("a or b", ("a:broader", "b:narrower"), "narrower"),
        ("a and not 1 of b*", ("a:broader", "b:broader"), "narrower"),
        ("a and (b or not b)", ("b:broader",), "narrower"),
        ("all of them", ("c:narrower",), "narrower"),
        # What is left out never holds beside the rest: nothing is lost by it.
        ("a and not never", ("never:broader",), "exact"),
        ("a and not (b or never)", ("never:broader",), "exact"),
        ("a and not (b or never)", ("b:broader", "never:broader"), "narrower"),
        ("a and never", ("never:broader",), "broader"),
        ("a or not never", ("never:broader",), "narrower"),
        ("c and not never", ("never:broader",), "narrower"),
        ("a and not ever", ("ever:broader",), "narrower"),
        # Where the event has the value and the store has not, the exception may hold all the same.
        ("a and not never", ("never:narrower",), "broader"),
    ],
)
def test_label(condition: str, lossy: tuple[str, ...], expected: str) -> None:
    assert label(condition, *lossy) == expected


@pytest.mark.parametrize(
    ("condition", "lossy", "expected"),
    [
        # The exception asks for what the rule demands: it is found whenever the rule holds.
        ("a and not (a2 and b)", "a2:broader", "exact"),
        ("a and not (a2 and b)", "a2:narrower", "broader"),
        ("a and not (a3 and b)", "a3:broader", "narrower"),  # Another case, of a text compared as written.
        ("(a or b) and not (a2 and b)", "a2:broader", "narrower"),
        ("not a and not (a2 and b)", "a2:broader", "narrower"),
    ],
)
def test_an_exception_that_asks_for_what_the_rule_demands(condition: str, lossy: str, expected: str) -> None:
    rule = SigmaRule.from_dict(
        {
            "title": "t",
            "logsource": {"category": "c"},
            "detection": {
                "a": {"A": "Service"},
                "a2": {"A": "service"},
                "a3": {"A|cased": "service"},
                "b": {"B": "x"},
                "condition": condition,
            },
        }
    )
    name, _, kind = lossy.partition(":")
    value = rule.detection.detections[name].detection_items[0].value[0]
    own = mapping_losses.own_texts(rule)
    lowering = Lowering()
    tree = lowering.condition(rule.detection.parsed_condition[0].parsed)
    assert tree is not None
    losses = [(value, (Reason(Fidelity(kind), kind),))]
    assert str(fidelity.combine(mapping_losses.reasons(tree, lowering, losses, own))) == expected


def test_one_of_several_values_says_nothing_of_the_others() -> None:
    assert label("a and not never", "never:broader", several=["A"]) == "narrower"


@pytest.mark.parametrize(
    ("kind", "ops", "expression", "reason", "expected"),
    [
        ("event_count", ["gte"], None, BROADER, "broader"),
        ("event_count", ["gt"], None, BROADER, "broader"),
        ("value_count", ["gt"], None, BROADER, "broader"),
        ("event_count", ["lt"], None, BROADER, "narrower"),
        ("event_count", ["lte"], None, BROADER, "narrower"),
        ("event_count", ["eq"], None, BROADER, "narrower"),
        ("event_count", ["neq"], None, BROADER, "narrower"),
        ("event_count", ["gt", "lte"], None, BROADER, "narrower"),
        ("value_avg", ["gt"], None, BROADER, "narrower"),
        ("value_sum", ["gt"], None, BROADER, "narrower"),  # A further event may carry a negative number.
        ("value_percentile", ["gte"], None, BROADER, "narrower"),
        ("temporal", [], None, BROADER, "broader"),
        ("temporal_ordered", [], None, BROADER, "broader"),
        ("temporal", [], ("and", "m", ("not", "m")), BROADER, "narrower"),
        ("event_count", ["gte"], None, NARROWER, "narrower"),
    ],
)
def test_correlation_label(
    kind: str, ops: list[str], expression: object, reason: Reason, expected: str
) -> None:
    base = BaseRule("m", Comparison("F", Text(("x",))), {}, {})
    thresholds = tuple(Threshold(op, 3) for op in ops)
    plan = CorrelationPlan(
        {}, "p", kind, (Member("m", base, ()),), (), 1000, thresholds, expression=expression
    )
    assert fidelity.combine(fidelity.of_members(plan, [[reason]])) == expected


@pytest.mark.parametrize(
    ("level", "exact", "broader", "anything"),
    [("exact", True, True, True), ("broader", False, True, True), ("narrower", False, False, True)],
)
def test_limit(level: str, exact: bool, broader: bool, anything: bool) -> None:
    found = Fidelity(level)
    assert fidelity.acceptable(found, "exact") is exact
    assert fidelity.acceptable(found, "broader") is broader
    assert fidelity.acceptable(found, "any") is anything
