"""Regexes and networks for `typed`, with texts that they match and that they just do not."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

PATTERNS: dict[str, dict[str, Any]] = {
    "regex of classes of operators": {"s": {"k|re": "[*-9][^!-\\]][\\[-_]x[ -~]"}, "condition": "s"},
    "regex of brackets": {"s": {"k|re": "a}b{x]c"}, "condition": "s"},
    "backslash and quote": {"s": {"k|cased": ['a\\b"c', "1\\2", '"']}, "condition": "s"},
    "regex of classes": {
        "s": {"k|re": ["^\\d\\D\\w\\W\\s\\S$", "^[\\d][\\w][\\W][\\s][\\S.]$", "^[^\\s][^\\W][^\\d-]$"]},
        "condition": "s",
    },
    "regex of lines": {"s": {"k|re": ["\\Aa\\tb\\Z", "a\\n[\\t\\r]$", "\\bZ\\Bz\\b"]}, "condition": "s"},
    "regex i in front": {"s": {"k|re": "(?i)cMd\\.[e-g]"}, "condition": "s"},
    "regex i and s in front": {"s": {"k|re": ["(?is)^cM.*y$", "(?s)A.B"]}, "condition": "s"},
    "regex i in a group": {"s": {"k|re": "(?i:c)m(?i:D|z)"}, "condition": "s"},
    "regex i but in a group": {"s": {"k|re": "(?i)C(?-i:m)D"}, "condition": "s"},
    "regex s in a group": {"s": {"k|re": "(?s:a.)b.c"}, "condition": "s"},
    "regex s but in a group": {"s": {"k|re": "(?s)a.b(?-s:.)c"}, "condition": "s"},
    "regex s by modifier": {"s": {"k|re|s": "a(?-s:.)b.c"}, "condition": "s"},
    "regex i by modifier": {"s": {"k|re|i": "(?i)c(?i:M)d"}, "condition": "s"},
    "regex i by modifier but in a group": {"s": {"k|re|i": "c(?-i:m)D"}, "condition": "s"},
    "lists and presence": {
        "s": {"k|endswith": ["exe", "b"], "other|contains": ["c", "b"]},
        "t": [{"k|startswith": "c"}, {"k|re": "[xa]b"}],
        "u": {"k": ""},
        "v": {"k": None},
        "condition": "s and t and not u and not v",
    },
    "alternatives and presence": {
        "s": [{"k|endswith": "md"}, {"k|re": "^a"}],
        "v": {"k": None},
        "w": [{"k": "x*"}, {"other": "b"}],
        "condition": "s and not v and not w",
    },
    "net of odd bits": {"s": {"k|cidr": "2001:db0::/29"}, "condition": "s"},
    "net of seven bits": {"s": {"k|cidr": "fc00::/7"}, "condition": "s"},
    "nets of four bits": {
        "s": {"k|cidr": ["e000::/4", "2001:c000::/20", "2001:db8:8000::/33"]},
        "condition": "not s",
    },
}
TEXTS: dict[str, Sequence[str]] = {
    "regex of classes of operators": (
        "+a^x~",
        "5z\\x ",
        "*~[x~",
        "a5a[x ",
        "5A[x ",
        "5a`x ",
        "!z_x ",
        "9z_xé",
    ),
    "regex of classes": ("1ab- x", "1ab-x ", "1_-\t.", "1a-\t.", "a_x", "ab5"),
    "regex of lines": ("a\tb", "xa\tb", "a\n\t", "a\n\r", "a\nt", "-Zz.", "Z z", "xZz"),
    **dict.fromkeys(("regex i in front", "regex i in a group"), ("cMd.e", "CMD.F", "CmD", "cMz", "Cmd")),
    "regex i and s in front": ("CM\nX y", "xcm y", "A\nB", "a\nb"),
    **dict.fromkeys(
        ("regex s in a group", "regex s but in a group", "regex s by modifier"),
        ("a\nb.c", "a.b\nc", "a\nb\nc", "a.b.c"),
    ),
    **dict.fromkeys(
        ("regex i but in a group", "regex i by modifier", "regex i by modifier but in a group"),
        ("cmd", "CMD", "CmD", "cMd"),
    ),
    "signs": (
        'é\\"',
        'é\\""',
        "\u2028a\\",
        "\u200eb",
        "\u200eB",
        "\ufeffc",
        "\xadd\\",
        "é\\",
        'é"',
        "é\t\\",
        "\r\n",
        "a\\",
    ),
    "signs and stars": ("x\u2028\\Ay", "é\\bz", "x\te", "\u2028A"),
    "regex of signs": ("é\\x", 'é"x', "\u2028", 'x".', '"x.', 'x"'),
    "keyword encoded": ("xQ21ky", "NtZz", "Q21k", "YSBi", "q21k"),
    "keyword of dashes": ("a -B", "a /b", "a –b", "ab"),
    **dict.fromkeys(
        ("signs of patterns", "a sign of patterns"),
        ("1*2", "1x2", "12", "3?4", "3x4", "5*6?7", "5*6x7", "5x6?7"),
    ),
    "net as text": ("10.0.0.0/8", "10.1.1.1", "fe80::/10", "a/8", "A/8"),
    "net of seven bits": ("fc00::1", "fd12:3::4", "fe00::1", "fbff::1", "fc0::1", "FDFF::1"),
    "nets of four bits": (
        "e123::1",
        "f123::1",
        "2001:c1::1",
        "2001:c123::1",
        "2001:db8:f123::",
        "2001:db8:7123::",
    ),
    "wildcards of 301": ("x" + "AB" * 149 + "cz", "ab" * 149, "ab" * 149 + "d"),
    "regex of brackets": ("a}b{x]c", "za}b{x]cz", "a}b{x]", "ab{x]c"),
    "backslash and quote": ('a\\b"c', 'A\\b"c', "1\\2", "12", '"', '""', '\\"'),
}
"""What more the column k must hold for a detection."""

_POSIX = "alpha digit alnum upper lower space blank punct xdigit word cntrl print graph"
_WRITTEN = [
    *(f"^[[:{name}:]]$" for name in _POSIX.split()),
    *("^[[:^alpha:]]$", "^[^[:digit:]a]$", "^[[:punct:]a-f]$"),
    *(
        "^\\x41$",
        "^\\u0041$",
        "^\\101$",
        "^\\012?a$",
        "^[\\x41-\\x43]$",
        "^[\\b]$",
        "^[\\a\\f\\v\\r]$",
        "^\\a|\\f|\\r$",
    ),
    *(
        "(?i)^[Y-\\[]$",
        "(?i)^[y-{]$",
        "(?i)^[@-B]$",
        "(?i)^[`-b]$",
        "^(?i:[^x-z])$",
        "^[b-b]$",
        "^[^\\x00-a]$",
    ),
    *("^[^b-\U0010ffff]$", "^[a-]$", "^[]a]$", "^[^]a]$", "^[^\\s\\S]$", "^[\\s\\S]$", "(?s)^.$", "^.$"),
    *(
        "a(?#c)b",
        "a(?#c)+b",
        "(?P<n>ab){2}",
        "(?m)^b",
        "(?m)a$",
        "(?-m:^b)",
        "a++b",
        "ab{,2}",
        "a{2}?b",
    ),
    *("(?x)a b", "(?x:a b)", "(a)\\1", "(?P<n>a)(?P=n)", "a(?=b)", "a(?!b)", "(?<=a)b", "(?<!a)b", "(?>a)b"),
    *("(a)?(?(1)b|c)", "\\Ba", "\\Aa", "b\\Z", "\\ba\\b", "^(a|)b$", "^(|a)$", "^()b$", "a{0}b", "^a{1,}b$"),
]
PATTERNS |= {f"{char} in name": {"s": {f"a{char}b": "x"}, "condition": "s"} for char in "\"'\\*`:[]{}.,= "}
PATTERNS |= {
    "signs": {
        "s": {"k": ["\u2028a\\", "\u200eb", "\ufeffc", "\xadd\\", "é\\", 'é"', "é\t\\", "\r\n", 'é\\"']},
        "condition": "s",
    },
    "signs and stars": {"s": {"k|contains": ["\u2028\\a", "é\\b", "\te"]}, "condition": "not s"},
    "regex of signs": {"s": {"k|re": ["é\\\\x", 'é"x', "\u2028+", 'x"\\.', '"x\\.']}, "condition": "s"},
    "keyword compared": {"s": {"|gt": 5}, "condition": "s"},
    "keyword is not": {"s": {"|neq": 5}, "condition": "s"},
    "keyword of a field": {"s": {"|fieldref": "other"}, "condition": "s"},
    "keyword of dashes": {"s": {"|windash": " -b"}, "condition": "not s"},
    "keyword encoded": {"s": {"|base64offset|contains": ["Cmd", "a b"]}, "condition": "s"},
    "names of operators": {"s": dict.fromkeys(("AND", "OR", "NOT", "TO"), "x"), "condition": "s"},
    "regex i of a named class": {"s": {"k|re|i": ["^[[:upper:]]b$", "[[:digit:]]?"]}, "condition": "s"},
    "signs of patterns": {"s": {"k": ["1\\*2", "3\\?4", "5\\*6\\?7"]}, "condition": "s"},
    "a sign of patterns": {"s": {"k": "1\\*2"}, "t": {"k": "3\\?4"}, "condition": "not s and not t"},
    "large numbers": {"s": {"n": [10**15, 2**62, -(2**62)]}, "condition": "s"},
    "net as text": {"s": {"k": ["10.0.0.0/8", "fe80::/10", "a/8"]}, "condition": "s"},
    "keywords with stars": {
        "s": {"|all": ["*md*", "d.e*"]},
        "t": ["*x*y"],
        "condition": "s and not t",
    },
}
PATTERNS |= {
    f"{name} and itself": {"s": {f"{name}|fieldref": name}, "condition": "s"}
    for name in ("when", "b", "r", "n", "id")
}
PATTERNS |= {
    f"a word of {size}": {"s": {"analysed|contains": "a" * size}, "condition": "s"} for size in (255, 256)
}
_WRITTEN += [
    *(
        "a^b",
        "a$b",
        "(^a|b)b",
        "(a|b$)b",
        "x(a|^)b",
        "(?:^|x)?a",
        "a(?:$|b)?",
        "(a|)\\b(b|)",
        "\\b\\ba",
        "a\\b-",
    ),
    *(
        "-\\ba",
        "[a-]\\ba",
        "\\b",
        "a\\bb",
        "(a|-)\\bb",
        "a(\\b)b",
        "(^)(^)a",
        "$",
        "^",
        "^$",
        "(?:^a|^b)b",
        "(a$|b$)",
    ),
    *(
        "a($|(?:b|$)c)",
        "(\\b|x)a",
        "(\\ba|b)",
        "a*\\bb",
        "(?:)\\ba",
        "(x|^a)+b",
        "(a\\b|b)",
        "(a|b\\b)-",
        "(^a)?b$",
    ),
    *(
        "a.\\b$",
        "^\\b.a",
        "\\ba|b\\b",
        "(?:a\\b){2}",
        "(^|-)a(-|$)",
        "(^|-)a(-|$)b",
        "[!--]",
        "^[--0]$",
        "^[+--x]$",
        "^[]-a]$",
        "(?:(?:a))b",
        "(^){2}a",
    ),
    *(
        "(a|b)*\\b",
        "(?:a?\\b)b",
        "(?:ab|-)\\b[a-]",
        "a(?:b|)\\b",
        "\\b(?:b|)a",
        "\\b[^a]b",
        "(?:\\b|^)a",
        "a(b|$)(c|$)",
    ),
]
_WRITTEN += [
    *(
        "(?:a{150}){150}",
        "(^a){1,1}b",
        "(?:\\ba){1}b",
        "(?:ab)(?:-a)\\b",
        "\\b(?:ab)+",
        "(?:ab)?\\b-",
        "x?\\b(?:-|)a",
    ),
    *(
        "(?:(?:a|)(?:b|))\\b-",
        "\\b(?:a|)(?:-|b)",
        "^\\b-a$",
        "^-\\b$",
        "^\\b$",
        "-\\b$",
        "a(?:^b|c)d",
        "a(?:b$|c)d",
    ),
    *(
        "(?:a^)b",
        "(a$b|c)",
        "a(^)?b",
        "$a",
        "(?:$)a",
        "\\Za",
        "a\\b(?:b|)",
        "(?:a\\b|-)$",
        "(?:a*b)\\b",
        "(?:a$)?b",
    ),
]
WRITTEN = {f"regex {one}": {"s": {"k|re": one}, "condition": "s"} for one in _WRITTEN}
PATTERNS |= WRITTEN
_WORDS = ("ab", "aab", "abab", "aabab", "a b", "AB", "aB", "a\nb", "b\na", "ba", "abb", "cb", "bb")
TEXTS = {**dict.fromkeys(WRITTEN, (*map(chr, range(1, 128)), "\xe9", "\U0001f600", *_WORDS)), **TEXTS}
