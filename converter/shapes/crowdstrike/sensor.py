"""What a CrowdStrike sensor sends, through the Falcon Data Replicator (FDR), of what Sysmon records.

Written from raw events in public repositories, not from our field mapping: elastic/integrations
(packages/crowdstrike/data_stream/fdr/_dev, test-windows.log and test-fdr.log) and panther-labs/
panther-analysis (rules/crowdstrike_rules). What these show: all values are texts; paths begin with
``\\Device\\HarddiskVolumeN\\``; hashes are lower-case, SHA1 is zeros; of a process's parent there is the name
of its file and its number; other events name their process by ``ContextProcessId`` and some also by
``ContextBaseFileName``; accounts are SIDs; ``IntegrityLevel`` and ``AuthenticationId`` are decimal; a
connection has a local and a remote end and its name says who opened it (``ConnectionDirection`` too); a
registry event has a key, the name of a value ("" for the default value) and data by kind;
``timestamp`` is milliseconds since 1970.

Volumes are numbered here as drives are lettered (C is 3), so that one path is one path: queries look at any
volume. What no public event shows is in ``pipelines/crowdstrike/*.assumptions.yml``: the kernel's names for
shares (``\\Device\\Mup``).
"""

from __future__ import annotations

import hashlib
import ipaddress
import re
from collections.abc import Callable, Mapping
from typing import Any

from converter.shapes.windows import records

Fdr = dict[str, str]

OTHER = "SensorHeartbeat"
"""An event that no rule asks for: it stands for what FDR does not report."""

_FILES = {"TargetFilename", "SourceFilename"}
_KERNEL_FILE = "Microsoft-Windows-Kernel-File"
_SCRIPT_CHANNELS = ("microsoft-windows-powershell/operational", "powershellcore/operational")
_ACCOUNTS = {
    "nt authority\\anonymous logon": "S-1-5-7",
    "nt authority\\iusr": "S-1-5-17",
    "nt authority\\system": "S-1-5-18",
    "nt authority\\local service": "S-1-5-19",
    "nt authority\\network service": "S-1-5-20",
    "nt service\\trustedinstaller": "S-1-5-80-956008885-3418522649-1831038044-1853292631-2271478464",
}
_LEVELS = {"untrusted": "0", "low": "4096", "medium": "8192", "high": "12288", "system": "16384"}
_PROTOCOLS = {"icmp": "1", "tcp": "6", "udp": "17"}
_OPERATIONS = {
    12: {"CreateKey": "3", "DeleteKey": "4", "DeleteValue": "2"},
    13: {"SetValue": "1"},
    14: {"RenameKey": "7"},
}
_NUMBERS = {name: number for operations in _OPERATIONS.values() for name, number in operations.items()}
_NAMED = frozenset({3, 11, 22, 29})
"""Records whose process FDR names by its file's name."""
# Of the many types of files that have an event of their own.
_WRITTEN = {
    **dict.fromkeys(("com", "cpl", "dll", "drv", "exe", "ocx", "scr", "sys"), "PeFileWritten"),
    **dict.fromkeys(("bat", "cmd", "js", "ps1", "vbe", "vbs", "wsf"), "NewScriptWritten"),
    **{"dmp": "DmpFileWritten", "lnk": "LnkFileWritten", "pdf": "PdfFileWritten", "zip": "ZipFileWritten"},
}
_HASH = re.compile(r"(?i)(MD5=[0-9a-f]{32}|SHA1=[0-9a-f]{40}|SHA256=[0-9a-f]{64}|IMPHASH=[0-9a-f]{32})")
_NUMBER = re.compile(r"(?i)([dq])word \(0x([0-9a-f]+)(?:-0x([0-9a-f]+))?\)")


