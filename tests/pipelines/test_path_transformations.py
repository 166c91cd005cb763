"""Paths in two fields, and values that platforms write otherwise: what is made of a rule's patterns.

The patterns and paths are enumerated: whatever a pattern matches as one text, its split must match in two.
"""

import fnmatch
import itertools
import re

import pytest
from sigma.conditions import ConditionAND, ConditionNOT, ConditionOR
from sigma.exceptions import SigmaError
from sigma.processing.pipeline import ProcessingPipeline
from sigma.rule import SigmaRule
from sigma.types import SigmaNull, SigmaNumber, SigmaRegularExpression, SigmaString

from converter.errors import PipelineError, Refusal
from converter.pipelines.transformations import catalogue

catalogue.register()


def tree(item, detection):
    rule = SigmaRule.from_dict(
        {
            "title": "t",
            "logsource": {"category": "x"},
            "detection": detection if "condition" in detection else {"s": detection, "condition": "s"},
        }
    )
    items = item if isinstance(item, list) else [item]
    ProcessingPipeline.from_dict({"transformations": items}).apply(rule)
    return rule.detection.parsed_condition[0].parsed


def holds(node, doc):
    if isinstance(node, ConditionAND):
        return all(holds(arg, doc) for arg in node.args)
    if isinstance(node, ConditionOR):
        return any(holds(arg, doc) for arg in node.args)
    if isinstance(node, ConditionNOT):
        return not holds(node.args[0], doc)
    return equal(node.value, doc.get(node.field))


def equal(wanted, stored):
    if isinstance(wanted, SigmaNull):
        return stored is None
    if stored is None:
        return False
    if isinstance(wanted, SigmaNumber):
        return str(stored) == str(wanted.number)
    if isinstance(wanted, SigmaRegularExpression):
        return re.search(str(wanted.regexp), stored, re.IGNORECASE) is not None
    assert isinstance(wanted, SigmaString)
    pattern = "".join(
        part if isinstance(part, str) else "*?"[part.name.endswith("SINGLE")] for part in wanted.s
    )
    return matches(pattern, stored)


def matches(pattern, text):
    return fnmatch.fnmatchcase(text.lower(), pattern.lower())


def split(at):
    only = [{"type": "include_fields", "fields": ["Path"]}]
    return {"type": "split_path", "before": "b", "after": "a", "at": at, "field_name_conditions": only}


TOKENS = ["x", "\\", "*", "?"]
PATTERNS = ["".join(one) for size in (1, 2, 3, 4) for one in itertools.product(TOKENS, repeat=size)]
TEXTS = ["", "x", "xx", "y"]
PATHS = {
    "last": [(f, n) for f in (*TEXTS[1:], "x\\x", "y\\x") for n in TEXTS[1:]],
    "first": [(f, n) for f in TEXTS[1:] for n in (*TEXTS[1:], "x\\x", "x\\y")],
    "any": [(f, n) for f in (*TEXTS[1:], "x\\x") for n in (*TEXTS[1:], "y\\x", "x\\x\\x")],
}


@pytest.mark.parametrize("at", PATHS)
def test_every_short_pattern_matches_the_two_fields_as_it_matches_the_path(at):
    tried = 0
    for pattern in PATTERNS:
        if re.search(r"\\[*?]|\\\\", pattern):
            continue  # Sigma's escapes.
        expected = [pair for pair in PATHS[at] if matches(pattern, "\\".join(pair))]
        try:
            parsed = tree(split(at), {"Path": pattern})
        except Refusal:
            assert expected == [], pattern
            continue
        got = [pair for pair in PATHS[at] if holds(parsed, {"b": pair[0], "a": pair[1]})]
        assert got == expected, pattern
        tried += 1
    assert tried > 60


def test_split_paths_in_lists_under_all_and_not():
    paths = [{"b": r"C:\A", "a": "x.exe"}, {"b": r"C:\B", "a": "x.exe"}, {"b": r"C:\A", "a": "y.exe"}]

    def got(detection):
        return [i for i, doc in enumerate(paths) if holds(tree(split("last"), detection), doc)]

    assert got({"Path": [r"C:\A\x.exe", r"C:\B\x.exe"]}) == [0, 1]
    assert got({"Path|contains|all": [r"\A\\", "x.exe"]}) == [0]
    assert got({"Path|neq": r"C:\A\x.exe"}) == [1, 2]
    assert got({"s": {"Path|endswith": r"\x.exe"}, "condition": "not s"}) == [2]
    assert got({"Path": None}) == []


