"""Bad input gets one clear line with its place, and the rules beside it are still loaded."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from converter.errors import RuleError
from converter.files import yaml_source
from converter.rules import loading
from converter.rules.emitted import emitted_rules

GOOD = """\
title: Good
id: 11111111-1111-4111-8111-111111111111
logsource: {category: process_creation, product: windows}
detection:
    selection:
        Image|endswith: '\\x.exe'
    condition: selection
"""

BOMB = "a: &a [x, x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{chr(98 + n)}: &{chr(98 + n)} [{', '.join([f'*{chr(97 + n)}'] * 10)}]\n" for n in range(8)
)

# What stands for the detection; the error.
PARTS = {
    "{s: {F: []}, condition: s}": ":3:17: SC103 'F' has no value (write a value, or null)",
    "{s: {}, condition: s}": ":3:13: SC103 's' is empty (write fields and values, or remove it)",
    "{s: null, condition: s}": ":3:13: SC103 's' is empty (write fields and values, or remove it)",
    "{s: [], condition: s}": ":3:13: SC103 's' is empty (write fields and values, or remove it)",
    "{s: [a, null], condition: s}": ":3:20: SC103 null in 's' needs a field",
    "{s: {on: a}, condition: s}": ":3:13: SC103 the name of a field is text, not true (put it into quotes)",
    "{s: {F: 2024-01-01}, condition: s}": ":3:17: SC113 a value of 'F' cannot be a date (put it into quotes)",
    "{s: {F: .nan}, condition: s}": ":3:17: SC113 a value of 'F' cannot be nan (put it into quotes)",
    "{s: {F: {a: b}}, condition: s}": (
        ":3:17: SC113 a value of 'F' cannot be a mapping (write a list of texts or numbers)"
    ),
    "{s: [{G: a}, {F|re: 'a(b'}], condition: s}": (
        ":3:26: SC113 Regular expression 'a(b' is invalid: missing ), unterminated subpattern at position 1"
    ),
    "{s: {F|windash: '-a -b -c -d -e -f'}, condition: s}": (
        ":3:17: SC113 'windash' has 6 dashes to vary: more than 5"
    ),
    "{1: {F: a}, condition: 1}": ":3:24: SC105 a condition is text, not 1 (put it into quotes)",
    "{s: {F: a}, condition: ''}": ":3:24: SC105 the condition is empty",
    "{s: {F: a}, condition: s and}": ":3:24: SC105 's and' is no condition",
    "{s: {F: a}, condition: (s}": ":3:24: SC105 the condition's parentheses do not match",
    "{s: {F: a}, condition: s | count() > 5}": (
        ":3:24: SC105 aggregations with '|' are no longer part of conditions (write a correlation rule)"
    ),
}
# What is in the file; the error as printed after the file's name.
BAD: dict[str, tuple[bytes, str]] = {
    "condition outside detection": (
        b"title: x\nlogsource: {category: c}\ndetection:\n    sel: {A: b}\ncondition: sel\n",
        ":5:1: SC104 'condition' is outside 'detection' (indent it as a key of 'detection')",
    ),
    "unknown modifier": (
        b"title: x\nlogsource: {category: c}\ndetection:\n    sel:\n        A|endswith: b\n"
        b"        B|endwith: c\n    condition: sel\n",
        ":6:9: SC102 unknown modifier 'endwith' (did you mean 'endswith'?)",
    ),
    "unknown selection": (
        b"title: x\nlogsource: {category: c}\ndetection:\n    selection: {A: b}\n    condition: selektion\n",
        ":5:5: SC105 Detection 'selektion' not defined in detections (did you mean 'selection'?)",
    ),
    "broken YAML": (
        b"title: x\n  detection: {\n",
        ":2:12: SC101 mapping values are not allowed in this context",
    ),
    "key twice": (b"title: x\ntitle: y\n", ":2:1: SC108 key 'title' stands twice"),
    "no title": (
        b"logsource: {category: c}\ndetection: {sel: {A: b}, condition: sel}\n",
        ":1:1: SC103 a rule needs a title",
    ),
    "no logsource": (
        b"title: x\ndetection: {sel: {A: b}, condition: sel}\n",
        ":1:1: SC103 'logsource' needs a category, a product or a service",
    ),
    "no condition": (
        b"title: x\nlogsource: {category: c}\ndetection: {sel: {A: b}}\n",
        ":3:1: SC103 'detection' needs a 'condition'",
    ),
    "list": (b"- a\n- b\n", ":1: SC106 a rule is a mapping of keys to values"),
    "empty": (b"", ": SC106 holds no rule"),
    "binary": (b"title: \x00\x01\n", ":1:8: SC101 character U+0000 is not allowed in YAML"),
    "not UTF-8": (b"title: caf\xe9\n", ":1:11: SC107 is not UTF-8"),
    "UTF-16": (
        "title: x\n".encode("utf-16"),
        ":1:1: SC107 is not UTF-8 (looks like UTF-16: save it as UTF-8)",
    ),
    "bomb": (BOMB.encode(), ": SC109 more than 500,000 values after its aliases are expanded"),
    "too large": (b"#" * (yaml_source.MAX_BYTES + 1), ": SC107 larger than 4 MiB"),
    "deep": (b"a: " + b"[" * 200 + b"]" * 200, ": SC109 nested more than 100 levels deep"),
    "correlation of nothing": (
        b"title: x\ncorrelation:\n    type: event_count\n    rules: [a]\n    timespan: 5x\n",
        ":5:5: SC112 '5x' is no timespan: write a whole number and s, m, h or d, such as 10m",
    ),
    "a tab": (
        b"title: x\nlogsource:\n\tcategory: c\n",
        ":3:1: SC101 found character that cannot start any token (a tab: YAML indents with spaces)",
    ),
    "a merge key": (
        b"a: &a {b: c}\nd: {<<: *a}\n",
        ":2:5: SC101 merge keys ('<<') are no part of Sigma (write the keys out)",
    ),
    "an id that is a number": (
        b"title: x\nid: 12\n",
        ":2:1: SC113 an id is a UUID, not 12 (write one as uuidgen does)",
    ),
    **{
        part: (f"title: x\nlogsource: {{category: c}}\ndetection: {part}\n".encode(), PARTS[part])
        for part in PARTS
    },
    "bad level": (GOOD.encode() + b"level: hihg\n", ":8:1: SC113 'hihg' is not a valid Sigma rule level"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_file_is_one_line_and_others_are_loaded(name: str, tmp_path: Path) -> None:
    content, message = BAD[name]
    (tmp_path / "bad.yml").write_bytes(content)
    (tmp_path / "good.yml").write_text(GOOD)
    loaded = loading.load([tmp_path])
    assert [rule.title for rule in loaded.rules] == ["Good"]
    assert [str(error) for error in loaded.errors] == [f"{(tmp_path / 'bad.yml').as_posix()}{message}"]
    assert loaded.failed_files == ["bad.yml"]


def test_what_is_no_file_is_one_line_and_others_are_loaded(tmp_path: Path) -> None:
    """A link to nothing may be a rule that someone misses; a pipe would wait for a writer."""
    (tmp_path / "a.yml").symlink_to("nowhere")
    (tmp_path / "b.yml").symlink_to("b.yml")
    os.mkfifo(tmp_path / "c.yml")
    (tmp_path / "d.YML").write_text(GOOD)
    loaded = loading.load([tmp_path])
    assert [rule.title for rule in loaded.rules] == ["Good"]
    assert [str(error).removeprefix(f"{tmp_path.as_posix()}/") for error in loaded.errors] == [
        "a.yml: SC107 cannot be read: No such file or directory (the link points to nothing)",
        "b.yml: SC107 cannot be read: Too many levels of symbolic links (the link points to nothing)",
        "c.yml: SC107 is a pipe, not a file",
    ]


def test_a_folder_that_cannot_be_read_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its rules would be missing, and what they gave would be removed, without a word."""
    (tmp_path / "closed").mkdir()
    (tmp_path / "closed" / "a.yml").write_text(GOOD)
    (tmp_path / "good.yml").write_text(GOOD)
    real = os.scandir

    def scandir(folder: str) -> object:
        if str(folder).endswith("closed"):
            raise PermissionError(13, "Permission denied", folder)
        return real(folder)

    monkeypatch.setattr(os, "scandir", scandir)  # Root may read what nobody else may.
    loaded = loading.load([tmp_path])
    assert [rule.relative for rule in loaded.rules] == ["good.yml"]
    assert [error.file for error in loaded.errors] == [(tmp_path / "closed").as_posix()]
    assert loaded.failed_files == ["closed"]


