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

from converter import install_hint
from converter.errors import UsageError
from converter.files import atomic

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
HOME = ("https://github.com/sigconv/sigconv", "v0.1.0")
"""Address and revision in the templates: where sigconv is published."""


def new(
    rule: str,
    rules_root: Path,
    tests_root: Path,
    *,
    title: str | None = None,
    category: str = "",
    product: str = "windows",
    service: str = "",
    author: str = "",
    today: date | None = None,
) -> list[Path]:
    """Write a rule and its tests, which pass, and return the two paths.

    Args:
        rule: the rule's path: below the rules root, or below the current folder; ``.yml`` may be left out.
        rules_root: where rules are.
        tests_root: where their tests are.
        title: of the rule; default: from its file's name.
        category: of the logsource; default: process_creation, or none beside a service.
        product: of the logsource.
        service: of the logsource.
        author: of the rule.
        today: the date to write.

    Raises:
        UsageError: SC611 if the path is not below the rules root, SC612 if one of the files exists.
    """
    relative = _below(rule, rules_root)
    title = title or relative.stem.replace("_", " ").title()
    category = category or ("" if service else "process_creation")
    parts = {"category": category, "product": product, "service": service}
    logsource = {key: value for key, value in parts.items() if value}
    detected, hit, miss = _values(logsource)
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
        "logsource": logsource,
        "detection": {
            "selection": detected,
            "condition": "selection",
        },
        "falsepositives": ["Unknown"],
        "level": "medium",
    }
    if not author:
        del doc["author"]
    event = _event(logsource)
    tests = {
        "rule": relative.as_posix(),
        "id": rule_id,
        "events": {"example": {**event, **hit}},
        "tests": [
            {"name": "It happens", "why": "selection", "events": [{"use": "example"}], "alerts": [0]},
            {
                "name": "Another file" if category else "Another event",
                "why": f"selection: {next(iter(miss))}",
                "events": [{"use": "example", "set": miss}],
                "alerts": [],
            },
        ],
    }
    files: dict[Path, Mapping[str, Any]] = {rules_root / relative: doc, tests_root / relative: tests}
    for path in files:
        if path.exists():
            raise UsageError("SC612", "exists already", file=path.as_posix())
    for path, content in files.items():
        atomic.write(path, _yaml(content))
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


def _values(logsource: Mapping[str, str]) -> tuple[dict[str, Any], dict[str, Any], dict[str, Any]]:
    """Return a selection for the log source, what an event of it has, and what another has."""
    if "category" not in logsource and logsource.get("product") == "windows":
        return {"EventID": 1}, {"EventID": 1}, {"EventID": 2}
    field = _FIELDS.get(logsource.get("category", ""), "FieldName")
    hit, miss = ({field: f"C:\\Users\\Public\\{name}.exe"} for name in ("example", "other"))
    return {f"{field}|endswith": "\\example.exe"}, hit, miss


def _event(logsource: Mapping[str, str]) -> dict[str, Any]:
    """Return a complete event of the log source, where its log is known, else one with a time."""
    from converter.matcher.logsource import CHANNELS
    from converter.witness import defaults

    ids = defaults.event_ids(logsource)
    event = defaults.sysmon_event(ids[0]) if ids else defaults.log_event(logsource)
    channels = CHANNELS.get(logsource.get("service", ""), ())
    if not event and channels and logsource.get("product") == "windows":
        event = {"Channel": channels[0], "Computer": "ws1.example.org"}
    return {**event, **defaults.stamp(0, sysmon=bool(ids))}


class _Dumper(yaml.SafeDumper):
    """Lists stand below their key, indented, and backslashes in quotes, as people write rules."""

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:
        super().increase_indent(flow, False)

    def text(self, value: str) -> yaml.ScalarNode:
        """Return a text as YAML."""
        quoted = "'" if "\\" in value and value.isprintable() else None
        return self.represent_scalar("tag:yaml.org,2002:str", value, style=quoted)


_Dumper.add_representer(str, _Dumper.text)


def _yaml(content: Mapping[str, Any]) -> str:
    text: str = yaml.dump(content, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=1000, indent=4)
    return text


def init(folder: Path) -> tuple[list[Path], list[Path]]:
    """Set up a repository of rules: configuration, CI workflow, pre-commit hooks and a first rule.

    The workflow and the hooks take sigconv from where this one was installed from, if that is a git
    repository, else from `HOME`.

    Returns:
        The files written, and those that were there already and were left as they are.
    """
    written: list[Path] = []
    left: list[Path] = []
    templates = resources.files("converter") / "templates"
    address, revision = install_hint.repository() or HOME
    for source, name in _INIT.items():
        path = folder / name
        if path.exists():
            left.append(path)
            continue
        text = templates.joinpath(*source.split("/")).read_text(encoding="utf-8")
        text = text.replace(HOME[1], revision) if HOME[0] in text else text
        atomic.write(path, text.replace(HOME[0], address))
        written.append(path)
    rules, tests = folder / "sigma", folder / "tests" / "rules"
    if rules.exists():
        left.append(rules)
    else:
        written += new(EXAMPLE, rules, tests, title="Example Program Starts")
    return written, left
