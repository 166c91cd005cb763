"""Rules as formats get them: converted for real."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

from converter.build.import_files import export_item, item_data
from converter.build.records import converted
from converter.conversion.convert import Conversion, Options, convert
from converter.errors import Refusal
from converter.exports.item import ExportItem
from converter.pipelines import cells
from converter.rules import loading
from converter.rules import ruleset as ruleset_module
from converter.rules.emitted import emitted_rules
from converter.rules.rule import Rule
from tests.support import ROOT

LIMIT = Options(limit="any")
SIMPLE = {
    "title": "A title",
    "id": "11111111-2222-4333-8444-555555555555",
    "logsource": {"category": "process_creation", "product": "windows"},
    "detection": {"selection": {"Image|endswith": r"\a.exe"}, "condition": "selection"},
}


@contextmanager
def here() -> Iterator[None]:
    before = Path.cwd()
    os.chdir(ROOT)
    try:
        yield
    finally:
        os.chdir(before)


def item_of(found: ruleset_module.RuleSet, conversion: Conversion) -> ExportItem:
    """Return the item of a conversion, by way of the record that a cache holds."""
    record = json.loads(json.dumps(converted(conversion, None) | {"item": item_data(conversion)}))
    texts = list(record["files"].values())
    return export_item(found, conversion.rule, conversion.cell, None, record["entry"], texts, record["item"])


@cache
def shipped(source: str, *targets: str) -> tuple[tuple[ExportItem, ...], ...]:
    """Return the items of each shipped rule that at least one of the languages can say."""
    with here():
        found = loading.load([Path("sigma")])
    made = []
    for rule in emitted_rules(found):
        items = []
        for target in targets:
            try:
                conversion = convert(found, rule, cells.cell(source, target))
            except Refusal:
                continue
            items.append(item_of(found, conversion))
        if items:
            made.append(tuple(items))
    return tuple(made)


def items(
    *docs: dict[str, Any], source: str = "sysmon", targets: tuple[str, ...] = ("eql",)
) -> list[ExportItem]:
    """Return the items of the last of the rules, which may refer to the others."""
    path = Path("made.yml")
    loaded = [Rule(doc, "made.yml", path, "made.yml", number) for number, doc in enumerate(docs)]
    ruleset = ruleset_module.RuleSet(rules=loaded)
    return [
        item_of(ruleset, convert(ruleset, loaded[-1], cells.cell(source, target), LIMIT))
        for target in targets
    ]


def simple(source: str = "sysmon", target: str = "eql", **more: Any) -> ExportItem:
    """Return the item of a simple rule with further keys; None leaves a key out."""
    doc = {key: value for key, value in {**SIMPLE, **more}.items() if value is not None}
    (item,) = items(doc, source=source, targets=(target,))
    return item


def base(name: str, **detection: Any) -> dict[str, Any]:
    return {
        "title": name,
        "name": name,
        "logsource": {"category": "process_creation", "product": "windows"},
        "detection": {"selection": detection, "condition": "selection"},
    }


def correlation(kind: str, members: list[str], timespan: str = "10m", **more: Any) -> dict[str, Any]:
    section = {
        "type": kind,
        "rules": members,
        "group-by": ["Computer"],
        "timespan": timespan,
        **more,
    }
    return {"title": "Several", "id": "99999999-2222-4333-8444-555555555555", "correlation": section}
