"""Windows' way of splitting a command line into arguments, as Elastic's ingest does it."""

from __future__ import annotations


def split_arguments(line: str) -> list[str]:
    """Return the arguments of a command line.

    Blanks part arguments outside quotes; 2n backslashes before a quote are n backslashes and the quote
    opens or closes, 2n+1 are n backslashes and the quote itself; two quotes inside quotes are one.
    """
    arguments: list[str] = []
    rest = line.lstrip(" \t")
    while rest:
        argument, rest = _next(rest)
        arguments.append(argument)
        rest = rest.lstrip(" \t")
    return arguments


def _next(rest: str) -> tuple[str, str]:
    built: list[str] = []
    quoted = False
    slashes = 0
    at = 0
    while at < len(rest):
        char = rest[at]
        if char == "\\":
            slashes += 1
        elif char == '"':
            built.append("\\" * (slashes // 2))
            if slashes % 2:
                built.append('"')
            else:
                if quoted and rest[at + 1 : at + 2] == '"':
                    built.append('"')
                    at += 1
                quoted = not quoted
            slashes = 0
        else:
            built.append("\\" * slashes)
            slashes = 0
            if char in " \t" and not quoted:
                return "".join(built), rest[at + 1 :]
            built.append(char)
        at += 1
    return "".join(built) + "\\" * slashes, ""
