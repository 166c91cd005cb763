"""The one hierarchy of errors: each has a code, a message and, where known, a place and a hint."""

from __future__ import annotations

import re
from enum import IntEnum
from typing import Self

Said = tuple[str, str, str | None, int | None, int | None, str | None]
"""Code, message, file, line, column and hint of an error."""


class ExitCode(IntEnum):
    """What the process returns; a CI job can act on it."""

    OK = 0
    FAILED = 1
    """Rules failed, tests failed, engines disagreed or the output is stale."""
    USAGE = 2
    """A wrong option, path or configuration."""
    INTERNAL = 3
    """A defect of sigconv."""


_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")


def plain(text: str) -> str:
    """Return a rule's text without what a terminal would obey; each such character is a space."""
    return text if text.isprintable() else _CONTROL.sub(" ", text)


class SigconvError(Exception):
    """Base of every error that a user can see.

    Args:
        code: stable identifier, ``SC`` and three digits (docs/errors.md lists them).
        message: one sentence, no newline (newlines are replaced by spaces).
        file: the path as the user gave it.
        line: 1-based line in ``file``.
        column: 1-based column in ``file``.
        hint: what to do about it.
    """

    exit_code = ExitCode.FAILED

    def __init__(
        self,
        code: str,
        message: str,
        *,
        file: str | None = None,
        line: int | None = None,
        column: int | None = None,
        hint: str | None = None,
    ) -> None:
        super().__init__(message)
        self.code = code
        self.message = " ".join(plain(message).split())
        self.file = file
        self.line = line
        self.column = column
        self.hint = hint

    def said(self) -> Said:
        """Return what it says as plain data, which another process or a later run can make it from again."""
        return self.code, self.message, self.file, self.line, self.column, self.hint

    @classmethod
    def of(cls, said: Said) -> Self:
        """Return the error of this class that said this."""
        made = cls.__new__(cls, said[1])  # Not `__init__`: the message is one line already.
        made.code, made.message, made.file, made.line, made.column, made.hint = said
        return made

    def __str__(self) -> str:
        """Return the one line that is printed: ``file:line:column: CODE message (hint)``."""
        where = ":".join(str(part) for part in (self.file, self.line, self.column) if part is not None)
        text = f"{self.code} {self.message}"
        if self.hint:
            text += f" ({self.hint})"
        return f"{where}: {text}" if where else text


class RuleError(SigconvError):
    """A rule file that cannot be read or is not valid Sigma (SC1xx)."""


class Refusal(SigconvError):
    """A rule that this cell cannot say, or not at the fidelity asked for (SC2xx)."""


class PipelineError(SigconvError):
    """A pipeline or column list that is broken (SC3xx)."""

    exit_code = ExitCode.USAGE


class EngineError(SigconvError):
    """An engine that is missing, or that rejects or cannot run a query (SC4xx)."""


class EventsError(SigconvError):
    """An event file that cannot be read (SC5xx)."""


class UsageError(SigconvError):
    """A wrong option, path or configuration (SC6xx)."""

    exit_code = ExitCode.USAGE


class InternalError(SigconvError):
    """A defect of sigconv or of a library, met while one rule was converted (SC900)."""

    exit_code = ExitCode.INTERNAL
