"""How Splunk stores Defender's events: the streaming API's JSON, its fields extracted at search time.

Source: splunk/TA-microsoft-365-defender-advanced-hunting-add-on, ``default/props.conf``: sourcetype
``mscs:azure:eventhub:defender:advancedhunting``, KV_MODE json, time from Timestamp to the millisecond; its
evaluations compare with the text ``null``, which is what JSON null is extracted as. The names are
``category`` and ``properties.X``. What stands behind the first 5,000 bytes is no field
(`splunk_extraction.of_json`).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from converter.events.stored import Stored
from converter.shapes.defender import kusto
from converter.shapes.windows import records, splunk_extraction

SOURCETYPE = "mscs:azure:eventhub:defender:advancedhunting"
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
    raw = render(event, id)
    time = records.utc_time(event) or records.record_time(event)
    milliseconds = time.replace(microsecond=time.microsecond // 1000 * 1000)
    made = {"_raw": raw, "_time": milliseconds.timestamp(), "sourcetype": SOURCETYPE}
    return Stored(id, SOURCETYPE, {**splunk_extraction.of_json(raw), **made})


def render(event: Mapping[str, Any], id: int) -> str:  # noqa: A002
    """Return the record of the streaming API, its names in the order of the alphabet.

    So they are in elastic/integrations, packages/m365_defender/data_stream/event/_dev/test/pipeline/
    test-device.log at 07bb9dae.
    """
    category, properties = kusto.streamed(event, id)
    table = category.removeprefix("AdvancedHunting-")
    names = [*_COLUMNS[table].split(), *(f"InitiatingProcess{name}" for name in _ACTOR)]
    whole = dict.fromkeys(names) | properties
    record = {"category": category, "operationName": "Publish", "properties": dict(sorted(whole.items()))}
    return json.dumps(record, separators=(",", ":"), ensure_ascii=False)


def view(event: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the record as Defender spells it (`defender_kusto.view`)."""
    return kusto.view(event)
