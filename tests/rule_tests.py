"""Run a rule's tests (docs/rule-tests.md) through the reference matcher."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import yaml

from converter.matcher.matcher import Matcher
from converter.ruletests import RuleTest, RuleTestFile, load

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
    """Return the rule of that id and the rules that it refers to, however deep."""
    found = {key: doc for doc in docs for key in (doc.get("id"), doc.get("name")) if key}
    wanted, todo = [], [found[rule_id]]
    while todo:
        doc = todo.pop()
        wanted.append(doc)
        todo += [found[name] for name in doc.get("correlation", {}).get("rules", ())]
    return wanted


def outcome(file: RuleTestFile, test: RuleTest, docs: Sequence[Document]) -> list[Any]:
    """Return what fires, as the test's ``alerts`` says it."""
    rules = with_references(file.id, docs)
    group_by = rules[0].get("correlation", {}).get("group-by", [])
    alerts = [alert for alert in Matcher(rules).run(test.events) if alert.rule == file.id]
    if "correlation" not in rules[0]:
        return [position for alert in alerts for position in alert.events]
    return [
        {
            "time": _text(alert.time_ms),
            "group": dict(zip(group_by, alert.group, strict=True)),
            "events": list(alert.events),
        }
        for alert in alerts
    ]


def failures(file: RuleTestFile, docs: Sequence[Document]) -> list[str]:
    """Return the names of the tests that fail with these rules."""
    return [test.name for test in file.tests if outcome(file, test, docs) != list(test.alerts)]


def _text(time_ms: int | None) -> str:
    assert time_ms is not None
    return (
        datetime.fromtimestamp(time_ms / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    )


__all__ = ["FOLDER", "ROOT", "RULES", "documents", "failures", "files", "load", "outcome", "with_references"]
