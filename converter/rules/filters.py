"""Apply Sigma filters to the rules that they concern (Sigma filters specification 2.1).

A filter's condition must hold beside the rule's. The result is an ordinary rule, so nothing after this
knows of filters.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from converter.rules.discovery import rule_files
from converter.rules.rule import Rule

_KEY = re.compile(rb"^filter[ \t]*:", re.MULTILINE)
_LOGSOURCE = ("category", "product", "service")
_WORD = re.compile(r"[^\s()]+")
_OPERATORS = {"and", "or", "not", "of", "1", "all"}


def files(folder: Path) -> Iterator[Path]:
    """Yield the rule files below a folder that have a filter, by a look at their text."""
    for file in rule_files(folder):
        with suppress(OSError):
            if file.is_file() and _KEY.search(file.read_bytes()):
                yield file


def apply(rules: Sequence[Rule], filters: Sequence[Rule]) -> list[Rule]:
    """Return the rules with the filters that concern them ANDed in.

    Args:
        rules: of any kind; only detection rules are filtered.
        filters: rules of kind ``filter`` that `check` takes.
    """
    return [_filtered(rule, filters) if rule.kind == "rule" else rule for rule in rules]


def check(one: Rule) -> None:
    """See that a filter says what it is about.

    Raises:
        RuleError: SC103 if it names no rules or has no condition.
    """
    body = one.doc["filter"]
    if not isinstance(body, dict) or body.get("rules") is None:
        raise one.error("SC103", "a filter names its rules, or 'any'", "filter")
    if not isinstance(body.get("condition"), str):
        raise one.error("SC103", "a filter needs a condition", "filter")


def _filtered(rule: Rule, filters: Sequence[Rule]) -> Rule:
    doc = rule.doc
    for number, one in enumerate(filters):
        if concerns(one, rule):
            doc = _joined(doc, one.doc["filter"], f"_filter{number}_")
    return rule if doc is rule.doc else replace(rule, doc=doc)


def concerns(one: Rule, rule: Rule) -> bool:
    """Tell whether a filter concerns a rule: it names it, and is of its log source; ``any`` is all of them.

    One that names none, because it is broken, is taken to mean all.
    """
    mine, theirs = one.doc.get("logsource") or {}, rule.doc.get("logsource") or {}
    if isinstance(mine, dict) and any(
        mine.get(key) is not None and mine[key] != theirs.get(key) for key in _LOGSOURCE
    ):
        return False
    body = one.doc["filter"]
    named = body.get("rules") if isinstance(body, dict) else None
    if named is None or named == [] or (isinstance(named, str) and named.lower() == "any"):
        return True
    names = {str(name) for name in (named if isinstance(named, list) else [named])}
    return bool(names & {str(rule.doc[key]) for key in ("id", "name") if rule.doc.get(key)})


def _joined(doc: dict[str, Any], body: dict[str, Any], prefix: str) -> dict[str, Any]:
    """Return the rule with the filter's selections under names that no pattern of the rule reaches.

    Names that begin with an underscore are not among ``them`` (specification 2.1, "condition").
    """
    detection = dict(doc["detection"])
    for name, part in body.items():
        if name not in ("rules", "condition"):
            detection[prefix + str(name)] = part

    def renamed(match: re.Match[str]) -> str:
        word = match[0]
        if word.lower() in _OPERATORS:
            return word
        return prefix + ("*" if word.lower() == "them" else word)

    extra = _WORD.sub(renamed, body["condition"])
    condition = detection["condition"]
    many = condition if isinstance(condition, list) else [condition]
    joined = [f"({one}) and ({extra})" for one in many]
    detection["condition"] = joined if isinstance(condition, list) else joined[0]
    return {**doc, "detection": detection}