@pytest.mark.parametrize("selection", [{"Path|re": "x"}, {"Path": 5}, {"Path": "no backslash"}])
def test_a_path_that_cannot_be_split_is_refused(selection):
    with pytest.raises(Refusal):
        tree(split("last"), selection)


def test_a_wrong_option_is_refused():
    with pytest.raises((PipelineError, SigmaError), match="first, last or any"):
        tree(split("middle"), {"Path": "x"})


@pytest.mark.parametrize(
    ("value", "name"),
    [
        *(("*\\a.exe", "a.exe"), ("*", "anything"), (r"*\\*.exe", "z.exe")),
        *((r"*\\?.exe", "z.exe"), ("*\\a.ex?", "a.exf")),
    ],
)
def test_a_file_name(value, name):
    parsed = tree({"type": "file_name_only"}, {"Path": value})
    assert holds(parsed, {"Path": name})
    assert not holds(parsed, {"Path": "y.dll" if value != "*" else None})


# A wildcard behind a part of the name can be a backslash: `*\\a?b.exe` is also `b.exe` in a folder `a`.
@pytest.mark.parametrize(
    "value",
    [
        *("C:\\a.exe", "*\\b\\a.exe", "a.exe", "*a.exe", "*\\a.exe*\\b"),
        *("*\\a*.exe", "*\\a?b.exe", "*\\a*", r"*\\*a*", r"*\\??.exe"),
        # Sysmon writes these without a folder: `*\\System` means a file of that name in one.
        *("*\\System", "*\\Regist??"),
    ],
)
def test_more_than_a_file_name_is_refused(value):
    with pytest.raises(Refusal, match="only the name"):
        tree({"type": "file_name_only"}, {"Path": value})


DEFAULTS = {"type": "registry_defaults", "path": "p", "root": "r", "key": "k"}


def test_default_values_without_a_path():
    keys = [("HKLM", "A"), ("HKLM", "A\\Run"), ("HKCU", "Run\\A")]
    patterns = ["*\\Run\\*", "*\\Run*", "HKLM\\*", "*(Default)", "HKLM\\A\\(Default)", "*\\A\\*", "*efault*"]
    patterns += ["*\\Run", "*", "HKLM\\A\\(D*t)", "*\\(Defaul?)", "*Run\\x*", "?KLM\\A*"]
    for pattern in patterns:
        parsed = tree(DEFAULTS, {"p": pattern.replace("\\*", "\\\\*")})
        for root, key in keys:
            wanted = matches(pattern, f"{root}\\{key}\\(Default)")
            assert holds(parsed, {"r": root, "k": key}) == wanted, (pattern, root, key)
            # With a path the path alone decides.
            path = f"{root}\\{key}\\Other"
            assert holds(parsed, {"r": root, "k": key, "p": path}) == matches(pattern, path), pattern


@pytest.mark.parametrize("default", [["", "(Default)"], [""], ["(Default)"]])
def test_default_values_without_a_name(default):
    """A default value's path ends in a backslash where the platform gives it an empty name."""
    item = {"type": "registry_roots", "roots": {"HKLM": "HKEY_LOCAL_MACHINE"}, "default": default}
    keys = ["HKLM\\A", "HKLM\\A\\Run", "HKCU\\Run\\A"]
    patterns = [
        "*\\Run\\*",
        "*\\Run*",
        "HKLM\\*",
        "*(Default)",
        "HKLM\\A\\(Default)",
        "*\\A\\*",
        "*efault*",
        "*",
    ]
    patterns += [
        "*\\Run",
        "HKLM\\A\\(D*t)",
        "*\\(Defaul?)",
        "*Run\\x*",
        "?KLM\\A*",
        "*\\Run\\(Default)*",
        "HKLM\\A\\(D*",
    ]
    patterns += [
        "*\\Run\\?",
        "*\\A\\Other",
        "*\\Run\\(default)",
        "*n\\(Default)*",
        "*\\*\\(Default)",
    ]
    for pattern in patterns:
        parsed = tree(item, {"p": pattern.replace("\\*", "\\\\*").replace("\\?", "\\\\?")})
        for key in keys:
            stored = key.replace("HKLM", "HKEY_LOCAL_MACHINE")
            wanted = matches(pattern.lower(), f"{key}\\(Default)".lower())
            if pattern == "?KLM\\A*":  # The roots of such a pattern are not known.
                continue
            for name in default:
                assert holds(parsed, {"p": f"{stored}\\{name}"}) == wanted, (pattern, key, name)
            other = matches(pattern.lower(), f"{key}\\Other".lower())
            assert holds(parsed, {"p": f"{stored}\\Other"}) == other, (pattern, key)


