"""Keywords, values without a field: sought in the text of the event as it was indexed.

Where that is a record in XML (the cell's texts are stored as ``xml``), a keyword is written with entities, a
wildcard stays within one element, and a word of the markup itself counts only between two tags.
"""

from __future__ import annotations

import re

from converter.backends.spl.comparisons import value_parts
from converter.backends.spl.held import Parts, encoded
from converter.backends.spl.nodes import Leaf, Node, join
from converter.backends.spl.text import literal, pattern, pcre
from converter.backends.spl.where_text import match
from converter.errors import Refusal
from converter.plan.columns import Columns
from converter.plan.conditions import Alternatives, Value, value_text
from converter.plan.values import ANY, ONE, Flag, Number, Regex, Text
from converter.plan.volume_paths import VolumePath

# What `search` can look for in raw text without knowing how the text was cut into terms.
_WORDS = re.compile(r"[A-Za-z0-9]+", re.ASCII)
_LEAST = 3
"""So long must a word be to narrow a search: `*a*` reads every event."""
# Of every rendered record (Microsoft, "Event Schema"); the names of elements are the cell's columns.
_MARKUP = """<event xmlns='http://schemas.microsoft.com/win/2004/08/events/event'><system>
<provider name='guid='eventsourcename='<eventid qualifiers='</eventid><version></version><level></level><task>
</task><opcode></opcode><keywords></keywords><timecreated systemtime='rawtime='/><eventrecordid>
</eventrecordid><correlation activityid='relatedactivityid='/><execution processid='threadid='
processorid='sessionid='
kerneltime='usertime='processortime='/><channel></channel><computer></computer><security userid='/></system>
<eventdata><data name='</data><binary></binary></eventdata><userdata></userdata></event>"""
_IN_TEXT = r"(?:>[^<]*|<Provider Name='[^']*)"
_ENTITY = "(?:&(?:amp|lt|gt);|[^<&])"


def keyword(value: Value, columns: Columns) -> Node:
    """Return the node of a value without a field.

    Raises:
        Refusal: SC201, SC206.
    """
    if isinstance(value, Alternatives):
        return join("or", [keyword(one, columns) for one in value.values])
    xml = in_xml(columns)
    if isinstance(value, VolumePath):
        value = value.regex
    if isinstance(value, Regex):
        if xml:
            raise Refusal(
                "SC201",
                "a regular expression without a field would be sought over the ends of the record's fields",
                hint="name the field",
            )
        return _regex(value)
    parts = _parts(value)
    if not parts:
        return Leaf("isnotnull(_raw)", "isnull(_raw)", search="*", atomic_not=True)
    cased = isinstance(value, Text) and value.cased
    regex = _in_xml(parts, columns) if xml else _in_lines(parts)
    test = match("_raw", regex, "" if cased else "i")
    words = [word for part in parts if isinstance(part, str) for word in _WORDS.findall(part)]
    terms: list[Node] = [
        Leaf("", "", search=f"*{word}*") for word in dict.fromkeys(words) if len(word) >= _LEAST
    ]
    whole = len(parts) == 1 and words == [parts[0]] and not cased and regex == literal(str(parts[0]))
    return Leaf(
        test,
        f"NOT {test}",
        search=f"*{words[0]}*" if whole else None,
        weaker=None if whole or not terms else join("and", terms),
        atomic_not=True,
        subject="_raw",
        alternative=regex,
        flags="" if cased else "i",
    )


def in_xml(columns: Columns) -> bool:
    """Tell whether the events of a cell are records in XML."""
    return any(column.stored == "xml" for column in columns.values())


def _parts(value: Value) -> Parts:
    if isinstance(value, Text):
        parts = value_parts(value)
    elif isinstance(value, Number):
        parts = (str(value.number),)
    elif isinstance(value, Flag):
        parts = (value.word,)
    else:
        raise Refusal("SC201", f"a keyword cannot be {value_text(value)}: it needs a field")
    parts = parts[1:] if parts[:1] == (ANY,) else parts
    return parts[:-1] if parts[-1:] == (ANY,) else parts


def _regex(value: Regex) -> Leaf:
    source, flags = pcre(value.pattern), value.flags
    test = match("_raw", source, flags)
    regex = pattern((f"(?{flags})" if flags else "") + source)
    return Leaf(test, f"NOT {test}", regex=("_raw", regex), atomic_not=True)


def _in_lines(parts: Parts) -> str:
    """Return a pattern of an unknown text: a star does not run from one line of it into the next."""
    return "".join(".*" if part is ANY else "." if part is ONE else literal(str(part)) for part in parts)


def _in_xml(parts: Parts, columns: Columns) -> str:
    pieces = [
        "[^<]*" if part is ANY else _ENTITY if part is ONE else literal(encoded(str(part))) for part in parts
    ]
    markup = f"{_MARKUP} {' '.join(columns)}".lower()
    texts = [str(part).lower() for part in parts if isinstance(part, str)]
    inside = all(encoded(text) in markup for text in texts)
    begin = _not_inside_an_entity(str(parts[0])) if isinstance(parts[0], str) else ""
    return (_IN_TEXT if inside else "") + begin + "".join(pieces)


def _not_inside_an_entity(text: str) -> str:
    """Return what keeps a text from being found inside an entity, where one contains or begins it."""
    found = []
    for name in ("&amp;", "&lt;", "&gt;"):
        for start in range(1, len(name)):
            tail, here = name[start:], text.lower()
            if tail.startswith(here) or here.startswith(tail):
                found.append(f"(?<!{name[:start]})")
    return "".join(dict.fromkeys(found))
