"""EQL: the event query language of Elasticsearch."""

from converter.backends.eql.backend import EqlBackend

__all__ = ["EqlBackend"]
