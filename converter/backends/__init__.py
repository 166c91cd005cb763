"""The registry of languages. To add one: a module beside this, and a line in ``BACKENDS``."""

from __future__ import annotations

from importlib import import_module
from typing import cast

from converter.backends.base import LanguageBackend

# Class paths, not classes: a build for one language does not import the other three.
BACKENDS = {
    "eql": "converter.backends.eql:EqlBackend",
    "lucene": "converter.backends.lucene:LuceneBackend",
    "spl": "converter.backends.spl:SplBackend",
    "kql": "converter.backends.kql:KqlBackend",
}


def backend_for(language: str, **options: str) -> LanguageBackend:
    """Return a fresh backend of the language (pySigma keeps state on instances and classes).

    Args:
        language: a key of ``BACKENDS``.
        options: of that backend; see its class.

    Raises:
        KeyError: if the language is not in the registry.
    """
    module, _, name = BACKENDS[language].partition(":")
    return cast(LanguageBackend, getattr(import_module(module), name)(**options))
