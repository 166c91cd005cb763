"""Keywords: KQL has no search over all fields that says where it looks, so columns are named."""

from __future__ import annotations

import re
from collections.abc import Iterable

from converter.errors import Refusal
from converter.plan.columns import Columns
from converter.plan.conditions import Value, value_text
from converter.plan.values import ANY, Flag, Number, Regex, Text, TimePart
from converter.plan.volume_paths import VolumePath

_XML = ("EventData", "ParameterXml")
"""Columns of table Event that hold the record's elements as XML: the same values, once more.

Azure Monitor's reference of the table; published samples of EventData show the frame below.
"""
_DYNAMIC = "eventdata_dynamic"
"""How columns of table WindowsEvent are got out of EventData."""
_ANY_TEXT = "AnyText"
"""A column that a list may have: the texts of all elements of a record, one a line."""
_RENDERED = "RenderedDescription"
"""The record's message: elements with their names, and text of the provider's."""
_MARKUP = (
    '<DataItem Type="System.XmlData" time="" sourceHealthServiceId=""><EventData xmlns="'
    'http://schemas.microsoft.com/win/2004/08/events/event"><Data Name=""></Data></EventData></DataItem>',
    "<Param></Param>",
)
_TIME_OR_ID = re.compile("[0-9a-ft:.z+-]*")
"""What the frame's time and id are made of."""
_WRITTEN_OTHERWISE = re.compile("[&<>\"'\\x00-\\x1f]")


def anywhere(value: Value) -> Text | Regex | VolumePath:
    """Return a keyword as a value that is found anywhere in a text.

    Raises:
        Refusal: SC201 for what cannot be a keyword.
    """
    match value:
        case Number(number) | TimePart(_, number):
            return Text((ANY, str(number), ANY))
        case Flag():
            return Text((ANY, value.word, ANY))
        case Text(parts, cased):
            parts = parts if parts[:1] == (ANY,) else (ANY, *parts)
            return Text(parts if parts[-1] is ANY else (*parts, ANY), cased)
        case Regex() | VolumePath():
            return value
    raise Refusal("SC201", f"KQL: {value_text(value)} cannot be a keyword: it needs a field")


def keyword_fields(columns: Columns, value: Value) -> list[str]:
    """Return the string columns in which a keyword is looked for.

    Elements of a record that lie in XML are looked for in the XML itself where it writes the keyword as it
    is and as nothing else; otherwise in the texts of all of them.

    Raises:
        Refusal: SC201 where elements lie in a dynamic column; and for a pattern where they lie in XML: it
            could begin in one and end in another, and
            a query that takes out each first is longer than a rule of Sentinel may be.
    """
    if any(column.via == _DYNAMIC for column in columns.values()):
        raise Refusal(
            "SC201",
            "KQL: a keyword would be looked for in each element of the dynamic EventData by its name, which"
            " is longer than a rule of Sentinel may be: name the field, or use the table Event",
        )
    fields = [name for name, column in columns.items() if column.type == "string" and name != _ANY_TEXT]
    inside = {name for name in fields if columns[name].via == "eventdata_xml"}
    text = _literal(anywhere(value))
    if inside and text is not None and _is_written_so(text, inside):
        return [name for name in fields if name not in inside]
    if _ANY_TEXT in columns and text is not None:
        return [_ANY_TEXT]
    if _ANY_TEXT in columns:
        raise Refusal("SC201", "KQL: a keyword that is a pattern cannot be looked for in a record's texts")
    left_out = {*_XML, _RENDERED} if inside else ()
    return [name for name in fields if name not in left_out]


def _is_written_so(text: str, names: Iterable[str]) -> bool:
    """Tell whether XML writes a text as it is, and nothing else so."""
    otherwise = _WRITTEN_OTHERWISE.search(text) or _TIME_OR_ID.fullmatch(text)
    return not (otherwise or _among(text, names) or _among(text, _MARKUP))


def _literal(value: Value) -> str | None:
    """Return the text, in lower case, that is looked for anywhere; None if it is a pattern."""
    if not isinstance(value, Text):
        return None
    parts = [part for part in value.parts if part is not ANY]
    return parts[0].casefold() if len(parts) == 1 and isinstance(parts[0], str) else None


def _among(text: str, names: Iterable[str]) -> bool:
    return any(text in name.casefold() for name in names)