def test_missing_path() -> None:
    with pytest.raises(RuleError, match=r"^no-such-folder: SC107 does not exist$"):
        loading.load([Path("no-such-folder")])


def test_folder_named_like_a_rule(tmp_path: Path) -> None:
    (tmp_path / "folder.yml").mkdir()
    (tmp_path / "folder.yml" / "good.yml").write_text(GOOD)
    assert [rule.relative for rule in loading.load([tmp_path]).rules] == ["folder.yml/good.yml"]


def test_duplicate_id_is_an_error(tmp_path: Path) -> None:
    for name in ("a.yml", "b.yml"):
        (tmp_path / name).write_text(GOOD)
    loaded = loading.load([tmp_path])
    assert [rule.relative for rule in loaded.rules] == ["a.yml"]
    assert [error.code for error in loaded.errors] == ["SC110"]
    assert loaded.errors[0].line == 2


CORRELATION = """\
title: Many
correlation:
    type: event_count
    rules: [base]
    timespan: 5m
    condition: {gte: 3}
"""


def test_base_rules_are_found_in_the_root_and_not_emitted(tmp_path: Path) -> None:
    root = tmp_path / "sigma"
    (root / "a").mkdir(parents=True)
    (root / "b").mkdir()
    (root / "a" / "base.yml").write_text(GOOD + "name: base\n")
    (root / "b" / "many.yml").write_text(CORRELATION)
    loaded = loading.load([root / "b" / "many.yml"])
    assert [rule.title for rule in emitted_rules(loaded)] == ["Many"]
    assert [rule.title for rule in loaded.closure(loaded.rules[0])] == ["Good", "Many"]
    assert loaded.rules[0].relative == "b/many.yml"
    assert [rule.title for rule in emitted_rules(loading.load([root]))] == ["Many"]
    # pySigma reads it inside `correlation`, the specification's schema has it beside.
    for text in (
        CORRELATION.replace("rules: [base]", "rules: [base]\n    generate: true"),
        CORRELATION + "generate: true\n",
    ):
        (root / "b" / "many.yml").write_text(text)
        assert sorted(rule.title for rule in emitted_rules(loading.load([root]))) == ["Good", "Many"]


