"""The registry of engines. They are an extra: `pip install sigconv[verify]`."""

from __future__ import annotations

from importlib import import_module
from typing import cast

from converter.engines.base import Engine
from converter.errors import EngineError

ENGINES = {
    "eql": "converter.engines.eql:EqlEngine",
    "lucene": "converter.engines.lucene:LuceneEngine",
    "spl": "converter.engines.spl:SplEngine",
    "kql": "converter.engines.kql:KqlEngine",
}


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
            hint='pip install "sigconv[verify]"',
        ) from error
