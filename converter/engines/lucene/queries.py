"""Make Lucene queries of typed fields, as Elasticsearch's field types do."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Iterable
from fnmatch import translate
from typing import Any

from converter.engines import lucene_jvm
from converter.engines.lucene.index import (
    ANALYSED,
    EXISTS,
    FLOATS,
    IGNORED,
    INTEGERS,
    WHOLE,
    Fields,
    address,
    boolean,
    lowercase,
    milliseconds,
    whole_number,
)
from converter.errors import EngineError

MAX_CLAUSES = 1024
"""Of one boolean query; Lucene's default, which Elasticsearch never goes below."""


class Maker:
    """Makes queries over the fields of one index.

    Args:
        fields: the index's fields.
        max_regex_length: `index.max_regex_length`.
    """

    def __init__(self, fields: Fields, max_regex_length: int) -> None:
        import jpype

        lucene_jvm.start()
        self.fields = fields
        self.max_regex_length = max_regex_length
        java = jpype.JClass
        search, document = "org.apache.lucene.search.", "org.apache.lucene.document."
        self._term = java("org.apache.lucene.index.Term")
        self._term_query = java(search + "TermQuery")
        self._automaton_query = java(search + "AutomatonQuery")
        self._prefix_query = java(search + "PrefixQuery")
        self._fuzzy_query = java(search + "FuzzyQuery")
        self._range_query = java(search + "TermRangeQuery")
        self._none = java(search + "MatchNoDocsQuery")
        self._every = java(search + "MatchAllDocsQuery")
        self._builder = java(search + "BooleanQuery$Builder")
        self._occur = java(search + "BooleanClause$Occur")
        self._long, self._double = java(document + "LongPoint"), java(document + "DoublePoint")
        self._ip = java(document + "InetAddressPoint")
        self._analysed = java("org.apache.lucene.util.QueryBuilder")(fields.analyzer())
        self._java_error = jpype.JException

    def every(self) -> Any:
        """Return the query of all documents."""
        return self._every()

    def none(self) -> Any:
        """Return the query of no document."""
        return self._none()

    def junction(self, clauses: Iterable[tuple[str, Any]], minimum: int = 0) -> Any:
        """Return a boolean query; one without positive clauses is relative to all documents.

        Raises:
            EngineError: SC403 above the maximum of clauses.
        """
        builder = self._builder()
        negative = True
        try:
            for occur, query in clauses:
                builder.add(query, getattr(self._occur, occur))
                negative = negative and occur == "MUST_NOT"
            if negative:
                # Elasticsearch's Queries.fixNegativeQueryIfNeeded.
                builder.add(self._every(), self._occur.FILTER)
        except self._java_error as error:
            raise EngineError("SC403", f"Lucene: too many clauses: {error.getMessage()}") from error
        if minimum:
            builder.setMinimumNumberShouldMatch(minimum)
        return builder.build()

    def any_of(self, queries: list[Any]) -> Any:
        """Return the union of queries."""
        if len(queries) == 1:
            return queries[0]
        return self.junction([("SHOULD", query) for query in queries]) if queries else self._none()

    def names(self, pattern: str) -> list[str]:
        """Return the fields whose name a pattern with ``*`` matches."""
        if "*" not in pattern:
            return [pattern] if pattern in self.fields.types else []
        match = re.compile(translate(pattern.replace("[", "[[]").replace("?", "[?]"))).match
        return [name for name in self.fields.types if name != IGNORED and match(name)]

    def exists(self, field: str) -> Any:
        """Return the documents that have a value in a field, or in any field of an object."""
        found = [name for name in self.fields.types if name == field or name.startswith(field + ".")]
        return self.any_of([self._term_query(self._make(EXISTS, name)) for name in found])

    def term(self, field: str, text: str, quoted: bool = False, fold: bool = False) -> Any:
        """Return a term (or, on analysed fields, match or phrase) query.

        Raises:
            EngineError: SC402 where the text is none of the field's type.
        """
        kind = self.fields.types[field]
        if kind in WHOLE:
            if fold:
                return self._automaton(field, lucene_jvm.wildcard_automaton(_literal(text), True))
            return self._term_query(self._make(field, self.fields.normalized(field, text)))
        if kind in ANALYSED:
            make = self._analysed.createPhraseQuery if quoted else self._analysed.createBooleanQuery
            return make(lucene_jvm.java_string(field), lucene_jvm.java_string(text)) or self._none()
        if kind == "ip" and "/" in text:
            return self._typed(field, kind, text, self._network)
        if kind == "boolean":
            return self._typed(field, kind, text, lambda: self._term_query(self._make(field, boolean(text))))
        return self.range(field, text, text, True, True)

    def _network(self, field: str, text: str) -> Any:
        network = ipaddress.ip_network(text, strict=False)
        return self._ip.newPrefixQuery(
            lucene_jvm.java_string(field), address(network.network_address), network.prefixlen
        )

    def _typed(self, field: str, kind: str, text: str | None, make: Callable[..., Any]) -> Any:
        try:
            return make() if kind == "boolean" else make(field, text)
        except (ValueError, OverflowError) as error:
            raise EngineError(
                "SC402", f"failed to parse {text!r:.100} for field '{field}' ({kind})"
            ) from error

    def range(self, field: str, low: str | None, high: str | None, has_low: bool, has_high: bool) -> Any:
        """Return a range query; None is open.

        Raises:
            EngineError: SC402 where a bound is none of the field's type.
        """
        kind = self.fields.types[field]
        try:
            if kind in INTEGERS:
                return self._integers(field, low, high, has_low, has_high)
            if kind == "date":
                # A bound without all its parts is rounded by Elasticsearch; here it must have them.
                return self._long.newRangeQuery(
                    lucene_jvm.java_string(field),
                    milliseconds(low) + (not has_low) if low is not None else -(2**63),
                    milliseconds(high) - (not has_high) if high is not None else 2**63 - 1,
                )
            if kind in FLOATS:
                first = float(low) if low is not None else float("-inf")
                last = float(high) if high is not None else float("inf")
                return self._double.newRangeQuery(
                    lucene_jvm.java_string(field),
                    first if has_low or low is None else self._double.nextUp(first),
                    last if has_high or high is None else self._double.nextDown(last),
                )
            if kind == "ip":
                first_ip = address(low) if low is not None else self._ip.MIN_VALUE
                last_ip = address(high) if high is not None else self._ip.MAX_VALUE
                return self._ip.newRangeQuery(
                    lucene_jvm.java_string(field),
                    first_ip if has_low or low is None else self._ip.nextUp(first_ip),
                    last_ip if has_high or high is None else self._ip.nextDown(last_ip),
                )
        except (ValueError, OverflowError) as error:
            raise EngineError(
                "SC402", f"failed to parse {low!r} to {high!r} for field '{field}' ({kind})"
            ) from error
        if kind == "boolean":
            raise EngineError("SC402", f"field '{field}' is a boolean: no ranges")
        bounds = [bound if bound is None else self._normal(field, bound) for bound in (low, high)]
        return self._range_query.newStringRange(
            lucene_jvm.java_string(field),
            *(bound if bound is None else lucene_jvm.java_string(bound) for bound in bounds),
            has_low,
            has_high,
        )

    def _integers(self, field: str, low: str | None, high: str | None, has_low: bool, has_high: bool) -> Any:
        if low == high and low is not None and float(low) != int(float(low)):
            return self._none()  # A whole number never equals a fraction.
        # A fraction as a bound is rounded towards the inside of the range.
        first = -(2**63) if low is None else _bound(low, up=True, included=has_low)
        last = 2**63 - 1 if high is None else _bound(high, up=False, included=has_high)
        return (
            self._long.newRangeQuery(lucene_jvm.java_string(field), first, last)
            if first <= last
            else self._none()
        )

    def prefix(self, field: str, text: str, fold: bool = False) -> Any:
        """Return a prefix query."""
        self._textual(field, "prefix")
        if fold:
            return self._automaton(field, lucene_jvm.wildcard_automaton(_literal(text) + "*", True))
        return self._prefix_query(self._make(field, self._normal(field, text)))

    def wildcard(self, field: str, pattern: str, fold: bool = False) -> Any:
        """Return a wildcard query."""
        self._textual(field, "wildcard")
        return self._automaton(field, lucene_jvm.wildcard_automaton(self._normal(field, pattern), fold))

    def regexp(self, field: str, pattern: str, fold: bool = False) -> Any:
        """Return a regexp query. A normalizer changes the regex as any text: ``\\D`` becomes ``\\d``."""
        self._textual(field, "regexp")
        pattern = self._normal(field, pattern)
        return self._automaton(
            field, lucene_jvm.regexp_automaton(pattern, fold, max_length=self.max_regex_length)
        )

    def fuzzy(self, field: str, text: str) -> Any:
        """Return a fuzzy query."""
        self._textual(field, "fuzzy")
        return self._fuzzy_query(self._make(field, self._normal(field, text)))

    def _textual(self, field: str, kind: str) -> None:
        """Refuse patterns on fields that are no text, and on parts of a flattened field."""
        of = self.fields.types[field]
        if of not in WHOLE | ANALYSED or (of == "flattened" and kind != "prefix"):
            raise EngineError(
                "SC402",
                f"Can only use {kind} queries on keyword, text and wildcard fields - not on [{field}] "
                f"which is of type [{of}]",
            )

    def _normal(self, field: str, text: str) -> str:
        return (
            lowercase(text) if self.fields.types[field] in ANALYSED else self.fields.normalized(field, text)
        )

    def _make(self, field: str, text: str) -> Any:
        return self._term(lucene_jvm.java_string(field), lucene_jvm.java_string(text))

    def _automaton(self, field: str, automaton: Any) -> Any:
        return self._automaton_query(self._make(field, ""), lucene_jvm.determinized(automaton))


def _literal(text: str) -> str:
    return re.sub(r"([*?\\])", r"\\\1", text)


def _bound(text: str, *, up: bool, included: bool) -> int:
    """Return an inclusive integer bound of a number that may have a fraction."""
    if re.fullmatch("-?[0-9]+", text):
        return whole_number(text) + (0 if included else 1 if up else -1)
    number = float(text)
    whole = int(number // 1)
    if number == whole:
        return whole + (0 if included else 1 if up else -1)
    return whole + 1 if up else whole