def plausible(event: Mapping[str, Any]) -> dict[str, Any]:
    """Return the record as Windows could have written it, for the store and for the matcher alike.

    Records made to try a rule hold paths without a folder, text before a drive or a root of the registry,
    and kinds of events that their id excludes. CrowdStrike's events have no place for any of these. Nor do
    they tell a volume with a letter from one without: the kernel's names of volumes become letters.
    """
    made = dict(event)
    code = records.event_id(event)
    for name in ("Image", "TargetFilename", "SourceFilename", "ImageLoaded"):
        if isinstance(made.get(name), str):
            made[name] = _plausible_path(made[name])
    for name in ("ParentImage", *(("Image",) if code in _NAMED else ())):
        if isinstance(made.get(name), str) and made[name] and "\\" not in made[name]:
            made[name] = f"\\{made[name]}"
    if code in _OPERATIONS:
        written = records.text(made.get("EventType", "")).lower()
        known = {operation.lower(): operation for operation in _OPERATIONS[code]}
        made["EventType"] = known.get(written, next(iter(known.values())))
        if code != 13:
            made.pop("Details", None)
        if made.get("TargetObject"):
            written = re.sub(r"(?i)^[^\\]+(?=(?:HKLM|HKU|HKCR)\\)", "", records.text(made["TargetObject"]))
            key, backslash, _ = written.rpartition("\\")
            if not key:
                written = f"HKLM{written}" if backslash else f"HKLM\\{written}"
            made["TargetObject"] = written
        if found := re.search(
            r"(?i)[dq]word \([^)]*\)|\A(?:\(empty\)|binary data)\Z", records.text(made.get("Details", ""))
        ):
            made["Details"] = found[0]
    for name in ("Hashes", "Hash"):
        found_hashes = [one[0] for one in _HASH.finditer(records.text(made.get(name) or ""))]
        if found_hashes:
            made[name] = ",".join(found_hashes)
    if code == 3:
        made.setdefault("Initiated", "true")
    if code == 7 and "Signed" not in made:
        made.pop("SignatureStatus", None)
    if code == 7 and made.get("Signed"):  # Sysmon always says both.
        signed = records.text(made["Signed"]).lower() == "true"
        made["SignatureStatus"] = made.get("SignatureStatus") or ("Valid" if signed else "Unavailable")
    return made


def _plausible_path(written: str) -> str:
    if found := re.match(r"(?i)\\Device\\HarddiskVolume([1-9]|1\d|2[0-5]|126)(?=\\)", written):
        # The kernel's name of a volume: such a path is stored like one with the drive's letter.
        return f"{chr(ord('A') + int(found[1]) % 100 - 1)}:{written[found.end() :]}"
    if re.match(r"(?i)\\Device\\Mup\\[^\\]", written):
        return "\\" + written[len("\\Device\\Mup") :]
    written = re.sub(r"(?<=[^\\])\\{2,}|^\\{3,}", _fewer, written)  # No folder has an empty name.
    before, colon, after = written.rpartition(":\\")
    if colon:
        letter = re.search(r"(?<![^\s])[A-Za-z]\Z", before)
        return f"{letter[0].upper() if letter else 'Z'}:\\{after}"  # As Windows writes them.
    return written


def _fewer(backslashes: re.Match[str]) -> str:
    return "\\" if backslashes.start() else "\\\\"


