"""Rows of the list of upstream defects that concern KQL, each on the engine against the matcher."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from converter.backends.kql import KqlBackend
from converter.engines.kql import KqlEngine
from converter.errors import Refusal
from converter.events.stored import Stored
from converter.matcher import compile_detection
from converter.plan.columns import Column
from tests.support import none_base

COLUMNS = {
    "F": Column("string"),
    "G": Column("string"),
    "N": Column("int"),
    "R": Column("real"),
    "B": Column("bool"),
    "T": Column("datetime"),
    "D": Column("dynamic"),
    "x.F": Column("string"),
    "my field": Column("string"),
    "in": Column("string"),
}
EVENTS: list[dict[str, Any]] = [
    {"F": "axb"},
    {"F": "AxB"},
    {"F": "xaxb"},
    {"F": "a\nb"},
    {"F": "xb and a"},
    {"F": "a*b"},
    {"F": "a?b"},
    {"F": "Value", "G": "VALUE"},
    {"F": "Va", "G": "Value"},
    {"G": "only"},
    {"F": "C:\\Run\\LabUpdater"},
    {"F": "line1\nline2"},
    {"F": "10.1.2.3"},
    {"F": "fe80::1"},
    {"F": "::ffff:10.1.2.3"},
    {"F": "not an address"},
    {"N": 80},
    {"N": 443},
    {"N": 8},
    {"R": 1.5},
    {"B": True},
    {"B": False},
    {"D": "Value"},
    {"T": "2020-03-05T14:07:00+00:00"},
    {"x.F": "a"},
    {"my field": "a"},
    {"in": "a"},
    {"F": 'q"uote'},
    {"F": "✓ Ünïcode 😀"},
    {},
]


def selected(detection: dict[str, Any]) -> tuple[str, list[int]]:
    base = none_base(detection, "kql")
    base = replace(base, state={"table": "Table"}, columns=COLUMNS)
    (draft,) = KqlBackend(filters="off").event(base)
    KqlEngine().validate(draft.text, {"Table": COLUMNS})
    stored = [Stored(i, "Table", event) for i, event in enumerate(EVENTS)]
    return draft.text, list(KqlEngine().load(stored, {"Table": COLUMNS}).run(draft.text).events)


@pytest.mark.parametrize("negated", [False, True])
@pytest.mark.parametrize(
    ("row", "selection", "query"),
    [
        ("K1", {"F|contains": "alu"}, 'F contains "alu"'),
        ("K2", {"F": "a*b"}, 'F matches regex "(?is)^a.*b$"'),
        ("K2 single", {"F": "a?b"}, 'F matches regex "(?is)^a.b$"'),
        ("K3", {"F": ["a*b", "Va"]}, 'F matches regex "(?is)^a.*b$" or F =~ "Va"'),
        ("K3 all", {"F|all": ["a*b", "*x*"]}, 'F matches regex "(?is)^a.*b$"\n| where F contains "x"'),
        # One of them says both.
        ("K4", {"F|all": ["Value", "value"]}, 'F =~ "Value"'),
        ("K5", {"F": None}, "isempty(F)"),
        ("K5 number", {"N": None}, "isnull(N)"),
        ("K6", {"F|exists": True}, "isnotempty(F)"),
        ("K6 not", {"F|exists": False}, "isempty(F)"),
        ("K7", {"N": [80, 443]}, "N in (80, 443)"),
        ("K7 text", {"N": ["80", "443"]}, "N in (80, 443)"),
        ("K8", {"N|lt": 100}, "N < 100"),
        ("K8 text column", {"F|gte": 5}, "toreal(F) >= 5"),
        ("K8 real", {"R": 1.5}, "R == 1.5"),
        ("K8 bool", {"B": True}, "B == true"),
        ("K8 bool text", {"B": "false"}, "B == false"),
        ("K8 bool on text", {"F": True}, 'F =~ "true"'),
        ("K8 dynamic", {"D": "value"}, 'tostring(D) =~ "value"'),
        ("K9 dot", {"x.F": "a"}, "['x.F'] =~ \"a\""),
        ("K9 space", {"my field": "a"}, "['my field'] =~ \"a\""),
        ("K9 keyword", {"in": "a"}, "['in'] =~ \"a\""),
        ("K11", {"F|cidr": "fe80::/10"}, 'ipv6_is_in_range(F, "fe80::/10")'),
        ("K11 v4", {"F|cidr": "10.0.0.0/8"}, 'ipv4_is_in_range(F, "10.0.0.0/8")'),
        (
            "K11 several",
            {"F|cidr": ["10.0.0.0/16", "10.1.0.0/16"]},
            'ipv4_is_in_any_range(F, "10.0.0.0/16", "10.1.0.0/16")',
        ),
        ("K12", {"F": "line1\nline2"}, 'F =~ "line1\\nline2"'),
        ("K13", {"F|fieldref": "G"}, "isnotempty(G) and F =~ G"),
        ("K13 startswith", {"G|fieldref|startswith": "F"}, "isnotempty(F) and G startswith F"),
        ("K13 endswith", {"G|fieldref|endswith": "F"}, "isnotempty(F) and G endswith F"),
        ("K13 contains", {"G|fieldref|contains": "F"}, "isnotempty(F) and G contains F"),
        ("K23", {"F|cased": "Value"}, 'F == "Value"'),
        ("K23 list, C5", {"F|cased": ["Value", "Va"]}, 'F in ("Value", "Va")'),
        ("K23 contains", {"F|contains|cased": "al"}, 'F contains_cs "al"'),
        ("K24, C6", {"F|contains": "\\Run\\"}, 'F contains @"\\Run\\"'),
        ("K25 star", {"F": "a\\*b"}, 'F =~ "a*b"'),
        ("K25 question mark", {"F": "a\\?b"}, 'F =~ "a?b"'),
        ("K25 quote", {"F": 'q"uote'}, 'F =~ "q\\"uote"'),
        ("K25 unicode", {"F": "✓ Ünïcode 😀"}, 'F =~ "✓ Ünïcode 😀"'),
        ("K26", {"F": "*"}, "isnotempty(F)"),
        ("K27", {"F|re": "^x?a.b"}, 'F matches regex "^x?a.b"'),
        ("K27 flags", {"F|re|i": "^AXB$"}, r'F matches regex @"(?i)^AXB\n?\z"'),
        ("K27 may be empty", {"F|re": "^(axb)?$"}, r'isnotempty(F) and F matches regex @"^(axb)?\n?\z"'),
        ("C9 minute", {"T|minute": 7}, 'datetime_part("minute", T) == 7'),
        ("C9 hour", {"T|hour": 14}, "hourofday(T) == 14"),
        ("C9 day", {"T|day": 5}, "dayofmonth(T) == 5"),
        ("C9 week", {"T|week": 10}, "week_of_year(T) == 10"),
        ("C9 month", {"T|month": 3}, "monthofyear(T) == 3"),
        ("C9 year", {"T|year": 2020}, "getyear(T) == 2020"),
    ],
    ids=lambda value: value if isinstance(value, str) and value.startswith(("K", "C")) else "",
)
def test_row(row: str, selection: dict[str, Any], query: str, negated: bool) -> None:
    detection = {"s": selection, "condition": "not s" if negated else "s"}
    text, found = selected(detection)
    matches = compile_detection(detection)
    assert found == [i for i, event in enumerate(EVENTS) if matches(event)], text
    if not negated:
        assert text == f"Table\n| where {query}", row
    assert 0 < len(found) < len(EVENTS) or row in {"K8 bool on text", "K4", "K8 text column"}


def test_k10_keywords_are_looked_for_in_every_string_column() -> None:
    detection = {"keywords": ["only", "uote"], "condition": "keywords"}
    text, found = selected(detection)
    assert found == [9, 27]
    assert 'G contains "only"' in text
    assert "N contains" not in text
    assert 'G contains "false"' in selected({"keywords": [False], "condition": "keywords"})[0]
    with pytest.raises(Refusal, match=r"SC201.*declares none"):
        KqlBackend().event(none_base(detection, "kql"))


def test_no_null_under_not() -> None:
    """`not` of null drops a row in Kusto: comparisons inside `not(...)` are never null."""
    detection = {"s": {"N|lt": 100, "F|cidr": "10.0.0.0/8", "T|hour": 1}, "condition": "not s"}
    text, found = selected(detection)
    assert found == list(range(len(EVENTS)))
    assert text.count("coalesce(") == 3


def test_event_data_is_read_after_the_tables_own_columns() -> None:
    columns = {
        "EventID": Column("int"),
        "Image": Column("string", via="eventdata_xml"),
        "Threat Name": Column("string", via="eventdata_xml"),
        "Port": Column("int", via="eventdata_xml"),
    }
    base = none_base(
        {"s": {"Image": "a&b", "EventID": 1, "Port": 5, "Threat Name": "x"}, "condition": "s"}, "kql"
    )
    base = replace(base, state={"table": "Event"}, columns=columns)
    (draft,) = KqlBackend().event(base)
    assert draft.text.partition("};\n")[2] == (
        "Event\n"
        "| where EventID == 1\n"
        "| extend\n"
        '    Image = EventDataField(EventData, "Image"),\n'
        '    Port = toint(EventDataField(EventData, "Port")),\n'
        "    ['Threat Name'] = EventDataField(EventData, \"Threat Name\")\n"
        '| where Image =~ "a&b" and Port == 5\n'
        "| where ['Threat Name'] =~ \"x\""
    )
    data = '<Data Name="Port">5</Data><Data Name="Image">A&amp;B</Data><Data Name="Threat Name">x</Data>'
    stored = [
        Stored(0, "Event", {"EventID": 1, "EventData": data}),
        Stored(1, "Event", {"EventID": 2, "EventData": data}),
        Stored(2, "Event", {"EventID": 1, "EventData": data.replace("&amp;B", "")}),
        Stored(3, "Event", {"EventID": 1, "EventData": data.replace("amp;B", "amp;amp;B")}),
    ]
    KqlEngine().validate(draft.text, {"Event": columns})
    assert KqlEngine().load(stored, {"Event": columns}).run(draft.text).events == (0,)


def test_dynamic_event_data() -> None:
    columns = {name: Column("string", via="eventdata_dynamic") for name in ("Image", "Threat Name")}
    base = none_base({"s": {"Image|endswith": "b", "Threat Name": "x"}, "condition": "s"}, "kql")
    base = replace(base, state={"table": "WindowsEvent"}, columns=columns)
    (draft,) = KqlBackend().event(base)
    assert "Image = tostring(EventData.Image)" in draft.text
    stored = [
        Stored(0, "WindowsEvent", {"EventData": {"Image": "ab", "Threat Name": "X"}}),
        Stored(1, "WindowsEvent", {"EventData": {"Image": "ab"}}),
        Stored(2, "WindowsEvent", {}),
    ]
    KqlEngine().validate(draft.text, {"WindowsEvent": columns})
    assert KqlEngine().load(stored, {"WindowsEvent": columns}).run(draft.text).events == (0,)


@pytest.mark.parametrize(
    ("selection", "code"),
    [
        ({"F|re": "a(?=b)"}, "SC202"),
        ({"F|re": "(a)\\1"}, "SC202"),
        ({"F|re": "a++"}, "SC202"),
        ({"F|re": "(?>a)"}, "SC202"),
        ({"Nowhere": "a"}, "SC204"),
        ({"T|contains": "2020"}, "SC204"),
        ({"B|gt": 1}, "SC204"),
        ({"F|expand": "%admins%"}, "SC206"),
    ],
)
def test_refused(selection: dict[str, Any], code: str) -> None:
    with pytest.raises(Refusal, match=code):
        selected({"s": selection, "condition": "s"})


def test_seventeen_groups() -> None:
    text, found = selected({"s": {"F|re": "(a)" + "(x?)" * 16}, "condition": "s"})
    assert "(?:x?)" in text
    assert 0 in found
