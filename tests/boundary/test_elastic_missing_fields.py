"""Fields that no index of Elastic has."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from converter.backends.eql import EqlBackend
from converter.plan.columns import Column
from tests.boundary.elastic import converted, rule_of, run_eql
from tests.support import none_base


# elastic/elasticsearch x-pack/plugin/eql/src/main/java/org/elasticsearch/xpack/eql/analysis/Analyzer.java,
# ResolveOrReplaceOptionalRefs: in a filter an optional field that no index maps is the literal null; constant
# folding makes null of its comparison and of its opposite, and PruneFilters drops a filter that is null.
# `== null` of it holds (qa/common/src/main/resources/test_extra.toml, optionalMissingFieldNullEquality).
@pytest.mark.parametrize(
    ("condition", "mapped", "unmapped"),
    [
        ('?f : "x"', [], []),
        ('not ?f : "x"', [0, 1], []),
        ('?f != "x"', [0, 1], []),
        ("?f == null", [0], [0]),
        ('?f == null or not ?f : "x"', [0, 1], [0]),
        ('g : "1" or ?f : "x"', [0], [0]),
        ('not (g : "1" and ?f : "x")', [0, 1], []),
    ],
)
def test_e8_a_field_that_no_index_has_is_null(condition: str, mapped: list[int], unmapped: list[int]) -> None:
    columns = {"f": Column("keyword", optional=True), "g": Column("keyword")}
    docs: list[dict[str, Any]] = [{"g": "1"}, {"f": "y", "g": "2"}]
    assert run_eql(f"any where {condition}", docs, columns) == mapped
    assert run_eql(f"any where {condition}", docs[:1], columns) == unmapped


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        ("not a", '?f == null or not ?f : "x"'),
        ("not (a or b)", '(?f == null or not ?f : "x") and not g : "y"'),
        ("not (a and b)", '?f == null or not ?f : "x" or not g : "y"'),
        ("a and not c", '?f : "x" and not ?f : "x*z"'),
        ("b and not d", 'g : "y" and (?f == null or not ?f : ("p", "q"))'),
    ],
)
def test_e8_negations_hold_where_no_index_has_the_field(condition: str, expected: str) -> None:
    selections = {"a": {"f": "x"}, "b": {"g": "y"}, "c": {"f": "x*z"}, "d": {"f": ["p", "q"]}}
    base = none_base({**selections, "condition": condition}, "eql")
    columns = {"f": Column("keyword", optional=True), "g": Column("keyword")}
    base = replace(base, columns=columns)
    [draft] = EqlBackend().event(base)
    assert draft.text == f"any where {expected}"
    # The document that has neither field is one that each negation selects.
    assert run_eql(draft.text, [{"h": "1"}], columns) == ([0] if condition.startswith("not") else [])


@pytest.mark.parametrize("field", ["OriginalFileName", "Product", "Description", "Company", "ParentUser"])
def test_e8_what_the_integration_does_not_declare_is_optional(field: str) -> None:
    """packages/windows/data_stream/sysmon_operational/fields (ecs.yml, winlog.yml) has none of these."""
    rule = rule_of({"a": {field: "x"}, "condition": "a"}, category="process_creation")
    (name,) = [one for one in converted(rule, "sysmon", "eql").queries[0].text.split() if one[:1] == "?"]
    assert name.split(".")[-1].lower() in (field.lower(), "original_file_name")
