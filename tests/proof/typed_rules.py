"""The made-up tables of `typed`, the operations on each column, and what else there is to ask of a table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from converter.plan.columns import Column
from tests.proof.typed_patterns import PATTERNS

_TEXTS = (
    "Cmd.exe",
    "xcmd.exe",
    "cmd.exe y",
    "CMD.EXE",
    "Cm",
    "C*d",
    "C*dz",
    "c*d",
    "a b",
    "true",
    "15",
    "5",
    "-5",
    "Ab",
)
_ADDRESSES = ("10.1.2.3", "10.1.2.200", "10.200.0.1", "172.20.0.1", "192.168.1.1", "255.255.255.255")
_V6 = ("::1", "fe80::1", "2001:db8::7", "fe80::ffff:1")
_NUMBERS: tuple[Any, ...] = (5, -5, 0, 1, 15, 50, 4)
_TIME = "2026-01-02T03:04:05.000Z"
VALUES: dict[str, Sequence[Any]] = {
    **dict.fromkeys(
        ("keyword", "constant_keyword", "wildcard", "string", "dynamic"), (*_TEXTS, *_ADDRESSES, *_V6)
    ),
    **dict.fromkeys(("text", "match_only_text"), ("run Cmd now", "a b", "b a", "xcmdx", "true")),
    **dict.fromkeys(("long", "integer", "short", "byte", "int", "number"), _NUMBERS),
    "unsigned_long": (5, 0, 1, 15, 50, 4),
    **dict.fromkeys(
        ("double", "float", "half_float", "scaled_float", "real"), (*map(float, _NUMBERS), 1.5, -1.5)
    ),
    **dict.fromkeys(("boolean", "bool"), (True, False)),
    **dict.fromkeys(("date", "datetime", "date_nanos"), (_TIME, "2025-12-31T23:59:59.000Z")),
    "flattened": _TEXTS,
    "ip": (*_ADDRESSES, *_V6),
    "guid": ("0d3c1b2a-0000-4000-8000-00000000000a",),
}
_ELASTIC = {
    "k": Column("keyword"),
    "other": Column("keyword"),
    "caseless": Column("keyword", caseless="caseless.lower"),
    "wild": Column("wildcard"),
    "optional": Column("keyword", optional=True),
    "multi": Column("keyword", multi=True),
    "analysed": Column("text"),
    "words": Column("match_only_text"),
    "n": Column("long"),
    "d": Column("double"),
    "scaled": Column("scaled_float"),
    "b": Column("boolean"),
    "ip": Column("ip"),
    "ips": Column("ip", multi=True, optional=True),
    "when": Column("date"),
    "nanos": Column("date_nanos"),
    "flat.x": Column("flattened"),
    "shape": Column("geo_point"),
    "constant": Column("constant_keyword"),
    **{
        f"{name}s": Column(name)
        for name in ("integer", "short", "byte", "unsigned_long", "float", "half_float")
    },
}
_SPLUNK = {
    "k": Column("string"),
    "other": Column("string"),
    "my field": Column("string"),
    "n": Column("number"),
    "dash": Column("string", null="-"),
}
_KUSTO = {
    "k": Column("string"),
    "other": Column("string"),
    "my field": Column("string"),
    "n": Column("int"),
    "l": Column("long"),
    "r": Column("real"),
    "b": Column("bool"),
    "when": Column("datetime"),
    "dyn": Column("dynamic"),
    "id": Column("guid"),
    "made": Column("string", via="=tostring(Extra.made)"),
    "Extra": Column("dynamic"),
}
_EVENT_DATA = {
    "EventID": Column("int"),
    "k": Column("string", via="eventdata"),
    "my <\"field'>": Column("string", via="eventdata"),
    "n": Column("long", via="eventdata"),
    "i": Column("int", via="eventdata"),
    "g": Column("guid", via="eventdata"),
    "r": Column("real", via="eventdata"),
    "b": Column("bool", via="eventdata"),
    "when": Column("datetime", via="eventdata"),
}


def _through(via: str) -> dict[str, Column]:
    return {name: replace(one, via=via if one.via else None) for name, one in _EVENT_DATA.items()}


@dataclass(frozen=True, slots=True)
class World:
    """A table."""

    languages: tuple[str, ...]
    columns: Mapping[str, Column]
    options: Mapping[str, str] = field(default_factory=dict)
    """Of the backend."""


WORLDS = {
    "elastic": World(("eql", "lucene"), _ELASTIC),
    "elastic dsl": World(("lucene",), _ELASTIC, {"form": "dsl"}),
    "elastic as-is": World(("lucene",), _ELASTIC, {"case": "as-is"}),
    "splunk": World(("spl",), _SPLUNK),
    "kusto": World(("kql",), _KUSTO),
    "xml": World(("kql",), _through("eventdata_xml")),
    "dynamic": World(("kql",), _through("eventdata_dynamic")),
}

OPERATIONS: dict[str, tuple[str, Any]] = {
    "text": ("", "Cmd.exe"),
    "words": ("", "a b"),
    "texts": ("", ["Cmd.exe", "a b", "5"]),
    "every text": ("contains|all", ["Cmd", "exe"]),
    "numeral": ("", "5"),
    "numeral and text": ("", [5, "Ab"]),
    "decimal": ("", "1.5"),
    "odd numeral": ("", "05"),
    "exponent": ("", "1e3"),
    "number": ("", 5),
    "zero": ("", 0),
    "numbers": ("", [5, -5, 15]),
    "float": ("", 1.5),
    "floats": ("", [1.5, -1.5]),
    "large": ("", 2**53 + 1),
    "largest": ("", 2**53),
    "beyond": ("gt", 2**63),
    "exponents": ("lt", 1e20),
    "False as text": ("", "False"),
    "true": ("", True),
    "false": ("", False),
    "True as text": ("", "True"),
    "booleans": ("", [True, False]),
    "null": ("", None),
    "empty": ("", ""),
    "empty or text": ("", ["", "Cmd.exe"]),
    "star": ("", "*"),
    "stars": ("", "**"),
    "cased star": ("cased", "*"),
    "begins": ("", "Cmd*"),
    "ends": ("", "*.exe"),
    "contains": ("contains", "d.e"),
    "contains some": ("contains", ["d.e", "a"]),
    "contains word": ("contains", "cmd"),
    "one character": ("", "Cm?.exe"),
    "one or more": ("", "Cm?*e"),
    "literal star": ("", "C\\*d"),
    "literal star and more": ("", "C\\*d*"),
    "cased": ("cased", "Cmd.exe"),
    "cased some": ("cased", ["Cmd.exe", "Ab"]),
    "cased begins": ("cased|startswith", "Cmd"),
    "cased one character": ("cased", "Cm?.exe"),
    "cased literal star and more": ("cased", "C\\*d?"),
    "re": ("re", "C[m-n]d\\.exe$"),
    "re some": ("re", ["^Cm", "b$"]),
    "re i": ("re|i", "^cmd"),
    "re s": ("re|s", "a.b"),
    "re m": ("re|m", "^a"),
    "re digits": ("re", "^1?5$"),
    "re anything": ("re", ".*"),
    "begins with digit": ("", "1*"),
    "digit and one": ("", "-?5"),
    "gt": ("gt", 4),
    "gte": ("gte", 5),
    "lt": ("lt", 5),
    "lte": ("lte", 4.5),
    "gt float": ("gt", 1.4),
    "neq number": ("neq", 5),
    "neq text": ("neq", "Cmd.exe"),
    "exists": ("exists", True),
    "exists not": ("exists", False),
    "net 8": ("cidr", "10.0.0.0/8"),
    "net 12": ("cidr", "172.16.0.0/12"),
    "net 25": ("cidr", "10.1.2.128/25"),
    "net 32": ("cidr", "10.1.2.3/32"),
    "net 0": ("cidr", "0.0.0.0/0"),
    "nets": ("cidr", ["10.0.0.0/8", "192.168.0.0/16", "fe80::/10"]),
    "net v6": ("cidr", "fe80::/10"),
    "net v6 128": ("cidr", "::1/128"),
    "net v6 0": ("cidr", "::/0"),
    "net v6 mapped": ("cidr", "::ffff:10.0.0.0/104"),
    "address": ("", "10.1.2.3"),
    "address begins": ("", "10.1.*"),
    "address begins with digits": ("", "10.1.2.2*"),
    "address begins with digit": ("", "17*"),
    "address whole and star": ("", "10.1.2.3*"),
    "address too large": ("", "256.*"),
    "address of zero": ("", "01.*"),
    "address 25": ("", "25*"),
    "address middle": ("", "10.*.2.3"),
    "address one": ("", "10.1.2.?"),
    "address ends": ("", "*.3"),
    "address short": ("", "10.1"),
    "address v6": ("", "::1"),
    "address v6 begins": ("", "fe80:*"),
    "address v6 begins deeper": ("", "fe80:0:*"),
    "address v6 zero": ("", "0:*"),
    "addresses": ("", ["10.1.2.3", "172.*"]),
    "moment": ("", _TIME),
    "moment begins": ("", "2026-01*"),
    "hour": ("hour", 3),
    "year gt": ("year|gt", 2025),
    "field": ("fieldref", "other"),
    "field begins": ("fieldref|startswith", "other"),
    "field number": ("fieldref", "n"),
    "field ends": ("fieldref|endswith", "other"),
    "field in": ("fieldref|contains", "other"),
}
_RESERVED = """
    and any as by const false fork head in join like macro maxspan not null of or regex runs sample sequence
    tail true until where with
