"""What a pipeline drops of a rule is a loss, or a refusal."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from converter.conversion.convert import Options, convert
from converter.errors import Refusal
from converter.pipelines import cells, user_files
from converter.pipelines.user_files import UserPipeline
from converter.rules import loading
from converter.verify.verify import verify
from tests.boundary.conditions import document, write

# boundary.md V5, rules/pipeline_drops_item*.yml: pySigma leaves out what is empty (its documentation,
# "Processing Pipelines", drop_detection_item), so what is left of an AND must hold and of an OR may hold.
_BROADER, _NARROWER = "broader", "narrower"
_DROPS: list[tuple[dict[str, Any], list[tuple[str, str]]]] = [
    ({"a": {"ParentImage": "u", "Image": "x"}, "condition": "a"}, [(_BROADER, "'Image' of selection 'a'")]),
    ({"a": {"ParentImage": "u"}, "b": {"Image": "x"}, "condition": "a and b"}, [(_BROADER, "'Image'")]),
    ({"a": {"ParentImage": "u"}, "b": {"Image": "x"}, "condition": "a or b"}, [(_NARROWER, "'Image'")]),
    ({"a": {"ParentImage": "u"}, "f": {"Image": "x"}, "condition": "a and not f"}, [(_BROADER, "'Image'")]),
    (
        {"a": {"ParentImage": "u"}, "f": {"Image": "x", "CommandLine": "c"}, "condition": "a and not f"},
        [(_NARROWER, "'Image'")],
    ),
    ({"a": [{"ParentImage": "u"}, {"Image": "x"}], "condition": "a"}, [(_NARROWER, "'Image'")]),
    (
        {"a": [{"ParentImage": "u", "Image": "y"}, {"Image|endswith": "x"}], "condition": "a"},
        [(_BROADER, "'Image'"), (_NARROWER, "'Image|endswith'")],
    ),
    (
        {
            "a": {"Image": ["x", "y"], "ParentImage": "u"},
            "b": {"CommandLine": "c"},
            "condition": "a or (b and not a)",
        },
        [(_BROADER, "'Image'"), (_NARROWER, "'Image'")],
    ),
    (
        {
            "a": {"ParentImage": "u"},
            "b_1": {"Image": "x"},
            "b_2": {"CommandLine": "c"},
            "condition": "a and 1 of b_*",
        },
        [(_NARROWER, "'Image'")],
    ),
    ({"a": {"ParentImage": "u"}, "condition": "a"}, []),
]


def _dropping(folder: Path, priority: int = 10, field: str = "Image") -> UserPipeline:
    file = folder / "drop.yml"
    condition = {"type": "include_fields", "fields": [field]}
    item = {"type": "drop_detection_item", "field_name_conditions": [condition]}
    file.write_text(yaml.safe_dump({"name": "Drop", "priority": priority, "transformations": [item]}))
    return user_files.read(file)


@pytest.mark.parametrize("priority", [10, 30])
@pytest.mark.parametrize(("detection", "expected"), _DROPS)
def test_v5_what_a_pipeline_drops_is_a_loss(
    detection: dict[str, Any], expected: list[tuple[str, str]], priority: int, tmp_path: Path
) -> None:
    """Before our pipeline (10) by the rule's name of the field, and after it (30) by the column's."""
    loaded = loading.load([write(tmp_path, document(detection))])
    user = _dropping(tmp_path, priority, "Image" if priority < 20 else "process.executable")
    for target in ("eql", "lucene"):
        made = convert(loaded, loaded.rules[0], cells.cell("sysmon", target, user=[user]), Options("any"))
        found = [one for one in made.reasons if one.text.startswith("a pipeline drops")]
        assert [one.fidelity for one in found] == [fidelity for fidelity, _ in expected]
        for one, (_, part) in zip(found, expected, strict=True):
            assert part in one.text
            assert one.relaxation.startswith("without an item: [")


def test_v5_verify_runs_the_rule_without_the_item(tmp_path: Path) -> None:
    for detection, expected in _DROPS:
        loaded = loading.load([write(tmp_path, document(detection))])
        cell = cells.cell("sysmon", "kql", user=[_dropping(tmp_path)])
        [checked] = verify(loaded, [cell], tmp_path / "tests", Options("any"))
        assert checked.status == "agrees", (detection, checked.reason, checked.detail)
        assert (checked.fidelity != "exact") == bool(expected)


@pytest.mark.parametrize(
    "detection",
    [
        {"a": {"Image": "x"}, "condition": "a"},
        {"a": {"Image": "x"}, "condition": "not a"},
        {"a": {"User": "u"}, "b": {"Image": "x"}, "condition": ["a", "b"]},
    ],
)
def test_v5_a_condition_of_which_nothing_is_left_is_refused(
    detection: dict[str, Any], tmp_path: Path
) -> None:
    """The pipeline's own conditions would be left: every event of the log source."""
    loaded = loading.load([write(tmp_path, document(detection))])
    with pytest.raises(Refusal) as caught:
        convert(loaded, loaded.rules[0], cells.cell("sysmon", "kql", user=[_dropping(tmp_path)]))
    assert caught.value.code == "SC209"


def test_v5_what_cannot_be_told_apart_is_refused(tmp_path: Path) -> None:
    """Of one item's two columns the pipeline drops one: what is left is no part of the rule."""
    loaded = loading.load([write(tmp_path, document({"a": {"User": "A\\b"}, "condition": "a"}))])
    user = _dropping(tmp_path, 30, "user.domain")
    with pytest.raises(Refusal) as caught:
        convert(loaded, loaded.rules[0], cells.cell("sysmon", "eql", user=[user]), Options("any"))
    assert caught.value.code == "SC201"
