"""Every field of every log source with odd values: a query or a refusal, and never an internal error."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from converter.conversion import listing
from converter.conversion.convert import Options, convert
from converter.errors import Refusal
from converter.pipelines import cells
from converter.pipelines.cells import Cell
from converter.rules.rule import Rule
from converter.rules.ruleset import RuleSet
from tests.proof.coverage import TWELVE

TARGETS = ("eql", "lucene", "spl", "kql")
VALUES: list[tuple[str, Any]] = [
    *(
        ("", one)
        for one in ("", "*", "?", "*?", "\\", "\\\\", "a*b?c", "*\\?*", "C:\\", "%", "null", "(Default)")
    ),
    *(("", one) for one in (None, 5, -1.5, True, ["", "a"], ["*", None], [5, "a"], "x" * 500)),
    *(("contains", one) for one in ("", "?", "\\", "*", ["a", "?b"])),
    *(
        ("startswith", "\\"),
        ("endswith", ""),
        ("endswith", "\\"),
        ("endswith", "?.exe"),
        ("contains|all", ["a", "*"]),
    ),
    *(
        ("re", "^$"),
        ("re", ".*"),
        ("re|i", "^C:\\\\[^\\\\]+$"),
        ("cased", "aB*"),
        ("cidr", "::/0"),
        ("cidr", "10.0.0.0/8"),
    ),
    *(
        ("exists", True),
        ("exists", False),
        ("gt", 0),
        ("lte", 2**40),
        ("fieldref", "Image"),
        ("fieldref", "User"),
    ),
    *(
        ("base64offset|contains", "ab c"),
        ("windash|contains", " -a"),
        ("neq", "a"),
        ("neq", None),
        ("minute", 5),
    ),
]


EVERY = 61


def wrong(where: Cell, every: int) -> list[str]:
    found = []
    number = 0
    for facts in listing.fields(where):
        kind = "service" if facts.logsource.startswith("service:") else "category"
        logsource = {"product": "windows", kind: facts.logsource.removeprefix("service:")}
        for modifier, value in VALUES:
            key = f"{facts.field}|{modifier}" if modifier else facts.field
            for condition in ("s", "not s"):
                number += 1
                if number % every:
                    continue
                doc = {
                    "title": "t",
                    "logsource": logsource,
                    "detection": {"s": {key: value}, "condition": condition},
                }
                rule = Rule(doc, "t.yml", Path("t.yml"), "t.yml", 0)
                try:
                    convert(RuleSet([rule]), rule, where, Options("any"))
                except Refusal:
                    continue
                except Exception as error:  # Whatever else: each is to be told, not only the first.
                    found.append(f"{facts.logsource}: {key}: {value!r:.40}: {error}")
    return found


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("source", TWELVE)
def test_odd_values(source: str, target: str) -> None:
    where = cells.cell(source, target)
    assert len(list(listing.fields(where))) > 50
    assert wrong(where, EVERY) == []


@pytest.mark.proof
@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("source", TWELVE)
def test_all_odd_values(source: str, target: str) -> None:
    assert wrong(cells.cell(source, target), 1) == []


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("source", ["defender", "crowdstrike"])
@pytest.mark.parametrize("value", ["", ["", "a"]])
def test_an_empty_path_of_the_registry(source: str, target: str, value: object) -> None:
    """It ended in an internal error."""
    doc = {
        "title": "t",
        "logsource": {"product": "windows", "category": "registry_set"},
        "detection": {"s": {"TargetObject": value}, "condition": "s"},
    }
    rule = Rule(doc, "t.yml", Path("t.yml"), "t.yml", 0)
    with suppress(Refusal):
        assert convert(RuleSet([rule]), rule, cells.cell(source, target), Options("any")).queries
