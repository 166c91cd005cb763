"""Elastic: index patterns and Elasticsearch's field types."""

from __future__ import annotations

import re

from converter.plan.columns import Column
from converter.platforms.base import IndexName, Language, Platform

ELASTIC = Platform(
    name="elastic",
    languages=(
        Language("eql", frozenset({"eql", "elasticsearch"})),
        Language("lucene", frozenset({"lucene", "elasticsearch"})),
    ),
    settings=frozenset({"variant", "index", "fields", "mapping"}),
    field_settings=frozenset({"type", "caseless", "optional", "multi"}),
    types=frozenset(
        {
            *("keyword", "wildcard", "constant_keyword", "text", "match_only_text", "flattened", "ip"),
            *("long", "integer", "short", "byte", "unsigned_long", "double", "float", "boolean", "date"),
        }
    ),
    # Elasticsearch: lower case, no separators of lists, no spaces; `-x` excludes, `cluster:x` is remote.
    index=IndexName(re.compile(r"-?([a-z0-9_*-]+:)?[a-z0-9_.*+@-]+", re.ASCII), "an index pattern"),
    # Nothing is known about the indices: every field may be missing.
    inferred={
        kind: Column(name, optional=True)
        for kind, name in {
            "string": "keyword",
            "integer": "long",
            "float": "double",
            "boolean": "boolean",
            "ip": "ip",
            "time": "date",
        }.items()
    },
    place={"index": ["Events"], "table": "Events"},
)
