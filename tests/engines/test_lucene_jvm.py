"""Lucene's regexes and wildcards as Elasticsearch uses them."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from converter.engines import lucene_jvm
from converter.errors import EngineError

# pattern, case-insensitive, values that match, values that do not. Sources: Lucene 10 RegExp's javadoc,
# Elasticsearch's "Regular expression syntax" page.
REGEXES = [
    ("foo", False, ["foo"], ["xfoo", "foox", "Foo", ""]),
    ("foo", True, ["foo", "FOO", "fOo"], ["fo"]),
    # Lucene 8 to 10.1 fold ASCII only; the flag is CASE_INSENSITIVE, which folds more, since then.
    ("fé", True, ["Fé", "FÉ"], ["fe"]),
    (".*foo.*", False, ["foo", "a\nfoo\nb"], ["fo"]),
    ("^foo$", False, ["^foo$"], ["foo"]),
    ("a@b", False, ["ab", "axxb"], ["a"]),
    (r"a\@b", False, ["a@b"], ["ab", "axb"]),
    ("~a", False, ["b", ""], ["a"]),
    ("<1-5>", False, ["1", "5"], ["6", "<1-5>"]),
    ('"a.b"', False, ["a.b"], ["axb"]),
    ("a&b", False, [], ["a&b", "a", "b"]),
    ("(?i)a", False, [], ["a", "A"]),
    (r"\d+", False, ["12"], ["x"]),
    ("[😀-😂]x", False, ["😁x"], ["😅x"]),
    ("", False, [""], ["a"]),
]
WILDCARDS = [
    ("a*b", False, ["ab", "a\nb", "axxb"], ["abx", "Ab"]),
    ("?", False, ["a", "😀"], ["", "ab"]),
    (r"a\*\?\\", False, ["a*?\\"], ["ax?\\"]),
    ("a\\", False, ["a\\"], ["a"]),
    ("*PsExec*É", True, ["xpsexec.É"], ["xpsexec.é"]),
    ("", False, [""], ["a"]),
]


@pytest.mark.parametrize(("pattern", "fold", "yes", "no"), REGEXES)
def test_regexp(pattern: str, fold: bool, yes: list[str], no: list[str]) -> None:
    matches = lucene_jvm.regexp(pattern, fold)
    assert [value for value in yes + no if matches(value)] == yes


@pytest.mark.parametrize(("pattern", "fold", "yes", "no"), WILDCARDS)
def test_wildcard(pattern: str, fold: bool, yes: list[str], no: list[str]) -> None:
    matches = lucene_jvm.wildcard(pattern, fold)
    assert [value for value in yes + no if matches(value)] == yes


@pytest.mark.parametrize(
    ("pattern", "message"),
    [
        ("(", "end-of-string"),
        (r"\b", "invalid character class"),
        ("a" * 1001, r"length of regex \[1001\] .* maximum of \[1000\]"),
        ("😀" * 501, r"length of regex \[1002\]"),
        (".*a.{20}", "more than 10000 effort"),
    ],
)
def test_bad_regex(pattern: str, message: str) -> None:
    with pytest.raises(EngineError, match=message) as caught:
        lucene_jvm.regexp(pattern)
    assert caught.value.code == "SC402"


def test_length_limit_is_an_option() -> None:
    assert lucene_jvm.regexp("a" * 1001, max_length=None)("a" * 1001)


def test_half_a_surrogate_pair_is_a_character() -> None:
    assert lucene_jvm.regexp("a.")("a\ud800")


def test_two_processes_extract_at_once(tmp_path: object) -> None:
    """Nothing on stderr either: Java's warnings would spoil `verify`'s output."""
    code = "from converter.engines import lucene_jvm as jvm; print(jvm.regexp('a.')('ab'))"
    env = {**os.environ, "XDG_CACHE_HOME": str(tmp_path)}
    runs = [
        subprocess.Popen(
            [sys.executable, "-W", "error", "-c", code],
            env=env,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for _ in range(2)
    ]
    assert [run.communicate() for run in runs] == [("True\n", "")] * 2
