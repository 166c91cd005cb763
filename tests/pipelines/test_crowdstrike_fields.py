"""Each field of each category through each of CrowdStrike's cells, on the engine of its language.

The stored event is made from public FDR events and the vendors' ingest without knowing the pipeline: a rule
on a field must select the event that holds the value, and no event that holds another, or that is of another
category. So a field mapped to the wrong place, or whose value is rewritten wrongly, fails here.
"""

import pytest

from converter.errors import Refusal
from converter.pipelines.cells import cell
from converter.pipelines.prepare import map_field
from converter.plan.model import Fidelity
from converter.platforms import platform_of
from tests.pipelines.crowdstrike_samples import (
    EVENTS,
    TARGETS,
    around,
    asked,
    base,
    fields,
    rule,
    selected,
)

CASES = [
    (target, category, field)
    for target in TARGETS
    for category, names in fields(platform_of(target).name).items()
    for field in names
    # EQL cannot search analysed text (match_only_text).
    if (target, field) != ("eql", "ScriptBlockText")
]


def test_every_category_and_field_has_a_sample():
    for target in TARGETS:
        for category, names in fields(platform_of(target).name).items():
            assert set(names) <= set(EVENTS[category]), (target, category)


@pytest.mark.parametrize(("target", "category", "field"), CASES)
def test_a_rule_on_a_field_selects_the_stored_event_with_that_value(target, category, field):
    selection, events = asked(category, field, EVENTS[category][field]), around(category, field)
    assert selected(target, category, selection, events) == [0]
    wanted = {Fidelity.EXACT}
    if target == "spl":  # Splunk extracts 5,000 bytes of JSON.
        wanted |= {Fidelity.ASSUMED}
    if field == "QueryResults":
        wanted |= {Fidelity.NARROWER}
    if target == "lucene" and field == "ScriptBlockText":
        wanted |= {Fidelity.BROADER}
    assert {reason.fidelity for reason in base(target, category, selection)[1]} <= wanted


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("category", ["process_creation", "file_event", "dns_query", "driver_load"])
def test_an_event_without_the_field(target, category):
    field = {"process_creation": "Image", "file_event": "TargetFilename", "dns_query": "QueryName"}.get(
        category, "ImageLoaded"
    )
    held = EVENTS[category]
    lacking = {name: value for name, value in held.items() if name != field}
    assert selected(target, category, {field: None}, [held, lacking]) == [1]
    ending = {f"{field}|endswith": held[field].rpartition("\\")[2]}
    detection = {"a": {field: "*"}, "b": ending, "condition": "not a or not b"}
    assert selected(target, category, detection, [held, lacking]) == [1]
    assert selected(target, category, {field: "*"}, [held, lacking]) == [0]


PATHS = [
    # The rule's value, a file, whether it is found, whether the rule means it.
    (r"?:\Windows\\*\x.exe", r"C:\Windows\Temp\x.exe", True, True),
    (r"?:\Windows\\*\x.exe", r"Y:\Windows\Temp\x.exe", True, True),
    (r"?:\Windows\x.exe", r"C:\A\Windows\x.exe", False, False),
    (r"C:\Windows\x.exe", r"c:\windows\X.EXE", True, True),
    (r"C:\Windows\x.exe", r"E:\Windows\x.exe", True, False),
    (r"C:\Windows\x.exe", r"C:\A\Windows\x.exe", False, False),
    (r"\\\\server\share\x.exe", r"\\server\share\x.exe", True, True),
    (r"*\x.exe", r"Z:\x.exe", True, True),
    (r"\Device\HarddiskVolume3\x.exe", r"C:\x.exe", True, False),
    (r"\Device\HarddiskVolume?\x.exe", r"K:\x.exe", False, False),
]


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize(("written", "path", "found", "meant"), PATHS)
def test_paths(target, written, path, found, meant):
    event = EVENTS["process_creation"] | {"Image": path}
    assert selected(target, "process_creation", {"Image": written}, [event]) == [0] * found
    reasons = {reason.fidelity for reason in base(target, "process_creation", {"Image": written})[1]}
    if found and not meant:
        assert Fidelity.BROADER in reasons


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize(
    ("values", "fidelity"),
    [
        ([r"?:\Windows\x.exe", r"\Device\HarddiskVolume?\Windows\x.exe"], None),
        ([r"?:\Windows\x.exe", r"\Device\HarddiskVolume12\Windows\x.exe"], None),
        ([r"?:\Windows\x.exe", r"\Device\HarddiskVolume?\Temp\x.exe"], Fidelity.BROADER),
        ([r"\Device\HarddiskVolume?\Windows\x.exe"], Fidelity.BROADER),
        ([r"\Device\HarddiskVolumeShadowCopy?\Windows\x.exe"], None),
        ([r"\Device\Mup\server\share\x.exe"], Fidelity.BROADER),
        ([r"C:\Windows\x.exe"], Fidelity.BROADER),
        ([r"*\x.exe", r"?:\x.exe", r"\\\\server\share\x.exe"], None),
    ],
)
def test_the_kernels_name_of_a_volume_is_exact_only_beside_any_drive(target, values, fidelity):
    reasons = [reason.fidelity for reason in base(target, "process_creation", {"Image": values})[1]]
    assert [one for one in reasons if one not in (Fidelity.EXACT, Fidelity.ASSUMED)] == (
        [fidelity] if fidelity else []
    )


