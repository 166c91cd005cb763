"""Documented semantics of SPL: an interpreter of exactly the subset that sigconv emits.

It is written from Splunk's public documentation (Search Manual and Search Reference, 9.x), not from Splunk,
and fails hard on everything else. What the documentation leaves open is named where it is decided.
"""

from converter.engines.spl.engine import SplEngine

__all__ = ["SplEngine"]