def test_reference_to_nothing_and_in_a_circle(tmp_path: Path) -> None:
    file = tmp_path / "many.yml"
    file.write_text(CORRELATION)
    loaded = loading.load([file])
    with pytest.raises(RuleError, match=r"many\.yml:4:13: SC111 no rule has the name or id 'base'"):
        loaded.closure(loaded.rules[0])
    file.write_text(CORRELATION + "name: base\n")
    loaded = loading.load([file])
    assert [str(error) for error in loaded.errors] == [f"{file}:4:5: SC112 the correlation refers to itself"]
    assert loaded.rules == []


def test_a_circle_of_two_is_an_error_of_both(tmp_path: Path) -> None:
    """Each only serves the other, so neither would be converted, and nothing said."""
    for one, other in (("a", "b"), ("b", "a")):
        (tmp_path / f"{one}.yml").write_text(CORRELATION.replace("base", other) + f"name: {one}\n")
    (tmp_path / "good.yml").write_text(GOOD)
    loaded = loading.load([tmp_path])
    assert {error.code for error in loaded.errors} == {"SC112"}
    assert loaded.failed_files == ["a.yml", "b.yml"]
    assert [rule.title for rule in emitted_rules(loaded)] == ["Good"]


OTHER = GOOD.replace("11111111-", "22222222-")
NAMELESS = GOOD.replace("id: 11111111-1111-4111-8111-111111111111\n", "")


@pytest.mark.parametrize(
    ("files", "clash"),
    [
        ({"a.yml": GOOD, "a.yaml": OTHER}, ["a.yaml", "a.yml"]),
        ({"x/a.yml": GOOD, "a.yaml": OTHER, "A.yml": NAMELESS}, []),
        ({"a.yml": f"{NAMELESS}---\n{NAMELESS}"}, ["a.yml", "a.yml"]),
        ({"a.yml": f"{NAMELESS}---\n{GOOD}"}, []),
        ({"a.yml": f"{GOOD}name: b c\n---\n{OTHER}name: b_c\n"}, ["a.yml", "a.yml"]),
        ({"a.yml": f"{GOOD}name: b\n---\n{OTHER}name: c\n", "a.b.yml": NAMELESS}, ["a.b.yml", "a.yml"]),
    ],
)
def test_rules_whose_queries_would_have_one_file(
    tmp_path: Path, files: dict[str, str], clash: list[str]
) -> None:
    """One would replace the other without a word: both are errors, and what they gave before stays."""
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    loaded = loading.load([tmp_path])
    assert sorted(error.file or "" for error in loaded.errors) == [f"{tmp_path}/{name}" for name in clash]
    assert {error.code for error in loaded.errors} <= {"SC110"}
    assert sorted(loaded.failed_files) == clash
    assert not {rule.relative for rule in loaded.rules} & ({*clash} - {"a.yml"})
