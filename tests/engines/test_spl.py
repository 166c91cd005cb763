"""The SPL engine against what Splunk's documentation prints.

Sources, each named where it is used: Splunk Enterprise Search Manual and Search Reference, 9.x
(help.splunk.com, docs.splunk.com). The events and expected rows of an example are the documentation's.
"""

from __future__ import annotations

from typing import Any

import pytest

from converter.engines.base import Result
from converter.engines.spl import SplEngine
from converter.errors import EngineError
from converter.events.stored import Stored

Docs = list[dict[str, Any]]


def run(text: str, docs: Docs) -> Result:
    return SplEngine().load([Stored(number, "main", doc) for number, doc in enumerate(docs)], {}).run(text)


def found(text: str, docs: Docs) -> list[int]:
    return sorted(run(text, docs).events)


# Search Manual, "Difference between != and NOT": Ponies.csv as printed.
PONIES = [
    {"ID": "101M3", "Name": "McIntosh", "Color": "Chestnut", "Location": "Marin Meadows"},
    {"ID": "104F5", "Name": "Lyra", "Color": "Bay"},
    {"ID": "104M6", "Name": "Rutherford", "Color": "Dun", "Location": "Placer Pastures"},
    {"ID": "101F2", "Name": "Rarity", "Location": "Marin Meadows"},
    {"ID": "102M7", "Name": "Dash", "Color": "Black", "Location": "Calaveras Farms"},
    {"ID": "102M1", "Name": "Roan"},
    {"ID": "101F6", "Color": "Chestnut", "Location": "Marin Meadows"},
    {"ID": "104F4", "Name": "Pinkie", "Color": "Sorrel", "Location": "Placer Pastures"},
    {"ID": "102M8", "Name": "Spike", "Color": "Grey", "Location": "Calaveras Farms"},
]


@pytest.mark.parametrize(
    ("query", "ids"),
    [
        ('Location!="Calaveras Farms"', {"101M3", "104M6", "101F2", "101F6", "104F4"}),
        (
            'NOT Location="Calaveras Farms"',
            {"101M3", "104F5", "104M6", "101F2", "102M1", "101F6", "104F4"},
        ),
        # "If you search for a Location that does not exist using the != expression, all of the events that
        # have a Location value are returned"; with NOT, all events.
        ('Location!="Nowhere"', {"101M3", "104M6", "101F2", "102M7", "101F6", "104F4", "102M8"}),
        ('NOT Location="Nowhere"', {pony["ID"] for pony in PONIES}),
        ("NOT Location=*", {"104F5", "102M1"}),
        ("Location=*", {pony["ID"] for pony in PONIES if "Location" in pony}),
    ],
)
def test_not_and_unequal(query: str, ids: set[str]) -> None:
    assert {PONIES[number]["ID"] for number in found(query, PONIES)} == ids


ABC = [{"A": str(n >> 2 & 1), "B": str(n >> 1 & 1), "C": str(n & 1)} for n in range(8)]


def test_search_evaluates_or_before_and() -> None:
    """Search Manual, "Boolean expressions": A=1 AND B=2 OR C=3 is A=1 AND (B=2 OR C=3)."""
    grouped = found("A=1 (B=1 OR C=1)", ABC)
    assert grouped == [5, 6, 7]
    assert found("A=1 AND B=1 OR C=1", ABC) == grouped
    assert found("A=1 B=1 OR C=1", ABC) == grouped


def test_where_evaluates_and_before_or() -> None:
    """Search Manual, "Boolean expressions": the same with where is (A=1 AND B=2) OR C=3."""
    assert found("* | where A=1 AND B=1 OR C=1", ABC) == [1, 3, 5, 6, 7]
    assert found("* | where NOT A=1 AND B=1", ABC) == [2, 3]


def test_not_applies_to_the_next_term_only() -> None:
    """Search Manual, "Boolean expressions": to apply to several terms they need parentheses."""
    assert found("NOT A=1 B=1", ABC) == [2, 3]
    assert found("NOT (A=1 B=1)", ABC) == [0, 1, 2, 3, 4, 5]


