"""The files that Splunk reads: savedsearches.conf, and an app folder around it."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

from converter.exports.base import Exporter, Part
from converter.exports.splunk.conf import stanza, stanza_name
from converter.exports.splunk.facts import NAME_MAX
from converter.exports.splunk.rule import TARGETS, stanzas

_HEADER = re.compile(r"(?:\A|(?<=[^\\]\n))# (.*), version (\d+)\n\[(.*)\]$", re.MULTILINE)
"""Id, version and name: a stanza's head. A line after a backslash is none: a value goes on there."""
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
    return "\n".join([head, *_told_apart(parts)])


def _told_apart(parts: Sequence[Part]) -> Iterator[str]:
    """Yield the parts' texts, with whole ids in the names of stanzas that would have one name.

    Rules of one title whose ids begin alike have (ids made by hand do); Splunk would make one stanza of them.
    """
    names = Counter(found[3] for part in parts for found in _HEADER.finditer(part.text))

    def renamed(found: re.Match[str]) -> str:
        rule, version, name = found.groups()
        if names[name] > 1:
            name = stanza_name(name.rpartition(" (")[0], rule, NAME_MAX)
        return f"# {rule}, version {version}\n[{name}]"

    for part in parts:
        yield _HEADER.sub(renamed, part.text)


def _conf(source: str, parts: Sequence[Part]) -> Mapping[str, str]:
    return {"savedsearches.conf": _savedsearches(source, parts)}


def _app(source: str, parts: Sequence[Part]) -> Mapping[str, str]:
    """Return the files of an app; its version is that of the rule that was changed last."""
    name = "sigconv_" + re.sub(r"\W", "_", source).lower()
    version = (
        f"1.0.{max([int(found[2]) for part in parts for found in _HEADER.finditer(part.text)], default=0)}"
    )
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