""".split()  # noqa: SIM905
_OF_SEARCH = """
    XOR case Term PREFIX like In By As True false index earliest _latest index_earliest _index_latest
    starttime starttimeu endtime daysago starthoursago endminutesago monthsago timeformat savedsearch
    savedsplunk latest searchtimespanhours searchspandays indexes
""".split()  # noqa: SIM905
_COMPLEX = "*" + "?" * 40 + "a" + "?" * 40 + "*b*"
DETECTIONS: dict[str, dict[str, Any]] = {
    "reserved": {"s": dict.fromkeys(_RESERVED, "x"), "condition": "s"},
    "last of Kusto's reserved": {"s": {"withsource": "x"}, "condition": "s"},
    "upper reserved": {"s": {"WHERE": "x", "a.where": "y"}, "condition": "s"},
    "names of search": {"s": dict.fromkeys(_OF_SEARCH, "x"), "condition": "s"},
    "digit first": {"s": {"1a": "x", "a.1b": "y", "a-b": "z"}, "condition": "s"},
    "dots": {"s": {"a..b": "x", ".c": "y"}, "condition": "s"},
    "numbers and a text": {"s": {"n": [1, 2, "3"], "k": [1, "x", "y*"]}, "condition": "s"},
    "regexes": {"s": {"k|re": ["a+", "b+", "(c|d)+"]}, "condition": "not s"},
    "nots": {"s": {"k": "a"}, "t": {"k": None}, "condition": "not (not s and not (t or not s))"},
    "nets not": {"s": {"k|cidr": ["10.0.0.0/8", "192.168.0.0/16", "::1/128"]}, "condition": "not s"},
    "net beside regex": {"s": {"k|cidr": "10.0.0.0/8"}, "t": {"other|re": "a+"}, "condition": "s or not t"},
    "field beside regex": {"s": {"k|fieldref": "other"}, "t": {"n|gt": 5}, "condition": "not s or t"},
    "time in not": {"s": {"k|hour|gte": 3, "other|minute": 5}, "condition": "not s"},
    "three nots": {"s": {"k": None}, "t": {"n|gt": 5}, "condition": "not (not (not s)) or not not t"},
    "not not of both": {"s": {"k|fieldref": "other", "n|gt": 5}, "condition": "not not s"},
    "nets in not": {
        "s": {"k|cidr": ["10.0.0.0/8", "192.168.0.0/16"]},
        "t": {"other|cidr": "10.0.0.0/8", "k": ["a", "b"]},
        "u": {"n|gt": 5},
        "condition": "u and not (s or t)",
    },
    "nots side by side": {
        "s": {"k|cidr": ["10.0.0.0/8", "::1/128"]},
        "t": [{"k|contains": "x"}, {"other|cidr": "10.0.0.0/8"}],
        "u": {"n": 5},
        "condition": "u and not s and not t",
    },
    "placeholder": {"s": {"k|expand": "%x%"}, "condition": "s"},
    "regex or regex": {
        "s": {"k|re": ["a+", "b+"]},
        "t": {"k|contains": "x", "other|re": "c+"},
        "condition": "s or t",
    },
    "regexes of one field": {"s": [{"k|re": "a+"}, {"k": "C\\*d"}, {"k|re|i": "z$"}], "condition": "s"},
    "regexes of one field and": {
        "s": [{"k|re": "a+"}, {"k|cased": "b?"}],
        "t": {"k|re": "c+"},
        "u": [{"other|re": "a+"}, {"k|re": "d+"}],
        "condition": "s and t and u",
    },
    "empty and text not": {"s": {"k": "", "other": "x"}, "condition": "not s"},
    "there and regex not": {"s": {"k|exists": True, "other|re": "a+"}, "condition": "not s"},
    "net and regex not": {"s": {"k|cidr": "10.0.0.0/8", "other|re": "a+"}, "condition": "not s"},
    "there or regex": {"s": {"k": "*"}, "t": {"other|re": "a+"}, "condition": "not (s and t) or (s and t)"},
    "keywords or regex": {"s": ["a b", "c"], "t": {"other|re": "a+"}, "condition": "s or t"},
    "contained and regex": {
        "s": {"k|contains|all": ["a b", "xy"], "k|re": "[a-z]+ [b-y]"},
        "condition": "s",
    },
    "one of a list and regex": {
        "s": [{"k": "C*d"}, {"k|re": "^a b"}, {"k|cased": "Ab"}],
        "t": {"k|re": "^[A-Ca]"},
        "condition": "s and t",
    },
    "keywords of two kinds": {
        "s": {"|all": ["md", "-5"]},
        "t": {"|all": ["xcm", "d.e"]},
        "u": ["y="],
        "v": {"k|contains": "c"},
        "condition": "v and (s or (t and not u))",
    },
    "keywords of two words not": {"s": ["a b", "c d*"], "condition": "not s"},
    "keywords of two words": {"s": ["a b", "C*d z", "m*x"], "condition": "s"},
    "keyword re not": {"s": {"|re": "C.d"}, "condition": "not s"},
    "keyword res not": {"s": {"|re": ["C.d", "a b"]}, "condition": "not s"},
    "keyword beside not": {"s": ["a b"], "t": {"k": "x"}, "condition": "t and not s"},
    "backquote": {"s": {"a`b": "x"}, "condition": "s"},
    "line break in name": {"s": {"a\nb": "x"}, "condition": "s"},
    "form feed in name": {"s": {"a\fb": "x"}, "condition": "s"},
    "not there": {"s": {"absent": "x"}, "condition": "s"},
    "half a pair": {"s": {"k": "a\ud83dz"}, "condition": "s"},
    "half a pair cased": {"s": {"k|cased": "a\ud83dz"}, "condition": "s"},
    "backspace": {"s": {"k": "a\bb\fc\rd\te\x7ff\x00g"}, "condition": "s"},
    "separators": {"s": {"k": "a\u2028b\u2029c\x85d\u200be"}, "condition": "s"},
    "quotes in regex": {"s": {"k|re": 'a"{1,2}b""c"""'}, "condition": "s"},
    "quotes at the end of regex": {"s": {"k|re": '.*"'}, "condition": "s"},
    "regex 1000": {"s": {"k|re": "^" + "ab" * 500 + "$"}, "condition": "s"},
    "regex 1001": {"s": {"k|re": "^" + "ab" * 500 + "c$"}, "condition": "s"},
    "regex 1000 wide": {"s": {"k|re": "^" + "😀" * 500 + "$"}, "condition": "s"},
    "regex 1002 wide": {"s": {"k|re": "^" + "😀" * 501 + "$"}, "condition": "s"},
    "regex too complex": {"s": {"k|re": "a.{0,300}b.{0,300}c"}, "condition": "s"},
    "regex of an anchor in a group": {"s": {"k|re": "(^|c)m[^d.]"}, "condition": "s"},
    "regex of an anchor and more": {"s": {"k|re": "(^Cm.*|[a-z+-]+ [b-y%]{1,3})"}, "condition": "s"},
    "regex of many": {"s": {"k|re": "(.){200,}"}, "condition": "s"},
    "regex of much": {"s": {"k|re": "(Cmd|cpi) .{2,128} -D .{1,32}x(y|z)"}, "condition": "s"},
    "regex of spaces": {"s": {"k|re": "(?:\\s-[^-\\s]{0,20}i|\\s--no\\s)"}, "condition": "s"},
    "regex of an end": {"s": {"k|re": "(?:[Cc]md|%(?:[Ll]o)?x%)\\.[^.]{1,256}$"}, "condition": "s"},
    "regex of a boundary": {"s": {"k|re": "a(?:b|\\b){2}"}, "condition": "s"},
    "one text twice beside others": {
        "s": [{"k": ["5", 5, "5"]}, {"k|contains": "z"}, {"other": ["x", "x"]}],
        "condition": "s",
    },
    "empty and others": {"s": {"k": ["", "a*", "*b", "**"]}, "condition": "not s"},
    "many contained and more": {
        "s": [
            {"k|contains": [f"value {number}" for number in range(1100)]},
            {"k|contains": "xcm", "other": ["a", "b"]},
            {"k": None, "other|re": "c?md"},
        ],
        "condition": "s",
    },
    "net of odder bits": {"s": {"k|cidr": ["fc00::/7", "2001:d00::/24"]}, "condition": "s"},
    "regex placeholder": {"s": {"k|re|expand": "a%b%c"}, "condition": "s"},
    "wildcards of 300": {"s": {"k": "*" + "ab" * 149 + "*"}, "condition": "s"},
    "wildcards of 301": {"s": {"k": "*" + "ab" * 149 + "c*"}, "condition": "s"},
    "wildcards too complex": {"s": {"k": _COMPLEX}, "condition": "s"},
    "long wildcards too complex": {"s": {"k|contains": "a" * 2000 + "*" + "a" * 2000}, "condition": "s"},
    "cased wildcards too complex": {"s": {"k|cased": _COMPLEX}, "condition": "s"},
    "literal star too complex": {"s": {"k": "\\*" + _COMPLEX}, "condition": "s"},
    "letters to 1000": {"s": {"k|contains": "ab" * 125}, "condition": "s"},
    "letters past 1000": {"s": {"k|contains": "ab" * 126}, "condition": "s"},
    "long text": {"s": {"k": "x" * 40_000}, "condition": "s"},
    "many texts": {"s": {"k": [f"value {number}" for number in range(1500)]}, "condition": "s"},
    "1024 texts": {"s": {"k": [f"value {number}" for number in range(1024)]}, "condition": "s"},
    "1025 texts": {"s": {"k": [f"value {number}" for number in range(1025)]}, "condition": "s"},
    "many contained": {"s": {"k|contains": [f"value {number}" for number in range(1100)]}, "condition": "s"},
    "many nots": {"s": {"k|neq": [f"value {number}" for number in range(70)]}, "condition": "s"},
    "many fields": {"s": {f"f{number}": "x" for number in range(120)}, "condition": "s"},
    "keyword": {"s": ["Cmd.exe"], "condition": "s"},
    "keywords": {"s": ["Cmd.exe", 5, True, False], "condition": "s"},
    "keywords not": {"s": ["Cmd", "a*b"], "condition": "not s"},
    "keywords all": {"s": {"|all": ["Cmd", "exe"]}, "condition": "s"},
    "keyword re": {"s": {"|re": "C.d"}, "condition": "s"},
    "keyword cased": {"s": {"|cased": "Cmd"}, "condition": "s"},
    "keyword star": {"s": ["*"], "condition": "s"},
    "keyword of 101 fields": {
        "s": ["x"],
        "t": {f"f{number}": "x" for number in range(101)},
        "condition": "s and t",
    },
    "not not": {"s": {"k": "a"}, "condition": "not not s"},
    "not of both": {"s": {"k|contains": "a", "n|gt": 5}, "t": {"k": None}, "condition": "not (s and t)"},
    "not in not": {"s": {"k": "a"}, "t": {"n": 5}, "condition": "not (s and not t)"},
    "mixed": {
        "s": {"k|re": "a+b", "n": [5, 15]},
        "t": {"k|contains": ["x", "y"]},
        "u": {"n|lt": 5},
        "condition": "(s or t) and not (u or 1 of s*)",
    },
}