@pytest.mark.parametrize("target", TARGETS)
def test_volumes_of_one_and_of_two_digits(target):
    events = [EVENTS["process_creation"] | {"Image": rf"{letter}:\Windows\x.exe"} for letter in "ACIJKZ"]
    detection = {"Image": [r"?:\Windows\x.exe", r"\Device\HarddiskVolume?\Windows\x.exe"]}
    assert selected(target, "process_creation", detection, events) == [0, 1, 2, 3, 4, 5]


@pytest.mark.parametrize("target", TARGETS)
def test_a_drive_that_is_excluded_beside_the_same_drive_loses_nothing(target):
    detection = {
        "in": {"Image": r"C:\Windows\\*.exe"},
        "below": {"Image": r"C:\Windows\\*\\*"},
        "condition": "in and not below",
    }
    reasons = [reason.fidelity for reason in base(target, "process_creation", detection)[1]]
    assert Fidelity.NARROWER not in reasons
    detection["condition"] = "not below"
    reasons = [reason.fidelity for reason in base(target, "process_creation", detection)[1]]
    assert Fidelity.NARROWER in reasons


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize(
    ("asked_for", "parent", "found", "meant"),
    [
        ({"ParentImage|endswith": r"\winword.exe"}, r"C:\Office\WINWORD.EXE", True, True),
        ({"ParentImage": r"C:\Office\winword.exe"}, r"C:\Temp\winword.exe", True, False),
        ({"ParentImage": r"?:\Office\winword.exe"}, r"C:\Office\winword.exe", True, True),
        ({"ParentImage|endswith": "word.exe"}, r"C:\Office\winword.exe", True, True),
        ({"ParentImage|contains": "office"}, r"C:\Office\winword.exe", False, True),
    ],
)
def test_the_parents_name_is_compared_and_its_folder_is_not(target, asked_for, parent, found, meant):
    event = EVENTS["process_creation"] | {"ParentImage": parent}
    assert selected(target, "process_creation", asked_for, [event]) == [0] * found
    reasons = {reason.fidelity for reason in base(target, "process_creation", asked_for)[1]}
    if found != meant:
        assert (Fidelity.BROADER if found else Fidelity.NARROWER) in reasons


@pytest.mark.parametrize("target", TARGETS)
def test_which_end_of_a_connection_is_which(target):
    out = EVENTS["network_connection"]
    accepted = out | {"Initiated": "false"}
    both = [out, accepted]
    assert selected(target, "network_connection", {"DestinationPort": 443}, both) == [0, 1]
    assert selected(target, "network_connection", {"DestinationPort": 50000}, both) == []
    assert selected(target, "network_connection", {"SourcePort": [50000, 1]}, both) == [0, 1]
    inbound = {"Initiated": "false", "DestinationPort": [443, 135]}
    assert selected(target, "network_connection", inbound, both) == [1]
    detection = {
        "all": {"DestinationPort": 443},
        "local": {"DestinationIp|cidr": "192.168.0.0/16"},
        "condition": "all and not local",
    }
    elsewhere = [out | {"DestinationIp": "8.8.8.8"}, accepted | {"DestinationIp": "8.8.8.8"}]
    assert selected(target, "network_connection", detection, both + elsewhere) == [2, 3]
    assert selected(target, "network_connection", {"DestinationIp|startswith": "192.168."}, both) == [0, 1]
    six = out | {"SourceIp": "fe80::1", "DestinationIp": "2001:db8::7"}
    assert selected(target, "network_connection", {"DestinationIp|cidr": "2001:db8::/32"}, [out, six]) == [1]


