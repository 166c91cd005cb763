"""Which events a rule's logsource means.

Sigma specification 2.1, appendix "Taxonomy", tables of the folders. A logsource that is not in the tables, or
an event that does not tell where it comes from, excludes nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from converter.matcher.event import Event, fold, text_of, values_of

KEYS = ("Channel", "Provider_Name", "EventID")
"""The fields of an event that decide."""

_SYSMON = "Microsoft-Windows-Sysmon/Operational"
_LINUX_SYSMON = "Linux-Sysmon/Operational"
_PROVIDER_OF = {_SYSMON: "Microsoft-Windows-Sysmon", _LINUX_SYSMON: "Linux-Sysmon"}

SYSMON_EVENT_IDS: Mapping[str, tuple[int, ...]] = {
    "process_creation": (1,),
    "file_change": (2,),
    "network_connection": (3,),
    "sysmon_status": (4, 16),
    "process_termination": (5,),
    "driver_load": (6,),
    "image_load": (7,),
    "create_remote_thread": (8,),
    "raw_access_thread": (9,),
    "process_access": (10,),
    "file_event": (11,),
    "registry_event": (12, 13, 14),
    "registry_add": (12,),
    "registry_delete": (12,),
    "registry_set": (13,),
    "registry_rename": (14,),
    "create_stream_hash": (15,),
    "pipe_created": (17, 18),
    "wmi_event": (19, 20, 21),
    "dns_query": (22,),
    "file_delete": (23,),
    "clipboard_capture": (24,),
    "process_tampering": (25,),
    "file_delete_detected": (26,),
    "file_block_executable": (27,),
    "file_block_shredding": (28,),
    "file_executable_detected": (29,),
    "sysmon_error": (255,),
}
# Event 12 is three kinds of change (SigmaHQ, documentation/logsource-guides/windows/category/registry_*.md).
_OPERATIONS = {"registry_add": ("CreateKey",), "registry_delete": ("DeleteKey", "DeleteValue")}
_LINUX_CATEGORIES = ("process_creation", "network_connection", "file_event")
_POWERSHELL = ("Microsoft-Windows-PowerShell/Operational", "PowerShellCore/Operational")
_WINDOWS_CATEGORIES: Mapping[str, tuple[tuple[str, ...], tuple[int, ...]]] = {
    **{category: ((_SYSMON,), ids) for category, ids in SYSMON_EVENT_IDS.items()},
    "ps_classic_start": (("Windows PowerShell",), (400,)),
    "ps_classic_provider_start": (("Windows PowerShell",), (600,)),
    "ps_classic_script": (("Windows PowerShell",), (800,)),
    "ps_module": (_POWERSHELL, (4103,)),
    "ps_script": (_POWERSHELL, (4104,)),
}
# The Cloud, Linux, Macos and Network folders: their events are not in a Windows event log.
_NOT_WINDOWS = frozenset(
    (
        *("aws", "azure", "bitbucket", "cisco", "gcp", "github", "m365", "okta", "onelogin"),
        *("linux", "macos", "huawei", "juniper", "zeek", "fortigate", "paloalto", "kubernetes"),
    )
)
# From event tracing, not from a channel.
_PROVIDERS = {"file_access": "Microsoft-Windows-Kernel-File", "file_rename": "Microsoft-Windows-Kernel-File"}
CHANNELS: Mapping[str, tuple[str, ...]] = {
    "application": ("Application",),
    "application-experience": (
        "Microsoft-Windows-Application-Experience/Program-Telemetry",
        "Microsoft-Windows-Application-Experience/Program-Compatibility-Assistant",
    ),
    "applocker": (
        "Microsoft-Windows-AppLocker/MSI and Script",
        "Microsoft-Windows-AppLocker/EXE and DLL",
        "Microsoft-Windows-AppLocker/Packaged app-Deployment",
        "Microsoft-Windows-AppLocker/Packaged app-Execution",
    ),
    "appmodel-runtime": ("Microsoft-Windows-AppModel-Runtime/Admin",),
    "appxdeployment-server": ("Microsoft-Windows-AppXDeploymentServer/Operational",),
    "appxpackaging-om": ("Microsoft-Windows-AppxPackaging/Operational",),
    "bitlocker": ("Microsoft-Windows-BitLocker/BitLocker Management",),
    "bits-client": ("Microsoft-Windows-Bits-Client/Operational",),
    "capi2": ("Microsoft-Windows-CAPI2/Operational",),
    "certificateservicesclient-lifecycle-system": (
        "Microsoft-Windows-CertificateServicesClient-Lifecycle-System/Operational",
    ),
    "codeintegrity-operational": ("Microsoft-Windows-CodeIntegrity/Operational",),
    "dhcp": ("Microsoft-Windows-DHCP-Server/Operational",),
    "diagnosis-scripted": ("Microsoft-Windows-Diagnosis-Scripted/Operational",),
    "dns-client": ("Microsoft-Windows-DNS Client Events/Operational",),
    "dns-server": ("DNS Server",),
    "dns-server-analytic": ("Microsoft-Windows-DNS-Server/Analytical",),
    "dns-server-audit": ("Microsoft-Windows-DNS-Server/Audit",),
    "driver-framework": ("Microsoft-Windows-DriverFrameworks-UserMode/Operational",),
    "firewall-as": ("Microsoft-Windows-Windows Firewall With Advanced Security/Firewall",),
    "iis-configuration": ("Microsoft-IIS-Configuration/Operational",),
    "ldap": ("Microsoft-Windows-LDAP-Client/Debug",),
    "lsa-server": ("Microsoft-Windows-LSA/Operational",),
    "msexchange-management": ("MSExchange Management",),
    "ntfs": ("Microsoft-Windows-Ntfs/Operational",),
    "ntlm": ("Microsoft-Windows-NTLM/Operational",),
    "openssh": ("OpenSSH/Operational",),
    # The table names the first; PowerShell 7 writes the same events to the second, as for ps_script.
    "powershell": _POWERSHELL,
    "powershell-classic": ("Windows PowerShell",),
    "printservice-admin": ("Microsoft-Windows-PrintService/Admin",),
    "printservice-operational": ("Microsoft-Windows-PrintService/Operational",),
    "security": ("Security",),
    "security-mitigations": (
        "Microsoft-Windows-Security-Mitigations/Kernel Mode",
        "Microsoft-Windows-Security-Mitigations/User Mode",
    ),
    "sense": ("Microsoft-Windows-SENSE/Operational",),
    "servicebus-client": ("Microsoft-ServiceBus-Client/Operational", "Microsoft-ServiceBus-Client/Admin"),
    "shell-core": ("Microsoft-Windows-Shell-Core/Operational",),
    "smbclient-security": ("Microsoft-Windows-SmbClient/Security",),
    "sysmon": (_SYSMON,),
    "system": ("System",),
    "taskscheduler": ("Microsoft-Windows-TaskScheduler/Operational",),
    "terminalservices-localsessionmanager": (
        "Microsoft-Windows-TerminalServices-LocalSessionManager/Operational",
    ),
    "vhdmp": ("Microsoft-Windows-VHDMP/Operational",),
    "windefend": ("Microsoft-Windows-Windows Defender/Operational",),
    "wmi": ("Microsoft-Windows-WMI-Activity/Operational",),
}


@dataclass(frozen=True, slots=True)
class Need:
    """What an event must say about itself, if it says it; empty is anything."""

    channels: frozenset[str] = frozenset()
    """Case-folded."""
    providers: frozenset[str] = frozenset()
    event_ids: frozenset[str] = frozenset()
    """As text: exporters write numbers or strings."""
    operations: frozenset[str] = frozenset()
    """Sysmon's EventType of event 12, case-folded."""
    foreign: bool = False
    """Not from a Windows event log (which has channel and event id)."""


