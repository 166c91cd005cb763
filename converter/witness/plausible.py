"""What a log could hold in fields of which every source keeps the parts elsewhere: paths, keys and hashes.

Sysmon writes registry paths from their root on, files with their folder, and hashes as a list with the name
of each algorithm (Microsoft Learn, Sysmon). Sources that keep root and key, folder and name, or each hash in
columns of their own may differ from the rule on other texts: such events do not happen.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

REGISTRY = frozenset({"TargetObject", "NewName"})
HASHES = frozenset({"Hashes", "Hash"})
FILES = frozenset(
    {"Image", "ParentImage", "SourceImage", "TargetImage", "SourceParentImage", "GrandParentImage"}
    | {"ImageLoaded", "TargetFilename", "SourceFilename"}
)
# Sysmon's roots (Microsoft Learn, Sysmon, "Event ID 12"), and the hives of applications.
_ROOT = re.compile(r"(?i)(?:HKLM|HKU|HKCR|\\REGISTRY\\A)\\.")
_CONTROL_SET = re.compile(r"(?i)CurrentControlSet")
_DIGITS: Mapping[str, int] = {"MD5": 32, "SHA1": 40, "SHA256": 64, "IMPHASH": 32}
_HASH = re.compile(r"(?i)([A-Z0-9]+)=([0-9A-F]+)")
_BEGUN_HASH = re.compile(rf"(?i)({'|'.join(_DIGITS)})=([0-9A-F]*)")
# What Sysmon writes for data that is no text, in this case only.
_DATA = re.compile(
    r"Binary Data|\(Empty\)|DWORD \(0x[0-9a-fA-F]{8}\)|QWORD \(0x[0-9a-fA-F]{8}-0x[0-9a-fA-F]{8}\)"
)
_LIKE_DATA = re.compile(
    r"(?i)\A(?:binary data|\(empty\)|dword \(0x[0-9a-f]{8}\)|qword \(0x[0-9a-f]{8}-0x[0-9a-f]{8}\))\Z"
)
# Sysmon writes hexadecimal digits in lower case (public records of event 1).
_LOGON = re.compile(r"0x[0-9a-f]+")
_LAST_NUMBER = re.compile(r"0x([0-9a-fA-F]{8})\)\Z")
_OPERATIONS = frozenset(
    {"CreateKey", "DeleteKey", "DeleteValue", "SetValue", "RenameKey", "CreatePipe", "ConnectPipe"}
    | {"WmiFilterEvent", "WmiConsumerEvent", "WmiBindingEvent"}
)
# Processes that the kernel makes have no file; Sysmon gives their names.
_NO_FILE = frozenset({"system", "registry", "memcompression", "vmmem", "secure system", "<unknown process>"})


def holds(field: str, text: str) -> bool:
    """Tell whether a log could hold the text in that field."""
    if field in REGISTRY:
        # The value of a key without a name is (Default); no key has an empty name.
        return _ROOT.match(text) is not None and not text.endswith("\\")
    if field in HASHES:
        found = [_HASH.fullmatch(one) for one in text.split(",")]
        return all(one and len(one[2]) == _DIGITS.get(one[1].upper(), 0) for one in found)
    if field == "LogonId":
        return _LOGON.fullmatch(text) is not None
    if field == "EventType":
        return text in _OPERATIONS
    if field == "Details":
        return (text != "" and not _LIKE_DATA.search(text)) or _DATA.fullmatch(text) is not None
    if field in FILES:
        if "\\" not in text:
            return text.lower() in _NO_FILE
        # A drive, a share or a device comes before every folder.
        return text.rpartition("\\")[0] != "" and not text.endswith("\\") and "\\\\" not in text[1:]
    return True


def completed(field: str, text: str) -> Iterator[str]:
    """Yield plausible texts around one that a rule asks for; whether they satisfy it is to be checked."""
    if field in REGISTRY:
        if found := re.match(r"(?i)HK[^\\]*\\", text):
            yield from (f"{root}\\{text[found.end() :]}" for root in ("HKLM", "HKU", "HKCR"))
        yield f"HKLM\\SOFTWARE\\Quartz{'' if text.startswith(chr(92)) else chr(92)}{text}"
        yield f"HKLM{'' if text.startswith(chr(92)) else chr(92)}{text}"
    elif field in FILES:
        text = f"{text}qz7.exe" if text.endswith("\\") else text
        yield text
        yield f"D:\\Depot{'' if text.startswith(chr(92)) else chr(92)}{text}"
    elif field in HASHES:
        parts = [_padded(*one.groups()) for one in _BEGUN_HASH.finditer(text)]
        if parts:
            yield ",".join(parts)


def default_values(literal: str) -> Iterator[str]:
    """Yield paths of default values in keys that end with a text, and in keys below it.

    Such a value has no name (Microsoft Learn, "Structure of the Registry"); Sysmon calls it ``(Default)``.
    """
    inner = literal.strip("\\")
    for key in (
        f"HKLM\\{inner}",
        f"HKLM\\{inner}\\qz",
        f"HKLM\\SOFTWARE\\{inner}",
        f"HKLM\\SOFTWARE\\{inner}\\qz",
    ):
        yield f"{key}\\(Default)"


def _padded(algorithm: str, digits: str) -> str:
    return f"{algorithm}={digits.ljust(_DIGITS.get(algorithm.upper(), 0), '7')}"


def in_its_case(field: str, text: str) -> bool:
    """Tell whether Sysmon writes a text in that case.

    It writes roots in capitals, the current control set by that name, and protocols in small letters: public
    records of events 3 and 12 to 14 have no other.
    """
    if field in REGISTRY and (root := _ROOT.match(text)):
        return root[0].isupper() and set(_CONTROL_SET.findall(text)) <= {"CurrentControlSet"}
    return field != "Protocol" or text.islower()


def beside(field: str, text: str) -> Iterator[str]:
    """Yield texts that hold the same beside more, another hash before or after; and the next number."""
    if field == "Details" and (number := _LAST_NUMBER.search(text)):
        yield f"{text[: number.start()]}0x{(int(number[1], 16) + 1) % 2**32:08x})"
    if field == "QueryResults":
        yield "type:  16 v=spf1 -all;"  # An answer that is neither a name nor an address.
    if field in REGISTRY:
        # A key below HKCR is below HKLM\\SOFTWARE\\Classes for others than Sysmon.
        for place in (r"(?i).*\\Classes\\", r"(?i).*\\SOFTWARE\\", r"HKLM\\"):
            if found := re.match(place, text):
                yield f"HKCR\\{text[found.end() :]}"
    if field not in HASHES:
        return
    for other in ("SHA1=" + "5A" * 20, "MD5=" + "A5" * 16):
        if other.partition("=")[0] not in text.upper():
            yield f"{other},{text}"
            yield f"{text},{other}"
