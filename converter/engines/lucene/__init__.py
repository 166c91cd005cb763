"""Run Lucene queries, query DSL bodies and threshold rules as Elasticsearch does, on Lucene itself."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from converter.engines import lucene_jvm
from converter.engines.base import Result
from converter.engines.lucene.dsl import dsl_query
from converter.engines.lucene.index import Fields, build
from converter.engines.lucene.queries import Maker
from converter.engines.lucene.query_string import fields_of, query_of
from converter.engines.lucene.syntax import parse
from converter.engines.lucene.threshold import Rule, alerts
from converter.errors import EngineError
from converter.events.stored import Stored
from converter.plan.columns import Columns


class LuceneEngine:
    """Elasticsearch's Lucene.

    Args:
        lenient: what Elasticsearch does when the default field is ``*``: text that is none of a field's
            type, and bad regexes, match nothing. Without it they are errors, as everywhere else.
        ignore_above: longest keyword that is indexed (ECS: 1024 characters); None for no limit.
        max_regex_length: `index.max_regex_length`.
    """

    def __init__(
        self,
        *,
        lenient: bool = False,
        ignore_above: int | None = None,
        max_regex_length: int = lucene_jvm.MAX_REGEX_LENGTH,
    ) -> None:
        # Says at once which package is missing.
        lucene_jvm.start()
        self.lenient = lenient
        self.ignore_above = ignore_above
        self.max_regex_length = max_regex_length

    def load(self, events: Sequence[Stored], tables: Mapping[str, Columns]) -> LuceneSession:
        """Index the events, each Elasticsearch index by itself.

        Raises:
            EngineError: SC404 for an index without columns.
        """
        return LuceneSession(self, events, tables)

    def validate(self, text: str, tables: Mapping[str, Columns]) -> None:
        """Check a query on Lucene's own parser, and each leaf against the type of its field.

        Raises:
            EngineError: SC402 with the parser's message, or for a field that no table has.
        """
        body = _json(text)
        makers = [Maker(Fields(columns, []), self.max_regex_length) for columns in _different(tables)]
        if body is not None and "threshold" not in body:
            for maker in makers:
                dsl_query(_inner(body), maker, lenient=self.lenient)
            return
        rule = None if body is None else Rule(body)
        query = text if rule is None else rule.query
        _accepted_by_lucene(query)
        known = {name for maker in makers for name in maker.fields.types}
        for name in sorted(fields_of(parse(query)) - known - {"*"}):
            if not any(one.startswith(name + ".") for one in known):
                raise EngineError("SC402", f"no index has a field '{name}'")
        for maker in makers:
            if rule is None:
                query_of(query, maker, lenient=self.lenient)
            else:
                dsl_query(rule.search, maker, lenient=self.lenient)


def _different(tables: Mapping[str, Columns]) -> list[Columns]:
    """Return the tables' columns, each once: patterns of a cell share theirs."""
    return list({id(columns): columns for columns in tables.values()}.values())


def _inner(body: Mapping[str, Any]) -> Any:
    if set(body) != {"query"}:
        raise EngineError("SC402", "a body of the query DSL has the key 'query'")
    return body["query"]


def _accepted_by_lucene(query: str) -> None:
    import jpype

    analyzer = jpype.JClass("org.apache.lucene.analysis.core.KeywordAnalyzer")()
    parser = jpype.JClass("org.apache.lucene.queryparser.classic.QueryParser")(" default", analyzer)
    parser.setAllowLeadingWildcard(True)
    try:
        parser.parse(lucene_jvm.java_string(query))
    except jpype.JException as error:
        raise EngineError("SC402", f"Lucene: {error.getMessage()}") from error


class _Part:
    """One Elasticsearch index."""

    def __init__(self, engine: LuceneEngine, events: list[Stored], columns: Columns) -> None:
        self.events = events
        self.fields = Fields(columns, events)
        self.maker = Maker(self.fields, engine.max_regex_length)
        self.searcher = build(events, self.fields, engine.ignore_above)

    def search(self, query: Any) -> list[Stored]:
        import jpype

        try:
            hits = self.searcher.search(query, max(1, len(self.events))).scoreDocs
        except jpype.JException as error:
            raise EngineError("SC403", f"Lucene: {error.getMessage()}") from error
        return [self.events[number] for number in sorted(int(hit.doc) for hit in hits)]


class LuceneSession:
    """Events in one Lucene index for each of Elasticsearch's."""

    def __init__(self, engine: LuceneEngine, events: Sequence[Stored], tables: Mapping[str, Columns]) -> None:
        self.engine = engine
        groups: dict[str, list[Stored]] = {}
        for event in events:
            if event.index not in tables:
                raise EngineError("SC404", f"no columns are given for index '{event.index}'")
            groups.setdefault(event.index, []).append(event)
        if not groups:
            # A wrong query is wrong without events too.
            groups = {name: [] for name in tables}
        self.parts = [_Part(engine, found, tables[name]) for name, found in groups.items()]

    def run(self, text: str) -> Result:
        """Execute a query, or the JSON of a query DSL body or a threshold rule.

        Raises:
            EngineError: SC402 for what Elasticsearch rejects, SC403 for a limit.
        """
        body = _json(text)
        lenient = self.engine.lenient
        if body is None:
            return _ids(self._search(lambda maker: query_of(text, maker, lenient=lenient)))
        if "threshold" not in body:
            inner = _inner(body)
            return _ids(self._search(lambda maker: dsl_query(inner, maker, lenient=lenient)))
        rule = Rule(body)
        hits = self._search(lambda maker: dsl_query(rule.search, maker, lenient=lenient))
        return Result(rows=tuple(alerts(rule, [event for event in hits if rule.searches(event.index)])))

    def _search(self, make: Callable[[Maker], Any]) -> list[Stored]:
        found = [event for part in self.parts for event in part.search(make(part.maker))]
        return sorted(found, key=lambda event: event.id)


def _ids(events: Sequence[Stored]) -> Result:
    return Result(tuple(event.id for event in events))


def _json(text: str) -> dict[str, Any] | None:
    """Return the JSON object that a text is, if it is one; no query begins with a brace and a quote."""
    try:
        body = json.loads(text)
    except ValueError:
        return None
    return body if isinstance(body, dict) else None
