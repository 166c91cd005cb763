"""What tests of several folders share."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from sigma.conditions import ConditionOR
from sigma.processing.pipeline import ProcessingPipeline

from converter.pipelines import placeholders as value_lists
from converter.pipelines.inferred_columns import infer_columns
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
    trees = [condition.parsed for condition in rule.detection.parsed_condition]
    tree = trees[0] if len(trees) == 1 else ConditionOR(trees)
    # No Splunk has an index of a name that we make up.
    state: dict[str, Any] = {} if language == "spl" else {"index": ["Events"], "table": "Events"}
    return BaseRule(rule, "t", tree, state, infer_columns(tree, language))
