"""Values that YAML 1.1 reads otherwise than they are written (SC139): 0x1010 is 4112, 12:30:45 is 45045."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import suppress
from typing import Any

import yaml

from converter.errors import RuleError, SigconvError
from converter.files import yaml_source
from converter.rules.rule import Rule

_INT, _FLOAT, _BOOL = (f"tag:yaml.org,2002:{kind}" for kind in ("int", "float", "bool"))
_DECIMAL = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?")
# Before most files are read a second time: does any plain value look like one?
_SUSPECT = re.compile(
    r"[-:,\[{]\s+(?:[-+]?0[0-9xb]|[-+]?[0-9]+[_:]|\+[0-9]|[0-9.]+e|(?:yes|no|on|off)\b)", re.IGNORECASE
)


def misread(rule: Rule) -> Iterator[RuleError]:
    """Yield SC139 for each such value of the detection."""
    section = "filter" if rule.kind == "filter" else "detection"
    if not _any_number(rule.doc.get(section)):
        return
    with suppress(SigconvError):  # The file is gone: its text was read before.
        text = yaml_source.read_text(rule.path, rule.file)
        if _SUSPECT.search(text):
            yield from _below(rule, yaml_source.node(text, rule.document, [section]))


def _any_number(value: Any) -> bool:
    if isinstance(value, dict):
        return any(map(_any_number, value.values()))
    return any(map(_any_number, value)) if isinstance(value, list) else isinstance(value, (int, float))


def _below(rule: Rule, node: yaml.Node | None) -> Iterator[RuleError]:
    children: Sequence[yaml.Node] = ()
    if isinstance(node, yaml.MappingNode):
        children = [value for _, value in node.value]
    elif isinstance(node, yaml.SequenceNode):
        children = node.value
    elif isinstance(node, yaml.ScalarNode) and (read := _read(node)):
        mark = node.start_mark
        yield RuleError(
            "SC139",
            f"YAML reads {node.value} as {read}",
            file=rule.file,
            line=mark.line + 1,
            column=mark.column + 1,
        )
    for child in children:
        yield from _below(rule, child)


def _read(node: yaml.ScalarNode) -> str:
    """Return what a plain value is read as, or "" if that is what is written."""
    if node.tag in (_INT, _FLOAT) and not _DECIMAL.fullmatch(node.value):
        return f"the number {yaml.safe_load(node.value)}"
    if node.tag == _BOOL and node.value.lower() not in ("true", "false"):
        return str(yaml.safe_load(node.value)).lower()
    return ""
