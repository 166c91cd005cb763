"""The files that detection rules travel in: NDJSON for Kibana, TOML as in elastic/detection-rules."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from converter.exports.base import Exporter, Part
from converter.exports.elastic import facts, toml
from converter.exports.elastic.rule import TARGETS, rules
from converter.exports.item import ExportItem


def _ndjson(items: Sequence[ExportItem]) -> str:
    return "".join(json.dumps(rule, ensure_ascii=False) + "\n" for _, rule in rules(items))


def _all_rules(source: str, parts: Sequence[Part]) -> Mapping[str, str]:
    """Return one file, or as many as Kibana needs to take them."""
    files: list[list[str]] = [[]]
    size = 0
    for line in (f"{rule}\n" for part in parts for rule in part.text.split("\n") if rule):
        size += len(line.encode())
        if files[-1] and (size > facts.IMPORT_BYTES or len(files[-1]) >= facts.IMPORT_RULES):
            files.append([])
            size = len(line.encode())
        files[-1].append(line)
    if len(files) == 1:
        return {"rules.ndjson": "".join(files[0])}
    return {f"rules-{number}.ndjson": "".join(lines) for number, lines in enumerate(files, 1)}


_DATES = re.compile(r"(\d{4})[-/](\d{2})[-/](\d{2})")
_MATURITY = {"experimental": "experimental", "deprecated": "development", "unsupported": "development"}
"""Sigma status -> maturity; others are ``production``. Elastic's ``deprecated`` needs a date of its own."""
_NAME = re.compile(r"[a-zA-Z0-9].+?[a-zA-Z0-9\[\]()]")
"""What elastic/detection-rules takes as a name (detection_rules/schemas/definitions.py, NAME_PATTERN)."""
_NOT_IN_TOML = ("version", "enabled", "exceptions_list", "actions")
"""The repository keeps versions itself and refuses rules that bring one; the others are Kibana's defaults."""


def _toml(items: Sequence[ExportItem]) -> Mapping[str, str]:
    """Return a file for each query: a file holds one rule."""
    return {name: _file(items[0], rule) for name, rule in rules(items)}


def _file(item: ExportItem, made: dict[str, Any]) -> str:
    rule = {key: value for key, value in made.items() if key not in _NOT_IN_TOML and value != []}
    rule["author"] = made["author"]
    rule["name"] = _name(made["name"])
    if "threshold" in made and not made["threshold"]["cardinality"]:
        rule["threshold"] = {key: made["threshold"][key] for key in ("field", "value")}
    created = _day(item.rule.get("date"))
    metadata: dict[str, Any] = {
        "creation_date": created,
        "integration": [one["package"] for one in made["related_integrations"]],
        "maturity": _MATURITY.get(str(item.rule.get("status") or ""), "production"),
        "updated_date": _day(item.rule.get("modified")) if item.rule.get("modified") else created,
    }
    if not metadata["integration"]:
        del metadata["integration"]
    return toml.dumps({"metadata": metadata, "rule": _without_empty(rule)})


def _without_empty(rule: dict[str, Any]) -> dict[str, Any]:
    """Leave out empty lists of techniques: Elastic's rules do not write them."""
    for threat in rule.get("threat", []):
        for technique in threat["technique"]:
            if not technique["subtechnique"]:
                del technique["subtechnique"]
        if not threat["technique"]:
            del threat["technique"]
    return rule


def _day(value: Any) -> str:
    """Return a date as the repository writes it; 1970/01/01 for a rule that has none."""
    found = _DATES.match(str(value or ""))
    return "/".join(found.groups()) if found else "1970/01/01"


def _name(name: str) -> str:
    """Return a name that the repository takes: begun or ended with a word where a title does otherwise."""
    if not _NAME.match(name):
        name = f"Sigma: {name}"
    return name if _NAME.fullmatch(name) else f"{name} (Sigma)"


NDJSON = Exporter(TARGETS, "ndjson", _ndjson, _all_rules)
TOML = Exporter(TARGETS, "toml", _toml)