# Lines that just fit and just do not, whatever is around them.
WIDTHS: dict[str, dict[str, Any]] = {
    f"width of {shape} {size}": {"s": item, "condition": condition}
    for size in range(1, 116)
    for shape, item, condition in (
        ("two contained", {"k|contains": ["x" * size, "y"]}, "s"),
        ("two and", {"k|contains": "x" * size, "other|contains": "y"}, "s"),
        ("not of two", {"k|contains": "x" * size, "other|contains": "y"}, "not s"),
        ("a list", {"k": ["x" * size, "y", "z"]}, "s"),
        ("a list and", {"k": ["x" * size, "y", "z"], "other": ["a", "b"]}, "s"),
        ("a list of texts", {"k": [f"value{n:03}" for n in range(9)] + ["x" * size]}, "s"),
        ("alike", {"k": [letter * size for letter in "xyz"]}, "s"),
        ("contained", {"k|contains": [f"v{n:03}" for n in range(12)] + ["x" * size]}, "s"),
        ("or of ands", [{"k|contains": "x" * size, "other": "z"}, {"k": "a*", "n": 5}], "s"),
        ("numbers", {"n": [*range(100, 120), 10 ** (size % 9)]}, "s"),
        ("or in and", [{"k|contains": ["x" * size, "y"]}, {"other": "z", "n": 5}], "s and not 1 of s*"),
    )
}
WIDTHS |= {
    f"width of {shape} {size}": {
        "s": {"k|contains": ["x" * size, "y"], "n|gt": 5},
        "t": [{"other": "z"}, {"n|lt": 3}],
        "u": {"other|endswith": "q"},
        "condition": condition,
    }
    for size in range(1, 116)
    for shape, condition in (
        ("and of ors", "s and t"),
        ("group in and", "u and (s or t)"),
        ("not of group", "u and not (s or t)"),
        ("group in or", "u or (s and t)"),
        ("two groups", "(u or t) and (s or u)"),
    )
}
DETECTIONS |= WIDTHS | PATTERNS

NOT_STORABLE = {
    # No table of the analyser can have such a column.
    ("kql", "line break in name"),
    ("kql", "form feed in name"),
    # No file of rules can hold one: YAML is refused (SC101).
    *((language, f"half a pair{cased}") for language in ("kql", "spl") for cased in ("", " cased")),
    # No event of Splunk is empty.
    ("spl", "keyword star"),
}
