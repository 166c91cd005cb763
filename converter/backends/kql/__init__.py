"""KQL for Microsoft Sentinel and Defender XDR."""

from converter.backends.kql.backend import KqlBackend

__all__ = ["KqlBackend"]