REGISTRY = [
    (r"HKLM\SOFTWARE\Vendor\Run\Evil", {"TargetObject|contains": r"\Vendor\Run\\"}, True),
    (r"HKLM\SOFTWARE\Vendor\Run\Evil", {"TargetObject|endswith": r"\Run\Evil"}, True),
    (r"HKLM\SOFTWARE\Vendor\Run\Evil", {"TargetObject|endswith": r"\Evi"}, False),
    (r"HKLM\SOFTWARE\Vendor\Run\Evil", {"TargetObject": r"HKLM\software\vendor\run\evil"}, True),
    (r"HKLM\SOFTWARE\Vendor\Run\Evil", {"TargetObject|startswith": "HKLM\\SOFTWARE\\"}, True),
    (r"HKLM\SOFTWARE\Vendor\Run\Evil", {"TargetObject": r"HKLM\SOFTWARE\\*\Ev?l"}, True),
    (r"HKLM\SOFTWARE\Vendor\Run\Evil", {"TargetObject": r"HKU\SOFTWARE\\*\Ev?l"}, False),
    (r"HKU\S-1-5-21-1-2-3-500\Software\x", {"TargetObject|startswith": "HKU\\S-1-5-21-1"}, True),
    (r"HKCR\.txt\shell\x", {"TargetObject|startswith": "HKCR\\.txt\\"}, True),
    (r"HKLM\System\CurrentControlSet\Services\a", {"TargetObject|contains": r"CurrentControlSet\Serv"}, True),
    (r"HKLM\SOFTWARE\A\(Default)", {"TargetObject|endswith": r"\A\(Default)"}, True),
    (r"HKLM\SOFTWARE\Run\(Default)", {"TargetObject|contains": "\\Run\\"}, True),
    (r"HKLM\SOFTWARE\Run\(Default)", {"TargetObject|contains": "\\Runs"}, False),
    (r"HKLM\SOFTWARE\B\(Default)", {"TargetObject|endswith": r"\A\(Default)"}, False),
    (r"HKLM\SOFTWARE\A\Name", {"TargetObject|endswith": r"\A\(Default)"}, False),
]


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("category", ["registry_set", "registry_event", "registry_delete"])
@pytest.mark.parametrize(("path", "detection", "hit"), REGISTRY)
def test_paths_of_registry_values(target, category, path, detection, hit):
    event = EVENTS[category] | {"TargetObject": path}
    assert selected(target, category, detection, [event]) == [0] * hit


KEYS = [one for one in REGISTRY if "(Default)" not in one[0]]


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("category", ["registry_add", "registry_event", "registry_delete"])
@pytest.mark.parametrize(("path", "detection", "hit"), KEYS)
def test_paths_of_registry_keys(target, category, path, detection, hit):
    kind = "DeleteKey" if category == "registry_delete" else "CreateKey"
    event = EVENTS[category] | {"TargetObject": path, "EventType": kind, "EventID": 12}
    assert selected(target, category, detection, [event]) == [0] * hit


DETAILS = [
    ("DWORD (0x00000001)", "DWORD (0x00000001)", True),
    ("DWORD (0x00000010)", "DWORD (0x00000001)", False),
    ("1", "DWORD (0x00000001)", False),
    ("1", "1", True),
    ("DWORD (0x00000001)", "1", False),
    ("QWORD (0x00000001-0x00000000)", "QWORD (0x00000001-0x00000000)", True),
    ("QWORD (0x00000000-0x00000007)", "DWORD (0x00000007)", False),
    ("Binary Data", "Binary Data", True),
    ("text", "Binary Data", False),
    ("(Empty)", "(Empty)", True),
    ("Binary Data", "(Empty)", False),
    ("text", "(Empty)", False),
    (r"C:\Temp\x.dll", r"C:\Temp\\*.dll", True),
]


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize(("details", "asked_for", "hit"), DETAILS)
def test_data_of_registry_values(target, details, asked_for, hit):
    event = EVENTS["registry_set"] | {"Details": details}
    if target == "kql" and asked_for.startswith("QWORD"):
        with pytest.raises(Refusal, match="numbers above 2147483647 are not kept"):
            base(target, "registry_set", {"Details": asked_for})
        return
    assert selected(target, "registry_set", {"Details": asked_for}, [event]) == [0] * hit