CASE = {"type": "by_case", "by": "Kind", "cases": {"in": "a", "out": "b"}}
CASE |= {"field_name_conditions": [{"type": "include_fields", "fields": ["Port"]}]}


def test_a_field_by_case():
    docs = [
        {"Kind": "in", "a": "1", "b": "2"},
        {"Kind": "out", "a": "2", "b": "1"},
        {"Kind": "else", "a": "1"},
    ]

    def got(detection):
        return [i for i, doc in enumerate(docs) if holds(tree(CASE, detection), doc)]

    assert got({"Port": "1"}) == [0, 1]
    assert got({"Port": ["2", "3"]}) == []
    assert got({"Kind": "out", "Port": "1"}) == [1]
    assert got({"Kind": ["in", "out"], "Port": "1"}) == [0, 1]
    assert got({"Port|neq": "1"}) == [2]
    assert got({"s": {"Port": "1"}, "condition": "not s"}) == [2]
    fixed = tree(CASE, {"Kind": "in", "Port": "1"})
    assert {leaf.field for leaf in fixed.args} == {"Kind", "a"}
    # The deciding field in another group says nothing about this one.
    assert got({"one": {"Kind": "in"}, "two": {"Port": "1"}, "condition": "one or two"}) == [0, 1]


def test_alternatives_and_numbers():
    parsed = tree({"type": "map_alternatives", "mapping": {"yes": ["A", "B"], "no": "C"}}, {"F": "YES"})
    assert [holds(parsed, {"F": one}) for one in "ABC"] == [True, True, False]
    with pytest.raises(Refusal, match="only yes, no"):
        tree({"type": "map_alternatives", "mapping": {"yes": "A", "no": "C"}}, {"F": "y*"})
    parsed = tree({"type": "hex_number"}, {"F": ["0x3E7", "12"]})
    assert [holds(parsed, {"F": one}) for one in (999, 12, 18)] == [True, True, False]
    with pytest.raises(Refusal, match="a number is stored"):
        tree({"type": "hex_number"}, {"F|startswith": "0x"})


@pytest.mark.parametrize(
    ("selection", "hits", "misses"),
    [
        ({"F": None}, [None, "null"], ["x"]),
        ({"F|exists": True}, [], ["null"]),
        ({"F": "*"}, ["x"], ["null"]),
        ({"F|contains": "ul"}, ["useful"], ["null"]),
        ({"F|contains|all": ["u", "l"]}, ["ul"], ["null"]),
        ({"F|contains": ["x", "ul"]}, ["x", "ul"], ["null"]),
        ({"F|contains": "text"}, ["a text"], ["null"]),
        ({"F|neq": None}, ["x"], ["null"]),
    ],
)
def test_a_text_for_no_value(selection, hits, misses):
    parsed = tree({"type": "null_text"}, selection)
    for value in hits:
        assert holds(parsed, {"F": value} if value is not None else {}), value
    if selection != {"F|exists": True}:
        assert not any(holds(parsed, {"F": value}) for value in misses)


