"""What is parsed and made once for many rules leaks nothing from one rule to the next."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from sigma.conditions import ConditionItem, SigmaCondition
from sigma.exceptions import SigmaConditionError
from sigma.rule import SigmaRule

from converter.conversion.convert import Options, convert
from converter.errors import RuleError, SigconvError
from converter.files import yaml_source
from converter.pipelines.cells import StockCells, cell
from converter.rules import loading, modifiers
from converter.rules import parsed as fresh
from converter.rules.emitted import emitted_rules
from tests.support import ROOT

TARGETS = ("eql", "lucene", "spl", "kql")
FILES = [*ROOT.glob("sigma/**/*.yml"), *ROOT.glob("pipelines/**/*.yml"), *ROOT.glob("tests/cases/*.yml")]


@pytest.mark.parametrize("source", ["sysmon", "defender", "crowdstrike"])
def test_order_of_rules_and_cells_changes_nothing(source: str) -> None:
    found = loading.load([ROOT / "sigma"])
    cells = [cell(source, target) for target in TARGETS]

    def text(one: Any, where: Any) -> str:
        try:
            conversion = convert(found, one, where, Options("any"))
        except SigconvError as error:
            return str(error)
        return "".join(query.text for query in conversion.queries)

    pairs = [(rule, where) for rule in emitted_rules(found) for where in cells]
    forwards = [text(*pair) for pair in pairs]
    backwards = [text(*pair) for pair in reversed(pairs)]
    assert forwards == backwards[::-1]
    again = [(number, pair) for number, pair in enumerate(pairs) if number % 7 == 0]
    for number, (rule, where) in again:
        # The rule parsed anew, in a cell of which nothing is worked out.
        new = StockCells().cell(source, where.target, "", None)
        assert text(replace(rule), new) == forwards[number]
    assert sum(one.count("\n") > 2 for one in forwards) > 20


def shape(node: Any) -> Any:
    if isinstance(node, ConditionItem):
        return type(node).__name__, [shape(arg) for arg in node.args]
    value = re.sub(r" at 0x\w+", "", repr(node.value))
    return type(node).__name__, getattr(node, "field", None), value


CONDITIONS = [
    "a",
    "not a",
    "a and not b or c",
    "all of them",
    "1 of sel_*",
    "a and (b or c) and not 1 of sel_*",
    "_cond_abcdefghij and (a or b)",
    "not _cond_abcdefghij and (_cond_abcdefghij and (a or b))",
    "_cond_abcdefghij and (a) or (b)",
    "[a, b and c]",
]


@pytest.mark.parametrize("condition", CONDITIONS)
def test_condition_is_read_as_pysigma_reads_it(condition: str) -> None:
    modifiers.register()
    doc = {
        "title": "t",
        "logsource": {"category": "process_creation"},
        "detection": {
            "a": {"F": 1, "G|contains|all": ["x", "y*"], "H|neq": "z"},
            "b": ["keyword", "other"],
            "c": [{"F|re": "x.*"}, {"G": None, "H|windash": "-a"}],
            "sel_1": {"F|cidr": "10.0.0.0/8"},
            "sel_2": {"F|exists": True, "G|fieldref": "H"},
            "_cond_abcdefghij": {"F": 7},
            "condition": yaml.safe_load(condition),
        },
    }
    template = SigmaRule.from_dict(doc)
    copied, other = fresh.rule(template), SigmaRule.from_dict(doc)
    for mine, theirs in zip(copied.detection.parsed_condition, other.detection.parsed_condition, strict=True):
        assert mine.detections is copied.detection
        assert shape(fresh.parsed(mine)) == shape(theirs.parsed)
    assert copied == other == template
    kept = {id(part) for part in parts(template)}
    assert kept
    assert not kept & {id(part) for part in parts(copied)}


def tree_of(node: Any) -> Any:
    """Return a tree of a condition's text: names, quantifiers and patterns are its leaves."""
    if isinstance(node, ConditionItem):
        return type(node).__name__, [tree_of(arg) for arg in node.args]
    return node