def event_of(event: Mapping[str, Any]) -> Fdr:
    """Return the event that the sensor sends for a flat record of Windows."""
    event = plausible(event)
    data = {name: value for name, value in records.event_data(event).items() if value != ""}
    moment = records.utc_time(event) or records.record_time(event)
    milliseconds = f"{int(moment.timestamp())}{moment.microsecond // 1000:03d}"
    made = {
        "event_platform": "Win",
        "timestamp": milliseconds,
        "ContextTimeStamp": f"{milliseconds[:-3]}.{milliseconds[-3:]}",
        "cid": "4092825518eaf67377a6e4492ae44577",
    }
    if event.get("Computer"):
        made["aid"] = sensor(records.text(event["Computer"]))
    code = records.event_id(event)
    if records.is_sysmon(event) and code in _EVENTS:
        made |= _EVENTS[code](data)
    elif code == 4104 and records.channel(event).lower() in _SCRIPT_CHANNELS:
        made |= {"event_simpleName": "ScriptControlScanTelemetry"}
        made |= _renamed(data, ScriptBlockText="ScriptContent", Path="ScriptContentName")
    elif code is None and (
        event["Provider_Name"] == _KERNEL_FILE if event.get("Provider_Name") else _FILES & set(data)
    ):
        # Renames have no record of Sysmon's: rules on them look at events of the file system, without an id.
        made |= {"event_simpleName": "FileRenameInfo"}
        made |= _paths(data, SourceFilename="SourceFileName", TargetFilename="TargetFileName")
    else:
        made["event_simpleName"] = OTHER
    return made


def seen(event: Mapping[str, Any], empty: frozenset[str]) -> dict[str, Any]:
    """Return the record as the matcher must see it: hosts and processes by CrowdStrike's names for them.

    The sensor's id stands for the computer, and with the process's number for the process's GUID: for each
    computer and GUID there is one, so groups are the same. So does an account's SID stand for its name, in
    whatever case that is written. ``empty``: texts stored as nothing.
    """
    made = records.without(plausible(event), empty)
    host = sensor(records.text(event["Computer"])) if event.get("Computer") else ""
    if host:
        made["Computer"] = host
    if isinstance(made.get("User"), str):
        made["User"] = made["User"].lower()
    for name in ("ProcessGuid", "ParentProcessGuid"):
        if made.get(name):
            made[name] = f"{host}\\{process(records.text(made[name]))}"
    return made


def key(field: str, value: str) -> str:
    """Return what stands for a value that events are grouped by: accounts by SID, paths by the kernel's."""
    if field == "User":
        return sid(value)
    return path(value) if field in ("Image", "TargetFilename", "SourceFilename", "ImageLoaded") else value


def sensor(computer: str) -> str:
    """Return the id of a computer's sensor, 32 hexadecimal digits."""
    return hashlib.sha256(computer.lower().encode()).hexdigest()[:32]


def process(guid: str) -> str:
    """Return the number by which the sensor knows the process that Sysmon calls by a GUID."""
    return str(int(hashlib.sha256(guid.lower().encode()).hexdigest()[:13], 16))


def path(written: str) -> str:
    """Return a path as the kernel names it."""
    if found := re.match(r"([A-Za-z]):(?=\\|\Z)", written):
        volume = ord(found[1].upper()) - ord("A") + 1
        volume = 126 if volume == 26 else volume  # Numbers have up to three digits.
        return f"\\Device\\HarddiskVolume{volume}{written[2:]}"
    if re.match(r"\\\\[^?.\\]", written):
        return f"\\Device\\Mup{written[1:]}"
    return written


def sid(account: str) -> str:
    """Return the SID of an account: a well-known one, or one of a domain."""
    known = _ACCOUNTS.get(account.lower())
    number = int(hashlib.sha256(account.lower().encode()).hexdigest()[:8], 16)
    return known or f"S-1-5-21-239183934-720705223-{number}-1104"


def _renamed(data: Mapping[str, str], **names: str) -> Fdr:
    return {new: data[old] for old, new in names.items() if old in data}


def _paths(data: Mapping[str, str], **names: str) -> Fdr:
    return {new: path(data[old]) for old, new in names.items() if old in data}


def _context(data: Mapping[str, str]) -> Fdr:
    made = {"ContextProcessId": process(data["ProcessGuid"])} if "ProcessGuid" in data else {}
    if "Image" in data:
        made["ContextBaseFileName"] = data["Image"].rpartition("\\")[2]
    return made