@pytest.mark.parametrize(
    ("selection", "hits", "misses"),
    [
        ({"F": r"\a\b"}, [r'{"P":"\\a\\b"}', r'{"Q":1,"P":"\\A\\B","Z":2}'], [r'{"P":"\\a\\bc"}']),
        ({"F|startswith": r"\a"}, [r'{"P":"\\ab"}'], [r'{"P":"x\\a"}', r'{"Q":"\\ab"}']),
        ({"F|endswith": 'a"b'}, [r'{"P":"xa\"b"}'], [r'{"P":"xa\"b\"c"}', r'{"P":"x","Q":"a\"b"}']),
        ({"F|contains": ["x", "y"]}, ['{"P":"axa"}', '{"P":"y"}'], ['{"P":"z","Q":"x"}']),
        # RFC 8259, 7: a character may be as it is or as an escape.
        (
            {"F|contains": "a\u00e4"},
            ['{"P":"xa\u00e4y"}', '{"P":"xa\\u00e4y"}', '{"P":"xa\\u00E4y"}'],
            ['{"P":"xay"}', '{"P":"xa\\u00e5"}'],
        ),
        ({"F": 12}, ['{"P":12}', '{"P":12,"Q":1}'], ['{"P":123}', '{"P":"x"}']),
    ],
)
def test_a_property_in_json(selection, hits, misses):
    item = {"type": "json_text", "field": "J", "property": "P"}
    parsed = tree(item, selection)
    assert all(holds(parsed, {"J": text}) for text in hits)
    assert not any(holds(parsed, {"J": text}) for text in misses)


@pytest.mark.parametrize(
    "item",
    [
        split("any"),
        {"type": "json_text", "field": "Path", "property": "P"},
        {"type": "registry_roots", "roots": {"HKLM": "X"}},
        {"type": "url_host"},
        DEFAULTS,
    ],
)
def test_a_value_that_stands_for_several(item):
    # base64offset gives one value for the three offsets.
    parsed = tree(item, {"Path|base64offset|contains": "WriteProcessMemory"})
    assert isinstance(parsed, ConditionOR)
    assert len(parsed.args) >= 3


@pytest.mark.parametrize(
    "stored", ["host.example", "https://host.example/x", "host.example:443", "HOST.example"]
)
def test_a_host_in_a_url(stored):
    assert holds(tree({"type": "url_host"}, {"F": "host.example"}), {"F": stored})
    assert holds(tree({"type": "url_host"}, {"F|endswith": ".example"}), {"F": stored})
    assert not holds(tree({"type": "url_host"}, {"F": "other.example"}), {"F": stored})
    assert not holds(tree({"type": "url_host"}, {"F|endswith": ".exam"}), {"F": stored})


WHOLE = (
    *("C:\\a.exe", "C:\\xa.exe", "C:\\a\\b.exe", "C:\\d\\axb.exe", "C:\\ab.exe", "C:\\a\\x\\b.exe"),
    *(
        "D:\\e\\b.exe",
        "C:\\a.exf",
        "\\\\s\\d\\a.exe",
        "C:\\d\\xb.exe",
        "C:\\b.exe",
        "C:\\z\\a",
        "C:\\a\\z.dll",
    ),
)
EXACT = ("*\\a.exe", "*a.exe", "*b.exe", "*\\a.ex?", r"*\\*.exe", r"*\\?b.exe", "*?b.exe", "*??b.exe")
OF_FOLDERS = ("*\\a?b.exe", "*a?b.exe", "*\\a*.exe", "*a*b.exe", "*\\a*", "*x?b.exe", "*?a?b.exe")


@pytest.mark.parametrize("value", [*EXACT, *OF_FOLDERS])
def test_a_base_name_says_what_the_path_says(value):
    """What the item without a loss takes selects the same paths; what it leaves is for the narrower one."""

    def selected(loss):
        parsed = tree({"type": "base_name", "to": "Name", "loss": loss}, {"Path": value})
        docs = [{"Name": path.rpartition("\\")[2], "Path": "not mapped"} for path in WHOLE]
        return [path for path, doc in zip(WHOLE, docs, strict=True) if holds(parsed, doc)]

    signs = {"*": ".*", "?": "."}
    pattern = "".join(signs.get(char, re.escape(char)) for char in value.replace("\\\\", "\\"))
    meant = [path for path in WHOLE if re.fullmatch(pattern, path)]
    assert meant
    if value in EXACT:
        assert selected("none") == meant
    else:
        assert selected("none") == []
        assert set(selected("narrower")) < set(meant)
