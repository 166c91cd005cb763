"""Random conditions and rows for the filters on terms, and `has` written to Microsoft's page of it.

The columns are of every kind that a filter reads: text as it is, text in XML, text in JSON, and two texts
joined by a backslash. Values are made of words and of what may be beside a word: separators, ``_``,
letters outside ASCII, controls, wildcards. Rows hold the rule's own values with something before, after or
instead.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from html import escape
from random import Random
from typing import Any

from converter.backends.kql.text_sources import Source
from converter.plan.columns import Column
from converter.plan.model import BaseRule
from tests.boundary import term_rows
from tests.support import none_base

COLUMNS = {
    "TimeGenerated": Column("datetime"),
    "Computer": Column("string"),
    "Text": Column("string"),
    "EventData": Column("string"),
    "AdditionalFields": Column("string"),
    "RegistryKey": Column("string"),
    "RegistryValueName": Column("string"),
    "Xml": Column("string", via="eventdata_xml"),
    "Json": Column("string", via="=tostring(parse_json(AdditionalFields).Json)"),
    "Path": Column("string", via='=strcat(RegistryKey, @"\\", RegistryValueName)'),
    "Either": Column(
        "string", via='=iff(isempty(RegistryValueName), Text, strcat(RegistryKey, @"\\(Unnamed)"))'
    ),
}
FIELDS = ("Text", "Xml", "Json", "Path", "Either")
WORDS = ("cmd", "exe", "Unnamed", "mimikatz", "run32", "ab", "7z", "x", "443")
APART = (*"\\\\ ..-/:=;,(", " -", ".exe")
"""What bounds a word, however terms are defined and text is written."""
TRICKY = (*"_–éßЖ日ſ\u212a\"'&<>+`\n\t\x1f", "_", "\\\\", "__", "*", "?", "*", r"\(Unnamed)")
"""What may be part of a term, stands for anything, or is written otherwise in XML or JSON."""
BESIDE = (*APART, *TRICKY)
MODIFIERS = ("", "contains", "startswith", "endswith", "cased", "contains|cased", "re", "contains|all")


def detection(choose: Random) -> dict[str, Any]:
    """Return the detection of a random rule."""
    names = ["one", "two", "three"][: choose.randint(1, 3)]
    found: dict[str, Any] = {name: _selection(choose) for name in names}
    conditions = {
        1: ["one", "one", "not one"],
        2: ["one and two", "one or two", "one and not two", "one or not two"],
        3: ["one and (two or three)", "(one or two) and not three", "1 of them", "all of them"],
    }
    return found | {"condition": choose.choice(conditions[len(names)])}


def _selection(choose: Random) -> dict[str, Any]:
    items: dict[str, Any] = {}
    for _ in range(choose.choice((1, 1, 2))):
        modifier = choose.choice(MODIFIERS)
        key = choose.choice(FIELDS) + (f"|{modifier}" if modifier else "")
        if modifier == "re":
            items[key] = re.escape(choose.choice(WORDS))
        else:
            least = 2 if "all" in modifier else 1
            items[key] = [_value(choose) for _ in range(max(least, choose.choice((1, 1, 2, 3))))]
    return items


def _value(choose: Random) -> str:
    parts = [choose.choice(choose.choice((WORDS, WORDS, APART, TRICKY))) for _ in range(choose.randint(1, 5))]
    return "".join(parts) or "cmd"


def values(section: dict[str, Any]) -> list[str]:
    """Return the texts of a detection, wildcards filled."""
    found = []
    for selection in section.values():
        if isinstance(selection, dict):
            for held in selection.values():
                found += held if isinstance(held, list) else [re.sub(r"\\(.)", r"\1", held)]
    return found


def event(choose: Random, texts: Sequence[str]) -> dict[str, str]:
    """Return the fields of a random event, and the two parts of ``Path``."""
    key, name = _text(choose, texts), _text(choose, texts)
    if choose.random() < 0.5 and "\\" in (whole := _text(choose, texts)):
        key, _, name = whole.rpartition("\\")
    held = {field: _text(choose, texts) for field in ("Text", "Xml", "Json")}
    held |= {"RegistryKey": key, "RegistryValueName": name if choose.random() < 0.8 else ""}
    held["Path"] = f"{held['RegistryKey']}\\{held['RegistryValueName']}"
    held["Either"] = held["RegistryKey"] + "\\(Unnamed)" if held["RegistryValueName"] else held["Text"]
    return held


def _text(choose: Random, texts: Sequence[str]) -> str:
    value = choose.choice(texts)
    for star, filling in (("*", ("", "", "x", "é", "_", " ", "\n")), ("?", ("x", "é", " "))):
        value = "".join(choose.choice(filling) if char == star else char for char in value)
    value = value.replace("\\\\", "\\") if choose.random() < 0.3 else value
    value = (
        "".join(char.upper() if char.isascii() else char for char in value)
        if choose.random() < 0.3
        else value
    )
    around = [choose.choice((*BESIDE, *WORDS)).strip("*?") if choose.random() < 0.4 else "" for _ in "ab"]
    joined = around[0] + value + around[1]
    return joined if choose.random() < 0.9 else choose.choice(WORDS)


def row(held: dict[str, str], as_json: Callable[[dict[str, str]], str]) -> dict[str, Any]:
    """Return the event as the table holds it."""
    doc = {name: held[name] for name in ("Text", "RegistryKey", "RegistryValueName")}
    xml = escape(held["Xml"], quote=True).replace("&#x27;", "&apos;")
    for char, entity in (("\t", "&#9;"), ("\n", "&#10;"), ("\r", "&#13;")):
        xml = xml.replace(char, entity)
    doc["EventData"] = f'<DataItem><EventData><Data Name="Xml">{xml}</Data></EventData></DataItem>'
    return doc | {"AdditionalFields": as_json({"Json": held["Json"]})}


def careful(held: dict[str, str]) -> str:
    """Return JSON as System.Text.Json's default encoder writes it: HTML's characters as escapes."""
    plain = json.dumps(held, ensure_ascii=True)
    body = "".join(f"\\u{ord(char):04X}" if char in "&'+<>`\x7f" else char for char in plain)
    return body.replace('\\"', "\\u0022")


WRITERS: tuple[Callable[[dict[str, str]], str], ...] = (
    json.dumps,
    lambda held: json.dumps(held, ensure_ascii=False),
    careful,
)

TOKENS = {
    "ASCII letters and digits": re.compile(r"[A-Za-z0-9]+"),
    "ASCII and _": re.compile(r"[A-Za-z0-9_]+"),
    "letters and digits": re.compile(r"[^\W_]+"),
    "letters, digits and _": re.compile(r"\w+"),
}
"""What a term may be. The page says "alphanumeric"; it has said "ASCII alphanumeric"."""
_PIECE = re.compile(r'(\w+) (has|hasprefix) "([A-Za-z0-9]{3,})"|(\w+) has_any \(([^)]*)\)', re.ASCII)


def filters(query: str) -> Iterator[str]:
    """Yield the filters on terms of a query, as they are written."""
    for stage in query.split("\n| ")[1:]:
        if re.match(r"where \w+ has(?:prefix|_any)? ", stage, re.ASCII):
            yield stage


def keeps(stage: str, doc: dict[str, Any], term: re.Pattern[str]) -> bool:
    """Tell whether a filter keeps a row."""
    rest = _PIECE.sub("", stage)
    assert re.fullmatch(r"where(?:\s|or)*", rest), stage
    return any(_piece(found, doc, term) for found in _PIECE.finditer(stage))


def _piece(found: re.Match[str], doc: dict[str, Any], term: re.Pattern[str]) -> bool:
    held = [one.lower() for one in term.findall(str(doc.get(found[1] or found[4], "")))]
    if found[2] == "hasprefix":
        return any(one.startswith(found[3].lower()) for one in held)
    wanted = [found[3]] if found[3] else re.findall(r'"(\w+)"', found[5])
    return any(one.lower() in held for one in wanted)


TEXT, JSON = Source(("T",)), Source(("T",), json=True)


def base(detection: dict[str, Any], columns: dict[str, Column] = term_rows.COLUMNS) -> BaseRule:
    return replace(none_base(detection, "kql"), columns=columns)
