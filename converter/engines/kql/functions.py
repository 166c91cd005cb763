"""Scalar functions that duckdb-kql lacks, written to Microsoft's documentation.

Each is a Python function inside DuckDB and a row in duckdb-kql's registry of functions. The registry
is private: the version is pinned in pyproject.toml.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable
from functools import cache, lru_cache
from string import ascii_lowercase, ascii_uppercase
from typing import Any

import duckdb
from duckdb import sqltypes
from duckdb.func import FunctionNullHandling
from duckdb_kql.translate.functions import AGGREGATE_FUNCTIONS, SCALAR_FUNCTIONS, AggregateSpec, FunctionSpec

MATCHES = "sigconv_matches"
"""Our name of ``matches regex`` with the Rust regex crate, which Kusto's regex page describes."""
FIRST = "sigconv_first"
"""Our name of DuckDB's aggregation ``first``: of several, the values are of one row."""

_ANY_RANGE_ARGUMENTS = 64
_LOWER = str.maketrans(ascii_uppercase, ascii_lowercase)


def register(connection: duckdb.DuckDBPyConnection) -> None:
    """Add the functions to a connection; null arguments give null."""
    text, boolean = sqltypes.VARCHAR, sqltypes.BOOLEAN
    special = FunctionNullHandling.SPECIAL
    for function in (_ipv4_in_range, _ipv6_in_range, _rust_matches):
        connection.create_function(function.__name__, function, [text, text], boolean, null_handling=special)


@cache
def extend_registry() -> None:
    """Make duckdb-kql translate the functions (idempotent)."""
    _template("ipv4_is_in_range", "_ipv4_in_range({0}, {1})", (2,))
    _template("ipv6_is_in_range", "_ipv6_in_range({0}, {1})", (2,))
    # "ipv6_is_match" with no prefix compares after the prefixes of the strings: the range test both ways.
    _template("ipv6_is_match", "(_ipv6_in_range({0}, {1}) OR _ipv6_in_range({1}, {0}))", (2,))
    for many in range(2, _ANY_RANGE_ARGUMENTS):
        for family in ("ipv4", "ipv6"):
            tests = " OR ".join(f"_{family}_in_range({{0}}, {{{i}}})" for i in range(1, many))
            _template(f"{family}_is_in_any_range_{many - 1}", f"({tests})", (many,))
    private = ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16")
    tests = " OR ".join(f"_ipv4_in_range({{0}}, '{block}')" for block in private)
    _template("ipv4_is_private", f"({tests})", (1,))
    _template(MATCHES, "coalesce(_rust_matches({0}, {1}), FALSE)", (2,))
    # DuckDB writes a list as `[1, 2]`, Kusto as JSON: `[1,2]`.
    as_json = "CASE WHEN typeof({0}) LIKE '%[]' THEN CAST(to_json({0}) AS VARCHAR) ELSE {1} END"
    _template("sigconv_text", as_json, (2,))
    _template("sigconv_folded", f"translate({{0}}, '{ascii_uppercase}', '{ascii_lowercase}')", (1,))
    AGGREGATE_FUNCTIONS.setdefault(FIRST, AggregateSpec(FIRST, "first({0})", (1,)))
    # The lookups are literals; replaced one after the other in the order of the list.
    _template("sigconv_replace_one", "replace({0}, {1}, {2})", (3,))


def _template(name: str, template: str, arities: tuple[int, ...]) -> None:
    SCALAR_FUNCTIONS.setdefault(name, FunctionSpec(name, "template", template, arities))


def ascii_lower(text: str) -> str:
    """Return a text with its ASCII letters in lower case and all others as they are."""
    return text.translate(_LOWER)


@lru_cache(maxsize=4096)
def _ipv4(text: str) -> ipaddress.IPv4Network | None:
    try:
        return ipaddress.IPv4Network(text, strict=False)
    except ValueError:
        return None


@lru_cache(maxsize=4096)
def _ipv6(text: str) -> ipaddress.IPv6Network | None:
    """Read IPv6, or IPv4 as the mapped address, as Kusto's ipv6 functions do."""
    try:
        return ipaddress.IPv6Network(text, strict=False)
    except ValueError:
        four = _ipv4(text)
    if four is None:
        return None
    mapped = (0xFFFF << 32) + int(four.network_address)
    return ipaddress.IPv6Network((mapped, 96 + four.prefixlen), strict=False)


def _ipv4_in_range(address: str | None, block: str | None) -> bool | None:
    return _in_range(_ipv4(address or ""), _ipv4(block or ""))


def _ipv6_in_range(address: str | None, block: str | None) -> bool | None:
    return _in_range(_ipv6(address or ""), _ipv6(block or ""))


def _in_range(address: Any, block: Any) -> bool | None:
    """Null where a text is no address, as documented."""
    if address is None or block is None:
        return None
    return bool(address.subnet_of(block))


@lru_cache(maxsize=256)
def compiled(pattern: str) -> Callable[[str], bool]:
    """Return a test of the pattern by the Rust regex crate.

    Raises:
        ValueError: if the crate rejects the pattern.
    """
    import polars

    def test(value: str) -> bool:
        return bool(polars.Series([value]).str.contains(pattern)[0])

    try:
        test("")
    except polars.exceptions.ComputeError as error:
        raise ValueError(re.sub(r"\s+", " ", str(error))) from None
    return test


@lru_cache(maxsize=65536)
def _rust_matches(value: str | None, pattern: str) -> bool:
    return compiled(pattern)(value or "")
