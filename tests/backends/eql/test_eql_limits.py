"""Limits of the server, checked at build time against the Lucene that enforces them, and size."""

from __future__ import annotations

from typing import Any

import pytest

pytest.importorskip("eql", reason="the engine needs sigconv[verify]")
pytest.importorskip("jpype", reason="the engine needs sigconv[verify]")

from hypothesis import given, settings
from hypothesis import strategies as st

from converter.backends.elastic.determinize_effort import effort
from converter.backends.elastic.regex import tree_of, write
from converter.backends.eql import EqlBackend
from converter.engines import lucene_jvm
from converter.engines.eql import EqlEngine
from converter.errors import EngineError, Refusal
from tests.support import none_base


def convert(detection: dict[str, Any]) -> str:
    base = none_base(detection, "eql")
    (draft,) = EqlBackend().event(base)
    EqlEngine().validate(draft.text, {"Events": base.columns})
    return draft.text


def lucene_effort(pattern: str) -> int:
    """Return the least limit at which Lucene determinises the pattern, in units of its effort."""
    import jpype

    lucene_jvm.start()
    operations = jpype.JClass("org.apache.lucene.util.automaton.Operations")
    automaton = lucene_jvm.regexp_automaton(pattern, False, max_length=None)
    low, high = 1, 20_000
    while low < high:
        middle = (low + high) // 2
        try:
            operations.determinize(automaton, middle)
            high = middle
        except jpype.JException:
            low = middle + 1
    return low * 10


REGEXES = [
    "foo",
    "ping.{1,10}echo",
    "ping.{2,20}echo",
    "a{200}",
    "[^/]{100,}$",
    r"(\+.*){12}",
    "cmd.{0,5}(/c|/r).+clip(\\.exe)?.{0,4}&&.+clip.+-f.+x",
    "(ab|cd){3,50}",
    ".{150}",
    "(x?y){0,12}z",
    "-(W|R) ?[0-9a-f]{2,20}z",
]


@pytest.mark.parametrize("pattern", REGEXES)
def test_effort_is_lucenes(pattern: str) -> None:
    tree = tree_of(pattern, ignore_case=False, multiline=False, dotall=False, fold="flag")
    ours, theirs = effort(tree), lucene_effort(write(tree))
    assert theirs == pytest.approx(ours, rel=0.07, abs=20)


atoms = st.sampled_from(["a", "b", "ab", "[ab]", ".", "(a|b)", "(ab|c)"])
counts = st.sampled_from(["", "", "*", "+", "?", "{2,9}", "{0,12}", "{3}", "{2,}", "{20}"])


@settings(max_examples=150, derandomize=True, deadline=None)
@given(st.lists(st.tuples(atoms, counts).map("".join), min_size=1, max_size=6))
def test_what_is_emitted_is_never_too_complex(pieces: list[str]) -> None:
    pattern = "".join(pieces)
    try:
        convert({"s": {"F|re": pattern}, "condition": "s"})
    except Refusal as refusal:
        rejected = refusal.code
    else:
        return  # validate has compiled it on Lucene
    assert rejected == "SC203"
    tree = tree_of(pattern, ignore_case=False, multiline=False, dotall=False, fold="flag")
    try:
        lucene_jvm.regexp(write(tree))
    except EngineError:
        return
    assert lucene_effort(write(tree)) > 95_000, "refused what Lucene takes with ease"


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("F|re", "x" * 1001),
        ("F|re", "ping.{6,64}echo"),
        ("F|re", "a" * 450),
        ("F", r"\*" + "a" * 1000),
        ("F|contains", "a" + "?" * 30 + "b"),
        ("F|contains", "a" * 450),
    ],
)
def test_refused_as_the_server_would(key: str, value: str) -> None:
    with pytest.raises(Refusal) as error:
        convert({"s": {key: value}, "condition": "s"})
    assert error.value.code == "SC203"


@pytest.mark.parametrize(
    ("key", "value"),
    [("F|re", "x" * 250), ("F|contains", "".join(map(str, range(1000)))), ("F", "a" * 100_000)],
)
def test_long_but_fine(key: str, value: str) -> None:
    convert({"s": {key: value}, "condition": "s"})


@pytest.mark.parametrize("key", ["F", "F|contains", "F|contains|all", "F|cased"])
def test_five_thousand_values(key: str) -> None:
    base = none_base({"s": {key: [f"value{n}" for n in range(5000)]}, "condition": "s"}, "eql")
    (draft,) = EqlBackend().event(base)
    assert draft.text.count("value") == 5000


def test_several_regexes_stay_apart() -> None:
    """Elasticsearch makes one automaton of a list, and that of these is too large."""
    patterns = [f"{letter}a.*{letter}b.*{letter}c" for letter in "defghijklmno"]
    text = convert({"s": {"F|re": patterns}, "condition": "s"})
    assert text.count(" regex ") == len(patterns)
    with pytest.raises(EngineError, match="Determinizing"):
        lucene_jvm.regexp("|".join(f".*{pattern}.*" for pattern in patterns))