WORDS = """
a/sel_1/sel-2/1/all/any/them/sel_*/_x/nota/orb/android/all_x/1-x/not/and/or/of/1 of sel_*/all of them
any of _x*/not a/and b/or c/a and b
"""
words = st.sampled_from(WORDS.strip().replace("\n", "/").split("/"))


@settings(max_examples=2000, derandomize=True, deadline=None)
@given(
    st.lists(words, min_size=1, max_size=6).map(" ".join),
    st.sampled_from(["{}", "_x and ({})", "not a and ({})"]),
)
def test_conditions_are_read_as_the_grammar_of_pysigma_reads_them(inner: str, around: str) -> None:
    text = around.format(inner)
    try:
        # Without detections: only the grammar reads it.
        theirs = tree_of(SigmaCondition(text, None).parse(postprocess=False))  # type: ignore[arg-type]
    except SigmaConditionError:
        with pytest.raises(SigmaConditionError):
            fresh._read(text)
    else:
        assert tree_of(fresh._read(text)) == theirs


def test_flat_conditions_are_common() -> None:
    flat = ["a", "not a", "a and not 1 of b_*", "1 of them or c", "all of sel_*", "a or not b or c"]
    assert all(fresh._FLAT.fullmatch(text) for text in flat)
    others = ["a and b or c", "(a)", "nota", "1 of a-b", "a  and b", "a AND b", "", "not not a", "all", "a\n"]
    assert not any(fresh._FLAT.fullmatch(text) for text in others)
    with pytest.raises(SigmaConditionError):
        fresh._read("a AND b")


def parts(one: SigmaRule) -> Iterator[object]:
    """Yield what a pipeline may change."""
    yield from (one.fields, one.detection.detections, one.detection.parsed_condition)
    for detection in one.detection.detections.values():
        yield from (detection, detection.detection_items)
        for item in detection.detection_items:
            if hasattr(item, "value"):
                yield from (item, item.value, item.applied_processing_items, *item.value)


def test_yaml_is_read_as_pyyaml_reads_it() -> None:
    odd = [
        "a: &x [1, {b: 2.5}]\nc: *x\nd: 2026-01-02\ne: 2026-01-02 03:04:05\nf: ~\n1: yes\n",
        "=: 1\n? [a, b]\n: 2\n",
        "---\na: 1\n---\n---\nb: !!str 2\n",
        "a: !!binary aGk=\nb: !!set {x, y}\n",
        "",
    ]
    for text in [*odd, *(path.read_text(encoding="utf-8") for path in FILES)]:
        try:
            expected = list(yaml.load_all(text, Loader=yaml.CSafeLoader))
        except yaml.YAMLError:
            with pytest.raises(RuleError):
                yaml_source.parse(text, "t.yml")
            continue
        made = yaml_source.parse(text, "t.yml")
        assert made == expected
        assert repr(made) == repr(expected)
    shared = yaml_source.parse("a: &x [1]\nb: *x\n", "t.yml")[0]
    assert shared["a"] is shared["b"]


@pytest.mark.parametrize(
    ("text", "code"),
    [("a: 1\nb: {c: 1, c: 2}\n", "SC108"), ("[" * 150 + "]" * 150, "SC109"), ("&a [*a]", "SC109")],
)
def test_yaml_that_is_refused(text: str, code: str) -> None:
    with pytest.raises(RuleError) as raised:
        yaml_source.parse(text, "t.yml")
    assert raised.value.code == code


def test_importing_the_program_leaves_pysigma_as_it_was() -> None:
    """Its tables and classes are changed by `register`, called by name, and never by an import."""
    script = (
        "import importlib, pkgutil\n"
        "from sigma import modifiers\n"
        "from sigma.processing.transformations import transformations\n"
        "from sigma.types import SigmaNumber\n"
        "def state():\n"
        "    return dict(transformations), dict(modifiers.modifier_mapping), SigmaNumber.__post_init__\n"
        "before = state()\n"
        "import converter\n"
        "for module in pkgutil.walk_packages(converter.__path__, 'converter.'):\n"
        "    if not module.name.endswith('__main__'):\n"
        "        importlib.import_module(module.name)\n"
        "print(state() == before)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, cwd=ROOT
    )
    assert done.stdout.strip() == "True"
