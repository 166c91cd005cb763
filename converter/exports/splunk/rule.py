"""One Sigma rule as a scheduled alert of Splunk: a stanza of savedsearches.conf.

Why each alert is raised once, and no event is missed that is indexed up to `facts.LATE` seconds late:

- A rule about single events judges the five minutes that ended five minutes ago. Times are cut to the minute
  and runs are never skipped (``realtime_schedule = 0``), so the spans of two runs touch and never overlap.
- A correlation reads from a window before these five minutes until now, and keeps the alerts that are
  completed within them. Its range cannot be the five minutes themselves: alerts have events before, and the
  time of an event can be before that of its record.

Events of a burst complete an alert each; the later alerts of a group are suppressed for the time of a window.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from typing import Any
from uuid import UUID

from converter.attack.table import written
from converter.errors import Refusal
from converter.exports.identity import rule_id
from converter.exports.item import ExportItem, ExportQuery
from converter.exports.splunk import facts
from converter.exports.splunk.conf import line, lines, stanza, stanza_name
from converter.exports.wording import description

TARGETS = ("spl",)


def stanzas(items: Sequence[ExportItem]) -> str:
    """Return the stanzas of a Sigma rule: one for each of its queries.

    Raises:
        Refusal: SC210 for a search that a .conf file cannot hold, and a schedule that cron cannot say.
    """
    return "\n".join(_stanza(item, query) for item in items for query in item.queries)


def _stanza(item: ExportItem, query: ExportQuery) -> str:
    unique = rule_id(item, query.name)
    title = item.title + (f" ({query.name})" if query.name else "")
    name = stanza_name(title, unique[:8], facts.NAME_MAX)
    settings = {
        "search": lines(_search(item, query)),
        "description": line(description(item, facts.DESCRIPTION_MAX)),
        "disabled": "1",
        "enableSched": "1",
        "cron_schedule": _cron(unique, item.interval),
        "realtime_schedule": "0",
        **_range(item, query),
        "counttype": "number of events",
        "relation": "greater than",
        "quantity": "0",
        "alert.track": "1",
        "alert.severity": str(facts.SEVERITY[_level(item)]),
        **_suppression(item, query),
        **_enterprise_security(item, query, title),
    }
    return f"# {line(item.id or item.title)}, version {_version(item)}\n" + stanza(name, settings)


def _level(item: ExportItem) -> str:
    level = str(item.rule.get("level") or "").lower()
    return level if level in facts.SEVERITY else facts.NO_LEVEL


def _version(item: ExportItem) -> str:
    """Return the day of the rule's last change: 20261121."""
    for key in ("modified", "date"):
        digits = re.sub(r"\D", "", str(item.rule.get(key) or ""))
        if len(digits) == 8:
            return digits
    return "0"


def _cron(unique: str, interval: int) -> str:
    """Return a cron schedule; the rule's id decides at which minute, so that not all rules run at once."""
    minutes = interval // 60
    if interval % 60 or minutes < 1 or 60 % minutes:
        raise Refusal("SC210", f"cron cannot run a search every {interval} s")
    first = UUID(unique).int % minutes
    return f"{first}-59/{minutes} * * * *"


def _search(item: ExportItem, query: ExportQuery) -> str:
    if query.alert is None:
        return query.body
    late, last = facts.LATE, query.alert.last
    return (
        f"{query.body}\n| addinfo\n"
        f"| where {last}>=info_max_time-{late + item.interval} AND {last}<info_max_time-{late}"
    )


def _range(item: ExportItem, query: ExportQuery) -> dict[str, str]:
    late = facts.LATE // 60
    if query.alert is None:
        return {
            "dispatch.earliest_time": f"-{late + item.interval // 60}m@m",
            "dispatch.latest_time": f"-{late}m@m",
        }
    back = -(-item.lookback // 60) + late
    return {"dispatch.earliest_time": f"-{back}m@m", "dispatch.latest_time": "@m"}


def _suppression(item: ExportItem, query: ExportQuery) -> dict[str, str]:
    """Return the suppression of a burst's later alerts; none for single events, as it would hide events."""
    if query.alert is None:
        return {"alert.digest_mode": "1", "alert.suppress": "0"}
    group = query.alert.group
    if any(not re.fullmatch(r"[\w.]+", name) for name in group):  # The list is of names with commas.
        return {"alert.digest_mode": "1", "alert.suppress": "0"}
    found = {
        "alert.digest_mode": "0" if group else "1",
        "alert.suppress": "1",
        "alert.suppress.period": f"{max(item.window, item.interval)}s",
    }
    return found | ({"alert.suppress.fields": ",".join(group)} if group else {})


def _enterprise_security(item: ExportItem, query: ExportQuery, title: str) -> dict[str, str]:
    level = _level(item)
    found = {
        "action.correlationsearch.enabled": "1",
        "action.correlationsearch.label": line(title),
        "action.correlationsearch.annotations": _json({"mitre_attack": written(item.texts("tags"))}),
        "action.notable": "1",
        "action.notable.param.rule_title": _no_token(line(title)),
        "action.notable.param.rule_description": _no_token(line(description(item, facts.DESCRIPTION_MAX))),
        "action.notable.param.severity": level,
        "action.notable.param.security_domain": _domain(item),
    }
    shown = [name for name in item.shown or item.usual if re.fullmatch(r"[\w.]+", name)]
    if shown:
        found["action.notable.param.nes_fields"] = ",".join(shown)
    objects = list(_risk(item, query, facts.RISK[level]))
    if objects:
        found |= {
            "action.risk": "1",
            "action.risk.param._risk": _json(objects),
            "action.risk.param._risk_message": _no_token(line(title)),
            "action.risk.param._risk_score": "0",
            "action.risk.param.verbose": "0",
        }
    return found


def _risk(item: ExportItem, query: ExportQuery, score: int) -> Iterator[dict[str, Any]]:
    """Yield a risk object for the host and for the user that a result names."""
    held = {*item.shown, *(query.alert.group if query.alert else item.columns)}
    for kind, names in (("system", facts.HOSTS), ("user", facts.USERS)):
        column = next((name for name in names if name in held), None)
        if column:
            yield {"risk_object_field": column, "risk_object_type": kind, "risk_score": score}


def _domain(item: ExportItem) -> str:
    for base in item.bases:
        source = base.get("logsource") or {}
        for name in (str(source.get("category") or "").lower(), str(source.get("service") or "").lower()):
            for domain, begins in facts.DOMAINS:
                if name.startswith(begins):
                    return domain
    return facts.NO_DOMAIN


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


def _no_token(text: str) -> str:
    """Return a text in which nothing is a token: ``$user$`` would be replaced, and has no escape."""
    return text.replace("$", "\uff04") if text.count("$") > 1 else text
