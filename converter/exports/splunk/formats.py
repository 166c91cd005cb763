"""The files that Splunk reads: savedsearches.conf, and an app folder around it."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence

from converter.exports.base import Exporter, Part
from converter.exports.splunk.conf import stanza
from converter.exports.splunk.rule import TARGETS, stanzas

_VERSION = re.compile(r"^# .*, version (\d+)$", re.MULTILINE)
_SPEC = (
    "action.correlationsearch.enabled",
    "action.correlationsearch.label",
    "action.correlationsearch.annotations",
    "action.notable",
    "action.notable.param.rule_title",
    "action.notable.param.rule_description",
    "action.notable.param.severity",
    "action.notable.param.security_domain",
    "action.notable.param.nes_fields",
    "action.risk",
    "action.risk.param._risk",
    "action.risk.param._risk_message",
    "action.risk.param._risk_score",
    "action.risk.param.verbose",
)
"""Settings that only Enterprise Security declares; without it Splunk would warn of each."""


def _savedsearches(source: str, parts: Sequence[Part]) -> str:
    head = f"# Detections of sigconv for {source}. All are disabled: enable them one by one.\n"
    return "\n".join([head, *(part.text for part in parts)])


def _conf(source: str, parts: Sequence[Part]) -> Mapping[str, str]:
    return {"savedsearches.conf": _savedsearches(source, parts)}


def _app(source: str, parts: Sequence[Part]) -> Mapping[str, str]:
    """Return the files of an app; its version is that of the rule that was changed last."""
    name = "sigconv_" + re.sub(r"\W", "_", source).lower()
    version = f"1.0.{max([int(found) for part in parts for found in _VERSION.findall(part.text)], default=0)}"
    title = f"sigconv detections ({source})"
    about = f"Scheduled alerts made by sigconv from Sigma rules, for {source}."
    files = {
        "default/app.conf": "\n".join(
            [
                stanza("install", {"is_configured": "0", "state": "enabled"}),
                stanza("ui", {"is_visible": "0", "label": title}),
                stanza("launcher", {"author": "sigconv", "description": about, "version": version}),
                stanza("package", {"id": name, "check_for_updates": "0"}),
                stanza("id", {"name": name, "version": version}),
            ]
        ),
        "default/savedsearches.conf": _savedsearches(source, parts),
        "metadata/default.meta": stanza(
            "", {"access": "read : [ * ], write : [ admin, sc_admin ]", "export": "system"}
        ),
        "README/savedsearches.conf.spec": "[<name>]\n" + "".join(f"{key} = <string>\n" for key in _SPEC),
        "README.md": _README.format(title=title, about=about),
        "app.manifest": json.dumps(_manifest(name, title, about, version), indent=2) + "\n",
    }
    return {f"{name}/{path}": text for path, text in files.items()}


_README = """\
# {title}

{about} All of them are disabled: look at one under Settings > Searches, reports, and alerts, run its search
over the last day (a correlation's without its last two lines), then enable it. With Splunk Enterprise
Security they are correlation searches with notable events and risk; without it they are scheduled alerts,
and the actions of Enterprise Security do nothing.
"""


def _manifest(name: str, title: str, about: str, version: str) -> dict[str, object]:
    return {
        "schemaVersion": "2.0.0",
        "info": {
            "title": title,
            "id": {"group": None, "name": name, "version": version},
            "author": [{"name": "sigconv", "email": None, "company": None}],
            "releaseDate": None,
            "description": about,
            "classification": {"intendedAudience": None, "categories": [], "developmentStatus": None},
            "commonInformationModels": None,
            "license": {"name": None, "text": None, "uri": None},
            "privacyPolicy": {"name": None, "text": None, "uri": None},
            "releaseNotes": {"name": None, "text": None, "uri": None},
        },
        "dependencies": None,
        "tasks": None,
        "inputGroups": None,
        "incompatibleApps": None,
        "platformRequirements": None,
        "supportedDeployments": ["_standalone", "_distributed", "_search_head_clustering"],
        "targetWorkloads": ["_search_heads"],
    }


CONF = Exporter(TARGETS, "conf", stanzas, _conf)
APP = Exporter(TARGETS, "conf", stanzas, _app)