def _hashes(data: Mapping[str, str]) -> Fdr:
    made = {}
    for pair in (data.get("Hashes") or data.get("Hash") or "").split(","):
        algorithm, _, digits = pair.partition("=")
        if algorithm.upper() in {"MD5", "SHA256"} and digits:
            made[f"{algorithm.upper()}HashData"] = digits.lower()
    return {**made, "SHA1HashData": "0" * 40} if made else {}


def _process_start(data: Mapping[str, str]) -> Fdr:
    made = {"event_simpleName": "ProcessRollup2", "name": "ProcessRollup2V19"}
    made |= _paths(data, Image="ImageFileName")
    made |= _renamed(
        data, CommandLine="CommandLine", OriginalFileName="OriginalFilename", ProcessId="RawProcessId"
    )
    made |= _hashes(data)
    if "ProcessGuid" in data:
        made["TargetProcessId"] = process(data["ProcessGuid"])
    if "ParentProcessGuid" in data:
        made["ParentProcessId"] = made["SourceProcessId"] = process(data["ParentProcessGuid"])
    if "ParentImage" in data:
        made["ParentBaseFileName"] = data["ParentImage"].rpartition("\\")[2]
    if "User" in data:
        made["UserSid"] = sid(data["User"])
    if "IntegrityLevel" in data:
        written = data["IntegrityLevel"]
        made["IntegrityLevel"] = _LEVELS.get(written.lower(), re.sub(r"(?i)^S-1-16-", "", written))
    if re.fullmatch(r"0[xX][0-9a-fA-F]+", data.get("LogonId", "")):
        made["AuthenticationId"] = str(int(data["LogonId"], 16))
    return made


def _connection(data: Mapping[str, str]) -> Fdr:
    opened = data["Initiated"].lower() == "true"
    ends = {"Local": "Source", "Remote": "Destination"}
    if not opened:
        ends = {"Local": "Destination", "Remote": "Source"}
    addresses = {end: _address(data.get(f"{name}Ip", "")) for end, name in ends.items()}
    six = any(one is not None and one.version == 6 for one in addresses.values())
    if not any(addresses.values()):
        six = data.get("SourceIsIpv6", "").lower() == "true"
    version = "IP6" if six else "IP4"
    made = {
        "event_simpleName": ("NetworkConnect" if opened else "NetworkReceiveAccept") + version,
        "ConnectionDirection": "0" if opened else "1",
    }
    for end, name in ends.items():
        if address := addresses[end]:
            made[f"{end}AddressIP{address.version}"] = str(address)
        if f"{name}Port" in data:
            made[f"{end}Port"] = data[f"{name}Port"]
    if data.get("Protocol", "").lower() in _PROTOCOLS:
        made["Protocol"] = _PROTOCOLS[data["Protocol"].lower()]
    return made | _context(data)


