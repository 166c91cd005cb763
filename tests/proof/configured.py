"""Rules in cells with settings of their own: indexes, tables, macros; for `pinned`.

Some have no settings: correlations whose rules were written for one line of a backend.

A token is ``configured/NAME``, NAME of `CASES`.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from converter.pipelines import cells
from converter.project import source_settings
from converter.rules.rule import Rule
from converter.rules.ruleset import RuleSet

_PLATFORMS = {"eql": "elastic", "lucene": "elastic", "spl": "splunk", "kql": "kusto"}
_EVENTS = "XmlWinEventLog:Microsoft-Windows"
_CHANNELS = {f"{_EVENTS}-Sysmon/Operational": "sysmon", f"{_EVENTS}-PowerShell/Operational": "ps(1)"}
_CHANNELS |= {"XmlWinEventLog:PowerShellCore/Operational": "ps(1)"}
CONNECTION = (
    "network_connection",
    {"s": {"DestinationPort": [80, 443], "Image|endswith": "\\x.exe"}, "condition": "s"},
)
PROCESS = ("process_creation", {"s": {"CommandLine|contains": "-a"}, "condition": "s"})
SCRIPT = ("ps_script", {"s": {"ScriptBlockText|contains": "Get-A "}, "condition": "s"})
COUNT = {"type": "event_count", "group-by": ["Computer"], "timespan": "5m", "condition": {"gte": 3}}
IN_ORDER = {"type": "temporal_ordered", "group-by": ["Computer"], "timespan": "5m"}
LISTED = (
    ("process_creation", {"s": {"Image": ["a.exe", "*b*"], "CommandLine": "x"}, "condition": "s"}),
    ("process_creation", {"s": {"Image": "c.exe"}, "condition": "s"}),
)
"""The list of one rule says more than the texts in it: the other's image can be one of them."""
_Rules = tuple[tuple[str, dict[str, Any]], ...]
CASES: dict[str, tuple[str, str, dict[str, Any], _Rules, dict[str, Any] | None]] = {
    "two indexes": ("sysmon", "splunk", {"index": ["win", "sec-1"]}, (CONNECTION,), None),
    "an index with a star": ("sysmon", "splunk", {"index": "win*"}, (CONNECTION,), None),
    "an index": ("defender", "splunk", {"index": "mde"}, (CONNECTION,), None),
    "a macro": ("defender", "splunk", {"macro": "mde(prod)"}, (CONNECTION,), None),
    "a macro for each channel": ("sysmon", "splunk", {"macro": _CHANNELS}, (PROCESS, SCRIPT), COUNT),
    "macros in order": ("sysmon", "splunk", {"macro": _CHANNELS}, (SCRIPT, PROCESS), IN_ORDER),
    "a count in an index": ("crowdstrike", "splunk", {"index": ["fdr", "f*"]}, (PROCESS,), COUNT),
    "patterns": ("sysmon", "elastic", {"index": ["a-*", "b:c-*"]}, (CONNECTION,), None),
    "a count in patterns": ("defender", "elastic", {"index": ["a-*", "b:c-*"]}, (PROCESS,), COUNT),
    "a table": ("defender", "kusto", {"table": {"DeviceNetworkEvents": "Mine"}}, (CONNECTION,), None),
    "a count in a table": ("sysmon", "kusto", {"table": "Mine"}, (PROCESS,), COUNT),
    "a list and a text": ("sysmon", "splunk", {}, LISTED, IN_ORDER),
    "an expression": ("sysmon", "kusto", {"expression": 'workspace("x").Event'}, (CONNECTION,), None),
    "a count of an expression": (
        *("defender", "kusto"),
        {"expression": {"DeviceProcessEvents": 'workspace("x").DeviceProcessEvents'}},
        *((PROCESS,), COUNT),
    ),
}


def tokens(language: str) -> Iterator[str]:
    """Yield everything there is."""
    for name, (_, platform, *_rest) in CASES.items():
        if platform == _PLATFORMS[language]:
            yield f"configured/{name}"


def rules(token: str, language: str) -> tuple[RuleSet, Rule, cells.Cell]:
    """Return the rules loaded, the one that is converted, and its cell."""
    source, platform, table, events, correlation = CASES[token.partition("/")[2]]
    docs: list[dict[str, Any]] = [
        {
            "title": f"rule {number}",
            "name": f"rule_{number}",
            "logsource": {"product": "windows", "category": category},
            "detection": detection,
        }
        for number, (category, detection) in enumerate(events)
    ]
    if correlation is not None:
        named = {"rules": [doc["name"] for doc in docs]}
        docs.append({"title": "correlation", "name": "t", "correlation": correlation | named})
    found = [Rule(doc, "t.yml", Path("t.yml"), "t.yml", number) for number, doc in enumerate(docs)]
    where = cells.cell(source, language, settings=source_settings.read(table, platform, source, "t.toml"))
    return RuleSet(found), found[-1], where
