"""Any value is only a value: random rules and events, on the engine, against the matcher."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from converter.backends.kql import KqlBackend
from converter.backends.kql.literals import comment, name, string
from converter.engines.kql import KqlEngine
from converter.engines.kql.literals import literals
from converter.errors import Refusal
from converter.events.stored import Stored
from converter.matcher import compile_detection
from converter.plan.columns import Column
from converter.shapes.inferred import store
from tests.support import none_base

# Characters that mean something to Sigma, KQL, regular expressions, comments or terminals.
CHARACTERS = "aAbB0\\*?\"'@`~ \n\r\t\x00\x07\x85\u2028\u2029\u202e\ufeffé😀%_$|.()[]{}^+-#&<>/;:,="
TEXT = st.text(CHARACTERS, max_size=8)
PLAIN = st.text(CHARACTERS, min_size=1, max_size=8)
SETTINGS = settings(max_examples=60, deadline=None, derandomize=True, database=None)
MODIFIERS = st.sampled_from(["", "|contains", "|startswith", "|endswith", "|cased", "|contains|cased"])


def swapped(text: str) -> str:
    """Swap the case of ASCII letters; Kusto folds others as well, which the docs say."""
    return "".join(char.swapcase() if char.isascii() else char for char in text)


def near(value: str) -> list[str]:
    """Texts that a value must be told apart from."""
    bare = value.replace("\\", "")
    stretched = value.replace("*", "xx").replace("?", "y")
    return [value, bare, stretched, swapped(value), value + "x", "x" + value, value[:-1], value * 2]


def selected(detection: dict[str, Any], events: list[dict[str, Any]]) -> list[int]:
    base = none_base(detection, "kql")
    (draft,) = KqlBackend().event(base)
    tables = {"Events": base.columns}
    KqlEngine().validate(draft.text, tables)
    return list(KqlEngine().load(store(events, base.columns, "kql"), tables).run(draft.text).events)


def check(detection: dict[str, Any], texts: list[str], field: str = "F") -> None:
    events: list[dict[str, Any]] = [{field: text} for text in dict.fromkeys(texts) if text] + [{}]
    matches = compile_detection(detection)
    expected = [i for i, event in enumerate(events) if matches(event)]
    assert selected(detection, events) == expected


@SETTINGS
@given(PLAIN, MODIFIERS, st.booleans(), st.lists(TEXT, max_size=4))
def test_value(value: str, modifiers: str, negated: bool, others: list[str]) -> None:
    condition = "not s" if negated else "s"
    check({"s": {f"F{modifiers}": value}, "condition": condition}, [*near(value), *others])


@SETTINGS
@given(st.lists(PLAIN, min_size=2, max_size=5), MODIFIERS, st.booleans(), st.booleans())
def test_lists(values: list[str], modifiers: str, every: bool, negated: bool) -> None:
    key = f"F{modifiers}" + ("|all" if every else "")
    texts = [text for value in values for text in (value, swapped(value), value + values[0])]
    check({"s": {key: values}, "condition": "not s" if negated else "s"}, texts)


FIELD = st.text("aB0'\"\\.-:@{}[]$%&#/ é😀", min_size=1, max_size=6)


@SETTINGS
@given(FIELD.filter(lambda text: text.strip() == text))
def test_field_names(field: str) -> None:
    check({"s": {field: "v"}, "condition": "s"}, ["v", "w"], field)


@SETTINGS
@given(TEXT)
def test_a_literal_is_one_literal(value: str) -> None:
    (found,) = literals(string(value))
    assert (found.start, found.end, found.value) == (0, len(string(value)), value)
    assert "\n" not in string(value)
    assert "\n" not in name(value)


@SETTINGS
@given(st.lists(st.text(CHARACTERS + "/*", max_size=20), max_size=3))
def test_nothing_ends_a_comment(lines: list[str]) -> None:
    header = KqlBackend().comment(lines)
    assert header.count("\n") == len(lines)
    columns = {"a": Column("string")}
    query = header + "T | where a == 'x'"
    KqlEngine().validate(query, {"T": columns})
    stored = [Stored(0, "T", {"a": "x"}), Stored(1, "T", {"a": "y"})]
    assert KqlEngine().load(stored, {"T": columns}).run(query).events == (0,)
    assert all(comment(line) == comment(comment(line)) for line in lines)


PIECES = r"""
    a b . \d \w \s \b \. [ab] [^a] []a] [a\d-] [[:digit:]] (a|b) (?:ab) (?i) ^ $ * + ? {2} {1,} { }
    \/ " \\ [&&] [~~] [[] \x41 (?P<n>a) - < \< \- # @
""".split()  # noqa: SIM905
REGEX = st.lists(st.sampled_from(PIECES), min_size=1, max_size=6).map("".join)
SUBJECTS = [
    "a",
    "b",
    "ab",
    "aab",
    "A",
    "5",
    "a5",
    "é",
    "a b",
    "a.b",
    "a\nb",
    "a{",
    "٣",
    "ba",
    *'"\\/{}-&~[]<#@',
]


@pytest.mark.filterwarnings("ignore::FutureWarning")  # Python's, on `[[` and `[&&`
@settings(SETTINGS, max_examples=250)
@given(REGEX, st.sampled_from(["|re", "|re|i", "|re|s", "|re|m"]))
def test_regex(pattern: str, modifiers: str) -> None:
    detection = {"s": {f"F{modifiers}": pattern}, "condition": "s"}
    try:
        compile_detection(detection)
        none_base(detection, "kql")
    except Exception:
        return  # No regular expression for the matcher or for pySigma.
    try:
        check(detection, SUBJECTS)
    except Refusal as refusal:
        if refusal.code != "SC202":
            raise


def test_long_values_and_lists() -> None:
    values = [f"value{i}" for i in range(5000)]
    check({"s": {"F": values}, "condition": "s"}, ["value0", "VALUE4999", "value5000"])
    check({"s": {"F": "x" * 20_000}, "condition": "s"}, ["x" * 20_000, "x" * 19_999])


def test_long_alternatives_are_split_and_noted() -> None:
    detection = {"s": {"F|startswith": [f"v{i}-" for i in range(1000)]}, "condition": "s"}
    check(detection, ["xv0-", "v999-x", "v1000"])
    (draft,) = KqlBackend().event(none_base(detection, "kql"))
    (note,) = draft.reasons
    assert note.fidelity == "exact"
    assert "10000" in note.text
