"""The registry of backends: what there is to know of a language that no platform says.

To add a language: a package beside this, a line in ``BACKENDS``, and what `converter.platforms` asks for.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    from converter.backends.base import LanguageBackend


@dataclass(frozen=True, slots=True)
class Option:
    """A choice that a user has with a backend, as ``--<language>-<name>`` on the command line."""

    name: str
    choices: tuple[str, ...]
    """The first is what is done if nothing is said."""
    help: str


@dataclass(frozen=True, slots=True)
class Entry:
    """A language of the registry."""

    backend: str
    """Module and class. Not the class: a build for one language does not import the others."""
    colours: str
    """The lexer of its queries: Pygments' name, or one of `converter.report.highlight`."""
    upstream: str
    """The class of upstream's backend that `sigconv compare` sets beside ours."""
    options: tuple[Option, ...] = ()


BACKENDS = {
    "eql": Entry("converter.backends.eql:EqlBackend", colours="eql", upstream="EqlBackend"),
    "lucene": Entry(
        "converter.backends.lucene:LuceneBackend",
        colours="query_string",
        upstream="LuceneBackend",
        options=(
            Option(
                "case",
                ("exact", "as-is"),
                "Lucene: spell letters out where a field is case-sensitive, or leave them (narrower).",
            ),
            Option(
                "form",
                ("query_string", "dsl"),
                "Lucene: a query string, or event rules as JSON of the query DSL.",
            ),
        ),
    ),
    "spl": Entry("converter.backends.spl:SplBackend", colours="splunk_search", upstream="SplunkBackend"),
    "kql": Entry("converter.backends.kql:KqlBackend", colours="kusto", upstream="KustoBackend"),
}


def backend_for(language: str, **options: str) -> LanguageBackend:
    """Return a fresh backend of the language.

    Args:
        language: a key of ``BACKENDS``.
        options: of that backend; see its class.

    Raises:
        KeyError: if the language is not in the registry.
    """
    module, _, name = BACKENDS[language].backend.partition(":")
    return cast("LanguageBackend", getattr(import_module(module), name)(**options))