def needs(logsource: Mapping[str, Any]) -> tuple[Need, ...]:
    """Return what the events of a logsource need: all of them; none for an unknown logsource."""
    product, category, service = (_lower(logsource.get(key)) for key in ("product", "category", "service"))
    found: list[Need] = []
    if category in _WINDOWS_CATEGORIES:
        channels, ids = _WINDOWS_CATEGORIES[category]
        on_linux = category in _LINUX_CATEGORIES
        if product == "windows":
            found.append(_need(channels, ids, _OPERATIONS.get(category, ())))
        elif product == "linux" and on_linux:
            found.append(_need((_LINUX_SYSMON,), ids))
        elif not product:
            found.append(_need((*channels, _LINUX_SYSMON) if on_linux else channels, ids))
    elif product == "windows" and category in _PROVIDERS:
        found.append(Need(providers=frozenset({fold(_PROVIDERS[category])})))
    if not found and product in _NOT_WINDOWS:
        found.append(Need(foreign=True))
    if product == "windows" and service in CHANNELS:
        found.append(_need(CHANNELS[service], ()))
    return tuple(found)


def _lower(value: Any) -> str:
    return str(value).lower() if value is not None else ""


def _need(channels: tuple[str, ...], ids: tuple[int, ...], operations: tuple[str, ...] = ()) -> Need:
    providers = [fold(_PROVIDER_OF[channel]) for channel in channels if channel in _PROVIDER_OF]
    return Need(
        frozenset(map(fold, channels)),
        frozenset(providers) if len(providers) == len(channels) else frozenset(),
        frozenset(map(str, ids)),
        operations=frozenset(map(fold, operations)),
    )


def identity(event: Event) -> tuple[str, str, str, str]:
    """Return an event's channel, provider, event id and (of event 12) EventType, folded; "" for none."""
    values = (next(values_of(event.get(key)), None) for key in KEYS)
    channel, provider, event_id = ("" if value is None else fold(text_of(value)) for value in values)
    kind = next(values_of(event.get("EventType")), None) if event_id == "12" else None
    return channel, provider, event_id, "" if kind is None else fold(text_of(kind))


def fits(given: tuple[Need, ...], identity: tuple[str, str, str, str]) -> bool:
    """Tell whether an event of that identity may be of the logsource."""
    return all(_fits(need, *identity) for need in given)


@lru_cache(maxsize=65536)
def _fits(need: Need, channel: str, provider: str, event_id: str, operation: str) -> bool:
    if need.foreign:
        return not (channel and event_id) or channel == fold(_LINUX_SYSMON)
    if need.channels and channel:
        # Forwarded events keep their provider; their channel may be the collector's.
        if channel not in need.channels and not (channel == "forwardedevents" and provider in need.providers):
            return False
    elif need.providers and provider and provider not in need.providers:
        return False
    if need.operations and operation and operation not in need.operations:
        return False
    return not (need.event_ids and event_id and event_id not in need.event_ids)


def is_candidate(logsource: Mapping[str, Any]) -> Callable[[Event], bool]:
    """Return a function that tells whether an event may be of the logsource."""
    given = needs(logsource)
    return lambda event: fits(given, identity(event))