def test_in_takes_wildcards_in_search() -> None:
    """Search Reference, "search", and the blog "Smooth operator": error_code IN (40*)."""
    codes = [{"error_code": code} for code in ("400", "402", "404", "406", "500", "4")]
    assert found("error_code IN (400, 402, 404, 406)", codes) == [0, 1, 2, 3]
    assert found("error_code IN (40*)", codes) == [0, 1, 2, 3]
    assert found('error_code IN (4*, "500")', codes) == [0, 1, 2, 3, 4, 5]


def test_values_ignore_case_and_compare_as_text() -> None:
    """Search Reference, "search": values are not case-sensitive; = compares text, so 1 is not 1.0."""
    docs = [{"F": "Error"}, {"F": "ERROR x"}, {"F": "1"}, {"F": "1.0"}, {"F": "?"}, {"F": "x"}]
    assert found("F=error", docs) == [0]
    assert found("F=err*", docs) == [0, 1]
    assert found("F=1", docs) == [2]
    assert found('F="?"', docs) == [4]


def test_quotes_and_escapes() -> None:
    r"""Search Reference, "search", "Quotes and escaping characters": \" \| \\ ; others stay."""
    docs = [{"F": r"D:\Digital\RTFM"}, {"F": 'say "x" | y'}, {"F": r"a\d"}, {"F": "a*b"}, {"F": r"a\zb"}]
    assert found(r'F="D:\\Digital\\RTFM"', docs) == [0]
    assert found(r'F="say \"x\" \| y"', docs) == [1]
    assert found(r'F="a\d"', docs) == [2]
    # "The backslash cannot be used to escape the asterisk in search strings": it stays a wildcard.
    assert found(r'F="a\*b"', docs) == [4]


def test_comparison_is_numeric_or_lexicographic() -> None:
    """Search Reference, "search": numeric if both are numbers, else lexicographic."""
    docs = [{"F": "9"}, {"F": "10"}, {"F": "abc"}, {"F": "-"}, {}]
    assert found("F<10", docs) == [0, 3]
    assert found("F>=10", docs) == [1, 2]


def test_cidr_in_search() -> None:
    """Search Reference, "search": supports IPv4 and IPv6 subnets in CIDR notation."""
    docs = [
        {"ip": one} for one in ("10.0.0.77", "10.0.1.1", "2001:db8::7", "2001:db9::1", "x", "10.0.0.0/24")
    ]
    assert found('ip="10.0.0.0/24"', docs) == [0]
    assert found('ip IN ("10.0.0.0/24", "2001:db8::/32")', docs) == [0, 2]


def test_cidrmatch() -> None:
    """Search Reference, "cidrmatch": the printed examples, IPv4 and IPv6."""
    docs = [{"ip": one} for one in ("123.132.32.5", "123.132.32.200", "2001:db8::1")]
    assert found('* | where cidrmatch("123.132.32.0/25", ip)', docs) == [0]
    assert found('* | where cidrmatch("2001:db8::/32", ip)', docs) == [2]


def test_case_has_null_for_no_condition() -> None:
    """Search Reference, "case": status 200, 404, 500 have descriptions, 408 and 406 none."""
    docs = [{"status": code} for code in ("200", "408", "404", "500")]
    query = (
        '* | eval d=case(status==200, "OK", status==404, "Not found", status==500, "Error") | table status d'
    )
    assert run(query, docs).rows == (
        {"status": "200", "d": "OK"},
        {"status": "408"},
        {"status": "404", "d": "Not found"},
        {"status": "500", "d": "Error"},
    )


# Search Reference (SPL2), "streamstats command: Overview": the data and the columns as printed.
STREAM = [
    {"host": "x", "bytes": "100"},
    {"host": "y", "bytes": "200"},
    {"host": "x", "bytes": "400"},
    {"host": "x", "bytes": "50"},
    {"host": "y", "bytes": "150"},
    {"host": "x", "bytes": "100"},
]


