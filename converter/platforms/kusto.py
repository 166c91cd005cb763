"""Kusto, which Microsoft Sentinel and Defender XDR run on: tables and their column types."""

from __future__ import annotations

import re

from converter.plan.columns import Column
from converter.platforms.base import IndexName, Language, Platform

KUSTO = Platform(
    name="kusto",
    # A column of a scalar type holds one value (Microsoft Learn, "Scalar data types").
    languages=(Language("kql", frozenset({"kusto"}), one_value=True),),
    settings=frozenset({"variant", "table", "expression", "fields", "mapping"}),
    field_settings=frozenset({"type", "via", "expression"}),
    types=frozenset({"string", "int", "long", "real", "bool", "datetime", "dynamic", "guid"}),
    index=IndexName(re.compile(r"[A-Za-z_][A-Za-z0-9_]*", re.ASCII), "a table's name"),
    inferred={
        kind: Column(name)
        for kind, name in {
            "string": "string",
            "integer": "long",
            "float": "real",
            "boolean": "bool",
            "ip": "string",
            "time": "datetime",
        }.items()
    },
    place={"index": ["Events"], "table": "Events"},
)
