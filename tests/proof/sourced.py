"""Rules in real sources, for `pinned`: what only a pipeline makes of a rule.

A token is ``sourced/SOURCE/NAME``, NAME of `RULES`.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from converter.pipelines import cells
from converter.rules.rule import Rule
from converter.rules.ruleset import RuleSet
from tests.proof.coverage import TWELVE

RULES: dict[str, tuple[str, dict[str, Any]]] = {
    "a folder of a drive": (
        "process_creation",
        {"s": {"Image": ["C:\\Program Files\\A b\\c.exe", "C:\\x*\\Y.exe"]}, "condition": "not s"},
    ),
    "a host": (
        "network_connection",
        {
            "s": {"DestinationHostname|endswith": "a-b.example"},
            "t": {"Image|contains": "c"},
            "condition": "s and not t",
        },
    ),
    "an exact address": (
        "network_connection",
        {
            "s": {"DestinationIp|cidr": ["10.0.0.0/8", "fe80::/10"], "DestinationPort": [80, 443]},
            "condition": "s",
        },
    ),
    "a deleted file": ("file_delete", {"s": {"TargetFilename|contains": "\\a_b\\"}, "condition": "s"}),
    "a deleted value": (
        "registry_delete",
        {"s": {"TargetObject|endswith": ["\\Lsa\\a b", "\\Lsa\\c"]}, "condition": "s"},
    ),
    "a level": (
        "process_creation",
        {
            "s": {"IntegrityLevel": ["Medium", "S-1-16-8192"], "Image|endswith": "\\x.exe"},
            "condition": "s",
        },
    ),
    "a script": (
        "ps_script",
        {
            "s": {"ScriptBlockText|contains": ["Get-A ", "-B"]},
            "t": {"ScriptBlockText|re": "c+"},
            "condition": "s",
        },
    ),
}


def tokens() -> Iterator[str]:
    """Yield everything there is."""
    for source in TWELVE:
        for name in RULES:
            yield f"sourced/{source}/{name}"


def rules(token: str, language: str) -> tuple[RuleSet, Rule, cells.Cell]:
    """Return the rule loaded, and its cell."""
    _, source, name = token.split("/")
    category, detection = RULES[name]
    doc = {
        "title": f"{name}, \u00fc``` */ \u2028\u200e//",
        "name": "t",
        "logsource": {"product": "windows", "category": category},
        "detection": detection,
    }
    rule = Rule(doc, "t.yml", Path("t.yml"), "t.yml", 0)
    return RuleSet([rule]), rule, cells.cell(source, language)
