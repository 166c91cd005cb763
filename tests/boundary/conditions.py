"""Rules for the tests of conditions: documents, files and refusals."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from converter.conversion.convert import Options, convert
from converter.errors import Refusal
from converter.pipelines import cells
from converter.plan.conditions import Condition
from converter.rules import loading
from converter.rules.rule import Rule
from tests.support import condition_of

LANGUAGES = ("eql", "lucene", "spl", "kql")


CREATION = {"category": "process_creation", "product": "windows"}


def document(detection: Mapping[str, Any], logsource: Mapping[str, str] = CREATION) -> dict[str, Any]:
    return {
        "title": "Rule",
        "id": "33333333-3333-4333-8333-333333333333",
        "logsource": dict(logsource),
        "detection": dict(detection),
    }


def write(folder: Path, *docs: Mapping[str, Any]) -> Path:
    file = folder / "rule.yml"
    file.write_text("---\n".join(yaml.safe_dump(dict(doc), sort_keys=False) for doc in docs))
    return file


def refusal(folder: Path, doc: Mapping[str, Any], source: str, target: str) -> Refusal:
    """Return what a rule is refused with."""
    loaded = loading.load([write(folder, doc)])
    with pytest.raises(Refusal) as caught:
        convert(loaded, loaded.rules[0], cells.cell(source, target), Options("any"))
    return caught.value


def tree_of(detection: Mapping[str, Any]) -> Condition:
    """Return the condition of a rule that no pipeline has changed."""
    sigma = Rule(document(detection), "r.yml", Path("r.yml"), "r.yml", 0).sigma()
    return condition_of(sigma)
