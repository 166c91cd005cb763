"""`sigconv new` and `sigconv init`: files to start from. Nothing that exists is ever overwritten."""

from __future__ import annotations

import os
import uuid
from collections.abc import Mapping
from datetime import date
from importlib import resources
from pathlib import Path
from typing import Any

import yaml

from converter import output
from converter.errors import UsageError

# What most rules of a category look at first.
_FIELDS: Mapping[str, str] = {
    "process_creation": "Image",
    "network_connection": "Image",
    "file_event": "TargetFilename",
    "file_delete": "TargetFilename",
    "image_load": "ImageLoaded",
    "driver_load": "ImageLoaded",
    "registry_add": "TargetObject",
    "registry_delete": "TargetObject",
    "registry_event": "TargetObject",
    "registry_set": "TargetObject",
    "dns_query": "QueryName",
    "pipe_created": "PipeName",
    "process_access": "TargetImage",
    "create_remote_thread": "TargetImage",
    "ps_script": "ScriptBlockText",
}
_INIT = {
    "sigconv.toml": "sigconv.toml",
    "gitignore": ".gitignore",
    "pre-commit-config.yaml": ".pre-commit-config.yaml",
    "github/sigma.yml": ".github/workflows/sigma.yml",
}
EXAMPLE = "windows/execution/example.yml"


def new(
    rule: str,
    rules_root: Path,
    tests_root: Path,
    *,
    title: str | None = None,
    category: str = "process_creation",
    product: str = "windows",
    author: str = "",
    today: date | None = None,
) -> list[Path]:
    """Write a rule and its tests, which pass, and return the two paths.

    Args:
        rule: the rule's path: below the rules root, or below the current folder; ``.yml`` may be left out.
        rules_root: where rules are.
        tests_root: where their tests are.
        title: of the rule; default: from its file's name.
        category: of the logsource.
        product: of the logsource.
        author: of the rule.
        today: the date to write.

    Raises:
        UsageError: SC611 if the path is not below the rules root, SC612 if one of the files exists.
    """
    relative = _below(rule, rules_root)
    title = title or relative.stem.replace("_", " ").title()
    field = _FIELDS.get(category, "FieldName")
    rule_id = str(uuid.uuid4())
    doc = {
        "title": title,
        "id": rule_id,
        "status": "experimental",
        "description": "What happens, and why it is suspicious.",
        "references": ["https://attack.mitre.org/"],
        "author": author,
        "date": (today or date.today()).isoformat(),
        "tags": ["attack.execution"],
        "logsource": {"category": category, "product": product},
        "detection": {
            "selection": {f"{field}|endswith": "\\example.exe"},
            "condition": "selection",
        },
        "falsepositives": ["Unknown"],
        "level": "medium",
    }
    if not author:
        del doc["author"]
    event = _event(category, product)
    tests = {
        "rule": relative.as_posix(),
        "id": rule_id,
        "events": {"example": {**event, field: "C:\\Users\\Public\\example.exe"}},
        "tests": [
            {"name": "It happens", "why": "selection", "events": [{"use": "example"}], "alerts": [0]},
            {
                "name": "Another file",
                "why": f"selection: {field}",
                "events": [{"use": "example", "set": {field: "C:\\Users\\Public\\other.exe"}}],
                "alerts": [],
            },
        ],
    }
    files: dict[Path, Mapping[str, Any]] = {rules_root / relative: doc, tests_root / relative: tests}
    for path in files:
        if path.exists():
            raise UsageError("SC612", "exists already", file=path.as_posix())
    for path, content in files.items():
        output.write(path, _yaml(content))
    return list(files)


def _below(rule: str, root: Path) -> Path:
    path = Path(rule if rule.endswith((".yml", ".yaml")) else f"{rule}.yml")
    whole = Path(os.path.normpath(path.absolute()))
    base = Path(os.path.normpath(root.absolute()))
    if not whole.is_relative_to(base):
        whole = Path(os.path.normpath(base / path))
    if (path.is_absolute() and not path.is_relative_to(base)) or not whole.is_relative_to(base):
        raise UsageError("SC611", f"is not below the rules folder {root.as_posix()}/", file=rule)
    return whole.relative_to(base)


def _event(category: str, product: str) -> dict[str, Any]:
    """Return a complete event of the category, where its log is known, else one with a time."""
    from converter.witness import defaults

    ids = defaults.event_ids({"category": category, "product": product})
    logsource = {"category": category, "product": product}
    event = defaults.sysmon_event(ids[0]) if ids else defaults.log_event(logsource)
    return {**event, **defaults.stamp(0, sysmon=bool(ids))}


class _Dumper(yaml.SafeDumper):
    """Lists stand below their key, indented, as people write rules."""

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:
        super().increase_indent(flow, False)


def _yaml(content: Mapping[str, Any]) -> str:
    text: str = yaml.dump(content, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=1000, indent=4)
    return text


def init(folder: Path) -> tuple[list[Path], list[Path]]:
    """Set up a repository of rules: configuration, CI workflow, pre-commit hooks and a first rule.

    Returns:
        The files written, and those that were there already and were left as they are.
    """
    written: list[Path] = []
    left: list[Path] = []
    templates = resources.files("converter") / "templates"
    for source, name in _INIT.items():
        path = folder / name
        if path.exists():
            left.append(path)
            continue
        text = templates.joinpath(*source.split("/")).read_text(encoding="utf-8")
        output.write(path, text)
        written.append(path)
    rules, tests = folder / "sigma", folder / "tests" / "rules"
    if rules.exists():
        left.append(rules)
    else:
        written += new(EXAMPLE, rules, tests, title="Example Program Starts")
    return written, left
