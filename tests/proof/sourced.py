"""Rules in real sources, for `pinned`: what only a pipeline makes of a rule.

A token is ``sourced/SOURCE/NAME``, NAME of `RULES`.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from converter import pipelines
from converter.convert import Conversion, Options, convert
from converter.rule import Rule
from converter.rules import RuleSet
from converter.verify.run import verify_rule
from tests.proof.coverage import TWELVE
from tests.support import ROOT

_ANY = Options("any")
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


def rules(token: str, language: str) -> tuple[RuleSet, Rule, pipelines.Cell]:
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
    return RuleSet([rule]), rule, pipelines.cell(source, language)


def converted(token: str, language: str) -> Conversion:
    """Return the queries of a token.

    Raises:
        Refusal: if the cell cannot say it.
    """
    return convert(*rules(token, language), _ANY)


def problems(token: str, language: str) -> list[str]:
    """Run a rule's query over its witnesses; return where it does not select what the rule means."""
    every, rule, cell = rules(token, language)
    (found,) = verify_rule(every, rule, [cell], ROOT / "tests" / "rules", _ANY)
    if found.status != "agrees":
        return [f"{found.status}: {found.reason}", *found.detail]
    return [] if found.hits else ["no witness is selected"]
