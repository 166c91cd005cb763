r"""The text itself: what an engine cannot see is how it reads, and small things are easiest to check here.

The style is that of Elastic's own rules (elastic/detection-rules): the event category where it is known,
`:` with lists, `==` and `in` where case plays no part, one condition a line, no parentheses without need.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import yaml

from converter.backends.eql import EqlBackend
from converter.errors import Refusal
from converter.plan.columns import Column
from tests.support import none_base

COLUMNS = {
    **{
        name: Column("keyword")
        for name in ("name", "path", "args", "code", "cs-uri", "any", "a.where.b", "x..y")
    },
    "rare": Column("keyword", optional=True),
    "pid": Column("long"),
    "score": Column("double"),
    "ok": Column("boolean"),
    "ip": Column("ip"),
    "at": Column("date"),
    "body": Column("text"),
}


def emitted(detection: str | dict[str, Any], **state: str) -> str:
    found = yaml.safe_load(detection) if isinstance(detection, str) else detection
    base = replace(none_base(found, "eql"), columns=COLUMNS, state=state)
    (draft,) = EqlBackend().event(base)
    return draft.text


ONE = [
    ("name: a", 'name : "a"'),
    ("name: [a, b, a]", 'name : ("a", "b")'),
    ("code: '1'", 'code == "1"'),
    ("code: ['1', '2']", 'code in ("1", "2")'),
    ("code: ['1', b]", 'code : ("1", "b")'),
    ("code: 1", 'code == "1"'),
    ("code: true", 'code : "true"'),
    ("name: ''", 'name == ""'),
    ("name: null", "name == null"),
    ("name: '*'", "name != null"),
    ("name: 'a**b?'", 'name : "a*b?"'),
    (r"name: 'a\*b'", r'name regex~ """a\*b"""'),
    (r"name: '1\*'", 'name == "1*"'),
    ("name|contains: a", 'name : "*a*"'),
    ("name|contains|all: [a, b]", 'name : "*a*" and name : "*b*"'),
    ("name|cased: [a, B]", 'name in ("a", "B")'),
    ("name|cased|contains: B", 'name like "*B*"'),
    ("name|re: 'a.c$'", r'name regex ".*a[^\n]c\n?"'),
    ("name|re|i: 'ac'", 'name regex~ ".*ac.*"'),
    ("name|re: ['ab', 'cd']", 'name regex ".*ab.*" or name regex ".*cd.*"'),
    ("name|exists: true", "name != null"),
    ("name|exists: false", "name == null"),
    ("name|cidr: 10.2.0.0/31", r'name regex """10\.2\.0\.(0|1)"""'),
    ("rare: a", '?rare : "a"'),
    ("rare: null", "?rare == null"),
    ("cs-uri: a", '`cs-uri` : "a"'),
    ("any: a", '`any` : "a"'),
    ("a.where.b: a", 'a.`where`.b : "a"'),
    ("x..y: a", '`x..y` : "a"'),
    ("pid: 4", "pid == 4"),
    ("pid: [4, -5]", "pid in (4, -5)"),
    ("pid: '4'", "pid == 4"),
    ("pid|startswith: '44'", 'string(pid) : "44*"'),
    ("pid|lt: 4", "pid < 4"),
    ("pid|lte: 4", "pid <= 4"),
    ("pid|gt: 4", "pid > 4"),
    ("pid|gte: 4", "pid >= 4"),
    ("pid: '*'", "pid != null"),
    ("score: 1.5", "score == 1.5"),
    ("ok: true", "ok == true"),
    ("ok: 'FALSE'", "ok == false"),
    ("ip: 10.0.0.1", 'ip == "10.0.0.1"'),
    ("ip: [10.0.0.1, '::1']", 'cidrMatch(ip, "10.0.0.1/32", "::1/128")'),
    ("ip|startswith: '10.'", 'cidrMatch(ip, "10.0.0.0/8")'),
    ("ip|startswith: '10.25'", 'cidrMatch(ip, "10.25.0.0/16", "10.250.0.0/15", "10.252.0.0/14")'),
    ("ip|startswith: 'fe80:'", 'cidrMatch(ip, "fe80::/16")'),
    # Elasticsearch keeps IPv4 in ::ffff:0:0/96: the other half of a network that holds it.
    ("ip|cidr: '::fffe:0:0/95'", 'cidrMatch(ip, "::fffe:0:0/96")'),
    ("name|cidr: '::1/128'", 'name : "::1"'),
    ("name|cidr: 'a12b::/16'", 'name regex "[Aa]12[Bb]:[0-9A-Fa-f:.]*(%.+)?"'),
    ("ip|cidr: 'fc00::/7'", 'cidrMatch(ip, "fc00::/7")'),
    ("at: '2026-01-01'", 'at == "2026-01-01"'),
]


@pytest.mark.parametrize(("item", "condition"), ONE, ids=[item for item, _ in ONE])
def test_condition(item: str, condition: str) -> None:
    assert emitted(f"s: {{{item}}}\ncondition: s") == f"any where {condition}"


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("\n", r'"\n"'),
        ("\r\t", r'"\r\t"'),
        ("\b\f", r'"\b\f"'),
        ('"', r'"\""'),
        ("\\", r'"\\"'),
        ("\x00", r'"\u{0000}"'),
        ("\u2028", r'"\u{2028}"'),
        ("ä", '"ä"'),
        ("😀", '"😀"'),
    ],
)
def test_string(value: str, shown: str) -> None:
    assert emitted({"s": {"name": value}, "condition": "s"}) == f"any where name == {shown}"


CONDITIONS = [
    ("a and b", 'name : "a" and name : "b"'),
    ("a or b", 'name : ("a", "b")'),
    ("a or c", 'name : "a" or path : "c"'),
    ("not a", 'not name : "a"'),
    ("not n", 'code != "1"'),
    ("not m", 'not code in ("1", "2")'),
    ("not (a or c)", 'not name : "a" and not path : "c"'),
    ("not (a and c)", 'not (name : "a" and path : "c")'),
    ("not not a", 'name : "a"'),
    ("a and (b or c)", 'name : "a" and (name : "b" or path : "c")'),
    ("(a and c) or b", 'name : "a" and path : "c" or name : "b"'),
    ("a and (c and b)", 'name : "a" and path : "c" and name : "b"'),
    ("a and a", 'name : "a"'),
    ("a and not x", 'name : "a" and path != null'),
]


@pytest.mark.parametrize(("condition", "shown"), CONDITIONS, ids=[condition for condition, _ in CONDITIONS])
def test_parentheses(condition: str, shown: str) -> None:
    rule = {
        "a": {"name": "a"},
        "b": {"name": "b"},
        "c": {"path": "c"},
        "n": {"code": "1"},
        "m": {"code": ["1", "2"]},
        "x": {"path": None},
        "condition": condition,
    }
    assert emitted(rule) == f"any where {shown}"


def test_layout() -> None:
    rule = r"""
    parent: {name: wuauclt.exe, code: '1'}
    folder:
      path:
        - '?:\Windows\SoftwareDistribution\Download\Install\\*'
        - '\Device\HarddiskVolume?\Windows\SoftwareDistribution\Download\Install\\*'
    psexec: [{name: psexec64.exe}, {rare: psexec.c}]
    filter_a: {path|contains: [/one/, /two/, /three/, /four/, /five/, /six/, /seven/, /eight/, /nine/]}
    filter_b: {args: [x, y], name: z}
    condition: parent and folder and psexec and not 1 of filter_*
    """
    assert emitted(rule, eql_category="process") == "\n".join(
        [
            "process where",
            '  name : "wuauclt.exe" and',
            '  code == "1" and',
            "  path : (",
            r'    "?:\\Windows\\SoftwareDistribution\\Download\\Install\\*",',
            r'    "\\Device\\HarddiskVolume?\\Windows\\SoftwareDistribution\\Download\\Install\\*"',
            "  ) and",
            '  (name : "psexec64.exe" or ?rare : "psexec.c") and',
            "  not path : (",
            '    "*/one/*", "*/two/*", "*/three/*", "*/four/*", "*/five/*", "*/six/*", "*/seven/*", '
            '"*/eight/*",',
            '    "*/nine/*"',
            "  ) and",
            '  not (args : ("x", "y") and name : "z")',
        ]
    )


def test_layout_of_or_with_long_parts() -> None:
    long = ["a" * 40, "b" * 40, "c" * 40]
    rule = {
        "x": {"name": long[0], "path": long[1], "args": long[2]},
        "y": {"code": "1", "rare": "r"},
        "condition": "x or y",
    }
    assert emitted(rule) == "\n".join(
        [
            "any where",
            "  (",
            f'    name : "{long[0]}" and',
            f'    path : "{long[1]}" and',
            f'    args : "{long[2]}"',
            "  ) or",
            '  code == "1" and ?rare : "r"',
        ]
    )


@pytest.mark.parametrize("category", [None, "my category", "a\nb", '"x"', ""])
def test_category_that_eql_cannot_name(category: str | None) -> None:
    state = {} if category is None else {"eql_category": category}
    assert emitted({"s": {"name": "a"}, "condition": "s"}, **state) == 'any where name : "a"'


def test_comment() -> None:
    assert EqlBackend().comment(["a  b", "c\nany where true", "", "d\r\u2028e"]) == (
        "// a b\n// c any where true\n//\n// d e\n"
    )
    assert EqlBackend().comment([]) == ""


REFUSED = [
    ("name|fieldref: path", "SC201", "KQL and SPL"),
    ("at|hour: 3", "SC201", "KQL and SPL"),
    ("name|re: '(?=a)b'", "SC202", "lookahead"),
    ("name|lt: 4", "SC204", "KQL and SPL"),
    ("name|cidr: '2001:db8::/48'", "SC204", "zeros"),
    ("ip|cidr: '::ffff:10.0.0.0/104'", "SC204", "IPv4"),
    ("pid|cidr: 'fe80::/10'", "SC204", "ip"),
    ("pid: abc", "SC204", "long"),
    ("pid: '007'", "SC204", "long"),
    ("pid: '1_0'", "SC204", "long"),
    ("pid: true", "SC204", "long"),
    ("ok: 1", "SC204", "boolean"),
    ("ok: maybe", "SC204", "boolean"),
    ("ip|contains: '10.'", "SC204", "ip"),
    ("ip|startswith: '1'", "SC204", "ip"),
    ("ip: localhost", "SC204", "ip"),
    ("ip|re: '10'", "SC204", "ip"),
    ("ip: 5", "SC204", "ip"),
    ("at|contains: '2026'", "SC204", "date"),
    ("at: yesterday", "SC204", "date"),
    ("at: '2026-13-01'", "SC204", "date"),
    ("body: a", "SC204", "text"),
    ("body: null", "SC204", "text"),
    ("nowhere: a", "SC204", "column list"),
    ("name|expand: '%x%'", "SC206", "placeholder"),
    ("name|re|expand: 'a%x%'", "SC206", "placeholder"),
]


@pytest.mark.parametrize(("item", "code", "word"), REFUSED, ids=[item for item, _, _ in REFUSED])
def test_refused(item: str, code: str, word: str) -> None:
    with pytest.raises(Refusal) as error:
        emitted(f"s: {{{item}}}\ncondition: s")
    assert error.value.code == code
    assert word in str(error.value)


@pytest.mark.parametrize("negated", [False, True])
def test_keywords(negated: bool) -> None:
    base = none_base({"k": ["foo", "b*r"], "condition": "not k" if negated else "k"}, "eql")
    with pytest.raises(Refusal, match="SC201"):
        EqlBackend().event(base)
    few = {"name": Column("keyword"), "pid": Column("long"), "rare": Column("wildcard", optional=True)}
    (draft,) = EqlBackend().event(replace(base, columns=few))
    values = '("*foo*", "*b*r*")'
    written = {
        False: f"name : {values} or ?rare : {values}",
        # Where no index has the optional field, its comparison is null and so is the opposite.
        True: f"not name : {values} and (?rare == null or not ?rare : {values})",
    }
    assert draft.text == f"any where {written[negated]}"
    assert [reason.fidelity for reason in draft.reasons] == ["broader" if negated else "narrower"]
    with pytest.raises(Refusal, match="SC201"):
        EqlBackend().event(replace(base, columns={f"f{n}": Column("keyword") for n in range(101)}))


def test_a_keyword_that_is_a_boolean_is_its_word() -> None:
    base = none_base({"k": [True, False], "condition": "k"}, "eql")
    (draft,) = EqlBackend().event(replace(base, columns={"name": Column("keyword")}))
    assert draft.text == 'any where name : ("*true*", "*false*")'
