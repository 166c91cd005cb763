"""Names and literals of KQL. Sources: Microsoft's "The string data type", "Entity names", "Regex syntax"."""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

_IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z0-9_]*", re.ASCII)
_KEYWORDS = frozenset(
    """
    __contextual_datatable __crossCluster __crossDB __executeAndCache __id __isFuzzy __noWithSource
    __packedColumn __projectAway __sourceColumnIndex accumulate and anomalychart areachart as asc assert
    bagexpansion barchart between bin_legacy bool boolean by card columnchart consume contains
    contains_cs containscs count datascope datatable date datetime decimal decodeblocks desc distinct
    double dynamic earliest endswith endswith_cs evaluate expandoutput extend external_data externaldata
    facet false False FALSE filter find first flags float fork getschema has has_all has_any has_cs
    hasprefix hasprefix_cs hassuffix hassuffix_cs hotcache in int int16 int32 int64 int8 invoke isfuzzy
    join kind ladderchart last latest let like likecs limit linechart long lookup materialize
    nooptimization not notcontains notcontainscs notlike notlikecs null of or order others pack parse
    partition piechart pivotchart print project real reduce relaxed render sample scan scatterchart
    search serialize set simple sort stackedareachart startswith startswith_cs string summarize take
    time timechart timeline timepivot timespan title to top toscalar totable treemap true True TRUE
    typeof uint uint16 uint32 uint64 uint8 ulong union uniqueid where with with_itemindex with_match_id
    with_source with_step_name withsource
    """.split()  # noqa: SIM905
)
"""Names that the analyser wants in brackets (KS228), and those of operators, which read badly without."""

_REGEX_SPECIAL = re.compile(r"[\\.+*?()|\[\]{}^$]")
# Line ends that Kusto's lexer may know, and marks that turn the direction of a line for a reader.
_INVISIBLE = "\u2028\u2029\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\ufeff"


@lru_cache(maxsize=4096)
def name(field: str) -> str:
    """Return a column's or table's name: bare if it is an identifier, else ``['...']``."""
    if _IDENTIFIER.fullmatch(field) and field not in _KEYWORDS:
        return field
    return "['" + _escaped(field, quote="'") + "']"


def string(value: str) -> str:
    """Return a string literal: verbatim (``@"..."``) where that saves doubled backslashes."""
    if value.isascii() and value.isprintable():
        if "\\" in value:
            return '@"' + value.replace('"', '""') + '"'
        return '"' + value.replace('"', '\\"') + '"'
    if "\\" in value and not any(_is_unsafe(char) for char in value):
        return '@"' + value.replace('"', '""') + '"'
    return '"' + _escaped(value, quote='"') + '"'


def number(value: int | float) -> str:
    """Return a number literal."""
    text = repr(value)
    return f"real({text})" if "e" in text or "n" in text else text


def regex_quoted(value: str) -> str:
    """Return a regular expression that stands for the text itself."""
    return _REGEX_SPECIAL.sub(r"\\\g<0>", value)


def has_case(value: str) -> bool:
    """Tell whether a text has a letter that has another case."""
    return value.lower() != value.upper()


def comment(line: str) -> str:
    """Return text that stays on its line in a comment, whatever ends a line for Kusto (U+2028 does)."""
    if line.isascii() and line.isprintable():
        return line.strip()
    return "".join(" " if _is_unsafe(char) else char for char in line).strip()


def _is_unsafe(char: str) -> bool:
    return unicodedata.category(char) == "Cc" or char in _INVISIBLE


def _escaped(value: str, quote: str) -> str:
    return "".join(_escape(char, quote) for char in value)


def _escape(char: str, quote: str) -> str:
    if char in ("\\", quote):
        return "\\" + char
    if char in "\n\r\t":
        return {"\n": "\\n", "\r": "\\r", "\t": "\\t"}[char]
    return f"\\u{ord(char):04x}" if _is_unsafe(char) else char
