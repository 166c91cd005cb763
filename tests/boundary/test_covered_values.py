"""Values that another of their list covers are in no query: a list is an OR (Sigma specification 2.1)."""

from __future__ import annotations

from typing import Any

import pytest
from sigma.rule import SigmaRule

from converter.pipelines import covered_values

CASES: list[tuple[str, list[Any], list[Any]]] = [
    ("F|contains", ["smb3query", "smb"], ["*smb*"]),
    ("F|contains", ["smb", "SMB"], ["*smb*"]),
    ("F|contains", ["smb", "other"], ["*smb*", "*other*"]),
    ("F|contains|cased", ["Abc", "ab", "b"], ["*b*"]),
    ("F|contains|cased", ["Abc", "ab"], ["*Abc*", "*ab*"]),
    ("F|endswith", [r"\b\a.exe", r"\a.exe", "a?exe"], ["*a?exe"]),
    ("F|startswith", [r"C:\a", r"C:\ab", r"D:\C:\a"], [r"C:\a*", r"D:\C:\a*"]),
    ("F", ["abc", "ab*", "*c", "b"], ["ab*", "*c", "b"]),
    ("F", ["a?c", "abc", "ac"], ["a?c", "ac"]),
    ("F", ["*", "", "x"], ["*", "", "x"]),
    ("F", ["a", "b", "a"], ["a", "b", "a"]),
    ("F", [1, "1*"], ["1", "1*"]),
    ("F|contains|all", ["smb3query", "smb"], ["*smb3query*", "*smb*"]),
    ("F|contains", ["ä", "Ä"], ["*ä*", "*Ä*"]),
    ("F|re", ["a.*", "a"], ["a.*", "a"]),
]


@pytest.mark.parametrize(("key", "values", "left"), CASES, ids=lambda case: str(case))
def test_what_another_covers_is_dropped(key: str, values: list[Any], left: list[Any]) -> None:
    detection = {"s": {key: values, "G|contains": ["x"]}, "t": [{key: values}], "condition": "s or t"}
    rule = SigmaRule.from_dict({"title": "t", "logsource": {"product": "windows"}, "detection": detection})
    covered_values.drop(rule)
    selection, listed = rule.detection.detections["s"], rule.detection.detections["t"]
    for item in (selection.detection_items[0], listed.detection_items[0].detection_items[0]):
        texts = [str(value.regexp) if hasattr(value, "regexp") else str(value) for value in item.value]
        assert texts == left
