"""How Splunk stores Defender's events: the streaming API's JSON, its fields extracted at search time.

Source: splunk/TA-microsoft-365-defender-advanced-hunting-add-on, ``default/props.conf``: sourcetype
``mscs:azure:eventhub:defender:advancedhunting``, KV_MODE json, time from Timestamp to the millisecond; its
evaluations compare with the text ``null``, which is what JSON null is extracted as. The names are
``category`` and ``properties.X``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from converter.engines.base import Stored
from converter.shapes import defender_kusto, windows

SOURCETYPE = "mscs:azure:eventhub:defender:advancedhunting"
NULL = "null"
# Columns that every row of a table has: what is missing in them is JSON null. Of the others of the table
# only those that rules compare are of interest.
_COLUMNS = {
    "DeviceProcessEvents": """FileName FolderPath SHA1 SHA256 MD5 ProcessId ProcessCommandLine
        ProcessIntegrityLevel ProcessCreationTime AccountDomain AccountName LogonId AdditionalFields
        ProcessVersionInfoCompanyName ProcessVersionInfoProductName ProcessVersionInfoProductVersion
        ProcessVersionInfoOriginalFileName ProcessVersionInfoFileDescription CreatedProcessSessionId""",
    "DeviceNetworkEvents": "RemoteIP RemotePort RemoteUrl LocalIP LocalPort Protocol AdditionalFields",
    "DeviceFileEvents": """FileName FolderPath SHA1 SHA256 MD5 PreviousFolderPath PreviousFileName
        AdditionalFields""",
    "DeviceImageLoadEvents": "FileName FolderPath SHA1 SHA256 MD5",
    "DeviceRegistryEvents": """RegistryKey RegistryValueType RegistryValueName RegistryValueData
        PreviousRegistryKey PreviousRegistryValueName PreviousRegistryValueData""",
    "DeviceEvents": """FileName FolderPath SHA1 SHA256 MD5 ProcessId ProcessCommandLine ProcessCreationTime
        AccountDomain AccountName RegistryKey RegistryValueName RegistryValueData RemoteIP RemotePort
        RemoteUrl LocalIP LocalPort LogonId AdditionalFields""",
}
_ACTOR = (
    *("FileName", "FolderPath", "CommandLine", "Id", "CreationTime"),
    *("AccountDomain", "AccountName", "ParentFileName"),
)


def store(event: Mapping[str, Any], id: int) -> Stored:  # noqa: A002
    """Return the fields that a search sees for a record; ``_time`` is epoch seconds as float."""
    category, properties = defender_kusto.streamed(event, id)
    table = category.removeprefix("AdvancedHunting-")
    names = [*_COLUMNS[table].split(), *(f"InitiatingProcess{name}" for name in _ACTOR)]
    doc: dict[str, Any] = {f"properties.{name}": NULL for name in names}
    doc |= {f"properties.{name}": windows.text(value) for name, value in properties.items()}
    time = windows.utc_time(event) or windows.record_time(event)
    milliseconds = time.replace(microsecond=time.microsecond // 1000 * 1000)
    doc |= {"_time": milliseconds.timestamp(), "sourcetype": SOURCETYPE, "category": category}
    return Stored(id, SOURCETYPE, doc)


def view(event: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the record as Defender spells it (`defender_kusto.view`)."""
    return defender_kusto.view(event)