def _address(written: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(written)
    except ValueError:
        return None


def _driver(data: Mapping[str, str]) -> Fdr:
    return {"event_simpleName": "DriverLoad", **_paths(data, ImageLoaded="ImageFileName"), **_hashes(data)}


def _module(data: Mapping[str, str]) -> Fdr:
    made = {"event_simpleName": "ClassifiedModuleLoad"}
    made |= _paths(data, ImageLoaded="ImageFileName", Image="TargetImageFileName")
    made |= _renamed(data, OriginalFileName="OriginalFilename") | _hashes(data)
    if "ProcessGuid" in data:
        made["ContextProcessId"] = process(data["ProcessGuid"])
    if "Signed" in data:
        signed = data["Signed"].lower() == "true"
        trusted = signed and data.get("SignatureStatus", "Valid").lower() == "valid"
        made |= {
            "ImageSignatureType": "1" if signed else "0",
            "ImageSignatureLevel": "4" if trusted else "1",
        }
    return made


def _written(data: Mapping[str, str]) -> Fdr:
    kind = data.get("TargetFilename", "").lower().rpartition("\\")[2].rpartition(".")[2]
    made = {"event_simpleName": _WRITTEN.get(kind, "GenericFileWritten")}
    made |= _paths(data, TargetFilename="TargetFileName") | _context(data)
    if "User" in data:
        made["FileOperatorSid"] = sid(data["User"])
    return made


def _executable(data: Mapping[str, str]) -> Fdr:
    return _written(data) | {"event_simpleName": "PeFileWritten"} | _hashes(data)


def _deleted(data: Mapping[str, str]) -> Fdr:
    name = "ExecutableDeleted" if data.get("IsExecutable", "").lower() == "true" else "FileDeleteInfo"
    made = {"event_simpleName": name, **_paths(data, TargetFilename="TargetFileName")}
    return made | {key: value for key, value in _context(data).items() if key == "ContextProcessId"}


def _registry(data: Mapping[str, str]) -> Fdr:
    operation = data["EventType"]
    key = _registry_path(data.get("TargetObject", ""))
    made = {"event_simpleName": "AsepKeyUpdate", "RegOperationType": _NUMBERS[operation]}
    if operation in {"SetValue", "DeleteValue"}:
        key, _, name = key.rpartition("\\")
        places = ("\\currentversion\\run", "\\services\\")
        autostart = any(place in f"{key.lower()}\\" for place in places)
        made["event_simpleName"] = "AsepValueUpdate" if autostart else "RegGenericValueUpdate"
        made["RegValueName"] = "" if name.lower() == "(default)" else name
    if operation == "DeleteValue":
        made["RegType"] = "0"
    made["RegObjectName"] = key
    if "ProcessGuid" in data:
        made["ContextProcessId"] = process(data["ProcessGuid"])
    if "Details" in data:
        made |= _registry_data(data["Details"])
    return made


def _registry_path(written: str) -> str:
    root, backslash, rest = written.partition("\\")
    roots = {
        "HKLM": "\\REGISTRY\\MACHINE",
        "HKU": "\\REGISTRY\\USER",
        "HKCR": "\\REGISTRY\\MACHINE\\SOFTWARE\\Classes",
    }
    made = roots.get(root.upper(), root) + backslash + rest
    return re.sub(r"(?i)(?<=\\)CurrentControlSet(?=\\|$)", "ControlSet001", made)


def _registry_data(details: str) -> Fdr:
    if details.lower() == "binary data":
        return {"RegType": "3", "RegBinaryValue": "4d5a90"}
    if details.lower() == "(empty)":
        return {"RegType": "1", "RegStringValue": ""}
    if found := _NUMBER.fullmatch(details):
        kind, high, low = found.groups()
        number = int(high, 16) if low is None else (int(high, 16) << 32) + int(low, 16)
        return {"RegType": "4" if kind in "dD" else "11", "RegNumericValue": str(number)}
    return {"RegType": "1", "RegStringValue": details}


def _query(data: Mapping[str, str]) -> Fdr:
    made = {"event_simpleName": "DnsRequest"}
    made |= _renamed(data, QueryName="DomainName", QueryStatus="QueryStatus") | _context(data)
    answers: dict[str, list[str]] = {"CNAMERecords": [], "IP4Records": [], "IP6Records": []}
    for answer in filter(None, data.get("QueryResults", "").split(";")):
        if found := re.match(r"type:\s*5\s+(\S+)", answer):
            answers["CNAMERecords"].append(found[1])
        elif address := _address(answer.strip().removeprefix("::ffff:")):
            answers[f"IP{address.version}Records"].append(str(address))
    return made | {name: "".join(f"{one};" for one in ones) for name, ones in answers.items() if ones}


_EVENTS: dict[int, Callable[[Mapping[str, str]], Fdr]] = {
    1: _process_start,
    3: _connection,
    6: _driver,
    7: _module,
    11: _written,
    12: _registry,
    13: _registry,
    14: _registry,
    22: _query,
    23: _deleted,
    29: _executable,
}