@pytest.mark.parametrize("target", TARGETS)
def test_accounts_and_levels(target):
    event = EVENTS["process_creation"]
    other_user = event | {"User": r"EXAMPLE\alice"}
    for wanted in (r"NT AUTHORITY\SYSTEM", r"nt authority\system"):
        assert selected(target, "process_creation", {"User": wanted}, [event, other_user]) == [0]
    parts = {"User|contains": ["AUTHORI", "AUTORI"]}
    assert selected(target, "process_creation", parts, [event, other_user]) == [0]
    assert Fidelity.NARROWER in {one.fidelity for one in base(target, "process_creation", parts)[1]}
    system = event | {"IntegrityLevel": "S-1-16-16384"}
    levels = {"IntegrityLevel": ["System", "S-1-16-16384"]}
    assert selected(target, "process_creation", levels, [system, event]) == [0]


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize(
    ("category", "detection", "message"),
    [
        ("process_creation", {"ParentCommandLine": "x"}, "ParentCommandLine"),
        ("process_creation", {"CurrentDirectory": "x"}, "CurrentDirectory"),
        ("process_creation", {"Description": "x"}, "Description"),
        ("process_creation", {"ProcessGuid": "{x}"}, "ProcessGuid"),
        ("process_creation", {"EventID": 1}, "EventID"),
        ("process_creation", {"User": r"EXAMPLE\alice"}, "only the SID is stored"),
        ("process_creation", {"Hashes|contains": "IMPHASH=" + "A" * 32}, "MD5, SHA256"),
        ("process_creation", {"Hashes|contains": "SHA1=" + "A" * 40}, "MD5, SHA256"),
        ("process_creation", {"ParentImage|startswith": "C:\\Windows\\"}, "only the name of the file"),
        ("network_connection", {"DestinationHostname": "x"}, "DestinationHostname"),
        ("network_connection", {"Initiated": "perhaps"}, "only true, false can be compared"),
        ("network_connection", {"CommandLine": "x"}, "CommandLine"),
        ("file_delete", {"Image": "x"}, "Image"),
        ("image_load", {"Signature": "x"}, "Signature"),
        ("registry_set", {"Image": "x"}, "Image"),
        ("registry_set", {"Details": "DWORD (0x0000*"}, "a number is stored in decimal"),
        ("registry_rename", {"NewName": "x"}, "NewName"),
        ("process_access", {"CallTrace|contains": "x"}, "no events of logsource"),
        ("create_remote_thread", {"StartModule": "x"}, "no events of logsource"),
        ("pipe_created", {"PipeName": "x"}, "no events of logsource"),
        ("wmi_event", {"Consumer": "x"}, "no events of logsource"),
    ],
)
def test_what_fdr_cannot_tell_is_refused_and_named(target, category, detection, message):
    if (target, category) == ("kql", "image_load"):
        message = "no events of logsource"
    with pytest.raises(Refusal, match=message):
        base(target, category, detection)


@pytest.mark.parametrize("target", TARGETS)
def test_keywords_are_refused(target):
    with pytest.raises(Refusal, match="keywords"):
        base(target, "process_creation", {"keywords": ["x"], "condition": "keywords"})


@pytest.mark.parametrize("target", TARGETS)
def test_group_by_keys_are_columns(target):
    where = cell("crowdstrike", target)
    for category in ("process_creation", "network_connection", "file_event"):
        probe = rule(category, {"TargetFilename": "x"} if category == "file_event" else {"EventID": 1})
        for field in ("ProcessGuid", "Computer"):
            found = map_field(probe, where, field)
            assert set(found) <= set(where.columns), (category, field)
            assert all(where.columns[name].key for name in found)
        assert len(map_field(probe, where, "ProcessGuid")) == 2
    probe = rule("process_creation", {"EventID": 1})
    (parent,) = map_field(probe, where, "ParentImage")
    assert not where.columns[parent].key


STATES = {
    "eql": {"index": ["logs-crowdstrike.fdr-*"], "time_field": "@timestamp", "eql_category": "process"},
    "kql": {"table": "CrowdStrike_Process_Events_CL", "time_field": "TimeGenerated"},
    "spl": {"time_field": "timestamp", "time_format": "epoch_ms"},
}


@pytest.mark.parametrize("target", STATES)
def test_where_the_events_are(target):
    assert dict(base(target, "process_creation", {"Image": "x"})[0].state) == STATES[target]