def test_streamstats_window() -> None:
    """`streamstats window=3 avg(bytes)`: 100, 150, 233.33, 216.66, 200, 100 (as sum and count here)."""
    rows = run("* | streamstats window=3 sum(bytes) as s count as n | table s n", STREAM).rows
    assert [round(row["s"] / row["n"], 2) for row in rows] == [100, 150, 233.33, 216.67, 200, 100]


def test_streamstats_running_count() -> None:
    """Examples 1 and 2: a running count, and one for each host."""
    hosts = [{"host": host} for host in "xyxxy"]
    assert [r["c"] for r in run("* | streamstats count as c | table c", hosts).rows] == [1, 2, 3, 4, 5]
    by = run("* | streamstats count as c by host | table c", hosts).rows
    assert [row["c"] for row in by] == [1, 1, 2, 3, 2]


def test_streamstats_without_the_current_event() -> None:
    """Search Reference, "streamstats": current=f uses the events before this one."""
    rows = run("* | streamstats current=f max(bytes) as m by host | table host m", STREAM).rows
    assert [row.get("m") for row in rows] == [None, None, "100", "400", "200", "400"]


def test_streamstats_window_of_each_group() -> None:
    """Search Reference, "streamstats": global=f keeps one window for each group."""
    rows = run("* | streamstats window=2 global=f sum(bytes) as s by host | table s", STREAM).rows
    assert [row["s"] for row in rows] == [100, 200, 500, 450, 350, 150]


def test_stats_leaves_out_events_without_the_group() -> None:
    """Search Reference, "stats": one row for each distinct value of the by-clause."""
    rows = run("* | stats sum(bytes) as s values(bytes) as v by host", [*STREAM, {"bytes": "1"}]).rows
    assert sorted(rows, key=lambda row: str(row["host"])) == [
        {"host": "x", "s": 650, "v": ["100", "400", "50"]},
        {"host": "y", "s": 350, "v": ["150", "200"]},
    ]


def test_bin_of_times() -> None:
    """Search Reference, "bin": buckets begin at multiples of the span since epoch 0, the begin included."""
    events = [{"_time": time, "host": "x"} for time in (299.9, 300, 599.999, 600)]
    rows = run("* | bin _time span=5m | stats count as c by _time host | search c >= 2", events).rows
    assert [(row["_time"], row["c"]) for row in rows] == [(300, 2)]
    with pytest.raises(EngineError, match="SPL: bin _time span=1d"):
        run("* | bin _time span=1d", events)


def test_regular_expressions() -> None:
    r"""Search Manual, "SPL and regular expressions": c:\\\\temp finds c:\temp; PCRE is found anywhere."""
    docs = [{"path": r"c:\temp"}, {"path": "c:temp"}, {"path": "C:\\TEMP"}, {}]
    assert found(r'* | regex path="c:\\\\temp"', docs) == [0]
    assert found(r'* | where match(path, "(?i)\\\\te.p\z")', docs) == [0, 2]
    # Unknown escapes stay: \d is the pattern's.
    assert found(r'* | regex F="^\d+$"', [{"F": "12"}, {"F": "a"}]) == [0]


def test_null_is_unknown() -> None:
    docs = [{"F": "x"}, {"F": "y"}, {}]
    assert found('* | where F="x"', docs) == [0]
    assert found('* | where NOT F="x"', docs) == [1]
    assert found('* | where isnull(F) OR NOT F="x"', docs) == [1, 2]
    assert found('* | where NOT match(F, "x") OR true()', docs) == [0, 1, 2]


def test_comments() -> None:
    """Search Manual, "Add comments to searches": a space stands for them; in quotes they are text."""
    docs = [{"F": "x", "c": "1"}, {"F": "```no```"}]
    assert found("```a | b```\nF=x ```c``` c=1", docs) == [0]
    assert found('F="```no```"', docs) == [1]


