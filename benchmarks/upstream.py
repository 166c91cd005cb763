"""The queries of upstream's own backends, made in a process that never imports sigconv.

sigconv puts some of pySigma's modifiers right in place, so a shared process would flatter upstream. Reads
a JSON list of ``{"doc": rule, "placeholders": {name: [values]}}`` from stdin and writes one answer for each
rule to stdout: language -> ``{"queries": [...]}`` or ``{"raised": "why"}``, behind the versions.
"""

from __future__ import annotations

import json
import sys
from importlib.metadata import version
from typing import Any

from sigma.backends.elasticsearch import LuceneBackend
from sigma.backends.elasticsearch.elasticsearch_eql import EqlBackend
from sigma.backends.kusto import KustoBackend
from sigma.backends.splunk import SplunkBackend
from sigma.collection import SigmaCollection
from sigma.processing.pipeline import ProcessingPipeline
from sigma.rule import SigmaRule

BACKENDS = {"eql": EqlBackend, "lucene": LuceneBackend, "spl": SplunkBackend, "kql": KustoBackend}
PACKAGES = (
    "pySigma",
    "pySigma-backend-elasticsearch",
    "pySigma-backend-splunk",
    "pySigma-backend-kusto",
)


def answer(doc: dict[str, Any], placeholders: dict[str, list[Any]]) -> dict[str, dict[str, Any]]:
    """Convert a rule with a fresh backend of each language and no pipeline but for placeholders."""
    found: dict[str, dict[str, Any]] = {}
    for language, backend in BACKENDS.items():
        expand = {"vars": placeholders, "transformations": [{"type": "value_placeholders"}]}
        try:
            pipeline = ProcessingPipeline.from_dict(expand) if placeholders else None
            rules = SigmaCollection([SigmaRule.from_dict(json.loads(json.dumps(doc)))])
            found[language] = {"queries": backend(pipeline).convert(rules)}
        except Exception as error:  # Whatever is raised: a user gets no query.
            found[language] = {"raised": f"{type(error).__name__}: {error}"}
    return found


def main() -> None:
    """Answer what stdin asks."""
    asked = json.load(sys.stdin)
    answers = [answer(one["doc"], one["placeholders"]) for one in asked]
    json.dump({"versions": {name: version(name) for name in PACKAGES}, "answers": answers}, sys.stdout)


if __name__ == "__main__":
    main()
