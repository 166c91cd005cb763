"""What Windows ordinarily writes into the fields that pipelines rewrite.

From the public logs of ../shared/corpus (omerbenamram's, OTRF's and SigmaHQ's regression records), counted
there: 9,724 of 22,784 registry paths begin with ``\\REGISTRY\\A\\``, 533 with HKCR and none with
``HKLM\\SOFTWARE\\Classes``; processes without a folder are System, Registry, MemCompression and
``<unknown process>``; a value's data is never empty but ``(Empty)``.
"""

from __future__ import annotations

_MD5 = "0123456789ABCDEF0123456789ABCDEF"
_SHA1 = "DA39A3EE5E6B4B0D3255BFEF95601890AFD80709"
_SHA256 = "E3B0C44298FC1C149AFBF4C8996FB92427AE41E4649B934CA495991B7852B855"
_IMPHASH = "FEDCBA9876543210FEDCBA9876543210"

_PATHS = [
    *(
        r"C:\Windows\System32\cmd.exe",
        r"C:\cmd.exe",
        r"D:\Tools\x y\System32.exe",
        r"E:\Windows\System32\cmd.exe",
    ),
    *(r"C:\Windows\System32\lsass.exe", r"C:\Users\alice\AppData\Local\Temp\Device\Mup\a.exe"),
    *(r"C:\Users\Public\HarddiskVolume3\setup.EXE", "C:\\" + "long\\" * 60 + "cmd.exe"),
    *(r"\\127.0.0.1\ADMIN$\svc.exe", r"\\server01\share\Windows\System32\cmd.exe"),
    *(r"C:\Temp\System", r"C:\Windows\Temp\x.exe", r"C:\Windows\System32\drivers\acme.sys", r"C:\Acme\1.dll"),
]
_NO_FOLDER = ["System", "Registry", "MemCompression", "<unknown process>"]
_REGISTRY = [
    r"HKLM\SYSTEM\CurrentControlSet\Services\Acme\ImagePath",
    r"HKLM\System\CurrentControlSet\Control\Lsa\Security1",
    r"HKLM\SOFTWARE\Microsoft\Windows\CurrentVersion\Run\Updater",
    r"HKLM\SOFTWARE\Acme\(Default)",
    r"HKLM\SOFTWARE\Acme\Machine\User\x1",
    r"HKLM\SYSTEM\Setup\Status",
    r"HKU\S-1-5-21-1-2-3-1001\Software\Acme\Level1",
    r"HKU\S-1-5-21-1-2-3-1001_Classes\ms-settings\shell\open\command\(Default)",
    r"HKU\.DEFAULT\Software\Acme\Level1",
    r"HKU\S-1-5-18\Software\Acme\x",
    r"HKCR\ms-settings\shell\open\command\(Default)",
    r"HKCR\CLSID\{00000000-0000-0000-0000-000000000001}\InprocServer32\ThreadingModel",
    r"\REGISTRY\A\{637b53f9-4d89-6fa1-6c98-3a1f52acff48}\Root\InventoryApplicationFile\x",
]
_ADDRESSES = ["10.1.2.3", "192.168.7.8", "8.8.8.8", "fe80::1", "2001:db8::7", "127.0.0.1", "::1", "1.1.1.1"]


def _alike(names: tuple[str, ...], values: list[str]) -> dict[str, list[str]]:
    return {name: list(values) for name in names}


