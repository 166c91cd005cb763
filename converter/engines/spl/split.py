"""Cut a search into its commands: comments out, pipes outside quotes cut."""

from __future__ import annotations

from converter.engines.spl.failures import invalid, unknown

_FENCE = "```"


def commands(source: str) -> list[str]:
    """Return the commands of a search, the first being the implied `search`.

    Comments stand between triple backticks (Search Manual, "Add comments to searches"); inside quotes
    they are text. A single backtick outside quotes begins a macro, which is refused.

    Raises:
        EngineError: SC402 for an open quote or comment, SC403 for macros, subsearches and leading pipes.
    """
    found: list[str] = []
    current: list[str] = []
    position, quote = 0, ""
    while position < len(source):
        char = source[position]
        if quote:
            current.append(char)
            if char == "\\" and quote == '"' and position + 1 < len(source):
                position += 1
                current.append(source[position])
            elif char == quote:
                quote = ""
        elif source.startswith(_FENCE, position):
            end = source.find(_FENCE, position + len(_FENCE))
            if end < 0:
                raise invalid("a comment is not closed")
            current.append(" ")
            position = end + len(_FENCE)
            continue
        elif char == "`":
            raise unknown("macros")
        elif char in "[]":
            raise unknown("subsearches")
        elif char == "|":
            found.append("".join(current).strip())
            current = []
        else:
            # A single quote delimits fields in expressions; `search` has it inside double quotes only.
            quote = char if char in "\"'" else ""
            current.append(char)
        position += 1
    if quote:
        raise invalid("a quote is not closed")
    found.append("".join(current).strip())
    if not found[0]:
        raise unknown("a search that begins with a pipe has no events")
    if not all(found):
        raise invalid("a command is missing between pipes")
    return found
