"""What people read of a detection rule: description, investigation guide, setup guide, authors, tags."""

from __future__ import annotations

from collections.abc import Sequence

from converter.attack.table import Tactic, unknown
from converter.exports.elastic import facts
from converter.exports.item import ExportItem, ExportQuery
from converter.exports.wording import MEANING, bullets, described, reasons

_OS = {"windows": "Windows", "linux": "Linux", "macos": "macOS"}
_SOURCES = {"sysmon": "Sysmon", "defender": "Microsoft Defender XDR", "crowdstrike": "CrowdStrike"}


def note(item: ExportItem, query: ExportQuery) -> str:
    """Return the investigation guide in Markdown."""
    parts = ["## Triage and analysis", "### What it finds\n\n" + described(item)]
    if found := item.texts("falsepositives"):
        parts.append("### False positives\n\n" + bullets(found))
    lines = [MEANING[item.fidelity]]
    if found := reasons(item):
        lines.append(bullets(found))
    parts.append("### How far to trust the query\n\n" + "\n\n".join(lines))
    if len(item.queries) > 1:
        others = ", ".join(f"`{one.name}`" for one in item.queries if one is not query)
        parts.append(
            f"### One of {len(item.queries)} rules\n\nElastic has sequences in an order only: this rule is "
            f"for `{query.name}`. Enable it together with those for {others}; all have the tag "
            f"`{family(item)}`."
        )
    if item.id:
        parts.append(f"Made by sigconv from Sigma rule `{item.id}` for {item.source}/{item.target}.")
    return "\n\n".join(parts) + "\n"


def setup(item: ExportItem, kind: str, sequence: bool) -> str:
    """Return the setup guide in Markdown: what the rule needs before it is enabled."""
    if item.indices:
        lines = [
            f"It reads {', '.join(f'`{one}`' for one in item.indices)}: keep the patterns that you have."
        ]
    else:
        lines = [
            "It reads the indices of Advanced Settings (`securitySolution:defaultIndex`), as it names none."
        ]
    packages = sorted(
        {
            name
            for one in item.indices
            for prefix, (name, _) in facts.PACKAGES.items()
            if one.startswith(prefix)
        }
    )
    if packages:
        lines.append(f"Its events come with the integration {' and '.join(packages)} of Elastic Agent.")
    if any(one.startswith("winlogbeat-") for one in item.indices):
        lines.append("Winlogbeat ships them, too.")
    if item.correlation is not None:
        version = ", and Elastic 8.18 for sequences" if sequence else ""
        lines.append(
            "Alerts of one group are suppressed while the lookbacks of two runs overlap. That needs a "
            f"Platinum licence{version}; without it the rule runs, and may raise more alerts."
        )
    if kind == "threshold" and len(item.group_by) > 3:
        lines.append("Groups of more than three fields need Elastic 9.2.")
    return "## Setup\n\n" + bullets(lines) + "\n"


def authors(item: ExportItem) -> list[str]:
    """Return the authors; Sigma names them in one text, with commas."""
    return [name.strip() for name in str(item.rule.get("author") or "").split(",") if name.strip()]


def family(item: ExportItem) -> str:
    """Return the tag that the detection rules of one Sigma rule share."""
    return f"Sigma Rule: {item.id or item.title}"


def tags(item: ExportItem, tactics: Sequence[Tactic]) -> list[str]:
    """Return tags in the manner of Elastic's own rules, and the rule's that are no tactic or technique."""
    found = ["Sigma", f"Data Source: {_SOURCES.get(item.source, item.source)}"]
    products = [str((base.get("logsource") or {}).get("product") or "").lower() for base in item.bases]
    found += [f"OS: {_OS[name]}" for name in dict.fromkeys(products) if name in _OS]
    found += [f"Tactic: {tactic.name}" for tactic in tactics]
    if item.rule.get("status"):
        found.append(f"Status: {item.rule['status']}")
    found.append(f"Fidelity: {item.fidelity}")
    if len(item.queries) > 1:
        found.append(family(item))
    return list(dict.fromkeys([*found, *unknown(item.texts("tags"), item.attack or facts.ATTACK)]))
