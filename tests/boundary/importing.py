"""What the tests of import files share: the vendors' published tables, and rules as they export them."""

from __future__ import annotations

import json
from functools import cache
from typing import Any

from converter.attack import table as attack
from converter.exports.item import ExportItem
from converter.exports.sentinel.formats import ARM
from tests.support import ROOT

DATA = ROOT / "tests" / "exports" / "data"
SENTINEL = {
    tactic: set(ids.split())
    for tactic, ids in json.loads((DATA / "sentinel-techniques.json").read_text())["tactics"].items()
}
"""Azure-Sentinel, KillChainTechniquesHelper.cs; it stops at ATT&CK 13."""
ELASTIC = {
    tuple(line.split("\t"))
    for line in (DATA / "elastic-attack-18.tsv").read_text().splitlines()
    if not line.startswith("#")
}
"""Tactic, technique and name in the rules of elastic/detection-rules."""


@cache
def published(of: str) -> Any:
    return json.loads((ROOT / f"converter/attack/attack-{of}.json").read_text())


def pascal(name: str) -> str:
    return "".join(word[0].upper() + word[1:] for word in name.split())


def pairs(tactics: tuple[attack.Tactic, ...]) -> set[tuple[str, str]]:
    """Return each technique and sub-technique with the tactic that it is under."""
    return {
        (tactic.id, one.id)
        for tactic in tactics
        for technique in tactic.techniques
        for one in (technique, *technique.subtechniques)
    }


@cache
def tactic_names() -> frozenset[str]:
    return frozenset(short for of in attack.VERSIONS for _, short in published(of)["tactics"].values())


def sentinel_takes(tactics: list[str], techniques: list[str]) -> bool:
    """NoTechniquesWithoutMatchingTactics.cs: of each technique at least one tactic is the rule's."""
    table = published("18")
    shorts = {pascal(name): short for name, short in table["tactics"].values()}
    if not set(tactics) <= set(shorts):
        return False
    known = set().union(*SENTINEL.values())
    for technique in (one.partition(".")[0] for one in techniques):
        if technique in known:
            if not any(technique in SENTINEL[tactic] for tactic in tactics):
                return False
        elif not {shorts[one] for one in tactics} & set(table["techniques"].get(technique, ("", []))[1]):
            return False
    return True


def analytic(item: ExportItem) -> dict[str, Any]:
    (resource,) = json.loads(str(ARM.part([item])))["resources"]
    return dict(resource["properties"])


def mapped(rule: dict[str, Any]) -> dict[str, dict[str, str]]:
    """Return the first entity of each type: identifier -> column."""
    found: dict[str, dict[str, str]] = {}
    for one in rule.get("entityMappings", []):
        columns = {field["identifier"]: field["columnName"] for field in one["fieldMappings"]}
        found.setdefault(one["entityType"], columns)
    return found
