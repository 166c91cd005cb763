"""Any value and any field name is only that; and what is emitted means what the matcher says it means."""

from __future__ import annotations

from typing import Any

import pytest

pytest.importorskip("jpype", reason="the engine needs sigconv[verify]")

from hypothesis import assume, given, settings
from hypothesis import strategies as st

from converter.backends.lucene import LuceneBackend
from converter.engines.lucene import LuceneEngine
from converter.engines.lucene.syntax import Bool, Node, Pattern, Range, Term, parse
from converter.errors import Refusal
from converter.events.stored import Stored
from converter.matcher import compile_detection
from tests.support import none_base

ENGINE = LuceneEngine()
# What Lucene's syntax, its regexes and wildcards give a meaning, letters of two cases, and others.
SIGNS = "aA bB0*?\\/\"'()[]{}<>=!&|+-^~:;,.@#$%_\n\t\réÉ😀ſK\u3000"
TEXT = st.one_of(
    st.text(st.sampled_from(SIGNS), max_size=8),
    st.text(st.characters(exclude_categories=["Cs"]), max_size=6),
    st.sampled_from(
        ["AND", "OR", "NOT", "TO", "&&", "||", "!", "*", "?", "a AND b", "f:x", "\\u0041", "_exists_"]
    ),
)
KEYS = ("F", "F|contains", "F|startswith", "F|endswith", "F|cased", "F|contains|cased", "F|contains|all")


def events_like(value: str) -> list[dict[str, Any]]:
    """The value's text and what is near it."""
    near = [value, value.swapcase(), value + "x", "x" + value, f"x{value}x", value[1:], value[:-1], "", "zz"]
    near += [
        value.replace("*", ""),
        value.replace("?", "q"),
        value.replace("\\", ""),
        value.replace("*", "s"),
    ]
    return [{"F": text} for text in dict.fromkeys(near)] + [{"G": value}, {"F": [value, "zz"]}]


def agrees(detection: dict[str, Any], events: list[dict[str, Any]]) -> None:
    base = none_base(detection, "lucene")
    matches = compile_detection(detection)
    expected = [number for number, event in enumerate(events) if matches(event)]
    backend = LuceneBackend()
    session = ENGINE.load(
        [Stored(number, "Events", event) for number, event in enumerate(events)], {"Events": base.columns}
    )
    for draft in (*backend.event(base), *backend.event_dsl(base)):
        assert list(session.run(draft.text).events) == expected, draft.text


@settings(max_examples=250, derandomize=True, deadline=None)
@given(st.sampled_from(KEYS), st.lists(TEXT, min_size=1, max_size=2), st.sampled_from(["s", "not s"]))
def test_any_value(key: str, values: list[str], condition: str) -> None:
    events = [event for value in values for event in events_like(value)]
    agrees({"s": {key: values}, "condition": condition}, events)


@settings(max_examples=100, derandomize=True, deadline=None)
@given(TEXT.filter(lambda text: text.strip("*? \n\t\r") != ""))
def test_any_keyword(value: str) -> None:
    agrees({"s": [value], "condition": "s"}, events_like(value))


@settings(max_examples=150, derandomize=True, deadline=None)
@given(TEXT, st.sampled_from(["1", "ab", None]))
def test_any_field_name(name: str, value: str | None) -> None:
    # pySigma takes what follows a bar for modifiers; a field without a name is a keyword.
    name = name.replace("|", "_")
    assume(name.strip() == name != "")
    detection = {"s": {name: value}, "condition": "s"}
    if "*" in name or name == "_exists_":
        with pytest.raises(Refusal, match="cannot name the field"):
            LuceneBackend().event(none_base(detection, "lucene"))
        return
    agrees(detection, [{name: "1"}, {name: "AB"}, {name + "x": "1"}, {"x": "ab"}, {"x": "1", name: "2"}])


def shape(node: Node | None) -> Any:
    """The structure of a query: its operators, fields and kinds of leaves, without the values."""
    match node:
        case Bool(clauses):
            return tuple((occur, shape(child)) for occur, child in clauses)
        case Term(field):
            return ("value", field)
        case Pattern(kind, field):
            # The value decides whether it is compared as a term or by a pattern.
            return ("value", field) if kind != "fuzzy" else "fuzzy"
        case Range():
            return "range"
    return None


@settings(max_examples=300, derandomize=True, deadline=None)
@given(TEXT.filter(lambda text: text.strip("*") != ""), st.sampled_from(KEYS[:-1]))
def test_no_value_changes_the_structure(value: str, key: str) -> None:
    detection = {"s": {key: value, "G": "1"}, "t": {"H": ["2", value]}, "condition": "s and not t"}
    [draft] = LuceneBackend().event(none_base(detection, "lucene"))
    harmless = {"s": {key: "v", "G": "1"}, "t": {"H": ["2", "v"]}, "condition": "s and not t"}
    [expected] = LuceneBackend().event(none_base(harmless, "lucene"))
    assert shape(parse(draft.text)) == shape(parse(expected.text))