ORDINARY: dict[str, list[str]] = {
    **_alike(("Image", "ParentImage", "SourceImage", "TargetImage"), _PATHS + _NO_FOLDER),
    **_alike(("GrandParentImage", "SourceParentImage"), _PATHS + _NO_FOLDER),
    **_alike(("TargetFilename", "SourceFilename", "ImageLoaded"), _PATHS),
    **_alike(("TargetObject", "NewName"), _REGISTRY),
    "Details": [
        *("DWORD (0x00000000)", "DWORD (0x00000001)", "DWORD (0x00000002)", "DWORD (0x0000000a)"),
        *("DWORD (0x7fffffff)", "DWORD (0xffffffff)", "QWORD (0x00000000-0x00000001)"),
        *("QWORD (0x01d4c0ff-0x00000000)", "Binary Data", "(Empty)", "1", "2", "10", "4294967295"),
        *(r"C:\Temp\a.exe", r"%SystemRoot%\System32\x.dll", "0x00000001 as text", "rundll32 x.dll,Empty"),
        *("x" * 3000, "Zeichen äöü –", '"C:\\a b\\c.exe" /x', "(A;;0x1;;;LA)", "Dword", "a binary data file"),
    ],
    "Hashes": [
        f"SHA1={_SHA1},MD5={_MD5},SHA256={_SHA256},IMPHASH={_IMPHASH}",
        f"MD5={_MD5},SHA256={_SHA256},IMPHASH={'0' * 32}",
        f"SHA256={_SHA256}",
        f"MD5={_MD5[::-1]},SHA256={_SHA256[::-1]}",
    ],
    "IntegrityLevel": ["Low", "Medium", "High", "System", "Untrusted"],
    "Protocol": ["tcp", "udp"],
    "LogonId": ["0x3e7", "0x3e4", "0x7a7a7", "0x1"],
    **_alike(
        ("User", "ParentUser", "SourceUser"),
        [
            *("NT AUTHORITY\\SYSTEM", "NT AUTHORITY\\NETWORK SERVICE", "ACME\\alice", "WS1\\SYSTEM"),
            *("NT-AUTORITÄT\\SYSTEM", "NT AUTHORITY\\ANONYMOUS LOGON", "ACME\\Administrator"),
        ],
    ),
    **_alike(("Initiated", "SourceIsIpv6", "DestinationIsIpv6", "Signed"), ["true", "false"]),
    "SignatureStatus": ["Valid", "Expired", "Revoked", "Unavailable"],
    "QueryResults": [
        *("10.9.8.7;", "type:  5 alias.example.org;::ffff:10.9.8.7;", "::ffff:8.8.8.8;", "2001:db8::7;", ""),
        "type:  5 a.example.org;type:  5 b.example.org;::ffff:1.1.1.1;::ffff:1.1.1.2;",
    ],
    "QueryName": ["www.Example.com", "a.b", "localhost", "xn--bcher-kva.example"],
    "QueryStatus": ["0", "9003"],
    "GrantedAccess": ["0x1410", "0x1fffff", "0x1000", "0x10"],
    "PipeName": [
        r"\lsass",
        r"\aBc",
        r"\msagent_1f",
        r"\Winsock2\CatalogChangeListener-1-0",
        "<Anonymous Pipe>",
    ],
    "DestinationHostname": ["www.example.com", "example.com", "host1", "a.example.com"],
    **_alike(("SourceIp", "DestinationIp"), _ADDRESSES),
    **_alike(("SourcePort", "DestinationPort"), ["80", "443", "8443", "50123", "8"]),
    **_alike(("ProcessId", "SourceProcessId", "TargetProcessId", "ParentProcessId"), ["4", "44", "1044"]),
    **_alike(("MessageNumber", "MessageTotal", "SourceThreadId", "NewThreadId", "Session"), ["1", "2", "12"]),
    "TerminalSessionId": ["0", "1", "10"],
    "EventType": [
        "SetValue",
        "CreateKey",
        "DeleteKey",
        "DeleteValue",
        "RenameKey",
        "CreatePipe",
        "ConnectPipe",
    ],
}

SUBJECTS: dict[str, list[str]] = {
    **_alike(
        ("Image", "TargetFilename", "SourceFilename", "ImageLoaded"),
        [r"C:\Windows\System32\cmd.exe", r"\\127.0.0.1\ADMIN$\svc.exe", "System"],
    ),
    **_alike(
        ("ParentImage", "SourceImage", "TargetImage", "GrandParentImage", "SourceParentImage"),
        [r"C:\Windows\System32\cmd.exe", "System", r"C:\cmd.exe"],
    ),
    **_alike(
        ("TargetObject", "NewName"),
        [_REGISTRY[0], _REGISTRY[3], _REGISTRY[6], _REGISTRY[8], _REGISTRY[10], _REGISTRY[12]],
    ),
    "Details": [
        *(
            "DWORD (0x00000001)",
            "QWORD (0x00000000-0x00000001)",
            "Binary Data",
            "(Empty)",
            r"C:\Temp\a.exe",
            "1",
        ),
    ],
    "Hashes": [ORDINARY["Hashes"][0], f"MD5={_MD5}", f"IMPHASH={_IMPHASH}", f"xIMPHASH={_IMPHASH}", _SHA256],
    "User": ["NT AUTHORITY\\SYSTEM", "ACME\\alice"],
    "QueryResults": ["10.9.8.7;", "type:  5 alias.example.org;::ffff:10.9.8.7;"],
    "PipeName": [r"\aBc"],
}
