"""Any value is only a value: it cannot change the structure of its search, nor what that selects."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from converter.backends.spl import SplBackend
from converter.engines.spl import SplEngine, split
from converter.errors import Refusal
from converter.events.stored import Stored
from converter.matcher import compile_detection
from converter.plan.columns import Column
from tests.support import none_base

# What SPL, its regular expressions and Sigma give a meaning; letters whose case folds; digits; a subnet.
HOSTILE = [
    *("\\", '"', "'", "|", "`", "```", "$", "%", "*", "?", "[", "]", "(", ")", "{", "}", "\n", "\r\n", "\t"),
    *("\x00", "\x7f", "\u2028", "é", "ß", "日本", "😀", " ", "", "a", "B", "1", "0", ".", "-", "/24"),
    *("10.0.0.0", " OR ", " AND ", "NOT ", "#", "^", "=", ",", ";", "<", ">", "~", "@", "&", "_", ":"),
    *("\\*", "\\?", "\\\\"),
]
TEXT = st.lists(st.sampled_from(HOSTILE), max_size=5).map("".join)
MODIFIERS = st.sampled_from(
    ["", "|contains", "|startswith", "|endswith", "|cased", "|contains|cased", "|contains|all"]
)


def stored(events: list[dict[str, Any]]) -> list[Stored]:
    return [Stored(number, "Events", event) for number, event in enumerate(events)]


def agree(detection: dict[str, Any], events: list[dict[str, Any]]) -> str:
    matches = compile_detection(detection)
    (draft,) = SplBackend().event(none_base(detection, "spl"))
    SplEngine().validate(draft.text, {})
    found = sorted(SplEngine().load(stored(events), {}).run(draft.text).events)
    assert found == [number for number, event in enumerate(events) if matches(event)], draft.text
    return draft.text


@settings(max_examples=400, derandomize=True, deadline=None)
@given(
    values=st.lists(TEXT, min_size=1, max_size=3),
    others=st.lists(TEXT, max_size=3),
    modifiers=MODIFIERS,
    negated=st.booleans(),
    mixed=st.booleans(),
)
@example(["C:\\"], [], "|startswith", False, False)
@example(["a\\"], ["a"], "", False, True)
@example(["10.0.0.0/24"], ["10.0.0.7"], "", False, False)
@example(["007"], ["7", "07"], "|cased", True, True)
def test_a_value_selects_what_it_means(
    values: list[str], others: list[str], modifiers: str, negated: bool, mixed: bool
) -> None:
    # A regex beside it sends the whole OR to `where`.
    key = f"F{modifiers}"
    item = {key: values} if mixed or len(values) > 1 else {key: values[0]}
    detection: dict[str, Any] = {"s": item, "condition": "s"}
    if mixed:
        detection |= {"r": {"G|re": "^never$"}, "condition": "s or r"}
    if negated:
        detection["condition"] = f"not ({detection['condition']})"
    plain = [value.replace("\\*", "*").replace("\\?", "?").replace("\\\\", "\\") for value in values]
    upper = [one.upper() for one in plain if one.isascii()]
    texts = [*plain, *values, *others, *(f"x{one}y" for one in plain), *upper]
    agree(detection, [*({"F": text} for text in texts), {"G": "x"}, {"F": "x", "G": "never"}])


@pytest.mark.parametrize("operator", ["lt", "lte", "gt", "gte"])
@pytest.mark.parametrize("negated", [False, True])
def test_a_text_for_no_value_is_no_number(operator: str, negated: bool) -> None:
    """`search` compares it as a text: "null" would be greater than any number."""
    detection = {"s": {f"F|{operator}": 1024}, "condition": "not s" if negated else "s"}
    base = none_base(detection, "spl")
    base = replace(base, columns={"F": Column("number", null="null")})
    (draft,) = SplBackend().event(base)
    events = [{"F": "null"}, {"F": "5"}, {"F": "1024"}, {"F": "2000"}, {}]
    found = sorted(SplEngine().load(stored(events), {}).run(draft.text).events)
    matches = compile_detection(detection)
    numbers = [{name: int(text) for name, text in event.items() if text != "null"} for event in events]
    assert found == [number for number, event in enumerate(numbers) if matches(event)], draft.text


@settings(max_examples=200, derandomize=True, deadline=None)
@given(values=st.lists(TEXT, min_size=2, max_size=4), modifiers=MODIFIERS)
def test_a_value_does_not_change_the_structure(values: list[str], modifiers: str) -> None:
    # A value of stars alone asks only whether the field is there.
    assume(all(value.strip("*") for value in values))

    def shape(given: list[str]) -> list[str]:
        detection = {"s": {f"F{modifiers}": given, "G|re": "x"}, "condition": "s"}
        (draft,) = SplBackend().event(none_base(detection, "spl"))
        return [command.split(" ", 1)[0] for command in split.commands(draft.text)[1:]]

    # Two texts that are what they are in `search`, or two with a wildcard of `where`'s.
    assert shape(values) in (shape(["abc", "def"]), shape(["a?c", "d?f"]))


@settings(max_examples=200, derandomize=True, deadline=None)
@given(words=st.lists(TEXT, min_size=1, max_size=2), others=st.lists(TEXT, max_size=2))
def test_a_keyword_is_sought_in_any_field(words: list[str], others: list[str]) -> None:
    assume(all(word.strip("*?") for word in words))
    # A keyword with a line break is not found across the lines of an event's text.
    assume(not any(set(word) & set("\n*?") for word in words))
    detection = {"s": words, "condition": "s"}
    texts = [*words, *others, *(f"x{word}y" for word in words)]
    agree(detection, [{"F": text, "G": "z"} for text in texts if "\n" not in text])


NAMES = ["a", "B", ".", "-", " ", ":", "{}", "@", "1", "_", "AND", "not", "(", ")", "="]
FIELD = st.lists(st.sampled_from(NAMES), min_size=1, max_size=4)


@settings(max_examples=200, derandomize=True, deadline=None)
@given(parts=FIELD)
def test_a_field_name_is_only_a_name(parts: list[str]) -> None:
    name = "".join(parts).strip()
    assume(name)
    for detection in (
        {"s": {name: "x"}, "condition": "s"},
        {"s": {name: "x?"}, "condition": "not s"},
        {"s": {name: None, "F": "y"}, "condition": "s"},
        {"s": {f"{name}|re": "^x"}, "condition": "s"},
    ):
        agree(detection, [{name: "x"}, {name: "xx"}, {"F": "y"}, {name: "y", "F": "y"}, {"a": "x"}])


@pytest.mark.parametrize("name", ['a"b', "a'b", "a\\b", "a*b", "a`b", "a\nb"])
def test_a_field_name_that_spl_cannot_write_is_refused(name: str) -> None:
    with pytest.raises(Refusal, match="SC201"):
        SplBackend().event(none_base({"s": {name: "x"}, "condition": "s"}, "spl"))


@settings(max_examples=100, derandomize=True, deadline=None)
@given(lines=st.lists(TEXT, max_size=3))
def test_a_comment_ends_where_it_ends(lines: list[str]) -> None:
    header = SplBackend().comment(lines)
    assert split.commands(f"{header}F=x") == ["F=x"]


def test_long_lists_and_values() -> None:
    detection = {"s": {"F": [f"value{number}" for number in range(5000)]}, "condition": "s"}
    agree(detection, [{"F": "value4999"}, {"F": "value5000"}])
    detection = {"s": {"F": [f"v?{number}" for number in range(5000)]}, "condition": "s"}
    agree(detection, [{"F": "vx4999"}, {"F": "v4999"}])
    agree({"s": {"F": "x" * 100_000}, "condition": "s"}, [{"F": "x" * 100_000}, {"F": "x"}])


@pytest.mark.parametrize(
    ("part", "number"),
    [("minute", 6), ("hour", 5), ("day", 5), ("week", 10), ("month", 3), ("year", 2024), ("hour|gte", 23)],
)
def test_parts_of_a_time_that_is_an_epoch_number(part: str, number: int) -> None:
    seconds = 1_709_615_160  # 2024-03-05T05:06:00Z
    around = [seconds + step for step in (-1, 0, 59, 60, 3600, 18 * 3600, 86_400, 7 * 86_400, 300 * 86_400)]
    texts = [str(one) for one in around] + [f"{one}.5" for one in around] + [f"{one}250" for one in around]
    values = [*texts, "99999999999", "100000000000", "0", "17096151.6.0", "-", "1e9"]
    agree({"s": {f"F|{part}": number}, "condition": "s"}, [{"F": one} for one in values] + [{"G": "x"}])
