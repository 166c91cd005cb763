"""Values around one that a rule asks for, and ordinary ones: what tells a query's slips from the rule.

`near` varies a value of which the truth of the rule depends; `ordinary` are values that records of a field
have every day, which an exception must not let pass.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from converter.matcher.pcre import compile_regex
from converter.matcher.value import FieldRef, Regex, Text, Value, Wild
from converter.witness import regexes
from converter.witness.values import changed

LONG = 1100
"""Characters of a value that is longer than Elasticsearch indexes by default in Fleet (1,024)."""
_MOST_CONFUSED = 8
_LONG_FIELDS = frozenset(
    {"CommandLine", "ParentCommandLine", "Details", "ScriptBlockText", "ImagePath", "Query", "CallTrace"}
    | {"Contents", "Destination", "Message", "Payload", "ContextInfo", "TaskContent", "HostApplication"}
    | {"Data", "Binary", "param1", "param2", "param3", "param4"}
    | {"ServiceFileName", "TaskContentNew", "AttributeValue", "Properties", "AdditionalInfo", "NewValue"}
    | {"TemplateContent", "NewTemplateContent", "AllowedToDelegateTo", "ServicePrincipalNames"}
)
"""Fields of which public records have values that are as long; names, paths and identifiers are not."""
_DETAILS = (
    "DWORD (0x00000001)",
    "DWORD (0x00000077)",
    "QWORD (0x00000000-0x00000077)",
    "Binary Data",
    "(Empty)",
    "0",
    "7",
    "qz",
)
_REGISTRY_VALUES = ("HKLM\\SOFTWARE\\Quartz\\(Default)", "HKU\\S-1-5-21-1-2-3-1104\\Software\\Quartz\\Depot")
_FIELDS = {
    "Details": _DETAILS,
    "TargetObject": _REGISTRY_VALUES,
    "Image": ("System", "Registry"),
    "TargetImage": ("System",),
    "SourceImage": ("System",),
    "ParentImage": ("System",),
    "User": ("NT AUTHORITY\\SYSTEM", "NT AUTHORITY\\LOCAL SERVICE"),
    "IntegrityLevel": ("High", "System", "S-1-16-12288"),
    "Protocol": ("udp",),
    "SignatureStatus": ("Expired", "Unavailable"),
}


def ordinary(field: str) -> Iterator[Any]:
    """Yield values that a field has every day: one for each kind."""
    yield from _FIELDS.get(field, ())


def odd(field: str, text: str) -> Iterator[str]:
    """Yield a text with what stores write in another way: markup, other scripts, several lines, much text."""
    yield f"{text} & <b> \"c\" 'd'"
    yield f"{text} \u00e9\u6f22"
    yield f"{text}\r\nnext line"
    yield f"first line\n{text}"
    yield from long(field, text)


def long(field: str, text: str) -> Iterator[str]:
    """Yield texts longer than Elasticsearch indexes, with the text and without, if the field has such."""
    if field not in _LONG_FIELDS:
        return
    yield text + "x" * LONG
    yield "x" * LONG + text
    yield "x" * LONG
    at = text.rfind("\\")
    if at > 0:
        # Longer, and with the same beginning and end.
        yield text[: at + 1] + "x" * LONG + text[at:]


def near(value: Value, present: Any) -> Iterator[Any]:
    """Yield values near one that satisfies a value of a rule, the most telling first."""
    if not isinstance(present, str) or not isinstance(value, (Text, Regex, FieldRef)):
        yield from changed(value, present)
        return
    if isinstance(value, Regex):
        yield from regexes.near(compile_regex(value))
    yield from (f"x{present}", f"{present}x", f"x{present}x", present[1:], present[:-1])
    if isinstance(value, Text):
        yield from _around(value)
    # An index of words does not tell what is between them.
    yield " ".join(re.findall(r"\w+", present))
    if " " in present:
        yield present.replace(" ", "\t")
    yield from _each_confused(present)
    yield from changed(value, present)


def _each_confused(text: str) -> Iterator[str]:
    """Yield the text with one character in place of another that some language reads as more than itself."""
    places = [place for place, char in enumerate(text) if not char.isalnum() and char.isascii()]
    step = -(-len(places) // _MOST_CONFUSED) if places else 1
    yield from (f"{text[:place]}x{text[place + 1 :]}" for place in places[::step])


def _around(value: Text) -> Iterator[str]:
    """Yield the value's text with something for each of its stars, and with an anchored end in the middle."""
    if Wild.ANY in value.parts:
        filled = [
            "q z" if part is Wild.ANY else "x" if part is Wild.ONE else str(part) for part in value.parts
        ]
        yield "".join(filled)
        for position, part in enumerate(value.parts):
            if part is Wild.ONE:
                yield "".join([*filled[:position], *filled[position + 1 :]])
    texts = [part for part in value.parts if isinstance(part, str) and re.search(r"\w", part)]
    if len(texts) > 1:
        yield " ".join(texts[::-1])