def test_times_name_their_zone() -> None:
    docs = [{"t": "2020-10-19 07:30:46.319"}, {"t": "nonsense"}]
    rows = run('* | eval s=strptime(t." +0000", "%Y-%m-%d %H:%M:%S.%3N %z") | table s', docs).rows
    assert rows == ({"s": 1603092646.319}, {})


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("", "SC403"),
        ("| where A=1", "SC403"),
        ("A=1 |", "SC402"),
        ("A=1 | stats", "SC402"),
        ("A=1 | transaction host", "SC403"),
        ("A=1 | join host [search B=1]", "SC403"),
        ("`macro`", "SC403"),
        ("A=1 | sort _time", "SC403"),
        ("A=1 | streamstats window=10001 count as n", "SC402"),
        ("A=1 | streamstats time_window=5m count as n", "SC403"),
        ("A=1 | streamstats window=2 count as n by host", "SC403"),
        ("A=1 | bin _time span=1d", "SC403"),
        ("earliest=-5m", "SC403"),
        ("savedsearch=x", "SC403"),
        ("A=1 XOR B=1", "SC402"),
        ("(A=1", "SC402"),
        ('A="x', "SC402"),
        ("A IN (1, 2", "SC402"),
        ("A* = 1", "SC403"),
        ('A=1 | where A LIKE "x"', "SC402"),
        ('A=1 | where A="5"', "SC403"),
        ("A=1 | where A", "SC403"),
        ("A=1 | where A=1 B=2", "SC402"),
        ("A=1 | eval b=A=1", "SC402"),
        ('A=1 | where searchmatch("x")', "SC403"),
        ('A=1 | where match(A, "(")', "SC402"),
        (r'A=1 | where match(A, "\K")', "SC403"),
        ('A=1 | regex A!="x"', "SC403"),
        ('A=1 | where cidrmatch("10.0.0.0", A)', "SC402"),
        ('A=1 | eval b="x" | where in(A, "1")', "SC403"),
        ("```open", "SC402"),
    ],
)
def test_what_is_not_emitted_is_refused(query: str, code: str) -> None:
    with pytest.raises(EngineError, match=code):
        run(query, [{"A": "1", "host": "h"}])


def test_sort_leaves_equal_rows_in_no_order_to_rely_on() -> None:
    docs = [{"t": "1", "n": "a"}, {"t": "1", "n": "b"}, {"t": "0", "n": "c"}]
    assert [row["n"] for row in run("* | sort 0 t | table n", docs).rows] == ["c", "b", "a"]


def test_the_index_is_the_events_own() -> None:
    engine = SplEngine().load([Stored(0, "a", {"index": "x"}), Stored(1, "b", {})], {})
    assert engine.run("index=a").events == (0,)
    assert engine.run('* | where index="x"').events == (0,)


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        # Search Reference, "JSON functions", json_extract: a path of names joined by dots.
        ('json_extract(j, "a.b")', "x"),
        ('json_extract(j, "n")', 5),
        ('json_extract(j, "t")', "true"),
        ('json_extract(j, "none.b")', None),
        ('json_extract(j, "z")', None),
        ('json_extract("no json", "a")', None),
        # "Text functions", trim: these characters on both sides.
        ("""trim("'x'", "'")""", "x"),
        ('trim("  x ")', "x"),
    ],
)
def test_functions_of_json_and_trim(expression: str, value: object) -> None:
    doc = {"j": '{"a": {"b": "x"}, "n": 5, "t": true, "z": null}', "k": "1"}
    (row,) = run(f"* | eval out={expression} | table out", [doc]).rows
    assert row.get("out") == value


def test_a_bare_word_is_a_term_of_the_text() -> None:
    """segmenters.conf.spec: signs end a term; a term is found in any case."""
    docs = [{"_raw": "<Data Name='PipeName'>x"}, {"_raw": "MyPipeName"}, {"_raw": "pipename_2"}]
    assert found("PipeName", docs) == [0, 2]
