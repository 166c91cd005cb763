"""Which of upstream's pipelines goes with a telemetry source on a platform.

A source that is not in the table has none: upstream maps no such events, and nothing is compared. Where
the choice is open the entry is the most favourable to upstream.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from importlib.util import find_spec

_SYSMON = "sigma.pipelines.sysmon:sysmon_pipeline"
_AUDIT = "sigma.pipelines.windows:windows_audit_pipeline"
_ECS = "sigma.pipelines.elasticsearch.windows:ecs_windows"
_SPLUNK = "sigma.pipelines.splunk:splunk_windows_pipeline"
_XDR = "sigma.pipelines.microsoftxdr:microsoft_xdr_pipeline"
_MONITOR = "sigma.pipelines.azuremonitor:azure_monitor_pipeline"


@dataclass(frozen=True, slots=True)
class Natural:
    """What a user of upstream adds to its backend for a source."""

    pipelines: tuple[str, ...] = ()
    """Module and function of each."""
    companion: str = ""
    """Of a package of its own: the pipeline that selects a category's events, used where it is installed."""
    package: str = ""
    """That package."""
    companion_maps: bool = False
    """Whether the companion maps the fields of categories too: without it their rules are not compared."""
    prefix: str = ""
    """What the user writes in front of each query."""
    schema: str = ""
    """Where upstream has the columns of its tables."""
    sub_field: str = ""
    """The end of names of sub-fields that upstream's mapping asks for and the vendor's templates lack."""
    renamed: tuple[str, str, str] | None = None
    """A field, how its values begin as the platform stores them, and how upstream expects them to begin."""
    selects_logsource: bool = False
    """Whether a query selects events of the rule's log source only. If not, only those are searched."""

    @property
    def names(self) -> tuple[str, ...]:
        """The pipelines' functions, for messages."""
        return tuple(name.rpartition(":")[2] for name in self.pipelines)

    @property
    def lacks(self) -> str:
        """The companion's function and package if it is not installed; else an empty text."""
        if not self.companion or self.companion in self.pipelines:
            return ""
        return f"{self.companion.rpartition(':')[2]} is not installed: {self.package}"


# Splunk's add-ons for Windows and for Sysmon set renderXml, which makes the source XmlWinEventLog:<channel>.
_SOURCE = ("source", "XmlWinEventLog:", "WinEventLog:")

_ENTRIES: dict[tuple[str, str], Natural] = {
    ("none", "elastic"): Natural(),
    ("none", "splunk"): Natural(),
    # The Kusto backend writes a condition; its user writes the table in front.
    ("none", "kusto"): Natural(prefix="Events\n| where "),
    ("sysmon", "elastic"): Natural((_ECS,), _SYSMON, "pySigma-pipeline-sysmon", sub_field=".caseless"),
    ("sysmon", "splunk"): Natural((_SPLUNK,), _SYSMON, "pySigma-pipeline-sysmon", renamed=_SOURCE),
    ("windows-security", "elastic"): Natural(
        (_ECS,), _AUDIT, "pySigma-pipeline-windows", companion_maps=True, sub_field=".caseless"
    ),
    ("windows-security", "splunk"): Natural(
        (_SPLUNK,), _AUDIT, "pySigma-pipeline-windows", companion_maps=True, renamed=_SOURCE
    ),
    ("windows-security", "kusto"): Natural(
        (_MONITOR,),
        schema="sigma.pipelines.azuremonitor.tables:AZURE_MONITOR_TABLES",
        selects_logsource=True,
    ),
    ("defender", "kusto"): Natural(
        (_XDR,), schema="sigma.pipelines.microsoftxdr.tables:MICROSOFT_XDR_TABLES", selects_logsource=True
    ),
}


def natural(source: str, platform: str) -> Natural | None:
    """Return upstream's natural pipelines for a source on a platform, or None if it has none."""
    entry = _ENTRIES.get((source, platform))
    if entry is None or not entry.companion:
        return entry
    module = entry.companion.partition(":")[0]
    if find_spec("sigma.pipelines") is None or find_spec(module) is None:
        return entry
    return replace(entry, pipelines=(entry.companion, *entry.pipelines), selects_logsource=True)
