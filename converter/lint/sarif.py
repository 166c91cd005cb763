"""Findings as SARIF 2.1.0, for code scanning and editors (OASIS standard, with Errata 01)."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

from converter import __version__
from converter.errors import SigconvError
from converter.files import yaml_source
from converter.lint.catalogue import CATALOGUE

SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
_DOCS = "https://github.com/sigconv/sigconv/blob/main/docs"


def log(findings: Sequence[SigconvError], base: Path) -> dict[str, Any]:
    """Return the findings as a SARIF log of one run.

    Args:
        findings: what was found; none is a run without results, which closes old alerts.
        base: the repository's root: paths below it are written relative to it, as GitHub wants them.
    """
    codes = list(CATALOGUE)
    results = []
    seen: Counter[str] = Counter()
    lines: dict[str, list[str]] = {}
    for finding in findings:
        hashed = _fingerprint(finding, lines)
        seen[hashed] += 1
        result = {
            "ruleId": finding.code,
            "ruleIndex": codes.index(finding.code),
            "level": CATALOGUE[finding.code].level,
            "message": {"text": _text(finding)},
            "locations": [{"physicalLocation": _location(finding, base)}],
            # What GitHub tells alerts apart by, beside the file and the code.
            "partialFingerprints": {"primaryLocationLineHash": f"{hashed}:{seen[hashed]}"},
        }
        results.append(result)
    driver = {
        "name": "sigconv",
        "version": __version__,
        "semanticVersion": __version__,
        "informationUri": "https://github.com/sigconv/sigconv",
        "rules": [_rule(code) for code in codes],
    }
    run = {"tool": {"driver": driver}, "columnKind": "unicodeCodePoints", "results": results}
    return {"$schema": SCHEMA, "version": "2.1.0", "runs": [run]}


def _rule(code: str) -> dict[str, Any]:
    entry = CATALOGUE[code]
    advice = entry.fix[0].upper() + entry.fix[1:] + "."
    warning = f"checks.md#{code.lower()}"
    return {
        "id": code,
        "name": entry.name,
        "shortDescription": {"text": entry.meaning},
        "fullDescription": {"text": f"{entry.meaning} {advice}"},
        "help": {"text": f"{entry.meaning} {advice}", "markdown": f"{entry.meaning} **{advice}**"},
        "helpUri": f"{_DOCS}/{warning if entry.level == 'warning' else 'errors.md'}",
        "defaultConfiguration": {"level": entry.level},
        "properties": {"tags": ["sigma"], "problem.severity": entry.level},
    }


def _text(finding: SigconvError) -> str:
    text = finding.message[:1].upper() + finding.message[1:]
    return f"{text} ({finding.hint})." if finding.hint else f"{text}."


def _location(finding: SigconvError, base: Path) -> dict[str, Any]:
    region = {"startLine": finding.line or 1}
    if finding.column:
        region["startColumn"] = finding.column
    path = Path(finding.file or "").resolve()
    if path.is_relative_to(base):
        uri = quote(path.relative_to(base).as_posix())
        return {"artifactLocation": {"uri": uri, "uriBaseId": "%SRCROOT%"}, "region": region}
    return {"artifactLocation": {"uri": path.as_uri()}, "region": region}


def _fingerprint(finding: SigconvError, lines: dict[str, list[str]]) -> str:
    """Return a hash of the code, the message and the line's text: the same when the line moves."""
    file = finding.file or ""
    if file not in lines:
        try:
            lines[file] = yaml_source.read_text(Path(file), file).splitlines()
        except SigconvError:
            lines[file] = []
    number = (finding.line or 0) - 1
    text = lines[file][number].strip() if 0 <= number < len(lines[file]) else ""
    return hashlib.sha256("\0".join((finding.code, finding.message, text)).encode()).hexdigest()[:16]
