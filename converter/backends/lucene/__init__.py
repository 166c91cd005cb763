"""Lucene: Elasticsearch's query_string, threshold rules and query DSL."""

from converter.backends.lucene.backend import LuceneBackend

__all__ = ["LuceneBackend"]
