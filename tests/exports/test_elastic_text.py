"""Text that tries to leave its field: quotes, line ends, marks of documents, control characters."""

from __future__ import annotations

import json
import tomllib
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from converter.exports.elastic import toml
from converter.exports.elastic.formats import NDJSON, TOML
from tests.exports.making import simple

HOSTILE = [
    "a \"quoted\" 'title'",
    "ends with '",
    'ends with "',
    "three ''' inside",
    'three """ inside',
    "both ''' and \"\"\" and \\ and \\u0041",
    "---\n[rule]\nname = 'x'\n---",
    "line\r\nwith carriage return\rx",
    "tab\tand \x01 control \x7f delete \x85 \u2028 \ufeff",
    "\n\nbegins with lines",
    "emoji 🦆 and ﷽ and a\u0301",
    "{{mustache}} ${dollar} <script>alert(1)</script>",
]


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_text_comes_back_as_it_was(text: str) -> None:
    doc = {
        "title": f"t {text}",
        "description": text,
        "author": text.replace(",", ";"),
        "falsepositives": [text],
        "references": [text],
        "tags": [f"x.{text}"],
        "license": text,
    }
    item = simple(**doc)
    assert str(NDJSON.part([item])).count("\n") == 1
    made = TOML.part([item])
    assert not isinstance(made, str)
    file = tomllib.loads(made[""])
    for rule in (json.loads(str(NDJSON.part([item]))), file["rule"]):
        assert rule["description"] == text.strip()
        assert rule["false_positives"] == [text]
        assert rule["references"] == [text]
        assert rule["license"] == text
        assert rule["tags"][-1] == f"x.{text}"
        assert " ".join(f"t {text}".split()) in rule["name"]
    assert set(file) == {"metadata", "rule"}


_values = st.recursive(
    st.one_of(
        st.text(st.characters(exclude_categories=("Cs",))), st.integers(-(2**63), 2**63 - 1), st.booleans()
    ),
    lambda inner: st.one_of(
        st.lists(st.text(st.characters(exclude_categories=("Cs",)))),
        st.dictionaries(st.from_regex(r"[a-z_]{1,9}", fullmatch=True), inner, max_size=4),
        st.lists(
            st.dictionaries(st.from_regex(r"[a-z_]{1,9}", fullmatch=True), inner, max_size=3), max_size=3
        ),
    ),
    max_leaves=12,
)


@settings(derandomize=True, max_examples=100, deadline=None)
@given(st.dictionaries(st.from_regex(r"[a-z_]{1,9}", fullmatch=True), _values, max_size=5))
def test_toml_is_what_tomllib_reads(document: dict[str, Any]) -> None:
    assert tomllib.loads(toml.dumps(document)) == document
