"""Write Splunk's .conf files.

What a value may hold is said by Splunk's "About configuration files" and savedsearches.conf.spec: a line that
ends in a backslash goes on in the next; a line that begins with ``#`` is a comment and one that begins with
``[`` a stanza, unless it continues a value; white space around a value is dropped. There is no escape for a
backslash at a value's end.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from converter.errors import Refusal

_CONTROL = re.compile(r"[\x00-\x1f\x7f\u0085\u2028\u2029]+")


def stanza(name: str, settings: Mapping[str, str]) -> str:
    """Return a stanza, ending in a newline.

    Args:
        name: of the stanza (see `stanza_name`).
        settings: setting -> value of one line (see `line`), or of several (see `lines`).
    """
    return f"[{name}]\n" + "".join(f"{key} = {value}\n" for key, value in settings.items())


def stanza_name(text: str, unique: str, longest: int) -> str:
    """Return a name for a stanza: what REST paths and stanza headers cannot hold is left out.

    Args:
        text: a title.
        unique: is appended in parentheses and never shortened.
        longest: characters.
    """
    end = f" ({unique})"
    text = re.sub(r"[/\\]+", "-", line(text)).replace("[", "(").replace("]", ")")
    room = longest - len(end)
    return (text if len(text) <= room else text[: room - 1].rstrip() + "…") + end


def line(text: str) -> str:
    """Return prose as a value of one line: white space and control characters are one space.

    A full stop follows a backslash at its end, which would join the next line.
    """
    text = " ".join(_CONTROL.sub(" ", text).split())
    return text + "." if text.endswith("\\") else text


def lines(text: str) -> str:
    """Return a value of several lines, as it is.

    Raises:
        Refusal: SC210 if a line ends in a backslash or is blank, which no reader of .conf files tells from a
            continuation or its end.
    """
    parts = text.split("\n")
    for part in parts:
        if part.rstrip().endswith("\\") or not part.strip():
            raise Refusal(
                "SC210", "a .conf file cannot hold a line of the search that ends in a backslash or is blank"
            )
    if re.search(r"[\x00-\x08\x0b-\x1f\x7f]", text):
        raise Refusal("SC210", "a .conf file cannot hold control characters, and the search has one")
    return "\\\n".join(parts)
