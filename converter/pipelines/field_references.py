"""Whether a cell stores two fields alike, so that they can be compared with each other (`fieldref`).

A pipeline rewrites a rule's values into the platform's (paths of drives, names without their folders, SIDs);
the values of another field it cannot rewrite. So two fields compare as the rule means it only if the pipeline
would rewrite the same value of either in the same way.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sigma.exceptions import SigmaError
from sigma.processing.pipeline import ProcessingPipeline
from sigma.rule import SigmaRule

from converter.errors import Refusal
from converter.pipelines.lowering import lowered
from converter.plan.conditions import Value, comparisons
from converter.plan.values import Text

PROBES = (
    "sigconv probe",
    "C:\\Sigconv\\probe.exe",
    "\\\\sigconv\\share\\probe.exe",
    "HKLM\\Sigconv\\probe",
    "SIGCONV\\probe",
    "10.11.12.13",
    "2001:db8::11",
    "12345",
    "0x3039",
    "true",
)
"""Values of each kind that a pipeline rewrites."""

Signature = tuple[tuple[str, ...], ...]


def signature(data: Mapping[str, Any], logsource: Mapping[str, str], field: str) -> Signature:
    """Return what a pipeline makes of each probe as a value of the field, whatever it calls the field.

    Args:
        data: of the pipeline.
        logsource: of the rule.
        field: a field of the rule.
    """
    return tuple(_rewritten(data, logsource, field, probe) for probe in PROBES)


def _rewritten(
    data: Mapping[str, Any], logsource: Mapping[str, str], field: str, probe: str
) -> tuple[str, ...]:
    detection = {"selection": {field: probe.replace("\\", "\\\\")}, "condition": "selection"}
    rule = SigmaRule.from_dict({"title": "probe", "logsource": dict(logsource), "detection": detection})
    try:
        ProcessingPipeline.from_dict(dict(data)).apply(rule)
        (condition,) = rule.detection.parsed_condition
        tree = lowered(condition.parsed)
    except (SigmaError, Refusal):
        return ("refused",)
    if tree is None:
        return ()
    found = [(leaf.field, _text(leaf.value)) for leaf in comparisons(tree)]
    needle = "probe" if "probe" in probe else probe.lower()
    if len({column for column, text in found if needle in text.lower()}) > 1:
        return ("in several columns", field)
    return tuple(text for _, text in found)


def _text(value: Value) -> str:
    return repr(value.parts) if isinstance(value, Text) else repr(value)
