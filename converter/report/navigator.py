"""The coverage as a layer of the ATT&CK Navigator, format 4.5.

The fields are those of layers/spec/v4.5/layerformat.md in the repository mitre-attack/attack-navigator.
"""

from __future__ import annotations

import json
from typing import Any

from converter import __version__
from converter.attack import table
from converter.report.model import Report

_COLOURS = ["#deebf7", "#9ecae1", "#2171b5", "#08306b"]


def layer(report: Report) -> dict[str, Any]:
    """Return the layer: under each tactic a technique's score is the number of rules.

    Those of its sub-techniques count for a technique as well.
    """
    columns = report.coverage
    parents = {
        (one.technique.id.partition(".")[0], column.tactic.short)
        for column in columns
        for one in column.techniques
        if "." in one.technique.id
    }
    techniques = [
        {
            "techniqueID": one.technique.id,
            "tactic": column.tactic.short,
            "score": len(one.rules),
            "comment": "\n".join(rule.title for rule in one.rules),
            "enabled": True,
            "showSubtechniques": (one.technique.id, column.tactic.short) in parents,
        }
        for column in columns
        for one in column.techniques
    ]
    most = max((len(one.rules) for column in columns for one in column.techniques), default=0)
    return {
        "name": "sigconv",
        "versions": {"attack": table.version(), "navigator": "5.2.0", "layer": "4.5"},
        "domain": "enterprise-attack",
        "description": f"Rules by technique: {len(report.rules)} rules, sigconv {__version__}",
        "sorting": 3,
        "layout": {"layout": "side", "showID": True, "showName": True, "expandedSubtechniques": "annotated"},
        "hideDisabled": False,
        "techniques": techniques,
        "gradient": {"colors": _COLOURS, "minValue": 0, "maxValue": max(most, 2)},
        "legendItems": [
            {"label": "few rules", "color": _COLOURS[0]},
            {"label": "more", "color": _COLOURS[-1]},
        ],
        "showTacticRowBackground": False,
        "selectTechniquesAcrossTactics": False,
        "selectSubtechniquesWithParent": False,
        "selectVisibleTechniques": False,
    }


def text(report: Report) -> str:
    """Return the layer as it is written to its file."""
    return json.dumps(layer(report), indent=2, ensure_ascii=False) + "\n"
