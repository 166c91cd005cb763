"""SPL for Splunk: `search` for what it says exactly, one `where` for the rest."""

from converter.backends.spl.backend import SplBackend

__all__ = ["SplBackend"]
