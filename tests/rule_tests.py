"""Run a rule's tests (docs/rule-tests.md) through the reference matcher."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from converter.verify import test_files
from converter.verify.test_files import RuleTest, RuleTestFile, load

ROOT = Path(__file__).parent.parent
RULES = ROOT / "sigma"
FOLDER = ROOT / "tests" / "rules"

Document = Mapping[str, Any]


def files() -> list[Path]:
    """Return every test file."""
    return sorted(FOLDER.rglob("*.yml"))


def documents(rule: str) -> list[dict[str, Any]]:
    """Return the rules of a file, whose path is relative to the rules root."""
    return list(yaml.safe_load_all((RULES / rule).read_text(encoding="utf-8")))


def with_references(rule_id: str, docs: Sequence[Document]) -> list[Document]:
    """Return the rule of that id, the rules that it refers to, however deep, and the filters.

    Args:
        rule_id: of the rule.
        docs: the rules of its file; what they refer to beyond them is read from the other files.
    """
    found = _library() | _by_name(docs)
    wanted, todo = [], [found[rule_id]]
    while todo:
        doc = todo.pop()
        if doc not in wanted:
            wanted.append(doc)
            todo += [found[name] for name in doc.get("correlation", {}).get("rules", ())]
    return [*wanted, *(doc for doc in docs if "filter" in doc)]


def _by_name(docs: Sequence[Document]) -> dict[str, Document]:
    return {key: doc for doc in docs for key in (doc.get("id"), doc.get("name")) if key}


@cache
def _library() -> dict[str, Document]:
    paths = (path.relative_to(RULES).as_posix() for path in sorted(RULES.rglob("*.yml")))
    return _by_name([doc for path in paths for doc in documents(path)])


def outcome(file: RuleTestFile, test: RuleTest, docs: Sequence[Document]) -> list[Any]:
    """Return what fires, as the test's ``alerts`` says it."""
    return test_files.outcome(with_references(file.id, docs), file.id, test.events)


def failures(file: RuleTestFile, docs: Sequence[Document]) -> list[str]:
    """Return the names of the tests that fail with these rules."""
    return [test.name for test in file.tests if outcome(file, test, docs) != list(test.alerts)]


__all__ = ["FOLDER", "ROOT", "RULES", "documents", "failures", "files", "load", "outcome", "with_references"]
