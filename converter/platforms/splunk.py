"""Splunk: index, source, sourcetype and macro."""

from __future__ import annotations

import re

from converter.plan.columns import Column
from converter.platforms.base import IndexName, Language, Platform

SPLUNK = Platform(
    name="splunk",
    languages=(Language("spl", frozenset({"splunk"})),),
    settings=frozenset({"variant", "index", "source", "sourcetype", "macro", "fields", "mapping"}),
    field_settings=frozenset({"type", "multi", "null"}),
    types=frozenset({"string", "number"}),
    # Splunk, "Create custom indexes": digits, lower case letters, underscores and hyphens.
    index=IndexName(re.compile(r"[A-Za-z0-9_*-]+", re.ASCII), "an index name", renamed=False),
    inferred=dict.fromkeys(("string", "integer", "float", "boolean", "ip", "time"), Column("string")),
    # No index is called Events: a search without one reads what its role searches by default.
    place={},
)
