"""The queries of upstream's own backends, made in a process that never imports sigconv.

sigconv puts some of pySigma's modifiers right in place, so a shared process would flatter upstream. This file
is run as a script by `converter.upstream.ask`; it is the only code that loads pySigma's backends.

Standard input is one JSON object: ``ways``, each with a backend, pipelines, a prefix and a schema, and
``rules``, each with ``docs``, the last of which is converted, and ``placeholders``. Standard output is one
JSON object: ``versions``, and ``answers``, one list for each rule with an answer for each way.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from importlib import import_module
from importlib.metadata import version
from typing import Any

from sigma.backends.elasticsearch.elasticsearch_eql import EqlBackend
from sigma.backends.elasticsearch.elasticsearch_lucene import LuceneBackend
from sigma.backends.kusto.kusto import KustoBackend
from sigma.backends.splunk.splunk import SplunkBackend
from sigma.collection import SigmaCollection
from sigma.correlations import SigmaCorrelationRule
from sigma.processing.pipeline import ProcessingPipeline
from sigma.rule import SigmaDetection, SigmaRule

BACKENDS = {backend.__name__: backend for backend in (EqlBackend, LuceneBackend, SplunkBackend, KustoBackend)}
PACKAGES = (
    "pySigma",
    "pySigma-backend-elasticsearch",
    "pySigma-backend-splunk",
    "pySigma-backend-kusto",
)


def answer(
    docs: list[dict[str, Any]], placeholders: dict[str, list[Any]], way: dict[str, Any]
) -> dict[str, Any]:
    """Convert the last rule in one way, with a fresh backend and fresh pipelines.

    Args:
        docs: rules as plain data; all but the last are those that it refers to.
        placeholders: name -> values, for the `expand` modifier.
        way: one of ``ways``.
    """
    try:
        rules = SigmaCollection.from_dicts(json.loads(json.dumps(docs)))
        queries = BACKENDS[way["backend"]](pipeline(way, placeholders)).convert(rules)
    except Exception as error:  # Whatever is raised: a user gets no query.
        return {"raised": f"{type(error).__name__}: {error}"}
    queries = [query for query in queries if isinstance(query, str)]
    last = rules.rules[-1]
    group = last.group_by if isinstance(last, SigmaCorrelationRule) else None
    return {
        "queries": queries,
        "fields": sorted({name for rule in rules.rules for name in fields(rule)} | set(group or ())),
        "group": list(group or ()),
        "tables": tables(queries, way["schema"]),
    }


def pipeline(way: dict[str, Any], placeholders: dict[str, list[Any]]) -> ProcessingPipeline | None:
    """Return the pipelines of a way as one, or None."""
    parts = [loaded(name)() for name in way["pipelines"]]
    if placeholders:
        expand = {"vars": placeholders, "transformations": [{"type": "value_placeholders"}]}
        parts.append(ProcessingPipeline.from_dict(expand))
    if way["prefix"]:
        embed = {"type": "embed", "prefix": way["prefix"]}
        parts.append(ProcessingPipeline.from_dict({"postprocessing": [embed]}))
    parts.sort(key=lambda part: part.priority)
    return sum(parts, ProcessingPipeline()) if parts else None


def loaded(name: str) -> Any:
    """Return what ``module:name`` names."""
    module, _, attribute = name.partition(":")
    return getattr(import_module(module), attribute)


def fields(rule: Any) -> Iterator[str]:
    """Yield the fields of a rule as its pipeline left them."""
    if not isinstance(rule, SigmaRule):
        return
    stack: list[Any] = list(rule.detection.detections.values())
    while stack:
        item = stack.pop()
        if isinstance(item, SigmaDetection):
            stack += item.detection_items
        elif item.field:
            yield item.field


def tables(queries: list[str], schema: str | None) -> dict[str, dict[str, str]]:
    """Return the tables that queries begin with, as upstream's schema knows them: column -> type."""
    if schema is None:
        return {}
    known = loaded(schema)
    names = {query.split("\n")[0].strip() for query in queries} & set(known)
    return {name: {column: one["data_type"] for column, one in known[name].items()} for name in sorted(names)}


def main() -> None:
    """Answer what standard input asks."""
    asked = json.load(sys.stdin)
    answers = [
        [answer(rule["docs"], rule["placeholders"], way) for way in asked["ways"]] for rule in asked["rules"]
    ]
    json.dump({"versions": {name: version(name) for name in PACKAGES}, "answers": answers}, sys.stdout)


if __name__ == "__main__":
    main()
