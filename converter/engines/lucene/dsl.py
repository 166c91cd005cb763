"""Elasticsearch's query DSL: the queries that a body of ours is made of."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from converter.engines.lucene.index import text_of
from converter.engines.lucene.queries import Maker
from converter.engines.lucene.query_string import query_of
from converter.errors import EngineError

_OCCURS = {"must": "MUST", "filter": "FILTER", "should": "SHOULD", "must_not": "MUST_NOT"}


def dsl_query(body: Any, maker: Maker, *, lenient: bool = False) -> Any:
    """Return the Lucene query of a query DSL query.

    Raises:
        EngineError: SC402 for a query or parameter that is not here, or text that the field's type cannot be.
    """
    if not isinstance(body, dict) or len(body) != 1:
        raise EngineError("SC402", f"a query is one name and its body, not {body!r:.100}")
    [(kind, given)] = body.items()
    match kind:
        case "match_all":
            return maker.every()
        case "bool":
            return _bool(given, maker, lenient)
        case "query_string":
            _only(given, "query", "analyze_wildcard")
            return query_of(given["query"], maker, lenient=lenient)
        case "exists":
            _only(given, "field")
            return maker.exists(given["field"])
        case "terms":
            [(field, texts)] = given.items()
            return maker.any_of(
                [_known(maker, field, lambda t=one: maker.term(field, text_of(t))) for one in texts]
            )
    if not isinstance(given, dict) or len(given) != 1:
        raise EngineError("SC402", f"{kind} takes one field")
    [(field, parameters)] = given.items()
    parameters = parameters if isinstance(parameters, dict) else {"value": parameters}
    return _leaf(kind, field, parameters, maker)


def _leaf(kind: str, field: str, parameters: Mapping[str, Any], maker: Maker) -> Any:
    if kind == "range":
        return _known(maker, field, lambda: _range(field, parameters, maker))
    if kind == "match_phrase":
        _only(parameters, "query")
        phrase = text_of(parameters["query"])
        return _known(maker, field, lambda: maker.term(field, phrase, quoted=True))
    _only(parameters, "value", "case_insensitive")
    fold = bool(parameters.get("case_insensitive", False))
    value = text_of(parameters["value"])
    match kind:
        case "term":
            return _known(maker, field, lambda: maker.term(field, value, quoted=True, fold=fold))
        case "prefix":
            return _known(maker, field, lambda: maker.prefix(field, value, fold))
        case "wildcard":
            return _known(maker, field, lambda: maker.wildcard(field, value, fold))
        case "regexp":
            return _known(maker, field, lambda: maker.regexp(field, value, fold))
    raise EngineError("SC402", f"no query [{kind}] is here")


def _known(maker: Maker, field: str, make: Any) -> Any:
    return make() if field in maker.fields.types else maker.none()


def _range(field: str, parameters: Mapping[str, Any], maker: Maker) -> Any:
    _only(parameters, "gt", "gte", "lt", "lte")
    low = parameters.get("gte", parameters.get("gt"))
    high = parameters.get("lte", parameters.get("lt"))
    return maker.range(
        field,
        None if low is None else text_of(low),
        None if high is None else text_of(high),
        "gte" in parameters,
        "lte" in parameters,
    )


def _bool(given: Mapping[str, Any], maker: Maker, lenient: bool) -> Any:
    _only(given, *_OCCURS, "minimum_should_match")
    clauses = []
    for name, occur in _OCCURS.items():
        inner = given.get(name, [])
        for one in inner if isinstance(inner, list) else [inner]:
            clauses.append((occur, dsl_query(one, maker, lenient=lenient)))
    occurs = {occur for occur, _ in clauses}
    # Elasticsearch's default: a should beside must or filter is optional.
    optional = "SHOULD" in occurs and occurs & {"MUST", "FILTER"}
    minimum = int(given.get("minimum_should_match", 0 if optional or "SHOULD" not in occurs else 1))
    if not clauses:
        return maker.every()
    return maker.junction(clauses, minimum)


def _only(given: Mapping[str, Any], *known: str) -> None:
    unknown = set(given) - set(known)
    if unknown:
        raise EngineError("SC402", f"no parameter [{sorted(unknown)[0]}] is here")
