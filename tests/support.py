"""What tests of several folders share."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from sigma.processing.pipeline import ProcessingPipeline
from sigma.rule import SigmaRule

from converter.pipelines import placeholders as value_lists
from converter.pipelines.inferred_columns import infer_columns
from converter.pipelines.lowering import lowered
from converter.plan.conditions import Condition, Or
from converter.plan.model import BaseRule
from converter.rules.rule import Rule

ROOT = Path(__file__).parent.parent
SHARED = ROOT.parent / "shared"


def shared(path: str) -> Path:
    """Return a path below the folder ../shared; skip without it, but fail in CI, where it must be."""
    found = SHARED / path
    if not found.exists():
        if os.environ.get("CI"):
            pytest.fail(f"CI must have ../shared/{path}")
        pytest.skip(f"needs ../shared/{path}, which is not part of the project")
    return found


def none_base(
    detection: dict[str, Any], language: str, placeholders: dict[str, list[Any]] | None = None
) -> BaseRule:
    """Return a rule of the source `none` as `convert` would hand it to a backend."""
    doc = {"title": "t", "name": "t", "logsource": {"category": "none"}, "detection": detection}
    rule = Rule(doc, "t.yml", Path("t.yml"), "t.yml", 0).sigma()
    if placeholders:
        value_lists.register()
        expand = {"id": "p", "type": "value_placeholders"}
        pipeline = ProcessingPipeline.from_dict({"vars": placeholders, "transformations": [expand]})
        pipeline.apply(rule)
    condition = condition_of(rule)
    # No Splunk has an index of a name that we make up.
    state: dict[str, Any] = {} if language == "spl" else {"index": ["Events"], "table": "Events"}
    return BaseRule("t", condition, state, infer_columns(condition, language), category="none")


def condition_of(rule: SigmaRule) -> Condition:
    """Return the conditions of a rule of pySigma's as alternatives."""
    found = [
        condition for one in rule.detection.parsed_condition if (condition := lowered(one.parsed)) is not None
    ]
    return found[0] if len(found) == 1 else Or(tuple(found))
