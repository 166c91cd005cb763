"""KQL: executed by duckdb-kql over stored events, validated by Microsoft's own analyser."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from converter import install_hint
from converter.engines.base import Session
from converter.errors import EngineError
from converter.events.stored import Stored
from converter.plan.columns import Columns

if TYPE_CHECKING:
    from converter.engines.kql.session import KqlSession


class KqlEngine:
    """The engine of KQL. Making one loads nothing; `load` needs duckdb-kql, `validate` the analyser."""

    def load(self, events: Sequence[Stored], tables: Mapping[str, Columns]) -> Session:
        """Load events; string columns that an event lacks hold the empty string, as in Kusto.

        Raises:
            EngineError: SC401 without duckdb-kql; SC404 for columns or events that do not fit.
        """
        return _session()(events, tables)

    def validate(self, text: str, tables: Mapping[str, Columns]) -> None:
        """Check names, types and syntax with Microsoft's analyser, and regexes with the Rust regex crate.

        Raises:
            EngineError: SC401 without the analyser; SC402 with what it says.
        """
        from converter.engines.kql.validator import validate

        validate(text, tables)


def _session() -> type[KqlSession]:
    try:
        from converter.engines.kql.session import KqlSession
    except ModuleNotFoundError as error:
        hint = install_hint.with_engines()
        raise EngineError("SC401", f"the KQL engine needs {error.name}", hint=hint) from None
    return KqlSession
