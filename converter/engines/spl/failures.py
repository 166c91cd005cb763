"""The two errors of the engine."""

from __future__ import annotations

from converter.errors import EngineError


def invalid(message: str) -> EngineError:
    """Return SC402: the text is not SPL."""
    return EngineError("SC402", f"SPL: {message}")


def unknown(message: str) -> EngineError:
    """Return SC403: perhaps SPL, but not of the subset that this engine has."""
    return EngineError("SC403", f"SPL: {message}", hint="the engine runs only the SPL that sigconv emits")
